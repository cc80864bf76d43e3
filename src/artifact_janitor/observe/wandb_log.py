"""W&B's transaction log ``run-ID.wandb``: is it whole, and how did the run end?

Seven bytes of header, then LevelDB's log format: blocks of 32 KiB, filled with chunks of
a CRC-32, a length, a type and a payload; one to many chunks make a record, which is a
protobuf message. Measured with wandb 0.22 to 0.31 and read in its source. Every byte is
checked and none is trusted; memory stays within a few blocks, however long the log is.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAGIC = b":W&B" + struct.pack("<HB", 0xBEE1, 0)
"""The header of a log; the last byte is the version of the format."""

_BLOCK = 32 * 1024
_CHUNK = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_LONGEST = 64 * 1024
"""An exit record has some 20 bytes: of longer records no more than this is kept."""

_EXIT, _EXIT_CODE = 18, 1
"""Field numbers of ``Record.exit`` and ``RunExitRecord.exit_code``."""
_EXIT_TAG = b"\x92\x01"
"""How field 18 begins: what doesn't hold these bytes needs no parsing."""


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
    exit_code = None
    try:
        if not has_magic(log):
            raise _Damage("the log is damaged at byte 0")
        for record in _records(log):
            if _EXIT_TAG in record:
                exit_code = _exit_code(record, exit_code)
    except _Damage as damage:
        return Ending(None, str(damage))
    return Ending(exit_code)


def _records(log: BinaryIO) -> Iterator[bytes]:
    """The records' contents, in order; of long ones only the beginning."""
    record: bytes | None = None
    start = len(MAGIC)
    for kind, payload, at in _chunks(log):
        begins = kind in (_FULL, _FIRST)
        if begins != (record is None):
            raise _Damage(f"the log is damaged at byte {at}")
        if record is None:
            record, start = payload, at
        elif len(record) < _LONGEST:
            record += payload
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
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                number, at = _varint(message, at)
                yield tag >> 3, number
                continue
            case 2:
                length, at = _varint(message, at)
            case 1 | 5:
                length = 8 if tag & 7 == 1 else 4
            case _:
                raise _Damage("the log holds a record that is no protobuf message")
        yield tag >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    raise _Damage("the log holds a record that is no protobuf message")
