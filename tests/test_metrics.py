"""The metric of a run or a checkpoint, read from what the real tools left.

What is damaged, huge or hostile tells nothing, and never stops anything.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artifact_janitor import clock
from artifact_janitor.config import load
from artifact_janitor.core.plan import Plan
from artifact_janitor.core.policy import Best
from artifact_janitor.journal import open_journal
from artifact_janitor.looking import look
from artifact_janitor.observe import checkpoints, metrics, tree
from artifact_janitor.observe.kinds import Unit
from artifact_janitor.state import State
from tests.real import hydra_runs, wandb_runs
from tests.real.training import together
from tests.real.wandb_stub import WandbStub

CALLBACK = "hydra.experimental.callbacks.PickleJobInfoCallback"
PICKLED = f"+hydra.callbacks.job._target_={CALLBACK}"


def value(
    run: Path, metric: str, direction: str = "max", kind: str = "hydra-run", **more: Any
) -> float | None:
    """What a run's folder tells."""
    folder = tree.read(run.parent, run.name)
    unit = Unit(kind, folder.path, folder)  # type: ignore[arg-type]
    return metrics.value_of(unit, run.parent, Best(metric, direction), **more)


def of_checkpoints(run: Path, metric: str, direction: str = "max") -> dict[str, float | None]:
    """What each checkpoint of a run tells of itself, by its path in the run."""
    folder = tree.read(run.parent, run.name)
    best = Best(metric, direction)
    return {
        each.path.removeprefix(f"{run.name}/"): metrics.value_of(
            Unit("checkpoint", each.path, each.folder or each.entry, run.name, folder, each),
            run.parent,
            best,
        )
        for each in checkpoints.find(folder, run.parent)
    }


# W&B


_LOGGING = """
import os, sys, wandb
run = wandb.init(project="demo", dir=sys.argv[1], settings=wandb.Settings(x_disable_stats=True))
run.define_metric("acc", summary="max,last")
run.define_metric("low", summary="min")
for step, f1 in enumerate((0.1, 0.7, 0.6, 0.5)):
    run.log({"val_f1": f1, "val/f1": f1 / 2, "val": {"f2": f1 / 4}, "a.b": f1, "acc": f1, "low": f1,
             "nan": float("nan"), "inf": float("inf"), "text": "0.9", "yes": True})
print(os.path.dirname(run.dir))
run.finish()
"""


def wandb_run(project: Path) -> Path:
    """An online run of the real client, which writes its summary when it ends."""
    project.mkdir(parents=True, exist_ok=True)
    args = [sys.executable, "-c", _LOGGING, str(project)]
    with WandbStub() as stub:
        env = wandb_runs.environ(stub)
        done = subprocess.run(args, cwd=project, env=env, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return Path(done.stdout.decode().splitlines()[0])


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wandb_run(tmp_path_factory.mktemp("logged"))


@pytest.mark.parametrize(
    ("metric", "highest", "lowest"),
    [
        ("val_f1", 0.5, 0.5),  # the last, as W&B shows it
        ("val/f1", 0.25, 0.25),
        ("val.f2", 0.125, 0.125),
        ("val/f2", 0.125, 0.125),
        ("a.b", 0.5, 0.5),
        ("acc", 0.7, 0.5),
        ("low", None, 0.1),
        ("nan", None, None),
        ("inf", None, None),
        ("text", None, None),
        ("yes", None, None),
        ("f1", None, None),
        ("val", None, None),
    ],
)
def test_wandb_summary_tells_what_wandb_shows(
    logged: Path, metric: str, highest: float | None, lowest: float | None
) -> None:
    assert value(logged, metric, "max", "wandb-run") == highest
    assert value(logged, metric, "min", "wandb-run") == lowest


def test_an_offline_run_has_no_summary(tmp_path: Path) -> None:
    run = wandb_runs.place(wandb_runs.offline, tmp_path)
    assert value(run, "loss", kind="wandb-run") is None


# Hydra


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hydra runs of the real program: val_f1 is 1 - lr, and so is what it returns."""
    folder = tmp_path_factory.mktemp("hydra") / "project"
    hydra_runs.write_program(folder)
    for name, *overrides in (
        ("poor", "lr=0.5"),
        ("good", "lr=0.1", "+_return_value=7", "+status=1"),
        ("equal", "lr=0.1"),
        ("whole", "lr=-3"),
    ):
        hydra_runs.run(folder, f"outputs/{name}", PICKLED, *overrides)
    hydra_runs.run(folder, "outputs/failed", PICKLED, "+_return_value=7", end="error")
    hydra_runs.run(folder, "outputs/plain")
    hydra_runs.sweep(folder, "multirun/sweep", PICKLED)
    wandb_runs.backdate(folder, 40)
    return folder


def test_what_a_hydra_job_returned(project: Path) -> None:
    outputs = project / "outputs"
    told = {each.name: value(each, "return_value") for each in outputs.iterdir()}
    assert told.pop("whole") == pytest.approx(4)
    assert told == {"poor": 0.5, "good": 0.9, "equal": 0.9, "failed": None, "plain": None}


def test_a_job_that_returned_no_number_returned_none(project: Path, tmp_path: Path) -> None:
    """Its configuration is full of numbers, and none of them is taken for it."""
    for name, end in (("tuple", "(0.5, 0.6)"), ("text", "'0.5'"), ("nan", "float('nan')")):
        program = hydra_runs.PROGRAM.replace("return 1 - cfg.lr", f"return {end}")
        folder = tmp_path / name
        hydra_runs.write_program(folder)
        (folder / "train.py").write_text(program)
        run = hydra_runs.run(folder, "out", PICKLED, "+return_value=1")
        assert (run / ".hydra" / "job_return.pickle").stat().st_size > 1000
        assert value(run, "return_value") is None


def test_a_sweep_is_as_good_as_its_best_job(project: Path) -> None:
    sweep = project / "multirun" / "sweep"
    assert value(sweep, "val_f1", "max", "hydra-sweep") == 0.99
    assert value(sweep, "val_f1", "min", "hydra-sweep") == 0.9
    assert value(sweep, "return_value", "max", "hydra-sweep") == 0.99


def test_metrics_json_of_the_program(project: Path) -> None:
    assert value(project / "outputs" / "good", "val_f1") == 0.9
    assert value(project / "outputs" / "failed", "val_f1") is None


def copied(project: Path, name: str, to: Path) -> Path:
    """One run of its own, to be changed."""
    subprocess.run(["cp", "-a", project / "outputs" / name, to], check=True)
    return to


def test_a_hydra_run_has_the_summary_of_its_wandb_run(
    project: Path, logged: Path, tmp_path: Path
) -> None:
    run = copied(project, "good", tmp_path / "run")
    subprocess.run(["cp", "-a", logged.parent, run / "wandb"], check=True)
    assert value(run, "val_f1") == 0.5  # and metrics.json says 0.9
    assert value(run, "return_value") == 0.9


@pytest.mark.parametrize(
    ("real", "other"),
    [
        (b"K\x01\x85\x94R\x94\x8c\r_return", b"K\x02\x85\x94R\x94\x8c\r_return"),  # FAILED
        (b"\x8c\r_return_value", b"\x8c\r_another_name"),
        (b"\x8c\x06status", b"\x8c\x06states"),
        (b"JobStatus", b"JobStates"),
    ],
)
def test_a_return_value_is_believed_in_its_place_alone(
    project: Path, tmp_path: Path, real: bytes, other: bytes
) -> None:
    run = copied(project, "equal", tmp_path / "run")
    path = run / ".hydra" / "job_return.pickle"
    assert path.read_bytes().count(real) == 1
    path.write_bytes(path.read_bytes().replace(real, other))
    assert value(run, "return_value") is None


def test_what_a_job_returned_is_no_other_metric(project: Path, tmp_path: Path) -> None:
    run = copied(project, "good", tmp_path / "run")
    (run / "metrics.json").unlink()
    assert value(run, "return_value") == 0.9
    assert value(run, "val_f1") is None


def test_each_job_of_a_sweep_tells_by_its_own_best_source(project: Path, tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    subprocess.run(["cp", "-a", project / "multirun" / "sweep", sweep], check=True)
    (sweep / "1" / "model_meta.json").write_text('{"val_f1": 0.2}')  # not 0.99
    assert value(sweep, "val_f1", "max", "hydra-sweep") == 0.9
    assert value(sweep, "val_f1", "min", "hydra-sweep") == 0.2


def test_another_run_inside_speaks_for_itself(project: Path, tmp_path: Path) -> None:
    run = copied(project, "poor", tmp_path / "run")
    copied(project, "good", run / "inner")
    assert value(run, "val_f1", apart={"run/inner"}) == 0.5
    assert value(run, "val_f1") == 0.9


# Lightning


_NAMES = """
import sys, lightning, torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
    def training_step(self, batch, number):
        return self.layer(batch).mean()
    def validation_step(self, batch, number):
        f1 = (0.125, 0.75, 0.625, 0.5)[self.current_epoch]
        self.log_dict({"val_f1": f1, "val/f1": f1, "loss": 1e-5 * f1, "neg": -f1})
        self.log_dict({"best_f1": 9.0, "nan": float("nan")})
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

out = sys.argv[1]
forms = {
    "val_f1": ("plain", "{epoch}-{val_f1:.3f}", True),
    "val/f1": ("slash", "{epoch}-{val/f1:.3f}", True),
    "loss": ("tiny", "{loss:.3e}_{epoch}", True),
    "neg": ("negative", "e{epoch}-neg={neg:.3f}-x", False),
    "best_f1": ("other", "best_f1={best_f1:.2f}-{epoch}", False),
    "nan": ("nan", "{epoch}-{nan:.2f}", True),
}
keep = [ModelCheckpoint(dirpath=f"{out}/{folder}", filename=name, monitor=metric, mode="max",
                        auto_insert_metric_name=insert, save_top_k=-1, save_last=folder == "plain")
        for metric, (folder, name, insert) in forms.items()]
rows = torch.utils.data.DataLoader(torch.rand(8, 4), batch_size=4)
lightning.Trainer(max_epochs=4, accelerator="cpu", callbacks=keep, num_sanity_val_steps=0,
                  logger=CSVLogger(f"{out}/csv"), log_every_n_steps=1, enable_progress_bar=False,
                  enable_model_summary=False).fit(Model(), rows, rows)
"""


@pytest.fixture(scope="module")
def lightning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("lightning") / "run"
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    args = [sys.executable, "-c", _NAMES, str(run)]
    done = subprocess.run(args, env=env, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    return run


EPOCHS = (0.125, 0.75, 0.625, 0.5)


def test_the_names_of_lightning_tell_each_checkpoints_value(lightning: Path) -> None:
    def named(form: str) -> dict[str, float]:
        return {form.format(n, f1): f1 for n, f1 in enumerate(EPOCHS)}

    plain, told = lightning / "plain", of_checkpoints(lightning, "val_f1")
    assert {path: each for path, each in told.items() if each is not None} == {
        f"plain/{name}": f1 for name, f1 in named("epoch={}-val_f1={:.3f}.ckpt").items()
    }
    assert (plain / "last.ckpt").exists()
    assert told["plain/last.ckpt"] is None
    slashed = of_checkpoints(lightning, "val/f1")
    assert {path: slashed[path] for path in slashed if path.startswith("slash/")} == {
        f"slash/{name}": f1 for name, f1 in named("epoch={}-val/f1={:.3f}.ckpt").items()
    }
    assert sorted(filter(None, of_checkpoints(lightning, "neg").values())) == [
        -0.75,
        -0.625,
        -0.5,
        -0.125,
    ]
    assert max(filter(None, of_checkpoints(lightning, "loss").values())) == 7.5e-6
    assert set(of_checkpoints(lightning, "nan").values()) == {None}


def test_part_of_a_name_is_another_name(lightning: Path) -> None:
    """``best_f1=9.00`` says nothing of f1, nor does ``val_f1=0.75``."""
    told = of_checkpoints(lightning, "f1")
    assert {path for path, each in told.items() if each is not None} == {
        path for path in told if path.startswith("slash/")
    }
    assert max(filter(None, told.values())) == 0.75


def test_a_csv_history_counts_by_its_best_value(lightning: Path) -> None:
    history = lightning / "csv"
    assert value(history, "val_f1", "max", "training-run") == 0.75
    assert value(history, "val_f1", "min", "training-run") == 0.125
    assert value(history, "val/f1", "max", "training-run") == 0.75
    assert value(history, "nan", "max", "training-run") is None
    assert value(history, "f1", "max", "training-run") is None


def test_names_tell_of_a_run_that_has_nothing_else(lightning: Path) -> None:
    assert value(lightning / "plain", "val_f1", "max", "training-run") == 0.75
    assert value(lightning / "slash", "val/f1", "min", "training-run") == 0.125


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("epoch=3-f1=0.61.ckpt", 0.61),
        ("epoch=3_f1=0.61.ckpt", 0.61),
        ("f1=0.61-v1.ckpt", 0.61),
        ("model f1=1.pt", 1.0),
        ("f1=.5,epoch=3.pth.tar", 0.5),
        ("f1=-2e+1.pt", -20.0),
        ("f1=0.1-f1=0.2.pt", 0.2),
        ("best_f1=0.61.ckpt", None),
        ("valf1=0.61.ckpt", None),
        ("f1=0.61x.ckpt", None),
        ("f1=0.6.1.ckpt", None),
        ("f1=nan.ckpt", None),
        ("f1=1e999.ckpt", None),
        ("f1=1_0x.ckpt", 1.0),
        ("f1=٣.ckpt", None),
        ("f1_0.61.ckpt", None),
        ("f1=0.61.png", None),
    ],
)
def test_only_name_equals_number_tells(tmp_path: Path, name: str, told: float | None) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_bytes(b"x")
    assert value(tmp_path / "run", "f1") == told


# Hugging Face


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """checkpoint-2 … 12 whose eval_loss is |step - 4|; with and without the final state."""
    folder = tmp_path_factory.mktemp("hf")
    options = {"save_total_limit": None}
    saved, cut = options | {"save_model": True}, options | {"save_model": False}
    together([("hf", folder / "saved", saved), ("hf", folder / "cut", cut)])
    return folder


@pytest.mark.parametrize("name", ["saved", "cut"])
def test_the_history_of_the_trainer_counts_by_its_best_value(trained: Path, name: str) -> None:
    assert (trained / name / "trainer_state.json").exists() == (name == "saved")
    assert value(trained / name, "eval_loss", "min", "training-run") == 0
    assert value(trained / name, "eval_loss", "max", "training-run") == 8
    assert value(trained / name, "loss", "min", "training-run") is None


def test_of_many_states_the_longest_tells_it_all(trained: Path, tmp_path: Path) -> None:
    """The Trainer keeps all checkpoints, unless it is told not to."""
    run = tmp_path / "run"
    subprocess.run(["cp", "-a", trained / "cut", run], check=True)
    early = (run / "checkpoint-2" / "trainer_state.json").read_bytes()
    for number in range(100, 100 + metrics.MOST):
        (run / f"checkpoint-{number}").mkdir()
        (run / f"checkpoint-{number}" / "trainer_state.json").write_bytes(early)
    assert value(run, "eval_loss", "min", "training-run") == 0


def test_a_checkpoint_of_the_trainer_has_the_value_of_its_own_step(trained: Path) -> None:
    assert of_checkpoints(trained / "cut", "eval_loss", "min") == {
        f"checkpoint-{step}": abs(step - 4) for step in (2, 4, 6, 8, 10, 12)
    }
    assert set(of_checkpoints(trained / "cut", "best_metric").values()) == {None}


# Other JSON


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"f1": 0.5}, 0.5),
        ({"f1": 1}, 1.0),
        ({"metrics": {"f1": 0.5}}, 0.5),
        ({"f1": [0.5, 0.7, math.nan, "0.9", True, None, 0.6]}, 0.7),
        ([{"f1": 0.5}, {"f1": 0.7}, {"loss": 9}, 3], 0.7),
        ({"f1": "0.5"}, None),
        ({"f1": True}, None),
        ({"f1": None}, None),
        ({"f1": math.nan}, None),
        ({"f1": math.inf}, None),
        ({"f1": -math.inf}, None),
        ({"f1": 10**400}, None),
        ({"f1": {"mean": 0.5}}, None),
        ({"f1": [[0.5]]}, None),
        ({"metrics": ["f1"], "log_history": {"f1": 3}}, 3.0),
        ([], None),
        (3, None),
        (None, None),
        ("f1", None),
    ],
)
@pytest.mark.parametrize("name", ["metrics.json", "best_model_meta.json"])
def test_json_in_the_forms_that_people_write(
    tmp_path: Path, name: str, document: object, told: float | None
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_text(json.dumps(document))
    assert value(tmp_path / "run", "f1") == told


def test_a_checkpoint_file_has_the_meta_beside_it_alone(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("best_model.pt", "epoch_1.pt"):
        (run / name).write_bytes(b"x")
    (run / "best_model_meta.json").write_text('{"f1": 0.5}')
    (run / "metrics.json").write_text('{"f1": 0.7}')
    assert of_checkpoints(run, "f1") == {"best_model.pt": 0.5, "epoch_1.pt": None}


def test_sources_are_asked_in_the_documented_order(tmp_path: Path) -> None:
    run = tmp_path / "run"
    content = {
        "files/wandb-summary.json": '{"f1": 1}',
        "x_meta.json": '{"f1": 2}',
        "trainer_state.json": '{"log_history": [{"f1": 3}]}',
        "metrics.json": '{"f1": 4}',
        "metrics.csv": "f1\n5\n",
        "epoch=1-f1=6.ckpt": "",
    }
    for name, text in content.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(text)
    for number, name in enumerate(content, 1):
        assert value(run, "f1") == value(run, "f1", "min") == number
        (run / name).unlink()
    assert value(run, "f1") is None


# Damage: a source is believed as a whole, or not at all


HARM: Mapping[str, Callable[[Path], object]] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(900)),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x80" * 99),
    "deep": lambda path: path.write_bytes(b"[" * 100_000),
    "deeper": lambda path: path.write_bytes(b'{"f1":' * 100_000 + b"1"),
    "digits": lambda path: path.write_text('{"f1": ' + "9" * 9000 + "}"),
    "huge": lambda path: path.write_bytes(path.read_bytes() + b"\n" * metrics.LIMIT),
    "a link": lambda path: path.rename(f"{path}.away") and path.symlink_to(f"{path}.away"),
    "a folder": lambda path: path.unlink() or path.mkdir(),
    "a pipe": lambda path: path.unlink() or os.mkfifo(path),
}
SOURCES = {
    "files/wandb-summary.json": '{"f1": 0.5, "more": 1}',
    "a_meta.json": '{"f1": 0.5, "more": 1}',
    "trainer_state.json": '{"log_history": [{"f1": 0.5}]}',
    "metrics.json": '{"f1": 0.5, "more": 1}',
    "metrics.csv": '"epoch","f1"\n1,0.5\n',
    ".hydra/job_return.pickle": "",
}


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("source", SOURCES)
def test_what_is_damaged_tells_nothing(
    tmp_path: Path, project: Path, source: str, harm: str
) -> None:
    path = tmp_path / "run" / source
    path.parent.mkdir(parents=True)
    path.write_text(SOURCES[source])
    metric = "f1"
    if source.endswith("pickle"):
        path.write_bytes((project / "outputs" / "good" / source).read_bytes())
        metric = "return_value"
    assert value(tmp_path / "run", metric) in (0.5, 0.9)
    HARM[harm](path)
    assert value(tmp_path / "run", metric) is None


def test_one_damaged_file_of_several_spoils_the_source(tmp_path: Path) -> None:
    """The best may have stood in it, and a run that seems worse than it is would go."""
    for name in ("a", "b"):
        (tmp_path / "run" / name).mkdir(parents=True)
        (tmp_path / "run" / name / "metrics.json").write_text('{"f1": 0.5}')
    assert value(tmp_path / "run", "f1") == 0.5
    (tmp_path / "run" / "b" / "metrics.json").write_text('{"f1": 0.')
    assert value(tmp_path / "run", "f1") is None
    (tmp_path / "run" / "metrics.csv").write_text("f1\n0.4\n")
    assert value(tmp_path / "run", "f1") == 0.4


def test_too_many_files_of_one_source_tell_nothing(tmp_path: Path) -> None:
    for number in range(metrics.MOST + 1):
        folder = tmp_path / "run" / str(number)
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text('{"f1": 0.5}')
    assert value(tmp_path / "run", "f1") is None
    (folder / "metrics.json").unlink()
    assert value(tmp_path / "run", "f1") == 0.5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("f1\n0.5\n0.7\n0.6\n", 0.7),
        ("f1\n0.5\n0.9", 0.5),  # killed in the middle of 0.9, or of 0.0912
        ("f1\n0.5\n7", 0.5),  # … of 7e-05
        ("epoch,f1\n1,0.5\n2\n3,\n", 0.5),
        ("f1,loss\n0.5,9\nloss,f1\n8,0.6\n", 0.6),  # resumed, with another header
        ("f1,x,f1\n0.5,9,0.6\n", 0.6),
        ("\ufefff1\n0.5\n", 0.5),
        ("f1\r\n0.5\r\n", 0.5),
        ('"f1"\n"0.5"\n" 0.6 "\n', 0.6),
        ("f1\nnan\ninf\n-inf\ninfinity\n1e999\n1_0\n٣\n0x9\nTrue\n", None),
        ("f1\n0.5\n" + "9" * 200_000 + "x\n", None),  # csv refuses such a cell
        ("loss\n0.5\n", None),
    ],
)
def test_csv_as_it_comes(tmp_path: Path, text: str, told: float | None) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.csv").write_text(text, encoding="utf-8", newline="")
    assert value(tmp_path / "run", "f1") == told


def test_a_csv_with_text_of_another_encoding_tells_its_numbers(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.csv").write_bytes("f1,note\n0.5,café\n".encode("latin-1"))
    assert value(tmp_path / "run", "f1") == 0.5


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, springs: str) -> None:
        self.springs = springs

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.springs,)


def test_a_job_return_is_never_unpickled(tmp_path: Path) -> None:
    (tmp_path / "run" / ".hydra").mkdir(parents=True)
    trap = pickle.dumps({"status": Trap(str(tmp_path / "sprung")), "_return_value": 0.9})
    (tmp_path / "run" / ".hydra" / "job_return.pickle").write_bytes(trap)
    assert value(tmp_path / "run", "return_value") is None
    assert not (tmp_path / "sprung").exists()


_KINDS = [*SOURCES, "epoch=1-f1=3.ckpt"]
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("f1", "val", "metrics", "log_history", "max")), inner)
    ),
    max_leaves=8,
)
_contents = st.binary(max_size=200) | _json.map(lambda each: json.dumps(each).encode())


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(_KINDS), _contents),
    st.sampled_from(("f1", "val/f1", "val.f1", "return_value", "/", ".", "f1=", "(", "{}")),
    st.sampled_from(("max", "min")),
)
def test_any_content_tells_a_finite_number_or_nothing(
    tmp_path: Path, contents: dict[str, bytes], metric: str, direction: str
) -> None:
    for name in _KINDS:
        path = tmp_path / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents.get(name, b""))
    told = value(tmp_path / "run", metric, direction)
    assert told is None or (isinstance(told, float) and math.isfinite(told))


# From end to end


def planned(project: Path, keep_best: str, more: str = "", kind: str = "hydra-run") -> Plan:
    (project / "config.toml").write_text(
        f'[[policy]]\nkind = "{kind}"\n{keep_best}\n{more}\n[safety]\nmax_share = 1.0\n'
    )
    return look(load(None, {}, project), clock.read().wall).plan


def reasons(plan: Plan, going: bool) -> dict[str, tuple[str, ...]]:
    if going:
        return {step.path.rpartition("/")[2]: step.reasons for step in plan.steps}
    return {each.artifact.path.rpartition("/")[2]: each.reasons for each in plan.kept}


def best(metric: str, direction: str, n: int, missing: str) -> str:
    table = f'metric = "{metric}", direction = "{direction}", n = {n}, missing = "{missing}"'
    return f"keep_best = {{ {table} }}"


def test_the_best_hydra_runs_stay(project: Path) -> None:
    plan = planned(project, best("val_f1", "max", 2, "ignore"))
    assert reasons(plan, going=True) == {
        "poor": ("val_f1 0.5 is not in the 2 best",),
        "equal": ("val_f1 0.9 is not in the 2 best",),
        "good": ("val_f1 0.9 is not in the 2 best",),
        "failed": ("no val_f1 found",),
    }
    assert reasons(plan, going=False)["whole"] == ("val_f1 4 is in the 2 best",)
    plan = planned(project, best("return_value", "max", 2, "keep"))
    assert reasons(plan, going=True) == {"poor": ("return_value 0.5 is not in the 2 best",)}
    stays = reasons(plan, going=False)
    assert stays["failed"] == stays["plain"] == ("no return_value found",)
    assert stays["good"] == stays["equal"] == ("return_value 0.9 is in the 2 best",)


def test_a_wandb_run_inside_counts_for_the_run_around_it(
    project: Path, logged: Path, tmp_path: Path
) -> None:
    (tmp_path / "outputs").mkdir()
    for name in ("a", "b"):
        copied(project, "good", tmp_path / "outputs" / name)
    subprocess.run(["cp", "-a", logged.parent, tmp_path / "outputs" / "a" / "wandb"], check=True)
    copied(project, "poor", tmp_path / "outputs" / "b" / "inner")
    wandb_runs.backdate(tmp_path, 40)
    stays = reasons(planned(tmp_path, best("val_f1", "max", 9, "ignore")), going=False)
    assert stays["a"] == ("val_f1 0.5 is in the 9 best",)
    assert stays["b"] == ("val_f1 0.9 is in the 9 best",)
    assert stays["inner"] == ("val_f1 0.5 is in the 9 best",)
    lowest = reasons(planned(tmp_path, best("val_f1", "min", 9, "ignore")), going=False)
    assert lowest["b"] == ("val_f1 0.9 is in the 9 best",)


def test_the_best_checkpoints_stay_within_their_run(lightning: Path, tmp_path: Path) -> None:
    (tmp_path / "training" / "runs").mkdir(parents=True)
    for name in ("a", "b"):
        subprocess.run(
            ["cp", "-a", lightning / "plain", tmp_path / "training" / "runs" / name], check=True
        )
    wandb_runs.backdate(tmp_path, 40)
    plan = planned(tmp_path, best("val_f1", "max", 2, "ignore"), kind="checkpoint")
    assert {step.path: step.reasons for step in plan.steps} == {
        f"training/runs/{run}/epoch={epoch}-val_f1={f1:.3f}.ckpt": (
            f"val_f1 {f1} is not in the 2 best",
        )
        for run in ("a", "b")
        for epoch, f1 in ((0, 0.125), (3, 0.5))  # the newest is last.ckpt
    }


def test_nothing_is_read_where_no_policy_asks(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = metrics.value_of

    def noted(unit: Unit, *args: Any) -> float | None:
        asked.append(unit.path)
        return real(unit, *args)

    monkeypatch.setattr(metrics, "value_of", noted)
    monkeypatch.setattr("artifact_janitor.observe.workers.cores", lambda: 1)
    rule = best("val_f1", "max", 1, "keep")
    planned(project, rule, kind="hydra-sweep")
    assert {*asked} == {"multirun/sweep"}
    asked.clear()
    planned(project, "keep_last = 1")
    assert not asked


@pytest.fixture
def remembering(project: Path, tmp_path: Path) -> Path:
    """A project with a journal, in which looks are remembered."""
    own = tmp_path / "own"
    subprocess.run(["cp", "-a", project, own], check=True)
    state = State(own)
    state.prepare()
    journal = open_journal(state.journal, create=True)
    assert journal is not None
    journal.close()
    return own


def test_what_is_remembered_is_of_the_metric_that_is_asked_for(remembering: Path) -> None:
    """Another metric, another look: an earlier one knows nothing of it."""
    nothing_goes = best("val_f1", "max", 9, "keep")
    for _ in range(2):
        assert not planned(remembering, nothing_goes).steps
    plan = planned(remembering, best("return_value", "max", 2, "keep"))
    assert reasons(plan, going=True) == {"poor": ("return_value 0.5 is not in the 2 best",)}


def test_a_second_look_remembers_the_same(
    remembering: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def known() -> dict[str, tuple[tuple[str, float], ...]]:
        seen = look(load(None, {}, remembering), clock.read().wall).survey.catalogue
        return {each.path: each.metrics for each in seen.artifacts}

    planned(remembering, best("val_f1", "max", 9, "keep"))
    first = known()
    assert first["outputs/poor"] == (("val_f1", 0.5),)
    monkeypatch.setattr(metrics, "value_of", lambda *_: 1 / 0)
    assert known() == first
