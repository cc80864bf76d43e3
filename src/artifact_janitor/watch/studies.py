"""Which files of studies were written to since the last poll: by their times, and unopened.

A commit to a SQLite database writes to the database, or to the log beside it (WAL); with a
rollback journal that file is removed, cut, or overwritten with it. Optuna's journal grows. So
inode, size and mtime of these files tell that something may have happened, and nothing more is
asked of them. Not ctime: as root, SQLite sets the owner of a journal that it only reads.

A connection that is held for ``PRAGMA data_version`` would say the same and cost more: it keeps
a writer that ends from removing its ``-wal`` and ``-shm``, shows up among those who have the
study open, keeps the room of a deleted one, and loses its lock as soon as something else in
this process opens and closes the file.

A file system counts time in ticks, and one that comes twice within a tick is seen once: so a
file that changed is told of once more when it has been still for a while.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

BESIDE = ("-wal", "-journal")
"""Endings of the files beside a database that are written to as well."""

STILL = 2.0
"""Seconds: the coarsest tick of a file system (FAT)."""
BUSY = 60.0
"""Seconds after a change in which a file is asked at each call; after that `RARELY`."""
RARELY = 1.0

_Mark = tuple[int, int, int] | int
"""Inode, size and mtime of a file; or the number of the error where it has none."""


class StudyPolls:
    """Study files, each a SQLite database or a journal of Optuna's (``.log``).

    Used from one thread. Nothing is opened or held, so nothing is to be given back.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._known: dict[Path, _Known] = {}
        self._now = now

    def update(self, paths: Iterable[Path]) -> None:
        """These are the files from now on. One that is new counts as changed: whoever found it
        may have read it before it was asked for here."""
        self._known = {path: self._known.get(path) or _Known(_places(path)) for path in paths}

    def changed(self) -> frozenset[Path]:
        """Those that may have changed since the last call: written to, replaced, gone, back."""
        now = self._now()
        return frozenset(path for path, known in self._known.items() if known.is_news(now))

    def close(self) -> None:
        self._known.clear()


@dataclass(slots=True)
class _Known:
    """A study's files, and how they looked; times are seconds of the same clock."""

    places: tuple[str, ...]
    marks: tuple[_Mark, ...] | None = None
    changed: float = 0.0
    looked: float = 0.0
    is_unsure: bool = False
    """A change in the same tick as the last one may have been missed."""

    def is_news(self, now: float) -> bool:
        rests = now - self.changed > BUSY and now - self.looked < RARELY
        if rests and self.marks is not None:
            return False
        self.looked = now
        marks = tuple(_mark(place) for place in self.places)
        if marks != self.marks:
            self.marks, self.changed, self.is_unsure = marks, now, True
            return True
        news = self.is_unsure and now - self.changed >= STILL
        self.is_unsure = self.is_unsure and not news
        return news


def _places(path: Path) -> tuple[str, ...]:
    place = os.fspath(path)
    return (place,) if place.endswith(".log") else (place, *(place + end for end in BESIDE))


def _mark(place: str) -> _Mark:
    try:
        status = os.lstat(place)
    except OSError as error:
        return error.errno or 1
    return status.st_ino, status.st_size, status.st_mtime_ns
