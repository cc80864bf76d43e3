"""A janitor that is killed while it compresses, or undoes that, loses nothing (S9, S12)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from artifact_janitor.sweep import mend
from tests.real.kills import Moment, killed_at, needs_strace, points_of, to_prove
from tests.real.small import Small, small, still
from tests.real.snapshot import Snapshot, difference, snapshot
from tests.test_compress import POLICY, WORDS, reads

LOGS = ("logs/a.log", "logs/deep/er/b.log")
MOMENTS = ("renameat2", "fsync", "unlinkat", "mkdirat", "utimensat", "write", "pwrite64")


def workspace(root: Path, undo: bool) -> tuple[Small, Snapshot]:
    """And how it was before anything was compressed."""
    root.mkdir()
    work = small(root)
    work.configure(POLICY)
    for days, name in enumerate(LOGS, 30):
        work.write(name, WORDS, days=days)
    before = snapshot(root)
    if undo:
        assert len(work.run().outcomes) == len(LOGS)
    return work, before


def command(undo: bool) -> tuple[str, ...]:
    return ("undo",) if undo else ("run", "--yes")


def unsound(work: Small, undo: bool) -> list[str]:
    """What is wrong once the next janitor came by."""
    wrong = [f"left over: {name}" for name in work.leftovers()]
    wrong += [f"half done: {path}" for path in work.root.glob("**/compressing")]
    for name in LOGS:
        here, packed = work.there(name), work.there(f"{name}.zst")
        taken = any(work.root.glob(f".janitor/trash/*/{name}"))
        wrong += [f"lost: {name}"] if here == taken else []
        if packed == here:
            wrong.append(f"{name}: log {here}, compressed {packed}, undo {undo}")
        if packed and reads(work.root / f"{name}.zst") != WORDS.encode():
            wrong.append(f"another content: {name}")
    return wrong


def after(work: Small, before: Snapshot, undo: bool) -> list[str]:
    mend(work.settings)
    wrong = unsound(work, undo)
    if not undo:
        again = work.janitor("run", "--yes")
        wrong += [f"again: {again}"] if again.code else []
        wrong += [f"not compressed: {each}" for each in LOGS if work.there(each)]
        wrong += unsound(work, undo)
    undone = work.janitor("undo", "--last", "9")
    wrong += [f"undo: {undone}"] if undone.code else []
    return wrong + difference(still(before), still(snapshot(work.root))) + work.leftovers()


def sweep_of_kills(root: Path, undo: bool, moments: Iterable[Moment]) -> list[str]:
    wrong = []
    for call, k in moments:
        work, before = workspace(root / f"{call}-{k}", undo)
        killed_at(work, command(undo), call, k)
        wrong += [f"{call} {k}: {each}" for each in after(work, before, undo)]
        shutil.rmtree(work.root)
    return wrong


def every(root: Path, undo: bool) -> list[Moment]:
    work, _ = workspace(root / "baseline", undo)
    return points_of(work, command(undo), root / "trace")


def some(found: list[Moment]) -> list[Moment]:
    """All renames, and one of each other call."""
    others = ([point for point in found if point[0] == call] for call in MOMENTS[1:])
    renames = [point for point in found if point[0] == "renameat2"]
    return [*renames, *(mine[len(mine) // 2] for mine in others if mine)]


@needs_strace
@pytest.mark.parametrize("undo", [False, True])
def test_nothing_is_lost_by_a_kill(undo: bool, tmp_path: Path) -> None:
    moments = some(every(tmp_path, undo))
    assert len(moments) > 5
    assert sweep_of_kills(tmp_path, undo, moments) == []


@needs_strace
@pytest.mark.proof
@pytest.mark.parametrize("undo", [False, True])
def test_nothing_is_lost_by_a_kill_at_any_moment(undo: bool, tmp_path: Path) -> None:
    assert sweep_of_kills(tmp_path, undo, to_prove(every(tmp_path, undo))) == []
