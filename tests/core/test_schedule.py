"""When a job is due: beside a scan of every minute, by what crontab(5) says."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact_janitor.core.schedule import (
    SPREAD,
    TOLERANCE,
    Offset,
    Schedule,
    believed,
    due_after,
    fires_after,
    jitter,
    problem,
)
from artifact_janitor.units import DAY, HOUR, MINUTE, SECOND

NAMES = {
    **{name: n for n, name in enumerate("sun mon tue wed thu fri sat".split())},
    **{
        name: n
        for n, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
    },
}
LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def offset_in(zone: str) -> Offset:
    known = ZoneInfo(zone)

    def offset(seconds: int) -> int:
        ahead = datetime.fromtimestamp(seconds, known).utcoffset()
        assert ahead is not None
        return int(ahead.total_seconds())

    return offset


def at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return int(moment.timestamp()) * SECOND


def said(moment: int, zone: str) -> str:
    return datetime.fromtimestamp(moment // SECOND, ZoneInfo(zone)).isoformat()


def following(expression: str, since: str, zone: str, count: int, fold: int = 0) -> list[str]:
    """The next times, as a clock in the zone says them."""
    moment, found = at(since, zone, fold), []
    for _ in range(count):
        due = due_after(expression, moment, offset_in(zone))
        assert due is not None
        found.append(said(due, zone))
        moment = due
    return found


# ---------------------------------------------------------------- the oracle


def meant(field: str, limits: tuple[int, int]) -> set[int]:
    """The numbers that a field names, by crontab(5)."""
    numbers: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            low, high = limits
        elif "-" in span:
            low, high = (_number(end) for end in span.split("-"))
        else:
            low = _number(span)
            high = limits[1] if step else low
        numbers |= {*range(low, high + 1, int(step or 1))}
    return numbers


def _number(word: str) -> int:
    return NAMES[word.lower()] if word.lower() in NAMES else int(word)


class Oracle:
    """Every minute of some days in turn: does the expression mean it?"""

    def __init__(self, expression: str) -> None:
        self.words = expression.split()
        pairs = zip(self.words, LIMITS, strict=True)
        self.minute, self.hour, self.day, self.month, named = (meant(*each) for each in pairs)
        self.weekday = {number % 7 for number in named}

    def means(self, wall: datetime) -> bool:
        """A day is meant by its number and its weekday, or by either where both are named."""
        by_number = wall.day in self.day
        by_weekday = wall.isoweekday() % 7 in self.weekday
        is_either = self.words[2][0] != "*" and self.words[4][0] != "*"
        is_day = by_number or by_weekday if is_either else by_number and by_weekday
        return (
            is_day
            and wall.month in self.month
            and wall.hour in self.hour
            and wall.minute in self.minute
        )

    def dues(self, begin: datetime, days: int, zone: ZoneInfo) -> Iterator[int]:
        """In seconds since the epoch; `begin` is in UTC. Minute by minute of real time, the
        clock beside it."""
        is_fixed = self.words[0][0] != "*" and self.words[1][0] != "*"
        seen: set[datetime] = set()
        before = (begin - timedelta(minutes=181)).astimezone(zone).replace(tzinfo=None)
        for minute in range(-180, days * 24 * 60):
            moment = begin + timedelta(minutes=minute)
            wall = moment.astimezone(zone).replace(tzinfo=None)
            if not is_fixed:
                due = self.means(wall)
            else:  # what the clock leapt over comes now, what it says again doesn't
                leap = int((wall - before) / timedelta(minutes=1))
                passed = [wall - timedelta(minutes=each) for each in range(max(leap, 1))]
                due = any(self.means(each) and each not in seen for each in passed)
                seen.update(passed)
            if due and minute > 0:
                yield int(moment.timestamp())
            before = wall


# zones that change at midnight, by half an hour, in the south, twice around Ramadan, and never
ZONES = (
    "Europe/Berlin America/New_York Australia/Lord_Howe America/Santiago Asia/Beirut Africa/Cairo "
    "Africa/Casablanca Antarctica/Troll America/St_Johns Asia/Kathmandu UTC"
).split()


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.tuples(st.one_of(st.just("*"), span), st.integers(1, high)).map(
        lambda pair: f"{pair[0]}/{pair[1]}"
    )
    one = st.one_of(number.map(str), span, step)
    return st.one_of(st.just("*"), one, st.lists(one, min_size=2, max_size=3).map(",".join))


EXPRESSIONS = st.tuples(*(fields(*each) for each in LIMITS)).map(" ".join)


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone, and a moment: mostly a few hours before its offset changes."""
    zone = draw(st.sampled_from(ZONES))
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=draw(st.integers(0, 525_600)))
    offset, moment = offset_in(zone), int(begin.timestamp())
    for day in range(moment, moment + 366 * 86_400, 86_400):
        ahead = offset(day)
        if offset(day + 86_400) != ahead and draw(st.integers(0, 9)):
            minutes = range(day, day + 86_400, 60)
            change = bisect_left(minutes, True, key=lambda each: offset(each) != ahead)
            earlier = timedelta(minutes=draw(st.integers(-120, 300)))
            return zone, datetime.fromtimestamp(minutes[0] + 60 * change, UTC) - earlier
    return zone, begin


def check_beside_the_oracle(expression: str, where: tuple[str, datetime], days: int = 2) -> None:
    if problem(expression):  # the 30th of February
        return
    zone, begin = where
    begin = begin.replace(second=0)  # as the scan begins
    expected = [*Oracle(expression).dues(begin, days, ZoneInfo(zone))]
    moment, found = int(begin.timestamp()) * SECOND, []
    end = moment + days * DAY
    while (due := due_after(expression, moment, offset_in(zone))) is not None and due < end:
        found.append(due // SECOND)
        moment = due
        if len(found) > 400 and found == expected[: len(found)]:
            return
    assert found == expected


@settings(max_examples=40, deadline=None)
@given(EXPRESSIONS, changes())
def test_every_time_is_one_that_the_oracle_finds(
    expression: str, where: tuple[str, datetime]
) -> None:
    check_beside_the_oracle(expression, where)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@settings(max_examples=5000, deadline=None)
@given(EXPRESSIONS, changes())
def test_the_oracle_finds_the_same_for_thousands(
    expression: str, where: tuple[str, datetime]
) -> None:
    check_beside_the_oracle(expression, where)


# ---------------------------------------------------------------- what people write


@pytest.mark.parametrize(
    ("expression", "since", "days"),
    [
        ("0 3 * * *", "2026-11-22 12:00", ["11-23", "11-24"]),
        ("0 3 * * 1", "2026-11-22 12:00", ["11-23", "11-30"]),  # a Monday
        ("0 3 * * 0", "2026-11-22 12:00", ["11-29", "12-06"]),
        ("0 3 * * 7", "2026-11-22 12:00", ["11-29", "12-06"]),
        ("0 3 * * sun", "2026-11-22 12:00", ["11-29", "12-06"]),
        ("0 3 13 * 5", "2026-11-01 12:00", ["11-06", "11-13", "11-20", "11-27", "12-04"]),
        ("0 3 1 * 5", "2026-11-28 12:00", ["12-01", "12-04"]),  # either
        ("0 3 */2 * 1", "2026-11-22 12:00", ["11-23", "12-07"]),  # both: it begins with a star
        ("0 3 29 2 *", "2026-11-22 12:00", ["02-29"]),
        ("0 3 L * *", "2026-11-22 12:00", ["11-30", "12-31"]),
    ],
)
def test_days(expression: str, since: str, days: list[str]) -> None:
    found = following(expression, since, "UTC", len(days))
    assert [each[5:10] for each in found] == days
    assert {each[11:16] for each in found} == {"03:00"}


SPRING, AUTUMN = "2026-03-28 12:00", "2026-10-24 12:00"


@pytest.mark.parametrize(
    ("expression", "since", "times"),
    [
        ("30 2 * * *", SPRING, ["29T03:00+02", "30T02:30+02"]),  # 02:30 doesn't exist
        ("15,45 2 * * *", SPRING, ["29T03:00+02", "30T02:15+02"]),
        ("0 2,3 * * *", SPRING, ["29T03:00+02", "30T02:00+02"]),
        ("30 2 * * *", AUTUMN, ["25T02:30+02", "26T02:30+01"]),  # it comes twice
        ("0 */2 * * *", SPRING, [*(f"28T{h}:00+01" for h in (14, 16, 18, 20, 22)), "29T00:00+01"]),
        ("30 */2 25 * *", AUTUMN, ["25T00:30+02", "25T02:30+02", "25T02:30+01", "25T04:30+01"]),
        ("30 * 25 * *", AUTUMN, [f"25T0{h}+0{z}" for h, z in (("0:30", 2), ("1:30", 2))]),
    ],
)
def test_days_on_which_the_clock_is_changed(expression: str, since: str, times: list[str]) -> None:
    found = following(expression, since, "Europe/Berlin", len(times))
    assert [f"{each[8:16]}{each[19:22]}" for each in found] == times


def test_a_start_within_the_second_pass_of_an_hour_runs_nothing_again() -> None:
    """02:30 was, an hour ago; asked without the fold, cronsim says that it comes."""
    (found,) = following("30 2 * * *", "2026-10-25 02:10", "Europe/Berlin", 1, fold=1)
    assert found == "2026-10-26T02:30:00+01:00"


def test_half_an_hour_of_summer_time() -> None:
    """On Lord Howe Island 02:00 is 01:30 again; quarters of an hour from 02:00 are all there."""
    found = following("*/15 2 * * *", "2026-04-04 12:00", "Australia/Lord_Howe", 4)
    assert [each[8:16] for each in found] == ["05T02:00", "05T02:15", "05T02:30", "05T02:45"]


def test_a_time_that_a_later_change_hides_is_found_all_the_same() -> None:
    """From January on, the first pass of the hour lies in another offset than both ends."""
    found = following("*/30 2 25 10 *", "2026-01-01 00:00", "Europe/Berlin", 4)
    assert [each[11:22] for each in found] == [
        "02:00:00+02",
        "02:30:00+02",
        *(f"{each}+01" for each in ("02:00:00", "02:30:00")),
    ]


# ---------------------------------------------------------------- missed, late, and impossible


def test_what_was_missed_is_due_in_the_past_and_once() -> None:
    last = at("2026-11-20 03:00:05")
    now = at("2026-11-22 12:00")
    offset = offset_in("UTC")
    assert fires_after("0 3 * * *", last, offset) == at("2026-11-21 03:00") < now
    assert fires_after("0 3 * * *", now, offset) == at("2026-11-23 03:00")


def test_a_job_that_is_always_late_is_not_due_twice() -> None:
    offset, late = offset_in("UTC"), 42 * SECOND
    first = fires_after("* * * * *", at("2026-11-22 12:00"), offset, late)
    assert first == at("2026-11-22 12:00:42")
    assert fires_after("* * * * *", first, offset, late) == at("2026-11-22 12:01:42")
    assert fires_after("* * * * *", first - SECOND, offset, late) == first


def test_a_run_in_the_far_future_was_said_by_a_wrong_clock() -> None:
    now = at("2026-11-22 12:00")
    assert believed(now + 365 * DAY, now) == now
    assert believed(now + TOLERANCE, now) == now + TOLERANCE  # set back by a little: not twice
    assert believed(now - 365 * DAY, now) == now - 365 * DAY


@pytest.mark.parametrize("moment", [-(2**62), -DAY, 0, 2**62, 2**63 - 1, 250_000_000_000 * SECOND])
def test_a_clock_beyond_the_calendar_never_fails(moment: int) -> None:
    for expression in ("0 3 * * *", "*/5 * * * *", "0 0 29 2 *"):
        found = due_after(expression, moment, lambda seconds: -5 * 3600)
        assert found is None or moment < found


def test_workspaces_begin_at_different_seconds_of_the_same_minute() -> None:
    found = [jitter(f"/data/project-{n}".encode()) for n in range(50)]
    assert found == [jitter(f"/data/project-{n}".encode()) for n in range(50)]
    assert len({*found}) > 25
    assert all(0 <= each < SPREAD for each in found)
    assert SPREAD * SECOND <= MINUTE < HOUR


def test_jobs_that_are_switched_off_are_none() -> None:
    assert Schedule(retention="0 3 * * *", purge="0 4 * * *").jobs == {
        "retention": "0 3 * * *",
        "purge": "0 4 * * *",
    }


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("0 3 * *", "it has 4 fields, not 5"),
        ("0 0 3 * * *", "it has 6 fields, not 5"),
        ("60 3 * * *", "the minute can't be"),
        ("0 24 * * *", "the hour can't be"),
        ("0 3 0 * *", "the day of month can't be"),
        ("0 3 * 13 *", "the month can't be"),
        ("0 3 * * 8", "the day of week can't be"),
        ("0 3 * * mo", "the day of week can't be"),
        ("*/0 3 * * *", "the minute can't be"),
        ("5-1 3 * * *", "the minute can't be"),
        ("0 3 30 2 *", "the day of month can't be"),
        ("0 3 */31 2 1#5", "there is no such day"),
        ("0 3 * * ٣", "the day of week can't be"),
        ("9" * 5000 + " 3 * * *", "it holds a number that is too large"),
    ],
)
def test_what_is_wrong_with_an_expression(expression: str, why: str) -> None:
    assert problem(expression) == why


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        EXPRESSIONS, st.text("0123456789*/-,LW#SUNJAN \n٣", max_size=30), st.text(max_size=20)
    )
)
def test_what_passes_has_a_next_time_and_what_does_not_is_told(text: str) -> None:
    expression = " ".join(text.split())
    if not problem(expression):
        for zone in ("UTC", "Europe/Berlin"):
            assert due_after(expression, at("2026-01-01 00:00"), offset_in(zone)) is not None
