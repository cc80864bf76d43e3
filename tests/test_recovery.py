"""A janitor that is killed at any moment loses nothing, and the next one tidies up (S12)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from artifact_janitor.sweep import mend
from tests.real.kills import ON_DISK, Moment, killed_at, needs_strace, points_of, to_prove
from tests.real.small import FREE, PURGING, SLIMMING, Small, small, still
from tests.real.snapshot import Snapshot, difference, snapshot

Phase = Callable[[Small], tuple[str, ...]]


def to_trash(work: Small) -> tuple[str, ...]:
    """The first sweep of a workspace: its journal is made, a cache, two runs and a W&B run go."""
    return "run", "--yes"


def to_purge(work: Small) -> tuple[str, ...]:
    work.run()
    work.configure(PURGING)
    return "run", "--yes"


def to_undo(work: Small) -> tuple[str, ...]:
    work.run()
    return ("undo",)


def to_slim(work: Small) -> tuple[str, ...]:
    """One run loses three checkpoints, in as many journalled steps."""
    return "run", "--yes"


def to_undo_that(work: Small) -> tuple[str, ...]:
    return to_undo(work)


def to_purge_that(work: Small) -> tuple[str, ...]:
    work.run()
    work.configure(SLIMMING + 'trash_keep = "0s"\n')
    return "run", "--yes"


SLIMS = (to_slim, to_undo_that, to_purge_that)
PURGES = (to_purge, to_purge_that)
PHASES = (to_trash, to_purge, to_undo, *SLIMS)


def workspace(root: Path, phase: Phase) -> tuple[Small, list[str]]:
    root.mkdir()
    work = small(root)
    if phase in SLIMS:
        work.configure(SLIMMING)
        return work, work.training(30)
    cache = work.write("src/pkg/__pycache__/a.pyc", days=32).parent.relative_to(root)
    runs = [work.hydra(30, "outputs/a/one"), work.hydra(31, "outputs/two"), work.wandb(40)]
    return work, [str(cache), *runs]


def points(root: Path, phase: Phase) -> list[Moment]:
    """All moments of a phase in the order of time: (call, which one of its kind)."""
    work, _ = workspace(root / "baseline", phase)
    return points_of(work, phase(work), root / "trace")


def chosen(every: list[Moment]) -> list[Moment]:
    """Every rename and what follows it; of each other call one in the middle, and the last."""
    last = dict(every)
    calls = [call for call in last if call in ON_DISK or call in ("pwrite64", "fsync", "fdatasync")]
    some = {(call, k) for call in calls for k in ((last[call] + 1) // 2, last[call])}
    before = [("", 0), *every]
    near = [
        each for each, previous in zip(every, before, strict=False) if previous[0] == "renameat2"
    ]
    some |= {*near, *(each for each in every if each[0] == "renameat2")}
    return [point for point in every if point in some]


def in_trash(work: Small, unit: str) -> bool:
    return any(work.root.glob(f".janitor/trash/*/{unit}"))


def unsound(work: Small, units: list[str], before: Snapshot, purged: bool) -> list[str]:
    """What is wrong after the next janitor came by; W&B's links belong to the last unit."""
    wrong = [f"left over: {name}" for name in work.leftovers()]
    links = [
        os.fsdecode(path)
        for path, mark in before.items()
        if path.startswith(b"wandb/") and mark.type == "l" and path.count(b"/") == 1
    ]
    for unit in units:
        places = work.there(unit) + in_trash(work, unit)
        if places > 1 or (places == 0 and not purged):
            wrong.append(f"{unit} is in {places} places")
    for link in links:
        if work.there(link) != work.there(units[-1]) or in_trash(work, link) != in_trash(
            work, units[-1]
        ):
            wrong.append(f"{link} is not where its run is")
    wrong += [
        f"in the trash: {path}"
        for path in work.trash()
        if not any(unit in path for unit in [*units, *links])
    ]
    return wrong


def outcome(work: Small, units: list[str], before: Snapshot, phase: Phase) -> list[str]:
    """Let the next janitors come: what is wrong then. The mtime that a folder had before a
    rename that was interrupted is not written down, and so not put back."""
    mend(work.settings)
    wrong = unsound(work, units, before, purged=phase in PURGES)
    waiting = [unit for unit in units if in_trash(work, unit)]
    back = [unit for unit in units if work.there(unit)]
    work.configure(SLIMMING if phase in SLIMS else FREE)
    if phase in (to_trash, to_slim):
        again = work.janitor("run", "--yes")
        wrong += [f"run again: {again}"] if again.code else []
        wrong += [f"did not go: {unit}" for unit in back if work.there(unit)]
    if phase in (to_undo, to_undo_that):
        steps = work.janitor("plan").rows("steps")
        wrong += [f"would go again: {row['path']}" for row in steps]
    undone = work.janitor("undo", "--last", "9")
    if phase in PURGES:
        wrong += [f"lost: {unit}" for unit in waiting if not work.there(unit)]
        wrong += work.leftovers()
    else:
        wrong += [f"undo: {undone}"] if undone.code else []
        wrong += difference(still(before), still(snapshot(work.root)))
    return wrong + work.trash()


def sweep_of_kills(root: Path, phase: Phase, moments: Iterable[Moment]) -> list[str]:
    wrong = []
    for call, k in moments:
        work, units = workspace(root / f"{call}-{k}", phase)
        before = snapshot(work.root)
        killed_at(work, phase(work), call, k)
        wrong += [f"{call} {k}: {each}" for each in outcome(work, units, before, phase)]
        shutil.rmtree(work.root)
    return wrong


@needs_strace
@pytest.mark.parametrize("phase", PHASES[:4])
def test_nothing_is_lost_by_a_kill(phase: Phase, tmp_path: Path) -> None:
    moments = chosen(points(tmp_path, phase))[::2]
    assert len(moments) > 5
    assert sweep_of_kills(tmp_path, phase, moments) == []


@needs_strace
@pytest.mark.proof
@pytest.mark.parametrize("phase", PHASES)
def test_nothing_is_lost_by_a_kill_at_any_moment(phase: Phase, tmp_path: Path) -> None:
    assert sweep_of_kills(tmp_path, phase, to_prove(points(tmp_path, phase))) == []


@needs_strace
def test_undo_knows_what_a_killed_janitor_had_done(tmp_path: Path) -> None:
    """Its unit had moved, and only the journal didn't say so yet: that is the last sweep."""
    for each in ("baseline", "killed"):
        (tmp_path / each).mkdir()
    work = small(tmp_path / "baseline")
    work.hydra(30, "outputs/one")
    moments = points_of(work, ("run", "--yes"), tmp_path / "trace")
    renamed = max(number for number, (call, _) in enumerate(moments) if call == "renameat2")

    work = small(tmp_path / "killed")
    work.hydra(30, "outputs/one")
    before = snapshot(work.root)
    killed_at(work, ("run", "--yes"), *moments[renamed + 1])
    assert not work.there("outputs/one")
    assert work.janitor("undo").code == 0
    assert difference(still(before), still(snapshot(work.root))) == []
