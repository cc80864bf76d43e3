"""Final models of training runs that are over, and what is known of such a run."""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from artifact_janitor.config import Folders
from artifact_janitor.core.manual import Finished
from artifact_janitor.core.model import Artifact, is_within
from artifact_janitor.core.study_names import safe_name
from artifact_janitor.observe import liveness, recheck
from artifact_janitor.observe.configs import main_of
from artifact_janitor.observe.liveness import Moment
from artifact_janitor.observe.tree import Folder
from artifact_janitor.regular import open_regular

MANUAL = "manual_runs"
"""The folder of ``models/`` for the models of such runs: where it exists, they are published."""
_FINAL = re.compile(r"final_model_(?P<model_type>[A-Za-z0-9][A-Za-z0-9._-]{0,79})\.pth")
_METRICS = ("result.json", "metrics.json", "results.json")
_LARGEST = 64 << 10
"""Bytes of a configuration, or of numbers, that go into a sidecar."""


def is_final_model(name: str) -> bool:
    return bool(_FINAL.fullmatch(name))


def is_wanted(base: Path, folders: Folders) -> bool:
    """Whether there is a folder for the models of manual runs; a link is none."""
    return stat.S_ISDIR(_mode(base / folders.models[0] / MANUAL))


def final_models(base: Path, folders: Folders, runs: Iterable[Artifact]) -> Iterator[Finished]:
    """The final models of training runs, whether these are over or not."""
    for run in runs:
        root = next((each for each in folders.training if is_within(run.path, each)), None)
        if run.kind != "training-run" or root is None or run.path == root:
            continue
        name = run.path[len(root) + 1 :]
        place = f"{folders.models[0]}/{MANUAL}/{safe_name(name)}"
        with suppress(OSError), os.scandir(base / run.path) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                if match := _FINAL.fullmatch(entry.name):
                    yield from _of_file(entry, run.path, name, place, match)


def _of_file(
    entry: os.DirEntry[str], run: str, name: str, place: str, match: re.Match[str]
) -> Iterator[Finished]:
    status = entry.stat(follow_symlinks=False)
    if stat.S_ISREG(status.st_mode):
        yield Finished(
            run,
            name,
            f"{run}/{entry.name}",
            f"{place}/{entry.name}",
            match["model_type"],
            f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}",
            status.st_mtime_ns,
        )


def life(found: Finished, moment: Moment) -> str:
    """Why a run is not over yet, or "": something writes to it, or did a short while ago."""
    try:
        content = recheck.read(moment.base, found.run)
    except OSError as error:
        return f"{found.run} is out of reach ({error.strerror})"
    alive = liveness.live(content, found.run, moment)
    return alive.why if alive else ""


def told(base: Path, found: Finished) -> dict[str, object]:
    """What a run says of itself: its configuration, and the numbers in its results.

    Not by its bare name or path: a sidecar protects the run that it names so (S5), and a run
    whose model was copied need not stay for it.
    """
    said: dict[str, object] = {"run": f"manual:{found.name}", "model_type": found.model_type}
    content = recheck.read(base, found.run)
    if isinstance(content, Folder):
        names = [path[len(found.run) + 1 :] for path, _ in content.all_files()]
        own = [name for name in names if name.count("/") < 2 and name.endswith((".yaml", ".yml"))]
        said |= _config(base / found.run, main_of(own))
    for name in _METRICS:
        if numbers := _numbers(base / found.run / name):
            said["metrics"] = numbers
            break
    return said


def _config(run: Path, name: str | None) -> dict[str, object]:
    if name is None:
        return {}
    with suppress(OSError), os.fdopen(open_regular(run / name), "rb") as file:
        text = file.read(_LARGEST + 1)
        if len(text) <= _LARGEST:
            return {"config": {"file": name, "sha256": sha256(text).hexdigest()}}
    return {}


def _numbers(path: Path) -> dict[str, float]:
    """The finite numbers at the top of a JSON file."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            found: Any = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if _is_number(value)}


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e300 and math.isfinite(value)


def _mode(path: Path) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0
