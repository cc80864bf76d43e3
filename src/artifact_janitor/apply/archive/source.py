"""Read a unit as it lies on the disk: names, attributes, content, and the holes in it.

Every folder is opened relative to the one around it, and no name may be a symlink on the
way. What can't be archived, or changes while it is read, ends the step with a reason.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

from artifact_janitor.apply.archive.manifest import Pieces
from artifact_janitor.apply.ground import mount_of
from artifact_janitor.errors import StepSkipped

CHUNK = 1 << 20
"""Bytes that are read at once."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_REFUSED = {stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device"}

Xattrs = tuple[tuple[str, bytes], ...]


class Found(NamedTuple):
    """One name: its path in the workspace, its ``lstat``, and where to open it."""

    path: str
    status: os.stat_result
    around: int
    """A descriptor on the folder that holds it."""
    name: str
    xattrs: Xattrs = ()
    """Of folders; a file's are read when it is open."""


def walk(around: int, name: str, path: str) -> Iterator[Found]:
    """All that is at and below a name, each folder before what is in it, files first.

    Raises StepSkipped for what can't be archived.
    """
    status = os.stat(name, dir_fd=around, follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode):
        yield _accepted(Found(path, status, around, name))
        return
    levels = [_Level(around, name, path)]
    try:
        yield levels[0].itself(around, name)
        while levels:
            level = levels[-1]
            yield from level.others()
            if (inner := level.next_folder()) is None:
                levels.pop().close()
                continue
            levels.append(_Level(level.fd, inner, f"{level.path}/{inner}"))
            yield levels[-1].itself(level.fd, inner)
    finally:
        for level in levels:
            level.close()


class _Level:
    """A folder that is open, with what is still to come from it."""

    def __init__(self, around: int, name: str, path: str) -> None:
        self.path = path
        try:
            self.fd = os.open(name, _FOLDER, dir_fd=around)
        except OSError as error:
            raise unreadable(path, error) from error
        try:
            if mount_of(self.fd) != mount_of(around):
                raise StepSkipped(f"another filesystem is mounted at {path}")
            self._others, self._folders = _split(self.fd)
        except OSError as error:
            self.close()
            raise unreadable(path, error) from error
        except BaseException:
            self.close()
            raise

    def itself(self, around: int, name: str) -> Found:
        return Found(self.path, os.fstat(self.fd), around, name, xattrs(self.fd, self.path))

    def others(self) -> Iterator[Found]:
        """What is no folder, once."""
        names, self._others = self._others, []
        for name in names:
            status = _status(self.fd, name, self.path)
            if stat.S_ISDIR(status.st_mode):
                raise StepSkipped(f"{self.path}/{name} changed while it was archived")
            yield _accepted(Found(f"{self.path}/{name}", status, self.fd, name))

    def next_folder(self) -> str | None:
        return self._folders.pop() if self._folders else None

    def close(self) -> None:
        os.close(self.fd)


def _split(fd: int) -> tuple[list[str], list[str]]:
    """The names in a folder, in order: those of no folders, and, last first, of folders. Names
    alone, since there may be a million."""
    with os.scandir(fd) as every:
        kinds = {each.name: each.is_dir(follow_symlinks=False) for each in every}
    names = sorted(kinds, key=os.fsencode)
    folders = [name for name in reversed(names) if kinds[name]]
    return [name for name in names if not kinds[name]], folders


def _status(fd: int, name: str, path: str) -> os.stat_result:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except OSError as error:
        raise unreadable(f"{path}/{name}", error) from error


def _accepted(found: Found) -> Found:
    if what := _REFUSED.get(stat.S_IFMT(found.status.st_mode)):
        raise StepSkipped(f"{found.path} is {what}, which no archive can hold: remove it first")
    return found


def unreadable(path: str, error: OSError) -> StepSkipped:
    if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
        return StepSkipped(f"{path} changed while it was archived")
    return StepSkipped(f"{path} can't be read: {error.strerror}")


def open_file(found: Found) -> int:
    """A descriptor on a regular file, which must be the one that was found."""
    try:
        fd = os.open(found.name, _FILE, dir_fd=found.around)
    except OSError as error:
        raise unreadable(found.path, error) from error
    if marks(os.fstat(fd)) != marks(found.status):
        os.close(fd)
        raise StepSkipped(f"{found.path} changed while it was archived")
    return fd


def marks(status: os.stat_result) -> tuple[int, ...]:
    """What tells whether anything was done to a name. A change of the content that puts the
    mtime back still shows in the ctime."""
    return (
        status.st_mode,
        status.st_ino,
        0 if stat.S_ISDIR(status.st_mode) else status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


class Seen:
    """A digest of all names with their marks, to be compared with a second walk."""

    def __init__(self) -> None:
        self._digest = blake2b(digest_size=16)

    def note(self, found: Found) -> None:
        self._digest.update(ascii((found.path, *marks(found.status))).encode())

    def __str__(self) -> str:
        return self._digest.hexdigest()


def xattrs(fd: int, path: str) -> Xattrs:
    """All attributes that we may read, in the order of their names."""
    try:
        names = sorted(os.listxattr(fd))
        return tuple((name, os.getxattr(fd, name)) for name in names)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return ()
        raise unreadable(path, error) from error


def pieces(fd: int, status: os.stat_result) -> Pieces | None:
    """Where a file has content; None where it has no holes, or nobody can tell."""
    if status.st_blocks * 512 >= status.st_size:
        return None
    found, at = [], 0
    while at < status.st_size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
            at = min(os.lseek(fd, start, os.SEEK_HOLE), status.st_size)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break  # nothing but a hole from here on
            if error.errno == errno.EINVAL:
                return None
            raise
        found.append((start, at - start))
    return None if found == [(0, status.st_size)] else tuple(found)
