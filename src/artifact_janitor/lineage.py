"""Every model of a workspace with its lineage: gathered from the disk and the journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

from artifact_janitor.config import Settings
from artifact_janitor.core.lineage import Around, File, Model, models
from artifact_janitor.core.milestone import meta_of
from artifact_janitor.core.model import Artifact, Catalogue, upward
from artifact_janitor.core.policy import RUNS
from artifact_janitor.errors import JournalError
from artifact_janitor.journal import Journal, open_journal
from artifact_janitor.journal.file import is_empty
from artifact_janitor.observe.digests import Hashes, to_read
from artifact_janitor.observe.modelfile import is_whole
from artifact_janitor.observe.origins import BY_HAND, sidecars, told_in
from artifact_janitor.observe.survey import Survey
from artifact_janitor.state import State

Tick = Callable[[str, int, int], None]


def lineage(
    settings: Settings, seen: Survey, journal: Journal | None, tick: Tick, *, in_full: bool
) -> list[Model]:
    """All models that are best, final, published or milestones; `in_full` reads every one, and
    else only what may be a copy of another."""
    hashes = Hashes(settings.workspace, journal.digests.all() if journal else {})
    stored = _stored(seen.catalogue)
    paths = [*seen.weights] if in_full else to_read(settings.workspace, seen.weights)
    for number, path in enumerate(paths, 1):
        tick("reading", number, len(paths))
        hashes.of(path)
    files = [*_files(settings, seen, hashes)]
    _remember(settings, hashes)
    return models(files, _around(seen.catalogue, journal, stored))


def _stored(catalogue: Catalogue) -> dict[str, str]:
    """Digests of the models in archives, each by the archive and its own path."""
    return {
        f"{at.path}: {each.path}": each.digest
        for at in catalogue.archives
        for each in at.archive.models
        if each.digest
    }


def _files(settings: Settings, seen: Survey, hashes: Hashes) -> Iterator[File]:
    base, known = settings.workspace, seen.catalogue.by_path
    for path, each in seen.weights.items():
        around = [known[at] for at in upward(path) if at in known]
        unit = next((at for at in around if at.kind not in ("checkpoint", "unknown")), None)
        if unit is None:
            continue
        try:
            status = os.lstat(base / path)
        except OSError:
            continue  # it went while we looked
        told = _told(settings, unit, path, [metric for at in around for metric in at.metrics])
        yield File(
            path,
            unit.path,
            unit.kind,
            (each.dev, each.ino),
            status.st_size,
            status.st_mtime_ns,
            is_whole(base / path),
            hashes.remembered(path),
            told,
        )


def _told(
    settings: Settings, unit: Artifact, path: str, metrics: list[tuple[str, float]]
) -> Mapping[str, Any]:
    """What its sidecar says; of a file in a run, what is measured of that."""
    if unit.kind == "milestone":
        return told_in(settings.workspace / meta_of(path))
    if unit.kind == "model":
        return _with_its_run(settings, told_in(settings.workspace / sidecars(path)[-1]))
    name, value = metrics[0] if metrics else ("", None)
    return {} if value is None else {"metric": {"name": name, "value": value}}


def _with_its_run(settings: Settings, told: dict[str, Any]) -> dict[str, Any]:
    """A manual run's model names its run so that this need not stay for it."""
    run = told.get("run")
    if isinstance(run, str) and run.startswith(BY_HAND):
        name, folders = run.removeprefix(BY_HAND), settings.folders.training
        places = [f"{folder}/{name}" for folder in folders]
        there = (each for each in places if os.path.lexists(settings.workspace / each))
        return told | {"run": {"path": next(there, places[0] if places else name)}}
    return told


def _around(catalogue: Catalogue, journal: Journal | None, stored: Mapping[str, str]) -> Around:
    return Around(
        {each.path for each in catalogue.artifacts if each.kind in RUNS},
        {each.unit: each.path for each in catalogue.archives},
        {each.path for each in catalogue.trash},
        {path for path, _ in journal.configs.paths()} if journal else set(),
        {job.target: job for job in journal.jobs.all()} if journal else {},
        stored,
    )


def _remember(settings: Settings, hashes: Hashes) -> None:
    """What was read need not be read again; a journal that can't be written to costs but time."""
    file = State(settings.workspace).journal
    if hashes.seen == hashes.known or is_empty(file):
        return
    try:
        journal = open_journal(file, create=True)
        if journal is not None:
            with closing(journal):
                journal.digests.remember(hashes.seen)
    except JournalError:
        return
