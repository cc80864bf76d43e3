"""MLflow's legacy file store: a ``meta.yaml`` in each run, model version and logged model.

What is needed of it are a few keys with plain values, one a line, as MLflow writes them.
Whatever looks otherwise is not understood, and keeps (S7).
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from artifact_janitor.core.model import Evidence
from artifact_janitor.mlflow_records import (
    DELETED,
    NO_VERSION,
    PARENT,
    Named,
    Record,
    child_of,
    lives,
    named_by,
    record_of,
)
from artifact_janitor.regular import open_regular

META = "meta.yaml"
_LIMIT = 1 << 20
_LINE = re.compile(r"(\w+):(?: (.*))?")
_NUMBER = re.compile(r"[0-9]{1,18}")
_STATES = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}


def record(folder: Path, run_id: str) -> Record | None:
    """What a run's own ``meta.yaml`` says; None where there is none."""
    if not os.path.lexists(folder / META):
        return None
    try:
        values = _values(_text(folder / META))
    except OSError as error:
        return Record("", "", "", trouble=f"its {META} can't be read: {error.strerror or error}")
    names = {values[key] for key in ("run_id", "run_uuid") if key in values}
    if names != {run_id}:
        return Record("", "", "", trouble=f"its {META} is damaged, or another run's")
    deleted = values.get("deleted_time", "null")
    return record_of(
        values.get("lifecycle_stage"),
        _STATES.get(values.get("status", ""), "in an unknown state"),
        values.get("artifact_uri"),
        None if deleted == "null" else int(deleted) if _NUMBER.fullmatch(deleted) else deleted,
    )


def _text(path: Path) -> str:
    """Raises OSError where there is something that can't be read, or only in part."""
    text = _start(path)
    if not text.endswith("\n"):
        raise OSError(f"{path.name} is not whole")
    return text


def _start(path: Path) -> str:
    """What fits into the limit. Raises OSError."""
    with os.fdopen(open_regular(path), "rb") as file:
        return file.read(_LIMIT).decode("utf-8", "surrogateescape")


def _values(text: str) -> dict[str, str]:
    """The plain values of a file; {} where it says something twice, or isn't understood."""
    found: dict[str, str] = {}
    lines = text.split("\n")[:-1]
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        if line.startswith((" ", "- ")):
            continue  # belongs to the value above it, which isn't plain
        match = _LINE.fullmatch(line)
        if match is None or match[1] in found:
            return {}
        is_plain = not following.startswith((" ", "- "))
        found[match[1]] = _plain(match[2] or "") if is_plain else ""
    return found


def _plain(value: str) -> str:
    """Without the single quotes that YAML puts around what would be something else."""
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    return value


# ---------------------------------------------------------------- who names runs


def named(base: Path, roots: Sequence[str]) -> Named:
    """The runs that children, registered versions and live logged models name.

    Raises OSError where one of those can't be read: it may name any run.
    """
    found: Named = defaultdict(list)
    for run_id, evidence in chain.from_iterable(_names(base / root) for root in roots):
        found[run_id].append(evidence)
    return found


def _names(root: Path) -> Iterator[tuple[str, Evidence]]:
    experiments = [*_below(root, 1)]
    models = {each.name: _meta(each) for one in experiments for each in _below(one / "models", 1)}
    for version in _below(root / "models", 2):
        text = _meta(version)
        if text and _values(text).get("current_stage") != NO_VERSION:
            texts = [text, *(models[name] for name in models if name in text)]
            number = version.name.removeprefix("version-")
            yield from named_by(
                texts, f"registered model {version.parent.name} version {number} names it"
            )
    for name, text in models.items():
        values = _values(text)
        if values.get("lifecycle_stage") != DELETED:
            yield from named_by([text], *lives(values.get("name", "?"), name))
    for run in chain.from_iterable(_below(one, 1) for one in experiments):
        tag = run / "tags" / PARENT
        if os.path.lexists(tag) and _values(_meta(run)).get("lifecycle_stage") != DELETED:
            yield _start(tag).strip(), child_of(run.name)


def _meta(folder: Path) -> str:
    """ "" where it has no record."""
    try:
        return _text(folder / META)
    except FileNotFoundError:
        return ""


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """The folders so many levels down; deleted experiments and links aside."""
    if depth == 0:
        yield folder
        return
    try:
        with os.scandir(folder) as entries:
            names = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in sorted(names):
        if name not in (".trash", ".janitor"):
            yield from _below(folder / name, depth - 1)
