"""Do the same to many things, in several processes where that pays.

Reading a tree is mostly the kernel's work, and Python's on what it says: one process can
use one core for it. Workers are forks, so that they need nothing sent to them; what they
find comes back as lines of text, while they go on with the next thing.
"""

from __future__ import annotations

import gc
import mmap
import os
import select
import signal
import struct
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from time import monotonic
from typing import TypeVar

T = TypeVar("T")
Work = Callable[[T], Iterator[str]]

HEAD_START = 0.05
"""Seconds of work that are done before any worker is started: most workspaces are small."""
MOST = 8
"""Workers; more of them wait for the disk."""
PATIENCE = 0.01
"""Seconds for which a worker collects short answers before it sends them, where nobody
waits for a single one."""
_NUMBER = struct.Struct("=I")
_FRAME = struct.Struct("=II")
"""The number of a thing, and how many bytes of text follow."""
_SHARES = 4096
"""Into how many shares the work is split at most: their numbers must fit into a pipe."""


def spread(work: Work[T], things: Sequence[T]) -> Iterator[str]:
    """All lines that `work` gives for the things, in their order."""
    return chain.from_iterable(answers(work, things))


def answers(
    work: Work[T], things: Sequence[T], ahead: int | None = None
) -> Generator[list[str], None, None]:
    """The lines that `work` gives for each thing, in their order, as they become known.

    `ahead` says how many things may be looked at before they are asked for, where answers
    grow old; without it there is no limit. What a worker that was lost left undone we do,
    and meet its error if there was one.
    """
    began, at = monotonic(), 0
    while at < len(things) and monotonic() - began < HEAD_START:
        yield [*work(things[at])]
        at += 1
    if len(things) - at > 1 and cores() > 1:
        with _team(work, things[at:], one_by_one=ahead is not None) as team:
            for number, thing in enumerate(things[at:]):
                team.deal(len(things) if ahead is None else number + 1 + ahead)
                text = team.answer(number)
                yield [*work(thing)] if text is None else text.splitlines()
    else:
        yield from ([*work(each)] for each in things[at:])


def ours() -> set[int]:
    """The ids of this janitor's own processes: what they hold open they only look at. Whoever was
    forked by one and is not on its roll is a janitor by itself."""
    me, roll = os.getpid(), _ROLL.pids()
    return roll if me in roll else {me}


def cores() -> int:
    return len(os.sched_getaffinity(0))


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the cycle collector, which would go through a big tree again and again.

    What was built meanwhile is no garbage and stays out of its sight, until there is twice as
    much of it: the looks of one command are not followed by a collection each.
    """
    was_on = gc.isenabled()
    gc.disable()
    if gc.get_freeze_count() > 2 * _Hidden.objects:
        gc.unfreeze()
        gc.collect()
        _Hidden.objects = 0
    try:
        yield
    finally:
        if was_on:
            gc.freeze()
            gc.enable()
            _Hidden.objects = _Hidden.objects or gc.get_freeze_count()


class _Hidden:
    """How many the collector did not see when it had last gone through them all; 0: unknown."""

    objects = 0


@contextmanager
def _team(work: Work[T], things: Sequence[T], *, one_by_one: bool) -> Iterator[_Team]:
    """Workers, each of which takes the next share as soon as it is done with one."""
    step = 1 if one_by_one else -(-len(things) // _SHARES)
    starts = range(0, len(things), step)
    todo, more = os.pipe()
    shares = {start: things[start : start + step] for start in starts}
    team, patience = _Team(starts, more), 0 if one_by_one else PATIENCE
    try:
        with suppress(OSError):  # as many as the machine allows; what is left we do
            for place in range(1, 1 + min(cores(), MOST, len(starts))):
                team.hire(lambda out: _work_off(work, shares, patience, todo, out), todo, place)
        os.close(todo)
        yield team
    finally:
        team.dismiss()


class _Roll:
    """The process ids of a janitor and of its workers, in memory that all of them share. All
    are enrolled before the first of them opens anything, so that none takes another one's
    look for a sign of life."""

    def __init__(self) -> None:
        self._shared: mmap.mmap | None = None

    def begin(self) -> None:
        """Anew for each team: whoever forked us has its own."""
        self._shared = mmap.mmap(-1, _NUMBER.size * (MOST + 1))
        self.enrol(0, os.getpid())

    def enrol(self, place: int, pid: int) -> None:
        assert self._shared is not None
        _NUMBER.pack_into(self._shared, place * _NUMBER.size, pid)

    def pids(self) -> set[int]:
        """Empty places are 0, which is no process."""
        return {pid for (pid,) in _NUMBER.iter_unpack(self._shared[:] if self._shared else b"")}


_ROLL = _Roll()


class _Team:
    """The workers that still have something to say, and what they said."""

    def __init__(self, shares: Sequence[int], more: int) -> None:
        """`shares` are what they begin with, to be dealt out through the pipe `more`."""
        _ROLL.begin()
        self._shares = shares
        self._dealt = 0
        self._more = more
        self._pids: dict[int, tuple[int, int]] = {}
        """Who writes into a pipe that we read from, and where that one is enrolled."""
        self._unread: dict[int, bytes] = {}
        self._said: dict[int, str] = {}
        self._poll = select.poll()

    def hire(self, labour: Callable[[int], None], todo: int, place: int) -> None:
        """A fork that does its part and ends."""
        heard, out = os.pipe()
        if pid := os.fork():
            os.close(out)
            _ROLL.enrol(place, pid)
            self._pids[heard], self._unread[heard] = (pid, place), b""
            self._poll.register(heard, select.POLLIN)
        else:
            _alone(labour, todo, out)

    def deal(self, count: int) -> None:
        """Deal out so many shares from the first, as far as that wasn't done yet.

        None before all workers are enrolled: see `_Roll`.
        """
        new = self._shares[self._dealt : count]
        if new and self._more >= 0:
            self._dealt += len(new)
            with suppress(OSError):  # nobody is there to take them
                os.write(self._more, b"".join(map(_NUMBER.pack, new)))
        if self._dealt == len(self._shares):
            self._deal_no_more()

    def _deal_no_more(self) -> None:
        if self._more >= 0:
            os.close(self._more)
            self._more = -1

    def answer(self, number: int) -> str | None:
        """What was found on one thing; None where whoever had it was lost."""
        while number not in self._said and self._pids:
            for heard, _ in self._poll.poll():
                self._listen(heard)
        return self._said.pop(number, None)

    def _listen(self, heard: int) -> None:
        said = os.read(heard, 1 << 20)
        if not said:
            self._dismiss(heard)
            return
        text, at = self._unread[heard] + said, 0
        while len(text) - at >= _FRAME.size:
            number, length = _FRAME.unpack_from(text, at)
            end = at + _FRAME.size + length
            if end > len(text):
                break
            self._said[number], at = text[at + _FRAME.size : end].decode("ascii"), end
        self._unread[heard] = text[at:]

    def _dismiss(self, heard: int) -> None:
        pid, place = self._pids.pop(heard)
        self._poll.unregister(heard)
        os.close(heard)
        _ROLL.enrol(place, 0)  # as long as nobody waited for it, no other process has its id
        os.waitpid(pid, 0)

    def dismiss(self) -> None:
        """End those whose answers nobody wants any more: they only look."""
        self._deal_no_more()
        for heard, (pid, _) in [*self._pids.items()]:
            os.kill(pid, signal.SIGKILL)
            self._dismiss(heard)


def _alone(labour: Callable[[int], None], todo: int, out: int) -> None:
    """All that a fork does. It keeps two descriptors, so that it holds none of our locks
    when we are gone, and calls nothing of ours that threads or an exit would."""
    code = 1
    try:
        gc.disable()
        low, high = sorted((todo, out))
        os.closerange(3, low)
        os.closerange(low + 1, high)
        os.closerange(high + 1, os.sysconf("SC_OPEN_MAX"))
        labour(out)
        code = 0
    finally:
        os._exit(code)


def _work_off(
    work: Work[T], shares: Mapping[int, Sequence[T]], patience: float, todo: int, out: int
) -> None:
    ready, sent = bytearray(), monotonic()
    while number := os.read(todo, _NUMBER.size):
        (start,) = _NUMBER.unpack(number)
        for at, thing in enumerate(shares[start], start):
            text = "".join(line + "\n" for line in work(thing)).encode("ascii")
            ready += _FRAME.pack(at, len(text)) + text
            if monotonic() - sent >= patience:
                _send(out, ready)
                sent = monotonic()
    _send(out, ready)


def _send(out: int, ready: bytearray) -> None:
    while ready:
        del ready[: os.write(out, ready)]
