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

from artifact_janitor.observe import wal
from artifact_janitor.observe.reading import open_regular

MAGIC = b"SQLite format 3\0"
PATIENCE = 1.0
"""Seconds to wait for a writer's lock."""
LARGEST = 512 << 20
"""Bytes of a database in WAL mode, with its log, that are read into memory."""


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
        if not wal.is_used(start):
            uri = f"{path.absolute().as_uri()}?mode=ro"
        elif wal.size(file, path) > LARGEST:
            raise Unreadable("it is in WAL mode, and too large to be read into memory")
        else:
            return _of_image(wal.image(file, path))
    return sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)


def _open(path: Path) -> int:
    """No symlink: whatever is changed later is the file that was read."""
    if path.is_symlink():
        raise Unreadable("it is a symlink")
    return open_regular(path)


def _of_image(image: bytearray | None) -> sqlite3.Connection:
    if image is None:
        raise Unreadable("it is written to all the time")
    if not hasattr(sqlite3.Connection, "deserialize"):
        raise Unreadable("it is in WAL mode, which this Python's SQLite can't read from memory")
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.deserialize(image)
    return db
