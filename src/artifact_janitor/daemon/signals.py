"""What the daemon is told by signals: end, end at once, read the configuration anew."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager

END = (signal.SIGTERM, signal.SIGINT)
RELOAD = signal.SIGHUP


class Signals:
    """They wake whoever waits. The first of `END` is told; the second ends us at once, however
    busy we are: what a program of ours does then ends with us."""

    def __init__(self, heard: int) -> None:
        self._heard = heard

    def wait(self, seconds: float) -> list[int]:
        """The signals that came, within so many seconds."""
        if not select.select([self._heard], [], [], seconds)[0]:
            return []
        return [*os.read(self._heard, 64)]


@contextmanager
def signals() -> Iterator[Signals]:
    """Only in the main thread."""
    heard, told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = {each: signal.signal(each, _note) for each in END}
    before[RELOAD] = signal.signal(RELOAD, lambda *_: None)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    try:
        yield Signals(heard)
    finally:
        signal.set_wakeup_fd(-1)
        for number, former in before.items():
            signal.signal(number, former)
        os.close(heard)
        os.close(told)


def _note(_number: int, _frame: object) -> None:
    """The next one is the system's, which ends us."""
    for each in END:
        signal.signal(each, signal.SIG_DFL)
