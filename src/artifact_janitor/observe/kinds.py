"""Find the units in a tree: which folder is which kind of artifact.

To add a kind, write its recogniser in a file beside this one and add a line to a table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from artifact_janitor.core.model import Kind, ancestors
from artifact_janitor.observe import (
    caches,
    hydra,
    logs,
    mlflow,
    models,
    studies,
    tensorboard,
    training,
    wandb,
)
from artifact_janitor.observe.checkpoints import Found
from artifact_janitor.observe.tree import Entry, Folder

Recogniser = Callable[[Folder, Path], bool]
Table = tuple[tuple[Kind, Recogniser], ...]
FileRecogniser = Callable[[Folder, Path], dict[str, list[str]]]
"""Names the files of a folder that are units, each with those that are a part of it."""

ANYWHERE: Table = (
    ("wandb-run", wandb.is_run),
    ("hydra-sweep", hydra.is_sweep),
    ("hydra-run", hydra.is_run),
)
IN_TRAINING: Table = (
    ("wandb-run", wandb.is_run),
    ("training-run", training.is_run),
    *ANYWHERE[1:],
)
IN_MLRUNS: Table = (("mlflow-run", mlflow.is_run),)
PROVEN: Table = (*ANYWHERE, ("training-run", training.is_proven_run))


def _is_mere_cache(folder: Folder, base: Path) -> bool:
    """Among runs a cache is none where a run lies in it: that is found by itself."""
    return caches.is_named(folder) and not proven_inside(folder, base)


def proven_inside(folder: Folder, base: Path) -> str:
    """The first proven run in this tree, or ""."""
    inside = (each for each in folder.walk() if any(is_one(each, base) for _, is_one in PROVEN))
    return next((each.path for each in inside), "")


LEFT: Table = (("cache", _is_mere_cache), ("log", tensorboard.is_log))
"""What may lie among runs where no run claims it."""
FOLDERS: dict[str, Table] = {
    "training": (*IN_TRAINING, *LEFT),
    "outputs": (*ANYWHERE, *LEFT),
    "multirun": (*ANYWHERE, *LEFT),
    "wandb": (*ANYWHERE, *LEFT),
    "logs": (*PROVEN, *LEFT),
    "models": (("model", models.is_one),),
    "mlruns": IN_MLRUNS,
    "hpo_studies": (),
    "best_models": (("milestone", models.is_milestone),),
    "proven": PROVEN,
    "caches": (("cache", lambda folder, _: caches.is_named(folder)),),
}
"""What may be a unit below a root, by the root's key in ``[folders]``; the last two are for
folders that are none."""
FILES: dict[str, tuple[Kind, FileRecogniser]] = {
    "logs": ("log", logs.among),
    "models": ("model", models.among),
    "hpo_studies": ("study", studies.among),
    "best_models": ("milestone", models.milestones),
}
"""Which files may be units, in a root and between its units."""
FILES_AT_TOP: dict[str, tuple[Kind, FileRecogniser]] = {
    **FILES,
    "wandb": ("log", logs.left_by_wandb),
}
"""The same for the root itself."""

INSIDE: dict[Kind, Table] = {
    "wandb-run": (),
    "hydra-sweep": (("wandb-run", wandb.is_run),),
    "hydra-run": ANYWHERE,
    "training-run": ANYWHERE,
    "model": (("wandb-run", wandb.is_run),),
    "milestone": (),
    "cache": (),
    "log": (),
    "mlflow-run": (("wandb-run", wandb.is_run),),
}
"""What may be a unit inside a unit. A W&B run is one whole, and so are a sweep's jobs."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A recognised unit: a folder with its tree, or a single file."""

    kind: Kind
    path: str
    content: Folder | Entry
    parent: str | None = None
    around: Folder | None = None
    """The folder that it lies in; of a checkpoint, its run."""
    found: Found | None = None
    """What a checkpoint's name and state tell."""
    beside: dict[str, Entry] = field(default_factory=dict)
    """Files, by path, that are a part of a unit that is a single file otherwise."""

    @property
    def folder(self) -> Folder | None:
        return self.content if isinstance(self.content, Folder) else None


def find(root: Folder, base: Path, role: str) -> list[Unit]:
    """All units below a root that was read in full, each once.

    The root itself is never a unit. What no layout explains is "unknown": the largest
    folders that hold no unit, and the files that lie between units.
    """
    below = (find_in(child, root, base, role) for child in root.folders.values())
    return [*files_of(root, base, role, at_top=True), *chain.from_iterable(below)]


def find_in(child: Folder, around: Folder, base: Path, role: str) -> list[Unit]:
    """The same for one folder in a root, or in a folder that holds units in the end."""
    search = _Search(base, role)
    search.among(child, around)
    return [*search.units, *search.unexplained(child)]


def files_of(folder: Folder, base: Path, role: str, *, at_top: bool) -> Iterator[Unit]:
    """Each file of a root (`at_top`), or between units, is a unit of its own or part of one."""
    tables = FILES_AT_TOP if at_top else FILES
    units = [*_recognised(folder, base, tables.get(role))] if folder.files else []
    yield from units
    yield from _unknown_files(folder, _paths(units))


def _recognised(
    folder: Folder, base: Path, row: tuple[Kind, FileRecogniser] | None
) -> Iterator[Unit]:
    kind, among = row or ("unknown", lambda *_: {})
    for name, parts in among(folder, base).items():
        beside = {f"{folder.path}/{part}": folder.files[part] for part in parts}
        path, entry = f"{folder.path}/{name}", folder.files[name]
        yield Unit(kind, path, entry, None, folder, beside=beside)


def _unknown_files(folder: Folder, known: Collection[str]) -> Iterator[Unit]:
    for name, entry in folder.files.items():
        if (path := f"{folder.path}/{name}") not in known:
            yield Unit("unknown", path, entry, None, folder)


def _paths(units: Iterable[Unit]) -> set[str]:
    """Of the units, and of all files that are a part of one."""
    return {path for unit in units for path in (unit.path, *unit.beside)}


class _Search:
    """A walk from the top with its own stack: folders can be nested deeper than calls."""

    def __init__(self, base: Path, role: str) -> None:
        self.base = base
        self.role = role
        self.units: list[Unit] = []
        self.plain: list[Folder] = []

    def among(self, top: Folder, around: Folder) -> None:
        stack: list[tuple[Folder, Folder, Table, str | None]] = []
        stack.append((top, around, FOLDERS.get(self.role, ()), None))
        while stack:
            folder, above, table, parent = stack.pop()
            kind = next((kind for kind, is_one in table if is_one(folder, self.base)), None)
            if kind is not None:
                self.units.append(Unit(kind, folder.path, folder, parent, above))
                parent, table = folder.path, INSIDE[kind]
            elif parent is None:
                self.plain.append(folder)
                self.units += _recognised(folder, self.base, FILES.get(self.role))
            if table:
                stack += [(each, folder, table, parent) for each in folder.folders.values()]

    def unexplained(self, top: Folder) -> Iterator[Unit]:
        """What is neither a unit nor a part of one: folders, and files between units."""
        known = _paths(self.units)
        between = {above for path in known for above in ancestors(path)}
        between.add(top.path.rpartition("/")[0])
        for folder in self.plain:
            if folder.path in between:
                yield from _unknown_files(folder, known)
            elif folder.path.rpartition("/")[0] in between and _holds_anything(folder):
                yield Unit("unknown", folder.path, folder)


def _holds_anything(folder: Folder) -> bool:
    return any(each.files or each.others or each.trouble for each in folder.walk())
