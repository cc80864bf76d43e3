"""The journal's file: how it is opened, and its errors in plain words."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from artifact_janitor import wal
from artifact_janitor.errors import JournalDamaged, JournalError
from artifact_janitor.journal.formats import PLAUSIBLE, VERSION, migrate, shape, version_of, wanted
from artifact_janitor.journal.pages import MAGIC
from artifact_janitor.regular import open_regular
from artifact_janitor.reserve import is_short
from artifact_janitor.state import MAKE_ROOM, no_link

SUSPECT = "journal.db.suspect"
"""Left beside the journal by whoever meets damage while it is in use: why."""
FRESH = "journal.db.rebuilt"
"""A new journal, whole and durable, that is about to take the damaged one's place."""
NONSENSE = "a row makes no sense"
UNSEEN = (NONSENSE, "Could not decode")
"""How what no check of SQLite's sees begins."""
IN_TROUBLE = "nothing is mended as long as the disk is in trouble: see dmesg, and save your work"
PATIENCE = 30
"""Seconds that whoever needs the journal waits for another janitor."""
REBUILDS = "janitor run sets it aside, and rebuilds it from what can be read and what is on disk"


@contextmanager
def told(path: Path) -> Iterator[None]:
    """SQLite's errors, in words that say what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _in_words(path, error) from error
    except UnicodeDecodeError as error:  # in what SQLite says of its schema
        raise damaged(path, f"what describes its tables is no text: {error.reason}") from error


@contextmanager
def sensible(path: Path) -> Iterator[None]:
    """For what is made of rows: a value that can't be made sense of is damage."""
    try:
        yield
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise damaged(path, f"{NONSENSE}: {error}") from error


_NULL = subprocess.DEVNULL
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)
_SHORT = 522
"""SQLITE_IOERR_SHORT_READ: the file ends where a page should be."""
_SHAPE = ("no such table", "no such column", "has no column", "malformed", "file format", "decode")
"""What SQLite says where the tables are not as we made them."""


def _in_words(path: Path, error: sqlite3.DatabaseError) -> JournalError:
    """A disk that doesn't let us read or write is no damage: it may pass, and what is mended on
    it may be lost."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else None
    if primary in _DAMAGE or code == _SHORT or any(each in str(error) for each in _SHAPE):
        return damaged(path, str(error))
    if primary == sqlite3.SQLITE_IOERR:
        hint = MAKE_ROOM if is_short(path.parent) else IN_TROUBLE
        return JournalError(f"the disk can't read or write the journal: {error}", hint, str(path))
    hint = "is the disk full, or read-only? The next janitor run finishes what was begun"
    hint = MAKE_ROOM if is_short(path.parent) else hint
    return JournalError(f"the journal can't be used: {error}", hint, str(path))


def damaged(path: Path, what: str) -> JournalDamaged:
    """What is to be raised; whoever writes next is told, who may not meet it by itself."""
    with suppress(OSError):
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path.with_name(SUSPECT), flags, 0o600), "wb") as file:
            file.write(what.encode("utf-8", "backslashreplace"))
    return _damaged(path, what)


def is_sound(path: Path) -> bool:
    """Whether another look at the whole of it finds nothing: SQLite calls a page damaged that
    the disk could not read just then. Raises JournalError where the disk still can't: another
    program reads, since whoever closes the file here ends SQLite's locks on it."""
    if subprocess.run(["cat", path], stdout=_NULL, stderr=_NULL, check=False).returncode:
        raise JournalError("the disk can't read the journal", IN_TROUBLE, str(path))
    with suppress(OSError):
        if path.with_name(SUSPECT).read_text(errors="replace").startswith(UNSEEN):
            return False
    try:
        with told(path), closing(_open(path, "rw")) as db:
            if _is_blank(db):
                return True  # the disk failed while it was made
            _check(db, path)
            return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    except JournalDamaged:
        return False


def _damaged(path: Path, what: str) -> JournalDamaged:
    return JournalDamaged(f"the journal is damaged: {what}", REBUILDS, str(path))


def connect(path: Path, *, create: bool) -> sqlite3.Connection | None:
    """The database at `path`, or None where there is none and `create` is false.

    Without `create` it is opened for reading, and nothing is written. Raises JanitorError
    where a symlink stands in its place, or in that of its folder.
    """
    no_link(path.parent)
    no_link(path)
    if not create and is_empty(path):
        return None
    _look_at(path)
    with told(path):
        db = _open(path, "rwc") if create else _readable(path)
        try:
            if not create and _is_blank(db):
                db.close()
                return None
            if not _is_blank(db):
                _check(db, path)
            if create:
                _check_content(db, path)
                _prepare(db)
        except BaseException:
            db.close()
            raise
    return db


def is_empty(path: Path) -> bool:
    """Nothing was ever written: there is no journal, or the first janitor died making it."""
    if os.path.lexists(path.with_name(FRESH)):
        return False
    try:
        return path.stat().st_size == 0 and not _has_content(path.with_name(path.name + "-wal"))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        raise _unreadable(path, error) from error


def _has_content(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


def inode_of(path: Path) -> tuple[int, int] | None:
    """Which file is at `path`; None where there is none yet. Raises JournalError."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    return status.st_dev, status.st_ino


def must_be(path: Path, inode: tuple[int, int] | None) -> None:
    """Raises JournalError where another file took its place: what is written to the old one
    is lost to all others."""
    if inode is not None and inode_of(path) != inode:
        hint = "run it again: what was begun is finished, or rolled back"
        raise JournalError("another journal took this one's place meanwhile", hint, str(path))


def _is_blank(db: sqlite3.Connection) -> bool:
    """It has no table: there was no room for them, or the first janitor died just then."""
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return not tables and not version_of(db)


def _unreadable(path: Path, error: OSError) -> JournalError:
    hint = f"check the permissions of {path.parent}"
    return JournalError(f"the journal can't be read: {error.strerror or error}", hint, str(path))


def _open(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=PATIENCE)


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


def make(path: Path) -> sqlite3.Connection:
    """A new journal, without rows yet and without a log, in a file that doesn't exist."""
    db = _open(path, "rwc")
    db.execute("PRAGMA synchronous = FULL")
    migrate(db)
    return db


def _prepare(db: sqlite3.Connection) -> None:
    """Switch to a log, and bring an older format up to date. SQLite doesn't wait where two
    make this switch at once, since both have read already: so we do."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(0.01)
    migrate(db)


def _look_at(path: Path) -> None:
    """What tells before SQLite opens it, and would be lost when it closes it. Raises
    JournalDamaged."""
    if os.path.lexists(path.with_name(FRESH)):
        raise _damaged(path, "a new one was about to take its place")
    with suppress(OSError), open(path.with_name(SUSPECT), "rb") as file:
        raise _damaged(path, file.read(500).decode(errors="replace"))
    mark = (os.getpid(), inode_of(path))
    if mark in _begun:
        return
    with suppress(OSError), os.fdopen(open_regular(path), "rb") as file:
        start = file.read(wal.HEADER)
        if start and not _is_ours(start):
            raise _damaged(path, "it does not begin as a database does")
        if wal.is_broken(path):
            raise _damaged(path, "what was committed in its log can't be read")
        _begun.add(mark)


_begun: set[tuple[int, tuple[int, int] | None]] = set()
"""Which files this process opened before, by its number and theirs. Whoever closes a file that
SQLite has open in the same process ends SQLite's locks on it, so it is looked at but once."""


def _is_ours(start: bytes) -> bool:
    """Whether these bytes may begin a database of ours: its magic, pages, log, the fractions
    that never change, and UTF-8. A new one has no encoding yet."""
    if len(start) < wal.HEADER or not start.startswith(MAGIC):
        return False
    size = int.from_bytes(start[16:18], "big")
    is_size = size == 1 or (512 <= size <= 32768 and size & (size - 1) == 0)
    fixed = start[18:19] == start[19:20] and start[18] in (1, 2) and start[20] == 0
    fixed = fixed and start[21:24] == b"\x40\x20\x20"
    return is_size and fixed and int.from_bytes(start[56:60], "big") < 2


def _check(db: sqlite3.Connection, path: Path) -> None:
    """Raises JournalDamaged where its tables are not those of its format, and JournalError where
    it is of a newer one."""
    found, there = version_of(db), shape(db)
    if VERSION < found < PLAUSIBLE:
        what = f"the journal has format {found}, this version knows formats 1 to {VERSION}"
        hint = f"update artifact-janitor; if it is the newest, the journal is damaged: move {path} "
        raise JournalError(what, hint + "aside, and janitor run makes one of the disk", str(path))
    if not 1 <= found <= VERSION:
        raise _damaged(path, f"its tables are not of format {found}")
    for table, columns in wanted(found).items():
        if table not in there:
            raise _damaged(path, f"it has no table {table}")
        if not columns <= there[table]:
            raise _damaged(path, f"its table {table} lacks {', '.join(columns - there[table])}")


_sound: set[tuple[int, int, int, int]] = set()
"""What was found sound by this process: device, inode, size and mtime."""
SMALL = 4 << 20
"""Bytes of a journal that is checked in full, in some hundredths of a second, before it is
written to; of a larger one those tables that protect and that say what was done."""
_MATTER = ("pin", "clock", "archive", "job", "publication", "rebuilt", "sweep")


def _check_content(db: sqlite3.Connection, path: Path) -> None:
    """Raises JournalDamaged where tables and their indexes contradict each other, which queries
    don't notice."""
    status = path.stat()
    mark = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    if mark in _sound or not version_of(db):
        return
    there = [table for table in _MATTER if table in wanted(version_of(db))]
    for table in there if status.st_size > SMALL else [""]:
        query = f"PRAGMA integrity_check({table})" if table else "PRAGMA integrity_check"
        said = [str(row[0]) for row in db.execute(query)]
        if said != ["ok"]:
            raise _damaged(path, said[0].strip().replace("\n", " "))
    _sound.add(mark)
