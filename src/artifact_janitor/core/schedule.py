"""When a job is due by its cron expression: in whole minutes of local time.

cronsim says which times on the clock an expression means: weekdays from 0 or 7 (Sunday), and
days of the month *or* weekdays where both are named. When these times come in a zone whose
offset changes is decided here, as Debian's cron does:

- A job at fixed times (neither minute nor hour begin with ``*``) runs once for each: when the
  clock leaps over it, at the leap; when the clock says it twice, the first time.
- Any other job runs whenever the clock says so: one of each half hour never waits for two.

Moments are nanoseconds since the epoch, local time is told by an `Offset`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from hashlib import sha256

from cronsim import CronSim, CronSimError

from artifact_janitor.units import DAY, HOUR, SECOND

Offset = Callable[[int], int]
"""How many seconds local time is ahead of UTC, at a moment in seconds since the epoch."""

TOLERANCE = HOUR
"""How far in the future the last run of a job may lie before it was a wrong clock that said so."""

SPREAD = 60
"""Seconds: as many workspaces of one machine don't begin in the same moment, nor in another
minute than the one that was asked for."""

_EPOCH = datetime(1970, 1, 1)
_DAY = DAY // SECOND
_SINGLE = re.compile(r"\b(\w+)-\1/\d+")
"""A range of one, in steps: that one, where cronsim would count on from it."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The jobs by name, each with its cron expression, or "" where it is switched off."""

    retention: str = ""
    gitignore: str = ""
    verify: str = ""
    purge: str = ""
    resync: str = ""

    @property
    def jobs(self) -> dict[str, str]:
        """Those that are switched on."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: expression for name, expression in given.items() if expression}


def problem(expression: str) -> str:
    """What is wrong with an expression, or ""."""
    parts = expression.split()
    if len(parts) != 5:
        return f"it has {len(parts)} field{'s' * (len(parts) != 1)}, not 5"
    try:
        if next(CronSim(expression, _EPOCH), None) is None:
            return "there is no such day"
    except CronSimError as error:  # "Bad day-of-week"
        return f"the {str(error).removeprefix('Bad ').replace('-', ' ')} can't be"
    except (ValueError, OverflowError, AssertionError):
        return "it holds a number that is too large"
    return ""


def jitter(workspace: bytes) -> int:
    """By how many seconds the jobs of a workspace are late: always the same, less than SPREAD."""
    return int.from_bytes(sha256(workspace).digest()[:8]) % SPREAD


def believed(last: int, now: int) -> int:
    """When a job last ran; a moment in the far future was said by a clock that was wrong."""
    return now if last > now + TOLERANCE else last


def fires_after(expression: str, last: int, offset: Offset, delay: int = 0) -> int | None:
    """When a job runs next that last ran at `last`: in the past where that was missed.

    `delay` is how late the job always is, in nanoseconds. None where the day never comes.
    """
    found = due_after(expression, last - delay, offset)
    return None if found is None else found + delay


def due_after(expression: str, moment: int, offset: Offset) -> int | None:
    """The first time after a moment at which an expression is due, or None."""
    fixed = not any(part.startswith("*") for part in expression.split()[:2])
    find = _once_each if fixed else _whenever
    try:
        found = find(expression, moment // SECOND, offset)
    except (OverflowError, ValueError, OSError):  # a clock beyond the calendar
        return None
    return None if found is None else found * SECOND


def _once_each(expression: str, after: int, offset: Offset) -> int | None:
    for wall in _walls(expression, after + offset(after)):
        if (moment := _first(wall, offset)) > after:
            return moment
    return None


def _whenever(expression: str, after: int, offset: Offset) -> int | None:
    """Within each stretch of time in which the offset stays the same."""
    begin = after + 1
    while True:
        ahead = offset(begin)
        wall = next(_walls(expression, begin - 1 + ahead), None)
        if wall is None:
            return None
        change = _change(begin, wall - ahead, offset)
        if change is None:
            return wall - ahead
        begin = change


def _walls(expression: str, wall: int) -> Iterator[int]:
    """What the clock says each time, from the one after `wall` on, in seconds of local time."""
    plain = _SINGLE.sub(r"\1", expression)
    for found in CronSim(plain, _EPOCH + timedelta(seconds=wall)):
        yield (found - _EPOCH) // timedelta(seconds=1)


def _first(wall: int, offset: Offset) -> int:
    """The first moment at which the clock says `wall`, or that of the leap over it."""
    before, later = offset(wall - 2 * _DAY), offset(wall + 2 * _DAY)
    real = [wall - ahead for ahead in (before, later) if offset(wall - ahead) == ahead]
    if real:
        return min(real)
    leap = _change(wall - later, wall - before, offset)
    return wall - before if leap is None else leap


def _change(begin: int, end: int, offset: Offset) -> int | None:
    """The first moment after `begin`, and not after `end`, with another offset, or None."""
    ahead = offset(begin)
    for low in range(begin, end, _DAY):
        high = min(low + _DAY, end)
        if offset(high) != ahead:
            return low + bisect_left(
                range(low, high), True, key=lambda moment: offset(moment) != ahead
            )
    return None
