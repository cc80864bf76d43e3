"""A journal that is damaged, or gone, is set aside and built anew (S12).

What it is built of, in this order of trust: the rows that can still be read, what lies in the
trash, the archives' manifests, the folders of trainings. What nobody can read any more is said,
and as long as anything may be missing, nothing goes until a person says so.

A janitor that is killed in the course of it leaves the damaged journal as it was, or the new one
whole beside it, which the next one puts in its place.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from artifact_janitor import clock
from artifact_janitor.apply.archive import whose
from artifact_janitor.apply.archive.store import Store
from artifact_janitor.apply.ground import Ground
from artifact_janitor.errors import JournalDamaged, Locked, StepFailed
from artifact_janitor.journal import Journal, open_journal
from artifact_janitor.journal.file import REBUILDS, SUSPECT, is_empty, is_sound
from artifact_janitor.journal.salvage import Salvaged, nothing, salvage
from artifact_janitor.rebuild import aside, jobs, mending, shelf, strays
from artifact_janitor.rebuild.strays import Kinds
from artifact_janitor.reserve import Reserve
from artifact_janitor.state import STATE, State, no_link

LOOKS = 3
"""Before a journal is called damaged: SQLite says so, too, of what a disk could not read once."""
GONE = "it is gone, and what it told of is still there"


@dataclass(frozen=True, slots=True)
class Site:
    """A workspace as it is needed to rebuild its journal. `kinds` are those of units, by root;
    `stores` the folders of archives, as they are configured; `models` the folder of models."""

    state: State
    ground: Ground
    kinds: Kinds
    stores: Mapping[str, Store]
    models: str
    reserve: Reserve


def opened(site: Site) -> Journal:
    """The journal, to be written to; rebuilt where it is damaged. Raises JournalError where that
    can't be, and Locked where others are at work."""
    try:
        if not is_gone(site):
            return _opened(site)
        why = GONE
    except JournalDamaged as error:
        why = error.message.removeprefix("the journal is damaged: ")
    with site.state.step(), site.state.handover():
        _rebuilt(site, why)
        return _opened(site)


def _opened(site: Site) -> Journal:
    journal = open_journal(site.state.journal, create=True, reserve=site.reserve)
    assert journal is not None
    return journal


def _rebuilt(site: Site, why: str) -> None:
    """Under both locks: somebody may have been faster."""
    path = site.state.journal
    if aside.is_waiting(path):
        aside.take_over(path)
        return
    if not is_gone(site) and any(_is_well(site) for _ in range(LOOKS)):
        return
    if alive := [each for each in site.state.held() if not site.state.is_dead(each)]:
        hint = "it is rebuilt once that one is done, or ended with an error: try again then"
        raise Locked(f"the journal is damaged, and another janitor is at it: {alive[0]}", hint)
    site.reserve.at_need()
    now = clock.read().wall
    found = nothing() if is_empty(path) else salvage(path)
    said = mended(site, found, now)
    name = "" if is_empty(path) else aside.name_for(path, now)
    mending.note(found, now, why, name, said)
    aside.build(site.state, path, found.rows)
    aside.set_aside(site.state, path, name)
    aside.take_over(path)


def _is_well(site: Site) -> bool:
    """Whether it can be opened after all: somebody was faster, or the disk reads again."""
    path = site.state.journal
    try:
        if is_sound(path):
            path.with_name(SUSPECT).unlink(missing_ok=True)
        _opened(site).close()
    except JournalDamaged:
        return False
    return True


def mended(site: Site, found: Salvaged, now: int) -> list[str]:
    """Bring rows and the disk together; says what was read, and what was found."""
    read = {name: len(rows) for name, rows in found.rows.items()}
    mending.tie(found)
    units = strays.add(found, site.ground, site.kinds, now)
    mending.without_renames(found)
    archives = shelf.add(found, site.stores, site.ground.workspace)
    trainings = jobs.add(found, site.ground.workspace, site.models, now)
    mending.close(found, {*site.state.held()}, now)
    return [*mending.told(found, read), *_told(units, archives, trainings)]


def _told(units: Sequence[str], archives: Sequence[str], trainings: Sequence[str]) -> list[str]:
    both = ((units, "in the trash"), (archives, "archived"), (trainings, "training"))
    said = (_named(names, what) for names, what in both if names)
    return [f"found on disk, and in no row: {each}" for each in said]


def _named(names: Sequence[str], what: str) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{len(names)} {what} ({', '.join(names[:3])}{more})"


def to_read(site: Site) -> Journal | None:
    """The journal, only to be read; None where there is none yet. Raises JournalDamaged."""
    if is_gone(site):
        raise JournalDamaged(f"the journal is damaged: {GONE}", REBUILDS, str(site.state.journal))
    return open_journal(site.state.journal, create=False)


def is_gone(site: Site) -> bool:
    """Whether there is no journal, and something that only a journal can have told of."""
    no_link(site.state.folder)
    no_link(site.state.journal)
    if not is_empty(site.state.journal) or not _left_anything(site):
        return False
    return is_empty(site.state.journal)  # still: another janitor may just have made both


def _left_anything(site: Site) -> bool:
    base = site.ground.workspace
    shared = [each for each in site.stores.values() if whose.is_outside(each.place, base)]
    trashes = {base / each for each in strays.trashes(site.ground)}
    apart = {each.place / STATE / "trash" for each in shared}
    if any(_has_any(each) for each in (*(trashes - apart), base / STATE / "sweeps")):
        return True
    if jobs.any_begun(base) or any(_has_archives(each, base) for each in site.stores.values()):
        return True
    return any(whose.any_made_here(each, base) for each in apart)


def _has_archives(store: Store, workspace: Path) -> bool:
    """Of this workspace: the first one tells."""
    with suppress(StepFailed):
        return any(whose.is_made_here(store, each, workspace) for each in store.names())
    return False


def _has_any(folder: os.PathLike[str]) -> bool:
    try:
        return not os.path.islink(folder) and any(os.scandir(folder))
    except OSError:
        return False
