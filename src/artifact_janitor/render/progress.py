"""One line that shows how far a long look or a long sweep has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

PATIENCE = 1.0
"""Seconds for which nothing is shown: what is over soon needs no bar."""


@contextmanager
def bar(screen: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Yields a tick: what is done, how many of them, of how many."""
    text = "{task.description} {task.fields[count]}"
    columns = (SpinnerColumn(), TextColumn(text), BarColumn(30), TimeRemainingColumn())
    progress = Progress(*columns, console=screen, transient=True)
    task = progress.add_task("looking around", total=None, count="")

    def tick(what: str, done: int, total: int) -> None:
        count = f"{done} of {total}"
        progress.update(task, description=what, completed=done, total=total, count=count)

    timer = Timer(PATIENCE, progress.start)
    timer.start()
    try:
        yield tick
    finally:
        timer.cancel()
        progress.stop()
