"""What a run or a checkpoint achieved: one metric's value, from what the tools left.

The first source that tells a number decides. Most trusted first:

1. W&B's ``files/wandb-summary.json``, also of a W&B run inside: what W&B shows of the run.
   That is the last value, or what ``define_metric(summary="max")`` asked for. W&B writes
   it when an online run ends; offline runs have none (measured with 0.31).
2. ``*_meta.json``.
3. ``trainer_state.json``: the Trainer's ``log_history``.
4. Hydra's ``job_return.pickle``: the metric ``return_value``, of a job that COMPLETED.
5. ``metrics.json``, then ``metrics.csv`` (Lightning's CSVLogger).
6. The names of checkpoints: ``epoch=3-val_f1=0.61.ckpt``.

Where a source tells several numbers (a history, two files, the jobs of a sweep) the best of
them counts: the model of that moment is what a person wants to keep. A checkpoint has only
what is said of itself: its ``NAME_meta.json``, its state at its own step, its name.

S7, S14: a source is believed as a whole or not at all. One file that is damaged, unreadable
or too large, or more than `MOST` files, and it tells nothing. Neither do NaN, infinities,
booleans, texts that look like numbers, or the line that a killed run left unfinished.
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from artifact_janitor.core.model import Artifact
from artifact_janitor.core.policy import Best, Policy
from artifact_janitor.core.retention import governing
from artifact_janitor.observe import modelfile, modelnames
from artifact_janitor.observe.checkpoint_folders import STATE
from artifact_janitor.observe.checkpoints import Found
from artifact_janitor.observe.job_return import return_value
from artifact_janitor.observe.kinds import Unit
from artifact_janitor.observe.tree import Folder
from artifact_janitor.regular import open_regular

LIMIT = 32 << 20
"""Bytes that are read of one file; a long training's history has a few MB."""
LARGEST = sys.float_info.max
MOST = 100
"""Files of one source in one run. What has more of them doesn't tell its metric this way."""

Read = Callable[[Path, Best], Iterable[object]]


def measured(
    artifact: Artifact, unit: Unit, around: Iterable[Unit], policies: Sequence[Policy], base: Path
) -> Artifact:
    """The artifact with the metric that its policy's ``keep_best`` asks for, if it tells it.

    `around` are the units that it may hold. No file is read where no policy asks.
    """
    policy = governing(artifact, policies) if any(each.keep_best for each in policies) else None
    if policy is None or policy.keep_best is None:
        return artifact
    best = policy.keep_best
    apart = {each.path for each in around if each.parent and each.kind not in _PARTS}
    value = value_of(unit, base, best, apart)
    return artifact if value is None else replace(artifact, metrics=((best.metric, value),))


_PARTS = ("wandb-run", "checkpoint")
"""Units whose results are those of the run around them."""


def value_of(unit: Unit, base: Path, best: Best, apart: Collection[str] = ()) -> float | None:
    """The metric's value, always finite; None where nothing tells it. Never raises.

    `apart` names folders inside the unit that speak for themselves alone.
    """
    if unit.found is not None and unit.around is not None:
        return _first(_of_checkpoint(unit.found, unit.around, base, best), best)
    if unit.folder is None:
        return None
    sweep = unit.kind == "hydra-sweep"
    runs = [*unit.folder.folders.values()] if sweep else [unit.folder]
    told = (_first(_of_run(run, base, best, apart), best) for run in runs)
    return _best_of((value for value in told if value is not None), best)


def _first(sources: Iterable[Iterable[float]], best: Best) -> float | None:
    """What the first source says that says anything."""
    for source in sources:
        try:
            value = _best_of(source, best)
        except (OSError, ValueError):
            continue
        if value is not None:
            return value
    return None


def _best_of(numbers: Iterable[float], best: Best) -> float | None:
    choose = max if best.direction == "max" else min
    return choose(numbers, default=None)


# ---------------------------------------------------------------- runs and checkpoints


def _of_run(
    run: Folder, base: Path, best: Best, apart: Collection[str]
) -> Iterator[Iterable[float]]:
    sizes = dict(_files(run, apart))
    for pattern, read in _SOURCES:
        paths = [path for path in sizes if pattern.fullmatch(path)]
        if pattern is _STATES:
            paths = _longest({path: sizes[path] for path in paths})
        yield _all_told([base / run.path / path for path in paths], read, best)
    yield _named_values(sizes, best)


def _files(run: Folder, apart: Collection[str]) -> Iterator[tuple[str, int]]:
    """(path within the run, bytes) of all files that speak for it."""
    stack = [run]
    while stack:
        folder = stack.pop()
        for name, entry in folder.files.items():
            yield f"{folder.path}/{name}"[len(run.path) + 1 :], entry.size
        stack += (child for child in folder.folders.values() if child.path not in apart)


def _longest(sizes: dict[str, int]) -> list[str]:
    """The Trainer writes its history anew, and longer, into each checkpoint of a run."""
    longest: dict[str, str] = {}
    for path in sorted(sizes, key=lambda each: (sizes[each], each)):
        longest[re.sub(r"(^|/)(checkpoint-[0-9]+/)?[^/]*$", "", path)] = path
    return [*longest.values()]


def _of_checkpoint(found: Found, run: Folder, base: Path, best: Best) -> Iterator[Iterable[float]]:
    if found.folder is None:
        beside = base / found.parent / f"{_stem(found.name)}_meta.json"
        yield _all_told([beside], _in_json, best)
    else:
        names = found.folder.files
        own = [base / found.path / name for name in names if name.endswith("_meta.json")]
        yield _all_told(own, _in_json, best)
        for name, read in ((STATE, _at_own_step), ("metrics.json", _in_json)):
            yield _all_told([base / found.path / name] if name in names else [], read, best)
    yield _named_values([found.path[len(run.path) + 1 :]], best)


def _stem(name: str) -> str:
    return name[: len(name) - len(modelnames.suffix(name))]


# ---------------------------------------------------------------- what a source says


def _all_told(paths: Sequence[Path], read: Read, best: Best) -> Iterator[float]:
    """The numbers in all files of a source. Raises OSError, ValueError: see the top."""
    if len(paths) > MOST:
        raise ValueError("too many files")
    for path in paths:
        for value in read(path, best):
            yield from _numbers(value, best)


def _numbers(value: object, best: Best) -> Iterator[float]:
    """A number, a list of them, or what W&B's ``define_metric`` keeps: ``{"max": 0.7}``."""
    if isinstance(value, dict):
        value = next((value[key] for key in (best.direction, "last") if key in value), None)
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, int | float) or isinstance(each, bool):
            continue
        if -LARGEST <= each <= LARGEST:  # false for NaN
            yield float(each)


def _in_json(path: Path, best: Best) -> Iterator[object]:
    for table in _tables(_document(path)):
        yield from _under(table, best.metric)


def _document(path: Path) -> object:
    if os.lstat(path).st_size > LIMIT:
        raise ValueError("too large")
    return modelfile.read_json(path)


def _tables(document: object) -> Iterator[dict[str, object]]:
    """Where metrics stand: at the top, in ``metrics``, or one table a step."""
    if isinstance(document, list):
        yield from (each for each in document if isinstance(each, dict))
    elif isinstance(document, dict):
        yield document
        for key in ("metrics", "log_history"):
            inner = document.get(key)
            yield from _tables(inner if isinstance(inner, list) else [inner])


def _under(table: dict[str, object], name: str) -> Iterator[object]:
    """The value called `name`; ``val/f1`` and ``val.f1`` may also be ``{"val": {"f1": …}}``."""
    if name in table:
        yield table[name]
        return
    for separator in "/.":
        first, _, rest = name.partition(separator)
        inner = table.get(first)
        if rest and isinstance(inner, dict):
            yield from _under(inner, rest)


def _at_own_step(path: Path, best: Best) -> Iterator[object]:
    """Of a checkpoint's ``trainer_state.json`` only what was measured when it was saved."""
    state = _document(path)
    step = state.get("global_step") if isinstance(state, dict) else None
    history = state.get("log_history") if isinstance(state, dict) else None
    for each in _tables(history if isinstance(history, list) else []):
        if step is not None and each.get("step") == step:
            yield from _under(each, best.metric)


_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
"""``float`` alone would also take "1_0", "infinity" and the digits of other scripts."""


def _in_csv(path: Path, best: Best) -> Iterator[object]:
    """A column of that name; a header may come again where a run was resumed."""
    fd = open_regular(path)
    with os.fdopen(fd, encoding="utf-8-sig", errors="replace", newline="") as file:
        if os.fstat(fd).st_size > LIMIT:
            raise ValueError("too large")
        columns: list[int] = []
        try:
            for row in csv.reader(line for line in file if line.endswith(("\n", "\r"))):
                if best.metric in row:
                    columns = [number for number, name in enumerate(row) if name == best.metric]
                    continue
                cells = (row[number].strip() for number in columns if number < len(row))
                yield from (float(cell) for cell in cells if _NUMBER.fullmatch(cell))
        except csv.Error as error:
            raise ValueError(str(error)) from None


def _in_job_return(path: Path, best: Best) -> Iterator[object]:
    if best.metric == "return_value":
        yield return_value(path)


def _named_values(paths: Iterable[str], best: Best) -> Iterator[float]:
    """``name=value`` in the names of checkpoints; Lightning makes ``val/f1`` a folder
    ``…-val`` with ``f1=0.61.ckpt``. A number ends at its suffix or the next separator.
    """
    written = f"{best.metric}="
    pattern = re.compile(_WRITTEN.format(re.escape(best.metric)), re.DOTALL)
    for path in paths:
        match = pattern.fullmatch(path) if written in path else None
        if match and modelnames.suffix(match[2]):
            yield from _numbers(float(match[1]), best)


_WRITTEN = (
    r"(?:.*(?:[-/ ,]|[0-9]_))?"  # a "_" ends a number: "best_f1=" may be a name of its own
    rf"{{}}=({_NUMBER.pattern})(?=[-_ ,/]|\.[A-Za-z])([^/]*)(?:/.*)?"
)
_STATES = re.compile(rf"(?:.*/)?{re.escape(STATE)}", re.DOTALL)
_SOURCES: tuple[tuple[re.Pattern[str], Read], ...] = (
    (re.compile(r"(?:.*/)?files/wandb-summary\.json", re.DOTALL), _in_json),
    (re.compile(r".*_meta\.json", re.DOTALL), _in_json),
    (_STATES, _in_json),
    (re.compile(r"(?:.*/)?job_return\.pickle", re.DOTALL), _in_job_return),
    (re.compile(r"(?:.*/)?metrics\.json", re.DOTALL), _in_json),
    (re.compile(r"(?:.*/)?metrics\.csv", re.DOTALL), _in_csv),
)
