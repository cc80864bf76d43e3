"""Read another program's SQLite file, and leave no trace beside it.

A database with a rollback journal is opened read-only: SQLite takes its shared lock while
it reads, and writes nothing. One in WAL mode can't be opened like that, because even a
reader makes ``-wal`` and ``-shm`` files, which then belong to whoever looked: its bytes
are read into memory, with what its log holds; see `wal`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from artifact_janitor import wal
from artifact_janitor.regular import open_regular

MAGIC = b"SQLite format 3\0"
PATIENCE = 1.0
"""Seconds to wait for a writer's lock."""


class Unreadable(Exception):
    """The database tells nothing now; the text says why."""


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to what was last committed. Raises Unreadable, also where a query fails.

    Raises FileNotFoundError where there is no such file.
    """
    try:
        with closing(_connect(path)) as db:
            yield db
    except FileNotFoundError:
        raise
    except (OSError, sqlite3.Error) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise Unreadable(why or str(error)) from error


def _connect(path: Path) -> sqlite3.Connection:
    with os.fdopen(_open(path), "rb") as file:
        start = file.read(wal.HEADER)
        if not start.startswith(MAGIC):
            raise Unreadable("it is no SQLite database" if start else "it is empty")
        if wal.is_used(start):
            return wal.connection(file, path)
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)


def _open(path: Path) -> int:
    """No symlink: whatever is changed later is the file that was read."""
    if path.is_symlink():
        raise Unreadable("it is a symlink")
    return open_regular(path)
