"""A run that lives is never touched, whatever shows it; once nobody lives with it, it goes (S2).

The policy takes all but the newest run, whatever its age; ages and moments are drawn by chance.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.proof.conftest import Count
from tests.proof.holders import SEEN, WRITES, holders
from tests.proof.moments import slowly
from tests.real.account import ORDINARY
from tests.real.small import Small, done, small, still
from tests.real.snapshot import Snapshot, difference, snapshot
from tests.test_liveness import shift

GREEDY = """\
[[policy]]
kind = "hydra-run"
keep_last = 1

[safety]
grace = "1s"
max_share = 1.0
"""
SOMEBODY = 23456
"""Another uid that nobody on the machine has."""
RUNS = 48
TRIALS = 2
"""Of each cast, before and while the janitor looks: 2 × 6 × 2 × 48 runs."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@dataclass(frozen=True)
class Cast:
    """Who runs the janitor, and who the programs; ``kinds`` are what the one sees of the other."""

    janitor: int
    program: int
    kinds: tuple[str, ...] = SEEN

    def __str__(self) -> str:
        return f"{NAMES[self.janitor]} of {NAMES[self.program]}"


NAMES = {0: "root", ORDINARY: "the owner", SOMEBODY: "somebody"}
CASTS = (
    Cast(0, 0),
    Cast(0, ORDINARY),
    Cast(0, SOMEBODY),
    Cast(ORDINARY, ORDINARY),
    Cast(ORDINARY, SOMEBODY, WRITES),
    Cast(ORDINARY, 0, WRITES),
)


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """The same for all who run this test."""
    return random.Random(request.node.name)


@dataclass
class Living:
    """A workspace with runs of any age, and a program that lives with them. The janitor's clock
    is ahead, so that nothing is young, and event files are not older than their program."""

    work: Small
    cast: Cast
    runs: dict[Path, str]
    """And how the program shows that it lives with them."""
    ahead: int
    """Seconds."""

    def janitor(self) -> set[Path]:
        """The runs that a sweep takes."""

        def first() -> None:
            shift(self.ahead)
            slowly()

        args = ("run", "--yes", "--json")
        said = self.work.start(*args, uid=self.cast.janitor or None, first=first).answer()
        assert said.code == 0, said
        return {self.work.root / path for path in done(said)}


def living(root: Path, cast: Cast, chance: random.Random, many: int) -> Living:
    root.mkdir()
    work, runs = small(root, GREEDY), {}
    for number in range(many):
        path = work.hydra(chance.uniform(1e-4, 3 * 365), f"outputs/day/{number}")
        (root / path / "train.log").chmod(0o666)
        runs[root / path] = cast.kinds[number % len(cast.kinds)]
    work.hydra(-1, "outputs/newest")  # however long this takes, nothing else is newer
    if cast.janitor or cast.program:
        work.handed_to(ORDINARY)
    if cast.program == SOMEBODY:
        for run in runs:
            run.chmod(0o777)
    return Living(work, cast, runs, int(2 * 86_400 + 10 ** chance.uniform(0, 7)))


def watched(scene: Living, chance: random.Random, count: Count, *, meanwhile: float = 0) -> None:
    """One sweep while the program lives, or comes to life meanwhile, with so many seconds
    between two runs at most; and one after it ended."""
    cast, root = scene.cast, scene.work.root
    before = snapshot(root)
    every = [(kind, run) for run, kind in scene.runs.items()]
    chance.shuffle(every)
    with holders(every, cast.program, meanwhile) as program:
        held = program.got() if not meanwhile else set()
        went = scene.janitor()
        held |= program.got() if meanwhile else set()
        wrong = [f"{scene.runs[run]}: {run.name} went" for run in held & went]
        wrong += [] if meanwhile or len(held) == len(every) else ["it did not get hold of all"]
        wrong += [] if all(map(os.path.lexists, held)) else ["gone"]
        program.end()
    wrong += [f"{run.name} stayed" for run in scene.runs.keys() - went - scene.janitor()]
    undone = scene.work.janitor("undo", "--last", "2", uid=cast.janitor or None)
    wrong += [f"undo: {undone}"] if undone.code else []
    wrong += difference(still(before), as_before(still(snapshot(root))))
    count(f"alive: {cast}" + (", meanwhile" if meanwhile else ""), len(held), wrong)


def as_before(seen: Snapshot) -> Snapshot:
    """Without what the programs did to names."""
    return {
        path.replace(b"renamed.log", b"train.log"): mark
        for path, mark in seen.items()
        if b"tfevents" not in path
    }


def test_what_lives_is_never_touched(chance: random.Random, count: Count, tmp_path: Path) -> None:
    watched(living(tmp_path / "work", CASTS[0], chance, 20), chance, count)


@pytest.mark.proof
@needs_root
@pytest.mark.parametrize("meanwhile", [0, 0.1])
@pytest.mark.parametrize("cast", CASTS, ids=str)
@pytest.mark.parametrize("trial", range(TRIALS))
def test_what_lives_is_never_touched_whoever_lives_and_looks(
    trial: int, cast: Cast, meanwhile: float, chance: random.Random, count: Count, tmp_path: Path
) -> None:
    scene = living(tmp_path / "work", cast, chance, RUNS)
    watched(scene, chance, count, meanwhile=meanwhile)
