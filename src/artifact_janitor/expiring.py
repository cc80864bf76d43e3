"""Archives as the planner needs to know them, and as they must be found again to expire (S10)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from artifact_janitor.apply.archive import whose
from artifact_janitor.apply.archive.contents import Contents, contents
from artifact_janitor.apply.archive.store import ARCHIVE, MANIFEST, SUMS
from artifact_janitor.config import Settings
from artifact_janitor.config.values import OWN_STORE
from artifact_janitor.core.expiry import is_old
from artifact_janitor.core.model import Artifact, Evidence, ModelFile, Stored
from artifact_janitor.errors import ArchiveError, StepFailed
from artifact_janitor.journal import Archived, Journal
from artifact_janitor.observe.examine import fingerprint_of
from artifact_janitor.observe.tree import entry_of
from artifact_janitor.workplace import store_of


def archives_in(
    settings: Settings, journal: Journal, now: int, *, every: bool = False
) -> tuple[Stored, ...]:
    """All archives of the index that are there. Only of those that a policy may let go by their
    date more than that is read, unless of `every`; what can't be known of one protects it."""
    indexed = [each for each in journal.archives.all() if each.digest]
    return tuple(_found(settings, indexed, now, every=every))


def _found(
    settings: Settings, indexed: Iterable[Archived], now: int, *, every: bool
) -> Iterator[Stored]:
    for each in indexed:
        with suppress(OSError):  # it is gone, which `janitor verify` tells
            stored = _seen(settings, each)
            reads = every or is_old(stored, settings.policies, now)
            yield _read(settings, each, stored) if reads else stored


def _seen(settings: Settings, archived: Archived) -> Stored:
    """As far as the index tells of it. Raises OSError where it isn't there."""
    start = f"{archived.store}/{archived.name}"
    entry = entry_of(os.lstat(settings.workspace / (start + ARCHIVE)))
    beside = tuple(start + each for each in (MANIFEST, SUMS))
    size = entry.bytes + sum(_bytes(settings, each) for each in beside)
    artifact = Artifact(
        start + ARCHIVE,
        archived.kind,
        archived.at,
        size,
        size,
        fingerprint=fingerprint_of(entry),
        links=beside,
    )
    return Stored(artifact, archived.path, 0, archived.step, archived.digest)


def _bytes(settings: Settings, path: str) -> int:
    with suppress(OSError):
        return entry_of(os.lstat(settings.workspace / path)).bytes
    return 0


def _read(settings: Settings, archived: Archived, stored: Stored) -> Stored:
    """With what its manifest tells, or why that is not to be known."""
    if archived.store not in (settings.archive.store, OWN_STORE):
        why = f"{archived.store} is no longer [archive] store"
        return _protected(stored, Evidence("elsewhere", why, "name it in config.toml again"))
    try:
        store = store_of(settings, archived.store)
        found = contents(store, archived.name, archived.digest)
        if (found.head.unit, found.head.kind) != (archived.path, archived.kind):
            raise ArchiveError("it is of another unit than the journal says")
    except (ArchiveError, StepFailed) as error:
        hint = f"janitor verify {archived.name}"
        return _protected(stored, Evidence("unreadable", error.message, hint))
    told = _told(stored, found)
    if why := whose.objection(store, found.head, settings.workspace):
        told = _protected(told, Evidence("elsewhere", why))
    if found.head.models is None:
        told = _protected(
            told, Evidence("unproven", "its manifest doesn't say which models it holds")
        )
    return told


def _protected(stored: Stored, why: Evidence) -> Stored:
    protections = (*stored.archive.protections, why)
    return replace(stored, archive=replace(stored.archive, protections=protections), is_read=True)


def _told(stored: Stored, found: Contents) -> Stored:
    head = found.head
    archive = replace(
        stored.archive,
        time=max(head.made, stored.time),
        evidence=tuple(Evidence(fact, why) for fact, why in head.evidence),
        models=tuple(ModelFile(each.path, each.size, each.sha256) for each in found.models),
    )
    uploads = tuple(dict.fromkeys(folder for folder, _ in found.wandb))
    return replace(
        stored,
        archive=archive,
        written=head.time,
        is_read=True,
        uploads=uploads,
        run_ids=found.wandb,
    )


def objection(settings: Settings, stored: Stored) -> str:
    """Why an archive may not expire after all, or "": it is not what was seen (S11), or, since,
    another workspace's."""
    try:
        entry = entry_of(os.lstat(settings.workspace / stored.path))
        if fingerprint_of(entry) != stored.archive.fingerprint:
            return "changed since the plan was made"
        store, _, name = stored.path.removesuffix(ARCHIVE).rpartition("/")
        place = store_of(settings, store)
        return whose.objection(place, contents(place, name, stored.digest).head, settings.workspace)
    except OSError as error:
        return f"gone or out of reach since the plan was made ({error.strerror})"
    except (ArchiveError, StepFailed) as error:
        return f"changed since the plan was made: {error.message}"
