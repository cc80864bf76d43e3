"""TensorBoard's event files: proof that a program wrote its curves here.

An event file is a row of records, each with its length, a checksum of the length, the
record and a checksum of that. The first record says ``brain.Event:2``.
"""

from __future__ import annotations

import re
from pathlib import Path

from artifact_janitor.observe.reading import head
from artifact_janitor.observe.tree import Folder

_HEADER = 12
"""Bytes of a record's length and its checksum."""
_FIRST = 64
"""Bytes in which the first record says what the file is."""
_BESIDE = re.compile(
    r"hparams\.yaml|metrics\.csv|projector_config\.pbtxt|.*\.log|.*\.profile-empty", re.DOTALL
)
"""What loggers and TensorBoard itself leave beside event files."""


def is_events(name: str) -> bool:
    return "events.out.tfevents." in name


def wrote_in(folder: Folder, base: Path) -> bool:
    """Whether there is a proven event file anywhere in this tree."""
    return any(_has_events(inner, base) for inner in folder.walk())


def is_log(folder: Folder, base: Path) -> bool:
    """Whether a folder holds event files of its own, and nothing in it but such logs.

    Whatever else lies there may matter, and makes it a folder that nothing explains.
    """
    if not any(map(is_events, folder.files)):
        return False
    return _has_events(folder, base) and all(_is_plain(inner) for inner in folder.walk())


def _is_plain(folder: Folder) -> bool:
    names = (is_events(name) or _BESIDE.fullmatch(name) for name in folder.files)
    return all(names) and not (folder.links or folder.others or folder.trouble)


def _has_events(folder: Folder, base: Path) -> bool:
    return any(is_events(name) and _is_proven(base / folder.path / name) for name in folder.files)


def _is_proven(path: Path) -> bool:
    """By its first record; a writer that was killed early leaves none."""
    start = head(path, _FIRST)
    if len(start) <= _HEADER:
        return False
    told = int.from_bytes(start[8:_HEADER], "little")
    return told == _masked(_crc32c(start[:8])) and b"brain.Event:" in start[_HEADER:]


def _crc32c(text: bytes) -> int:
    """Castagnoli's checksum, of a few bytes only: bit by bit."""
    crc = 0xFFFFFFFF
    for byte in text:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def _masked(crc: int) -> int:
    """As TFRecord writes it down, so that a checksum of checksums stays one."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
