"""Everything that could bite, found before it does. Reads, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass

from artifact_janitor.checkup import (
    archives,
    around,
    databases,
    ground,
    own,
    running,
    units,
    watches,
)
from artifact_janitor.checkup.check import Found, Level, Place, problem, warning
from artifact_janitor.config import Settings
from artifact_janitor.errors import JanitorError, JournalError, Problem
from artifact_janitor.journal import Journal
from artifact_janitor.workplace import to_read

__all__ = ["CHECKS", "Check", "Level", "checkup"]

CHECKS: tuple[tuple[str, Callable[[Place], Iterator[Found]]], ...] = (
    ("config", own.config),
    ("folders", ground.folders),
    ("filesystem", ground.filesystems),
    ("watches", watches.watches),
    ("permissions", ground.permissions),
    ("disk", ground.disk),
    ("journal", own.journal),
    ("lock", own.lock),
    ("daemon", running.daemon),
    ("units", units.units),
    ("trash", own.trash),
    ("archives", archives.store),
    ("studies", databases.studies),
    ("clock", around.clock),
    ("processes", around.processes),
    ("leases", ground.leases),
    ("git", around.repository),
    ("gitignore", around.rules),
    ("wandb", around.wandb),
    ("limits", around.limits),
)
"""In the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found, in one line."""

    name: str
    found: Found


def checkup(
    settings: Settings, now: int, environ: Mapping[str, str], mistakes: Sequence[Problem] = ()
) -> list[Check]:
    """All findings; `now` in nanoseconds. With `mistakes` the settings are the defaults."""
    journal, why = _journal(settings)
    with closing(journal) if journal else nullcontext():
        place = Place(settings, now, environ, tuple(mistakes), journal, why)
        return [Check(name, found) for name, check in CHECKS for found in _asked(check, place)]


def _journal(settings: Settings) -> tuple[Journal | None, JanitorError | None]:
    try:
        return to_read(settings), None
    except JanitorError as error:
        return None, error


def _asked(check: Callable[[Place], Iterator[Found]], place: Place) -> Iterator[Found]:
    """A check that can't be made is a finding itself, and ends none of the others."""
    try:
        yield from check(place)
    except JournalError as error:
        yield problem(error.message, error.hint, error.path)
    except (JanitorError, OSError) as error:
        hint = error.hint if isinstance(error, JanitorError) else "check its permissions"
        yield warning(f"this could not be looked at: {error}", hint)
