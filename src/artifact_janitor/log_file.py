"""A log file that grows to a size, with a few older ones beside it: ``PATH.1`` is the newest.

It never ends who writes: on a full disk lines are lost, which is said once, and what comes when
there is room again is written. A file that was moved or removed by someone else is made anew.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from artifact_janitor.errors import UsageError

LARGEST = 10_000_000
"""Bytes of one file."""
OLDER = 5
"""How many are kept besides."""
_OURS = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK


class LogFile:
    """Takes lines that end in a newline. `complain` takes a sentence about the file itself.

    Raises UsageError at first where nothing can be written there, or something else lies there.
    """

    def __init__(self, path: Path, complain: Callable[[str], None]) -> None:
        self.path = path.absolute()
        self._complain = complain
        self._ails = False
        self._torn = b""
        _check(self.path)
        try:
            self._fd = self._opened()
        except OSError as error:
            raise _unusable(self.path, error.strerror or str(error)) from error

    def __call__(self, line: str) -> None:
        text = line.encode("utf-8", "backslashreplace")
        try:
            self._follow(len(text))
            self._write(text)
            self._ails = False
        except OSError as error:
            if not self._ails:
                why = error.strerror or error
                self._complain(f"the log file {self.path} can't be written: {why}")
            self._ails = True

    def _opened(self) -> int:
        fd = os.open(self.path, _FLAGS, 0o640)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(0, "it is no regular file")
        return fd

    def _follow(self, more: int) -> None:
        """Begin anew where the file is full, or is not at its place any more."""
        ours = os.fstat(self._fd)
        if ours.st_size + more > LARGEST and self._is_there(ours):
            with suppress(OSError):  # then it grows
                self._rotate()
        if not self._is_there(ours):
            fd = self._opened()
            os.close(self._fd)
            self._fd, self._torn = fd, b""

    def _is_there(self, ours: os.stat_result) -> bool:
        try:
            return os.path.samestat(os.stat(self.path), ours)
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        names = [self.path, *(Path(f"{self.path}.{n}") for n in range(1, OLDER + 1))]
        for older, newer in reversed([*zip(names[1:], names[:-1], strict=True)]):
            with suppress(FileNotFoundError):
                os.replace(newer, older)

    def _write(self, text: bytes) -> None:
        """What a full disk cut off doesn't swallow the next line."""
        rest = self._torn + text
        while rest:
            count = os.write(self._fd, rest)
            self._torn = b"" if rest[:count].endswith(b"\n") else b"\n"
            rest = rest[count:]


def _check(path: Path) -> None:
    """Nobody's results get lines of a log, and are moved aside when they are long."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        is_file = stat.S_ISREG(os.fstat(fd).st_mode)
        start = os.read(fd, 20) if is_file else b""
    finally:
        os.close(fd)
    if start and not _OURS.match(start):
        raise _unusable(path, "it is no log of the janitor's")


def _unusable(path: Path, why: str) -> UsageError:
    return UsageError(
        f"the log file can't be used: {why}", "name another with --log-file", str(path)
    )
