"""Durations and sizes: what people write is read, and what is said reads well."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_janitor import units
from artifact_janitor.units import DAY, HOUR, MINUTE, SECOND, WEEK


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("14d", 14 * DAY),
        ("36h", 36 * HOUR),
        ("90m", 90 * MINUTE),
        ("60s", 60 * SECOND),
        ("2w", 2 * WEEK),
        ("0s", 0),
        (" 14 days ", 14 * DAY),
        ("1 hour", HOUR),
        ("36500d", units.LONGEST),
    ],
)
def test_durations_are_read(text: str, length: int) -> None:
    assert units.parse_duration(text) == length


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2 fortnights", '"2 fortnights" is no duration; write "14d", "36h", "90m"'),
        ("14", "is no duration"),
        ("", "is no duration"),
        ("-1d", "is no duration"),
        ("1.5d", "is no duration"),
        ("٣d", "is no duration"),
        ("6M", "is no duration"),  # months or minutes?
        ("1d\n", None),
        ("6 months", "months and years differ in length"),
        ("1y", "months and years differ in length"),
        ("36501d", "longer than a hundred years"),
        ("9" * 5000 + "d", "longer than a hundred years"),
        ("\x1b[31mred", r'"\\x1b\[31mred"'),
    ],
)
def test_what_is_no_duration_is_refused(text: str, says: str | None) -> None:
    if says is None:
        assert units.parse_duration(text) == DAY
        return
    with pytest.raises(ValueError, match=says) as error:
        units.parse_duration(text)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("50GB", 50 * 10**9),
        ("50 gb", 50 * 10**9),
        ("1.5TB", 1_500_000_000_000),
        ("2GiB", 2 * 2**30),
        ("100B", 100),
        ("3kB", 3000),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "50", "50G", "-1GB", "1e3GB", "1.GB", "GB", "٣GB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size; write"):
        units.parse_size(text)


@pytest.mark.parametrize("text", ["9999999PB", "9" * 5000 + "B"])
def test_no_disk_is_that_large(text: str) -> None:
    with pytest.raises(ValueError, match="larger than any disk"):
        units.parse_size(text)


@given(st.text())
def test_any_text_is_a_quantity_or_a_value_error(text: str) -> None:
    for parse in (units.parse_duration, units.parse_size):
        said = ""
        try:
            assert parse(text) >= 0
        except ValueError as error:
            said = str(error)
        assert said.isprintable()


@given(st.integers(0, units.LONGEST // SECOND).map(lambda seconds: seconds * SECOND))
def test_a_written_duration_reads_back(ns: int) -> None:
    assert units.parse_duration(units.duration_literal(ns)) == ns


@pytest.mark.parametrize(
    ("ns", "text"),
    [(DAY, "24h"), (7 * DAY, "7d"), (36 * HOUR, "36h"), (90 * MINUTE, "90m"), (MINUTE, "60s")],
)
def test_durations_are_written_as_people_would(ns: int, text: str) -> None:
    assert units.duration_literal(ns) == text


@pytest.mark.parametrize("ns", [-SECOND, 1, SECOND + 1])
def test_what_reads_back_differently_is_not_written(ns: int) -> None:
    with pytest.raises(ValueError, match="whole seconds"):
        units.duration_literal(ns)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (100 * DAY + 5 * HOUR, "100 days"),
        (DAY, "1 day"),
        (36 * HOUR, "36 h"),
        (2 * DAY - 1, "47 h"),
        (HOUR, "1 h"),
        (90 * MINUTE, "90 min"),
        (2 * MINUTE + 59 * SECOND, "2 min"),
        (90 * SECOND, "90 s"),
        (12 * SECOND, "12 s"),
        (0, "0 s"),
        (-3 * DAY, "-3 days"),
    ],
)
def test_ages_are_said_in_one_unit(ns: int, text: str) -> None:
    assert units.format_duration(ns) == text


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (3 * MINUTE + 12 * SECOND, "3 m 12 s"),
        (2 * HOUR + 5 * MINUTE, "2 h 5 m"),
        (3 * DAY + HOUR, "3 d 1 h"),
        (59 * SECOND, "59 s"),
        (SECOND // 4 + SECOND // 5, "0.5 s"),
        (-1, "0.0 s"),
    ],
)
def test_elapsed_time_is_said_in_two_units(ns: int, text: str) -> None:
    assert units.format_elapsed(ns) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (310_000_000, "310 MB"),
        (1_200_000_000, "1.2 GB"),
        (9_960_000_000, "10 GB"),
        (14_100_000_000, "14 GB"),
        (999_700_000, "1.0 GB"),
        (1_800_000_000_000, "1.8 TB"),
        (12_345 * 10**15, "12345 PB"),
        (-2_100_000, "-2.1 MB"),
    ],
)
def test_sizes_are_said_in_decimal_units(size: int, text: str) -> None:
    assert units.format_size(size) == text


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 21, 3, 5, tzinfo=UTC), "03:05"),
        (datetime(2026, 11, 28, 3, tzinfo=UTC), "28 Nov"),
        (datetime(2025, 3, 1, tzinfo=UTC), "1 Mar 2025"),
    ],
)
def test_moments_are_said_as_seen_from_now(moment: datetime, text: str) -> None:
    now = _ns(datetime(2026, 11, 21, 14, tzinfo=UTC))
    assert units.format_when(_ns(moment), now, UTC) == text


def test_a_moment_beyond_the_calendar_is_no_error() -> None:
    assert units.format_when(10**30, 0, UTC) == "an unknown day"


def test_quoted_text_is_short_and_on_one_line() -> None:
    assert units.quoted("ä\n\udc80") == '"ä\\n\\udc80"'
    assert units.quoted("x" * 1000) == '"' + "x" * 59 + '…"'
