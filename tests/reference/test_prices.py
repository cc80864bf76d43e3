"""Prices from a CSV file: what is read, what is mended, and what is refused by file and line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from artifact_janitor.errors import JanitorError, UsageError
from artifact_janitor.reference import prices, series
from artifact_janitor.reference.settings import SeriesSettings

START = datetime(2026, 1, 5, tzinfo=UTC)


def read(path: Path, text: str | bytes, **settings: object) -> series.Series:
    path = path / "prices.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return series.read(path, SeriesSettings.model_validate(settings))


def hour(number: int) -> int:
    return prices.microseconds(START + timedelta(hours=number))


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("timestamp,price\n2026-01-05T00:00:00Z,1.5\n2026-01-05T01:00:00Z,2\n", {}),
        ("Time;Close;Volume\n2026-01-05 00:00;1.5;9\n2026-01-05 01:00;2;9\n", {}),
        ("﻿<DATE>\t<CLOSE>\r\n2026.01.05 00:00\t1.5\r\n2026.01.05 01:00\t2\r\n", {}),
        ("time,bid,mid\n1767571200,9,1.5\n1767574800,9,2\n", {}),
        ("time,price\n1767571200000,1.5\n1767574800000,2\n", {}),
        ("time,price\n20260105 000000,1.5\n20260105 010000,2\n", {}),
        ("t,p,price\n2026-01-05,1.5,7\n2026-01-05T01:00,2,7\n", {"time_column": "t"}),
        (
            "time,price\n2026-01-05 01:00,1.5\n2026-01-05 02:00,2\n",
            {"timezone": "Europe/Zurich"},
        ),
        (
            "time,price\n2026-01-05T01:00+01:00,1.5\n2026-01-05T01:00,2\n",
            {"timezone": "UTC"},
        ),
        ('time,price\n"2026-01-05 01:00",2\n\n2026-01-05 00:00,1.5\n2026-01-05 01:00,2.0\n', {}),
    ],
    ids=(
        "iso,metatrader with other columns,bom tabs crlf,seconds and mid before bid,"
        "milliseconds,histdata,named column,naive in a timezone,offset,unsorted and repeated"
    ).split(","),
)
def test_the_same_prices_are_read(tmp_path: Path, text: str, settings: dict[str, object]) -> None:
    chosen = {"price_column": "p"} if "time_column" in settings else {}
    found = read(tmp_path, text, **settings, **chosen)
    assert found.times.tolist() == [hour(0), hour(1)]
    assert found.prices.tolist() == [1.5, 2.0]


HEAD = "timestamp,price\n2026-01-05,1.5\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2026-01-06,nan", 'line 3: "nan" is no price'),
        ("2026-01-06,", 'line 3: "" is no price'),
        ("2026-01-06,-1", "positive"),
        ("2026-01-06,inf", "positive"),
        ("2026-01-06,1.2.3", 'line 3: "1.2.3" is no price'),
        ("yesterday,1.2", 'line 3: "yesterday" is no timestamp'),
        ("99999999999999999999999,1.2", "is no timestamp"),
        ("9999-12-31T23:00:00-23:59,1.2", "is no timestamp"),
        ("0001-01-01,1.2", "is no timestamp of our times"),
        ("2026-01-06,1.2,3", "line 3: 3 columns, and the header has 2"),
        ("2026-01-05,1.6", "line 3: another price at the time of line 2"),
        ('2026-01-06,"1.2', "line 3: "),
        ("\n\n2026-01-06;1.2", "line 5: 1 columns"),
    ],
)
def test_a_bad_line_is_named_or_left_out(tmp_path: Path, line: str, said: str) -> None:
    text = f"{HEAD}{line}\n"
    with pytest.raises(UsageError) as raised:
        read(tmp_path, text)
    assert said in raised.value.message
    assert raised.value.message.startswith(str(tmp_path / "prices.csv"))
    assert "bad_rows=drop" in raised.value.hint
    lenient = read(tmp_path, text, bad_rows="drop")
    assert lenient.prices.tolist() == [1.5]
    assert "1 bad lines left out" in lenient.notes[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: no column"),
        ("a,b\n1,2\n", "there is a, b"),
        ("timestamp,volume\n2026-01-05,3\n", "no column price or close"),
        ("timestamp,price\n", "no prices in it"),
        (b"timestamp,price\n2026-01-05,1.5\xff\n", "no UTF-8"),
        (b"\x80\x02}q\x00.", "no UTF-8"),
        (b"timestamp,price\n\x00\x00,1\n", "line 2"),
    ],
)
def test_a_file_without_prices_is_one_clear_error(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    with pytest.raises(UsageError) as raised:
        read(tmp_path, text)
    assert said in raised.value.message
    assert "prices.csv" in raised.value.message


def test_what_is_no_file_is_one_clear_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.csv"):
        with pytest.raises(UsageError) as raised:
            series.read(path, SeriesSettings())
        assert str(path) in raised.value.message
    with pytest.raises(UsageError, match="no timezone"):
        read(tmp_path, HEAD, timezone="Mars/Olympus")


def test_what_was_mended_is_said(tmp_path: Path) -> None:
    text = f"{HEAD}2026-01-04,1.4\n2026-01-05,1.5\n2026-01-06,x\n"
    found = read(tmp_path, text, bad_rows="drop")
    assert found.prices.tolist() == [1.4, 1.5]
    assert [note.partition(",")[0] for note in found.notes] == [
        "lines were not in the order of time: sorted",
        "1 repeated lines left out",
        "1 bad lines left out",
    ]


def test_the_end_of_a_series_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("time,price\n2026-01-05,1\n2026-01-06,2\n2026-01-07,3\n")
    settings = SeriesSettings(csv=str(path), until="2026-01-06")
    assert series.load(settings).prices.tolist() == [1.0, 2.0]
    with pytest.raises(JanitorError, match="until"):
        series.load(SeriesSettings(csv=str(path), until="soon"))


def test_the_generated_series_has_the_signal_that_it_says() -> None:
    settings = SeriesSettings(rows=20_000, signal=0.6)
    made = series.generated(settings)
    steps = np.diff(np.log(made.prices))
    repeats = float(np.mean((steps[1:] > 0) == (steps[:-1] > 0)))
    assert abs(repeats - series.best_accuracy(0.6)) < 0.01
    assert made.sha256 == series.generated(settings).sha256
    assert made.sha256 != series.generated(SeriesSettings(rows=20_000, signal=0.6, seed=1)).sha256
    days = {datetime.fromtimestamp(time / 1e6, UTC).weekday() for time in made.times.tolist()}
    assert days == {0, 1, 2, 3, 4, 6}
    assert set(np.diff(made.times).tolist()) == {3_600_000_000, 49 * 3_600_000_000}
