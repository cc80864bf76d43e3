"""Log a published model in MLflow, where the workspace uses it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from artifact_janitor.config import Settings
from artifact_janitor.errors import StepFailed
from artifact_janitor.observe.reading import head
from artifact_janitor.observe.sqlite import MAGIC
from artifact_janitor.publishing import sidecar_name
from artifact_janitor.regular import open_regular
from artifact_janitor.results import ask

_LARGEST = 1 << 20
PROGRAM = "artifact_janitor.reports.mlflow"


def log(settings: Settings, target: str, plots: str = "") -> str:
    """Log the model at `target`, its sidecar and the plots in a folder as artifacts of one run.

    Does nothing where no MLflow is used here. Returns why it could not be, or "".
    """
    uri = uri_of(settings)
    if not uri:
        return ""
    try:
        order = _order(settings, uri, target, plots)
        answer = ask(PROGRAM, order, settings.workspace)
    except (OSError, ValueError, LookupError, StepFailed) as error:
        return f"MLflow: {target} was published, and not logged: {error}"
    if answer.get("missing"):
        hint = "pip install 'artifact-janitor[mlflow]'"
        return f"MLflow: {target} was published, and not logged: {hint}"
    return ""


def uri_of(settings: Settings) -> str:
    """Where MLflow keeps its records here: its database, else a tree of files; "" if nowhere.

    Whatever ``MLFLOW_TRACKING_URI`` says: nothing goes to a server unasked.
    """
    base = settings.workspace
    database = base / settings.folders.mlflow_db[0]
    if head(database, len(MAGIC)) == MAGIC:
        return f"sqlite:///{database}"
    for root in settings.folders.mlruns:
        if any((base / root).glob("*/meta.yaml")):
            return (base / root).absolute().as_uri()
    return ""


def _order(settings: Settings, uri: str, target: str, plots: str) -> dict[str, Any]:
    """Raises OSError, ValueError and LookupError where the sidecar can't be read."""
    base = settings.workspace
    with os.fdopen(open_regular(base / sidecar_name(target)), "rb") as file:
        told = json.loads(file.read(_LARGEST))
    folder, _, name = target.rpartition("/")
    files = [(str(base / target), ""), (str(base / sidecar_name(target)), "")]
    files += [(str(plot), "visualizations") for plot in _plots(base / plots if plots else None)]
    return {
        "uri": uri,
        "turn": str(base / folder),
        "experiment": folder.rpartition("/")[2],
        "name": name.removesuffix(".pth"),
        "key": told["key"],
        "sha256": told["sha256"],
        "params": _plain(told.get("params")),
        "metrics": _metrics(told.get("metric")),
        "tags": {
            f"janitor.{each}": str(told[each])
            for each in ("study", "model_type", "trial", "mode", "git_commit", "data_sha256")
            if told.get(each) not in (None, "")
        },
        "artifacts": files,
    }


def _plots(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        with suppress(OSError):
            yield from sorted(each for each in folder.iterdir() if each.suffix == ".png")


def _plain(params: object) -> dict[str, str]:
    """MLflow's names hold few characters; others become dots."""
    if not isinstance(params, Mapping):
        return {}
    return {_name(name): json.dumps(value, default=str) for name, value in params.items()}


def _metrics(metric: object) -> dict[str, float]:
    if not isinstance(metric, Mapping):
        return {}
    value = metric.get("value")
    name = _name(metric.get("name") or "value")
    return {name: float(value)} if isinstance(value, int | float) else {}


def _name(name: object) -> str:
    plain = (c if c.isascii() and (c.isalnum() or c in "_-. /") else "." for c in str(name))
    return "".join(plain)[:200].strip("/. ") or "value"
