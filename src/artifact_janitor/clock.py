"""What time it is, and whether that can be believed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from artifact_janitor.units import DAY, HOUR, format_duration

TOLERANCE = HOUR
"""How far the wall clock may move against the time since boot before it has jumped."""

LONG_OFF = 45 * DAY
"""How long may lie between two sweeps if the machine was started anew since: nothing tells a
clock that was set meanwhile from a machine that was off. A sweep each month passes."""

_TIMEX = 512
"""Bytes, more than struct timex has anywhere; zeros only ask."""
_UNSYNCHRONISED = 5


@dataclass(frozen=True, slots=True)
class Reading:
    """The wall clock and the time since boot, in nanoseconds, and which boot that was."""

    wall: int
    awake: int
    boot: str


def read() -> Reading:
    boot = Path("/proc/sys/kernel/random/boot_id")
    name = boot.read_text("ascii").strip() if boot.exists() else ""
    return Reading(time.time_ns(), awake(), name)


def awake() -> int:
    """Time since boot: it goes on while the machine sleeps and is never set by anyone."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def jumped(before: Reading, now: Reading) -> str:
    """How the wall clock contradicts the earlier reading, or "".

    Within one boot every jump shows. After a reboot only a step back does.
    """
    passed = now.wall - before.wall
    if before.boot == now.boot:
        drift = passed - (now.awake - before.awake)
        if abs(drift) > TOLERANCE:
            way = "forward" if drift > 0 else "back"
            return f"the clock jumped {format_duration(abs(drift))} {way} since the last sweep"
    elif passed < -TOLERANCE:
        return f"the clock is {format_duration(-passed)} behind the last sweep"
    return ""


def doubtful(before: Reading, now: Reading) -> str:
    """Why ages can't be told from this reading before a person confirms it, or ""."""
    passed = now.wall - before.wall
    if before.boot != now.boot and passed > LONG_OFF:
        since = f"{format_duration(passed)} after the last sweep"
        return f"the clock is {since}, and the machine was started anew in between"
    return jumped(before, now)


def not_before(before: Reading, now: Reading) -> int:
    """What is done now is dated so: by the clock, but never before what passed since an earlier
    reading, lest a clock that was set back makes it seem old once it is right again."""
    passed = now.awake - before.awake if before.boot == now.boot else 0
    return max(now.wall, before.wall + passed)


def is_kept() -> bool | None:
    """Whether something (NTP, PTP, the host) keeps the kernel's clock right; None where the
    kernel doesn't tell. See adjtimex(2)."""
    import ctypes

    asked = ctypes.create_string_buffer(_TIMEX)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(asked)
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _UNSYNCHRONISED


def local(seconds: float) -> datetime:
    """An aware datetime in the time zone of whoever runs this."""
    return datetime.fromtimestamp(seconds).astimezone()


def offset(seconds: int) -> int:
    """How many seconds local time is ahead of UTC at a moment, in the zone of this machine.

    Raises OverflowError or OSError for a moment beyond the calendar.
    """
    return time.localtime(seconds).tm_gmtoff


def follow_zone() -> None:
    """Take in that the machine was moved to another zone since this process began."""
    time.tzset()
