"""Checks of what is the janitor's own: its settings, journal, lock and trash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from artifact_janitor.apply.trash import LEAVING
from artifact_janitor.checkup.check import Found, Place, ok, problem, some, warning
from artifact_janitor.core.model import is_within
from artifact_janitor.errors import JanitorError
from artifact_janitor.journal.file import REBUILDS
from artifact_janitor.journal.formats import VERSION
from artifact_janitor.rebuild.aside import left
from artifact_janitor.state import HANDOVER, STATE
from artifact_janitor.units import format_size, format_when


def config(place: Place) -> Iterator[Found]:
    """config.toml: its mistakes, and what is odd about it."""
    settings = place.settings
    for each in place.mistakes:
        hint = "mend it: until then nothing is done; what follows goes by the defaults"
        yield problem(f"{each.where}: {each.what}", hint)
    for note in settings.notes:
        yield warning(note, "see config.toml")
    if place.mistakes:
        return
    if settings.source is None:
        yield warning("there is no config.toml here: nothing ever goes", "janitor init")
    elif not settings.policies:
        hint = "add a [[policy]] to it"
        yield warning("config.toml has no policy: nothing ever goes", hint, str(settings.source))
    elif not settings.notes:
        kinds = ", ".join(dict.fromkeys(each.kind for each in settings.policies))
        yield ok(f"{settings.source.name}: policies for {kinds}")


def journal(place: Place) -> Iterator[Found]:
    """Whether it is there, sound, and of a format that we know."""
    if error := place.unreadable:
        yield problem(error.message, error.hint, error.path)
    elif place.journal is None:
        yield ok("there is none yet: the first janitor run makes it")
    else:
        file = place.journal.path
        faults, sizes = place.journal.faults(), place.journal.sizes()
        for fault in faults:
            yield problem(f"the journal is damaged: {fault}", REBUILDS, str(file))
        yield from _rebuilt(place, file)
        size = format_size(sum(_size(f"{file}{end}") for end in ("", "-wal")))
        rows = [(sizes.get(name, 0), what) for name, what in _TABLES.items()]
        counts = ", ".join(f"{count} {what}" for count, what in rows)
        if not faults:
            yield ok(f"sound, {size}, format {place.journal.version}: {counts}", str(file))
        if place.journal.version < VERSION:
            yield ok(f"the next janitor run brings it to format {VERSION}", str(file))


def _rebuilt(place: Place, file: Path) -> Iterator[Found]:
    """Whether a person must have a look at it, and what is left of damaged ones."""
    if place.journal and (found := place.journal.rebuilds.held()):
        what = f"it was rebuilt {format_when(found.at, place.now)}: {'; '.join(found.said)}"
        yield warning(what, "what goes waits for janitor run --override-guards", str(file))
    if names := left(file.parent):
        more = "" if len(names) == 1 else f" and {len(names) - 1} more"
        yield ok(f"set aside, damaged, and yours to remove: {names[0]}{more}", str(file.parent))


_TABLES = {
    "sweep": "sweeps",
    "step": "steps",
    "pin": "pins",
    "memory": "runs remembered",
    "config": "configurations",
    "archive": "archives",
}


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def lock(place: Place) -> Iterator[Found]:
    """Who works here at this moment, and whether somebody died at it."""
    state = place.state
    if not state.folder.is_dir() or state.folder.is_symlink():
        yield ok("free")
        return
    try:
        holders = {name: state.holder(name) for name in ("lock", HANDOVER)}
        open_still = state.held()
    except (OSError, JanitorError) as error:
        hint = f"check the owner of {state.folder}"
        yield warning(f"nobody can tell who holds it: {error}", hint, str(state.folder))
        return
    for name, holder in holders.items():
        if holder:
            what = f"held by another janitor: {holder}{_since(place, state.folder / name)}"
            hint = "wait until it is done; a sweep that is begun meanwhile waits 10 s, then exits 5"
            yield warning(what, hint, str(state.folder / name))
    dead = [name for name in open_still if state.is_dead(name)]
    if dead:
        what = f"a janitor was interrupted in the sweep {dead[0]}"
        yield warning(what, "janitor run, which finishes or rolls back what it began")
    if not any(holders.values()) and not dead:
        yield ok("free")


def _since(place: Place, lock: Path) -> str:
    """Whoever takes a lock signs it, which dates it."""
    try:
        return f", since {format_when(lock.stat().st_mtime_ns, place.now)}"
    except OSError:
        return ""


def trash(place: Place) -> Iterator[Found]:
    """What lies in it, and what lies in it that the journal doesn't know."""
    known = place.journal.trashed() if place.journal else []
    there = [each for each in known if os.path.lexists(os.path.join(place.base, each.trash))]
    if place.unreadable:
        yield warning(
            "without the journal nobody can tell what lies in it", "mend the journal first"
        )
        return
    if there:
        oldest = format_when(min(each.at for each in there), place.now)
        size = format_size(sum(each.bytes for each in there))
        yield ok(f"{some(len(there), 'unit')}, {size}, the oldest of {oldest}")
    folders = [STATE, *(f"{root}/{STATE}" for root in place.roots)]
    moved = place.journal.expected_in_trash() if place.journal else []
    strange = [path for each in folders for path in _unknown(place, f"{each}/trash", moved)]
    if strange:
        what = f"{some(len(strange), 'thing')} in the trash unknown to the journal: {strange[0]}"
        hint = "look at them, and move them back, or remove them, by hand: nothing else will"
        yield warning(what, hint, strange[0])
    for each in folders:
        if left := _names(place, f"{each}/{LEAVING}"):
            what = f"not removed yet: {some(len(left), 'purged unit')}"
            yield warning(what, "janitor run", f"{each}/{LEAVING}")
    if away := [each for each in known if each not in there]:
        what = f"not in the trash any more: {some(len(away), 'unit')}, {away[0].path}"
        hint = "is its disk mounted? If somebody took them out, nothing is to be done"
        yield warning(what, hint, away[0].trash)
    if not known and not strange:
        yield ok("empty")


def _unknown(place: Place, folder: str, moved: list[str]) -> Iterator[str]:
    """What is neither a unit that was moved here nor on the way to one; the highest such."""
    for name in _names(place, folder):
        path = f"{folder}/{name}"
        if path in moved:
            continue
        if any(is_within(each, path) for each in moved):
            yield from _unknown(place, path, moved)
        else:
            yield path


def _names(place: Place, folder: str) -> list[str]:
    """Nothing where the folder isn't there, can't be read, or is a link."""
    path = os.path.join(place.base, folder)
    try:
        return [] if os.path.islink(path) else sorted(os.listdir(path))
    except OSError:
        return []
