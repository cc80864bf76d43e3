"""When the journal was rebuilt, and whether a person has seen since what is missing of it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from artifact_janitor.journal.tables import Rows, Writing

REBUILT = """
CREATE TABLE rebuilt (
    at INTEGER PRIMARY KEY, held INTEGER NOT NULL, why TEXT NOT NULL, aside TEXT NOT NULL,
    said TEXT NOT NULL
);
"""


class Rebuilt(NamedTuple):
    """One time: ``why``, the name that the damaged file bears since, or "" where there was none,
    and what was read, found and lost. As long as it is held nothing goes unasked."""

    at: int
    is_held: bool
    why: str
    aside: str
    said: tuple[str, ...]


class Rebuilds:
    """The table, as the journal hands it out."""

    def __init__(self, rows: Rows, writing: Writing, *, is_there: bool) -> None:
        self._rows = rows
        self._writing = writing
        self._is_there = is_there

    def last(self) -> Rebuilt | None:
        query = "SELECT at, held, why, aside, said FROM rebuilt ORDER BY at DESC LIMIT 1"
        found = self._rows(query, make=_rebuilt) if self._is_there else []
        return next(iter(found), None)

    def held(self) -> Rebuilt | None:
        """The last one, where nobody has said yet that things may go again."""
        query = "SELECT at, held, why, aside, said FROM rebuilt WHERE held ORDER BY at DESC LIMIT 1"
        found = self._rows(query, make=_rebuilt) if self._is_there else []
        return next(iter(found), None)

    def confirm(self) -> None:
        """A person has seen it, and let things go all the same. Writes only where that is news."""
        if self.held():
            with self._writing() as db:
                db.execute("UPDATE rebuilt SET held = 0")


def _rebuilt(row: tuple[Any, ...]) -> Rebuilt:
    at, held, why, aside, said = row
    return Rebuilt(at, bool(held), why, aside, tuple(map(str, json.loads(said))))
