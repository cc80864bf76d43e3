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

IN_BYTES = ("archiving", "reading back", "restoring", "verifying")
"""Works that are measured in bytes, with a rate; all others count things."""


@contextmanager
def bar(screen: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Yields a tick: what is done, how many of them, of how many."""
    text = "{task.description} {task.fields[count]}"
    columns = (SpinnerColumn(), TextColumn(text), BarColumn(30), TimeRemainingColumn())
    progress = Progress(*columns, console=screen, transient=True)
    task = progress.add_task("looking around", total=None, count="")

    began: tuple[str, float, int] = "", 0.0, 0
    before = 0

    def tick(what: str, done: int, total: int) -> None:
        nonlocal began, before
        if what != began[0] or done < before:  # the next work, or the next unit
            began = what, monotonic(), done
        before = done
        count = _in_bytes(done, total, *began[1:]) if what in IN_BYTES else f"{done} of {total}"
        progress.update(task, description=what, completed=done, total=total, count=count)

    timer = Timer(PATIENCE, progress.start)
    timer.start()
    try:
        yield tick
    finally:
        timer.cancel()
        progress.stop()


def _in_bytes(done: int, total: int, began: float, first: int) -> str:
    """ "310 MB of 1.2 GB, 95 MB/s"."""
    seconds = monotonic() - began
    rate = f", {format_size(int((done - first) / seconds))}/s" if seconds > PATIENCE else ""
    return f"{format_size(done)} of {format_size(total)}{rate}"
