"""Bring archives back, in full or member by member, and check them (S9, S10, S14).

What comes back is unpacked beside its place, on the same filesystem, and moved there when all
of it was compared with its digests: never over anything that is there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from artifact_janitor import clock
from artifact_janitor.apply import trash
from artifact_janitor.apply.archive import extract, whose
from artifact_janitor.apply.archive.check import Files, check
from artifact_janitor.apply.archive.extract import Selection
from artifact_janitor.apply.archive.manifest import Head, Manifest
from artifact_janitor.apply.archive.store import ARCHIVE, Store
from artifact_janitor.apply.ground import Ground
from artifact_janitor.config import Settings
from artifact_janitor.core.model import KINDS, Kind, Pin, is_within
from artifact_janitor.errors import (
    ArchiveError,
    JanitorError,
    StepFailed,
    StepSkipped,
    UsageError,
)
from artifact_janitor.journal import Archived, Intent, Journal, Move
from artifact_janitor.recovery import BY_RESTORE, recover
from artifact_janitor.state import STATE
from artifact_janitor.tidying import RESTORING
from artifact_janitor.workplace import Workplace, store_of, workplace

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
    close = exact or _ours([each for each in every if text and _mark(each.name).startswith(text)])
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


def _mark(name: str) -> str:
    """What tells archives of one unit apart: the end of the name."""
    return name.rpartition("-")[2]


# ------------------------------------------------------------------- verify


def verify(kept: Kept, tick: Tick = lambda _what, _done, _total: None) -> None:
    """Read all of an archive. Raises ArchiveError where it is not what was archived."""
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        tick("verifying", done, max(done, kept.content))

    with kept.store.opened(kept.name) as files:
        manifest = check(files, count)
    _must_be_the_one(kept, manifest.digest)


def _must_be_the_one(kept: Kept, digest: str) -> None:
    if kept.index and kept.index.digest != digest:
        raise ArchiveError(f"{kept.name} is not the archive that the journal knows")


# ------------------------------------------------------------------- restore


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back: `paths` in the workspace, or absolute ones with ``--to``."""

    sweep: str
    unit: str
    paths: tuple[str, ...]
    bytes: int
    unset: int
    """Extended attributes that the filesystem there would not take."""


@dataclass(frozen=True, slots=True)
class _Goal:
    """Where things go: a ground to stand on, what stands in front of paths on it, and the
    folder that they are unpacked in first."""

    ground: Ground
    front: str
    staging: str
    above: str = ""
    """What makes paths on it absolute, for the journal; "" on the workspace's own."""

    def moves(self, chosen: Selection) -> list[Move]:
        """From the places to the folder, because the way back is what `trash` knows."""
        return [Move(self.front + path, f"{self.staging}/{path}", 0, 0) for path in _tops(chosen)]


def restore(
    place: Workplace,
    kept: Kept,
    members: Sequence[str] = (),
    to: Path | None = None,
    tick: Tick = lambda _what, _done, _total: None,
) -> Restored:
    """Bring an archive back, or single members of it; to `to` instead of the old place.

    What comes back to its old place, or elsewhere in a root, is pinned. Raises ArchiveError where
    the archive is damaged, StepFailed or StepSkipped where something is in the way; then nothing
    came back.
    """
    recover(place, clock.read().wall)
    with _opened(kept, members) as (files, chosen):
        name = f"restore-{_mark(kept.name)}"
        sweep = place.journal.begin(name, "restore", clock.read().wall, by_person=True)
        with place.state.sweep(sweep):
            back: Restored | JanitorError
            try:
                back = _back(place, sweep, files, chosen, to, tick)
            except JanitorError as error:  # the sweep is over all the same
                error.path = error.path or chosen.head.unit
                back = error
            place.finish(sweep)
    if isinstance(back, JanitorError):
        raise back
    return back


def restore_in(place: Workplace, sweep: str, kept: Kept) -> Restored:
    """Bring an archive back to its old place, as a step of a sweep that is under way."""
    with _opened(kept, ()) as (files, chosen):
        return _back(place, sweep, files, chosen)


@contextmanager
def _opened(kept: Kept, members: Sequence[str]) -> Iterator[tuple[Files, Selection]]:
    with kept.store.opened(kept.name) as files:
        chosen = extract.select(files.manifest, members)
        _must_be_the_one(kept, chosen.digest)
        yield files, chosen


def _back(
    place: Workplace,
    sweep: str,
    files: Files,
    chosen: Selection,
    to: Path | None = None,
    tick: Tick = lambda _what, _done, _total: None,
) -> Restored:
    goal = _goal(place, chosen, sweep, to)
    unset = _restored(place, sweep, (files, chosen, goal), _counted(tick, chosen))
    shown = to or Path()
    paths = tuple(str(shown / each) for each in _tops(chosen))
    return Restored(sweep, chosen.head.unit, paths, chosen.stored, unset)


def _restored(
    place: Workplace,
    sweep: str,
    what: tuple[Files, Selection, _Goal],
    count: Callable[[int], None],
) -> int:
    """One journalled step."""
    files, chosen, goal = what
    journal, now = place.journal, clock.read().wall
    head, moves = chosen.head, goal.moves(chosen)
    for move in moves[: len(moves) - len(chosen.beside)]:
        if goal.ground.has(move.source):
            hint = "move it away, or restore elsewhere: --to FOLDER"
            raise StepFailed(f"{goal.above}{move.source} is there already", hint)
    written = tuple(
        replace(each, source=goal.above + each.source, target=goal.above + each.target)
        for each in moves
    )
    intent = Intent("restore", _kind(head), head.unit, chosen.stored, moves=written)
    (number,) = journal.intend(sweep, [intent], now)
    try:
        with goal.ground.folder(goal.staging, make=True) as fd:
            unset = extract.unpack(files, chosen, fd, count)
        with (
            place.state.step(),
            _pinned(journal, _to_pin(place, goal, chosen), f"{BY_RESTORE} {sweep}"),
        ):
            _move(goal, moves, whole=chosen.every)
    except JanitorError as error:
        journal.settle(number, "failed", error.message, clock.read().wall)
        raise
    finally:
        _tidy(goal)
    journal.settle(number, "done", "", clock.read().wall)
    return unset


def _to_pin(place: Workplace, goal: _Goal, chosen: Selection) -> list[str]:
    """What comes back, as the workspace calls it: in a folder that a person named, too, where that
    lies in a root. Elsewhere no sweep takes anything."""
    if not goal.front:
        return _units(chosen)
    return [
        name
        for each in _units(chosen)
        for name in place.ground.names_of(f"{goal.above}{goal.front}{each}")
    ]


@contextmanager
def _pinned(journal: Journal, paths: Iterable[str], note: str) -> Iterator[None]:
    """What comes back is pinned before it is there: a disk that can't write that down brings
    nothing back that the next sweep would take again."""
    before = {each.path for each in journal.pins()}
    asked = [path for path in paths if path not in before]
    for path in asked:
        journal.pin(Pin(path, note, clock.read().wall))
    try:
        yield
    except JanitorError:
        for path in asked:
            journal.unpin(path, note)
        raise


def _kind(head: Head) -> Kind:
    """An archive from elsewhere may name anything."""
    return next((each for each in KINDS if each == head.kind), "unknown")


def _goal(place: Workplace, chosen: Selection, sweep: str, to: Path | None) -> _Goal:
    if to is None:
        _must_be_a_place(place, chosen.head.unit)
        state = trash.state_of(place.ground, chosen.head.unit)
        return _Goal(place.ground, "", f"{state}/{RESTORING}/{sweep}")
    real = Path(os.path.realpath(to))
    if not real.name or STATE in real.parts:
        raise UsageError(f"{to} is no folder to restore to", "name another one", str(to))
    if real.exists() and not real.is_dir():
        raise UsageError(f"{to} is no folder", "name one, or one that is not there yet", str(to))
    ground = Ground(real.parent, [real.name])
    above = "/".join((str(real.parent).rstrip("/"), ""))
    return _Goal(ground, f"{real.name}/", f"{real.name}/{STATE}/{RESTORING}/{sweep}", above)


def _must_be_a_place(place: Workplace, unit: str) -> None:
    """Where units are, and nowhere else: an archive may come from anywhere."""
    roots = place.settings.folders.retention
    below = any(unit != root and is_within(unit, root) for root in roots)
    if not below or STATE in unit.split("/"):
        why = f"{unit} lies in none of the folders that runs are in"
        raise StepSkipped(why, "restore elsewhere: --to FOLDER")


def _units(chosen: Selection) -> list[str]:
    """What comes to its place by itself: the unit, or the outermost of the chosen members."""
    if chosen.every:
        return [chosen.head.unit]
    wanted = sorted(chosen.wanted)
    return [
        each
        for each in wanted
        if not any(each != other and is_within(each, other) for other in wanted)
    ]


def _tops(chosen: Selection) -> list[str]:
    """The same, and the links beside the unit."""
    return [*_units(chosen), *chosen.beside]


def _move(goal: _Goal, moves: Sequence[Move], *, whole: bool) -> None:
    """To their places, durably, wherever they are; a link beside the unit whose place was taken
    is dropped."""
    for each in [moves] if whole else [[move] for move in moves]:
        trash.put_back(goal.ground, each)
    goal.ground.sync(each.source.rpartition("/")[0] for each in moves)


def _tidy(goal: _Goal) -> None:
    """What was unpacked and did not reach its place goes."""
    try:
        if goal.ground.has(goal.staging):
            trash.remove(goal.ground, goal.staging)
        trash.prune(goal.ground, goal.staging)
    except (StepFailed, StepSkipped):
        pass  # the next start tries again


def _counted(tick: Tick, chosen: Selection) -> Callable[[int], None]:
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        tick("restoring", done, chosen.stored)

    return count
