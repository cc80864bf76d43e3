"""Models and where they come from: the answer of ``janitor models``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from artifact_janitor.core.lineage import File, Model, Stage
from artifact_janitor.core.milestone import SUFFIX, is_chosen
from artifact_janitor.render.lines import WIDE, line
from artifact_janitor.render.text import FIRST
from artifact_janitor.render.words import moment, plural, shown
from artifact_janitor.units import format_duration, format_size

_LONGEST = 40
"""Letters of a name on a line."""
_STYLES = {"verified": "green", "damaged": "bold red", "changed": "bold red", "whole": ""}


# ---------------------------------------------------------------- for programs


def of_models(models: Sequence[Model]) -> dict[str, Any]:
    return {"models": [_of_model(each) for each in models]}


def _of_model(each: Model) -> dict[str, Any]:
    first = each.first
    return {
        "path": first.path,
        "stage": first.stage,
        "chosen": each.is_chosen,
        "model_type": each.model_type,
        "metric": None if each.value is None else {"name": each.metric, "value": each.value},
        "bytes": first.bytes,
        "time": moment(first.time),
        "state": first.state,
        "sha256": first.digest,
        "study": each.study,
        "trial": each.trial,
        "run": each.run,
        "run_is": each.fate,
        "run_config": each.is_configured,
        "note": each.note,
        "copies": each.copies,
        "files": [_of_file(file) for file in each.files],
        "archives": [*each.archives],
    }


def _of_file(file: File) -> dict[str, Any]:
    return {
        "path": file.path,
        "unit": file.unit,
        "kind": file.kind,
        "stage": file.stage,
        "state": file.state,
        "time": moment(file.time),
    }


# ---------------------------------------------------------------- in words


def model_lines(
    models: Sequence[Model], now: int, width: int, *, every: bool = False
) -> Iterator[Text]:
    if not models:
        yield line("No models here: none is published, and no run holds a best or final one.")
        return
    yield _headline(models)
    yield Text()
    seen = models if every else models[:FIRST]
    yield from _rows(seen, now, width)
    if len(models) > len(seen):
        more = len(models) - len(seen)
        yield line(f"  … and {more} more (", ("janitor models --all", "bold"), ")")
    yield from _orphans(seen)
    if not any(each.is_chosen for each in models):
        yield line("Next: ", ("janitor promote MODEL", "bold"), " to choose one as a milestone")


def _headline(models: Sequence[Model]) -> Text:
    stages = Counter(each.first.stage for each in models)
    named: dict[Stage, str] = {
        "milestone": "milestone",
        "published": "published model",
        "run": "model",
    }
    counts = [plural(stages[key], word) for key, word in named.items() if stages[key]]
    if stages["run"]:
        counts[-1] += " in runs"
    sizes = {file.inode: file.bytes for each in models for file in each.files}
    parts = [*counts, format_size(sum(sizes.values()))]
    return line((plural(len(models), "model"), "bold"), *(f" · {part}" for part in parts))


def _rows(models: Sequence[Model], now: int, width: int) -> Iterator[Text]:
    """What it is, type, metric, size, age, state, copies; then where it comes from."""
    cells = [_cells(each, now) for each in models]
    wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = (3, 4)  # sizes and ages
    for each, row in zip(models, cells, strict=True):
        padded = [
            f"{cell:>{wide[at]}}" if at in right else f"{cell:<{wide[at]}}"
            for at, cell in enumerate(row)
        ]
        head, state, copies = "  ".join(padded[:5]), padded[5], padded[6]
        mark = ("★ ", "bold yellow") if each.is_chosen else "  "
        style = _STYLES.get(each.first.state, "yellow")
        yet = Text.assemble(mark, head, "  ", (state, style), "  ", copies)
        way = _way(each)
        if width >= WIDE or not way:
            yield Text.assemble(yet, "   ", (way, "dim")) if way else yet
        else:
            yield yet
            yield Text(f"      {way}", style="dim")


def _cells(each: Model, now: int) -> tuple[str, ...]:
    first = each.first
    metric = "" if each.value is None else f"{shown(each.metric)} {each.value:.4g}".strip()
    age = format_duration(now - first.time) if first.time <= now else "future"
    copies = "only copy" if each.copies == 1 else f"{each.copies} copies"
    size = format_size(first.bytes)
    return _name(each), shown(each.model_type), metric, size, age, first.state, copies


def _name(each: Model) -> str:
    """A milestone by its name; all else by its path, the end of which tells most."""
    first = each.first
    path = shown(first.path)
    if first.stage == "milestone":
        path = path.rpartition("/")[2].removesuffix(SUFFIX)
    return path if len(path) <= _LONGEST else f"…{path[1 - _LONGEST :]}"


def _way(each: Model) -> str:
    """Study, run and model, as far as they are known; not what the name says already."""
    parts = []
    if each.study:
        parts.append(f"{each.study} #{each.trial}" if each.trial is not None else each.study)
    inside = each.first.unit == each.run
    if each.run and not inside:
        parts.append(f"{each.run}{_FATES.get(each.fate, '')}")
    published = [file.path for file in each.files if file.stage == "published"]
    parts += [path for path in published[:1] if path != each.first.path]
    if each.first.stage == "milestone" and not each.is_chosen and _is_told(each):
        parts.append("chosen no more")
    return shown(" → ".join(parts))


def _is_told(each: Model) -> bool:
    return "chosen" in each.first.told and not is_chosen(each.first.told)


_FATES = {"gone": " (gone)", "archived": " (archived)", "trash": " (in the trash)"}


def _orphans(models: Sequence[Model]) -> Iterator[Text]:
    """One way to the configuration of a run that is gone; the others go the same way."""
    gone = [each for each in models if each.fate == "gone" and each.is_configured]
    if gone:
        run = shown(gone[0].run)
        yield line(
            f"  {plural(len(gone), 'run')} gone; what it was configured with: ",
            (f"janitor history --config {run}", "bold"),
        )
