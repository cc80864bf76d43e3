"""Read a folder tree: names and stats, nothing else.

Symlinks are never followed and filesystem borders never crossed (S1). Every folder is
opened relative to its parent with ``O_NOFOLLOW``, so a folder that is swapped for a
symlink in mid-walk can't lead the walk astray, and no path is ever too long.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

STATE = ".janitor"
"""The janitor's own folder: never entered."""


class Entry(NamedTuple):
    """What ``lstat`` says, in the units of the catalogue."""

    mode: int
    size: int
    bytes: int
    """Allocated, that is ``st_blocks * 512``."""
    mtime: int
    dev: int
    ino: int
    nlink: int
    uid: int


@dataclass(slots=True)
class Folder:
    """One folder of the tree, with all below it.

    ``path`` is relative to the workspace. ``trouble`` says why the folder could not be
    read in full ("" when it could): what is not seen is not known, and stays.
    """

    path: str
    entry: Entry
    folders: dict[str, Folder] = field(default_factory=dict)
    files: dict[str, Entry] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    """Symlinks and the text that they hold."""
    link_entries: dict[str, Entry] = field(default_factory=dict)
    others: dict[str, Entry] = field(default_factory=dict)
    """Sockets, pipes, devices."""
    trouble: str = ""

    def walk(self) -> Iterator[Folder]:
        """This folder and all below it, parents first."""
        stack = [self]
        while stack:
            folder = stack.pop()
            yield folder
            stack.extend(folder.folders.values())

    def all_files(self) -> Iterator[tuple[str, Entry]]:
        """Every regular file in the tree, with its path relative to the workspace."""
        for folder in self.walk():
            for name, entry in folder.files.items():
                yield f"{folder.path}/{name}", entry


def entry_of(status: os.stat_result) -> Entry:
    return Entry(
        status.st_mode,
        status.st_size,
        status.st_blocks * 512,
        status.st_mtime_ns,
        status.st_dev,
        status.st_ino,
        status.st_nlink,
        status.st_uid,
    )


def read(base: Path, path: str, skip: Callable[[str], bool] = lambda _: False) -> Folder:
    """Read the tree at ``base/path``; `skip` names folders (by path) not to enter.

    `path` itself may be a symlink (a configured root); what is below it is not followed.
    Raises OSError where the folder itself can't be opened.
    """
    fd = os.open(base / path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    folder = Folder(path, entry_of(os.fstat(fd)))
    _fill(folder, fd, skip)
    return folder


def _fill(top: Folder, top_fd: int, skip: Callable[[str], bool]) -> None:
    """Fill `top` depth first with an explicit stack: a deep tree can't exhaust ours.

    Only the folders on the way down are open at once; see `_Level`.
    """
    levels = [_Level(top, top_fd, is_top=True)]
    try:
        while levels:
            level = levels[-1]
            if not level.scanned:
                level.scan()
            child = level.next_child(skip)
            if child is None:
                os.close(levels.pop().fd)
            elif (fd := _enter(child, level.fd)) is not None:
                levels.append(_Level(child, fd))
    finally:
        for level in levels:
            os.close(level.fd)


class _Level:
    """A folder that is being read: its descriptor and the children still to enter."""

    def __init__(self, folder: Folder, fd: int, *, is_top: bool = False) -> None:
        self.folder = folder
        self.fd = fd
        self.is_top = is_top
        self.scanned = False
        self.pending: list[Folder] = []

    def scan(self) -> None:
        self.scanned = True
        try:
            with os.scandir(self.fd) as entries:
                for entry in entries:
                    self._add(entry)
        except OSError as error:
            self.folder.trouble = str(error.strerror)
        self.pending = list(self.folder.folders.values())

    def _add(self, dir_entry: os.DirEntry[str]) -> None:
        folder, name = self.folder, dir_entry.name
        try:
            entry = entry_of(dir_entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            return  # it went while we looked; the fingerprint will tell
        if stat.S_ISDIR(entry.mode):
            folder.folders[name] = Folder(f"{folder.path}/{name}", entry)
        elif stat.S_ISREG(entry.mode):
            folder.files[name] = entry
        elif stat.S_ISLNK(entry.mode):
            folder.link_entries[name] = entry
            folder.links[name] = os.readlink(name, dir_fd=self.fd)
        else:
            folder.others[name] = entry

    def next_child(self, skip: Callable[[str], bool]) -> Folder | None:
        while self.pending:
            child = self.pending.pop()
            name = child.path.rpartition("/")[2]
            if skip(child.path) or (self.is_top and name == STATE):
                del self.folder.folders[name]
            elif name == STATE:
                child.trouble = "a janitor's own state"
            elif child.entry.dev != self.folder.entry.dev:
                child.trouble = "another filesystem is mounted here"
            else:
                return child
        return None


def _enter(child: Folder, parent_fd: int) -> int | None:
    """Open a child folder, or note on it why that can't be done."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(child.path.rpartition("/")[2], flags, dir_fd=parent_fd)
    except OSError as error:
        child.trouble = str(error.strerror)
        return None


def fingerprint(folder: Folder) -> str:
    """What was seen, in 16 bytes of hex: names, types, sizes, mtimes, inodes (S11)."""
    seen = blake2b(digest_size=16)
    for inner in sorted(folder.walk(), key=lambda each: each.path):
        _mark(seen, inner.path[len(folder.path) :], inner.entry, size=False)
        for name, entry in sorted({**inner.files, **inner.link_entries, **inner.others}.items()):
            _mark(seen, name, entry, size=True)
    return seen.hexdigest()


def file_fingerprint(entry: Entry) -> str:
    """The same for a unit that is a single file."""
    seen = blake2b(digest_size=16)
    _mark(seen, "", entry, size=True)
    return seen.hexdigest()


def _mark(seen: blake2b, name: str, entry: Entry, *, size: bool) -> None:
    """A folder's own mtime and size are left out: its entries say all that matters.

    So is the device: its number may change when the machine starts anew.
    """
    parts = [stat.S_IFMT(entry.mode), entry.ino]
    if size:
        parts += [entry.size, entry.mtime]
    seen.update(os.fsencode(name) + b"\0" + repr(parts).encode() + b"\n")
