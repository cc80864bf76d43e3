"""When each job of the daemon's schedule last ran, so that one that was missed is known.

A job that was never seen before is not missed: what is due counts from the moment on at which
it was first seen. One that is switched off is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable

from artifact_janitor.journal.jobs import Rows, Writing

SCHEDULE = """
CREATE TABLE runs_of_jobs (
    name TEXT PRIMARY KEY, due INTEGER NOT NULL, ran INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""
"""Nothing that was due up to ``due`` is missing; ``ran`` is 0 as long as the job never ran."""


class RunsOfJobs:
    """The table, as the journal hands it out. Moments are nanoseconds since the epoch."""

    def __init__(self, rows: Rows, writing: Writing, *, is_there: bool) -> None:
        self._rows = rows
        self._writing = writing
        self._is_there = is_there

    def begin(self, names: Iterable[str], now: int) -> None:
        """These are the jobs that are switched on. Writes only where that is news."""
        names, known = {*names}, {*self._due()}
        if names == known:
            return
        with self._writing() as db:
            gone = [(name,) for name in known - names]
            db.executemany("DELETE FROM runs_of_jobs WHERE name = ?", gone)
            new = [(name, now) for name in sorted(names - known)]
            db.executemany("INSERT INTO runs_of_jobs (name, due) VALUES (?,?)", new)

    def ran(self, name: str, at_ns: int) -> None:
        """A job is done that began at `at_ns`: what was due before then is not missing."""
        with self._writing() as db:
            query = "INSERT OR REPLACE INTO runs_of_jobs (name, due, ran) VALUES (?,?,?)"
            db.execute(query, (name, at_ns, at_ns))

    def last(self, name: str) -> int | None:
        """Up to when nothing of a job is missing; None where it was never seen."""
        return self._due().get(name)

    def _due(self) -> dict[str, int]:
        if not self._is_there:
            return {}
        return dict(self._rows("SELECT name, due FROM runs_of_jobs"))

    def all(self) -> dict[str, int]:
        """When each job last ran, by name; those that never ran are missing."""
        if not self._is_there:
            return {}
        return dict(self._rows("SELECT name, ran FROM runs_of_jobs WHERE ran > 0"))
