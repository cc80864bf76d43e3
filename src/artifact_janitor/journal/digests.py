"""Digests of large files that were read in full, so that nobody need read them again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

DIGESTS = """
CREATE TABLE digest (
    inode TEXT PRIMARY KEY, mark TEXT NOT NULL, digest TEXT NOT NULL
) WITHOUT ROWID;
"""

Known = Mapping[str, tuple[str, str]]
"""A mark, which tells whether the file was written to since, and the digest, by inode."""


class Digests:
    """The table, as the journal hands it out."""

    def __init__(
        self,
        rows: Callable[..., list[tuple[Any, ...]]],
        writing: Callable[[], AbstractContextManager[sqlite3.Connection]],
        *,
        is_there: bool,
    ) -> None:
        self._rows = rows
        self._writing = writing
        self._is_there = is_there

    def all(self) -> Known:
        rows = self._rows("SELECT inode, mark, digest FROM digest") if self._is_there else ()
        return {inode: (mark, digest) for inode, mark, digest in rows}

    def remember(self, seen: Known) -> None:
        """These, and none else: what is not there any more is forgotten."""
        rows = [(inode, mark, digest) for inode, (mark, digest) in seen.items()]
        with self._writing() as db:
            db.execute("DELETE FROM digest")
            db.executemany("INSERT INTO digest VALUES (?,?,?)", rows)
