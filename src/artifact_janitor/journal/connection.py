"""An open journal: how it is read, and how it is written to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from artifact_janitor.journal.file import must_be, sensible, told
from artifact_janitor.journal.formats import version_of
from artifact_janitor.reserve import Reserve

_SOON = 32
"""Pages in the log after which they are brought into the file, where the disk is full."""


class Connection:
    """Raises JournalError where the file is damaged or can't be used."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        reserve: Reserve | None = None,
        inode: tuple[int, int] | None = None,
    ) -> None:
        self._db = connection
        self._reserve = reserve
        self._inode = inode
        self.path = path
        with told(path):
            self.version = version_of(connection)
        """The format of the file: it may be older than ours as long as we only read."""

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _writing(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction. What isn't durable survives a kill, but maybe not a power cut."""
        with told(self.path):
            must_be(self.path, self._inode)
            if self._reserve and self._reserve.at_need():
                self._db.execute(f"PRAGMA wal_autocheckpoint = {_SOON}")
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.rollback()
                raise
            self._db.commit()

    def _rows(
        self, query: str, *values: object, make: Callable[[tuple[Any, ...]], Any] = tuple
    ) -> list[Any]:
        """What is found, as `make` makes it of each row."""
        with told(self.path):
            rows = self._db.execute(query, values).fetchall()
        with sensible(self.path):
            return [make(row) for row in rows]
