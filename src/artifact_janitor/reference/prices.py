"""Read timestamps and prices from a CSV file, whoever wrote it.

Lines may be in any order, and a line may stand there twice. What makes no sense (a price
that is no number, two prices at one time, …) is one error that names the file and the line,
or, with ``series.bad_rows=drop``, left out and counted.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from artifact_janitor.errors import UsageError
from artifact_janitor.reference.settings import SeriesSettings

TIME_COLUMNS = ("timestamp", "time", "datetime", "date", "gmt time", "open time", "local time")
PRICE_COLUMNS = ("price", "close", "mid", "last", "rate", "value", "bid")
"""Names that are recognised where the settings name no column: the first that is there."""
FORMATS = ("%Y.%m.%d %H:%M:%S", "%Y.%m.%d %H:%M", "%Y%m%d %H%M%S", "%d.%m.%Y %H:%M:%S.%f")
"""What MetaTrader, HistData and Dukascopy write; ISO 8601 is tried first."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_PER_SECOND = {range(9, 11): 1, range(12, 14): 10**3, range(15, 17): 10**6, range(18, 20): 10**9}
"""Units of a timestamp that is a whole number, by its digits: seconds to nanoseconds."""


@dataclass(frozen=True, slots=True)
class Row:
    time: int
    """Microseconds since 1970, UTC."""
    price: float
    line: int


@dataclass(frozen=True)
class Table:
    rows: Sequence[Row]
    notes: tuple[str, ...]


@dataclass
class _Lenient:
    """What becomes of a bad line: an error, or a count."""

    path: Path
    drops: bool
    dropped: list[str] = field(default_factory=list)

    def bad(self, line: int, what: str) -> None:
        said = f"{self.path}, line {line}: {what}"
        if not self.drops:
            hint = "mend the line, or leave such lines out with series.bad_rows=drop"
            raise UsageError(said, hint, str(self.path))
        self.dropped.append(said)

    def notes(self) -> Iterator[str]:
        if self.dropped:
            yield f"{len(self.dropped)} bad lines left out, the first: {self.dropped[0]}"


def read(path: Path, settings: SeriesSettings) -> Table:
    """Rows in the order of time, one for each time.

    Raises UsageError, with the file and the line where there is one.
    """
    lenient = _Lenient(path, settings.bad_rows == "drop")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            found = list(_rows(file, settings, lenient))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "name a CSV file", str(path)) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text: {error.reason}", "", str(path)) from None
    rows, notes = _in_order(found, lenient)
    if not rows:
        raise UsageError(f"{path}: no prices in it", "name a CSV file with prices", str(path))
    return Table(rows, (*notes, *lenient.notes()))


def _rows(file: TextIO, settings: SeriesSettings, lenient: _Lenient) -> Iterator[Row]:
    header = file.readline()
    delimiter = max(",;\t", key=header.count)
    names = next(csv.reader([header], delimiter=delimiter), [])
    time_at = _column(names, settings.time_column, TIME_COLUMNS, "time", lenient.path)
    price_at = _column(names, settings.price_column, PRICE_COLUMNS, "price", lenient.path)
    home = zone(settings.timezone)
    lines = csv.reader(file, delimiter=delimiter, strict=True)
    while (cells := _next(lines, lenient)) is not None:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            yield _row(cells, len(names), time_at, price_at, lines.line_num + 1, home)
        except ValueError as error:
            lenient.bad(lines.line_num + 1, str(error))


def _next(lines: Iterator[list[str]], lenient: _Lenient) -> list[str] | None:
    while True:
        try:
            return next(lines, None)
        except csv.Error as error:
            lenient.bad(lines.line_num + 1, str(error))  # type: ignore[attr-defined]


def _row(
    cells: list[str], columns: int, time_at: int, price_at: int, line: int, home: tzinfo
) -> Row:
    if len(cells) != columns:
        raise ValueError(f"{len(cells)} columns, and the header has {columns}")
    time = microseconds(moment(cells[time_at], home))
    return Row(time, price(cells[price_at]), line)


def _column(
    names: list[str], wanted: str | None, known: Sequence[str], what: str, path: Path
) -> int:
    """Raises UsageError where no column bears the name, or a known one."""
    plain = [name.strip().strip("<>").lower() for name in names]
    for name in (wanted.strip().lower(),) if wanted else known:
        if name in plain:
            return plain.index(name)
    there = ", ".join(name.strip() for name in names) or "nothing"
    raise UsageError(
        f"{path}, line 1: no column {wanted or ' or '.join(known)}; there is {there}",
        f"name it: series.{what}_column=NAME",
        str(path),
    )


def _in_order(found: list[Row], lenient: _Lenient) -> tuple[list[Row], list[str]]:
    """Sorted by time; a repeated line counts once, and two prices at one time are an error."""
    notes = []
    if any(after.time < before.time for before, after in pairwise(found)):
        notes.append("lines were not in the order of time: sorted")
        found = sorted(found, key=attrgetter("time"))
    rows: list[Row] = []
    repeated = 0
    for row in found:
        if not rows or row.time != rows[-1].time:
            rows.append(row)
        elif row.price == rows[-1].price:
            repeated += 1
        else:
            lenient.bad(row.line, f"another price at the time of line {rows[-1].line}")
    return rows, notes + [f"{repeated} repeated lines left out"] * bool(repeated)


def price(text: str) -> float:
    """Raises ValueError where it is no positive number."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{_quoted(text)} is no price") from None
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{_quoted(text)} is no price: it has to be a positive number")
    return value


def moment(text: str, home: tzinfo) -> datetime:
    """A timestamp; one that names no offset is in the timezone `home`.

    Raises ValueError. At the end of summer time, an hour without an offset is the first
    of the two.
    """
    plain = text.strip()
    found = _numbered(plain) if plain.isascii() and plain.isdecimal() else None
    found = found or _written(plain)
    if found is None:
        raise ValueError(f"{_quoted(text)} is no timestamp")
    aware = found if found.tzinfo else found.replace(tzinfo=home)
    if not _EARLIEST <= aware < _LATEST:
        raise ValueError(f"{_quoted(text)} is no timestamp of our times")
    return aware


def _numbered(text: str) -> datetime | None:
    for digits, per_second in _PER_SECOND.items():
        if len(text) in digits:
            return EPOCH + timedelta(microseconds=int(text) * 10**6 // per_second)
    return None


def _written(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in FORMATS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None


def microseconds(when: datetime) -> int:
    return (when - EPOCH) // timedelta(microseconds=1)


def zone(name: str) -> tzinfo:
    """Raises UsageError where nobody knows the timezone."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f'series.timezone: no timezone "{name}"', "UTC, Europe/Zurich, …"
        ) from None


def _quoted(text: str) -> str:
    return f'"{text[:40]}"' if text.isprintable() else ascii(text[:40])
