"""A janitor that is killed while it archives loses nothing (S9, S12)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from artifact_janitor.apply.archive.store import IN_ORDER
from artifact_janitor.journal import Archived
from artifact_janitor.sweep import mend
from tests.real.kills import Moment, evenly, killed_at, needs_strace, to_prove
from tests.real.small import FREE, PURGING, Small, still
from tests.real.snapshot import Snapshot, difference, snapshot
from tests.test_recovery import Phase, points, workspace

UNITS = ["outputs/a/one", "outputs/two"]
MOMENTS = ("renameat2", "fsync", "unlinkat", "mkdirat", "write", "pwrite64", "utimensat")


def to_archive(work: Small) -> tuple[str, ...]:
    return "archive", *UNITS


def to_restore(work: Small) -> tuple[str, ...]:
    """What was purged since."""
    assert work.janitor("archive", *UNITS).code == 0
    work.configure(PURGING)
    assert work.janitor("run", "--yes").code == 0
    work.configure(FREE)
    return "restore", UNITS[0]


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


def sweep_of_kills(root: Path, phase: Phase, moments: Iterable[Moment]) -> list[str]:
    wrong = []
    for call, k in moments:
        work, _ = workspace(root / f"{call}-{k}", phase)
        before = snapshot(work.root)
        args = phase(work)
        killed_at(work, args, call, k)
        after = after_archive if phase is to_archive else after_restore
        wrong += [f"{call} {k}: {each}" for each in after(work, before)]
        shutil.rmtree(work.root)
    return wrong


@needs_strace
def test_nothing_is_lost_by_a_kill(tmp_path: Path) -> None:
    moments = evenly(points(tmp_path, to_archive), MOMENTS, 6)[::2]
    assert len(moments) > 3
    assert sweep_of_kills(tmp_path, to_archive, moments) == []


@needs_strace
@pytest.mark.proof
def test_nothing_is_lost_by_a_kill_at_any_moment(tmp_path: Path) -> None:
    assert sweep_of_kills(tmp_path, to_archive, to_prove(points(tmp_path, to_archive))) == []
