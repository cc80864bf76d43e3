"""What the clock said when it was last believed, and what follows for the dates of steps."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from artifact_janitor import clock


def believe(
    db: sqlite3.Connection, wall: int, awake: int, boot: str, *, agrees: bool = False
) -> None:
    """Note a reading. Where it agrees with the one before, what was dated in the future by a
    clock that was wrong was done before now: it is as old as that from here on, and not kept for
    years. A person's word for a clock alone makes nothing older."""
    db.execute("DELETE FROM clock")
    db.execute("INSERT INTO clock VALUES (?,?,?)", (wall, awake, boot))
    if agrees:
        db.execute("UPDATE step SET at = ? WHERE at > ?", (wall, wall + clock.TOLERANCE))


def not_before(before: tuple[int, int, str] | None, now: int) -> int:
    """The date of a step that is done when the clock says `now`; `before` is what was noted."""
    if before is None:
        return now
    return clock.not_before(clock.Reading(*before), replace(clock.read(), wall=now))
