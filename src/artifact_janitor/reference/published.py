"""The published form of a model: one file of plain values and tensors, saved whole or not at all.

``final_model_{model_type}.pth`` is a dict that ``torch.load(weights_only=True)`` reads:

- ``format``: "artifact-janitor/model/1"
- ``state_dict``: of the network
- ``config``: all settings it was made with (`settings.Settings`)
- ``scalers``: ``{"features": {kind, params, state}}``
- ``meta``: names of classes and features, the metric, the seed, where it comes from

Nothing in it depends on the time, its name or its folder: the same training makes the same bytes.
"""

from __future__ import annotations

import os
import pickle
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from artifact_janitor.errors import JanitorError
from artifact_janitor.reference import models, scalers
from artifact_janitor.reference.settings import Settings, checked
from artifact_janitor.reference.windows import FEATURES

FORMAT = "artifact-janitor/model/1"
_PARTS = {"state_dict": dict, "config": dict, "scalers": dict, "meta": dict}


@dataclass(frozen=True)
class Model:
    """A published model, ready to be asked."""

    network: nn.Module
    settings: Settings
    scaler: Any
    classes: tuple[str, ...]


def file_name(model_type: str) -> str:
    return f"final_model_{model_type}.pth"


def content(
    network: nn.Module, settings: Settings, scaler: Any, meta: dict[str, Any]
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "state_dict": dict(network.state_dict()),
        "config": settings.model_dump(),
        "scalers": {"features": scalers.record(scaler)},
        "meta": {**meta, "features": list(FEATURES)},
    }


def origin() -> dict[str, Any]:
    """The commit of the working folder, if Git knows one, and what trains here."""
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "git_commit": _git("rev-parse", "HEAD"),
        "git_changed": None if changed is None else bool(changed),
        "torch": str(torch.__version__),  # which is an object of its own
        "python": platform.python_version(),
    }


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=60)  # noqa: PLW1510
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def save(content: object, path: Path) -> None:
    """By torch, through an open file: given a path, it would write its name into the bytes."""
    with whole(path) as staged, staged.open("wb") as file:
        torch.save(content, file)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place to write a file that then appears at `path`, durable, or doesn't at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".saving-", dir=path.parent))
    try:
        staged = staging / path.name
        yield staged
        _sync(staged)
        staged.replace(path)
        _sync(path.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def load(path: Path) -> Model:
    """Raises JanitorError where it is no published model; nothing in it is ever run."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise JanitorError(f"{path}: {error.strerror}", "name a model", str(path)) from None
    try:
        with file:
            told = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise _bad(path, "it holds more than tensors and plain values, or is damaged") from None
    except Exception as error:  # noqa: BLE001 - a damaged file raises whatever its bytes lead to
        raise _bad(path, _first_line(error)) from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise _bad(path, f"its format is not {FORMAT!r}")
    for name, kind in _PARTS.items():
        if not isinstance(told.get(name), kind):
            raise _bad(path, f"it has no {name}")
    return _model(told, path)


def _model(told: dict[str, Any], path: Path) -> Model:
    settings = checked(told["config"], str(path))
    window, classes = settings.windows.window, settings.windows.classes
    try:
        network = models.build(settings.model, window, len(FEATURES), classes)
        network.load_state_dict(told["state_dict"])
        scaler = scalers.restored(told["scalers"]["features"])
        names = tuple(str(name) for name in told["meta"]["classes"])
    except (KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise _bad(path, f"its parts don't fit together ({_first_line(error)})") from None
    if len(names) != classes:
        raise _bad(path, f"it names {len(names)} of {classes} classes")
    return Model(network.eval(), settings, scaler, names)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:160] or type(error).__name__


def _bad(path: Path, why: str) -> JanitorError:
    return JanitorError(f"{path} is no published model: {why}", "", str(path))
