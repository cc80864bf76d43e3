"""Whether a unit can be renamed at all, asked before long work: see rename(2) and chattr(1).

To take a name out of a folder takes the right to write to that folder; a folder that gets into
another one must be writable itself, as its ".." changes.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import sys
from contextlib import suppress

from artifact_janitor.apply.ground import Ground
from artifact_janitor.errors import StepSkipped

_GETFLAGS = 0x80006601 | struct.calcsize("l") << 16  # FS_IOC_GETFLAGS of linux/fs.h
_IMMUTABLE, _APPEND = 0x10, 0x20
THEIRS = "run as its owner, or as root"
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def must_be_movable(ground: Ground, path: str) -> None:
    """Raises StepSkipped where nobody of our rights renames it. Where that can't be told, the
    rename itself will."""
    above = path.rpartition("/")[0]
    with ground.parent(path) as (fd, name):
        status, around = os.stat(name, dir_fd=fd, follow_symlinks=False), os.fstat(fd)
        _must_not_be_fixed(above, ".", fd)
        if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
            _must_not_be_fixed(path, name, fd)
        _must_be_writable(above, ".", fd)
        if stat.S_ISDIR(status.st_mode):
            _must_be_writable(path, name, fd)
    mine = os.geteuid() in (0, status.st_uid, around.st_uid)
    if around.st_mode & stat.S_ISVTX and not mine:
        why = f"it is another user's, and {above} is sticky"
        raise StepSkipped(f"it can't be renamed: {why}", THEIRS, path)


def _must_not_be_fixed(path: str, name: str, around: int) -> None:
    flags = _flags(name, around)
    if flags & (_IMMUTABLE | _APPEND):
        what, flag = ("immutable", "i") if flags & _IMMUTABLE else ("append-only", "a")
        hint = f"as root: chattr -{flag} {path}"
        raise StepSkipped(f"it can't be renamed: {path} is {what}", hint, path)


def _flags(name: str, around: int) -> int:
    """What `lsattr` shows; 0 where it can't be had."""
    with suppress(OSError):
        fd = os.open(name, _LOOK, dir_fd=around)
        try:
            said = fcntl.ioctl(fd, _GETFLAGS, bytes(struct.calcsize("l")))
            return int.from_bytes(said[:4], sys.byteorder)
        finally:
            os.close(fd)
    return 0


def _must_be_writable(path: str, name: str, around: int) -> None:
    what = os.W_OK | (os.X_OK if name == "." else 0)
    if os.access(name, what, dir_fd=around, effective_ids=True):
        return
    is_mine = os.stat(name, dir_fd=around).st_uid == os.geteuid()
    hint = f"chmod u+w {path}" if is_mine else THEIRS
    raise StepSkipped(f"it can't be renamed: {path} can't be written to", hint, path)
