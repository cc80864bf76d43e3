"""Durations and sizes: as people write them, and as people say them. Pure functions.

Durations are nanoseconds, sizes bytes, moments nanoseconds since the epoch.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from decimal import Decimal

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
LONGEST = 36_500 * DAY
"""The longest duration that makes sense here: a hundred years fit into 64 bits three times."""

_DURATIONS = {
    name: unit
    for unit, names in {
        SECOND: "s sec second seconds",
        MINUTE: "m min minute minutes",
        HOUR: "h hour hours",
        DAY: "d day days",
        WEEK: "w week weeks",
    }.items()
    for name in names.split()
}
_CALENDAR = ("mo", "month", "months", "y", "year", "years")
_SIZES = {"B": 1} | {
    prefix + suffix: base**power
    for power, prefix in enumerate("KMGTP", start=1)
    for suffix, base in (("B", 1000), ("IB", 1024))
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def parse_duration(text: str) -> int:
    """ "14d", "36h", "90m", "60s", "2w" or "14 days" in nanoseconds; "m" is minutes.

    Raises ValueError, with what to write instead. Capitals are no units: "6M" could
    mean six months, and minutes would then keep far too little.
    """
    match = re.fullmatch(r"([0-9]+) ?([a-z]+)", text.strip())
    if match and match[2] in _CALENDAR:
        raise ValueError(f'{quoted(text)}: months and years differ in length; write "30d", "365d"')
    if not match or match[2] not in _DURATIONS:
        raise ValueError(f'{quoted(text)} is no duration; write "14d", "36h", "90m"')
    if len(match[1]) > 12 or (length := int(match[1]) * _DURATIONS[match[2]]) > LONGEST:
        raise ValueError(f"{quoted(text)} is longer than a hundred years")
    return length


def parse_size(text: str) -> int:
    """ "50GB", "1.5 TB" (decimal) or "2GiB" (binary) in bytes.

    Raises ValueError, with what to write instead. "50G" is neither one nor the other.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([A-Z]+)", text.strip().upper(), re.ASCII)
    if not match or match[2] not in _SIZES:
        raise ValueError(f'{quoted(text)} is no size; write "50GB", "500MB", "2TiB"')
    if len(match[1]) > 18 or (size := int(Decimal(match[1]) * _SIZES[match[2]])) >= 2**63:
        raise ValueError(f"{quoted(text)} is larger than any disk")
    return size


def duration_literal(ns: int) -> str:
    """A duration as `parse_duration` reads it back: "7d", "24h", "90m", "60s".

    Raises ValueError where it is no whole number of seconds, or negative.
    """
    if ns < 0 or ns % SECOND:
        raise ValueError(f"{ns} ns can't be written in whole seconds")
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if ns % unit == 0 and ns >= 2 * unit:
            return f"{ns // unit}{name}"
    return f"{ns // SECOND}s"


def format_duration(ns: int) -> str:
    """An age or a limit in one unit, rounded down: "100 days", "36 h", "2 min", "12 s".

    Below two of a unit the next smaller one says it better: "90 min", not "1 h".
    """
    if ns < 0:
        return "-" + format_duration(-ns)
    for unit, name in ((DAY, "day"), (HOUR, "h"), (MINUTE, "min")):
        if ns >= 2 * unit or ns == unit:
            plural = "s" if name == "day" and ns > unit else ""
            return f"{ns // unit} {name}{plural}"
    return f"{ns // SECOND} s"


def format_elapsed(ns: int) -> str:
    """How long something took, in two units: "3 m 12 s", "2 h 5 m", "0.4 s"."""
    if ns < 10 * SECOND:
        return f"{max(ns, 0) / SECOND:.1f} s"
    for unit, name, smaller, small in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "m"),
        (MINUTE, "m", SECOND, "s"),
    ):
        if ns >= unit:
            return f"{ns // unit} {name} {ns % unit // smaller} {small}"
    return f"{ns // SECOND} s"


def format_size(size: int) -> str:
    """Bytes in decimal units, two digits at least: "310 MB", "1.2 GB", "14 GB"."""
    if abs(size) < 1000:
        return f"{size} B"
    value, units = float(size), iter(("kB", "MB", "GB", "TB", "PB"))
    unit = "B"
    while round(abs(value)) >= 1000 and (larger := next(units, "")):
        value, unit = value / 1000, larger
    digits = 1 if round(abs(value), 1) < 10 else 0
    return f"{value:.{digits}f} {unit}"


def format_when(ns: int, now: int, zone: tzinfo | None = None) -> str:
    """A moment as seen from `now`: "14:03" today, "28 Nov", "28 Nov 2027".

    `zone` None is the local time zone. A moment outside the calendar is "an unknown day".
    """
    try:
        moment, today = (datetime.fromtimestamp(at / SECOND, zone) for at in (ns, now))
    except (ValueError, OverflowError, OSError):
        return "an unknown day"
    if moment.date() == today.date():
        return f"{moment:%H:%M}"
    day = f"{moment.day} {_MONTHS[moment.month - 1]}"
    return day if moment.year == today.year else f"{day} {moment.year}"


def quoted(text: str) -> str:
    """Text from outside, made safe to print: short, on one line, in quotation marks."""
    short = text if len(text) <= 60 else text[:59] + "…"
    plain = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short)
    return f'"{plain}"'
