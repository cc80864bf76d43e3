"""Hydra's Optuna sweeper: it writes ``optimization_results.yaml`` once, when it is done.

Which study that was stands in each of its jobs' ``.hydra/hydra.yaml``, as the sweeper's
storage and study name (this sweeper writes no ``multirun.yaml``); a sweep that names neither
is nobody's mark. Both files are read by the line, as Hydra 1.3 and the sweeper 1.2 write them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from artifact_janitor.core.study import Study
from artifact_janitor.observe.reading import head

RESULTS = "optimization_results.yaml"
_SWEEPER = re.compile(r"^  sweeper:[^\S\n]*\n((?:    .*\n)+)", re.MULTILINE)
_KEY = r"^    {}: (.*)$"
_BEST = re.compile(r"^best_value: *(\S+) *$", re.MULTILINE)
_STORAGE = re.compile(r"sqlite(?:\+\w+)?:///(?P<path>[^?]+)")
_LIMIT = 4 << 20


@dataclass(frozen=True, slots=True)
class Sweep:
    """One that is done: its results' path in the workspace, when they were written, and the
    study they are of. ``best`` is None where there are several objectives."""

    path: str
    at: int
    database: str
    study: str
    best: float | None


def done(base: Path, roots: Iterable[str]) -> list[Sweep]:
    """The sweeps with results in DATE/TIME or one level above, oldest first."""
    found = [
        sweep for root in roots for place in _places(base / root) for sweep in _sweep(base, place)
    ]
    return sorted(found, key=lambda each: (each.at, each.path))


def result_of(study: Study, base: Path, sweeps: Iterable[Sweep]) -> Sweep | None:
    """The newest that is of this study, and agrees with what is its best."""
    place = os.path.realpath(base / study.path)
    best = study.bests[0] if study.bests else None
    mine = [
        each
        for each in sweeps
        if each.study == study.name
        and each.database == place
        and (each.best is None or (best is not None and each.best == best.values[0]))
    ]
    return mine[-1] if mine else None


def _places(root: Path) -> Iterator[Path]:
    for pattern in (f"*/{RESULTS}", f"*/*/{RESULTS}"):
        yield from root.glob(pattern)


def _sweep(base: Path, results: Path) -> Iterator[Sweep]:
    job = next(results.parent.glob("*/.hydra/hydra.yaml"), None)
    block = _SWEEPER.search(_text(job)) if job else None
    storage = _STORAGE.fullmatch(_value(block[1], "storage")) if block else None
    study = _value(block[1], "study_name") if block else ""
    if storage is None or study in ("", "null"):
        return
    said = _BEST.search(_text(results))
    path = os.path.relpath(results, base)
    try:
        database = os.path.realpath(base / storage["path"])  # raises ValueError for a NUL
        at = os.lstat(results).st_mtime_ns
        yield Sweep(
            path, at, database, study, float(said[1].replace(".inf", "inf")) if said else None
        )
    except (OSError, ValueError):
        return


def _value(block: str, key: str) -> str:
    """A plain value, without the quotes that YAML may put around it."""
    match = re.search(_KEY.format(key), block, re.MULTILINE)
    value = match[1].strip(" ") if match else ""
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if is_quoted else value


def _text(path: Path) -> str:
    return head(path, _LIMIT).decode("utf-8", "replace")
