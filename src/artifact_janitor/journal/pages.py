"""Rows of a SQLite database whose trees are damaged: every page is looked at by itself.

The format is documented in https://www.sqlite.org/fileformat2.html. Whatever is no row of a page
that SQLite wrote is passed over; the caller decides by its values which table a row is of.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

Value = int | float | str | bytes | None

MAGIC = b"SQLite format 3\0"
USUAL = 4096
"""The size of a page where nothing tells another one."""
_LEAF_OF_TABLE, _LEAF, _INNER = 0x0D, 0x0A, 0x02
"""Pages that hold rows: of a table with rowids, and of one without, or of an index."""
_WIDTHS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""Bytes of integers, by how a row calls them."""
_LOG, _FRAME = 32, 24
"""Bytes before a log's first frame, and before the page in each."""


class Row(NamedTuple):
    """``number`` is the rowid, where it has one."""

    number: int | None
    values: tuple[Value, ...]


def size_of(content: bytes) -> int:
    """Bytes of a page, by the first bytes of the database."""
    said = int.from_bytes(content[16:18], "big") if content.startswith(MAGIC) else USUAL
    size = 65536 if said == 1 else said
    return size if 512 <= size <= 65536 and size & (size - 1) == 0 else USUAL


def rows(content: bytes, size: int) -> Iterator[Row]:
    """All rows of a database, in the order of its pages."""
    for start in range(0, len(content), size):
        page = content[start : start + size]
        yield from _of_page(page, content, size, 100 if start == 0 else 0)


def logged(log: bytes, content: bytes, size: int) -> Iterator[Row]:
    """All rows of the pages in a log, whether they are committed or not."""
    for start in range(_LOG + _FRAME, len(log) - size + 1, _FRAME + size):
        number = int.from_bytes(log[start - _FRAME : start - _FRAME + 4], "big")
        yield from _of_page(log[start : start + size], content, size, 100 if number == 1 else 0)


def _of_page(page: bytes, content: bytes, size: int, at: int) -> Iterator[Row]:
    if len(page) < size or page[at] not in (_LEAF_OF_TABLE, _LEAF, _INNER):
        return
    first = at + (12 if page[at] == _INNER else 8)
    count = min(int.from_bytes(page[at + 3 : at + 5], "big"), (size - first) // 2)
    for (place,) in struct.iter_unpack(">H", page[first : first + 2 * count]):
        try:
            yield _row(page, place + 4 * (page[at] == _INNER), content, size, page[at])
        except (IndexError, ValueError, struct.error):
            continue  # no row of SQLite's


def _row(page: bytes, at: int, content: bytes, size: int, kind: int) -> Row:
    whole, at = _number(page, at)
    number = None
    if kind == _LEAF_OF_TABLE:
        number, at = _number(page, at)
    if whole > len(content) + size:
        raise ValueError
    local = _local(whole, size, kind)
    record = page[at : at + local]
    if local < whole:
        record += _overflow(content, size, page[at + local : at + local + 4], whole - local)
    if len(record) < whole:
        raise ValueError
    return Row(number, tuple(_values(record)))


def _local(whole: int, size: int, kind: int) -> int:
    """How many of its bytes a row has on its own page."""
    most = size - 35 if kind == _LEAF_OF_TABLE else (size - 12) * 64 // 255 - 23
    if whole <= most:
        return whole
    least = (size - 12) * 32 // 255 - 23
    fits = least + (whole - least) % (size - 4)
    return fits if fits <= most else least


def _overflow(content: bytes, size: int, link: bytes, left: int) -> bytes:
    parts = []
    while left > 0:
        start = (int.from_bytes(link, "big") - 1) * size
        if start < 0 or start + size > len(content):
            raise ValueError
        link = content[start : start + 4]
        parts.append(content[start + 4 : start + 4 + min(left, size - 4)])
        left -= size - 4
    return b"".join(parts)


def _number(page: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    found = 0
    for end in range(at, at + 8):
        found = found << 7 | page[end] & 0x7F
        if page[end] < 0x80:
            return found, end + 1
    found = found << 8 | page[at + 8]
    return found - (1 << 64) if found >= 1 << 63 else found, at + 9


def _values(record: bytes) -> Iterator[Value]:
    head, at = _number(record, 0)
    end = head
    while at < head:
        kind, at = _number(record, at)
        value, end = _value(record, kind, end)
        yield value


def _value(record: bytes, kind: int, at: int) -> tuple[Value, int]:
    if kind in (0, 8, 9):
        return (None if kind == 0 else kind - 8), at
    if kind == 7:
        return struct.unpack_from(">d", record, at)[0], at + 8
    width = _WIDTHS.get(kind, (kind - 12) // 2)
    piece = record[at : at + width]
    if width < 0 or len(piece) < width or kind in (10, 11):
        raise ValueError
    if kind in _WIDTHS:
        return int.from_bytes(piece, "big", signed=True), at + width
    return (piece.decode() if kind % 2 else piece), at + width
