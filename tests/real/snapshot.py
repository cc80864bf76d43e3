"""What a folder tree is, to the byte: taken before and after, to prove that nothing changed.

Access times and ctimes are left out: reading changes the one, and nobody can set the
other. All else that ``ls``, ``stat``, ``getfattr`` or ``cat`` could show is in.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple

STATE = b".janitor"


class Mark(NamedTuple):
    """One name in the tree. Times in nanoseconds; `size` is apparent, 0 for folders."""

    type: str
    mode: int
    owner: tuple[int, int]
    mtime_ns: int
    size: int
    blocks: int
    """Allocated 512-byte blocks, so that a sparse file stays sparse; 0 for folders."""
    content: bytes
    """sha256 of a file, the text of a symlink."""
    twins: tuple[bytes, ...]
    """All names in the tree of a file that has several: the hard links."""
    xattrs: tuple[tuple[str, bytes], ...]


Snapshot = dict[bytes, Mark]


def snapshot(root: str | os.PathLike[str]) -> Snapshot:
    """Mark everything below `root` but the janitor's own folder at its top.

    Names are bytes, relative to `root`; `root` itself is not in, because a folder
    that is made in it (the janitor's) changes its mtime.
    """
    top = os.fsencode(root)
    found = {path: os.lstat(os.path.join(top, path)) for path in _names(top)}
    twins = _twins(found)
    return {path: _mark(top, path, status, twins) for path, status in found.items()}


def settled(seen: Snapshot, volatile: Iterable[str]) -> Snapshot:
    """Without what lies in folders that a live program goes on writing in."""
    busy = tuple(os.fsencode(path) + b"/" for path in volatile)
    return {path: mark for path, mark in seen.items() if not path.startswith(busy)}


def difference(before: Snapshot, after: Snapshot) -> list[str]:
    """What is not the same, one line a name, readable; empty when all is."""
    lines = []
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            lines.append(f"gone     {path!r}")
        elif path not in before:
            lines.append(f"new      {path!r}")
        elif before[path] != after[path]:
            lines.append(f"changed  {path!r}: {_changes(before[path], after[path])}")
    return lines


def _changes(before: Mark, after: Mark) -> str:
    pairs = zip(Mark._fields, before, after, strict=True)
    return ", ".join(f"{name} {old!r} → {new!r}" for name, old, new in pairs if old != new)


def _names(top: bytes) -> Iterator[bytes]:
    for folder, folders, files in os.walk(top):
        if folder == top and STATE in folders:
            folders.remove(STATE)
        for name in folders + files:
            yield os.path.relpath(os.path.join(folder, name), top)


def _twins(found: dict[bytes, os.stat_result]) -> dict[tuple[int, int], tuple[bytes, ...]]:
    """Names by inode, for files that have more than one link."""
    groups: dict[tuple[int, int], list[bytes]] = {}
    for path, status in found.items():
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            groups.setdefault((status.st_dev, status.st_ino), []).append(path)
    return {inode: tuple(sorted(paths)) for inode, paths in groups.items()}


def _mark(
    top: bytes,
    path: bytes,
    status: os.stat_result,
    twins: dict[tuple[int, int], tuple[bytes, ...]],
) -> Mark:
    full = os.path.join(top, path)
    is_folder = stat.S_ISDIR(status.st_mode)
    return Mark(
        type=stat.filemode(status.st_mode)[0],
        mode=stat.S_IMODE(status.st_mode),
        owner=(status.st_uid, status.st_gid),
        mtime_ns=status.st_mtime_ns,
        size=0 if is_folder else status.st_size,
        blocks=0 if is_folder else status.st_blocks,
        content=_content(full, status.st_mode),
        twins=twins.get((status.st_dev, status.st_ino), ()),
        xattrs=_xattrs(full),
    )


def _content(path: bytes, mode: int) -> bytes:
    """What the name holds; a pipe or a socket is never opened, a locked file can't be."""
    if stat.S_ISLNK(mode):
        return os.readlink(path)
    if not stat.S_ISREG(mode) or not os.access(path, os.R_OK):
        return b""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _xattrs(path: bytes) -> tuple[tuple[str, bytes], ...]:
    if not os.path.islink(path) and not os.access(path, os.R_OK):
        return ()
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)
