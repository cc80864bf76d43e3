"""The wheel, installed without extras and away from src/: what a user gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import artifact_janitor

ROOT = Path(__file__).parent.parent
SYSTEMD = ROOT / "systemd"

HEAVY = (
    *("hydra", "lightning", "matplotlib", "mlflow", "numpy"),
    *("optuna", "sklearn", "torch", "torchmetrics", "wandb"),
)

CONFIG = """\
[[policy]]
kind = "hydra-run"
keep_last = 1
"""

SPY = """\
import sys
from artifact_janitor.cli.main import main
try:
    sys.exit(main())
finally:
    print("imported:", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def call(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a user's shell would, with nothing of this checkout in sight."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "JANITOR"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**environment, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out]
    built = call(*build, cwd=ROOT)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = out.glob("artifact_janitor-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin/ folder of a fresh environment that holds the wheel and what it asks for."""
    home = tmp_path_factory.mktemp("installed")
    made = call(sys.executable, "-m", "venv", home, cwd=home)
    assert made.returncode == 0, made.stderr
    pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--prefer-binary"]
    added = call(*pip, "--constraint", ROOT / "constraints.txt", wheel, cwd=home)
    assert added.returncode == 0, added.stderr
    return home / "bin"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "notes.txt").write_text("mine\n")
    return tmp_path


def test_the_wheel_holds_the_package_and_its_licence_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {
        "artifact_janitor",
        f"artifact_janitor-{artifact_janitor.__version__}.dist-info",
    }
    assert "artifact_janitor/demo/train.py" in names
    assert "artifact_janitor/reference/conf/model/lstm.yaml" in names
    units = {name.partition("/units/")[2] for name in names if "/units/" in name}
    assert units == {str(each.relative_to(SYSTEMD)) for each in SYSTEMD.glob("**/janitor*")}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "__pycache__" in name]


def test_help_names_the_commands(installed: Path, tmp_path: Path) -> None:
    shown = call(installed / "janitor", "--help", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    for command in ("plan", "run", "undo", "history", "why", "status", "demo"):
        assert command in shown.stdout


def test_version_is_the_packages(installed: Path, tmp_path: Path) -> None:
    shown = call(installed / "janitor", "--version", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert artifact_janitor.__version__ in shown.stdout


def test_plan_works_without_extras(installed: Path, workspace: Path) -> None:
    shown = call(installed / "janitor", "plan", "--json", cwd=workspace)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    said = json.loads(shown.stdout)
    assert (said["schema"], said["command"], said["ok"]) == (1, "plan", True)
    assert said["data"]["steps"] == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["plan"], ["status"]])
def test_no_heavy_library_is_imported(workspace: Path, arguments: list[str]) -> None:
    # in this environment the libraries are there, so an eager import would find them
    spied = call(sys.executable, "-c", SPY, *arguments, cwd=workspace)
    imported = spied.stderr.rpartition("imported: ")[2].split()
    assert spied.returncode == 0, spied.stderr
    assert "artifact_janitor" in imported
    assert [name for name in HEAVY if name in imported] == []


def test_demo_without_its_extra_says_what_to_type(installed: Path, tmp_path: Path) -> None:
    shown = call(installed / "janitor", "demo", "here", cwd=tmp_path)
    assert shown.returncode == 2
    assert "pip install 'artifact-janitor[demo]'" in shown.stdout + shown.stderr
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("program", ["run_hpo", "train_nn_model", "predict"])
def test_the_reference_without_its_extra_says_what_to_type(
    installed: Path, tmp_path: Path, program: str
) -> None:
    words = ["model.pth", "prices.csv"] if program == "predict" else []
    module = f"artifact_janitor.reference.{program}"
    shown = call(installed / "python", "-m", module, *words, cwd=tmp_path)
    assert shown.returncode == 2
    assert "pip install 'artifact-janitor[train]'" in shown.stderr
    assert "Traceback" not in shown.stderr
    assert not list(tmp_path.iterdir())
