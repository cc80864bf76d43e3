"""One line that shows how far a long look or a long sweep has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE = 1.0
"""Seconds for which nothing is shown: what is over soon needs no bar."""


@contextmanager
def bar(screen: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Yields a tick: what is done, how many of them, of how many."""
    columns = (TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn())
    progress = Progress(*columns, TimeRemainingColumn(), console=screen, transient=True)
    tasks = {}
    began = time.monotonic()

    def tick(what: str, done: int, total: int) -> None:
        if time.monotonic() - began < PATIENCE:
            return
        if what not in tasks:
            progress.start()
            tasks[what] = progress.add_task(what, total=total)
        progress.update(tasks[what], completed=done, total=total)

    try:
        yield tick
    finally:
        progress.stop()
