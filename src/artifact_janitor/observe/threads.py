"""Threads that have files of their own.

The threads of a program share its open files and its working directory, so that a look at the
first one tells of all. Two kinds are apart: those that asked for tables of their own
(``unshare``), and those that outlive the first one, of which nothing is left but its number.
"""

from __future__ import annotations

import errno
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
    compare = _comparison()
    for thread in threads:
        said = compare(int(pid), int(thread)) if thread != pid else 0
        if said:
            yield f"{proc}/task/{thread}"
        if said == -errno.EPERM:
            return  # so will all the others


def _comparison() -> Callable[[int, int], int]:
    """Whether two threads have different tables: 0 where not, below it an error number.

    Without kcmp(2), which many a container forbids, each thread may have its own.
    """
    return _differ if _differ(os.getpid(), os.getpid()) == 0 else lambda *_: 1


def _differ(one: int, other: int) -> int:
    return _kcmp(one, other, _FILES) or _kcmp(one, other, _FS)


def _kcmp(one: int, other: int, what: int) -> int:
    number, call, error = _call()
    said = call(number, one, other, what, 0, 0) if number else -1
    return said if said >= 0 else -(error() or errno.ENOSYS)


@cache
def _call() -> tuple[int, Callable[..., int], Callable[[], int]]:
    import ctypes  # takes a while

    calls = ctypes.CDLL(None, use_errno=True)
    return _NUMBER.get(platform.machine(), 0), calls.syscall, ctypes.get_errno
