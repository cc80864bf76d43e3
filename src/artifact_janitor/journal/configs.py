"""The configurations of all runs that were ever seen: kept for good, each content once."""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from artifact_janitor.journal.file import damaged
from artifact_janitor.journal.records import Config, ConfigFile
from artifact_janitor.journal.tables import Rows, Writing

_COLUMNS = "path, seen, kind, run_id, files"


class Configs:
    """Both tables, as the journal hands them out; `path` is the journal's own."""

    def __init__(self, rows: Rows, writing: Writing, path: Path, *, is_there: bool) -> None:
        self._rows = rows
        self._writing = writing
        self._path = path
        self._is_there = is_there

    def keep(self, configs: Iterable[Config], bodies: Mapping[str, bytes]) -> None:
        """Keep for good what runs were configured with; `bodies` are contents by digest."""
        with self._writing() as db:
            keep(db, configs, bodies)

    def paths(self) -> list[tuple[str, str]]:
        """The paths of all runs that a configuration was kept of, with W&B's ID or ""."""
        if not self._is_there:
            return []
        query = "SELECT DISTINCT path, run_id FROM config"
        return self._rows(query, make=lambda row: (os.fsdecode(row[0]), row[1]))

    def of(self, path: str) -> list[Config]:
        """All that a run at this path was ever configured with, newest first."""
        if not self._is_there:
            return []
        query = f"SELECT {_COLUMNS} FROM config WHERE path = ? ORDER BY seen DESC"
        return self._rows(query, os.fsencode(path), make=_config)

    def content(self, digest: str) -> bytes:
        """The bytes of a file of a configuration. Raises JournalError where they are lost."""
        rows = self._rows("SELECT body FROM content WHERE digest = ?", digest)
        try:
            body = zlib.decompress(rows[0][0])
        except (IndexError, TypeError, zlib.error):
            raise damaged(self._path, "the content of a configuration") from None
        if digest_of(body) != digest:
            raise damaged(self._path, "the content of a configuration")
        return body


def digest_of(body: bytes) -> str:
    """By which a content is known: SHA-256, in hex."""
    return sha256(body).hexdigest()


def keep(db: sqlite3.Connection, configs: Iterable[Config], bodies: Mapping[str, bytes]) -> None:
    """Within a transaction. Of `bodies`, by digest, only what is not there yet is written."""
    there = "SELECT 1 FROM content WHERE digest = ?"
    for digest, body in bodies.items():
        if not db.execute(there, (digest,)).fetchone():
            db.execute("INSERT INTO content VALUES (?,?)", (digest, zlib.compress(body)))
    db.executemany("INSERT OR REPLACE INTO config VALUES (?,?,?,?,?)", map(_row, configs))


def _row(config: Config) -> tuple[object, ...]:
    files = json.dumps([[each.name, each.digest, each.mark] for each in config.files])
    return os.fsencode(config.path), config.seen, config.kind, config.run_id, files


def _config(row: tuple[Any, ...]) -> Config:
    """Raises ValueError or TypeError where the row is damaged."""
    path, seen, kind, run_id, files = row
    parsed = tuple(ConfigFile(*each) for each in json.loads(files))
    return Config(os.fsdecode(path), seen, kind, run_id, parsed)
