"""What the kernel allows for watching, how much of it is in use, and whether an event comes.

See inotify(7): the limits hold for all of a user's processes together. An event is asked for
by opening a folder to list it, which every look at it does, and which leaves nothing behind.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
from dataclasses import dataclass
from pathlib import Path

_LIMITS = Path("/proc/sys/fs/inotify")
_ENDS_AT_ONCE = 0x80000000  # IN_ONESHOT
_OPEN = 0x00000020
_PATIENCE = 2.0
"""Seconds: an event comes within a millisecond where it comes at all."""


@dataclass(frozen=True, slots=True)
class Limits:
    watches: int
    instances: int
    queue: int
    """Events that may wait; those beyond are lost, which is said."""


@dataclass(frozen=True, slots=True)
class Used:
    """By those of this user's processes that may be looked into."""

    watches: int
    instances: int


def limits() -> Limits | None:
    """None off Linux, and where the kernel has no inotify."""
    try:
        names = ("max_user_watches", "max_user_instances", "max_queued_events")
        return Limits(*(int((_LIMITS / name).read_text("ascii")) for name in names))
    except (OSError, ValueError):
        return None


def used(uid: int) -> Used:
    watches = instances = 0
    for fds in Path("/proc").glob("[0-9]*/fd"):
        try:
            if fds.stat().st_uid != uid:
                continue
            for fd in fds.iterdir():
                if os.readlink(fd) == "anon_inode:inotify":
                    instances += 1
                    watches += _watches(fd)
        except OSError:
            continue  # it ended, or is another user's
    return Used(watches, instances)


def _watches(fd: Path) -> int:
    said = (fd.parent.parent / "fdinfo" / fd.name).read_bytes()
    return sum(line.startswith(b"inotify ") for line in said.splitlines())


def round_trip(folder: str) -> int:
    """0 where opening this folder is seen; else the error number, ETIME where nothing came."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    if fd < 0:
        return ctypes.get_errno()
    try:
        if libc.inotify_add_watch(fd, os.fsencode(folder), _OPEN | _ENDS_AT_ONCE) < 0:
            return ctypes.get_errno()
        os.close(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        seen, _, _ = select.select([fd], [], [], _PATIENCE)
        return 0 if seen else errno.ETIME
    except OSError as error:
        return error.errno or errno.EIO
    finally:
        os.close(fd)
