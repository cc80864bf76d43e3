"""SQLite's write-ahead log: a database and its log as one consistent image in memory.

The format is documented in https://www.sqlite.org/fileformat2.html#walformat. Frames count
up to the last one that ends a transaction, as far as salts and checksums are right.

A checkpoint may write to the database while it is read. What it writes was in the log
before, so a copy of the log that is taken after the database's holds every page that may
have been torn. That holds as long as the log wasn't begun anew meanwhile, which its header
tells; without a log, the database must not have changed at all.

Checksums take nearly all of the time. A log only grows until it is begun anew, so who reads it
again in the same process goes on behind the last transaction that was checked, as SQLite does.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import sys
from array import array
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from artifact_janitor.regular import open_regular

HEADER = 100
"""Bytes of a database's header; at 18 and 19 it says how it is written: 2 is with a log."""

_START = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC = (0x377F0682, 0x377F0683)
"""Checksums over little-endian words, or over big-endian ones."""
_TRIES = 5
LARGEST = 512 << 20
"""Bytes of a database, with its log, that are read into memory."""


def is_used(start: bytes) -> bool:
    """Whether a database with this header is in WAL mode."""
    return start[18:20] == b"\2\2"


def connection(file: BufferedReader, path: Path) -> sqlite3.Connection:
    """To what was last committed, in memory; nothing is written beside the database.

    `file` is the open database at `path`. Raises OSError, saying why it can't be read.
    """
    if size(file, path) > LARGEST:
        raise OSError("it is in WAL mode, and too large to be read into memory")
    if not hasattr(sqlite3.Connection, "deserialize"):
        raise OSError("it is in WAL mode, which this Python's SQLite can't read from memory")
    content = image(file, path)
    if content is None:
        raise OSError("it is written to all the time")
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.deserialize(content)
    return db


def size(file: BufferedReader, path: Path) -> int:
    """Bytes of a database and its log, the moment before they are read."""
    try:
        log = _beside(path).stat().st_size
    except FileNotFoundError:
        log = 0
    return os.fstat(file.fileno()).st_size + log


def image(file: BufferedReader, path: Path) -> bytearray | None:
    """What was last committed, as a database that needs no log; None where it never stands
    still. `file` is the open database at `path`. Raises OSError."""
    for _ in range(_TRIES):
        before = _state(file, path)
        content = bytearray(os.fstat(file.fileno()).st_size)
        file.seek(0)
        del content[file.readinto(content) :]
        log = _log(path)
        if before == _state(file, path) and log[: _START.size] == before.log:
            return _applied(content, log, _checked(path, log))
    return None


class _State(NamedTuple):
    """What must not change while both files are read."""

    log: bytes
    """The log's header: another one when it is begun anew."""
    database: tuple[int, int, int]
    """Counts only without a log."""


def _state(file: BufferedReader, path: Path) -> _State:
    log, status = _log(path, _START.size), os.fstat(file.fileno())
    marks = (0, 0, 0) if log else (status.st_mtime_ns, status.st_size, status.st_ino)
    return _State(log, marks)


def _log(path: Path, limit: int = -1) -> bytes:
    try:
        with os.fdopen(open_regular(_beside(path)), "rb") as file:
            return file.read(limit)
    except FileNotFoundError:
        return b""


def content_of_log(path: Path) -> bytes:
    """All that lies in a database's log, committed or not. Raises OSError."""
    return _log(path)


def is_broken(path: Path) -> bool:
    """Whether SQLite passes over what was committed in a log, as something before it is damaged.

    Its last transaction can't be told from one that a power cut tore. Somebody may begin the log
    anew while it is read, so it is read twice.
    """
    return breaks_off(_log(path)) and breaks_off(_log(path))


def breaks_off(log: bytes) -> bool:
    """The same of a log's content: its head is none, or behind the last frame that counts there
    are others of its own which belong together, and end a transaction."""
    if len(log) < _START.size or log.count(0) == len(log):
        return False  # there is none, or the power failed when it was begun
    magic, _, size, _, *salts, first, second = _START.unpack_from(log)
    big = magic == _MAGIC[1]
    if magic not in _MAGIC or _Sums(is_big=big).over(log[:24]) != (first, second) or size < 512:
        return True
    before: tuple[int, int] | None = None
    end, width = _committed(log, _Checked()).end, _FRAME.size + size
    for start in range(end, len(log) - width + 1, width):
        _, count, *marks = _FRAME.unpack_from(log, start)
        if marks[:2] != salts:
            before = None
            continue
        if before and count and _follows(log, start, size, before, is_big=big):
            return True
        before = (marks[2], marks[3])
    return False


def _follows(log: bytes, start: int, size: int, before: tuple[int, int], *, is_big: bool) -> bool:
    """Whether a frame is whole, and was written behind one with this checksum."""
    sums, end = _Sums(is_big=is_big), start + _FRAME.size + size
    sums.first, sums.second = before
    said = struct.unpack_from(">2I", log, start + 16)
    return sums.over(log[start : start + 8], log[end - size : end]) == said


def _beside(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


class _Checked(NamedTuple):
    """The committed part of a log: where the newest content of each page begins, their size, how
    many the database has, and the checksum at its end."""

    start: bytes = b""
    """The log's header."""
    pages: Mapping[int, int] = MappingProxyType({})
    size: int = 0
    whole: int = 0
    end: int = _START.size
    sums: tuple[int, int] = (0, 0)


_before: dict[Path, _Checked] = {}
"""What was checked of logs that this process read, the latest last."""
_MOST = 64
"""Logs that are remembered so."""


def _checked(path: Path, log: bytes) -> _Checked:
    found = _committed(log, _before.pop(path, _Checked()))
    if found.pages:
        _before[path] = found
        for oldest in [*_before][:-_MOST]:
            _before.pop(oldest, None)
    return found


def _applied(content: bytearray, log: bytes, found: _Checked) -> bytearray:
    """The database with the log's pages in their places, marked as one without a log."""
    size, count = found.size, found.whole
    if count * size > len(content) + len(log):
        raise OSError("its log is damaged")
    if found.pages:
        content.extend(bytes(max(count * size - len(content), 0)))
        del content[count * size :]
    for number, at in found.pages.items():
        if number <= count:
            content[(number - 1) * size : number * size] = log[at : at + size]
    content[18:20] = b"\1\1"
    return content


def _committed(log: bytes, before: _Checked) -> _Checked:
    """What is committed in a log, of which `before` was known."""
    if len(log) < _START.size:
        return _Checked()
    magic, _, size, _, *salts, first, second = _START.unpack_from(log)
    sums = _Sums(is_big=magic == _MAGIC[1])
    if magic not in _MAGIC or sums.over(log[:24]) != (first, second) or size < 512:
        return _Checked()
    found = _Checked(log[: _START.size], {}, size, sums=(first, second))
    if _goes_on(log, before):
        found = before
        sums.first, sums.second = before.sums
    pages, waiting = {**found.pages}, {}
    for start in range(found.end, len(log) - _FRAME.size - size + 1, _FRAME.size + size):
        number, count, *marks = _FRAME.unpack_from(log, start)
        end = start + _FRAME.size + size
        if number == 0 or marks[:2] != salts:
            break
        if sums.over(log[start : start + 8], log[end - size : end]) != tuple(marks[2:]):
            break
        waiting[number] = end - size
        if count:
            pages.update(waiting)
            waiting.clear()
            found = _Checked(found.start, pages, size, count, end, (sums.first, sums.second))
    return found


def _goes_on(log: bytes, before: _Checked) -> bool:
    """Whether a log is the one that was checked before, or that and more: each frame's checksum
    is over all frames before it."""
    last = log[before.end - before.size - 8 : before.end - before.size]
    same = before.start == log[: _START.size] and bool(before.pages)
    return same and len(log) >= before.end and last == struct.pack(">2I", *before.sums)


class _Sums:
    """The log's running checksum."""

    def __init__(self, *, is_big: bool) -> None:
        self.swap = is_big != (sys.byteorder == "big")
        self.first = self.second = 0

    def over(self, *parts: bytes) -> tuple[int, int]:
        words = array("I", b"".join(parts))
        if self.swap:
            words.byteswap()
        first, second = self.first, self.second
        for even, odd in zip(words[::2], words[1::2], strict=True):
            first = (first + even + second) & 0xFFFFFFFF
            second = (second + odd + first) & 0xFFFFFFFF
        self.first, self.second = first, second
        return first, second
