"""What the watcher is told, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Mode = Literal["inotify", "watchdog", "polling", "missing"]


@dataclass(frozen=True, slots=True)
class Root:
    """A folder to watch: absolute, as configured; it may be a symlink, or not there yet."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class WatchedRoot:
    """How a root is watched, for people; ``why`` is "" where there is nothing to explain.

    ``folders`` counts those that are looked after one by one. Folders within a settled
    unit are not among them: the unit is looked at as a whole.
    """

    name: str
    path: Path
    mode: Mode
    why: str
    folders: int


@dataclass(frozen=True, slots=True)
class Change:
    """Folders whose listing or files changed, as absolute paths below the roots as configured.

    ``everything``: what changed is not known folder by folder, look at all.
    """

    folders: frozenset[Path]
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Counters:
    """``canary_age`` in seconds: all that happened up to then has been seen; None where
    nothing proves it. ``resync_took`` in seconds. ``failures`` of whom changes are told to."""

    watches: int = 0
    overflows: int = 0
    canary_age: float | None = None
    resync_took: float = 0.0
    failures: int = 0
