"""What the kernel allows for watching, how much of it is in use, and whether an event comes.

See inotify(7): the limits hold for all of a user's processes together. An event is asked for
by opening a folder to list it, which every look at it does, and which leaves nothing behind.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_LIMITS = {
    "watches": ("fs/inotify/max_user_watches", "user/max_inotify_watches"),
    "instances": ("fs/inotify/max_user_instances", "user/max_inotify_instances"),
}
"""Below /proc/sys: for the machine, and for a user namespace, as containers have; the smaller
counts. See namespaces(7)."""
_ENDS_AT_ONCE = 0x80000000  # IN_ONESHOT
_OPEN = 0x00000020
_PATIENCE = 2.0
"""Seconds: an event comes within a millisecond where it comes at all."""


@dataclass(frozen=True, slots=True)
class Limit:
    """``name`` as sysctl has it."""

    value: int
    name: str


@dataclass(frozen=True, slots=True)
class Limits:
    watches: Limit
    instances: Limit


@dataclass(frozen=True, slots=True)
class Used:
    """By those of this user's processes that may be looked into."""

    watches: int
    instances: int


def limits() -> Limits | None:
    """None off Linux, and where the kernel has no inotify."""
    watches, instances = (_smallest(paths) for paths in _LIMITS.values())
    return Limits(watches, instances) if watches and instances else None


def _smallest(paths: Sequence[str]) -> Limit | None:
    found = []
    for path in paths:
        try:
            value = int(Path("/proc/sys", path).read_text("ascii"))
        except (OSError, ValueError):
            continue
        found.append(Limit(value, path.replace("/", ".")))
    return min(found, key=lambda each: each.value, default=None)


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
