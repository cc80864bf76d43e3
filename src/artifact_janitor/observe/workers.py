"""Do the same to many things, in several processes where that pays.

Reading a tree is mostly the kernel's work, and Python's on what it says: one process can
use one core for it. Workers are forks, so that they need nothing sent to them; what they
find comes back as lines of text.
"""

from __future__ import annotations

import gc
import os
import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

T = TypeVar("T")
Work = Callable[[T], Iterator[str]]

HEAD_START = 0.05
"""Seconds of work that are done before any worker is started: most workspaces are small."""
MOST = 8
"""Workers; more of them wait for the disk."""
_NUMBER = struct.Struct("=I")
_SHARES = 4096
"""Into how many shares the work is split at most: their numbers must fit into a pipe."""


class WorkerLost(Exception):
    """A worker was killed, or fell over."""


def spread(work: Work[T], things: Sequence[T]) -> Iterator[str]:
    """All lines that `work` gives for the things, in no particular order."""
    began, rest = monotonic(), deque(things)
    while rest and monotonic() - began < HEAD_START:
        yield from work(rest.popleft())
    try:
        lines = _shared_out(work, [*rest]) if len(rest) > 1 and cores() > 1 else None
    except (WorkerLost, OSError):
        lines = None  # what they couldn't do we do, and meet the same error if there is one
    yield from lines if lines is not None else (line for each in rest for line in work(each))


def cores() -> int:
    return len(os.sched_getaffinity(0))


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the cycle collector, which would go through a big tree again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _shared_out(work: Work[T], things: Sequence[T]) -> list[str]:
    """Each worker takes the next share as soon as it is done with one."""
    step = -(-len(things) // _SHARES)
    shares = [things[start : start + step] for start in range(0, len(things), step)]
    todo, more = os.pipe()
    os.write(more, b"".join(_NUMBER.pack(number) for number in range(len(shares))))
    os.close(more)
    try:
        workers = [_start(work, shares, todo) for _ in range(min(cores(), MOST, len(shares)))]
    finally:
        os.close(todo)
    found = [worker.found() for worker in workers]
    if None in found:
        raise WorkerLost
    return [line for text in found if text for line in text.splitlines()]


@dataclass(frozen=True, slots=True)
class _Worker:
    """A fork of ours, and the file in memory that it writes to."""

    pid: int
    memory: int

    def found(self) -> str | None:
        """What it wrote, once it is done; None where it fell over."""
        with open(self.memory, encoding="ascii") as file:
            _, status = os.waitpid(self.pid, 0)
            file.seek(0)
            return file.read() if status == 0 else None


def _start(work: Work[T], shares: Sequence[Sequence[T]], todo: int) -> _Worker:
    """The fork touches nothing of ours but the two descriptors, so that threads of the
    parent, which a fork doesn't have, are not missed."""
    memory = os.memfd_create("found")
    if pid := os.fork():
        return _Worker(pid, memory)
    code = 1
    try:
        gc.disable()
        with open(memory, "w", encoding="ascii", closefd=False) as file:
            while number := os.read(todo, _NUMBER.size):
                for thing in shares[_NUMBER.unpack(number)[0]]:
                    file.writelines(line + "\n" for line in work(thing))
        code = 0
    finally:
        os._exit(code)
