"""An outermost unit in short, with all the units in it: what the survey keeps of its tree.

It is small, and travels as text: from the process that read the tree to the one that
plans, and from one look to the next.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from artifact_janitor.core.model import Artifact, Evidence, Kind, ModelFile
from artifact_janitor.core.policy import Policy
from artifact_janitor.observe import caches, checkpoints, logs, modelnames, wandb
from artifact_janitor.observe import models as published
from artifact_janitor.observe.kinds import Unit, proven_inside
from artifact_janitor.observe.measure import Shared, obstacles, shared, size_of
from artifact_janitor.observe.metrics import measured
from artifact_janitor.observe.tree import Entry, Folder

RUNS_WITH_CHECKPOINTS = ("hydra-run", "hydra-sweep", "training-run")
_MARKS = {
    "hydra-run": ".hydra/hydra.yaml",
    "hydra-sweep": "multirun.yaml",
    "wandb-run": "a W&B transaction log",
    "training-run": "its checkpoints or event files",
    "checkpoint": "its name",
    "log": "its name and content",
    "model": "its folder and its format",
    "milestone": "its folder",
    "study": "its first bytes",
    "cache": "its name",
}
"""What proves the origin of a unit."""

_ALWAYS: dict[Kind, Evidence] = {
    "study": Evidence("study", "a study's own record: never removed"),
    "milestone": Evidence("milestone", "a chosen milestone: never removed"),
}
"""What protects every unit of a kind, whatever a policy says."""


class Weights(NamedTuple):
    """A model file, as far as it takes to tell whether another one can be its copy."""

    size: int
    dev: int
    ino: int


class Seen(NamedTuple):
    """A folder as it was. Whatever comes into it or leaves it makes its ctime another one,
    and no program can set that back."""

    path: str
    ino: int
    ctime: int


@dataclass(slots=True)
class Whole:
    """What one outermost unit, or a folder between units, contributes to the facts."""

    path: str
    artifacts: list[Artifact] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    """Symlinks in it: path → the text that they hold."""
    sidecars: list[str] = field(default_factory=list)
    """JSON files in it that may name a run."""
    shared: list[Shared] = field(default_factory=list)
    weights: dict[str, Weights] = field(default_factory=dict)
    """Its best and final models, by path."""
    run_ids: dict[str, str] = field(default_factory=dict)
    """W&B's ID of each W&B run in it, by path of the unit."""
    folders: list[Seen] = field(default_factory=list)
    newest: int = 0
    """mtime of the newest thing in it, folders included; 0 where it is no folder."""
    troubled: bool = False
    """Whether something in it could not be read."""


_FIELDS = tuple(each.name for each in fields(Whole))
_HELD = (Whole, Artifact, Evidence, ModelFile)
FORM = json.dumps([[each.name for each in fields(kind)] for kind in _HELD])
"""Names what the text holds, so that another version's text is not taken for ours."""


def as_text(whole: Whole) -> str:
    """One line of ASCII."""
    parts = {name: getattr(whole, name) for name in _FIELDS}
    parts["artifacts"] = [_bare(each) for each in whole.artifacts]
    return json.dumps([*parts.values()], separators=(",", ":"))


def from_text(text: str) -> Whole:
    """Raises ValueError or TypeError, or one of their kin, where the text is none of ours."""
    whole = Whole(*json.loads(text))
    whole.artifacts = [_dressed(each) for each in whole.artifacts]  # type: ignore[arg-type]
    whole.shared = [Shared(*each) for each in whole.shared]
    whole.weights = {path: Weights(*each) for path, each in whole.weights.items()}
    whole.folders = [*map(Seen._make, whole.folders)]
    return whole


_PLAIN = tuple((each.name, each.default) for each in fields(Artifact))
_HOLDS: dict[str, type[Evidence | ModelFile]] = {
    "protections": Evidence,
    "evidence": Evidence,
    "models": ModelFile,
}
_PARTS = {name: tuple(each.name for each in fields(kind)) for name, kind in _HOLDS.items()}
_evidence = lru_cache(maxsize=1024)(Evidence)  # most units have the same proof of origin
_NESTED: dict[str, Callable[..., Evidence | ModelFile]] = {
    **_HOLDS,
    "protections": _evidence,
    "evidence": _evidence,
}


def _bare(artifact: Artifact) -> dict[str, Any]:
    """Only what is not as by default; what is nested as lists."""
    values = ((name, getattr(artifact, name), default) for name, default in _PLAIN)
    bare = {name: value for name, value, default in values if value != default}
    for name, parts in _PARTS.items():
        if name in bare:
            bare[name] = [[getattr(each, part) for part in parts] for each in bare[name]]
    return bare


def _dressed(bare: dict[str, Any]) -> Artifact:
    for name, value in bare.items():
        if isinstance(value, list):
            nested = _NESTED.get(name)
            bare[name] = tuple(nested(*each) if nested else _frozen(each) for each in value)
    return Artifact(**bare)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


# ---------------------------------------------------------------- from a tree


def wholes(
    units: Iterable[Unit],
    base: Path,
    sidecars: Callable[[str], bool],
    policies: Sequence[Policy] = (),
) -> Iterator[Whole]:
    """The units of one folder, each outermost one with all that is in it.

    `sidecars` tells which JSON files may name a run, `policies` which metrics matter.
    """
    outermost: dict[str, list[Unit]] = {}
    top_of: dict[str, str] = {}
    for unit in units:
        top_of[unit.path] = unit.path if unit.parent is None else top_of[unit.parent]
        outermost.setdefault(top_of[unit.path], []).append(unit)
    return (_whole(each, base, sidecars, policies) for each in outermost.values())


def between(folder: Folder) -> Whole:
    """What a folder between units contributes besides its files and folders."""
    links = {f"{folder.path}/{name}": to for name, to in folder.links.items()}
    return Whole(folder.path, links=links)


def _whole(
    units: list[Unit], base: Path, sidecars: Callable[[str], bool], policies: Sequence[Policy]
) -> Whole:
    top, whole = units[0], Whole(units[0].path)
    nested = {each.path for each in units[1:]}
    for unit in units:
        found, models = _inside(unit, base, nested)
        own = {} if unit.kind == "milestone" else models
        bare = [
            (unit, _artifact(unit, own, base)),
            *((each, _artifact(each, {}, base)) for each in found),
        ]
        whole.artifacts += [
            measured(artifact, each, units, policies, base) for each, artifact in bare
        ]
        whole.weights |= {path: Weights(at.size, at.dev, at.ino) for path, at in models.items()}
        if unit.kind == "wandb-run" and unit.folder and (run_id := wandb.run_id(unit.folder)):
            whole.run_ids[unit.path] = run_id
    parts = {top.path: top.content, **top.beside}
    whole.shared = [each for path, part in parts.items() for each in shared(part, path)]
    if isinstance(top.content, Folder):
        _note_folders(whole, top.content, sidecars)
    else:
        named = (path for path in parts if path.endswith(".json"))
        whole.sidecars += [path for path in named if sidecars(path)]
    return whole


def _note_folders(whole: Whole, top: Folder, sidecars: Callable[[str], bool]) -> None:
    for folder in top.walk():
        whole.links |= between(folder).links
        named = (f"{folder.path}/{name}" for name in folder.files if name.endswith(".json"))
        whole.sidecars += [path for path in named if sidecars(path)]
        whole.folders.append(Seen(folder.path, folder.entry.ino, folder.entry.ctime))
        whole.newest = max(whole.newest, folder.newest, folder.entry.mtime)
        whole.troubled = whole.troubled or bool(folder.trouble)


def _inside(unit: Unit, base: Path, nested: set[str]) -> tuple[list[Unit], dict[str, Entry]]:
    """The checkpoints of a run, and its best and final models by path.

    A model that lies among models is looked through for all that it is made of.
    """
    found: list[Unit] = []
    models: dict[str, Entry] = {}
    if unit.folder is not None and unit.kind == "mlflow-run":  # is removed whole, or not at all
        apart = checkpoints.find(unit.folder, base, nested)
        models = dict(checkpoints.models(unit.folder, apart, nested))
    elif unit.folder is not None and unit.kind in RUNS_WITH_CHECKPOINTS:
        for run in _jobs(unit.kind, unit.folder):
            here = checkpoints.find(run, base, nested)
            models |= checkpoints.models(run, here, nested)
            for each in here:
                content = each.folder or each.entry
                found.append(Unit("checkpoint", each.path, content, unit.path, run, each))
    elif unit.kind in ("model", "milestone"):
        models = published.files(unit.content, unit.path, nested)
    return found, models


def _jobs(kind: str, folder: Folder) -> list[Folder]:
    """The folders inside which a unit's checkpoints count: a sweep's jobs are runs each."""
    return [*folder.folders.values()] if kind == "hydra-sweep" else [folder]


def _artifact(unit: Unit, models: dict[str, Entry], base: Path) -> Artifact:
    size = size_of(unit.content, unit.beside.values())
    found, run = unit.found, unit.around
    mark = _MARKS.get(unit.kind)
    within = run.path if found and run else ""
    return Artifact(
        path=unit.path,
        kind=unit.kind,
        time=size.time,
        bytes=size.bytes,
        frees=size.frees,
        files=size.files,
        parent=unit.parent,
        within=within,
        protections=(*obstacles(unit.content), *_standing(unit, base)),
        evidence=(Evidence("origin", mark),) if mark else (),
        role=found.role if found else "",
        step=found.step if found else None,
        series=modelnames.series(unit.path.removeprefix(f"{within}/")) if found else "",
        valid=found.valid if found else True,
        models=tuple(ModelFile(path, entry.size) for path, entry in models.items()),
        links=companions(unit),
        incompressible=_incompressible(unit),
    )


def _incompressible(unit: Unit) -> str:
    name = unit.path.rpartition("/")[2]
    return logs.incompressible(name, unit.content, unit.around) if unit.kind == "log" else ""


def _standing(unit: Unit, base: Path) -> Iterator[Evidence]:
    """What its kind alone protects a unit by."""
    if unit.kind in _ALWAYS:
        yield _ALWAYS[unit.kind]
    if unit.kind == "cache" and unit.folder is not None:
        yield from caches.doubts(unit.folder)
        if run := proven_inside(unit.folder, base):
            yield Evidence("run", f"holds a run: {run}")


def companions(unit: Unit) -> tuple[str, ...]:
    """W&B's links beside a run that name it, and go and come with it."""
    if unit.kind != "wandb-run" or unit.folder is None or unit.around is None:
        return ()
    return wandb.companions(unit.around, unit.folder)
