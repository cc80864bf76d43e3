"""Where jobs run: what an executor is asked, and what it answers.

Standard library only: the runner, which outlives the janitor, imports this too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

State = Literal[
    "PENDING", "RUNNING", "SUCCEEDED", "FAILED", "LATER", "CANCELLED", "LOST", "UNKNOWN"
]
"""UNKNOWN: the engine is out of reach, so nobody can tell."""

OVER: tuple[State, ...] = ("SUCCEEDED", "FAILED", "LATER", "CANCELLED", "LOST")
"""States that a job never leaves."""

JOB = "job.json"
"""What is to be run: the last file of a job's folder, without which nothing was begun."""
REQUEST = "request.json"
OUT = "out"
"""The staging folder, in which the trainer leaves its model and `RESULT`."""
RESULT = "result.json"
PROGRESS = "progress.jsonl"
LOG = "log.txt"
EXIT = "exit.json"
LOCK = "lock"
CANCEL = "cancel"
ENVIRONMENT = "environment.json"
"""What a trainer shall see, until its runner has read it."""

COOKIE = "ARTIFACT_JANITOR_JOB"
"""The variable by which whatever a training started is known: its job's `cookie_of`."""
LATER = 75
"""The exit code of a trainer that wants to be called again later: EX_TEMPFAIL."""
TERM = 30.0
"""Seconds between SIGTERM and SIGKILL."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One training: `folder` is the job's own, `deadline` and `term` are in seconds."""

    token: str
    folder: Path
    argv: Sequence[str]
    cwd: Path
    deadline: float
    term: float = TERM


@dataclass(frozen=True, slots=True)
class Handle:
    """A job that was submitted, or is about to be."""

    token: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Status:
    """How a job stands; `code` is its exit code, None where a signal ended it or none is known."""

    state: State
    code: int | None = None
    why: str = ""

    @property
    def is_over(self) -> bool:
        return self.state in OVER


def cookie_of(folder: Path) -> str:
    """What tells a job from all others on this machine. Its token does not: in a copy of a project
    the same study leads to the same token. Raises OSError where the folder is gone."""
    status = folder.stat()
    return f"{folder.name}-{status.st_dev:x}-{status.st_ino:x}"


class Executor(Protocol):
    """An engine. Each call may be repeated: submitting twice runs once."""

    def submit(self, spec: Spec) -> Handle: ...
    def status(self, handle: Handle) -> Status: ...
    def logs(self, handle: Handle, offset: int) -> tuple[bytes, int]: ...
    def cancel(self, handle: Handle) -> None: ...
    def bury(self, handle: Handle) -> None: ...
    def resume(self, handle: Handle) -> None: ...
    def find(self, token: str) -> Handle | None: ...
