"""What is looked at now and then: how full the disks are, and whether ``.gitignore`` changed."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from artifact_janitor.config import Settings
from artifact_janitor.core.gitignore import FILE
from artifact_janitor.observe.disks import filesystems

OFTEN = 30.0
"""Seconds between two looks."""
WORSE = 0.02
"""The share of ``keep_free`` that must be missing besides, until it is worth another sweep."""
AGAIN = 3600.0
"""Seconds after which it is worth one in any case: something may be old enough by then."""


class Rules:
    """A person's change of ``.gitignore`` is held against the policy at once. So is our own,
    which finds nothing to do."""

    def __init__(self) -> None:
        self._seen: object = self

    def changed(self, workspace: Path) -> bool:
        """Whether it is another file than at the last look; at the first one it isn't."""
        before, self._seen = self._seen, self._look(workspace / FILE)
        return before not in (self, self._seen)

    def _look(self, file: Path) -> tuple[int, int, int] | None:
        try:
            found = file.lstat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


class LowDisk:
    """Asks for retention once a disk is full, and again when that got worse: what lies in the
    trash may be room enough to come, so that a sweep changes nothing, and isn't repeated as long
    as things stay as they are."""

    def __init__(self) -> None:
        self._looked = float("-inf")
        self._swept: dict[tuple[str, ...], tuple[int, float]] = {}
        """How much was free when a sweep was asked for, and when that was."""

    def asks(self, settings: Settings) -> bool:
        """Whether retention is to begin now. Raises OSError."""
        now, wanted = monotonic(), settings.disk.keep_free
        if wanted is None or now - self._looked < OFTEN:
            return False
        self._looked = now
        disks = filesystems(settings.workspace, settings.folders.roots)
        news = [self._is_news(each.roots, each.free, wanted, now) for each in disks]
        return any(news)

    def _is_news(self, roots: tuple[str, ...], free: int, wanted: int, now: float) -> bool:
        if free >= wanted:
            self._swept.pop(roots, None)
            return False
        before = self._swept.get(roots)
        if before and free > before[0] - WORSE * wanted and now - before[1] < AGAIN:
            return False
        self._swept[roots] = free, now
        return True
