"""Observe a workspace: all units under its roots with the facts that cost little.

What costs more (open files, logs of uploads, hashes) is asked only about units that
would go; see `examine`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from artifact_janitor.config import Settings
from artifact_janitor.core.model import Artifact, Catalogue, Evidence, ModelFile, Refusal
from artifact_janitor.observe import checkpoints, git, hydra, kinds, tree, wandb
from artifact_janitor.observe.kinds import Unit
from artifact_janitor.observe.measure import HardLinks, obstacles, size_of
from artifact_janitor.observe.mounts import mount_points
from artifact_janitor.observe.references import (
    Index,
    Names,
    References,
    elsewhere,
    is_sidecar,
    references,
)
from artifact_janitor.observe.tree import Entry, Folder

RUNS_WITH_CHECKPOINTS = ("hydra-run", "hydra-sweep", "training-run")


@dataclass(frozen=True, slots=True)
class Survey:
    """The catalogue, and the trees behind it, by path of the unit."""

    base: Path
    catalogue: Catalogue
    contents: dict[str, Folder | Entry]
    model_files: dict[str, Entry]
    """Best, final and published models, which may be copies of each other."""


def survey(settings: Settings, journalled: Catalogue) -> Survey:
    """Look at all roots. `journalled` carries what the journal knows: pins, trash, shares."""
    look = _Look(settings)
    units = [*look.units()]
    found = look.artifacts(units)
    catalogue = replace(
        journalled,
        artifacts=tuple(sorted(found, key=lambda each: each.path)),
        published=tuple(ModelFile(path, entry.size) for path, entry in look.published()),
        refusals=(*journalled.refusals, *look.refusals),
    )
    contents = {unit.path: unit.content for unit in units}
    return Survey(look.base, catalogue, contents, look.model_files)


class _Look:
    """One look at a workspace: the trees that were read, and what they gave."""

    def __init__(self, settings: Settings) -> None:
        self.base = settings.workspace
        self.folders = settings.folders
        self.mounts = mount_points()
        self.model_files: dict[str, Entry] = {}
        self.models: defaultdict[str, list[ModelFile]] = defaultdict(list)
        self.refusals: list[Refusal] = []
        self.roots = settings.folders.roots
        self.trees = [*self._read_roots()]
        top = tree.read(self.base, ".", skip=lambda each: each != "./.hydra")
        self.refusals += _misplaced(self.base, [top, *self.trees])

    def _read_roots(self) -> Iterator[Folder]:
        for path in self.roots:
            if (self.base / path).is_dir():
                try:
                    yield tree.read(self.base, path, skip=lambda each: each in self.roots)
                except OSError as error:
                    why = f"{path} can't be read: {error.strerror}"
                    self.refusals.append(Refusal("unreadable", why, path=path))

    def units(self) -> Iterator[Unit]:
        for root in self.trees:
            found = kinds.find(root, self.base, self.roots[root.path])
            yield from found
            yield from self._checkpoints(found)

    def _checkpoints(self, units: list[Unit]) -> Iterator[Unit]:
        nested = {unit.path for unit in units if unit.parent is not None}
        for unit in units:
            if unit.folder is not None and unit.kind in RUNS_WITH_CHECKPOINTS:
                for run in _jobs(unit):
                    yield from self._checkpoints_of(run, unit, nested)

    def _checkpoints_of(self, run: Folder, unit: Unit, nested: set[str]) -> Iterator[Unit]:
        found = checkpoints.find(run, self.base, nested)
        for path, entry in checkpoints.models(run, found, nested):
            self.model_files[path] = entry
            self.models[unit.path].append(ModelFile(path, entry.size))
        for each in found:
            yield Unit("checkpoint", each.path, each.folder or each.entry, unit.path, run, each)

    def artifacts(self, units: list[Unit]) -> Iterator[Artifact]:
        links = HardLinks(self.trees)
        named = self._references(units)
        for unit in units:
            yield self._artifact(unit, links, named.get(unit.path, []))

    def _artifact(self, unit: Unit, links: HardLinks, named: list[Evidence]) -> Artifact:
        size = size_of(unit.content, unit.path, links)
        obstructed = obstacles(unit.content, self.base, self.mounts)
        artifact = Artifact(
            path=unit.path,
            kind=unit.kind,
            time=size.time,
            bytes=size.bytes,
            frees=size.frees,
            files=size.files,
            parent=unit.parent,
            protections=(*obstructed, *named),
            evidence=_origin(unit),
            models=tuple(self.models[unit.path]),
            links=_companions(unit),
        )
        return _as_checkpoint(artifact, unit)

    def published(self) -> Iterator[tuple[str, Entry]]:
        """Model files that no policy takes from."""
        for path in (*self.folders.models, *self.folders.best_models):
            if (self.base / path).is_dir():
                for name, entry in tree.read(self.base, path).all_files():
                    self.model_files[name] = entry
                    yield name, entry

    def _references(self, units: list[Unit]) -> References:
        sidecars = (*self.folders.models, *self.folders.best_models)
        names = elsewhere(self.base, self.roots, sidecars)
        self._names_in_roots(names, sidecars)
        for unit in units:
            for link in _companions(unit):
                names.links.pop(link, None)
        return references(Index(self.base, self.roots, units), names, self._tracked())

    def _names_in_roots(self, names: Names, sidecars: Iterable[str]) -> None:
        for root in self.trees:
            for folder in root.walk():
                names.links |= {f"{folder.path}/{name}": to for name, to in folder.links.items()}
                paths = (f"{folder.path}/{name}" for name in folder.files)
                names.sidecars += [path for path in paths if is_sidecar(path, sidecars)]

    def _tracked(self) -> list[str]:
        try:
            return git.tracked(self.base)
        except git.GitUnknown as error:
            why = f"nobody can tell what Git tracks here: {error}"
            self.refusals.append(Refusal("git", why, "mend Git, then run again"))
            return []


def _jobs(unit: Unit) -> list[Folder]:
    """The folders inside which a unit's checkpoints count: a sweep's jobs are runs each."""
    if unit.folder is None:
        return []
    return [*unit.folder.folders.values()] if unit.kind == "hydra-sweep" else [unit.folder]


def _misplaced(base: Path, folders: Iterable[Folder]) -> Iterator[Refusal]:
    """Hydra with ``hydra.run.dir=.`` marks a folder that holds far more than a run."""
    for folder in folders:
        if hydra.is_run(folder, base) or hydra.is_sweep(folder, base):
            what = "the project's own folder" if folder.path == "." else folder.path
            why = f"{what} bears the marks of a Hydra run, but holds far more: it is no unit"
            yield Refusal("misplaced", why, path=folder.path)


def _origin(unit: Unit) -> tuple[Evidence, ...]:
    marks = {
        "hydra-run": ".hydra/hydra.yaml",
        "hydra-sweep": "multirun.yaml",
        "wandb-run": "a W&B transaction log",
        "training-run": "its checkpoints",
        "checkpoint": "its name",
        "log": "its name and text",
    }
    mark = marks.get(unit.kind)
    return (Evidence("origin", mark),) if mark else ()


def _as_checkpoint(artifact: Artifact, unit: Unit) -> Artifact:
    found, run = unit.found, unit.around
    if found is None or run is None:
        return artifact
    return replace(
        artifact, within=run.path, role=found.role, step=found.step, valid=found.valid
    )


def _companions(unit: Unit) -> tuple[str, ...]:
    if unit.kind != "wandb-run" or unit.folder is None or unit.around is None:
        return ()
    return wandb.companions(unit.around, unit.folder)
