"""The configurations of all runs that were ever seen: kept for good, each content once."""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from artifact_janitor.journal.records import Config, ConfigFile

COLUMNS = "path, seen, kind, run_id, files"


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


def config_of(row: tuple[Any, ...]) -> Config:
    """Raises ValueError or TypeError where the row is damaged."""
    path, seen, kind, run_id, files = row
    parsed = tuple(ConfigFile(*each) for each in json.loads(files))
    return Config(os.fsdecode(path), seen, kind, run_id, parsed)
