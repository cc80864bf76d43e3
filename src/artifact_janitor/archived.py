"""What archives there are, whose they are, which one a person means, and whether they are whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from artifact_janitor import clock
from artifact_janitor.apply.archive import whose
from artifact_janitor.apply.archive.check import check
from artifact_janitor.apply.archive.manifest import Head, Manifest
from artifact_janitor.apply.archive.store import ARCHIVE, Store
from artifact_janitor.config import Settings
from artifact_janitor.errors import ArchiveError, StepFailed, UsageError
from artifact_janitor.journal import Archived, Journal
from artifact_janitor.workplace import store_of, workplace

Tick = Callable[[str, int, int], None]
"""What is being done, how many bytes are done, of how many."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One archive that is there, or should be. ``index`` is what the journal knows of it, and
    ``head`` what its own manifest says; ``trouble`` is why that could not be read."""

    name: str
    store: Store
    bytes: int
    index: Archived | None = None
    head: Head | None = None
    trouble: str = ""
    is_away: bool = False
    """Whether it is the store that is out of reach: nothing is known against the archive."""
    is_others: bool = False
    """Whether it is in no index, and not for sure this workspace's."""

    @property
    def content(self) -> int:
        """About how many bytes are in it: as many as its unit took on the disk."""
        return self.head.bytes if self.head else self.bytes

    @property
    def unit(self) -> str:
        if self.index:
            return self.index.path
        return self.head.unit if self.head else ""

    @property
    def made(self) -> int:
        return self.head.made if self.head else 0


def archives(settings: Settings, journal: Journal | None) -> list[Kept]:
    """All of this workspace: those of the index, and what else lies in the store. Oldest first."""
    return [each for each in with_others(settings, journal) if not each.is_others]


def with_others(settings: Settings, journal: Journal | None) -> list[Kept]:
    """The same, and what others have in a store outside the workspace."""
    indexed = [each for each in journal.archives.all() if each.digest] if journal else []
    found = [_kept(store_of(settings, each.store), each.name, each) for each in indexed]
    known = {(each.store.place, each.name) for each in found}
    here = store_of(settings)
    for name in here.names():
        if (here.place, name) not in known:
            kept = _kept(here, name, None)
            others = not whose.is_ours(here, kept.head, settings.workspace)
            found.append(replace(kept, is_others=others))
    return sorted(found, key=lambda each: (each.made, each.name))


def _kept(store: Store, name: str, index: Archived | None) -> Kept:
    size = store.size(name) or (index.bytes if index else 0)
    try:
        with store.opened(name) as files:
            return Kept(name, store, size, index, Manifest(files.manifest).head)
    except (ArchiveError, StepFailed) as error:
        is_away = isinstance(error, StepFailed)
        return Kept(name, store, size, index, trouble=error.message, is_away=is_away)


def read_longest_ago(every: Iterable[Kept]) -> list[Kept]:
    """The order in which archives are verified: what was read in full longest ago comes first."""
    return sorted(every, key=lambda each: each.index.checked if each.index else 0)


def trouble_of(settings: Settings, kept: Kept, tick: Tick) -> str:
    """Read an archive in full: "" where it is sound, which is written down."""
    try:
        verify(kept, tick)
    except ArchiveError as error:
        _note(settings, kept, 0)
        return error.message
    except StepFailed as error:
        return error.message
    _note(settings, kept, clock.read().wall)
    return ""


def _note(settings: Settings, kept: Kept, checked: int) -> None:
    """When it was last read and sound; 0 where it isn't, so that nothing relies on it unread."""
    if kept.index:
        with workplace(settings) as place:
            place.journal.archives.checked(kept.index.step, checked)


def named(settings: Settings, journal: Journal | None, text: str) -> Kept:
    """The archive that a person means: its file, its name or the end of that, or the unit's
    path, of which the newest archive of this workspace counts. Raises UsageError."""
    every = with_others(settings, journal)
    if text.endswith(ARCHIVE) and os.path.exists(text):
        return _by_file(every, Path(text).absolute())
    if of_unit := [each for each in every if each.unit == text.rstrip("/")]:
        return _newest(of_unit, text)
    exact = [each for each in every if each.name == text]
    close = exact or _ours([each for each in every if text and mark(each.name).startswith(text)])
    if len(close) == 1:
        return close[0]
    if close:
        many = ", ".join(each.name for each in close[:5])
        raise UsageError(f"{text!r} means several archives: {many}", "write one of them in full")
    raise UsageError(f"there is no archive {text!r}", "janitor archives lists them")


def _ours(found: list[Kept]) -> list[Kept]:
    """What others have counts only where there is nothing else."""
    return [each for each in found if not each.is_others] or found


def _newest(of_unit: list[Kept], text: str) -> Kept:
    newest = _ours(of_unit)[-1]
    if newest.is_others:
        by = (newest.head and newest.head.workspace) or "nobody knows whom"
        what = f"{text!r} was archived only by {by}"
        raise UsageError(what, f"if it is the one you mean: janitor restore {newest.name}")
    return newest


def _by_file(every: Iterable[Kept], file: Path) -> Kept:
    name = file.name.removesuffix(ARCHIVE)
    for each in every:
        if each.name == name and each.store.is_at(file.parent):
            return each
    return _kept(Store(file.parent, own=False), name, None)


def mark(name: str) -> str:
    """What tells archives of one unit apart: the end of the name."""
    return name.rpartition("-")[2]


def verify(kept: Kept, tick: Tick = lambda _what, _done, _total: None) -> None:
    """Read all of an archive. Raises ArchiveError where it is not what was archived."""
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        tick("verifying", done, max(done, kept.content))

    with kept.store.opened(kept.name) as files:
        manifest = check(files, count)
    must_be_the_one(kept, manifest.digest)


def must_be_the_one(kept: Kept, digest: str) -> None:
    """Raises ArchiveError where another archive has its name."""
    if kept.index and kept.index.digest != digest:
        raise ArchiveError(f"{kept.name} is not the archive that the journal knows")
