"""Room for the day when the disk is full, which is just when the janitor is called.

Its renames take next to no room, but the journal does, and the folders of the trash do. So
2 MiB lie ready in ``.janitor/reserve/``, as many small files: a disk may run out of inodes
as well as of bytes. Where room is short they are given up, no more of them at a time than the
next steps need: what was given up belongs to whoever writes first, and a janitor that is
killed leaves the rest to the one that follows. Where there is plenty they are put back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from artifact_janitor.state import State

FOLDER = "reserve"
FILES = 64
SIZE = 2 << 20
"""Bytes in all of them."""
_NAMES = tuple(f"{number:02}" for number in range(FILES))
_ENOUGH = 0.5
"""How many times its own room the next steps may need."""
_PLENTY = 32
"""How many times its own room must be free before it is made."""


def is_short(place: Path) -> bool:
    """Whether a disk has so little room that it may take the reserve to write something down."""
    return not _has(place, 2)


def is_used_up(place: Path) -> bool:
    """Whether the last room is in use: it should be left to the next sweep, which purges."""
    return not is_there(place) and not _has(place, _ENOUGH)


def is_there(place: Path) -> bool:
    """Whether there is any of it in the janitor's folder."""
    try:
        return any(name in _NAMES for name in os.listdir(place / FOLDER))
    except OSError:
        return False


def _has(place: Path, times: float) -> bool:
    """Whether so many times the reserve's bytes, and its inodes where they are counted, are
    free. Where nobody can tell there is room enough."""
    try:
        status = os.statvfs(place)
    except OSError:
        return True
    room = status.f_bavail * status.f_frsize >= times * SIZE
    return room and (not status.f_files or status.f_favail >= times * FILES)


class Reserve:
    """The reserve of one workspace, as one command uses it."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._given_up = 0

    def at_need(self) -> bool:
        """Give up of it what the next steps may need. Whether room is short."""
        if not is_short(self.state.folder):
            return False
        with suppress(OSError), self._opened() as fd:
            for name in _NAMES:
                if _has(self.state.folder, _ENOUGH):
                    return True
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=fd)
                    self._given_up += 1
        with suppress(OSError):
            os.rmdir(self.state.folder / FOLDER)
        return True

    def keep(self) -> None:
        """Make what is missing of it where there is plenty of room.

        On a disk that is still full it takes back as much as it gave, and others left.
        """
        count = FILES if _has(self.state.folder, _PLENTY) else self._given_up
        self._given_up = 0
        with suppress(OSError):
            if count:
                self._fill(_NAMES[:count])

    def _fill(self, names: tuple[str, ...]) -> None:
        folder = self.state.folder / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        with self._opened() as fd:
            self.state.own(folder)
            there = {*os.listdir(fd)}
            for name in names:
                if name not in there:
                    self._make(fd, folder / name)

    def _make(self, folder: int, file: Path) -> None:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        fd = os.open(file.name, flags, 0o600, dir_fd=folder)
        try:
            self.state.own(file)
            os.posix_fallocate(fd, 0, SIZE // FILES)
        except OSError:
            os.unlink(file.name, dir_fd=folder)
            raise
        finally:
            os.close(fd)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """A descriptor on its folder; not on what a symlink in its place leads to."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self.state.folder / FOLDER, flags)
        try:
            yield fd
        finally:
            os.close(fd)
