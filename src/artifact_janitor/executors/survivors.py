"""What a training started, and how it is ended: all of it, however far it strayed.

While its runner lives, every orphan among them becomes the runner's child
(``PR_SET_CHILD_SUBREAPER``), so that none is missed. Once the runner is gone, they are known
by the variable `COOKIE` in their environment, which they inherit from the trainer.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Iterator

from artifact_janitor.executors import COOKIE


def below(top: int, cookie: str) -> list[int]:
    """All that descends from a runner, but for jobs of their own that one of them began."""
    children: dict[int, list[int]] = {}
    for pid in _all():
        if (parent := _parent(pid)) is not None:
            children.setdefault(parent, []).append(pid)
    found, stack = [], [*children.get(top, ())]
    while stack:
        pid = stack.pop()
        if _cookie(pid) in (None, cookie):
            found.append(pid)
            stack += children.get(pid, ())
    return found


def marked(cookie: str) -> list[int]:
    """All that bear a job's cookie, whoever their parent is now."""
    return [pid for pid in _all() if _cookie(pid) == cookie and _parent(pid) is not None]


def end(cookie: str, number: signal.Signals) -> None:
    """Signal those that bear the cookie, and nobody who got the number of one meanwhile."""
    for pid in marked(cookie):
        with contextlib.suppress(OSError):
            fd = os.pidfd_open(pid)
            try:
                if _cookie(pid) == cookie:
                    signal.pidfd_send_signal(fd, number)
            finally:
                os.close(fd)


def tell(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal descendants: their numbers are theirs until we reap them."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def _all() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _parent(pid: int) -> int | None:
    """None for what is gone, or only waits to be reaped."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, parent, *_ = file.read().rpartition(b")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state in (b"Z", b"X") else int(parent)


def _cookie(pid: int) -> str | None:
    """The cookie in its environment; None where there is none, or nobody may look."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return None
    start = COOKIE.encode() + b"="
    return next(
        (os.fsdecode(each[len(start) :]) for each in variables if each.startswith(start)), None
    )
