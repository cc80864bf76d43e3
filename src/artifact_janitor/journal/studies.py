"""Rows of the table of studies: what the last look at each of them saw."""

from __future__ import annotations

import json
import os
from typing import Any

from artifact_janitor.core.study import Earlier, Identity
from artifact_janitor.units import DAY

LASTS = 366 * DAY
"""How long a study is remembered that is not seen any more: its disk may be unmounted."""

COLUMNS = "identity, fingerprint, since, looked, first_seen, finished"
WRITE = (
    "INSERT OR REPLACE INTO study "
    "(identity, path, fingerprint, since, looked, first_seen, finished) VALUES (?,?,?,?,?,?,?)"
)


def row_of(identity: Identity, path: str, seen: Earlier) -> tuple[object, ...]:
    """As `WRITE` takes it; a name that is no text is escaped by JSON."""
    facts = (seen.fingerprint, seen.since, seen.looked, seen.first_seen, seen.finished)
    return (json.dumps(identity), os.fsencode(path), *facts)


def identity_of(row: tuple[Any, ...]) -> Identity:
    """Raises ValueError, TypeError where it is none."""
    return Identity(*json.loads(row[0]))


def earlier_of(row: tuple[Any, ...]) -> Earlier:
    _, fingerprint, since, looked, first_seen, finished = row
    return Earlier(fingerprint, since, looked, first_seen, bool(finished))
