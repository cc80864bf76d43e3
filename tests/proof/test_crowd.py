"""Several janitors at once in one workspace: nothing happens twice, nothing is lost (S12, S13)."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from artifact_janitor.daemon.apart import WATCH
from tests.proof.conftest import Count
from tests.real import milestones
from tests.real import small as commands
from tests.real.command import Answer
from tests.real.milestones import MODEL
from tests.real.small import Running, Small, still
from tests.real.snapshot import Snapshot, difference, snapshot

UNITS = [f"outputs/day/{n}" for n in range(6)] + [f"logs/{n}.log" for n in range(6)]
ROUNDS = 25


def workspace(root: Path) -> Small:
    root.mkdir()
    work = milestones.workspace(root)
    for number, path in enumerate(UNITS):
        if path.endswith(".log"):
            work.write(path, days=30 + number)
        else:
            work.hydra(30 + number, path)
    return work


def daemon(work: Small) -> Running:
    """A sweep as the daemon makes it."""

    def sweeps() -> None:
        report = lambda _: int(work.run(command=WATCH.command) is None)  # noqa: E731
        commands.answer = report  # type: ignore[assignment]

    return work.start("run", first=sweeps)


def a_command(chance: random.Random) -> Callable[[Small], Running]:
    """As people and the daemon use them."""
    unit = chance.choice(UNITS[:6])
    every = (
        *(("run", "--yes"), ("run", "--yes"), ("undo",), ("undo", "--last", "3"), ("status",)),
        *(("archive", unit), ("restore", unit), ("pin", unit), ("unpin", unit)),
        *(("promote", MODEL, "--name", f"m{chance.randrange(10**6)}"), ("gitignore", "sync")),
    )
    args = chance.choice([*every, ()])
    if not args:
        return daemon
    return lambda work: work.start(*args, "--json")


def said_rightly(answer: Answer) -> bool:
    """Whether its exit code is one of the documented, and no accident."""
    if answer.said and answer.code in range(6):
        return (answer.code == 0) == (answer.said["errors"] == [])
    return answer.code == 0


def journal_wrong(work: Small) -> list[str]:
    with closing(sqlite3.connect(work.root / ".janitor" / "journal.db")) as db:
        checked = db.execute("PRAGMA integrity_check").fetchall()
    with closing(work.journal()) as journal:
        sweeps = journal.sweeps()
        states = Counter(each.state for sweep in sweeps for each in journal.steps(sweep.id))
        twice = Counter(each.path for each in journal.trashed())
    wrong = [] if checked == [("ok",)] else [f"{checked}"]
    wrong += [f"open: {sweep.id}" for sweep in sweeps if not sweep.ended]
    wrong += ["a step is open"] if states["intended"] else []
    return wrong + [f"{path} is {n} times in the trash" for path, n in twice.items() if n > 1]


def all_back(work: Small, before: Snapshot) -> list[str]:
    """Undo all there is, and take all pins away."""
    for _ in range(30):
        if work.janitor("undo", "--last", "99").facts.get("steps", []) == []:
            break
    with closing(work.journal()) as journal:
        for pin in journal.pins():
            journal.unpin(pin.path)
    now = {
        path: mark
        for path, mark in still(snapshot(work.root)).items()
        if not path.startswith((b"best_models", b".gitignore"))
    }
    return difference(still(before), now)


def crowd(work: Small, before: Snapshot, many: int, chance: random.Random) -> list[str]:
    """So many of them at once."""
    others = [a_command(chance) for _ in range(many - 1)]
    running = [work.start("run", "--yes", "--json"), *(each(work) for each in others)]
    wrong = [f"{each}" for each in (each.answer() for each in running) if not said_rightly(each)]
    wrong += journal_wrong(work)
    wrong += all_back(work, before)
    known = ("archive",)
    return wrong + [f"left over: {each}" for each in work.leftovers() if each not in known]


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """The same for all who run this test."""
    return random.Random(request.node.name)


def rounds(work: Small, many: int, times: int, chance: random.Random) -> list[str]:
    before = snapshot(work.root)
    return [
        f"round {number}: {line}"
        for number in range(times)
        for line in crowd(work, before, many, chance)
    ]


def test_two_janitors_at_once(chance: random.Random, count: Count, tmp_path: Path) -> None:
    count("janitors at once: 2", 1, rounds(workspace(tmp_path / "work"), 2, 1, chance))


@pytest.mark.proof
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("many", [2, 4])
def test_many_janitors_at_once(
    many: int, part: int, chance: random.Random, count: Count, tmp_path: Path
) -> None:
    work = workspace(tmp_path / "work")
    count(f"janitors at once: {many}", ROUNDS, rounds(work, many, ROUNDS, chance))
