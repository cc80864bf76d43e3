"""``[schedule]``: when the daemon does what, as cron expressions."""

from __future__ import annotations

from typing import Annotated

from pydantic import PlainValidator

from artifact_janitor.config.said import said
from artifact_janitor.config.table import Table, setting
from artifact_janitor.core.schedule import problem

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""What some crons know besides."""

FORM = 'write minute, hour, day, month, weekday: "0 3 * * *" is 03:00 each day, "" is never'


def expression(value: object) -> str:
    """A cron expression, or "". Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"{said(value)} is no cron expression; {FORM}")
    text = " ".join(value.split())
    if text in NICKNAMES:
        raise ValueError(f'{said(text)} is written "{NICKNAMES[text]}" here')
    if text and (wrong := problem(text)):
        raise ValueError(f"{said(text)} is no cron expression: {wrong}; {FORM}")
    return text


Cron = Annotated[str, PlainValidator(expression)]


class ScheduleTable(Table):
    """When janitor watch does what, whatever else happens: cron expressions, in local time.
    What was missed while it didn't run is done once when it starts."""

    retention: Cron = setting("0 3 * * *", "Carries out the policies.")
    gitignore: Cron = setting("*/30 * * * *", "Holds .gitignore against [gitignore].")
    verify: Cron = setting("0 5 * * 0", "Reads archives back, and compares them with their index.")
    purge: Cron = setting(
        "30 4 * * *", "Purges what has lain in the trash for longer than safety.trash_keep."
    )
    resync: Cron = setting(
        "*/10 * * * *", "Looks at all folders anew, in case that an event was lost."
    )
