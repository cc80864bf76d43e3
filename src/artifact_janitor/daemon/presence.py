"""Is the workspace there, and can it be written to? A disk may be unmounted, and come back."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from artifact_janitor.reserve import is_short
from artifact_janitor.state import DAEMON, State

READ_ONLY = "the workspace's filesystem is read-only: nothing can be done on it"
FULL = "the workspace's disk is full: free some room; what is in the trash, say: janitor status"


@dataclass
class Presence:
    """Whether what is at the workspace's path is still what the daemon holds the lock of."""

    state: State
    lock: int | None = None
    """A descriptor on the daemon's lock, held; None while the workspace is away."""
    _held: os.stat_result | None = None
    """The workspace's own folder."""

    def hold(self) -> None:
        """Take the lock. Raises Locked, JanitorError and OSError."""
        self._held = self.state.workspace.stat()
        self.lock = self.state.watched()

    def is_here(self) -> bool:
        """Whether the path leads to the folder whose lock we hold: on a bare mount point there
        is none, and on another disk it is another one."""
        if self.lock is None:
            return False
        try:
            there = os.stat(self.state.folder / DAEMON)
            return os.path.samestat(there, os.fstat(self.lock))
        except OSError:
            return False

    def is_bare(self) -> bool:
        """Whether it is the same workspace, and somebody removed the janitor's own folder."""
        try:
            there = os.stat(self.state.workspace)
        except OSError:
            return False
        same = self._held is not None and os.path.samestat(there, self._held)
        return same and not os.path.lexists(self.state.folder / DAEMON)

    def missing(self) -> Path:
        """What somebody removed."""
        folder = self.state.folder
        return folder / DAEMON if os.path.lexists(folder) else folder

    def make(self) -> None:
        """The janitor's own folder, anew. Raises JanitorError."""
        self.let_go()
        State.may_make = True
        try:
            self.state.prepare()
        finally:
            State.may_make = False

    def is_back(self) -> bool:
        """Whether a workspace is there that a daemon watched before."""
        return self.lock is None and os.path.lexists(self.state.folder / DAEMON)

    def let_go(self) -> None:
        """So that a disk that was unmounted lazily can go."""
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


class Ease:
    """What keeps every sweep from working: a filesystem that is read-only, or full."""

    def __init__(self, state: State) -> None:
        self._folder = state.folder
        self._was: frozenset[str] = frozenset()

    def look(self, better: Callable[[], None]) -> list[str]:
        """What is in the way now. Calls `better` where something is no more."""
        now = self._now()
        if self._was - now:
            better()
        self._was = now
        return sorted(now)

    def _now(self) -> frozenset[str]:
        try:
            flags = os.statvfs(self._folder).f_flag
        except OSError:
            return self._was
        found = {READ_ONLY: bool(flags & os.ST_RDONLY), FULL: is_short(self._folder)}
        return frozenset(text for text, is_so in found.items() if is_so)
