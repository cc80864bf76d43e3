"""Find the units in a tree: which folder is which kind of artifact.

To add a kind, write its recogniser in a file beside this one and add a line to a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from artifact_janitor.core.model import Kind
from artifact_janitor.observe import hydra, logs, training, wandb
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
PROVEN: Table = (*ANYWHERE, ("training-run", training.is_proven_run))

INSIDE: dict[Kind, Table] = {
    "wandb-run": (),
    "hydra-sweep": (("wandb-run", wandb.is_run),),
    "hydra-run": ANYWHERE,
    "training-run": ANYWHERE,
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


def find(root: Folder, base: Path, role: str) -> list[Unit]:
    """All units below a root, each once; `role` is the root's key in ``[folders]``.

    The root itself is never a unit. What no layout explains is "unknown": the largest
    folders that hold no unit, and the files that lie between units.
    """
    search = _Search(root, base, files_are_logs=role == "logs")
    table = {"training": IN_TRAINING, "logs": PROVEN, "proven": PROVEN}.get(role, ANYWHERE)
    search.among(root, table)
    return [*search.units, *search.unexplained()]


class _Search:
    """A walk from the top with its own stack: folders can be nested deeper than calls."""

    def __init__(self, root: Folder, base: Path, *, files_are_logs: bool) -> None:
        self.root = root
        self.base = base
        self.files_are_logs = files_are_logs
        self.units: list[Unit] = []
        self.plain: list[Folder] = []

    def among(self, root: Folder, table: Table) -> None:
        stack: list[tuple[Folder, Table, str | None]] = [(root, table, None)]
        while stack:
            folder, table, parent = stack.pop()
            if parent is None:
                self.plain.append(folder)
                self.units += self._log_files(folder)
            for child in folder.folders.values():
                kind = next((kind for kind, is_one in table if is_one(child, self.base)), None)
                if kind is None:
                    stack.append((child, table, parent))
                else:
                    self.units.append(Unit(kind, child.path, child, parent, folder))
                    stack.append((child, INSIDE[kind], child.path))

    def _log_files(self, folder: Folder) -> Iterator[Unit]:
        for name, entry in folder.files.items() if self.files_are_logs else ():
            path = f"{folder.path}/{name}"
            if logs.is_log(name, self.base / path):
                yield Unit("log", path, entry, None, folder)

    def unexplained(self) -> Iterator[Unit]:
        """What lies below the root and is neither a unit nor a part of one."""
        known = {unit.path for unit in self.units}
        around = {self.root.path} | {above for path in known for above in ancestors(path)}
        for folder in self.plain:
            if folder.path in around:
                for name, entry in folder.files.items():
                    if (path := f"{folder.path}/{name}") not in known:
                        yield Unit("unknown", path, entry, None, folder)
            elif folder.path.rpartition("/")[0] in around and _holds_anything(folder):
                yield Unit("unknown", folder.path, folder)


def ancestors(path: str) -> Iterator[str]:
    """The folders above a path, innermost first."""
    while path := path.rpartition("/")[0]:
        yield path


def _holds_anything(folder: Folder) -> bool:
    return any(each.files or each.others or each.trouble for each in folder.walk())
