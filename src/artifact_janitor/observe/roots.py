"""How the roots are read: folder by folder, down to the units in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from artifact_janitor.config import Folders, Settings
from artifact_janitor.core.policy import Policy
from artifact_janitor.observe import kinds, tree
from artifact_janitor.observe.kinds import Unit
from artifact_janitor.observe.references import is_sidecar
from artifact_janitor.observe.tree import Folder
from artifact_janitor.observe.whole import Whole, between, wholes


@dataclass(frozen=True, slots=True)
class RootReader:
    """How one root is read."""

    base: Path
    root: str
    role: str
    roots: Iterable[str]
    sidecars: Callable[[str], bool]
    policies: tuple[Policy, ...]
    """Which metrics matter."""

    def skip(self, path: str) -> bool:
        return path in self.roots

    def listing(self, path: str) -> Folder:
        return tree.listing(self.base, self.root, path, self.skip)

    def marks(self, folder: Folder) -> Folder:
        """The root with what may mark it as a run, which a listing doesn't tell."""
        if ".hydra" not in folder.folders:
            return folder
        return tree.read(self.base, self.root, skip=lambda each: each != f"{self.root}/.hydra")

    def beside(self, folder: Folder) -> Iterator[Whole]:
        """What a listed folder between units holds besides folders."""
        yield between(folder)
        at_top = folder.path == self.root
        units = kinds.files_of(folder, self.base, self.role, at_top=at_top)
        yield from wholes(units, self.base, self.sidecars, self.policies)

    def below(self, child: Folder, around: Folder) -> Iterator[Whole]:
        """All wholes in a folder that is read in full."""
        tree.fill(self.base, self.root, child, self.skip)
        units = kinds.find_in(child, around, self.base, self.role)
        yield from wholes(units, self.base, self.sidecars, self.policies)
        yield from map(between, _outer_folders(child, units))


def _outer_folders(top: Folder, units: Iterable[Unit]) -> Iterator[Folder]:
    """The folders that are neither a unit nor in one, as far as links lie in them."""
    known, stack = {unit.path for unit in units}, [top]
    while stack:
        folder = stack.pop()
        if folder.path not in known:
            stack += folder.folders.values()
            if folder.links:
                yield folder


def readers(settings: Settings) -> list[RootReader]:
    return [_reader(settings, *each) for each in settings.folders.roots.items()]


def outside(settings: Settings) -> RootReader:
    """The workspace itself, in which nothing but caches is looked for."""
    return _reader(settings, "", "caches")


def _reader(settings: Settings, root: str, role: str) -> RootReader:
    is_one = partial(is_sidecar, sidecar_folders=sidecar_folders(settings.folders))
    folders, base = settings.folders, settings.workspace
    return RootReader(base, root, role, folders.roots, is_one, settings.policies)


def sidecar_folders(folders: Folders) -> tuple[str, ...]:
    return (*folders.models, *folders.best_models)
