"""Find the units in a tree: which folder is which kind of artifact.

To add a kind, write its recogniser in a file beside this one and add a line to a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from artifact_janitor.core.model import Kind, ancestors
from artifact_janitor.observe import hydra, logs, mlflow, training, wandb
from artifact_janitor.observe.checkpoints import Found
from artifact_janitor.observe.tree import Entry, Folder

Recogniser = Callable[[Folder, Path], bool]
Table = tuple[tuple[Kind, Recogniser], ...]

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

INSIDE: dict[Kind, Table] = {
    "wandb-run": (),
    "hydra-sweep": (("wandb-run", wandb.is_run),),
    "hydra-run": ANYWHERE,
    "training-run": ANYWHERE,
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

    @property
    def folder(self) -> Folder | None:
        return self.content if isinstance(self.content, Folder) else None


def table_of(role: str) -> Table:
    """What may be a unit below a root; `role` is the root's key in ``[folders]``."""
    return {"training": IN_TRAINING, "logs": PROVEN, "proven": PROVEN, "mlruns": IN_MLRUNS}.get(
        role, ANYWHERE
    )


def find(root: Folder, base: Path, role: str) -> list[Unit]:
    """All units below a root that was read in full, each once.

    The root itself is never a unit. What no layout explains is "unknown": the largest
    folders that hold no unit, and the files that lie between units.
    """
    below = (find_in(child, root, base, role) for child in root.folders.values())
    return [*files_of(root, base, role), *chain.from_iterable(below)]


def find_in(child: Folder, around: Folder, base: Path, role: str) -> list[Unit]:
    """The same for one folder in a root, or in a folder that holds units in the end."""
    search = _Search(base, role)
    search.among(child, around)
    return [*search.units, *search.unexplained(child)]


def files_of(folder: Folder, base: Path, role: str) -> Iterator[Unit]:
    """Each file of a root, or between units, is a unit of its own."""
    known = {log.path for log in _logs(folder, base, role)}
    for name, entry in folder.files.items():
        path = f"{folder.path}/{name}"
        yield Unit("log" if path in known else "unknown", path, entry, None, folder)


def _logs(folder: Folder, base: Path, role: str) -> Iterator[Unit]:
    for name, entry in folder.files.items() if role == "logs" else ():
        path = f"{folder.path}/{name}"
        if logs.is_log(name, base / path):
            yield Unit("log", path, entry, None, folder)


class _Search:
    """A walk from the top with its own stack: folders can be nested deeper than calls."""

    def __init__(self, base: Path, role: str) -> None:
        self.base = base
        self.role = role
        self.units: list[Unit] = []
        self.plain: list[Folder] = []

    def among(self, top: Folder, around: Folder) -> None:
        stack: list[tuple[Folder, Folder, Table, str | None]] = []
        stack.append((top, around, table_of(self.role), None))
        while stack:
            folder, above, table, parent = stack.pop()
            kind = next((kind for kind, is_one in table if is_one(folder, self.base)), None)
            if kind is not None:
                self.units.append(Unit(kind, folder.path, folder, parent, above))
                parent, table = folder.path, INSIDE[kind]
            elif parent is None:
                self.plain.append(folder)
                self.units += _logs(folder, self.base, self.role)
            if table:
                stack += [(each, folder, table, parent) for each in folder.folders.values()]

    def unexplained(self, top: Folder) -> Iterator[Unit]:
        """What is neither a unit nor a part of one: folders, and files between units."""
        known = {unit.path for unit in self.units}
        between = {above for path in known for above in ancestors(path)}
        between.add(top.path.rpartition("/")[0])
        for folder in self.plain:
            if folder.path in between:
                for name, entry in folder.files.items():
                    if (path := f"{folder.path}/{name}") not in known:
                        yield Unit("unknown", path, entry, None, folder)
            elif folder.path.rpartition("/")[0] in between and _holds_anything(folder):
                yield Unit("unknown", folder.path, folder)


def _holds_anything(folder: Folder) -> bool:
    return any(each.files or each.others or each.trouble for each in folder.walk())
