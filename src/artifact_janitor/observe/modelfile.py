"""Look into one model file without torch: is it whole, and what does it say of itself?

Nothing is unpickled (S14): a pickle is read as a list of opcodes. Every read is bounded,
and a damaged file is a fact to report, never an exception.
"""

from __future__ import annotations

import errno
import io
import json
import os
import pickletools
import struct
import zipfile
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Final

from artifact_janitor.regular import open_regular

JSON_LIMIT = 16 << 20
"""Bytes of JSON that are read, or of a zip's directory: either takes up to thirty times as much
memory. A ``trainer_state.json`` of a long training has a few MB."""
PICKLE_LIMIT = 16 << 20
"""Bytes of a pickle that are read; it holds no tensors, so that 1 MB is much already."""
MOST = 2_000_000
"""Opcodes of a pickle that are followed: a tensor takes about twenty."""
OPAQUE: Final = object()
"""Stands for whatever in a pickle is neither text, a whole number, nor None."""

_PICKLE = b"\x80"
_END_RECORD, _END_RECORD_SIZE = b"PK\x05\x06", 22
_TAIL = (1 << 16) + _END_RECORD_SIZE
LOCAL_HEADER, _LOCAL_HEADER_SIZE = b"PK\x03\x04", 30
DAMAGED = (zipfile.BadZipFile, EOFError, NotImplementedError, OverflowError, ValueError)


def is_whole(path: Path) -> bool | None:
    """Whether a model file can be read to its end; None where that can't be told.

    torch's zip: end record, directory, every member inside the file and none overlapping,
    ``data.pkl`` there with its CRC. safetensors: the header, and that the last tensor ends
    exactly where the file does. A save that was killed fails both. NOT checked: the bytes
    of the tensors (so that 10 GB cost no more than 10 kB), and whether the pickle would
    load. None for formats without an end of their own (torch before 1.6), zips that torch
    did not write, and what we may not read.
    """
    try:
        with Bounded(open_regular(path)) as file:
            size = os.fstat(file.fileno()).st_size
            return _is_whole(file, size, path.name.lower().endswith(".safetensors"))
    except OSError:
        return None


def read_json(path: Path) -> object:
    """The document in a JSON file.

    Raises ValueError where it is damaged, OSError where it can't be read or is larger
    than `JSON_LIMIT`: then nothing is known about it.
    """
    with Bounded(open_regular(path)) as file:
        return parsed(file.read(os.fstat(file.fileno()).st_size))


def constants(path: Path, limit: int = PICKLE_LIMIT) -> Iterator[object]:
    """The texts, whole numbers and Nones in the first `limit` bytes of torch's ``data.pkl``.

    In the order in which they are pushed, so that in a dict the value follows its key;
    anything else shows as `OPAQUE`. Ends at the first byte that makes no sense.
    """
    try:
        with Bounded(open_regular(path)) as file, zipfile.ZipFile(file) as archive:
            member = _pickle_in(archive)
            pickled = b"" if member is None else archive.open(member).read(limit)
    except (OSError, *DAMAGED, struct.error):
        return
    yield from _constants(pickled)


class Bounded(io.BufferedReader):
    """A file that refuses to be read in huge pieces, whatever a forged header asks for."""

    def __init__(self, fd: int, limit: int = JSON_LIMIT) -> None:
        super().__init__(io.FileIO(fd, "rb"))
        self._limit = limit

    def read(self, size: int | None = -1, /) -> bytes:
        asked = self._limit if size is None or size < 0 else size
        if asked > self._limit:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return super().read(asked)


def _is_whole(file: Bounded, size: int, safetensors: bool) -> bool | None:
    head = file.read(4)
    if not head.strip(b"\0"):
        return False  # empty, or the zeros that a crash leaves where nothing was written
    if safetensors:
        return _is_whole_safetensors(file, size)
    if LOCAL_HEADER.startswith(head):
        return _is_whole_zip(file, size)
    return None


def _is_whole_safetensors(file: Bounded, size: int) -> bool:
    """The format: 8 bytes with the header's length, the header in JSON, the tensors."""
    file.seek(0)
    start = file.read(8)
    if len(start) < 8 or (length := int.from_bytes(start, "little")) > size - 8:
        return False
    try:
        header = parsed(file.read(length))
        if not isinstance(header, dict):
            return False
        header.pop("__metadata__", None)
        ends = [tensor["data_offsets"][1] for tensor in header.values()]
        return bool(8 + length + max(ends, default=0) == size)
    except (ValueError, TypeError, KeyError, IndexError):
        return False


def _is_whole_zip(file: Bounded, size: int) -> bool | None:
    if not _has_end_record(file, size):
        return False
    try:
        with zipfile.ZipFile(file) as archive:
            if not members_fit(archive):
                return False
            member = _pickle_in(archive)
            if member is None:
                return None
            return archive.open(member).read(PICKLE_LIMIT)[:1] == _PICKLE
    except (*DAMAGED, struct.error):
        return False


def _has_end_record(file: Bounded, size: int) -> bool:
    """It is the last thing in a file that torch wrote; a comment may follow in others."""
    for tail in (_END_RECORD_SIZE, _TAIL):
        file.seek(max(0, size - tail))
        if _END_RECORD in file.read(tail):
            return True
    return False


def members_fit(archive: zipfile.ZipFile) -> bool:
    """Every member lies between the start of the file and the directory, none in another."""
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    starts = [member.header_offset for member in members] + [archive.start_dir]
    return starts[0] >= 0 and all(
        start + _LOCAL_HEADER_SIZE + member.compress_size <= following
        for member, (start, following) in zip(members, pairwise(starts), strict=True)
    )


def _pickle_in(archive: zipfile.ZipFile) -> zipfile.ZipInfo | None:
    """The pickle of a file that torch wrote: stored as it is, never compressed."""
    for member in archive.infolist():
        if member.filename.rpartition("/")[2] == "data.pkl":
            plain = member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & 1
            return member if plain else None
    return None


def parsed(text: bytes) -> object:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


_TEXTS = frozenset({"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"})
_NUMBERS = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG"})
_PUTS = frozenset({"BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"})
_GETS = frozenset({"BINGET", "LONG_BINGET", "GET"})


def _constants(pickled: bytes) -> Iterator[object]:
    """Follows the memo, since a text that comes again is only pointed at."""
    memo: dict[object, object] = {}
    pushed: object = OPAQUE
    try:
        for opcode, argument, _ in islice(pickletools.genops(pickled), MOST):
            if opcode.name in _PUTS:
                memo[len(memo) if argument is None else argument] = pushed
                continue
            if opcode.name == "FRAME":
                continue
            pushed = _pushed(opcode.name, argument, memo)
            yield pushed
    except (ValueError, struct.error):
        return


def _pushed(opcode: str, argument: object, memo: dict[object, object]) -> object:
    if opcode in _TEXTS or opcode in _NUMBERS:
        return argument
    if opcode in _GETS:
        return memo.get(argument, OPAQUE)
    return None if opcode == "NONE" else OPAQUE
