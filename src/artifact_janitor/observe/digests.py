"""Which model files are copies of each other, without reading all of them each time.

Models of one architecture are all of one size. But the end of what torch saves holds the
checksums of all that is in it; so only files whose first and last bytes are equal, too, are
read in full, and what was read is remembered until the file is written to.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from artifact_janitor.journal.digests import Known
from artifact_janitor.observe.whole import Weights
from artifact_janitor.regular import open_regular

_EDGE = 64 << 10
"""Bytes at either end of a file."""

Inode = tuple[int, int]
Tick = Callable[[str, int, int], None]


@dataclass(slots=True)
class Hashes:
    """SHA-256 of files below `base`, each inode read once; `known` from earlier looks, `seen`
    what is still true of it, and new."""

    base: Path
    known: Known
    seen: dict[str, tuple[str, str]] = field(default_factory=dict)

    def remembered(self, path: str) -> str:
        """The digest of a file that nobody wrote to since it was read, or ""."""
        try:
            key, mark = _mark(os.lstat(self.base / path))
        except OSError:
            return ""
        found = self.seen.get(key) or self.known.get(key)
        if found is None or found[0] != mark:
            return ""
        self.seen[key] = found
        return found[1]

    def of(self, path: str) -> str:
        """ "" where it can't be read."""
        if digest := self.remembered(path):
            return digest
        try:
            with os.fdopen(open_regular(self.base / path), "rb") as file:
                key, mark = _mark(os.fstat(file.fileno()))
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                if _mark(os.fstat(file.fileno())) == (key, mark):
                    self.seen[key] = mark, digest
        except OSError:
            return ""
        return digest


def _mark(status: os.stat_result) -> tuple[str, str]:
    """Which file it is, and whether it was written to: no program can set its ctime back."""
    changed = f"{status.st_size}.{status.st_mtime_ns}.{status.st_ctime_ns}"
    return f"{status.st_dev}:{status.st_ino}", changed


def to_read(base: Path, weights: Mapping[str, Weights]) -> list[str]:
    """One path for each inode that may equal another one."""
    by_size: defaultdict[int, dict[Inode, str]] = defaultdict(dict)
    for path, each in weights.items():
        by_size[each.size].setdefault((each.dev, each.ino), path)
    several = (inodes.values() for inodes in by_size.values() if len(inodes) > 1)
    return [path for paths in several for path in _alike(base, paths)]


def _alike(base: Path, paths: Iterable[str]) -> list[str]:
    groups: defaultdict[bytes, list[str]] = defaultdict(list)
    for path in paths:
        groups[_edges(base / path)].append(path)
    return [path for key, group in groups.items() if key and len(group) > 1 for path in group]


def _edges(path: Path) -> bytes:
    """A digest of both ends of a file; b"" where they can't be read."""
    try:
        with os.fdopen(open_regular(path), "rb", 0) as file:
            size = os.fstat(file.fileno()).st_size
            ends = os.pread(file.fileno(), _EDGE, 0)
            ends += os.pread(file.fileno(), _EDGE, max(size - _EDGE, 0))
    except OSError:
        return b""
    return hashlib.sha256(ends).digest()
