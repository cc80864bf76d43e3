"""Forget a run in MLflow's database, when its artifacts leave the trash for good (S10).

One transaction asks again whether MLflow marks the run deleted and no model names it, and
removes what MLflow's own hard delete does: the rows that belong to the run by a foreign
key, and the run. What it leaves there (inputs, traces), this leaves too.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from artifact_janitor.errors import StepSkipped
from artifact_janitor.mlflow_records import DELETED, ENDED, UnknownSchema, of_database
from artifact_janitor.regular import odd_beside

PATIENCE = 5.0
"""Seconds to wait for a writer's lock."""

_LEFT_TO_SQLITE = ("CASCADE", "SET NULL", "SET DEFAULT")
"""What a foreign key itself says should become of its rows."""


def forget(database: Path, run_id: str, *, has_own: bool) -> None:
    """Remove the record of a run, if there is one; `has_own` says that its folder holds one,
    as in a file store: then there need be no database.

    Raises StepSkipped where it may not be removed, or can't be now.
    """
    if not os.path.lexists(database) and has_own:
        return
    try:
        odd = odd_beside(database)
        if not stat.S_ISREG(os.lstat(database).st_mode):
            odd = database.name
        if odd:
            raise StepSkipped(f"{odd} is no regular file: MLflow's record can't be removed")
        _forget(database, run_id)
    except (OSError, sqlite3.Error, UnknownSchema) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise StepSkipped(
            f"MLflow's record can't be removed from {database.name}: {why}; "
            "it stays in the trash, and the next sweep tries again"
        ) from error


def _forget(database: Path, run_id: str) -> None:
    """Never makes a database: ``mode=rw``. Leaving without a commit rolls back."""
    uri = f"{database.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        if _is_there(db, run_id):
            _remove(db, run_id)
            db.execute("COMMIT")


def _is_there(db: sqlite3.Connection, run_id: str) -> bool:
    """Whether the record is still there, which ``mlflow gc`` may have removed, and may go."""
    records = of_database(db, run_id)
    record = records.runs.get(run_id)
    if record is None:
        return False
    if record.stage != DELETED:
        why = "MLflow has restored this run: janitor undo brings its artifacts back"
        raise StepSkipped(why)
    if record.status not in ENDED or record.trouble:
        raise StepSkipped(f"MLflow says that it is {record.status}: it stays in the trash")
    for named in records.named.get(run_id, ()):
        raise StepSkipped(f"{named.why}: janitor undo brings its artifacts back")
    return True


def _remove(db: sqlite3.Connection, run_id: str) -> None:
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        for column in _referring(db, table):
            query = f"DELETE FROM {_quoted(table)} WHERE {_quoted(column)} = ?"  # noqa: S608
            db.execute(query, (run_id,))
    db.execute("DELETE FROM runs WHERE run_uuid = ?", (run_id,))


def _referring(db: sqlite3.Connection, table: str) -> list[str]:
    """The columns of a table that hold a run's ID, and keep the run from being removed."""
    keys = db.execute(f"PRAGMA foreign_key_list({_quoted(table)})").fetchall()
    return [
        column
        for _, _, target, column, of_target, _, on_delete, *_ in keys
        if target == "runs" and of_target in ("run_uuid", None) and on_delete not in _LEFT_TO_SQLITE
    ]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
