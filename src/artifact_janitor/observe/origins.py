"""Where a model comes from, by what lies around it: its sidecar, or the run that holds it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from artifact_janitor.core.milestone import META
from artifact_janitor.core.model import Artifact, Catalogue, upward
from artifact_janitor.core.policy import RUNS
from artifact_janitor.observe import configs, recheck
from artifact_janitor.observe.configs import Run
from artifact_janitor.observe.manual_runs import results
from artifact_janitor.observe.modelnames import suffix
from artifact_janitor.observe.reading import head
from artifact_janitor.observe.tree import Folder

BY_HAND = "manual:"
"""How the sidecar of a manual run's model begins to name that run."""
_LARGEST = 4 << 20
"""Bytes of a sidecar."""
_LONGEST = 64 << 10
"""Bytes of a configuration that is told in full."""
_KEPT = (
    *("study", "study_path", "model_type", "trial", "params", "metric", "metrics", "mode"),
    *("seed", "epochs", "git_commit", "data_sha256"),
)
"""What a published model's sidecar says that also holds of its copies."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a model: `told`, for its ``NAME_meta.json``, and `names`, paths of ours
    that stand in it as they are; ``sha256`` is that of the model a sidecar speaks of, or ""."""

    unit: str = ""
    told: Mapping[str, object] = field(default_factory=dict)
    names: Mapping[str, object] = field(default_factory=dict)
    sha256: str = ""


def sidecars(path: str) -> tuple[str, ...]:
    """Where a model file may be told of, the likeliest first."""
    stem = path[: len(path) - len(suffix(path.rpartition("/")[2]))]
    return f"{stem}{META}", f"{stem}.json"


def told_in(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is none, or it can't be read."""
    text = head(path, _LARGEST + 1)
    try:
        found = json.loads(text) if len(text) <= _LARGEST else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def origin_of(
    base: Path, catalogue: Catalogue, run_ids: Mapping[str, str], training: Iterable[str], path: str
) -> Origin:
    """What is known of the model at `path`; `training` are the folders of training runs."""
    around = [catalogue.by_path[each] for each in upward(path) if each in catalogue.by_path]
    run = next((each for each in around if each.kind in RUNS), None)
    if run is not None:
        metrics = [metric for each in around for metric in each.metrics]
        return _of_run(base, catalogue, run_ids, run, path, metrics)
    unit = next((each for each in around if each.kind == "model"), None)
    return _of_published(base, catalogue, run_ids, training, path, unit) if unit else Origin()


def _of_run(
    base: Path,
    catalogue: Catalogue,
    run_ids: Mapping[str, str],
    run: Artifact,
    path: str,
    metrics: Iterable[tuple[str, float]],
) -> Origin:
    named = [{"name": name, "value": value} for name, value in metrics]
    told: dict[str, object] = {"metric": named[0]} if named else {}
    job = _job(run, path)
    if numbers := results(base / job):
        told["metrics"] = numbers
    inside = [each for each in catalogue.below(run.path) if each.kind == "wandb-run"]
    within = job[len(run.path) + 1 :]
    for each in (run, *inside[: len(inside) == 1]):
        found = _configured(base, each, run_ids.get(each.path, ""), within)
        told = {**found, **told}
    return Origin(run.path, told, {"run": {"path": run.path, "kind": run.kind}})


def _job(run: Artifact, path: str) -> str:
    """The folder that speaks for a file: in a sweep that of its job."""
    if run.kind != "hydra-sweep":
        return run.path
    return f"{run.path}/{path[len(run.path) + 1 :].partition('/')[0]}"


def _configured(base: Path, run: Artifact, run_id: str, within: str) -> dict[str, object]:
    """The main file of its configuration, and the commit that W&B saw."""
    try:
        content = recheck.read(base, run.path)
    except OSError:
        return {}  # it went meanwhile
    folders = [each.path for each in content.walk()] if isinstance(content, Folder) else []
    asked = Run(run.path, run.kind, run_id)
    seen = configs.read(base, configs.places([asked], folders), lambda _: None, 0)
    bodies = {each.name: seen.bodies[each.digest] for found in seen.configs for each in found.files}
    told: dict[str, object] = {}
    main = configs.main_of(bodies, within) or configs.main_of(bodies)
    if main is not None:
        told["config"] = {"file": main, **_text(bodies[main])}
    if commit := _commit(bodies.get("files/wandb-metadata.json", b"")):
        told["git_commit"] = commit
    return told


def _text(body: bytes) -> dict[str, str]:
    digest = {"sha256": sha256(body).hexdigest()}
    if len(body) > _LONGEST:
        return digest
    return {**digest, "text": body.decode("utf-8", "backslashreplace")}


def _commit(body: bytes) -> str:
    try:
        commit = json.loads(body)["git"]["commit"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return commit if isinstance(commit, str) else ""


def _of_published(
    base: Path,
    catalogue: Catalogue,
    run_ids: Mapping[str, str],
    training: Iterable[str],
    path: str,
    unit: Artifact,
) -> Origin:
    """By its sidecar; that of a manual run's model leads to the run, if that is there."""
    said = told_in(base / sidecars(path)[-1])
    told = {key: said[key] for key in _KEPT if key in said}
    run = said.get("run")
    names: dict[str, object] = {}
    for each in _by_hand(run, training) if isinstance(run, str) else ():
        found = catalogue.by_path.get(each)
        if found is not None and found.kind in RUNS:
            of_run = _of_run(base, catalogue, run_ids, found, path, found.metrics)
            told, names = {**of_run.told, **told}, {**of_run.names}
    digest = said.get("sha256")
    return Origin(unit.path, told, names, digest if isinstance(digest, str) else "")


def _by_hand(run: str, training: Iterable[str]) -> Iterator[str]:
    if run.startswith(BY_HAND):
        yield from (f"{folder}/{run.removeprefix(BY_HAND)}" for folder in training)
