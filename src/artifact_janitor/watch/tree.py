"""Folders as they looked last: of each only a number, made of all that was in it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from artifact_janitor.state import STATE
from artifact_janitor.watch.kernel import Watched

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_AT_ONCE = 4000
"""Bytes of a path that the kernel takes in one call, PATH_MAX with room to spare."""


NOTHING: Mapping[str, Folder] = MappingProxyType({})
"""What is in a folder without folders: a dictionary each would be 2 MB for 25,000 runs."""


class Folder(Watched):
    """One folder that is looked after.

    ``whole``: with all below it, as one thing. ``rest``: not to be looked at before that
    time, in seconds of a clock that only goes forward.
    """

    __slots__ = ("around", "inode", "inside", "is_there", "mark", "name", "rest", "whole")

    def __init__(self, name: str, around: Folder | None, inode: int) -> None:
        super().__init__()
        self.name = name
        self.around = around
        self.inode = inode
        self.inside = NOTHING
        self.mark: int | None = None
        self.rest = 0.0
        self.whole = False
        self.is_there = True

    @property
    def path(self) -> str:
        names, each = [self.name], self.around
        while each is not None:
            names.append(each.name)
            each = each.around
        return "/".join(reversed(names))

    @property
    def top(self) -> Folder:
        each = self
        while each.around is not None:
            each = each.around
        return each

    def walk(self) -> Iterator[Folder]:
        """This folder and all below it, parents first."""
        todo = [self]
        while todo:
            folder = todo.pop()
            yield folder
            todo.extend(folder.inside.values())


class Listing(NamedTuple):
    """What was in a folder.

    ``mark`` differs when a name, size, mtime or inode does. ``newest``: mtime in
    nanoseconds, 0 without files. ``folders``: inodes by name, of those that may be entered.
    """

    mark: int
    newest: int
    folders: dict[str, int]


def enter(path: str, *, follow: bool) -> int:
    """Open a folder, however long its path is; only a root may be a symlink. Raises OSError."""
    flags = _FOLDER if follow else _FOLDER | os.O_NOFOLLOW
    try:
        return os.open(path, flags)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
    *around, name = path.split("/")
    fd = os.open("/", _FOLDER)
    for piece in _pieces(around):
        fd = _on(fd, piece, _FOLDER)
    return _on(fd, name, flags)


def _on(fd: int, path: str, flags: int) -> int:
    """Open what lies below an open folder, and close that."""
    try:
        return os.open(path or ".", flags, dir_fd=fd)
    finally:
        os.close(fd)


def _pieces(names: list[str]) -> Iterator[str]:
    piece = ""
    for name in names:
        if len(os.fsencode(piece)) + len(os.fsencode(name)) > _AT_ONCE:
            yield piece
            piece = ""
        piece = f"{piece}/{name}" if piece else name
    yield piece


def listing(fd: int, device: int, *, by_inode: bool = True) -> Listing:
    """List an open folder. Without `by_inode` their numbers don't count: some filesystems
    make up new ones each time. Raises OSError.

    A janitor's own folder doesn't exist for us: what we do in it must not wake us.
    """
    mark, newest, folders = 0, 0, {}
    with os.scandir(fd) as entries:
        for each in entries:
            try:
                status = each.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # it went while we looked, which makes an event
            name, inode = each.name, status.st_ino if by_inode else 0
            if not stat.S_ISDIR(status.st_mode):
                mtime = 0 if name.endswith("-shm") else status.st_mtime_ns  # see kernel.Fired
                mark += hash((name, inode, mtime, status.st_size))
                newest = max(newest, mtime)
            elif name != STATE:
                mark += hash((name, inode, status.st_dev))
                if status.st_dev == device:
                    folders[name] = inode
    return Listing(mark, newest, folders)


def whole(fd: int, device: int, *, by_inode: bool = True) -> Listing:
    """All that is in an open folder and below it, in one mark. Raises OSError for the top."""
    found = listing(fd, device, by_inode=by_inode)
    mark, newest = found.mark, found.newest
    todo = list(found.folders)
    while todo:
        path = todo.pop()
        try:
            inner = os.open(path, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
        except OSError as error:
            mark += hash((path, error.errno))
            continue
        try:
            below = listing(inner, device, by_inode=by_inode)
        finally:
            os.close(inner)
        mark += hash((path, below.mark))
        newest = max(newest, below.newest)
        todo += [f"{path}/{name}" for name in below.folders]
    return Listing(mark, newest, {})
