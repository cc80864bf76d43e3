"""Read another program's SQLite file, and leave no trace beside it.

A database with a rollback journal is opened read-only: SQLite takes its shared lock while
it reads, and writes nothing. In WAL mode even a reader may make ``-wal`` and ``-shm`` files,
which then belong to whoever looked, so there are three ways (measured):

- what fits into the memory that the caller allows is read into it, with its log; see `wal`;
- a larger one without a log is read as immutable, and has to be the same before and after;
- a larger one with both files beside it is opened read-only, its ``-shm`` never written to.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Literal

from artifact_janitor import wal
from artifact_janitor.regular import odd_beside, open_regular

MAGIC = b"SQLite format 3\0"
PATIENCE = 1.0
"""Seconds to wait for a writer's lock."""

LONGEST = 30.0
"""Seconds that all queries of one look may take."""

Trouble = Literal["unreadable", "empty", "foreign", "damaged", "busy", "hot", "slow"]

_TROUBLES: dict[int, Trouble] = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_PROTOCOL: "busy",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_IOERR: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_READONLY: "hot",
    sqlite3.SQLITE_INTERRUPT: "slow",
}
"""What SQLite's primary error codes mean for who only reads. It wants to write where a writer
was killed in mid-commit, to undo that."""


class Unreadable(Exception):
    """The database tells nothing now; the text says why, and `kind` in a word."""

    def __init__(self, why: str, kind: Trouble = "unreadable") -> None:
        super().__init__(why)
        self.kind = kind


@contextmanager
def reading(
    path: Path, memory: int = wal.LARGEST, patience: float = PATIENCE
) -> Iterator[sqlite3.Connection]:
    """A connection to what was last committed. Raises Unreadable, also where a query fails.

    What was found counts only when this ends without an error. A database in WAL mode takes
    up to `memory` bytes; a writer's lock is waited for `patience` seconds. Raises
    FileNotFoundError where there is no such file.
    """
    try:
        with _connection(path, memory, patience) as db:
            limit(db, LONGEST)
            yield db
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    except sqlite3.Error as error:
        kind = _TROUBLES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "unreadable")
        why = "it takes too long to read" if kind == "slow" else str(error)
        raise Unreadable(why, kind) from error


def limit(db: sqlite3.Connection, seconds: float) -> None:
    """Have SQLite stop whatever takes longer than this from now on. A few damaged pages that
    lead to each other may hold more rows than anybody can count."""
    end = time.monotonic() + seconds
    db.set_progress_handler(lambda: int(time.monotonic() > end), 100_000)


@contextmanager
def _connection(path: Path, memory: int, patience: float) -> Iterator[sqlite3.Connection]:
    with os.fdopen(_open(path), "rb") as file:
        start = file.read(wal.HEADER)
        if not start.startswith(MAGIC):
            raise _no_database(start)
        in_wal = wal.is_used(start)
        if in_wal and wal.size(file, path) <= memory:
            with closing(wal.connection(file, path)) as db:
                yield db
            return
        before = _marks(file)
    if not in_wal:
        how = "mode=ro"
    elif not _beside(path, "-wal"):
        how = "mode=ro&immutable=1"
    elif _beside(path, "-shm"):
        how = "mode=ro&readonly_shm=1"
    else:
        raise Unreadable("its log is too large to be read without its -shm file")
    with closing(_opened(path, how, patience)) as db:
        yield db
    if "immutable" in how and (_beside(path, "-wal") or _marks_of(path) != before):
        raise Unreadable("it was written to meanwhile", "busy")


def _opened(path: Path, how: str, patience: float) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{how}"
    return sqlite3.connect(uri, uri=True, timeout=patience, isolation_level=None)


def _no_database(start: bytes) -> Unreadable:
    if not start:
        return Unreadable("it is empty", "empty")
    if MAGIC.startswith(start[: len(MAGIC)]):
        return Unreadable("it ends in its first bytes", "damaged")
    return Unreadable("it is no SQLite database", "foreign")


def _beside(path: Path, end: str) -> bool:
    return os.path.lexists(path.with_name(path.name + end))


Marks = tuple[int, int, int, int, bytes]


def _marks(file: BufferedReader) -> Marks:
    """What changes with a database: file, size, times, and the counters in its header."""
    status = os.fstat(file.fileno())
    file.seek(0)
    header = file.read(wal.HEADER)
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, header


def _marks_of(path: Path) -> Marks:
    with os.fdopen(_open(path), "rb") as file:
        return _marks(file)


def _open(path: Path) -> int:
    """No symlink: whatever is changed later is the file that was read."""
    if path.is_symlink():
        raise Unreadable("it is a symlink")
    if odd := odd_beside(path):
        raise Unreadable(f"{odd} is no regular file")
    return open_regular(path)
