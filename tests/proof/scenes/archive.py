"""Runs on their way into archives, and back from them."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from artifact_janitor.apply.archive.store import IN_ORDER
from artifact_janitor.journal import Archived
from artifact_janitor.sweep import mend
from tests.proof.scene import Build, Scene
from tests.real.archives import allocate, furnish_old
from tests.real.small import FREE, PURGING, Small, small, still
from tests.real.snapshot import Snapshot, difference, snapshot

UNITS = ("outputs/a/one", "outputs/two")
Phase = Callable[[Small], tuple[str, ...]]


def to_archive(work: Small) -> tuple[str, ...]:
    return "archive", *UNITS


def to_restore(work: Small) -> tuple[str, ...]:
    """What was purged since."""
    assert work.janitor("archive", *UNITS).code == 0
    work.configure(PURGING)
    assert work.janitor("run", "--yes").code == 0
    work.configure(FREE)
    return "restore", UNITS[0]


def workspace(root: Path, odd: bool = False) -> Small:
    """Each run with bytes of its own: the copies of one template have its times, and a power
    cut shall not leave right content by chance. `odd`: and the first with all kinds of files."""
    root.mkdir()
    work = small(root)
    for days, unit in enumerate(UNITS, 30):
        own = root / work.hydra(days, unit) / "own.bin"
        own.write_bytes(os.urandom(100_000))
        os.utime(own, (1_700_000_000, 1_700_000_000))
    if odd:
        furnish_old(root / UNITS[0] / "all")
    return work


def scene(phase: Phase, root: Path, odd: bool = False) -> Scene:
    work = workspace(root, odd)
    before = snapshot(root)
    args = phase(work)
    after = after_archive if phase is to_archive else after_restore
    return Scene(work, args, partial(is_done, work, phase), partial(after, work, before))


def is_done(work: Small, phase: Phase) -> bool:
    if phase is to_restore:
        return work.there(UNITS[0])
    return {each.path for each in indexed(work)} == {*UNITS} and not any(map(work.there, UNITS))


def stores(work: Small) -> set[str]:
    folder = work.root / ".janitor" / "archive"
    return {each.name for each in folder.glob("*")} - {"RESTORE.txt"} if folder.exists() else set()


def indexed(work: Small) -> list[Archived]:
    with closing(work.journal()) as journal:
        return journal.archives.all()


def unsound(work: Small, before: Snapshot) -> list[str]:
    """What is wrong with units and archives once the next janitor came by."""
    wrong = [f"left over: {name}" for name in work.leftovers() if name != "archive"]
    index = {each.path: each.name for each in indexed(work)}
    whole = {name + suffix for name in index.values() for suffix in IN_ORDER}
    wrong += [f"in the store: {name}" for name in stores(work) ^ whole]
    for unit in UNITS:
        allocate(work.root / unit)
        mine = {
            path: mark for path, mark in before.items() if path.startswith(unit.encode() + b"/")
        }
        after = snapshot(work.root)
        here = {path: mark for path, mark in after.items() if path.startswith(unit.encode() + b"/")}
        if work.there(unit):
            wrong += difference(still(mine), still(here))
        elif unit not in index:
            wrong.append(f"lost: {unit}")
    return wrong


def after_archive(work: Small, before: Snapshot) -> list[str]:
    mend(work.settings)
    wrong = unsound(work, before)
    archived = {each.path for each in indexed(work)}
    wrong += [f"archived, and still there: {unit}" for unit in archived if work.there(unit)]
    wrong += ["damaged"] if work.janitor("verify").code else []
    left = [unit for unit in UNITS if work.there(unit)]
    again = work.janitor("archive", *left) if left else None
    wrong += [f"again: {again}"] if again and again.code else []
    undone = work.janitor("undo", "--last", "9")
    wrong += [f"undo: {undone}"] if undone.code else []
    return wrong + difference(still(before), still(snapshot(work.root)))


def after_restore(work: Small, before: Snapshot) -> list[str]:
    mend(work.settings)
    wrong = unsound(work, before)
    if work.there(UNITS[0]):
        pins = {row["path"] for row in work.janitor("status").facts["pins"]}
        wrong += [] if UNITS[0] in pins else ["came back without a pin"]
    else:
        again = work.janitor("restore", UNITS[0])
        wrong += [f"again: {again}"] if again.code else []
    return wrong + unsound(work, before)


SCENES: dict[str, Build] = {
    "archive": partial(scene, to_archive),
    "restore": partial(scene, to_restore),
    "archive of odd files": partial(scene, to_archive, odd=True),
    "restore of odd files": partial(scene, to_restore, odd=True),
}
