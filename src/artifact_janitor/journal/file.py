"""The journal's file: its tables, how it is opened, and its errors in plain words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from artifact_janitor import wal
from artifact_janitor.errors import JournalError
from artifact_janitor.journal.jobs import JOBS
from artifact_janitor.journal.publications import PUBLICATIONS
from artifact_janitor.journal.schedule import SCHEDULE
from artifact_janitor.regular import open_regular
from artifact_janitor.reserve import is_short
from artifact_janitor.state import MAKE_ROOM, no_link

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

FORMATS = (FIRST, CONFIGS, ARCHIVES, STUDIES, JOBS, PUBLICATIONS, SCHEDULE)
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


@contextmanager
def told(path: Path) -> Iterator[None]:
    """SQLite's errors, in words that say what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        hint = "is the disk full, or read-only? The next janitor run finishes what was begun"
        hint = MAKE_ROOM if is_short(path.parent) else hint
        raise JournalError(f"the journal can't be used: {error}", hint, str(path)) from error
    except sqlite3.DatabaseError as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path, what: str) -> JournalError:
    hint = f"the trash beside it is untouched; move {path} aside to begin a new journal"
    return JournalError(f"the journal is damaged: {what}", hint, str(path))


def connect(path: Path, *, create: bool) -> sqlite3.Connection | None:
    """The database at `path`, or None where there is none and `create` is false.

    Without `create` it is opened for reading, and nothing is written. Raises JanitorError
    where a symlink stands in its place, or in that of its folder.
    """
    no_link(path.parent)
    no_link(path)
    if not create and _is_empty(path):
        return None
    with told(path):
        db = _open(path, "rwc") if create else _readable(path)
        try:
            if create:
                _prepare(db)
            elif _is_blank(db):
                db.close()
                return None
            _check(db, path)
        except BaseException:
            db.close()
            raise
    return db


def _is_empty(path: Path) -> bool:
    """Nothing was ever written: there is no journal, or the first janitor died making it."""
    try:
        return path.stat().st_size == 0 and not _has_content(path.with_name(path.name + "-wal"))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        raise _unreadable(path, error) from error


def _has_content(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


def _is_blank(db: sqlite3.Connection) -> bool:
    """It has no table: there was no room for them, or the first janitor died just then."""
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return not tables and not version_of(db)


def _unreadable(path: Path, error: OSError) -> JournalError:
    hint = f"check the permissions of {path.parent}"
    return JournalError(f"the journal can't be read: {error.strerror or error}", hint, str(path))


def _open(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30)


def _readable(path: Path) -> sqlite3.Connection:
    """Even who only reads a journal in WAL mode makes files beside it. Where that can't be,
    or would take the last room there is, all of it is read into memory."""
    if os.access(path.parent, os.W_OK) and not is_short(path.parent):
        db = _open(path, "ro")
        with suppress(sqlite3.OperationalError):  # a quota, say, which nobody can ask for
            version_of(db)
            return db
        db.close()
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return wal.connection(file, path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _prepare(db: sqlite3.Connection) -> None:
    """Bring an older format up to date."""
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    for statements in FORMATS[max(version_of(db), 0) :]:
        for statement in statements.split(";"):
            db.execute(statement)
    if version_of(db) < VERSION:
        db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")


def _check(db: sqlite3.Connection, path: Path) -> None:
    """Raises JournalError where it is no format that we know."""
    if not 1 <= (found := version_of(db)) <= VERSION:
        raise JournalError(
            f"the journal has format {found}, this version knows formats 1 to {VERSION}",
            "update artifact-janitor" if found > VERSION else f"move {path} aside",
            str(path),
        )


def version_of(db: sqlite3.Connection) -> int:
    return cast(int, db.execute("PRAGMA user_version").fetchone()[0])
