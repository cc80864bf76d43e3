"""Observe a workspace: all units under its roots with the facts that cost little.

What costs more (open files, logs of uploads, hashes) is asked only about units that
would go: they are read once more, in full, by `opened`; see `examine`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from artifact_janitor.config import Settings
from artifact_janitor.core.model import (
    Artifact,
    Catalogue,
    Evidence,
    Kind,
    ModelFile,
    Refusal,
    Stored,
    ancestors,
    is_within,
)
from artifact_janitor.mounts import mount_points
from artifact_janitor.observe import git, hydra, mlflow, tree, wandb, workers
from artifact_janitor.observe.measure import HardLinks, mounted, mounts_below
from artifact_janitor.observe.references import (
    CONFIGS,
    Index,
    References,
    elsewhere,
    references,
)
from artifact_janitor.observe.remembered import Memory
from artifact_janitor.observe.roots import RootReader, outside, readers, sidecar_folders
from artifact_janitor.observe.tree import Entry, Folder
from artifact_janitor.observe.whole import Weights, Whole, as_text, from_text


@dataclass(frozen=True, slots=True)
class Survey:
    """The catalogue, and where its units are."""

    base: Path
    catalogue: Catalogue
    weights: dict[str, Weights]
    """Best, final and published models and milestones, which may be copies of each other."""
    wholes: dict[str, Whole]
    """The outermost units as they were read, by path."""
    contents: dict[str, Folder | Entry]
    """The trees behind those units that were opened, by path of the unit."""


def survey(settings: Settings, journalled: Catalogue, memory: Memory) -> Survey:
    """Look at all roots. `journalled` carries what the journal knows: pins, trash, shares;
    `memory` what an earlier look saw, and it learns what this one sees."""
    look = _Look(settings, memory)
    found = [*look.wholes()]
    judged = mlflow.told(look.artifacts(found), look.base, look.folders)
    artifacts = sorted(judged, key=lambda each: each.path)
    weights = {path: each for whole in found for path, each in whole.weights.items()}
    published = {path: each for whole in found for path, each in _published(whole)}
    catalogue = replace(
        journalled,
        artifacts=tuple(artifacts),
        archives=look.archives(journalled.archives),
        published=tuple(ModelFile(path, each.size) for path, each in published.items()),
        refusals=(*journalled.refusals, *look.refusals),
    )
    named = {whole.path: whole for whole in found if whole.artifacts}
    return Survey(look.base, catalogue, weights, named, {})


def _published(whole: Whole) -> Iterator[tuple[str, Weights]]:
    """The model files of a milestone, which no policy takes."""
    if whole.artifacts and whole.artifacts[0].kind == "milestone":
        yield from whole.weights.items()


@dataclass(frozen=True, slots=True)
class _Part:
    """A folder that is still to be read, and the one around it, which is listed."""

    ground: RootReader
    child: Folder
    around: Folder

    def lines(self) -> Iterator[str]:
        return map(as_text, self.ground.below(self.child, self.around))


class _Look:
    """One look at a workspace."""

    def __init__(self, settings: Settings, memory: Memory) -> None:
        self.base = settings.workspace
        self.settings = settings
        self.memory = memory
        self.folders = settings.folders
        self.roots = settings.folders.roots
        self.names = elsewhere(
            self.base, self.roots, self.folders.others, sidecar_folders(self.folders)
        )
        self.refusals: list[Refusal] = []
        self.tracked: list[str] = []
        self.parts: list[_Part] = []

    def wholes(self) -> Iterator[Whole]:
        """What is remembered and has not changed, and what is read."""
        top = tree.read(self.base, ".", skip=lambda each: each != "./.hydra")
        self.refusals += _misplaced(self.base, top)
        for ground in readers(self.settings):
            if (self.base / ground.root).is_dir():
                yield from self._under(ground)
        yield from self._caches()
        for line in workers.spread(_Part.lines, self.parts):
            whole = from_text(line)
            self.memory.learn(whole, line)
            yield whole

    def _under(self, ground: RootReader) -> Iterator[Whole]:
        """The root and the folders between its units are listed; the rest is left to do."""
        try:
            root = ground.listing(ground.root)
        except OSError as error:
            why = f"{ground.root} can't be read: {error.strerror}"
            self.refusals.append(Refusal("unreadable", why, path=ground.root))
            return
        self.refusals += _misplaced(self.base, ground.marks(root))
        stack = [root]
        while stack:
            folder = stack.pop()
            yield from ground.beside(folder)
            for child in folder.folders.values():
                if whole := self.memory.recall(child, self.base):
                    yield _accompanied(whole, child, folder)
                elif (inner := self._listed(ground, child)) is not None:
                    stack.append(inner)
                else:
                    self.parts.append(_Part(ground, child, folder))

    def _caches(self) -> Iterator[Whole]:
        """Those outside the roots."""
        ground = outside(self.settings)
        for path in self.names.caches:
            with suppress(OSError):  # it went while we looked
                child = tree.unread(self.base, path)
                if whole := self.memory.recall(child, self.base):
                    yield whole
                elif stat.S_ISDIR(child.entry.mode):
                    self.parts.append(_Part(ground, child, child))

    def _listed(self, ground: RootReader, child: Folder) -> Folder | None:
        """A folder with units in it that are remembered, to be looked through one by one."""
        if child.trouble or not self.memory.has_below(child.path):
            return None
        try:
            return ground.listing(child.path)
        except OSError:
            return None  # whoever reads it will say why it can't be read

    def artifacts(self, found: list[Whole]) -> Iterator[Artifact]:
        """With all that only the whole picture tells: hard links, mounts, references."""
        links = HardLinks(chain.from_iterable(whole.shared for whole in found))
        points = mount_points()
        mounts = [mounts_below(self.base, root, points) for root in ("", *self.roots)]
        mounts_everywhere = {place: at for each in mounts for place, at in each.items()}
        named = self._references(found)
        for artifact in chain.from_iterable(whole.artifacts for whole in found):
            path = artifact.path
            on_top = tuple(mounted(path, mounts_everywhere)) if mounts_everywhere else ()
            if on_top or path in named or path in links.counted:
                artifact = replace(
                    artifact,
                    bytes=artifact.bytes + links.counted[path],
                    protections=(*on_top, *artifact.protections, *named.get(path, ())),
                )
            yield artifact

    def _references(self, found: list[Whole]) -> References:
        names = self.names
        run_ids: dict[str, str] = {}
        for whole in found:
            names.links |= whole.links
            names.sidecars += whole.sidecars
            run_ids |= whole.run_ids
        artifacts = [*chain.from_iterable(whole.artifacts for whole in found)]
        for artifact in artifacts:
            for link in artifact.links:
                names.links.pop(link, None)
        index = Index(self.base, self.roots, artifacts, run_ids)
        self.tracked = self._tracked(found, index)
        return references(index, names, self.tracked)

    def archives(self, archives: tuple[Stored, ...]) -> tuple[Stored, ...]:
        """With what still names the places that their units had; after `artifacts`."""
        read = [each for each in archives if each.is_read]
        units = {path: kind for each in read for path, kind in _places(each)}
        gone = [Artifact(path, kind, 0) for path, kind in units.items()]
        run_ids = dict(chain.from_iterable(each.run_ids for each in read))
        index = Index(self.base, self.roots, gone, run_ids)
        named = references(index, self.names, self.tracked) if read else {}
        return tuple(_named(each, named) for each in archives)

    def _tracked(self, found: Iterable[Whole], index: Index) -> list[str]:
        """What the workspace's repository tracks, and those in folders around units; of what
        is outside the workspace the configs that name one of its roots.

        Within an outermost unit only one that was seen to hold a repository is looked into.
        """
        around: set[str] = set()
        for whole in found:
            around.update(ancestors(whole.path))
            for each in whole.artifacts[1:] if _holds_git(whole) else ():
                around.update(ancestors(each.path))
        nested = sorted(each for each in around if os.path.lexists(f"{self.base}/{each}/.git"))
        try:
            tracked = git.tracked(self.base)
            for folder in nested:
                tracked += [f"{folder}/{name}" for name in git.tracked(self.base / folder)]
            tracked += git.naming(self.base, index.from_outside, CONFIGS)
            return [*dict.fromkeys(tracked)]
        except git.GitUnknown as error:
            why = f"nobody can tell what Git tracks here: {error}"
            self.refusals.append(Refusal("git", why, "mend Git, then run again"))
            return []


def _places(stored: Stored) -> Iterator[tuple[str, Kind]]:
    """The unit that is in an archive, and the W&B runs in that."""
    yield from ((path, "wandb-run") for path in stored.uploads)
    yield stored.unit, stored.archive.kind


def _named(stored: Stored, named: References) -> Stored:
    """An archive, kept by what names its unit, or a run in that."""
    found = [named.get(path, ()) for path, _ in _places(stored)]
    protections = (*stored.archive.protections, *dict.fromkeys(chain.from_iterable(found)))
    return replace(stored, archive=replace(stored.archive, protections=protections))


def _holds_git(whole: Whole) -> bool:
    return any(each.fact == "git" for top in whole.artifacts[:1] for each in top.protections)


def _misplaced(base: Path, folder: Folder) -> Iterator[Refusal]:
    """Hydra with ``hydra.run.dir=.`` marks a folder that holds far more than a run."""
    if hydra.is_run(folder, base) or hydra.is_sweep(folder, base):
        what = "the project's own folder" if folder.path == "." else folder.path
        why = f"{what} bears the marks of a Hydra run, but holds far more: it is no unit"
        yield Refusal("misplaced", why, path=folder.path)


def _accompanied(whole: Whole, child: Folder, around: Folder) -> Whole:
    """With the links beside it as they are now: they lie outside, and may name another."""
    top = whole.artifacts[0]
    if top.kind == "wandb-run":
        whole.artifacts[0] = replace(top, links=wandb.companions(around, child))
    return whole


# ---------------------------------------------------------------- units that would go


def opened(seen: Survey, settings: Settings, paths: Iterable[str]) -> Survey:
    """Read the units at `paths` once more, in full, with those around and inside them;
    what was opened before stays open.

    What is not as it was a moment ago is being worked on, and stays.
    """
    by_path = seen.catalogue.by_path
    asked = [path for path in paths if path in by_path]
    tops = {path: [*seen.catalogue.up_from(by_path[path])][-1] for path in asked}
    opening = _Opening(seen, [*readers(settings), outside(settings)])
    with workers.uncollected():
        trees = {top: opening.content(top) for top in {*tops.values()}}
    contents = {path: _at(trees[top], top, path) for path, top in tops.items()}
    found = {path: content for path, content in contents.items() if content is not None}
    changed = Evidence("live", "live: it changed while we looked at it")
    artifacts = tuple(
        replace(each, protections=(*each.protections, changed))
        if each.path in contents and each.path not in found
        else each
        for each in seen.catalogue.artifacts
    )
    return replace(
        seen, catalogue=replace(seen.catalogue, artifacts=artifacts), contents=seen.contents | found
    )


class _Opening:
    """Finds the tree of an outermost unit again."""

    def __init__(self, seen: Survey, grounds: list[RootReader]) -> None:
        self.seen = seen
        self.grounds = grounds
        self.listings: dict[str, Folder] = {}
        self.files: dict[str, dict[str, Whole]] = {}

    def content(self, top: str) -> Folder | Entry | None:
        """What is at the unit's path; None where that is not as it was."""
        above, _, name = top.rpartition("/")
        inner_first = sorted(self.grounds, key=lambda each: len(each.root), reverse=True)
        ground = next(each for each in inner_first if is_within(top, each.root))
        try:
            around = self._listing(ground, above) if ground.root else self._alone(top)
        except OSError:
            return None
        if (child := around.folders.get(name)) is not None:
            now = {each.path: each for each in ground.below(child, around)}
        else:
            now = self.files[above]
        same = top in now and as_text(now[top]) == as_text(self.seen.wholes[top])
        return (child or around.files.get(name)) if same else None

    def _alone(self, top: str) -> Folder:
        """The folder around a cache, as far as the cache goes."""
        child = tree.unread(self.seen.base, top)
        above, _, name = top.rpartition("/")
        return Folder(above, child.entry, {name: child})

    def _listing(self, ground: RootReader, path: str) -> Folder:
        if path not in self.listings:
            folder = ground.listing(path)
            self.files[path] = {each.path: each for each in ground.beside(folder)}
            self.listings[path] = folder
        return self.listings[path]


def _at(content: Folder | Entry | None, top: str, path: str) -> Folder | Entry | None:
    """What is at a path in a tree."""
    for name in path[len(top) + 1 :].split("/") if path != top else ():
        if not isinstance(content, Folder):
            return None
        content = content.folders.get(name) or content.files.get(name)
    return content
