"""The arrows between the modules hold, and the checks that hold them can fail."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "artifact_janitor"

PURE = {
    "__future__",
    "bisect",
    "collections",
    "cronsim",  # which times an expression means, from a given one on: it asks no clock
    "dataclasses",
    "datetime",
    "difflib",
    "enum",
    "fnmatch",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "statistics",
    "string",
    "types",
    "typing",
    "unicodedata",
}
"""What the core may import besides itself; it reads no clock, see `CLOCKS`."""

CLOCKS = {"now", "today", "utcnow"}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter, with the project's contracts, over the sources in `folder`."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    return subprocess.run(
        [*command, "--config", str(folder / "pyproject.toml")],
        cwd=folder,
        env={"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "src" / "artifact_janitor", ignore=leave)
    return tmp_path


def test_arrows_point_down_only() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("core/model.py", "from artifact_janitor import journal", "Arrows point down only"),
        ("observe/tree.py", "import artifact_janitor.apply", "Arrows point down only"),
        ("errors.py", "from artifact_janitor.core import model", "Arrows point down only"),
        ("core/model.py", "import os", "The core knows no I/O"),
        ("core/model.py", "import logging", "The core knows no I/O"),
        ("observe/tree.py", "def late():\n    import torch", "No heavy library"),
        ("cli/app.py", "from artifact_janitor.reference import series", "Nothing of the janitor"),
        ("reference/series.py", "from artifact_janitor import journal", "The reference project"),
    ],
)
def test_an_arrow_that_points_up_is_found(
    copy: Path, module: str, line: str, contract: str
) -> None:
    source = copy / "src" / "artifact_janitor" / module
    source.write_text(source.read_text() + f"\n{line}\n")
    result = lint(copy)
    broken = [said for said in result.stdout.splitlines() if " BROKEN" in said]
    assert result.returncode == 1, result.stdout + result.stderr
    assert any(said.startswith(contract) for said in broken), result.stdout


def test_a_module_outside_the_layers_is_found(copy: Path) -> None:
    (copy / "src" / "artifact_janitor" / "elsewhere.py").write_text('"""New."""\n')
    result = lint(copy)
    assert result.returncode == 1
    assert "elsewhere" in result.stdout + result.stderr


def impurities(source: str) -> list[str]:
    """What a core module must not do: foreign imports, `open`, a look at the clock."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names if not is_pure(each.name)]
        elif isinstance(node, ast.ImportFrom) and not is_pure(node.module or "."):
            found.append(node.module or ".")
        elif isinstance(node, ast.Call) and is_impure_call(node.func):
            found.append(ast.unparse(node))
    return found


def is_pure(module: str) -> bool:
    ours = module.startswith("artifact_janitor.core") or module == "artifact_janitor.units"
    return ours or module.partition(".")[0] in PURE


def is_impure_call(called: ast.expr) -> bool:
    if isinstance(called, ast.Name):
        return called.id in ("open", "input", "print")
    return isinstance(called, ast.Attribute) and called.attr in CLOCKS


@pytest.mark.parametrize("source", sorted((PACKAGE / "core").glob("*.py")), ids=lambda p: p.stem)
def test_the_core_is_pure(source: Path) -> None:
    assert impurities(source.read_text()) == []


@pytest.mark.parametrize(
    "impure",
    [
        "import urllib.request",
        "from os import path",
        "from . import model",
        "open('x')",
        "datetime.now()",
        "def f():\n    import time",
    ],
)
def test_impurity_is_found(impure: str) -> None:
    assert len(impurities(impure)) == 1
