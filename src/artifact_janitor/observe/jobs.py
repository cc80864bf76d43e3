"""How trainings stand: the executor's word, their progress, and which models are in place."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from artifact_janitor.core.jobs import GONE, Job
from artifact_janitor.core.wanted import DERIVED
from artifact_janitor.executors import OUT, PROGRESS, RESULT, Executor, Handle
from artifact_janitor.journal import Publication
from artifact_janitor.regular import open_regular

_TAIL = 64 << 10
"""Bytes at the end of a trainer's progress that are looked at."""
_LARGEST = 1 << 20
"""Bytes of a result or a sidecar; a larger one tells nothing."""


def live(jobs: Iterable[Job], executor: Executor) -> Iterator[Job]:
    """The jobs with what is seen of those that may not be over yet."""
    for job in jobs:
        if job.is_active or job.state in ("superseded", "cancelled"):
            yield _seen(job, executor)
        else:
            yield job


def _seen(job: Job, executor: Executor) -> Job:
    handle = executor.find(job.token)
    if handle is None:
        gone = "PENDING" if job.state == "intended" else GONE
        return replace(job, live=gone, live_why="its folder in .janitor/jobs is gone")
    status = executor.status(handle)
    metric = _metric(handle) if status.state == "SUCCEEDED" else None
    return replace(job, live=status.state, live_why=status.why, metric=metric)


def _metric(handle: Handle) -> float | None:
    """What the training says that it reached; whether that counts is checked elsewhere."""
    found = _object(handle.folder / OUT / RESULT)
    return _number(found.get("metric"))


@dataclass(frozen=True, slots=True)
class Progress:
    """The newest line of a trainer's progress; ``at`` when it was written, in nanoseconds."""

    epoch: int
    epochs: int | None
    metric: float | None
    name: str
    at: int

    def left(self, begun: int) -> int | None:
        """How long it will take yet, in nanoseconds, if every epoch takes as long as those
        before; None where nobody can tell."""
        if not self.epochs or not 0 < self.epoch <= self.epochs or self.at <= begun:
            return None
        return (self.at - begun) * (self.epochs - self.epoch) // self.epoch


def progress(handle: Handle) -> Progress | None:
    """How far a training is, by its own word; whatever else it writes is passed over."""
    try:
        fd = open_regular(handle.folder / OUT / PROGRESS)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        file.seek(max(status.st_size - _TAIL, 0))
        lines = file.read(_TAIL).split(b"\n")[:-1]
    found = (_told(line, status.st_mtime_ns) for line in reversed(lines))
    return next((each for each in found if each), None)


def _told(line: bytes, at: int) -> Progress | None:
    said = _parsed(line)
    epoch, epochs = _count(said.get("epoch")), _count(said.get("epochs"))
    if epoch is None:
        return None
    name = said.get("name")
    shown = name[:80] if isinstance(name, str) and name.isprintable() else ""
    return Progress(epoch, epochs, _number(said.get("metric")), shown or "metric", at)


def in_place(workspace: Path, models: str, same: Iterable[Publication] = ()) -> set[str]:
    """The keys of the models that were published: each stands in the sidecar beside one. Of the
    `same`, whose very bytes were there already under another key, the journal alone tells."""
    found, held = set(), set()
    for sidecar in (workspace / models / DERIVED).glob("*/final_model_*.json"):
        told, model = _object(sidecar), sidecar.with_suffix(".pth")
        if isinstance(key := told.get("key"), str) and model.is_file():
            found.add(key)
            held.add((str(model.relative_to(workspace)), str(told.get("sha256"))))
    return found | {each.key for each in same if (each.path, each.digest) in held}


def _object(path: Path) -> dict[str, Any]:
    """A small JSON object; an empty one where there is none."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return _parsed(file.read(_LARGEST))
    except OSError:
        return {}


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _count(value: object) -> int | None:
    is_one = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53
    return value if is_one and isinstance(value, int) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
