"""Trainings that no row explains, by their folders and by what lies beside their models: so that
nothing is trained, or published, twice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from artifact_janitor.core.jobs import token_of
from artifact_janitor.core.study_names import safe_name
from artifact_janitor.core.wanted import DERIVED
from artifact_janitor.executors import JOB, REQUEST
from artifact_janitor.journal.salvage import Salvaged
from artifact_janitor.journal.values import JobRow, row_of
from artifact_janitor.regular import open_regular
from artifact_janitor.state import STATE

FOLDER = f"{STATE}/jobs"
WHY = "found when the journal was rebuilt"
_LARGEST = 4 << 20
_ATTEMPTS = 1000
"""As many tries of one key are looked for."""
Told = Mapping[str, Any]


def add(found: Salvaged, workspace: Path, models: str, now: int) -> list[str]:
    """Add rows for all that no row explains; the tokens of what was found."""
    stand, taken = _published(workspace, models), _taken_back(found, workspace)
    told = dict(_begun(workspace / FOLDER))
    for sidecars in (taken, stand):
        told |= {token: said for token, (said, _) in sidecars.items() if token not in told}
    known = {each.token for each in found.rows["job"]}
    targets = {each.target: each.study for each in found.rows["job"]}
    named = []
    for token in sorted(told.keys() - known):
        place = stand.get(token) or taken.get(token)
        row = _row(token, told[token], place[1] if place else _place(told[token], models))
        if row is None:
            continue
        if place:
            state = "published" if token in stand else "undone"
            row = row._replace(state=state, ended=now, why=WHY, told=1)
        elif targets.get(row.target, row.study) != row.study:
            row = row._replace(target=_elsewhere(row, models))
        number = max((each.id for each in found.rows["job"]), default=0) + 1
        found.rows["job"].append(row._replace(id=number, submitted=now))
        targets[row.target] = row.study
        named.append(token)
    return named


def _place(said: Told, models: str) -> str:
    stem = safe_name(Path(str(said.get("study_path"))).stem)
    return f"{models}/{DERIVED}/{stem}/final_model_{said.get('model_type')}.pth"


def any_begun(workspace: Path) -> bool:
    return any(True for _ in _begun(workspace / FOLDER))


def _begun(folder: Path) -> Iterator[tuple[str, Told]]:
    """What was asked of each training; a folder without its last file was never begun."""
    with suppress(OSError):
        for token in sorted(os.listdir(folder)):
            said = _object(folder / token / REQUEST)
            if said and os.path.lexists(folder / token / JOB):
                yield token, said


def _published(workspace: Path, models: str) -> dict[str, tuple[Told, str]]:
    """What stands beside the models that are in place, and where, by token."""
    found: dict[str, tuple[Told, str]] = {}
    for sidecar in (workspace / models / DERIVED).glob("*/final_model_*.json"):
        said, model = _object(sidecar), sidecar.with_suffix(".pth")
        if isinstance(said.get("job"), str) and model.is_file():
            found[said["job"]] = (said, str(model.relative_to(workspace)))
    return found


def _taken_back(found: Salvaged, workspace: Path) -> dict[str, tuple[Told, str]]:
    """The same of models that lie in the trash: they were published once, and are no more."""
    taken: dict[str, tuple[Told, str]] = {}
    for move in found.rows["move"]:
        source, target = os.fsdecode(move.source), os.fsdecode(move.target)
        if f"/{DERIVED}/" in f"/{source}" and source.endswith(".json"):
            said = _object(workspace / target)
            if isinstance(said.get("job"), str):
                taken[said["job"]] = (said, source.removesuffix(".json") + ".pth")
    return taken


def _row(token: str, said: Told, target: str) -> Any:
    """Of a training that may go on; None where it is not what a janitor wrote."""
    key, study, path = said.get("key"), said.get("study"), said.get("study_path")
    kind, mode = said.get("model_type"), said.get("mode")
    if not all(isinstance(each, str) for each in (key, study, path, kind, mode)):
        return None
    attempt = next((n for n in range(1, _ATTEMPTS) if token_of(str(key), n) == token), 0)
    trial, value = _best(said)
    names = (os.fsencode(str(path)), str(study).encode("utf-8", "surrogatepass"), kind)
    more = (mode, trial, value, 0, "submitted", 0, 0, 0, "", 0)
    return row_of("job", (1, key, attempt, token, *names, os.fsencode(target), *more))


def _best(said: Told) -> tuple[int, str]:
    """The trial and its value, as a request tells them, or as what lies beside a model does."""
    with suppress(LookupError, TypeError, ValueError):
        trial, metric = said["trial"], said.get("metric")
        if isinstance(trial, int):
            return trial, repr(float(metric["best"])) if isinstance(metric, dict) else "nan"
        return int(trial["number"]), repr(float(trial["values"][said["objective"]["number"] - 1]))
    return -1, "nan"


def _elsewhere(row: JobRow, models: str) -> bytes:
    """Two studies of one file and one model type: the second goes by its own name."""
    name = safe_name(row.study.decode("utf-8", "surrogatepass"))
    return os.fsencode(f"{models}/{DERIVED}/{name}/final_model_{row.model_type}.pth")


def _object(path: Path) -> dict[str, Any]:
    """A small JSON object; an empty one where there is none."""
    with suppress(OSError, ValueError, RecursionError):
        with os.fdopen(open_regular(path), "rb") as file:
            found = json.loads(file.read(_LARGEST))
        return found if isinstance(found, dict) else {}
    return {}
