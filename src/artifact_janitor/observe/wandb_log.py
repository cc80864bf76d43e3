"""W&B's transaction log ``run-ID.wandb``: is it whole, how did the run end, what was it
configured with?

Seven bytes of header, then LevelDB's log format: blocks of 32 KiB, filled with chunks of
a CRC-32, a length, a type and a payload; one to many chunks make a record, which is a
protobuf message. Measured with wandb 0.22 to 0.31 and read in its source. Every byte is
checked and none is trusted; memory stays within a few blocks, however long the log is.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

MAGIC = b":W&B" + struct.pack("<HB", 0xBEE1, 0)
"""The header of a log; the last byte is the version of the format."""

_BLOCK = 32 * 1024
_CHUNK = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_LONGEST = 64 * 1024
"""An exit record has some 20 bytes: of longer records no more than this is kept."""

_EXIT, _EXIT_CODE = 18, 1
"""Field numbers of ``Record.exit`` and ``RunExitRecord.exit_code``."""
_NUMBER_TAG = b"\x08"
"""How field 1 begins, ``Record.num``, which comes first: they are numbered from 1 on."""
_EXIT_TAG = b"\x92\x01"
"""How field 18 begins: what doesn't hold these bytes needs no parsing."""


_LONGEST_CONFIG = 1024 * 1024
"""Bytes of a record with a configuration that are read."""

_CONFIG, _RUN, _RUN_CONFIG = 5, 17, 4
"""Field numbers of ``Record.config``, ``Record.run`` and ``RunRecord.config``."""
_UPDATE, _REMOVE = 1, 2
"""Of ``ConfigRecord``."""
_KEY, _NESTED_KEY, _VALUE = 1, 2, 16
"""Of ``ConfigItem``; its value is JSON."""
_OWN = "_wandb"
"""W&B's own entry among the user's."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a log ends: the run's exit code, or None where it doesn't say.

    ``damage`` says where the log can't be read, "" where all of it can.
    """

    exit_code: int | None
    damage: str = ""


class _Damage(Exception):
    pass


def has_magic(log: BinaryIO) -> bool:
    """Whether the file begins as a W&B log does; a live run may have no more than that."""
    return log.read(len(MAGIC)) == MAGIC


def ending(log: BinaryIO) -> Ending:
    """Read the log from its first byte to its last. Raises OSError, for no content."""
    exit_code, number = None, 0
    try:
        if not has_magic(log):
            raise _Damage("the log is damaged at byte 0")
        for record in _records(log, framed=True):
            number = _numbered(record, number)
            if _EXIT_TAG in record:
                exit_code = _exit_code(record, exit_code)
    except _Damage as damage:
        return Ending(None, str(damage))
    return Ending(exit_code)


def config(log: BinaryIO, limit: int | None = None) -> dict[str, Any] | None:
    """What the run was configured with, as the log says up to byte `limit`, or up to where
    it is damaged; None where no record tells. W&B's own entry is left out.

    Raises OSError, for no content.
    """
    found: dict[str, Any] | None = None
    try:
        if has_magic(log):
            for record in _records(log, _LONGEST_CONFIG):
                for message in _configs(record):
                    found = _configured(found or {}, message)
                if limit is not None and log.tell() >= limit:
                    break
    except _Damage:
        pass  # a run that was killed, or is being written: what stands before that is whole
    if found is not None:
        found.pop(_OWN, None)
    return found


def mentions(log: BinaryIO, words: re.Pattern[bytes]) -> set[bytes]:
    """What of these words stands in the log, up to where it is damaged. Raises OSError."""
    found: set[bytes] = set()
    try:
        if has_magic(log):
            for record in _records(log, _LONGEST_CONFIG):
                found |= {*words.findall(record)}
    except _Damage:
        pass
    return found


def _configs(record: bytes) -> Iterator[bytes]:
    """The ``ConfigRecord`` in a record: its own, or that of the run's beginning."""
    for number, content in _fields(record):
        if isinstance(content, bytes):
            if number == _CONFIG:
                yield content
            elif number == _RUN:
                yield from (
                    inner
                    for field, inner in _fields(content)
                    if field == _RUN_CONFIG and isinstance(inner, bytes)
                )


def _configured(before: dict[str, Any], message: bytes) -> dict[str, Any]:
    """A configuration with the changes of one record."""
    for number, item in _fields(message):
        if number in (_UPDATE, _REMOVE) and isinstance(item, bytes):
            (*outer, key), value = _item(item)
            inner: Any = before
            for each in outer:
                there = inner.setdefault(each, {}) if number == _UPDATE else inner.get(each)
                inner = there if isinstance(there, dict) else {}  # what is no table holds no key
            if number == _UPDATE:
                inner[key] = value
            else:
                inner.pop(key, None)
    return before


def _item(item: bytes) -> tuple[list[str], Any]:
    """The path of a key, outermost first and never empty, and its value; what is no JSON is
    text."""
    keys: list[str] = []
    value = "null"
    for number, content in _fields(item):
        if isinstance(content, bytes):
            text = content.decode("utf-8", "replace")
            if number in (_KEY, _NESTED_KEY):
                keys.append(text)
            elif number == _VALUE:
                value = text
    try:
        return keys or [""], json.loads(value)
    except (ValueError, RecursionError):
        return keys or [""], value


def _records(log: BinaryIO, longest: int = _LONGEST, *, framed: bool = False) -> Iterator[bytes]:
    """The records' contents, in order; of long ones only the beginning. With `framed`, none
    that was put together of several chunks may lack one of them."""
    record: bytes | None = None
    start, size = len(MAGIC), 0
    for kind, payload, at in _chunks(log):
        begins = kind in (_FULL, _FIRST)
        if begins != (record is None):
            raise _Damage(f"the log is damaged at byte {at}")
        if record is None:
            record, start, size = payload, at, 0
        elif len(record) < longest:
            record += payload
        size += len(payload)
        if kind == _LAST and framed and not _fills(record, size):
            raise _Damage(f"the log is damaged in the record at byte {start}")
        if kind in (_FULL, _LAST):
            yield record
            record = None
    if record is not None:
        raise _Damage(f"the log breaks off in the record at byte {start}")


def _chunks(log: BinaryIO) -> Iterator[tuple[int, bytes, int]]:
    """Type, payload and place of every chunk. `log` stands behind the header."""
    place, at = 0, len(MAGIC)
    block = MAGIC + log.read(_BLOCK - at)
    while block:
        while at + _CHUNK.size <= len(block):
            kind, payload = _chunk(block, at, place)
            yield kind, payload, place + at
            at += _CHUNK.size + len(payload)
        if any(block[at:]) or (at < len(block) < _BLOCK):  # only full blocks are padded
            raise _Damage(f"the log breaks off at byte {place + at}")
        place, at = place + _BLOCK, 0
        block = log.read(_BLOCK)


def _chunk(block: bytes, at: int, place: int) -> tuple[int, bytes]:
    checksum, length, kind = _CHUNK.unpack_from(block, at)
    start, end = at + _CHUNK.size, at + _CHUNK.size + length
    if len(block) < end <= _BLOCK and _FULL <= kind <= _LAST:
        raise _Damage(f"the log breaks off at byte {place + at}")
    if end > _BLOCK or zlib.crc32(memoryview(block)[start - 1 : end]) != checksum:
        raise _Damage(f"the log is damaged at byte {place + at}")
    if not _FULL <= kind <= _LAST:
        raise _Damage(f"the log is damaged at byte {place + at}")
    return kind, block[start:end]


def _numbered(record: bytes, before: int) -> int:
    """A record's number, which is one more than that `before`: a block that is missing, or there
    twice, may be whole in itself."""
    if record[:1] != _NUMBER_TAG:
        return before
    number, _ = _varint(record, 1)
    if number != before + 1:
        raise _Damage(f"the log is damaged: record {number} follows record {before}")
    return number


def _fills(message: bytes, size: int) -> bool:
    """Whether the last field that begins in a message ends where all of it does. W&B puts what
    is long last."""
    at = 0
    while at < len(message):
        _, _, at = _field(message, at)
    return at == size


def _exit_code(record: bytes, before: int | None) -> int | None:
    """The exit code in a record; `before` where it is a record of another kind."""
    for number, content in _fields(record):
        if number == _EXIT and isinstance(content, bytes):
            code = dict(_fields(content)).get(_EXIT_CODE, 0)  # proto3 leaves zeros out
            if isinstance(code, int):
                return code - 2**64 if code >= 2**63 else code
    return before


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: numbers as they are, everything else as bytes."""
    at = 0
    while at < len(message):
        number, content, at = _field(message, at)
        yield number, content


def _field(message: bytes, at: int) -> tuple[int, int | bytes, int]:
    """Number and content of the field at a place, and where it ends."""
    tag, at = _varint(message, at)
    match tag & 7:
        case 0:
            number, at = _varint(message, at)
            return tag >> 3, number, at
        case 2:
            length, at = _varint(message, at)
        case 1 | 5:
            length = 8 if tag & 7 == 1 else 4
        case _:
            raise _Damage("the log holds a record that is no protobuf message")
    return tag >> 3, message[at : at + length], at + length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    raise _Damage("the log holds a record that is no protobuf message")
