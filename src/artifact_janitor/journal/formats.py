"""The journal's tables, format by format, and how one becomes the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from functools import cache
from typing import cast

from artifact_janitor.journal.digests import DIGESTS
from artifact_janitor.journal.jobs import JOBS
from artifact_janitor.journal.publications import PUBLICATIONS
from artifact_janitor.journal.rebuilt import REBUILT
from artifact_janitor.journal.schedule import SCHEDULE

FIRST = """
CREATE TABLE sweep (
    id TEXT PRIMARY KEY, command TEXT NOT NULL, by_person INTEGER NOT NULL,
    started INTEGER NOT NULL, ended INTEGER
);
CREATE TABLE step (
    id INTEGER PRIMARY KEY, sweep TEXT NOT NULL REFERENCES sweep, "do" TEXT NOT NULL,
    kind TEXT NOT NULL, path BLOB NOT NULL, bytes INTEGER NOT NULL, frees INTEGER NOT NULL,
    fingerprint TEXT NOT NULL, reasons TEXT NOT NULL, about INTEGER,
    state TEXT NOT NULL DEFAULT 'intended', why TEXT NOT NULL DEFAULT '', at INTEGER NOT NULL
);
CREATE INDEX step_by_sweep ON step (sweep);
CREATE INDEX step_by_state ON step (state, "do");
CREATE TABLE move (
    step INTEGER NOT NULL REFERENCES step, source BLOB NOT NULL, target BLOB NOT NULL,
    dev INTEGER NOT NULL, ino INTEGER NOT NULL, parent_before INTEGER, parent_after INTEGER
);
CREATE INDEX move_by_step ON move (step);
CREATE TABLE pin (path BLOB PRIMARY KEY, note TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE clock (wall INTEGER NOT NULL, awake INTEGER NOT NULL, boot TEXT NOT NULL);
CREATE TABLE memory (
    path BLOB PRIMARY KEY, form TEXT NOT NULL, at INTEGER NOT NULL, facts TEXT NOT NULL
);
"""
CONFIGS = """
CREATE TABLE content (digest TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE config (
    path BLOB NOT NULL, seen INTEGER NOT NULL, kind TEXT NOT NULL, run_id TEXT NOT NULL,
    files TEXT NOT NULL, PRIMARY KEY (path, seen)
) WITHOUT ROWID;
CREATE INDEX config_by_run_id ON config (run_id);
DELETE FROM memory;
"""
"""What is remembered is not read, and a run that is not read keeps no configuration: so all
is read once more."""

ARCHIVES = """
CREATE TABLE archive (
    step INTEGER PRIMARY KEY REFERENCES step, store BLOB NOT NULL, name TEXT NOT NULL,
    ino INTEGER NOT NULL, bytes INTEGER NOT NULL DEFAULT 0, members INTEGER NOT NULL DEFAULT 0,
    digest TEXT NOT NULL DEFAULT '', checked INTEGER NOT NULL DEFAULT 0
);
"""
"""The index of archives. As long as its digest is "", one is being written."""

STUDIES = """
CREATE TABLE study (
    identity TEXT PRIMARY KEY, path BLOB NOT NULL, fingerprint TEXT NOT NULL,
    since INTEGER NOT NULL, looked INTEGER NOT NULL, first_seen INTEGER NOT NULL,
    finished INTEGER NOT NULL
) WITHOUT ROWID;
"""
"""What the last look at each study of Optuna's saw."""

FORMATS = (FIRST, CONFIGS, ARCHIVES, STUDIES, JOBS, PUBLICATIONS, SCHEDULE, DIGESTS, REBUILT)
"""What makes format 1 of an empty file, format 2 of format 1, and so on."""
VERSION = len(FORMATS)
WITH_CONFIGS = 1 + FORMATS.index(CONFIGS)
"""The first format that keeps configurations."""
WITH_ARCHIVES = 1 + FORMATS.index(ARCHIVES)
"""The first format that has an index of archives."""
WITH_JOBS = 1 + FORMATS.index(JOBS)
"""The first format that knows trainings."""
WITH_STUDIES = 1 + FORMATS.index(STUDIES)
"""The first format that remembers studies."""
WITH_PUBLICATIONS = 1 + FORMATS.index(PUBLICATIONS)
"""The first format that knows publications."""
WITH_SCHEDULE = 1 + FORMATS.index(SCHEDULE)
"""The first format that knows when the jobs of the daemon ran."""
WITH_DIGESTS = 1 + FORMATS.index(DIGESTS)
"""The first format that remembers digests."""
WITH_REBUILT = 1 + FORMATS.index(REBUILT)
"""The first format that knows when it was rebuilt."""
PLAUSIBLE = 1000
"""No format will ever have such a number."""


def migrate(db: sqlite3.Connection) -> None:
    """Bring an older format up to date."""
    db.execute("BEGIN IMMEDIATE")
    for statements in FORMATS[max(version_of(db), 0) :]:
        for statement in statements.split(";"):
            db.execute(statement)
    if version_of(db) < VERSION:
        db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")


def version_of(db: sqlite3.Connection) -> int:
    return cast(int, db.execute("PRAGMA user_version").fetchone()[0])


def tables_of(version: int) -> Collection[str]:
    """The tables of a format; of one that we don't know, all there are."""
    return wanted(version if 1 <= version <= VERSION else VERSION)


@cache
def wanted(version: int) -> Mapping[str, frozenset[str]]:
    """The columns of each table of a format."""
    with closing(sqlite3.connect(":memory:")) as db:
        for statements in FORMATS[:version]:
            db.executescript(statements)
        return shape(db)


def shape(db: sqlite3.Connection) -> dict[str, frozenset[str]]:
    """The columns of each table that is there."""
    query = "SELECT t.name, c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c "
    query += "WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'"
    found: dict[str, set[str]] = {}
    for table, column in db.execute(query):
        found.setdefault(table, set()).add(column)
    return {table: frozenset(columns) for table, columns in found.items()}
