"""Ask what costs more about the units that would go: life, upload, copies, content.

Every answer can only protect (S7): a unit that nobody asked about never goes.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from artifact_janitor.core.model import Artifact, Evidence, ModelFile
from artifact_janitor.journal.purges import looks
from artifact_janitor.observe import liveness, wandb
from artifact_janitor.observe.liveness import Moment
from artifact_janitor.observe.survey import Survey
from artifact_janitor.observe.tree import Entry, Folder, file_fingerprint, fingerprint
from artifact_janitor.observe.whole import Weights
from artifact_janitor.regular import open_regular

Inode = tuple[int, int]
Tick = Callable[[Artifact], None]


def examine(
    survey: Survey, candidates: Iterable[str], moment: Moment, tick: Tick = lambda _: None
) -> Survey:
    """The survey with all that must be known before the `candidates` (paths) may go.

    What was learnt of others before stays known. They were opened before; what could not be
    opened is not asked about, and is protected already. `tick` is called with each unit once
    it has been asked about.
    """
    asked = survey.contents.keys() & set(candidates)
    if not asked:
        return survey
    digests = _digests(survey, asked)
    artifacts = []
    for artifact in survey.catalogue.artifacts:
        if artifact.path in asked:
            artifact = _examined(artifact, survey.contents[artifact.path], moment)
            tick(artifact)
        artifacts.append(replace(artifact, models=_known(artifact.models, digests)))
    published = _known(survey.catalogue.published, digests)
    catalogue = replace(survey.catalogue, artifacts=tuple(artifacts), published=published)
    return replace(survey, catalogue=catalogue)


def compared(survey: Survey) -> Survey:
    """The survey with the digests of all models that may equal one in an archive, or in a unit
    in the trash."""
    archives, trash = survey.catalogue.archives, survey.catalogue.trash
    sizes = {file.bytes for each in archives for file in each.archive.models}
    sizes |= {file.bytes for each in trash for file in each.models}
    if not sizes:
        return survey
    hashed = _Hashes(survey.base)
    found = {path: each for path, each in survey.weights.items() if each.size in sizes}
    digests = {path: hashed.of(path, each) for path, each in found.items()}
    catalogue = survey.catalogue
    artifacts = tuple(
        replace(each, models=_known(each.models, digests)) for each in catalogue.artifacts
    )
    published = _known(catalogue.published, digests)
    return replace(survey, catalogue=replace(catalogue, artifacts=artifacts, published=published))


def _known(files: Iterable[ModelFile], digests: dict[str, str]) -> tuple[ModelFile, ...]:
    return tuple(replace(each, digest=digests.get(each.path, each.digest)) for each in files)


def _examined(artifact: Artifact, content: Folder | Entry, moment: Moment) -> Artifact:
    found = [*_against(artifact, content, moment)]
    against = tuple(each for each in found if each.fact in ("live", "unsynced"))
    in_favour = tuple(each for each in found if each not in against)
    return replace(
        artifact,
        fingerprint=fingerprint_of(content),
        protections=artifact.protections + against,
        evidence=artifact.evidence + in_favour,
    )


def _against(artifact: Artifact, content: Folder | Entry, moment: Moment) -> Iterator[Evidence]:
    alive = liveness.live(content, artifact.path, moment)
    yield alive or liveness.quiet(content, moment)
    if artifact.kind == "wandb-run" and isinstance(content, Folder):
        yield wandb.upload(content, moment.base)


def fingerprint_of(content: Folder | Entry, *, inodes: bool = True) -> str:
    """What was seen of a unit, folder or file (S11)."""
    if isinstance(content, Folder):
        return fingerprint(content, inodes=inodes)
    return file_fingerprint(content, inodes=inodes)


def in_trash(content: Folder | Entry, mine: str = "", models: Iterable[ModelFile] = ()) -> str:
    """How a unit must look in the trash to be purged: its fingerprint, `mine` where that is known,
    and that of a copy of it, for a workspace that was copied to another disk; and its models."""
    return looks(mine or fingerprint_of(content), _of_copy(content), models)


def _of_copy(content: Folder | Entry) -> str:
    """8 bytes of it are enough to know a copy again: nobody guesses them by chance."""
    return fingerprint_of(content, inodes=False)[:16]


def is_as_it_went(content: Folder | Entry, looked: str, ino: int) -> bool:
    """Whether what lies in the trash is what went there, or a faithful copy of all of it; `ino`
    was the unit's own inode. Steps of earlier versions tell nothing of copies."""
    mine, copied = (*looked.split(" "), "")[:2]
    if fingerprint_of(content) == mine:
        return True
    own = content.entry if isinstance(content, Folder) else content
    is_copy = own.ino != ino and bool(copied)
    return is_copy and _of_copy(content) == copied


def _digests(survey: Survey, asked: set[str]) -> dict[str, str]:
    """Digests of the model files in the units that would go, and of what may equal them.

    Only files of one size can be equal, so only those are read, and all of them at once.
    """
    units = (each for each in survey.catalogue.artifacts if each.path in asked)
    going = [file.path for each in units for file in each.models if file.digest is None]
    sizes = {survey.weights[path].size for path in going}
    groups: defaultdict[int, list[str]] = defaultdict(list)
    for path, file in survey.weights.items():
        if file.size in sizes:
            groups[file.size].append(path)
    hashed = _Hashes(survey.base)
    return {
        path: hashed.of(path, survey.weights[path]) if len(group) > 1 else ""
        for group in groups.values()
        for path in group
    }


class _Hashes:
    """SHA-256 of model files, each inode read once."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.known: dict[Inode, str] = {}

    def of(self, path: str, file: Weights) -> str:
        inode = (file.dev, file.ino)
        if inode not in self.known:
            self.known[inode] = self._read(path)
        return self.known[inode]

    def _read(self, path: str) -> str:
        """ "" where it can't be read: then it is no copy of anything."""
        try:
            with os.fdopen(open_regular(self.base / path), "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""
