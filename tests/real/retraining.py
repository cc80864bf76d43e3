"""Workspaces with a finished study of real Optuna, and trainers of plain Python."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path

from artifact_janitor.core.jobs import Job
from artifact_janitor.executors import Handle
from artifact_janitor.executors.local import Local
from tests.real import models
from tests.real.small import Small

STUDY = "hpo_studies/eurusd.db"
NAME = "eurusd_mlp"
BEST = 0.75
"""What the best trial reached, trial 2."""
_MAKE = """
import sys, optuna
optuna.logging.disable_default_handler()
storage = f"sqlite:///{sys.argv[1]}"
if sys.argv[1].endswith(".log"):
    from optuna.storages.journal import JournalFileBackend, JournalStorage
    storage = JournalStorage(JournalFileBackend(sys.argv[1]))
for name in sys.argv[2:]:
    study = optuna.create_study(storage=storage, study_name=name, direction="maximize")
    for x in (0.25, 0.5, 0.75, 0.25):
        study.enqueue_trial({"x": x})
    def objective(trial):
        trial.set_user_attr("seed", 40 + trial.number)
        return trial.suggest_float("x", 0, 1)
    study.optimize(objective, n_trials=4)
"""
_BETTER = """
import sys, optuna
optuna.logging.disable_default_handler()
study = optuna.load_study(storage=f"sqlite:///{sys.argv[1]}", study_name=sys.argv[2])
study.enqueue_trial({"x": float(sys.argv[3])})
study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
study.set_user_attr("janitor:finished", len(study.trials))
"""
TRAINER = """
import json, os, shutil, sys, time
request = json.load(open(sys.argv[1]))
out = sys.argv[2]
with open("trained", "a") as file:
    file.write(request["key"] + "\\n")
"""
"""Notes the key of each training in the workspace."""
SAVES = """
shutil.copy("model.pth", os.path.join(out, f"final_model_{request['model_type']}.pth"))
"""
"""A model that real torch saved before."""
TELLS = """
metric = request["trial"]["values"][0]
found = {"metric": metric, "seed": request["trial"]["seed"], "epochs": 2, "data_sha256": "a" * 64}
json.dump(found, open(os.path.join(out, "result.json"), "w"))
"""
GOOD = TRAINER + SAVES + TELLS
WAITS = """
while not os.path.exists("go"):
    time.sleep(0.02)
"""


@cache
def _shelf() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="studies-shelf-")


@cache
def study(name: str, *names: str) -> Path:
    """A study's file, or one with several: made once a session."""
    shelf = _shelf().name
    path = Path(shelf, f"{len(os.listdir(shelf))}-{name}")
    subprocess.run([sys.executable, "-c", _MAKE, path, *names], check=True, timeout=120)
    return path


def place(work: Small, path: str = STUDY, names: tuple[str, ...] = (NAME,), age: float = 1) -> Path:
    """Put a study into a workspace that was finished `age` hours ago."""
    target = work.root / path
    target.parent.mkdir(exist_ok=True)
    shutil.copy(study(f"study{target.suffix}", *names), target)
    backdate(target, age)
    return target


def backdate(file: Path, hours: float) -> None:
    moment = time.time() - hours * 3600
    os.utime(file, (moment, moment))


def better(work: Small, value: float, path: str = STUDY, name: str = NAME) -> None:
    """One more trial, and the word that it was the last."""
    command = [sys.executable, "-c", _BETTER, path, name, str(value)]
    subprocess.run(command, check=True, timeout=120, cwd=work.root)


def trains(work: Small, program: str = GOOD, more: str = "") -> None:
    """Configure a command that runs this program. Torch takes seconds to start, so the Python
    that could load the model with it is none; see `weights`."""
    (work.root / "trainer.py").write_text(program)
    if not work.there("model.pth"):
        shutil.copy(models.built() / "plain" / models.FINAL, work.root / "model.pth")
    command = f'["{sys.executable}", "trainer.py", "{{request}}", "{{out}}"]'
    pattern = "(?P<model_type>mlp|lstm|gru)$"
    row = (
        f"[[retrain]]\ncommand = {command}\nmodel_type = '{pattern}'\npython = 'none-here'\n{more}"
    )
    work.configure(row)


def trained(work: Small) -> list[str]:
    """The keys that were trained, one each time."""
    file = work.root / "trained"
    return file.read_text().splitlines() if file.exists() else []


def executor(work: Small) -> Local:
    return Local(work.root / ".janitor" / "jobs")


def rows(work: Small) -> tuple[Job, ...]:
    """What the journal knows of trainings. It is closed at once: a connection of SQLite's that
    is open while the process forks ruins the database."""
    with closing(work.journal()) as journal:
        return journal.jobs.all()


def handles(work: Small) -> list[Handle]:
    """All jobs there are, by the journal."""
    found = (executor(work).find(each.token) for each in rows(work))
    return [each for each in found if each]


def until(found: Callable[[], object], patience: float = 60) -> None:
    end = time.monotonic() + patience
    while not found():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def over(work: Small) -> None:
    """Wait until no job runs any more."""
    until(lambda: all(executor(work).status(each).is_over for each in handles(work)))


def quiet(work: Small) -> None:
    """End whatever still runs."""
    for each in handles(work):
        executor(work).cancel(each)
    over(work)
    for each in handles(work):
        executor(work).bury(each)


def set_back(work: Small, change: str) -> None:
    """As if time had passed."""
    with closing(sqlite3.connect(work.root / ".janitor" / "journal.db")) as db:
        db.execute(f"UPDATE job SET {change}")  # noqa: S608 - our own words
        db.commit()
