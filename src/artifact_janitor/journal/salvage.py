"""What can still be read of a damaged journal. Nothing is written, and it is read from memory.

SQLite reads each table on its own; where it doesn't read all of one, or finds it at odds with
its index, every page of the file is looked at by itself, and so is what lies in the log.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from artifact_janitor import wal
from artifact_janitor.errors import JournalError
from artifact_janitor.journal import pages
from artifact_janitor.journal.formats import tables_of, version_of
from artifact_janitor.journal.values import KEYS, NUMBERED, TABLES, row_of
from artifact_janitor.regular import open_regular

_STRIDE = 100_000
"""Steps of SQLite's machine between two looks at whether it goes round in circles."""


@dataclass
class Salvaged:
    """The rows by table; of `partial` ones some are missing, or nobody can tell. `left_out` counts
    rows that can't be what a janitor wrote."""

    rows: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in TABLES})
    partial: set[str] = field(default_factory=set)
    left_out: int = 0


def nothing() -> Salvaged:
    """Where there is no file at all."""
    return Salvaged(partial={*TABLES})


def salvage(path: Path) -> Salvaged:
    """Read what can be read of the file at `path`. Raises JournalError where the disk doesn't
    let us, or the file is too large to be read into memory."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            if wal.size(file, path) > wal.LARGEST:
                raise _unreadable(path, "it is too large to be read into memory")
            with suppress(OSError):
                if (image := wal.image(file, path)) is not None:
                    return _salvaged(bytes(image), wal.content_of_log(path))
            file.seek(0)
            return _salvaged(file.read(), wal.content_of_log(path))
    except FileNotFoundError:
        return nothing()
    except OSError as error:
        raise _unreadable(path, str(error.strerror or error)) from error


_UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""The second is what Python says where SQLite's own words about a broken schema are no text."""


def _unreadable(path: Path, why: str) -> JournalError:
    hint = f"nothing was changed; save what is in {path.parent}, then look at the disk"
    return JournalError(f"the damaged journal can't be read: {why}", hint, str(path))


def _salvaged(image: bytes, log: bytes) -> Salvaged:
    found = Salvaged()
    known: dict[str, dict[Any, Any]] = {name: {} for name in TABLES}
    try:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            db.deserialize(image)
            db.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
            _by_sqlite(db, len(image), found, known)
    except (*_UNREADABLE, MemoryError, SystemError):
        found.partial = {*TABLES}
    if wal.breaks_off(log):
        found.partial = {*TABLES}
    if found.partial:
        size = pages.size_of(image)
        every = (*pages.rows(image, size), *pages.logged(log, image, size))
        _by_page(every, found.partial - {"clock", "runs_of_jobs"}, known)
    found.rows = {name: [*each.values()] for name, each in known.items()}
    return found


def _by_sqlite(
    db: sqlite3.Connection, size: int, found: Salvaged, known: dict[str, dict[Any, Any]]
) -> None:
    left = iter(range(1000 + size // 100))  # a damaged schema may ask for endless work
    db.set_progress_handler(lambda: next(left, None) is None, _STRIDE)
    there = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    is_sound, wanted = _is_sound(db, ""), tables_of(version_of(db))
    for table in TABLES:
        is_full = table in there or table not in wanted
        with suppress(*_UNREADABLE):
            is_full = is_full and (is_sound or _is_sound(db, table))
            for row in _read(db, table) if table in there else ():
                if (checked := row_of(table, row)) is None:
                    found.left_out += 1
                    is_full = False
                else:
                    known[table][_key(table, checked)] = checked
            if is_full:
                continue
        found.partial.add(table)


def _is_sound(db: sqlite3.Connection, table: str) -> bool:
    query = f"PRAGMA integrity_check({table})" if table else "PRAGMA integrity_check"
    with suppress(*_UNREADABLE):
        return db.execute(query).fetchall() == [("ok",)]
    return False


def _read(db: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    columns = ", ".join(f'"{name}"' for name in TABLES[table]._fields)
    return db.execute(f'SELECT {columns} FROM "{table}" NOT INDEXED')


def _by_page(rows: Iterable[pages.Row], wanted: set[str], known: dict[str, dict[Any, Any]]) -> None:
    """What SQLite read counts more: a page may be one that was given up long ago."""
    late: dict[str, dict[Any, Any]] = {name: {} for name in wanted}
    for number, values in rows:
        for table in wanted:
            mine = values
            if table in NUMBERED and number is not None and values[:1] == (None,):
                mine = (number, *values[1:])
            if (row := row_of(table, mine)) is not None:
                late[table][_key(table, row)] = row
    for table, found in late.items():
        known[table] = found | known[table]


def _key(table: str, row: Any) -> Any:
    return row[: KEYS[table]] if table in KEYS else row[0]
