"""What the manifest of an archive tells, once it was found to be the one of the index (S11)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from artifact_janitor.apply.archive.manifest import FILE, LINK, Head, Manifest, Member
from artifact_janitor.apply.archive.store import Store
from artifact_janitor.errors import ArchiveError

_WANDB_LOG = re.compile(r"(.*)/run-([^/]+)\.wandb", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Contents:
    """The first line of the manifest, what the members say, and the digest of all of it."""

    head: Head
    digest: str
    models: tuple[Member, ...]
    """The best and final models, as far as the manifest names them."""
    wandb: tuple[tuple[str, str], ...]
    """The folders that hold a transaction log of W&B's, each with the run's ID."""


def contents(store: Store, name: str, digest: str) -> Contents:
    """Read a manifest to its end. Raises ArchiveError or StepFailed where a part of the archive
    is missing, or it is not the archive whose manifest has this digest."""
    with store.opened(name) as files:
        manifest = Manifest(files.manifest)
        wanted, models, wandb = {*(manifest.head.models or ())}, [], []
        for member in manifest.members():
            if member.path in wanted and member.type in (FILE, LINK):
                models.append(member)
            if log := _WANDB_LOG.fullmatch(member.path):
                wandb.append((log[1], log[2]))
        if manifest.digest != digest:
            raise ArchiveError("it is not the archive that the journal knows")
        end = manifest.end
        if end is None or os.fstat(files.archive.fileno()).st_size != end.archive_bytes:
            raise ArchiveError("the archive is not as long as its manifest says")
        if wanted != {each.path for each in models}:
            raise ArchiveError("a model that its manifest names is none of its members")
    return Contents(manifest.head, digest, tuple(models), tuple(wandb))
