"""Jobs with real trainers: small Python programs, and the runner as a program of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from artifact_janitor.executors import OUT, Handle, Spec, State, Status, cookie_of, survivors
from artifact_janitor.executors.local import Local

RESULT = 'open("out/result.json", "w").write("{}")'
"""What a trainer does at least, in its job's folder."""
PATIENCE = 60.0


def job(jobs: Path, program: str, token: str = "0123456789abcdef", **how: float) -> Spec:
    """A job that runs a Python program in its own folder."""
    folder = jobs / token
    (folder / OUT).mkdir(parents=True)
    limits = {"deadline": 120.0, "term": 1.0, **how}
    return Spec(token, folder, [sys.executable, "-c", program], folder, **limits)


def settled(local: Local, handle: Handle) -> Status:
    """How it ended."""
    return until(lambda: status if (status := local.status(handle)).is_over else None)  # type: ignore[return-value]


def until(found: object, patience: float = PATIENCE) -> object:
    """What a call says, once it says something."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if said := found():  # type: ignore[operator]
            return said
        time.sleep(0.02)
    raise AssertionError("it never came")


def runner_of(handle: Handle) -> int:
    """The pid in the lock."""
    said = until((handle.folder / "lock").read_text)
    return int(str(said).split()[1])


@contextmanager
def buried(local: Local, *handles: Handle) -> Iterator[None]:
    """Whatever a test does, nothing of these jobs outlives it."""
    try:
        yield
    finally:
        for each in handles:
            local.cancel(each)
            until(lambda each=each: local.status(each).state in ENDED)  # type: ignore[misc]
            local.bury(each)
            assert survivors.marked(cookie_of(each.folder)) == []


ENDED: tuple[State, ...] = ("SUCCEEDED", "FAILED", "LATER", "CANCELLED", "LOST")
