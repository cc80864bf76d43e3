"""What earlier looks saw of runs and of studies: it spares later ones the reading."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from artifact_janitor.core.study import Earlier, Identity
from artifact_janitor.journal import studies as known
from artifact_janitor.journal.connection import Connection
from artifact_janitor.journal.file import sensible
from artifact_janitor.journal.formats import WITH_STUDIES


class Remembering(Connection):
    """These tables, as a part of the journal."""

    def remembered(self, form: str, since: int, until: int) -> dict[str, str]:
        """What was seen between two moments, by path, where it has this form."""
        query = "SELECT path, facts FROM memory WHERE form = ? AND at BETWEEN ? AND ?"
        with sensible(self.path):
            rows = self._rows(query, form, since, until)
            return {os.fsdecode(path): facts for path, facts in rows}

    def remember(
        self, form: str, seen: Mapping[str, str], gone: Iterable[str], since: int, now: int
    ) -> None:
        """Write down what was seen now; forget what is gone, older, or of another form."""
        rows = [(os.fsencode(path), form, now, facts) for path, facts in seen.items()]
        with self._writing(durable=False) as db:
            where = "form <> ? OR at NOT BETWEEN ? AND ?"
            db.execute(f"DELETE FROM memory WHERE {where}", (form, since, now))
            lost = [(os.fsencode(path),) for path in gone]
            db.executemany("DELETE FROM memory WHERE path = ?", lost)
            db.executemany("INSERT OR REPLACE INTO memory VALUES (?,?,?,?)", rows)

    def studies(self) -> dict[Identity, Earlier]:
        """What the last look at each study saw."""
        if self.version < WITH_STUDIES:
            return {}
        rows = self._rows(f"SELECT {known.COLUMNS} FROM study")
        with sensible(self.path):
            return {known.identity_of(row): known.earlier_of(row) for row in rows}

    def remember_studies(
        self, seen: Mapping[Identity, Earlier], paths: Mapping[Identity, str], now: int
    ) -> None:
        """Write down what was seen now; forget studies that nobody saw for `known.LASTS`."""
        rows = [known.row_of(each, paths[each], seen[each]) for each in seen]
        with self._writing(durable=False) as db:
            db.execute("DELETE FROM study WHERE looked < ?", (now - known.LASTS,))
            db.executemany(known.WRITE, rows)
