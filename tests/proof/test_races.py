"""A program that starts to write to a run while a janitor is about to take it (S2, S9, S11).

Whoever reaches a run before its rename keeps it: the run stays, or is put back at once. After
the rename no path leads to it; whoever comes then makes a folder of its own, and both are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from artifact_janitor import looking
from artifact_janitor.apply import compress, trash
from artifact_janitor.apply.archive import store
from artifact_janitor.archiving import Archiving
from artifact_janitor.cli import sweeping
from artifact_janitor.compressing import Compressing
from artifact_janitor.execution import Execution
from tests.proof.conftest import Count
from tests.proof.moments import Meeting, Moment, slowly
from tests.proof.writers import PROGRAMS, Writer, writer
from tests.real.command import Answer
from tests.real.small import FREE, SLIMMING, Small, small, still
from tests.real.snapshot import Snapshot, difference, snapshot
from tests.test_compress import POLICY, WORDS
from tests.test_liveness import shift

IN_LOGS = tuple(kind for kind in PROGRAMS if kind not in ("a new file", "new files"))


@dataclass(frozen=True)
class Race:
    """A command that takes what lies in folders; a program of each kind writes to one of them.

    Those that come at an `early` moment keep their folder, those at a `late` one find it gone.
    """

    build: Callable[[Small, int, str], None]
    """Puts something that is so many days old into a folder."""
    config: str
    args: Callable[[Sequence[str]], tuple[str, ...]]
    early: Sequence[Moment]
    late: Sequence[Moment]
    kinds: Sequence[str] = tuple(PROGRAMS)


def _run(_: Sequence[str]) -> tuple[str, ...]:
    return "run", "--yes"


def _hydra(work: Small, days: int, folder: str) -> None:
    work.hydra(days, f"outputs/{folder}")


def _training(work: Small, days: int, folder: str) -> None:
    work.training(days, f"training/runs/{folder}")
    work.write(f"training/runs/{folder}/train.log", WORDS, days)


def _log(work: Small, days: int, folder: str) -> None:
    work.write(f"logs/{folder}/train.log", WORDS, days)


PLACES = {_hydra: "outputs", _training: "training/runs", _log: "logs"}


LOOKING = Moment(looking, "_looked_at")
PLANNED = Moment(sweeping, "run")
CHECKED = Moment(Execution, "_recheck", after=True, each=True)
RENAMED = Moment(Execution, "_confirmed")
CONFIRMED = Moment(Execution, "_settled")
RACES = {
    "trash": Race(
        _hydra,
        FREE,
        _run,
        [LOOKING, PLANNED, CHECKED],
        [RENAMED, CONFIRMED],
    ),
    "slim": Race(
        _training,
        SLIMMING,
        _run,
        [LOOKING, PLANNED, CHECKED],
        [],
    ),
    "archive": Race(
        _hydra,
        FREE,
        lambda folders: ("archive", *folders),
        [
            Moment(store, "_packed", after=True, each=True),
            Moment(store, "_must_be_unchanged", after=True, each=True),
            Moment(Archiving, "_to_trash", each=True),
            CHECKED,
        ],
        [
            Moment(trash, "carry_out", after=True, each=True),
            Moment(Archiving, "_settled", each=True),
        ],
    ),
    "compress": Race(
        _log,
        POLICY,
        _run,
        [
            LOOKING,
            PLANNED,
            Moment(compress, "_must_be", each=True),
            Moment(compress, "_dress", after=True, each=True),
            Moment(compress, "place", after=True, each=True),
            CHECKED,
        ],
        [Moment(Compressing, "_settled", each=True)],
        IN_LOGS,
    ),
}
EARLY = [(name, at) for name, race in RACES.items() for at in range(len(race.early))]
LATE = [(name, at) for name, race in RACES.items() for at in range(len(race.late))]


@dataclass
class Place:
    """A workspace in which programs wait for their moment."""

    which: str
    work: Small
    writers: list[Writer]
    before: Snapshot
    args: tuple[str, ...]

    def at(self, moment: Moment) -> Answer:
        """The command's answer; each program writes its first line at that moment."""
        meeting = Meeting(moment)

        def first() -> None:
            slowly()
            if self.which == "trash":
                shift(100 * 86_400)  # then nothing is kept because it is young
            meeting.first()

        running = self.work.start(*self.args, "--json", first=first)
        waiting = [*self.writers]
        while meeting.reached():
            for each in waiting[: 1 if moment.each else None]:
                each.write()
            del waiting[: 1 if moment.each else None]
            meeting.go_on()
        assert waiting == [], "the moment came too seldom"
        return running.answer()

    def changed(self) -> list[str]:
        """What is not as it was, but for what the programs wrote."""
        now = still(snapshot(self.work.root))
        return difference(*(without_logs(each) for each in (still(self.before), now)))

    def lost(self) -> list[str]:
        return [line for each in self.writers for line in each.lost()]

    def archives(self) -> int:
        return len([*(self.work.root / ".janitor" / "archive").glob("*.tar.zst")])

    def moved_aside(self, writer: Writer) -> list[str]:
        """What a program made at a place that was empty, and what is missing in that."""
        made = writer.run if RACES[self.which].build is not _log else writer.run / "train.log"
        aside = self.work.root.with_name(f"aside-{writer.run.name}")
        made.rename(aside)
        there = (aside if aside.is_file() else aside / "train.log").read_text().splitlines()
        return [] if there == writer.lines else [f"lost: {writer.lines}, but for {there}"]

    def left(self) -> list[str]:
        found = [each for each in self.work.leftovers() if each != "archive"]
        return [f"left over: {each}" for each in found]


def without_logs(seen: Snapshot) -> Snapshot:
    """And without what a log was compressed to that was replaced before it could go."""
    return {path: mark for path, mark in seen.items() if not path.endswith((b".log", b".log.zst"))}


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """The folder of the first program is the oldest, and goes first."""
    name, _ = request.getfixturevalue("which")
    race = RACES[name]
    (tmp_path / "work").mkdir()
    work = small(tmp_path / "work", race.config)
    folders = [f"{PLACES[race.build]}/{number}" for number in range(len(race.kinds))]
    for number in range(len(race.kinds)):
        race.build(work, 60 - number, str(number))
    before = snapshot(work.root)
    with ExitStack() as running:
        writers = [
            running.enter_context(writer(kind, work.root / folder))
            for kind, folder in zip(race.kinds, folders, strict=True)
        ]
        yield Place(name, work, writers, before, race.args(folders))


def keeps(place: Place, moment: Moment) -> list[str]:
    """What is wrong where each program came before the rename."""
    answer = place.at(moment)
    wrong = [f"went: {row['path']}" for row in answer.rows("steps") if row["outcome"] == "done"]
    wrong += place.changed() + place.left() + place.work.trash()
    wrong += ["an archive is left"] if place.archives() else []
    wrong += [f"refused: {each.refused}" for each in place.writers if not each.write()]
    return wrong + place.lost()


def comes_late(place: Place, moment: Moment) -> list[str]:
    """What is wrong where each program finds its folder gone. What one makes anew stands in the
    way of undo, until somebody moves it away."""
    answer = place.at(moment)
    wrong = [f"stayed: {row['path']}" for row in answer.rows("steps") if row["outcome"] != "done"]
    made = len(place.writers) if place.args[0] == "archive" else 0
    wrong += [] if place.archives() == made else [f"{place.archives()} archives"]
    wrong += ["damaged"] if place.work.janitor("verify").code else []
    wrong += place.lost()
    anew = [each for each in place.writers if each.lines]
    undone = place.work.janitor("undo", "--last", "9")
    wrong += [] if undone.code == (3 if anew else 0) else [f"undo: {undone}"]
    for each in anew:
        wrong += place.moved_aside(each)
    undone = place.work.janitor("undo", "--last", "9")
    wrong += [f"undo: {undone}"] if anew and undone.code else []
    after = still(snapshot(place.work.root))
    return wrong + difference(still(place.before), after) + place.left()


@pytest.mark.parametrize("which", [("trash", 2), ("slim", 2)])
def test_a_writer_who_comes_before_the_rename_keeps_the_run(
    which: tuple[str, int], place: Place, count: Count
) -> None:
    moment = RACES[which[0]].early[which[1]]
    count("writer before the rename", len(place.writers), keeps(place, moment))


@pytest.mark.proof
@pytest.mark.parametrize("which", EARLY)
def test_a_writer_who_comes_at_any_moment_before_the_rename_keeps_the_run(
    which: tuple[str, int], place: Place, count: Count
) -> None:
    moment = RACES[which[0]].early[which[1]]
    count("writer before the rename", len(place.writers), keeps(place, moment))


@pytest.mark.proof
@pytest.mark.parametrize("which", LATE)
def test_a_writer_who_comes_after_the_rename_loses_nothing(
    which: tuple[str, int], place: Place, count: Count
) -> None:
    moment = RACES[which[0]].late[which[1]]
    count("writer after the rename", len(place.writers), comes_late(place, moment))
