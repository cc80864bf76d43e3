"""Too much at once, and a clock that jumped, wait for a person's word (S8)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from artifact_janitor import clock
from artifact_janitor.units import DAY, HOUR
from tests.real.small import CONFIG, FREE, Small, done, small

PURGING = CONFIG + '[safety]\ntrash_keep = "0s"\n'


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path, CONFIG)


def logs(work: Small, old: int, young: int, size: int = 1) -> None:
    for n in range(old):
        work.write(f"logs/old/{n}.log", "x" * size, days=30 + n)
    for n in range(young):
        work.write(f"logs/young/{n}.log", "x")


def test_a_fifth_may_go_at_once(work: Small) -> None:
    logs(work, old=2, young=8)
    found = work.janitor("run", "--yes")
    assert (found.code, len(done(found))) == (0, 2)


def test_more_than_a_fifth_is_held_back_with_4(work: Small) -> None:
    logs(work, old=3, young=8)
    found = work.janitor("run", "--yes")
    assert (found.code, done(found)) == (4, set())
    (error,) = found.said["errors"]
    assert error["code"] == "guard"
    assert "27%" in error["message"]
    assert "max_share" in error["message"]
    assert error["hint"] == "janitor run --override-guards"
    assert len(list((work.root / "logs" / "old").iterdir())) == 3


def test_the_quiet_hear_of_it_too(work: Small) -> None:
    """A job of cron that only ever fails must not look like one with nothing to do."""
    logs(work, old=3, young=8)
    running = work.start("run", "--yes", "--quiet")
    assert running.wait() == 4
    assert running.output.read_text() == ""
    assert "max_share" in running.errors.read_text()


def test_a_person_overrides_it(work: Small) -> None:
    logs(work, old=3, young=8)
    found = work.janitor("run", "--override-guards")
    assert (found.code, len(done(found))) == (0, 3)


def test_bytes_count_as_well_as_units(work: Small) -> None:
    logs(work, old=1, young=10, size=200_000)
    found = work.janitor("run", "--yes")
    assert (found.code, done(found)) == (4, set())


def test_only_that_kind_is_held_back(work: Small) -> None:
    logs(work, old=3, young=8)
    run = work.hydra(30)
    found = work.janitor("run", "--yes")
    assert (found.code, done(found)) == (4, {run})


def test_a_few_units_are_exempt(work: Small) -> None:
    logs(work, old=9, young=0)
    found = work.janitor("run", "--yes")
    assert (found.code, len(done(found))) == (0, 9)


def test_what_went_within_a_day_counts(work: Small) -> None:
    """Slice by slice it would all go: the second sweep of the day is held back."""
    logs(work, old=2, young=8)
    assert work.janitor("run", "--yes").code == 0
    work.write("logs/more.log", days=30)
    found = work.janitor("run", "--yes")
    assert (found.code, done(found)) == (4, set())
    assert "2 gone in the last 24 hours included" in found.said["errors"][0]["message"]


def test_what_went_a_day_ago_counts_no_more(work: Small) -> None:
    logs(work, old=2, young=8)
    work.janitor("run", "--yes")
    journal = work.journal()
    journal._db.execute("UPDATE step SET at = at - ?", (DAY + HOUR,))  # as if a day had passed
    journal.close()
    work.write("logs/more.log", days=30)
    assert work.janitor("run", "--yes").code == 0


def test_a_purge_is_no_loophole_and_not_held_back(work: Small) -> None:
    """What was purged still counts as gone; the purge itself is no removal of a kind."""
    work.configure(PURGING)
    logs(work, old=2, young=8)
    work.janitor("run", "--yes")
    work.write("logs/more.log", days=30)
    found = work.janitor("run", "--yes")
    assert {row["outcome"] for row in found.rows("steps") if row["do"] == "purge"} == {"done"}
    assert {row["outcome"] for row in found.rows("steps") if row["do"] == "trash"} == {"skipped"}
    again = work.janitor("run", "--yes")
    assert again.code == 4, "purged or not, two went today"


def test_what_a_person_let_go_does_not_count(work: Small) -> None:
    logs(work, old=3, young=10)
    assert work.janitor("run", "--override-guards").code == 0
    work.write("logs/more.log", days=30)
    assert work.janitor("run", "--yes").code == 0


def test_what_came_back_does_not_count(work: Small) -> None:
    logs(work, old=2, young=8)
    work.janitor("run", "--yes")
    work.janitor("undo")
    work.write("logs/more.log", days=30)
    assert work.janitor("run", "--yes").code == 0


# ------------------------------------------------------------ the clock
# The clock's row in the journal is edited: a stand-in for a clock that is set.


def seen_at(work: Small, wall: int = 0, boot: str = "") -> None:
    """As if the last sweep had read a clock that was `wall` nanoseconds ahead of ours."""
    now = clock.read()
    journal = work.journal()
    journal.set_clock(now.wall + wall, now.awake, boot or now.boot)
    journal.close()


def test_the_clock_is_noted_by_each_sweep(work: Small) -> None:
    assert work.janitor("run", "--yes").code == 0
    journal = work.journal()
    noted = journal.clock()
    journal.close()
    assert noted is not None
    assert abs(noted[0] - time.time_ns()) < HOUR


@pytest.mark.parametrize("jump", [-30 * DAY, -2 * HOUR, 2 * HOUR, 300 * DAY])
def test_a_jump_holds_back_everything_even_purges(work: Small, jump: int) -> None:
    work.configure(FREE + 'trash_keep = "0s"\n')
    first = work.hydra(40)
    work.janitor("run", "--yes")
    second = work.hydra(30)
    seen_at(work, -jump)
    for _ in range(2):  # the reading that nobody confirmed is not believed the second time
        found = work.janitor("run", "--yes")
        assert (found.code, done(found)) == (4, set())
        assert {row["do"] for row in found.rows("steps")} == {"trash", "purge"}
        assert "clock jumped" in found.said["errors"][0]["message"]
    assert "clock jumped" in " ".join(work.janitor("status").facts["refused"])
    assert work.there(second)
    assert work.trash()
    overridden = work.janitor("run", "--override-guards")
    assert (overridden.code, len(done(overridden))) == (0, 2)
    assert not work.there(first)
    work.hydra(31)
    assert work.janitor("run", "--yes").code == 0, "from here on the new time is believed"


def test_a_small_correction_is_no_jump(work: Small) -> None:
    run = work.hydra(30)
    seen_at(work, HOUR // 2)
    assert done(work.janitor("run", "--yes")) == {run}


def test_after_a_reboot_only_a_step_back_is_a_jump(work: Small) -> None:
    run = work.hydra(30)
    seen_at(work, 2 * DAY, boot="another")
    found = work.janitor("run", "--yes")
    assert (found.code, done(found)) == (4, set())
    assert "behind the last sweep" in found.said["errors"][0]["message"]
    seen_at(work, -2 * DAY, boot="another")
    assert done(work.janitor("run", "--yes")) == {run}


def test_undo_needs_no_clock(work: Small) -> None:
    run = work.hydra(30)
    work.janitor("run", "--yes")
    seen_at(work, 30 * DAY)
    assert work.janitor("undo").code == 0
    assert work.there(run)
