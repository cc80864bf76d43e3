"""One line that shows how far a long look or a long sweep has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from artifact_janitor.units import format_size

PATIENCE = 1.0
"""Seconds for which nothing is shown: what is over soon needs no bar."""

IN_BYTES = ("archiving", "compressing", "reading back", "restoring", "verifying")
"""Works that are measured in bytes, with a rate; all others count things."""


@contextmanager
def bar(screen: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Yields a tick: what is done, how many of them, of how many."""
    text = "{task.description} {task.fields[count]}"
    columns = (SpinnerColumn(), TextColumn(text), BarColumn(30), TimeRemainingColumn())
    progress = Progress(*columns, console=screen, transient=True)
    task = progress.add_task("looking around", total=None, count="")

    pace = Pace()

    def tick(what: str, done: int, total: int) -> None:
        rate = pace.of(what, done, monotonic())
        count = in_bytes(done, total, rate) if what in IN_BYTES else f"{done} of {total}"
        progress.update(task, description=what, completed=done, total=total, count=count)

    timer = Timer(PATIENCE, progress.start)
    timer.start()
    try:
        yield tick
    finally:
        timer.cancel()
        progress.stop()


class Pace:
    """How fast one work goes on one unit; 0 for the first second of it."""

    def __init__(self) -> None:
        self._what = ""
        self._began = 0.0
        self._first = self._before = 0

    def of(self, what: str, done: int, now: float) -> int:
        """So many a second; `now` in seconds."""
        if what != self._what or done < self._before:  # the next work, or the next unit
            self._what, self._began, self._first = what, now, done
        self._before = done
        seconds = now - self._began
        return int((done - self._first) / seconds) if seconds >= 1 else 0


def in_bytes(done: int, total: int, rate: int) -> str:
    """ "310 MB of 1.2 GB, 95 MB/s"."""
    speed = f", {format_size(rate)}/s" if rate else ""
    return f"{format_size(done)} of {format_size(total)}{speed}"
