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
from artifact_janitor.apply.archive import extract
from artifact_janitor.apply.archive.check import Files
from artifact_janitor.apply.archive.extract import Selection
from artifact_janitor.apply.archive.manifest import Head
from artifact_janitor.apply.ground import Ground
from artifact_janitor.archived import Kept, Tick, mark, must_be_the_one
from artifact_janitor.core.model import KINDS, Kind, Pin, is_within
from artifact_janitor.errors import (
    JanitorError,
    StepFailed,
    StepSkipped,
    UsageError,
)
from artifact_janitor.journal import Intent, Journal, Move
from artifact_janitor.recovery import BY_RESTORE, recover
from artifact_janitor.state import STATE
from artifact_janitor.tidying import RESTORING
from artifact_janitor.workplace import Workplace


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
        name = f"restore-{mark(kept.name)}"
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
        must_be_the_one(kept, chosen.digest)
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
