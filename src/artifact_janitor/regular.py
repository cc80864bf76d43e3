"""Open files that others made without trusting them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def open_regular(path: Path | str, dir_fd: int | None = None) -> int:
    """A descriptor on a regular file. Raises OSError for anything else, symlinks too.

    ``O_NONBLOCK`` keeps a pipe that took the file's place from blocking us.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(path, flags, dir_fd=dir_fd)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is no regular file", os.fspath(path))
    return fd


def content(path: Path | str, largest: int) -> bytes:
    """All of a regular file, which a symlink may lead to. Raises OSError for anything else, and
    for what holds more than `largest` bytes; waits at no pipe."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", os.fspath(path))
        with os.fdopen(fd, "rb", closefd=False) as file:
            found = file.read(largest + 1)
    finally:
        os.close(fd)
    if len(found) > largest:
        raise OSError(errno.EFBIG, "it is too large", os.fspath(path))
    return found


def odd_beside(database: Path) -> str:
    """The first file of a SQLite database's that is there and no regular file, or "". SQLite
    opens its journal whatever that is, and waits at a pipe for ever."""
    for end in ("-journal", "-wal", "-shm"):
        beside = database.with_name(database.name + end)
        try:
            if not stat.S_ISREG(os.lstat(beside).st_mode):
                return beside.name
        except OSError:
            continue
    return ""
