"""Long work stands back behind whatever else runs on the machine."""

from __future__ import annotations

import ctypes
import os
import platform

NICE = 10
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
"""The number of ioprio_set(2), which no library wraps."""
_LEAST = 2 << 13 | 7
"""Best effort, the last in its row. Idle would starve on a busy disk."""


def stand_back() -> None:
    """Lower the priority of this process and of the threads that it will start, for good; a
    system that won't have it is left as it is."""
    try:
        here = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, max(here, NICE))
    except OSError:
        pass
    if number := _IOPRIO_SET.get(platform.machine()):
        ctypes.CDLL(None, use_errno=True).syscall(number, 1, 0, _LEAST)
