"""Which configurations have to be written down now, so that they outlive their runs.

Each look writes down what it read and the journal doesn't know; and no run leaves its place
before the journal has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path

from artifact_janitor.errors import JournalError
from artifact_janitor.journal import Config, Journal, open_journal
from artifact_janitor.journal.file import is_empty
from artifact_janitor.observe.configs import Place, Read, Run, places, read, runs_of
from artifact_janitor.observe.survey import Survey
from artifact_janitor.observe.tree import Folder
from artifact_janitor.observe.whole import Whole

_AT_ONCE = 500
"""Runs whose configurations are held in memory."""


def keep(journal_file: Path, base: Path, wholes: Iterable[Whole], now: int) -> bool:
    """Write down the configurations of the runs that a look has read; it makes no journal.

    Whether that worked: what could not be written is to be read again.
    """
    if is_empty(journal_file):
        return True
    found: dict[Run, list[Place]] = {}
    for whole in wholes:
        runs = runs_of(whole.artifacts, whole.run_ids)
        found |= places(runs, (each.path for each in whole.folders))
    rest = iter(found.items())
    try:
        while some := dict(islice(rest, _AT_ONCE)):
            _keep(journal_file, base, some, now)
    except JournalError:
        return False
    return True


def _keep(journal_file: Path, base: Path, found: Mapping[Run, list[Place]], now: int) -> None:
    """Opened for writing only where there is something to write: others may be at it."""
    reading = open_journal(journal_file, create=False)
    if reading is None:
        seen = read(base, found, lambda _: None, now)
    else:
        with closing(reading):
            seen = read(base, found, newest_in(reading), now)
    if seen.configs:
        writing = open_journal(journal_file, create=True)
        assert writing is not None
        with closing(writing):
            writing.configs.keep(seen.configs, seen.bodies)


def newest_in(journal: Journal) -> Callable[[str], Config | None]:
    """What a journal knows last of a run."""
    return lambda path: next(iter(journal.configs.of(path)), None)


def of_leaving(
    seen: Survey, paths: Iterable[str], known: Callable[[str], Config | None], now: int
) -> Read:
    """What the journal doesn't know of the units at `paths`, and of the runs in them."""
    catalogue, found = seen.catalogue, dict[Run, list[Place]]()
    for path in paths:
        unit, content = catalogue.by_path[path], seen.contents.get(path)
        if isinstance(content, Folder):
            *_, top = catalogue.up_from(unit)
            runs = runs_of([unit, *catalogue.below(path)], seen.wholes[top].run_ids)
            found |= places(runs, (each.path for each in content.walk()))
    return read(seen.base, found, known, now, whole=True)
