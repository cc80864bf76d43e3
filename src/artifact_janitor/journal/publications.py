"""What was published, and what became of it: a row for each step that tried.

A publication is a step of its own, and the model that it replaces is another one, which goes
to the trash; both are written down at once, and only together do they come about.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

from artifact_janitor.journal.tables import Rows

PUBLICATIONS = """
CREATE TABLE publication (
    step INTEGER PRIMARY KEY REFERENCES step, replaced INTEGER REFERENCES step,
    path BLOB NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, mark TEXT NOT NULL,
    verdict TEXT NOT NULL
);
CREATE INDEX publication_by_key ON publication (key);
CREATE INDEX publication_by_replaced ON publication (replaced);
"""

Verdict = Literal["passed", "rejected", "same"]
_COLUMNS = "publication.step, replaced, publication.path, key, digest, mark, verdict, state, why"


@dataclass(frozen=True, slots=True)
class Publication:
    """A model that was to be published at `path`.

    `key` names what it was made of, `digest` is the SHA-256 of its bytes, `mark` tells of the
    file that it was copied from whether it was written to since. ``replaced`` is the step that
    takes what was there before to the trash. ``state`` and ``why`` are the step's.
    """

    step: int
    replaced: int | None
    path: str
    key: str
    digest: str
    mark: str
    verdict: Verdict
    state: str = "intended"
    why: str = ""


class Publications:
    """The table, as the journal hands it out."""

    def __init__(self, rows: Rows, *, is_there: bool) -> None:
        self._rows = rows
        self._is_there = is_there

    def _found(self, where: str, *values: object) -> list[Publication]:
        if not self._is_there:
            return []
        query = f"SELECT {_COLUMNS} FROM publication JOIN step ON step.id = publication.step"
        return self._rows(f"{query} {where}", *values, make=_publication)

    def all(self) -> list[Publication]:
        """In the order in which they were tried."""
        return self._found("ORDER BY publication.step")

    def of(self, step: int) -> Publication | None:
        """That of a step which published, or which undid a publication."""
        return next(iter(self._found("WHERE publication.step = ?", step)), None)

    def that_replaced(self, step: int) -> Publication | None:
        """The one for which a step took a model to the trash."""
        return next(iter(self._found("WHERE replaced = ?", step)), None)

    def newest(self, path: str) -> Publication | None:
        """The last that was tried for a place, whatever came of it."""
        where = 'WHERE publication.path = ? AND "do" = ? ORDER BY publication.step DESC LIMIT 1'
        return next(iter(self._found(where, os.fsencode(path), "publish")), None)

    def same(self) -> list[Publication]:
        """Those of which the very bytes were in their place already."""
        return self._found("WHERE verdict = ?", "same")

    def is_undone(self, key: str) -> bool:
        """Whether the last publication of this key was undone: then it stays so."""
        found = [each for each in self._found("WHERE key = ? ORDER BY step", key) if each.key]
        stood = [each for each in found if each.state in ("done", "undone")]
        return bool(stood) and stood[-1].state == "undone"


def record(db: sqlite3.Connection, row: Publication) -> None:
    """Within the transaction that writes down its step."""
    values = (row.step, row.replaced, os.fsencode(row.path), row.key, row.digest, row.mark)
    db.execute("INSERT INTO publication VALUES (?,?,?,?,?,?,?)", (*values, row.verdict))


def _publication(row: tuple[Any, ...]) -> Publication:
    step, replaced, path, *rest = row
    return Publication(step, replaced, os.fsdecode(path), *rest)
