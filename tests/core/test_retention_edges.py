"""The rules at their edges: clocks, time zones, ties, and dates that no calendar has."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from artifact_janitor.core.model import Artifact
from artifact_janitor.core.policy import Policy
from artifact_janitor.core.retention import LocalTime, furthest_first, judge, newest_first
from artifact_janitor.units import DAY, HOUR, MINUTE, SECOND
from tests.core.history import NOW, at, local


def run(name: str, time: int, step: int | None = None, within: str = "") -> Artifact:
    return Artifact(f"outputs/{name}", "hydra-run", time, step=step, within=within)


def kept(runs: list[Artifact], policy: Policy, zone: LocalTime = local) -> set[str]:
    verdicts = judge(runs, [policy], NOW, zone)
    return {path.removeprefix("outputs/") for path, each in verdicts.items() if each.kept}


def zone(name: str) -> LocalTime:
    return lambda seconds: datetime.fromtimestamp(seconds, ZoneInfo(name))


@pytest.mark.parametrize("rule", ["keep_hourly", "keep_daily", "keep_weekly", "keep_monthly"])
def test_a_nanosecond_before_midnight_is_the_day_before(rule: str) -> None:
    """1 Sep 2025 is a Monday. A float of seconds can't tell the two apart."""
    midnight = at("2025-09-01 00:00:00")
    runs = [run("before", midnight - 1), run("after", midnight)]
    assert kept(runs, Policy("hydra-run", **{rule: 2})) == {"before", "after"}
    assert kept(runs, Policy("hydra-run", **{rule: 1})) == {"after"}


def test_the_same_wall_hour_twice_is_two_hours() -> None:
    runs = [
        run("summer", at("2025-10-26 02:30:00")),
        run("winter", at("2025-10-26 02:30:00 second")),
    ]
    assert kept(runs, Policy("hydra-run", keep_hourly=2)) == {"summer", "winter"}
    assert kept(runs, Policy("hydra-run", keep_hourly=1)) == {"winter"}
    assert kept(runs, Policy("hydra-run", keep_daily=2)) == {"winter"}


def test_the_day_on_which_clocks_change_is_one_day() -> None:
    """It has 23 or 25 hours."""
    for day in ("2025-03-30", "2025-10-26"):
        runs = [run("first", at(f"{day} 00:00:00")), run("last", at(f"{day} 23:59:59"))]
        assert kept(runs, Policy("hydra-run", keep_daily=9)) == {"last"}


def test_hours_are_those_of_the_wall_clock() -> None:
    """In Kathmandu the hour begins at a quarter past, as the rest of the world sees it."""
    quarter = at("2025-09-01 12:15:00")
    runs = [run("before", quarter - MINUTE), run("after", quarter + MINUTE)]
    assert kept(runs, Policy("hydra-run", keep_hourly=5)) == {"after"}
    assert len(kept(runs, Policy("hydra-run", keep_hourly=5), zone("Asia/Kathmandu"))) == 2


def test_days_are_those_of_the_place() -> None:
    late = at("2025-09-01 23:30:00")
    runs = [run("late", late), run("later", late + HOUR)]
    assert len(kept(runs, Policy("hydra-run", keep_daily=5))) == 2
    assert kept(runs, Policy("hydra-run", keep_daily=5), zone("America/New_York")) == {"later"}


def test_weeks_begin_on_monday_and_cross_the_year() -> None:
    days = ("2025-12-28", "2025-12-29", "2025-12-31", "2026-01-01", "2026-01-04", "2026-01-05")
    runs = [run(day, at(f"{day} 12:00:00")) for day in days]
    weekly = kept(runs, Policy("hydra-run", keep_weekly=9))
    assert weekly == {"2025-12-28", "2026-01-04", "2026-01-05"}


def test_an_age_is_kept_to_the_nanosecond() -> None:
    runs = [run("in", NOW - DAY), run("out", NOW - DAY - 1)]
    assert kept(runs, Policy("hydra-run", keep_within=DAY)) == {"in"}


def test_now_is_not_the_future() -> None:
    runs = [run("old", NOW - 1), run("now", NOW), run("next", NOW + 1)]
    assert kept(runs, Policy("hydra-run", keep_last=1)) == {"now", "next"}
    verdicts = judge(runs, [Policy("hydra-run", keep_last=1)], NOW, local)
    assert verdicts["outputs/next"].reasons == ("its newest file is dated in the future",)


@pytest.mark.parametrize("year", [-1200, 20_000])
@pytest.mark.parametrize("rule", ["keep_hourly", "keep_daily", "keep_weekly", "keep_monthly"])
def test_a_date_that_no_calendar_has_stops_nothing(rule: str, year: int) -> None:
    """tmpfs, for one, stores whatever ``touch -d @-99999999999`` says. S7: it stays."""
    odd = int((year - 1970) * 365.25 * DAY)
    runs = [run("odd", odd), run("sane", NOW - DAY)]
    assert kept(runs, Policy("hydra-run", **{rule: 9})) == {"odd", "sane"}


def test_what_is_dated_before_such_tools_existed_stays_and_takes_no_place() -> None:
    """A clock that was never set says 1970, an archive without dates 1980 (S7)."""
    odd = [run("1969", -SECOND), run("1970", 0), run("1980", 10 * 365 * DAY)]
    runs = [*odd, run("old", NOW - 9 * DAY), run("new", NOW - DAY)]
    assert kept(runs, Policy("hydra-run", keep_last=1)) == {"1969", "1970", "1980", "new"}


def test_ties_in_time_are_settled_by_step_then_by_path() -> None:
    runs = [run("a", NOW, 1), run("b", NOW, 2), run("c", NOW, 2), run("d", NOW)]
    assert [each.path[-1] for each in newest_first(runs)] == ["c", "b", "a", "d"]
    assert [each.path[-1] for each in furthest_first(runs)] == ["c", "b", "a"]


def test_ties_in_step_are_settled_by_time() -> None:
    runs = [run("a", NOW - 1, 7), run("b", NOW - 2, 7), run("c", NOW, 0)]
    assert [each.path[-1] for each in furthest_first(runs)] == ["a", "b", "c"]


def test_the_last_are_the_newest_and_the_furthest() -> None:
    """After a copy the order of times is any; after a restart that of steps is."""
    runs = [run(str(step), NOW - age, step) for age, step in enumerate((1, 2, 30, 20))]
    assert kept(runs, Policy("hydra-run", keep_last=1)) == {"1", "30"}
    assert kept(runs, Policy("hydra-run", keep_last=2)) == {"1", "2", "30", "20"}


def test_steps_are_numbers() -> None:
    runs = [run(str(step), NOW - DAY, step) for step in (9, 10, 100)]
    assert kept(runs, Policy("hydra-run", keep_last=1)) == {"100"}


def test_checkpoints_are_counted_within_their_run() -> None:
    runs = [run(f"{job}{n}", NOW - n, within=job) for job in "ab" for n in range(3)]
    assert kept(runs, Policy("hydra-run", keep_last=1)) == {"a0", "b0"}


@pytest.mark.parametrize("rule", ["keep_last", "keep_daily"])
def test_each_series_of_a_run_is_counted_for_itself(rule: str) -> None:
    """The ranks of a sharded state; of folds, one has ended earlier."""
    steps = {"a": (1, 2), "b": (1, 2, 3)}
    runs = [
        replace(run(f"{of}{step}", NOW - (9 - step) * DAY, step, within="r"), series=f"{of}#")
        for of, all_of_it in steps.items()
        for step in all_of_it
    ]
    assert kept(runs, Policy("hydra-run", **{rule: 1})) == {"a2", "b3"}
    assert kept(runs, Policy("hydra-run", **{rule: 2})) == {"a1", "a2", "b2", "b3"}


def test_policies_that_differ_in_anything_rank_apart() -> None:
    runs = [run(f"{place}/{n}", NOW - n) for place in "ab" for n in range(3)]
    policies = [Policy("hydra-run", f"outputs/{place}/*", keep_last=1) for place in "ab"]
    verdicts = judge(runs, policies, NOW, local)
    assert {path for path, each in verdicts.items() if each.kept} == {"outputs/a/0", "outputs/b/0"}


def test_what_no_policy_governs_says_so() -> None:
    verdicts = judge(
        [run("a", NOW), Artifact("outputs/x", "unknown", NOW)],
        [Policy("log", keep_last=1)],
        NOW,
        local,
    )
    assert [each.reasons for each in verdicts.values()] == [
        ("no policy for hydra-run here",),
        ("no layout explains it",),
    ]
    assert all(each.kept and each.policy is None for each in verdicts.values())
