"""The kernel's inotify, by ctypes: one-shot watches, and what they stood on when they fired.

A one-shot watch fires once and is gone. So a folder in which a thousand files are written
makes one event, not thousands, and the queue hardly ever overflows. See inotify(7).
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
import threading
from collections.abc import Iterator
from typing import NamedTuple

MODIFY, CLOSE_WRITE = 0x2, 0x8
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
OVERFLOW, IGNORED = 0x4000, 0x8000
ONLYDIR, EXCL_UNLINK = 0x0100_0000, 0x0400_0000
MASK_ADD, ONESHOT = 0x2000_0000, 0x8000_0000

NAMES = MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF
WRITTEN = MODIFY | CLOSE_WRITE
FOLDER = NAMES | WRITTEN | ONLYDIR | EXCL_UNLINK | ONESHOT
"""Never OPEN or CLOSE_NOWRITE: those who only read, we among them, make no event."""
SURROUNDINGS = NAMES | ONLYDIR | ONESHOT | MASK_ADD
"""For folders of which only the names count. MASK_ADD: a folder may be watched in full, too."""
FILE = WRITTEN | ONESHOT

_EVENT = struct.Struct("iIII")
_ENOUGH = 1 << 16
_SIDE_FILES = (b"-shm", b"-wal", b"-journal")


class Watched:
    """Something that a watch stands on, or none (0): the kernel counts them from 1."""

    __slots__ = ("watch",)

    def __init__(self) -> None:
        self.watch = 0


class Fired(NamedTuple):
    """A watch that is gone now; ``wrote``: a file in it was written or closed after writing.

    That counts as a change even where size and mtime are the same: a program that lets go
    of its file may be what somebody waits for. SQLite's side files are not meant: who
    only reads a database writes to them, and would wake himself.
    """

    on: Watched
    wrote: bool


class Watches:
    """One inotify instance. Raises OSError (EMFILE) where no more are to be had.

    `wait` is for one thread, all else for any.
    """

    def __init__(self) -> None:
        self._calls = ctypes.CDLL(None, use_errno=True)
        self._fd = self._calls.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise _error()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ready = select.poll()
        self._ready.register(self._fd, select.POLLIN)
        self._ready.register(self._wake, select.POLLIN)
        self._lock = threading.Lock()
        self._on: dict[int, tuple[Watched, ...]] = {}

    def __len__(self) -> int:
        return len(self._on)

    def arm(self, what: Watched, fd: int, mask: int) -> None:
        """Watch the file or folder that is open as `fd`. Raises OSError (ENOSPC, ENOMEM).

        Two things may stand on one watch, since an inode has no more than one.
        """
        with self._lock:
            watch = self._calls.inotify_add_watch(
                self._fd, b"/proc/self/fd/%d" % fd, ctypes.c_uint32(mask)
            )
            if watch < 0:
                raise _error()
            if what.watch != watch:
                self._leave(what)
                self._on[watch] = (*self._on.get(watch, ()), what)
                what.watch = watch

    def disarm(self, what: Watched) -> None:
        with self._lock:
            watch = what.watch
            if watch and not self._leave(what):
                self._calls.inotify_rm_watch(self._fd, watch)  # gone already? all the better

    def wait(self) -> tuple[list[Fired], bool]:
        """What fired, and whether the queue overflowed; nothing after `wake`."""
        self._ready.poll()
        try:
            events = os.read(self._fd, _ENOUGH)
        except BlockingIOError:
            return [], False
        fired, has_overflowed = [], False
        with self._lock:
            for watch, mask, name in _events(events):
                has_overflowed |= bool(mask & OVERFLOW)
                wrote = bool(mask & WRITTEN) and not name.endswith(_SIDE_FILES)
                # IGNORED of one that still has somebody on it: it went without firing
                fired += [Fired(each, wrote) for each in self._gone(watch)]
        return fired, has_overflowed

    def wake(self) -> None:
        """`wait` returns, now and ever after."""
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Only when nobody waits any more."""
        os.close(self._fd)
        os.close(self._wake)

    def _leave(self, what: Watched) -> bool:
        """Whether others are left on the watch that it stood on."""
        others = tuple(each for each in self._on.pop(what.watch, ()) if each is not what)
        if others:
            self._on[what.watch] = others
        what.watch = 0
        return bool(others)

    def _gone(self, watch: int) -> tuple[Watched, ...]:
        stood = self._on.pop(watch, ())
        for each in stood:
            each.watch = 0
        return stood


def _events(events: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at < len(events):
        watch, mask, _, length = _EVENT.unpack_from(events, at)
        at += _EVENT.size + length
        yield watch, mask, events[at - length : at].rstrip(b"\0")


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
