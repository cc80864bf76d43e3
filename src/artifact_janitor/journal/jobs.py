"""The trainings in the journal: one row an attempt, written down before anything is made.

A job's row is what the janitor did about it; whether it runs is the executor's to say.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from artifact_janitor.core.jobs import ACTIVE, Job, JobState, Wanted
from artifact_janitor.journal.tables import Rows, Writing

JOBS = """
CREATE TABLE job (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, attempt INTEGER NOT NULL, token TEXT NOT NULL UNIQUE,
    path BLOB NOT NULL, study TEXT NOT NULL, model_type TEXT NOT NULL, target BLOB NOT NULL,
    mode TEXT NOT NULL, trial INTEGER NOT NULL, value TEXT NOT NULL, by_person INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'intended', submitted INTEGER NOT NULL,
    ended INTEGER NOT NULL DEFAULT 0, next_try INTEGER NOT NULL DEFAULT 0,
    why TEXT NOT NULL DEFAULT '', told INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX job_by_key ON job (key);
"""
_COLUMNS = (
    "id, key, attempt, token, path, study, model_type, target, mode, trial, value, by_person, "
    "state, submitted, ended, next_try, why"
)


@dataclass(frozen=True, slots=True)
class Untold:
    """A job that is over, and how often its results could not be written, or MLflow not be told
    of it. The column holds that with a minus; 1 stands for what is told, and there is no more to
    say."""

    job: Job
    tries: int


class Jobs:
    """The table, as the journal hands it out."""

    def __init__(self, rows: Rows, writing: Writing, *, is_there: bool) -> None:
        self._rows = rows
        self._writing = writing
        self._is_there = is_there

    def all(self) -> tuple[Job, ...]:
        """In the order in which they were intended."""
        if not self._is_there:
            return ()
        return tuple(self._rows(f"SELECT {_COLUMNS} FROM job ORDER BY id", make=_job))

    def intend(self, wanted: Wanted, token: str, attempt: int, mode: str, now: int) -> Job:
        """Write down durably that this is about to be trained. Raises JournalError where the
        same attempt was written down before."""
        row = (
            wanted.key,
            attempt,
            token,
            os.fsencode(wanted.path),
            _bytes(wanted.study),
            wanted.model_type,
            os.fsencode(wanted.target),
            mode,
            wanted.trial,
            repr(wanted.value),
            wanted.by_person,
            now,
        )
        with self._writing() as db:
            cursor = db.execute(
                "INSERT INTO job (key, attempt, token, path, study, model_type, target, mode, "
                "trial, value, by_person, submitted) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                row,
            )
            query = f"SELECT {_COLUMNS} FROM job WHERE id = ?"
            return _job(db.execute(query, (cursor.lastrowid,)).fetchone())

    def turn(self, job: int, state: JobState, why: str, now: int, next_try: int = 0) -> None:
        """How a job stands from now on. One that is over has ended now."""
        ended = 0 if state in ACTIVE else now
        with self._writing() as db:
            query = "UPDATE job SET state = ?, why = ?, ended = ?, next_try = ? WHERE id = ?"
            said = why.encode("utf-8", "backslashreplace").decode()
            db.execute(query, (state, said, ended, next_try, job))

    def untold(self) -> tuple[Untold, ...]:
        """Those whose study's results, and MLflow, are still to be told of what became of them."""
        if not self._is_there:
            return ()
        query = f"SELECT {_COLUMNS}, told FROM job WHERE state IN ('published', 'rejected')"
        rows = self._rows(f"{query} AND told <= 0 ORDER BY id", make=_untold)
        return tuple(rows)

    def tell(self, job: int) -> None:
        with self._writing() as db:
            db.execute("UPDATE job SET told = 1, next_try = 0 WHERE id = ?", (job,))

    def tell_later(self, job: int, tries: int, next_try: int) -> None:
        """It could not be told for the `tries`-th time: it is to be tried again then."""
        with self._writing() as db:
            query = "UPDATE job SET told = ?, next_try = ? WHERE id = ?"
            db.execute(query, (-tries, next_try, job))

    def forget(self, job: int) -> None:
        """It was intended, and nothing of it was ever begun."""
        with self._writing() as db:
            db.execute("DELETE FROM job WHERE id = ? AND state = 'intended'", (job,))


def _bytes(name: str) -> bytes:
    """A study's name may be no text at all."""
    return name.encode("utf-8", "surrogatepass")


def _untold(row: tuple[Any, ...]) -> Untold:
    return Untold(_job(row[:-1]), -row[-1])


def _job(row: tuple[Any, ...]) -> Job:
    number, key, attempt, token, path, study, model_type, target, mode, trial, value, *rest = row
    by_person, *others = rest
    return Job(
        number,
        key,
        attempt,
        token,
        os.fsdecode(path),
        study.decode("utf-8", "surrogatepass"),
        model_type,
        os.fsdecode(target),
        mode,
        trial,
        float(value),
        bool(by_person),
        *others,
    )
