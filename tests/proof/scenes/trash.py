"""Units on their way into the trash, back from it, and out of it for good."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from artifact_janitor.sweep import mend
from tests.proof.scene import Build, Scene
from tests.real.archives import furnish_old
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
UNDOES = (to_undo, to_undo_that)


def workspace(root: Path, phase: Phase, odd: bool) -> tuple[Small, list[str]]:
    root.mkdir()
    work = small(root)
    if odd:
        run = work.hydra(30, "outputs/odd")
        furnish_old(root / run / "all")
        return work, [run]
    if phase in SLIMS:
        work.configure(SLIMMING)
        return work, work.training(30)
    cache = work.write("src/pkg/__pycache__/a.pyc", days=32).parent.relative_to(root)
    runs = [work.hydra(30, "outputs/a/one"), work.hydra(31, "outputs/two"), work.wandb(40)]
    return work, [str(cache), *runs]


def scene(phase: Phase, root: Path, odd: bool = False) -> Scene:
    """`odd`: one run with all kinds of files."""
    work, units = workspace(root, phase, odd)
    before = snapshot(work.root)
    args = phase(work)
    done = partial(is_done, work, units, phase)
    return Scene(work, args, done, partial(outcome, work, units, before, phase))


def is_done(work: Small, units: list[str], phase: Phase) -> bool:
    """All of them are where the command was to bring them."""
    here = {work.there(unit) for unit in units}
    kept = {in_trash(work, unit) for unit in units}
    wanted = (phase in UNDOES, phase not in UNDOES + PURGES)
    return (here, kept) == ({wanted[0]}, {wanted[1]})


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
    if phase in UNDOES:  # links that a disk let come without their run: see what undo does below
        wrong = [each for each in wrong if not each.endswith("is not where its run is")]
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


SCENES: dict[str, Build] = {
    "trash": partial(scene, to_trash),
    "purge": partial(scene, to_purge),
    "undo": partial(scene, to_undo),
    "slim": partial(scene, to_slim),
    "undo of slim": partial(scene, to_undo_that),
    "purge of slim": partial(scene, to_purge_that),
    "trash of odd files": partial(scene, to_trash, odd=True),
    "undo of odd files": partial(scene, to_undo, odd=True),
    "purge of odd files": partial(scene, to_purge, odd=True),
}
