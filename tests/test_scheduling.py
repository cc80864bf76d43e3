"""The daemon's clock: rings once for what was missed, and stays right when the clock is wrong.

Nobody may set the clock of the machine that tests, so it is set for this process alone: what
APScheduler and the janitor read as the time is moved by as much as the test says.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, tzinfo
from pathlib import Path

import apscheduler.schedulers.base
import pytest

from artifact_janitor import clock, scheduling
from artifact_janitor.core.schedule import Schedule
from artifact_janitor.journal import open_journal
from artifact_janitor.journal.formats import FORMATS, WITH_SCHEDULE
from artifact_janitor.scheduling import Clockwork
from artifact_janitor.units import DAY, HOUR, SECOND
from tests.configuring import settings, wrong
from tests.test_filesystems import needs_root

PATIENCE = 30
YEAR = 365 * DAY
DAILY = Schedule(retention="0 3 * * *", verify="0 5 * * 0", resync="*/10 * * * *")


class Moved:
    """The clock of this process: by so many nanoseconds ahead of the machine's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.by = 0
        read, now_of = clock.read, datetime.now

        class Then(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return datetime.fromtimestamp(now_of().timestamp() + self.by / SECOND, tz)

        def there() -> clock.Reading:
            real = read()
            return clock.Reading(real.wall + self.by, real.awake, real.boot)

        monkeypatch.setattr(clock, "read", there)
        monkeypatch.setattr(apscheduler.schedulers.base, "datetime", Then)
        monkeypatch.setattr(scheduling, "AT_MOST", 0.02)

    def set(self, text: str) -> int:
        """In UTC."""
        wanted = datetime.fromisoformat(text + "+00:00").timestamp()
        self.by = int(wanted * SECOND) - time.time_ns()
        return int(wanted) * SECOND


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Iterator[Moved]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield Moved(monkeypatch)
    monkeypatch.undo()
    time.tzset()


class Rung:
    """What rang, in order; and a wait until something does."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._news = threading.Condition()

    def __call__(self, name: str) -> None:
        with self._news:
            self.names.append(name)
            self._news.notify_all()

    def until(self, count: int) -> list[str]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.names) >= count, PATIENCE), self.names
            return sorted(self.names)


@contextmanager
def running(
    schedule: Schedule, last: Callable[[str], int | None], rung: Rung, jitter_s: int = 0
) -> Iterator[Clockwork]:
    found = Clockwork(schedule, last, rung, jitter_s=jitter_s)
    found.start()
    try:
        yield found
    finally:
        found.stop()


def looks(clockwork: Clockwork, times: int = 5) -> None:
    """Wait until it has looked at the clock so many times more."""
    seen = threading.Semaphore(0)
    aim = clockwork._scheduler._aim

    def noted() -> None:
        aim()
        seen.release()

    clockwork._scheduler._aim = noted
    for _ in range(times):
        assert seen.acquire(timeout=PATIENCE)


def next_of(clockwork: Clockwork) -> dict[str, str]:
    told = clockwork.next()
    assert [at for _, at in told] == sorted(at for _, at in told)
    return {name: time.strftime("%m-%d %H:%M:%S", time.gmtime(at // SECOND)) for name, at in told}


# ---------------------------------------------------------------- missed, and not missed


def test_each_job_that_was_missed_rings_once(moved: Moved) -> None:
    now = moved.set("2026-11-24 12:00:30")
    ran = {"retention": now - 3 * DAY, "verify": now - HOUR, "resync": now - 3 * DAY}
    rung = Rung()
    with running(DAILY, ran.get, rung, jitter_s=7) as clockwork:
        assert rung.until(2) == ["resync", "retention"]
        assert next_of(clockwork) == {
            "resync": "11-24 12:10:07",
            "retention": "11-25 03:00:07",
            "verify": "11-29 05:00:07",
        }
        looks(clockwork)
        assert len(rung.names) == 2


def test_what_never_ran_waits_for_its_time(moved: Moved) -> None:
    moved.set("2026-11-24 02:59:59")
    rung = Rung()
    with running(Schedule(retention="0 3 * * *"), lambda _: None, rung) as clockwork:
        assert rung.until(1) == ["retention"]  # a second later
        looks(clockwork)
        assert rung.names == ["retention"]
        assert next_of(clockwork) == {"retention": "11-25 03:00:00"}


def test_a_job_rings_each_time_it_is_due(moved: Moved) -> None:
    """Each time the clock is moved over it, as after a night's sleep of the machine."""
    moved.set("2026-11-24 12:00:30")
    rung = Rung()
    with running(Schedule(retention="0 3 * * *"), lambda _: None, rung) as clockwork:
        for count, day in enumerate(("25", "26", "28"), 1):
            moved.set(f"2026-11-{day} 03:00:01")
            assert rung.until(count) == ["retention"] * count
            looks(clockwork)
            assert len(rung.names) == count


def test_nothing_to_ring_for(moved: Moved) -> None:
    rung = Rung()
    with running(Schedule(), lambda _: None, rung) as clockwork:
        assert clockwork.next() == []
        looks(clockwork)
    clockwork.stop()
    assert rung.names == []


# ---------------------------------------------------------------- a clock that jumps


def test_a_clock_that_jumps_ahead_rings_each_job_once(moved: Moved) -> None:
    moved.set("2026-11-24 12:00:30")
    rung = Rung()
    with running(DAILY, lambda _: None, rung) as clockwork:
        looks(clockwork)
        assert rung.names == []
        moved.set("2030-11-24 12:00:30")
        assert rung.until(3) == ["resync", "retention", "verify"]
        looks(clockwork)
        assert len(rung.names) == 3
        assert next_of(clockwork)["resync"] == "11-24 12:10:00"


def test_a_clock_that_jumps_back_rings_nothing_twice_and_goes_on(moved: Moved) -> None:
    now = moved.set("2030-11-24 12:00:30")
    rung = Rung()
    with running(DAILY, lambda _: now, rung) as clockwork:
        moved.set("2026-11-24 12:00:30")
        looks(clockwork)
        assert rung.names == []
        assert next_of(clockwork)["resync"] == "11-24 12:10:00"
        moved.set("2026-11-24 12:10:30")
        assert rung.until(1) == ["resync"]


def test_a_clock_that_is_set_back_a_little_rings_nothing_twice(moved: Moved) -> None:
    now = moved.set("2026-11-24 03:00:10")
    rung = Rung()
    with running(Schedule(retention="0 3 * * *"), lambda _: now - DAY, rung) as clockwork:
        assert rung.until(1) == ["retention"]
        moved.set("2026-11-24 02:50:00")
        looks(clockwork)
        moved.set("2026-11-24 03:00:30")
        looks(clockwork)
        assert rung.names == ["retention"]


def test_a_last_run_in_the_far_future_was_said_by_a_wrong_clock(moved: Moved) -> None:
    now = moved.set("2026-11-24 12:00:30")
    rung = Rung()
    clockwork = Clockwork(DAILY, lambda _: now + 4 * YEAR, rung)
    assert next_of(clockwork)["resync"] == "11-24 12:10:00"  # before it is started, too
    clockwork.start()
    moved.set("2026-11-24 12:10:30")
    assert rung.until(1) == ["resync"]
    clockwork.stop()


def test_a_machine_that_moves_to_another_zone(
    moved: Moved, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved.set("2026-11-24 12:00:30")
    rung = Rung()
    with running(Schedule(retention="0 3 * * *"), lambda _: None, rung) as clockwork:
        assert next_of(clockwork) == {"retention": "11-25 03:00:00"}
        monkeypatch.setenv("TZ", "Asia/Kathmandu")
        looks(clockwork)
        assert next_of(clockwork) == {"retention": "11-24 21:15:00"}
        (job,) = clockwork._scheduler.get_jobs()
        assert job.next_run_time.isoformat() == "2026-11-24T21:15:00+00:00"


_LOCALTIME = """
import subprocess, sys
from artifact_janitor import clock
def mount(zone):
    subprocess.run(["mount", "--bind", f"/usr/share/zoneinfo/{zone}", "/etc/localtime"], check=True)
for zone in sys.argv[1:]:
    mount(zone)
    clock.follow_zone()
    print(clock.offset(1_800_000_000), flush=True)
"""


@needs_root
@pytest.mark.skipif(
    not Path("/usr/share/zoneinfo/Asia/Kathmandu").exists() or not Path("/etc/localtime").exists(),
    reason="no zones here",
)
def test_a_new_etc_localtime_is_followed() -> None:
    """In a mount namespace of its own."""
    environ = {name: value for name, value in os.environ.items() if name != "TZ"}
    command = ["unshare", "-m", sys.executable, "-c", _LOCALTIME]
    zones = ["Asia/Kathmandu", "America/New_York"]
    ran = subprocess.run([*command, *zones], capture_output=True, text=True, env=environ)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["20700", "-18000"]


def test_a_ring_that_fails_ends_nothing(moved: Moved) -> None:
    now = moved.set("2026-11-24 12:00:30")
    rung = Rung()

    def fails(name: str) -> None:
        rung(name)
        raise OSError("no")

    clockwork = Clockwork(DAILY, lambda _: now - 2 * DAY, fails)
    clockwork.start()
    assert rung.until(2) == ["resync", "retention"]
    moved.set("2026-11-24 12:10:30")
    assert rung.until(3) == ["resync", "resync", "retention"]
    clockwork.stop()


# ---------------------------------------------------------------- in the journal


def test_last_runs_are_kept_in_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = open_journal(path, create=True)
    assert journal
    runs = journal.schedule
    assert runs.last("retention") is None
    runs.begin(["retention", "verify"], 100)
    assert (runs.last("retention"), runs.all()) == (100, {})  # due from now on, and never ran
    runs.ran("retention", 200)
    runs.begin(["verify", "retention"], 300)
    assert (runs.last("retention"), runs.last("verify")) == (200, 100)
    assert runs.all() == {"retention": 200}
    runs.begin(["verify"], 400)  # switched off for a while: nothing of that is missed
    runs.begin(["verify", "retention"], 500)
    assert runs.last("retention") == 500
    journal.close()
    again = open_journal(path, create=False)
    assert again
    assert again.schedule.last("verify") == 100
    again.close()


def test_a_journal_of_an_older_format_knows_no_runs_until_it_is_written(tmp_path: Path) -> None:
    path, before = tmp_path / "journal.db", WITH_SCHEDULE - 1
    with closing(sqlite3.connect(path)) as db, db:
        tables = "".join(FORMATS[:before])
        db.executescript(f"PRAGMA journal_mode = WAL; {tables} PRAGMA user_version = {before};")
    only_read = open_journal(path, create=False)
    assert only_read
    assert (only_read.schedule.last("purge"), only_read.schedule.all()) == (None, {})
    only_read.close()
    journal = open_journal(path, create=True)
    assert journal
    journal.schedule.ran("purge", 7)
    assert journal.schedule.last("purge") == 7
    journal.close()


# ---------------------------------------------------------------- in config.toml


def test_the_schedule_that_holds_when_nothing_is_said(tmp_path: Path) -> None:
    assert settings(tmp_path).schedule == Schedule(
        retention="0 3 * * *",
        gitignore="*/30 * * * *",
        verify="0 5 * * 0",
        purge="30 4 * * *",
        resync="*/10 * * * *",
    )


def test_jobs_are_moved_and_switched_off(tmp_path: Path) -> None:
    text = '[schedule]\nretention = "15  4 * * mon-fri"\nverify = ""\n'
    read = settings(tmp_path, text, {"JANITOR_SCHEDULE__PURGE": "0 6 * * 7"})
    assert read.schedule.jobs == {
        "retention": "15 4 * * mon-fri",
        "gitignore": "*/30 * * * *",
        "purge": "0 6 * * 7",
        "resync": "*/10 * * * *",
    }
    assert read.notes == ()


def test_everything_that_is_wrong_with_a_schedule_is_said_at_once(tmp_path: Path) -> None:
    text = """
[schedule]
retention = "0 25 * * *"
gitignore = "@hourly"
verify = 5
purge = "0 0 30 2 *"
resinc = "* * * * *"
"""
    found = dict(wrong(tmp_path, text, {"JANITOR_SCHEDULE__RESYNC": "often"}))
    form = '; write minute, hour, day, month, weekday: "0 3 * * *" is 03:00 each day, "" is never'
    none = "is no cron expression"
    assert found == {
        "JANITOR_SCHEDULE__RESYNC": f'"often" {none}: it has 1 field, not 5{form}',
        "schedule.gitignore": '"@hourly" is written "0 * * * *" here',
        "schedule.purge": f'"0 0 30 2 *" {none}: the day of month can\'t be{form}',
        "schedule.resinc": "unknown key; did you mean resync?",
        "schedule.retention": f'"0 25 * * *" {none}: the hour can\'t be{form}',
        "schedule.verify": f"5 {none}{form}",
    }
