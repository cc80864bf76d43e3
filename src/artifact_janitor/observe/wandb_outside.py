"""What W&B keeps outside the project: staged artifacts, and its cache. Only ever reported.

A file that is added to an artifact is copied to the staging folder at once, and moved to the
cache when it was uploaded: of an offline run it lies there until `wandb sync`, and nowhere
else. Places as wandb 0.31 decides them (``wandb/env.py``, ``sdk/artifacts/staging.py``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from artifact_janitor.core.model import is_within
from artifact_janitor.observe import wandb_log
from artifact_janitor.regular import open_regular

SHRINK = "wandb artifact cache cleanup 10GB"
"""W&B's own command, which removes what was used least."""
_STAGED = rb"/(tmp[a-z0-9_]{8})"
"""How Python names the copies."""


@dataclass(frozen=True, slots=True)
class Outside:
    """A folder of W&B's that is no run; ``bytes`` are allocated."""

    path: str
    bytes: int
    files: int
    what: str
    hint: str = ""


def outside(workspace: Path, environ: Mapping[str, str]) -> list[Outside]:
    """What no sum over the workspace counts."""
    return [
        each
        for each in held(workspace, environ)
        if not is_within(os.path.realpath(each.path), str(workspace))
    ]


def held(workspace: Path, environ: Mapping[str, str]) -> list[Outside]:
    """The staging folder and the cache, as far as they hold anything."""
    staging, cache = staging_folder(workspace, environ), _cache_folder(workspace, environ)
    found = [
        _measured(staging, "files of artifacts that W&B has not uploaded yet: don't empty it"),
        _measured(cache, "W&B's cache", SHRINK),
    ]
    return [each for each in found if each.files]


def staging_folder(workspace: Path, environ: Mapping[str, str]) -> str:
    place = environ.get("WANDB_DATA_DIR", _home(environ, "XDG_DATA_HOME", ".local/share"))
    folder = os.path.join(workspace, os.path.expanduser(place), "artifacts", "staging")
    return os.path.normpath(folder)


def _cache_folder(workspace: Path, environ: Mapping[str, str]) -> str:
    place = environ.get("WANDB_CACHE_DIR", _home(environ, "XDG_CACHE_HOME", ".cache"))
    return os.path.normpath(os.path.join(workspace, place))


def _home(environ: Mapping[str, str], variable: str, default: str) -> str:
    """What platformdirs makes of the environment, which W&B asks."""
    home = environ.get("HOME") or os.path.expanduser("~")
    return os.path.join(environ.get(variable, "").strip() or f"{home}/{default}", "wandb")


def _measured(path: str, what: str, hint: str = "") -> Outside:
    """Hard links count once; what can't be read counts nothing."""
    total, seen = 0, set()
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                status = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            if (inode := (status.st_dev, status.st_ino)) not in seen:
                seen.add(inode)
                total += status.st_blocks * 512
    return Outside(path, total, len(seen), what, hint)


def waiting(base: Path, runs: Iterable[str], staging: str) -> dict[str, int]:
    """The runs whose logs name staged files that are still there, and how many.

    `runs` are paths in the workspace. Runs of other projects may wait as well.
    """
    words = re.compile(re.escape(os.fsencode(staging)) + _STAGED)
    found: dict[str, int] = {}
    for run in runs:
        names = {name for log in _logs(base / run) for name in _mentioned(log, words)}
        there = [name for name in names if os.path.lexists(os.path.join(staging, name))]
        if there:
            found[run] = len(there)
    return found


def _logs(run: Path) -> Iterator[Path]:
    try:
        names = os.listdir(run)
    except OSError:
        return
    yield from (run / name for name in names if name.endswith(".wandb"))


def _mentioned(log: Path, words: re.Pattern[bytes]) -> set[str]:
    try:
        with os.fdopen(open_regular(log), "rb") as file:
            return {os.fsdecode(name) for name in wandb_log.mentions(file, words)}
    except OSError:
        return set()
