"""The archives in the journal: a row for each that stands, or is being written."""

from __future__ import annotations

import os
from typing import Any

from artifact_janitor.journal.records import Archived
from artifact_janitor.journal.tables import Rows, Writing


class Archives:
    """The table, as the journal hands it out."""

    def __init__(self, rows: Rows, writing: Writing, *, is_there: bool) -> None:
        self._rows = rows
        self._writing = writing
        self._is_there = is_there

    def announce(self, step: int, store: str, name: str, ino: int) -> None:
        """An archive is about to be written under this name."""
        with self._writing() as db:
            row = (step, os.fsencode(store), name, ino)
            db.execute("INSERT INTO archive (step, store, name, ino) VALUES (?,?,?,?)", row)

    def index(self, step: int, size: int, members: int, digest: str, now: int) -> None:
        """It stands, and was read back; from now on it is in the index."""
        with self._writing() as db:
            query = "UPDATE archive SET bytes=?, members=?, digest=?, checked=? WHERE step = ?"
            db.execute(query, (size, members, digest, now, step))

    def checked(self, step: int, now: int) -> None:
        with self._writing(durable=False) as db:
            db.execute("UPDATE archive SET checked = ? WHERE step = ?", (now, step))

    def unindex(self, step: int) -> None:
        """There is no such archive any more, or never was."""
        with self._writing() as db:
            db.execute("DELETE FROM archive WHERE step = ?", (step,))

    def of(self, step: int) -> Archived | None:
        """The one that a step made, or is making."""
        return next(iter(self._found("AND step = ?", step)), None)

    def in_vain(self) -> list[Archived]:
        """Those whose step came to nothing, and that could not be removed then."""
        query = "SELECT step FROM archive JOIN step ON step.id = archive.step "
        query += "WHERE state IN ('skipped', 'failed')"
        steps = {row[0] for row in self._rows(query)} if self._is_there else set()
        return [each for each in self.all() if each.step in steps] if steps else []

    def all(self) -> list[Archived]:
        """All in the index, oldest first, and those that are being written. What expired is in
        none: the step that moved it says so, and undo makes that another."""
        return self._found()

    def _found(self, which: str = "", *values: int) -> list[Archived]:
        if not self._is_there:
            return []
        return self._rows(
            "SELECT step, path, kind, store, name, ino, archive.bytes, members, digest, checked, "
            "at FROM archive JOIN step ON step.id = archive.step WHERE step NOT IN (SELECT about "
            """FROM step WHERE "do" = 'expire' AND state IN ('done', 'purged') """
            f"AND about NOT NULL) {which} ORDER BY step",
            *values,
            make=_archived,
        )


def _archived(row: tuple[Any, ...]) -> Archived:
    step, path, kind, store, *rest = row
    return Archived(step, os.fsdecode(path), kind, os.fsdecode(store), *rest)
