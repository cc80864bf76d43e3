"""Threads that have files of their own.

The threads of a program share its open files and its working directory, so that a look at the
first one tells of all. Two kinds are apart: those that asked for tables of their own
(``unshare``), and those that outlive the first one, of which nothing is left but its number.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from functools import cache

_NUMBER = {"x86_64": 312, "aarch64": 272}
"""The number of kcmp(2), which no library wraps."""
_FILES, _FS = 2, 3
"""What it compares: open files; working directory and root."""
_ALONE = 3
"""Links of ``/proc/PID/task`` where there is one thread: two, and one for each."""


def tables(pid: str) -> Iterator[str]:
    """Where in ``/proc`` to look for all that a process has in use."""
    proc = f"/proc/{pid}"
    yield proc
    try:
        if os.stat(f"{proc}/task").st_nlink == _ALONE:
            return
        threads = os.listdir(f"{proc}/task")
    except OSError:
        return  # it ended
    for thread in threads:
        if thread != pid and _differ(int(pid), int(thread)):
            yield f"{proc}/task/{thread}"


def _differ(one: int, other: int) -> bool:
    """Whether two threads may have different tables. Where the kernel doesn't say, as in many
    a container, each thread may."""
    return any(_kcmp(one, other, what) for what in (_FILES, _FS))


def _kcmp(one: int, other: int, what: int) -> int:
    """0 where both are the same; below it where it can't be known."""
    number = _NUMBER.get(platform.machine())
    return _syscall()(number, one, other, what, 0, 0) if number else -1


@cache
def _syscall() -> Callable[..., int]:
    import ctypes  # takes a while

    call: Callable[..., int] = ctypes.CDLL(None).syscall
    return call
