"""What the journal holds, as plain values."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from artifact_janitor.core.model import Kind
from artifact_janitor.state import STATE

TO_TRASH = ("trash", "slim", "expire")
"""Steps that put a unit into the trash, or its archive; slimming journals one for each
checkpoint."""

State = Literal["intended", "done", "skipped", "failed", "undone", "purged"]


@dataclass(frozen=True, slots=True)
class Sweep:
    """One command that changed something; times in nanoseconds, ``ended`` 0 while open."""

    id: str
    command: str
    by_person: bool
    started: int
    ended: int


@dataclass(frozen=True, slots=True)
class Move:
    """One rename, by paths in the workspace: the inode that moves, and the old folder's
    mtime before and after, to be put back by undo."""

    source: str
    target: str
    dev: int
    ino: int
    parent_before: int = 0
    parent_after: int = 0

    @property
    def makes_sense(self) -> bool:
        """Whether a janitor may have meant it: it leads into its own folder, or out of it, and a
        path in the trash, or among what waits for its place, is what it is outside."""
        own = [each for each in (self.source, self.target) if f"{STATE}/" in each]
        return bool(own) and all(map(self._is_the_same_inside, (self.source, self.target)))

    def _is_the_same_inside(self, path: str) -> bool:
        other = self.target if path == self.source else self.source
        found = (path.partition(f"{STATE}/{folder}/")[2] for folder in ("trash", "publishing"))
        places = [each.partition("/")[2] for each in found if each]
        return all(place == other.lstrip("/") for place in places)

    def is_of(self, status: os.stat_result) -> bool:
        """Whether that is what was to be moved. Its path tells the filesystem: the number of a
        device may be another one once the machine was started anew, or the disk mounted."""
        return status.st_ino == self.ino


@dataclass(frozen=True, slots=True)
class Step:
    """One journalled step; ``about`` is the step that a purge or an undo speaks of, or the one
    that made what expires."""

    id: int
    sweep: str
    do: str
    kind: Kind
    path: str
    bytes: int
    frees: int
    fingerprint: str
    reasons: tuple[str, ...]
    about: int | None
    state: State
    why: str
    at: int

    @property
    def took(self) -> bool:
        """Whether its unit was to go to the trash."""
        return self.do in TO_TRASH


@dataclass(frozen=True, slots=True)
class Intent:
    """A step that is about to be tried."""

    do: str
    kind: Kind
    path: str
    bytes: int = 0
    frees: int = 0
    fingerprint: str = ""
    reasons: tuple[str, ...] = ()
    about: int | None = None
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One file of a run's configuration: ``name`` is its path in the run, ``digest`` that of
    its content, and ``mark`` tells whether it was written to since it was read."""

    name: str
    digest: str
    mark: str


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration that a run had when it was seen; ``run_id`` is W&B's, or ""."""

    path: str
    seen: int
    kind: str
    run_id: str
    files: tuple[ConfigFile, ...]


@dataclass(frozen=True, slots=True)
class Archived:
    """One archive in the index, made by `step` of the unit at `path`, whose inode was `ino`.

    ``store`` is as it was configured then; ``digest`` that of the manifest, "" as long as the
    archive is being written; ``checked`` when it was last read in full, and ``at`` when its
    step was over, in nanoseconds.
    """

    step: int
    path: str
    kind: Kind
    store: str
    name: str
    ino: int
    bytes: int = 0
    members: int = 0
    digest: str = ""
    checked: int = 0
    at: int = 0
