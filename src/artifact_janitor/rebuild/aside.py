"""The files of a damaged journal, and of the new one that takes its place.

The new one is written under another name and is whole and durable before it gets the name by
which the next start knows that it is. The damaged files keep all they hold under names of their
own, and are never removed. Their log must be gone before the new journal stands where they were:
SQLite would bring it into the new one.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from artifact_janitor.errors import JournalError
from artifact_janitor.journal.file import FRESH, SUSPECT, make, told
from artifact_janitor.journal.values import insertion
from artifact_janitor.state import MAKE_ROOM, State
from artifact_janitor.units import SECOND

PART = "journal.db.part"
"""The new journal as long as it is being written."""
MARK = ".damaged-"
ENDS = ("", "-wal", "-shm", "-journal")
"""SQLite's files, by what their names end with."""


def build(state: State, path: Path, rows: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
    """Write the new journal, durably, and give it the name by which it is known to be whole."""
    part = path.with_name(PART)
    try:
        for end in ENDS:
            part.with_name(part.name + end).unlink(missing_ok=True)
        with told(path), closing(make(part)) as db:
            state.own(part)
            db.execute("BEGIN IMMEDIATE")
            for table, found in rows.items():
                db.executemany(insertion(table), found)
            db.execute("COMMIT")
        _to_disk(part)
    except OSError as error:
        raise _failed(path, error) from error


def name_for(path: Path, now: int) -> str:
    """A name that nothing has yet, and that says when."""
    when = datetime.fromtimestamp(now / SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (f"{path.name}{MARK}{when}{f'.{n}' if n else ''}" for n in range(1 << 16))
    return next(each for each in names if not any(_lies(path, each + end) for end in ENDS))


def _lies(path: Path, name: str) -> bool:
    return os.path.lexists(path.with_name(name))


def set_aside(state: State, path: Path, name: str) -> None:
    """Let the damaged files have further names of their own, durably; and then say that the new
    journal may take their place."""
    try:
        for end in ENDS:
            if name and _lies(path, path.name + end):
                _linked(path.with_name(path.name + end), path.with_name(name + end))
        _to_disk(path.parent)
        os.rename(path.with_name(PART), path.with_name(FRESH))
        _to_disk(path.parent)
    except OSError as error:
        raise _failed(path, error) from error


def is_waiting(path: Path) -> bool:
    """Whether a whole new journal is to take the place of the damaged one."""
    return os.path.lexists(path.with_name(FRESH))


def take_over(path: Path) -> None:
    """Let the new journal take its place. May be tried again at any moment."""
    try:
        for end in ENDS[1:]:
            path.with_name(path.name + end).unlink(missing_ok=True)
        path.with_name(SUSPECT).unlink(missing_ok=True)
        _to_disk(path.parent)
        os.rename(path.with_name(FRESH), path)
        _to_disk(path.parent)
    except OSError as error:
        raise _failed(path, error) from error


def _linked(source: Path, target: Path) -> None:
    """Another name for the same file; a copy where the filesystem knows no such thing."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        part = target.with_name(PART + ".copy")
        shutil.copy2(source, part, follow_symlinks=False)
        _to_disk(part)
        os.rename(part, target)


def _to_disk(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _failed(path: Path, error: OSError) -> JournalError:
    what = f"the damaged journal can't be rebuilt: {error.strerror}"
    no_room = error.errno in (errno.ENOSPC, errno.EDQUOT)
    hint = MAKE_ROOM if no_room else f"check the permissions of {path.parent}"
    return JournalError(what, f"{hint}; the damaged one is as it was", str(path))


def left(folder: Path) -> list[str]:
    """The names of damaged journals that were set aside."""
    with suppress(OSError):
        found = (each for each in os.listdir(folder) if MARK in each)
        return sorted(each for each in found if not each.endswith(ENDS[1:]))
    return []
