"""Real Optuna studies: databases in rollback and WAL mode, and journals."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real import started

IMPORTS = (
    *("optuna", "optuna.storages.journal", "optuna.storages._rdb.models"),
    *("alembic.command", "sqlalchemy.dialects.sqlite"),
)
"""What a finished study needs, and asks for late."""
TRIALS = 3
"""How many each finished study has."""
_START = """
import sys, optuna
from sqlalchemy import event
from sqlalchemy.engine import Engine
optuna.logging.disable_default_handler()
path, mode, names = sys.argv[1], sys.argv[2], sys.argv[3:]
if mode == "journal":
    from optuna.storages.journal import JournalFileBackend, JournalStorage
    storage = JournalStorage(JournalFileBackend(path))
else:
    @event.listens_for(Engine, "connect")
    def say_how(connection, _):
        connection.execute(f"PRAGMA journal_mode={mode}")
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
studies = [optuna.create_study(storage=storage, study_name=name) for name in names]
"""
_FINISHED = """
for study in studies:
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
"""
_GOES_ON = """
def objective(trial):
    value = trial.suggest_float("x", 0, 1)
    if trial.number == 1:
        print("in a trial", flush=True)
        sys.stdin.read()
    return value
studies[0].optimize(objective, n_trials=2)
"""


def finished(path: Path, *names: str, mode: str = "delete") -> Path:
    """A study, or several, with some trials each; `mode` is SQLite's, or "journal"."""
    path.parent.mkdir(parents=True, exist_ok=True)
    args = ["-c", _START + _FINISHED, str(path), mode, *(names or ("s_mlp",))]
    code, said = started.run(IMPORTS, args, Path.cwd(), os.environ)
    assert code == 0, said
    return path


@contextmanager
def running(path: Path, mode: str) -> Iterator[int]:
    """The pid of an optimizer that is in the middle of its second trial."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", _START + _GOES_ON, str(path), mode, "s_mlp"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ}
    ) as optimizer:
        assert optimizer.stdout is not None
        assert optimizer.stdout.readline() == b"in a trial\n"
        yield optimizer.pid
        optimizer.communicate()
    assert optimizer.returncode == 0


def killed(path: Path) -> Path:
    """A database in WAL mode whose optimizer was killed: ``-wal`` and ``-shm`` stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", _START + _GOES_ON, str(path), "wal", "s_mlp"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as optimizer:
        assert optimizer.stdout is not None
        assert optimizer.stdout.readline() == b"in a trial\n"
        optimizer.kill()
    return path
