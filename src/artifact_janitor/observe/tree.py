"""Read a folder tree: names, stats and sums, nothing else.

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
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from artifact_janitor.state import STATE

BLOCK = 512
"""Bytes that ``st_blocks`` counts, whatever the filesystem's own blocks are."""


class Entry(NamedTuple):
    """What ``lstat`` says; times in nanoseconds."""

    mode: int
    size: int
    blocks: int
    mtime: int
    dev: int
    ino: int
    nlink: int
    ctime: int

    @property
    def bytes(self) -> int:
        """Allocated."""
        return self.blocks * BLOCK


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
    bytes: int = 0
    """Allocated by its files that have one name; folders below it not included."""
    newest: int = 0
    """mtime of the newest of its files, 0 where it has none."""
    shared: list[str] = field(default_factory=list)
    """Its files that have other names too."""
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
    return _new(Entry, _FACTS(status))


_FACTS = attrgetter(
    "st_mode",
    "st_size",
    "st_blocks",
    "st_mtime_ns",
    "st_dev",
    "st_ino",
    "st_nlink",
    "st_ctime_ns",
)
_new = tuple.__new__  # a million of them: NamedTuple's own constructor takes twice as long

Skip = Callable[[str], bool]
"""Names folders, by path, that are not to be entered."""


def read(base: Path, path: str, skip: Skip = lambda _: False) -> Folder:
    """Read the tree at ``base/path``; `skip` names folders (by path) not to enter.

    `path` itself may be a symlink (a configured root); what is below it is not followed.
    Raises OSError where the folder itself can't be opened.
    """
    fd = os.open(base / path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    top = _Level(Folder(path, entry_of(os.fstat(fd))), fd, is_top=True)
    _fill(top, skip)
    return top.folder


def listing(base: Path, root: str, path: str, skip: Skip = lambda _: False) -> Folder:
    """One folder at or below `root`; those in it are known by name and stat alone.

    Raises OSError where it can't be opened.
    """
    fd = _open_below(base, root, path)
    level = _Level(Folder(path, entry_of(os.fstat(fd))), fd, is_top=path == root)
    try:
        level.scan()
        while level.next_child(skip):
            pass  # each was looked at, and stays if it may be entered
    finally:
        os.close(fd)
    return level.folder


def unread(base: Path, path: str) -> Folder:
    """A folder as a `listing` of the one around it would name it. Raises OSError."""
    return Folder(path, entry_of(os.lstat(base / path)))


def fill(base: Path, root: str, folder: Folder, skip: Skip = lambda _: False) -> None:
    """Read the rest of a folder that a `listing` of the folder around it named."""
    if folder.trouble:
        return
    try:
        fd = _open_below(base, root, folder.path)
    except OSError as error:
        folder.trouble = str(error.strerror)
    else:
        _fill(_Level(folder, fd), skip)


def _open_below(base: Path, root: str, path: str) -> int:
    """Open a folder name by name: no link on the way is followed, no path is too long."""
    fd = os.open(base / root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in path[len(root) :].removeprefix("/").split("/") if path != root else ():
        try:
            inner = os.open(name, _INSIDE, dir_fd=fd)
        finally:
            os.close(fd)
        fd = inner
    return fd


_INSIDE = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def _fill(top: _Level, skip: Skip) -> None:
    """Fill a folder depth first with an explicit stack: a deep tree can't exhaust ours.

    Only the folders on the way down are open at once; see `_Level`.
    """
    levels = [top]
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
        """All that is in it. This loop turns a million times: it calls no function of ours
        but for what is no plain file."""
        self.scanned = True
        folder = self.folder
        files, total, newest = folder.files, 0, 0
        try:
            with os.scandir(self.fd) as entries:
                for each in entries:
                    try:
                        entry = _new(Entry, _FACTS(each.stat(follow_symlinks=False)))
                    except FileNotFoundError:
                        continue  # it went while we looked; the fingerprint will tell
                    if entry[0] & _TYPE != stat.S_IFREG:
                        self._add(each.name, entry)
                        continue
                    files[each.name] = entry
                    if entry[3] > newest:
                        newest = entry[3]
                    if entry[6] == 1:
                        total += entry[2]
                    else:
                        folder.shared.append(each.name)
        except OSError as error:
            folder.trouble = str(error.strerror)
        folder.bytes, folder.newest = total * BLOCK, newest
        self.pending = list(folder.folders.values())

    def _add(self, name: str, entry: Entry) -> None:
        folder = self.folder
        if stat.S_ISDIR(entry.mode):
            folder.folders[name] = Folder(f"{folder.path}/{name}", entry)
        elif stat.S_ISLNK(entry.mode):
            folder.link_entries[name] = entry
            folder.links[name] = os.readlink(name, dir_fd=self.fd)
        else:
            folder.others[name] = entry

    def next_child(self, skip: Skip) -> Folder | None:
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


_TYPE = 0o170000


def _enter(child: Folder, parent_fd: int) -> int | None:
    """Open a child folder, or note on it why that can't be done."""
    try:
        return os.open(child.path.rpartition("/")[2], _INSIDE, dir_fd=parent_fd)
    except OSError as error:
        child.trouble = str(error.strerror)
        return None


def fingerprint(folder: Folder, *, inodes: bool = True) -> str:
    """What was seen, in 16 bytes of hex: names, types, sizes, mtimes, inodes (S11). Without
    `inodes` it is the same for a faithful copy.

    A folder's own mtime and size are left out: its entries say all that matters. So is the
    device: its number may change when the machine starts anew.
    """
    seen = blake2b(digest_size=16)
    for inner in sorted(folder.walk(), key=lambda each: each.path):
        path = inner.path[len(folder.path) :]
        _note(seen, path, stat.S_IFMT(inner.entry.mode), inner.entry.ino * inodes)
        for marks in _marks(inner, inodes):
            _note(seen, marks)
    return seen.hexdigest()


def _marks(folder: Folder, inodes: bool) -> Iterator[list[tuple[str, int, int, int, int]]]:
    """What is in a folder, but for folders: in few lists, since each is written out at one go, and
    in short ones, since there may be a million names."""
    for entries in (folder.files, folder.link_entries, folder.others):
        names = sorted(entries)
        for at in range(0, len(names), _MANY):
            some = ((name, entries[name]) for name in names[at : at + _MANY])
            yield [
                (name, each.mode & _TYPE, each.ino * inodes, each.size, each.mtime)
                for name, each in some
            ]


_MANY = 4096


def file_fingerprint(entry: Entry, *, inodes: bool = True) -> str:
    """The same for a unit that is a single file."""
    seen = blake2b(digest_size=16)
    _note(seen, stat.S_IFMT(entry.mode), entry.ino * inodes, entry.size, entry.mtime)
    return seen.hexdigest()


def _note(seen: blake2b, *what: object) -> None:
    seen.update(ascii(what).encode() + b"\n")
