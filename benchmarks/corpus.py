"""Workspaces to measure on: small Hydra runs, copies of one that the real tools made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing import Process
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from tests.real import hydra_runs  # noqa: E402  (found by the line above)

KEEP_ALL = '[[policy]]\nkind = "hydra-run"\nkeep_within = "3650d"\n'
KEEP_NONE = """\
[[policy]]
kind = "hydra-run"
keep_within = "1d"
then = "trash"

[safety]
max_share = 1.0
"""
PER_DAY = 30
SAVE = "import sys, torch; torch.save({'weight': torch.zeros(4, 4)}, sys.argv[1])"


@dataclass(frozen=True)
class Corpus:
    """A workspace with `runs` runs of `files` files each, folders not counted."""

    root: Path
    runs: int
    files: int

    def __str__(self) -> str:
        return f"{self.runs:,} runs, {self.runs * self.files:,} files"


@contextmanager
def corpus(runs: int, files: int, config: str, where: str | None) -> Iterator[Corpus]:
    """Build one in a temporary folder below `where`, in a Git repository as in life."""
    with tempfile.TemporaryDirectory(prefix="janitor-bench-", dir=where) as folder:
        root = Path(folder, "project")
        root.mkdir()
        (root / "config.toml").write_text(config)
        (root / ".gitignore").write_text("outputs/\n.janitor/\n")
        git = ["git", "-C", str(root), "-c", "user.name=b", "-c", "user.email=b@localhost"]
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "project"]):
            subprocess.run([*git, *words], check=True)
        fill(root / "outputs", runs, files)
        yield Corpus(root, runs, files)


def fill(outputs: Path, runs: int, files: int) -> None:
    """Make the runs, in two processes, all older than a week."""
    template = _template(outputs.parent.parent / "template")
    halves = [
        Process(target=_copies, args=(template, outputs, range(at, runs, 2), files))
        for at in (0, 1)
    ]
    for half in halves:
        half.start()
    for half in halves:
        half.join()
        if half.exitcode:
            raise SystemExit("the corpus could not be built: is the disk full?")


def _template(project: Path) -> Path:
    """One run by real Hydra, with a checkpoint by real torch."""
    if not project.exists():
        hydra_runs.write_program(project)
        run = hydra_runs.run(project, "outputs/template")
        (run / "models").mkdir()
        subprocess.run([sys.executable, "-c", SAVE, str(run / "models/best_model.pt")], check=True)
    return project / "outputs" / "template"


def _copies(template: Path, outputs: Path, numbers: range, files: int) -> None:
    for number in numbers:
        when = datetime(2024, 1, 1) + timedelta(days=number // PER_DAY, minutes=number % PER_DAY)
        run = outputs / f"{when:%Y-%m-%d}" / f"{when:%H-%M-%S}"
        shutil.copytree(template, run)
        made = sum(len(names) for _, _, names in os.walk(run))
        (run / "samples").mkdir()
        for sample in range(files - made):
            with open(run / "samples" / f"epoch_{sample // 10:03}_{sample:05}.txt", "w") as file:
                file.write("a line of samples\n")
        _backdate(run, when.timestamp())


def _backdate(run: Path, moment: float) -> None:
    for folder, _, names in os.walk(run, topdown=False):
        for name in names:
            os.utime(os.path.join(folder, name), (moment, moment))
        os.utime(folder, (moment, moment))
