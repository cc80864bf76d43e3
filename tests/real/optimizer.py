"""A real Optuna program that does one thing at a time, as it is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROGRAM = """
import json, signal, sys, optuna
from optuna.trial import TrialState
from sqlalchemy import event
from sqlalchemy.engine import Engine
from artifact_janitor.optuna import FinishMarker
optuna.logging.disable_default_handler()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
kind, path, names, options = sys.argv[1], sys.argv[2], sys.argv[3].split(","), sys.argv[4]
@event.listens_for(Engine, "connect")
def as_asked(connection, _):
    connection.execute("PRAGMA synchronous=off")
    if kind == "wal":
        connection.execute("PRAGMA journal_mode=wal")
if kind == "journal":
    from optuna.storages.journal import JournalFileBackend, JournalStorage
    storage = JournalStorage(JournalFileBackend(path))
else:
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}", **json.loads(options))
studies = [
    optuna.create_study(storage=storage, study_name=name, load_if_exists=True) for name in names
]
study, asked = studies[0], []
def objective(trial):
    return trial.suggest_float("x", 0, 1)
def slow(trial):
    print(json.dumps("in a trial"), flush=True)
    sys.stdin.readline()
    return 0.5
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    try:
        said = eval(line)
    except BaseException as error:
        said = type(error).__name__
    print(json.dumps(said, default=str), flush=True)
"""


@dataclass(frozen=True)
class Optimizer:
    """One that waits for its next command, in a process of its own."""

    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        return self.process.pid

    def begin(self, command: str) -> Any:
        """Have it evaluate an expression; the first thing that it prints."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.hear()

    def hear(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def interrupt(self) -> Any:
        self.process.send_signal(signal.SIGINT)
        return self.hear()


@contextmanager
def optimizer(
    path: Path, *names: str, kind: str = "sqlite", **options: object
) -> Iterator[Optimizer]:
    """With a study, or several; `options` are those of Optuna's ``RDBStorage``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    words = [kind, str(path), ",".join(names or ("s_mlp",)), json.dumps(options)]
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ},
    ) as process:
        found = Optimizer(process)
        assert found.hear() == "ready"
        try:
            yield found
        finally:
            process.kill()
