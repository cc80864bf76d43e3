"""A clock that is wrong lets nothing go unasked, and one that is right again lets go what is due.

All that goes by age is at stake: what leaves its place, the trash, archives. In each case something
is too young by the time that truly passed, and must stay; and something is due, and must go where
time passes truly: a janitor that frees nothing would pass all else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.proof.conftest import Count
from tests.proof.jumping import DAY, Clock, Janitor, NoCompiler, jumping
from tests.real.account import clean_environment
from tests.real.command import Answer
from tests.real.small import FREE, Small, done, small

HOUR = DAY // 24
YEAR_1970, YEAR_2038, YEAR_2100 = 0, 2_147_483_648, 4_102_444_800


@pytest.fixture(scope="module")
def server() -> Iterator[Janitor]:
    with tempfile.TemporaryDirectory(prefix="jumping-") as place:
        try:
            with jumping(Path(place)) as found:
                yield found
        except NoCompiler as error:
            pytest.skip(str(error))


@pytest.fixture
def janitor(server: Janitor) -> Janitor:
    server.clock.right()
    return server


OLD, YOUNG, DUE = "outputs/day/old", "outputs/day/young", "outputs/day/due"


def till(moment: int) -> int:
    """By how much a clock jumps that says this many seconds since the epoch."""
    return moment * 10**9 - time.time_ns()


JUMPS = {
    "+2 h": 2 * HOUR,
    "+60 d": 60 * DAY,
    "+400 d": 400 * DAY,
    "-1 d": -DAY,
    "-60 d": -60 * DAY,
    "to 1970": till(YEAR_1970),
    "to 2038": till(YEAR_2038),
    "to 2100": till(YEAR_2100),
}


def stays(work: Small) -> list[str]:
    """What is wrong where neither the young run may go nor the trash."""
    gone = [] if work.there(YOUNG) else [f"{YOUNG} went"]
    return gone + ([] if any(OLD in each for each in work.trash()) else [f"{OLD} was purged"])


def held(found: Answer) -> list[str]:
    """What is wrong where all is to be held back. By a clock that is far behind nothing is due."""
    expected = 4 if found.rows("steps") else 0
    return [f"{done(found)} went: {found}"] if done(found) or found.code != expected else []


def said(found: Answer) -> list[str]:
    """What is wrong where a plan is to say that the clock is in doubt, and what to do."""
    for each in found.facts["refused"]:
        if each["code"] == "clock" and each["hint"].endswith("janitor run --override-guards"):
            return []
    return [f"it says nothing of the clock: {found.facts['refused']}"]


def swept(janitor: Janitor, place: Path) -> Small:
    """One run lies in the trash since now, one is too young to go, one is due; and the sweep
    noted the clock."""
    place.mkdir()
    work = small(place, FREE)
    work.hydra(40, OLD)
    assert done(janitor(work, "run", "--yes")) == {OLD}
    work.hydra(3, YOUNG)
    work.hydra(39, DUE)
    return work


@dataclass(frozen=True)
class Move:
    """How a clock comes to say something else."""

    name: str
    by: int
    boots: bool = False

    def __call__(self, clock: Clock) -> None:
        (clock.boots if self.boots else clock.jumps)(self.by)


MOVES = [Move(name, by) for name, by in JUMPS.items()]
MOVES += [
    Move(f"{name}, booted", by, boots=True)
    for name, by in JUMPS.items()
    if not 0 < by < 45 * DAY  # the machine may have been off for so long
]


def wrong_after(janitor: Janitor, work: Small, move: Move) -> list[str]:
    """What is wrong where the clock moves between two sweeps, and is right again later."""
    clock, wrong = janitor.clock, []
    clock.right()
    move(clock)
    wrong += said(janitor(work, "plan"))
    for _ in range(2):  # what nobody confirmed is not believed the second time
        wrong += [*held(janitor(work, "run", "--yes")), *stays(work)]
    clock.jumps(-move.by)
    found = janitor(work, "run", "--yes")
    due = found.code == 0 and done(found) == {DUE}
    wrong += [*([] if due else [f"it is right again, and {found}"]), *stays(work)]
    clock.passes(8 * DAY)
    found = janitor(work, "run", "--yes")
    late = not work.there(YOUNG) and not (work.root / ".janitor" / "leaving" / "1").exists()
    wrong += [] if found.code == 0 and late else [f"eight days later: {found}"]
    purged = {row["outcome"] for row in found.rows("steps") if row["do"] == "purge"}
    return wrong + ([] if purged == {"done"} else [f"purged: {purged}"])


def all_wrong(janitor: Janitor, place: Path, moves: Iterable[Move]) -> list[str]:
    wrong = []
    for number, move in enumerate(moves):
        janitor.clock.right()
        work = swept(janitor, place / str(number))
        wrong += [f"{move.name}: {each}" for each in wrong_after(janitor, work, move)]
    return wrong


def test_a_clock_that_moved_lets_nothing_go(janitor: Janitor, count: Count, tmp_path: Path) -> None:
    some = [each for each in MOVES if each.name in ("+400 d", "+60 d, booted")]
    count("time: clock moved between sweeps", len(some), all_wrong(janitor, tmp_path, some))


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_no_clock_that_moved_lets_anything_go(
    janitor: Janitor, count: Count, tmp_path: Path
) -> None:
    count("time: clock moved between sweeps", len(MOVES), all_wrong(janitor, tmp_path, MOVES))


# ---------------------------------------------------------------- in the midst of a command


@dataclass(frozen=True)
class Within:
    """A clock that moves while a command runs, with one of its readings: either it was right and
    is wrong from then on, or it was wrong and is right from then on."""

    args: tuple[str, ...]
    by: int
    gets_right: bool
    first_ever: bool = False

    @property
    def name(self) -> str:
        way = "right again after" if self.gets_right else "moved"
        return f"{way} {self.by // DAY:+} d within {' '.join(self.args)}" + (
            ", the first ever" if self.first_ever else ""
        )

    def build(self, janitor: Janitor, place: Path) -> Small:
        janitor.clock.right()
        if not self.first_ever:
            return swept(janitor, place)
        place.mkdir()
        work = small(place, FREE)
        work.hydra(3, YOUNG)
        work.hydra(39, DUE)
        return work

    def at(self, janitor: Janitor, reading: int, work: Small) -> int:
        """Have it move with this reading; how many there were."""
        clock = janitor.clock
        if self.gets_right:
            clock.wall = self.by
        clock.tell(-self.by if self.gets_right else self.by, at=reading)
        janitor(work, *self.args)
        readings = clock.readings
        clock.wall = 0
        clock.tell()
        return readings

    def wrong(self, janitor: Janitor, reading: int, place: Path) -> list[str]:
        """What is wrong once it is right again: what is young or in the trash since now has to
        be there, and what is due has to leave the trash at last."""
        work = self.build(janitor, place)
        self.at(janitor, reading, work)
        janitor(work, "run", "--yes")
        wrong, trash = [], work.trash()
        for each in (YOUNG, DUE) if self.first_ever else (OLD, DUE):
            kept = work.there(each) or any(each in path for path in trash)
            wrong += [] if kept else [f"{each} was purged"]
        # who never saw the clock can't know that it is wrong: what goes can be had back
        wrong += [] if self.first_ever or work.there(YOUNG) else [f"{YOUNG} went"]
        for _ in range(3):  # the first may only find that the clock can be believed
            janitor.clock.passes(8 * DAY)
            last = janitor(work, "run", "--override-guards")
        stays = any(DUE in path for path in work.trash())
        wrong += [f"after 24 days {DUE} is in the trash: {last}"] if stays else []
        return [f"{self.name}, reading {reading}: {each}" for each in wrong]


def within(janitor: Janitor, place: Path, case: Within, every: int = 1) -> tuple[int, list[str]]:
    """At each reading of a command, or each so many; what was tried, and what was wrong."""
    last = case.at(janitor, 0, case.build(janitor, place / "counted"))
    readings = range(1, last + 2, every)
    print(f"{len(readings)} of {last + 1} readings")
    wrong = []
    for reading in readings:
        wrong += case.wrong(janitor, reading, place / f"{reading}")
        shutil.rmtree(place / f"{reading}")
    shutil.rmtree(place / "counted")
    return len(readings), wrong


EVERY = int(os.environ.get("PROOF_EVERY", "1"))
WITHIN = [
    Within(args, by, gets_right, first)
    for args in (("run", "--yes"), ("archive", DUE), ("undo",))
    for by in (400 * DAY, -400 * DAY)
    for gets_right in (False, True)
    for first in (False, True)
    if not (first and args == ("undo",))
]


@pytest.mark.proof
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("case", WITHIN, ids=lambda case: case.name)
def test_no_clock_that_moves_within_a_command_lets_anything_go(
    janitor: Janitor, count: Count, tmp_path: Path, case: Within
) -> None:
    count(f"time: {case.name}", *within(janitor, tmp_path, case, EVERY))


# ---------------------------------------------------------------- what a person asks for


def test_undo_takes_back_what_was_done_last_whatever_the_clock_said(
    janitor: Janitor, tmp_path: Path
) -> None:
    """And what a person asks for is done, though the clock is in doubt."""
    work = swept(janitor, tmp_path / "work")
    janitor.clock.jumps(-20 * DAY)
    work.hydra(45, DUE_TOO)
    assert held(janitor(work, "run", "--yes")) == []
    found = janitor(work, "run", "--override-guards")
    assert (found.code, done(found)) == (0, {DUE, DUE_TOO})
    assert janitor(work, "undo").code == 0
    assert (work.there(DUE, DUE_TOO), work.there(OLD)) == (True, False)
    janitor.clock.right()
    janitor.clock.passes(DAY)
    assert said(janitor(work, "plan")) == []
    found = janitor(work, "run", "--override-guards")
    assert stays(work) == [], "it lies there for a day"
    janitor.clock.passes(7 * DAY)
    purged = [row["do"] for row in janitor(work, "run", "--yes").rows("steps")]
    assert "purge" in purged


DUE_TOO = "outputs/day/due too"


def test_no_archive_expires_by_a_clock_that_jumped(janitor: Janitor, tmp_path: Path) -> None:
    """Nor by the one that was wrong when it was made."""
    rules = '[[policy]]\nkind = "hydra-run"\nkeep_within = "7d"\nthen = "archive"\nexpire = "30d"\n'
    work = small(tmp_path, rules)
    work.hydra(40, OLD)
    assert done(janitor(work, "run", "--yes")) == {OLD}
    work.hydra(500, DUE)
    janitor.clock.jumps(-400 * DAY)
    assert janitor(work, "archive", DUE).code == 0
    janitor.clock.jumps(800 * DAY)
    assert held(janitor(work, "run", "--yes")) == []
    janitor.clock.jumps(-400 * DAY)
    assert done(janitor(work, "run", "--yes")) == set()
    archives = (work.root / ".janitor" / "archive").glob("*.tar.zst")
    assert len([*archives]) == 2
    janitor.clock.passes(31 * DAY)
    found = janitor(work, "run", "--yes")
    assert [row["do"] for row in found.rows("steps")].count("expire") == 2


# ---------------------------------------------------------------- dates of files

FUTURE = {"minutes": 900, "day": 86_400, "century": 36_500 * 86_400, "2300": 10_500_000_000}
NO_DATES = {"zero": 0, "negative": -86_400, "1901": -2_170_000_000}


def test_what_has_no_date_or_one_to_come_stays_and_says_so(
    janitor: Janitor, tmp_path: Path
) -> None:
    """Whatever the folder's name says, and whatever else in the run is old."""
    work, now = small(tmp_path, FREE), int(time.time())
    names = {"outputs/2099-02-30/25-61-61": 40.0, "outputs/0000-00-00/now": 41.0}
    for name, days in names.items():
        work.hydra(days, name)
    dates = {name: now + ahead for name, ahead in FUTURE.items() if name != "2300"}
    dates |= {"2300": FUTURE["2300"], **NO_DATES}
    for name, date in dates.items():
        run = work.root / work.hydra(40, f"outputs/odd/{name}")
        (run / "late.txt").touch()
        only = [run / "late.txt"] if date > 0 else [*run.rglob("*")]
        for each in only:
            os.utime(each, (date, date))
        os.utime(run, (date, date))
    os.utime(tmp_path / "outputs" / "odd", (FUTURE["2300"], FUTURE["2300"]))
    found = janitor(work, "run", "--yes")
    assert (found.code, done(found)) == (0, {*names}), found
    for name in dates:
        (reason,) = (row["reasons"] for row in found.rows("kept") if row["path"].endswith(name))
        assert "dated" in reason[0], reason
    for args in (("du",), ("status",), ("undo",), ("why", "outputs/odd/2300")):
        assert janitor(work, *args).code == 0, args


# ---------------------------------------------------------------- calendars


def at(text: str, zone: str) -> int:
    """A moment of a zone's calendar, in seconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def dated(work: Small, run: str, moment: int) -> None:
    work.hydra(0, run)
    for each in [*(work.root / run).rglob("*"), work.root / run]:
        os.utime(each, (moment, moment), follow_symlinks=False)


CHANGES = {
    "Europe/Berlin": ("2027-03-28T12:00", "2027-10-31T12:00"),
    "America/New_York": ("2027-03-14T12:00", "2027-11-07T12:00"),
    "Australia/Lord_Howe": ("2027-04-04T12:00", "2027-10-03T12:00"),
}


@pytest.mark.parametrize(
    "zone",
    [*[pytest.param(each, marks=pytest.mark.proof) for each in CHANGES][:2], "Australia/Lord_Howe"],
)
def test_a_week_is_a_week_when_clocks_change(janitor: Janitor, tmp_path: Path, zone: str) -> None:
    """To the minute; and each day of the calendar counts once, however long it is."""
    for number, text in enumerate(CHANGES[zone]):
        (tmp_path / f"{number}").mkdir()
        work = small(tmp_path / f"{number}", FREE)
        now = at(text, zone)
        dated(work, "outputs/a/young", now - 7 * 86_400 + 300)
        dated(work, "outputs/a/old", now - 7 * 86_400 - 300)
        janitor.clock.right()
        janitor.clock.jumps(till(now))
        found = janitor(work, "run", "--yes", zone=zone)
        assert (found.code, done(found)) == (0, {"outputs/a/old"})
        work.configure(FREE.replace('keep_within = "7d"', "keep_daily = 2"))
        shutil.rmtree(work.root / "outputs")
        day = text[:10]
        for name, clock in {"first": "00:01", "last": "09:00"}.items():
            dated(work, f"outputs/b/{name}", at(f"{day}T{clock}", zone))
        dated(work, "outputs/b/before", at(f"{day}T00:01", zone) - 120)
        janitor.clock.passes(2 * DAY)
        found = janitor(work, "plan", zone=zone)
        assert {row["path"] for row in found.rows("steps")} == {"outputs/b/first"}


def test_the_29th_of_february_is_a_day_of_its_own(janitor: Janitor, tmp_path: Path) -> None:
    days = ("2028-01-31", "2028-02-28", "2028-02-29", "2028-03-01")
    for text, going in {
        "keep_daily = 2": days[:2],
        "keep_weekly = 1": days[:1] + days[1:3],
        "keep_monthly = 3": days[1:2],
        'keep_within = "365d"': (),
    }.items():
        work = small(tmp_path, FREE.replace('keep_within = "7d"', text))
        for day in days:
            if not work.there(f"outputs/{day}/12-00-00"):
                dated(work, f"outputs/{day}/12-00-00", at(f"{day}T12:00", "UTC"))
        janitor.clock.right()
        janitor.clock.jumps(
            till(at("2029-02-28T11:00" if not going else "2028-03-03T12:00", "UTC"))
        )
        found = janitor(work, "plan")
        gone = {row["path"].split("/")[1] for row in found.rows("steps")}
        expected = going or days[:2]
        assert gone == {*expected}, text


# ---------------------------------------------------------------- the daemon


@pytest.mark.proof
def test_a_daemon_that_runs_over_a_jump_does_nothing_by_age(
    janitor: Janitor, tmp_path: Path
) -> None:
    """Its first sweep is yet to come: the clock was noted when it began. What the schedule missed
    by the new time is done once."""
    work = small(tmp_path, FREE)
    work.hydra(3, YOUNG)
    log = tmp_path / "daemon.log"
    environ = {**clean_environment(tmp_path), **janitor.clock.environ, "TZ": "UTC"}
    command = [sys.executable, "-m", "artifact_janitor", "watch", "--log-file", str(log)]

    def until(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 300
        while not condition():
            assert time.monotonic() < end, log.read_text()
            assert daemon.poll() is None, log.read_text()
            time.sleep(0.1)

    with subprocess.Popen(command, cwd=work.root, env=environ) as daemon:
        try:
            until(lambda: log.exists() and "watches" in log.read_text())
            until(lambda: noted(work))
            janitor.clock.jumps(400 * DAY)
            until(lambda: "the clock jumped" in log.read_text())
        finally:
            daemon.terminate()
            daemon.wait()
    assert work.there(YOUNG)
    assert log.read_text().count("retention: the clock jumped") == 1


def noted(work: Small) -> bool:
    with closing(work.journal()) as journal:
        return journal.clock() is not None
