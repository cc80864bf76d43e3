"""MLflow's runs: which folders they are, and what MLflow's own records say of them.

MLflow 3 writes its records to a database, by default ``mlflow.db`` at the workspace's top,
and a run's folder holds its artifacts alone; a file store has a ``meta.yaml`` in each run.
Where both are there, after a migration, both must agree.

Only what MLflow itself marks deleted may go, and only where the record names that very
folder. Neither an age nor a quiet folder is a sign: a live run holds nothing open in it,
and what ``mlflow gc`` would take, models in use included, is no guide either (measured).
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from artifact_janitor.config import Folders
from artifact_janitor.core.model import Artifact, Evidence, is_within
from artifact_janitor.mlflow_records import (
    DELETED,
    ENDED,
    RUN_ID,
    Named,
    Record,
    Records,
    UnknownSchema,
    how_to_delete,
    of_database,
)
from artifact_janitor.observe import mlflow_files
from artifact_janitor.observe.mlflow_files import META
from artifact_janitor.observe.sqlite import Unreadable, reading
from artifact_janitor.observe.tree import Folder

LAYOUT = (
    (re.compile(r"\.trash(?:/.*)?"), "experiments that were deleted in MLflow: mlflow gc"),
    (re.compile(r"models(?:/.*)?"), "MLflow's model registry"),
    (re.compile(r"[^/]+/models(?:/.*)?"), "logged models of MLflow's"),
    (re.compile(r"[^/]+/traces(?:/.*)?"), "traces of MLflow's"),
    (re.compile(r"[^/]+/(?:meta\.yaml|tags(?:/.*)?)"), "MLflow's record of an experiment"),
    (re.compile(r"\d+"), "an experiment of MLflow's, without a run's artifacts"),
    (re.compile(r"[^/]+\.db"), "a database"),
)
"""What else lies below ``mlruns``, by path in it; none of it is a unit."""


def is_run(folder: Folder, base: Path) -> bool:
    """Whether MLflow's layout makes this folder a run: EXPERIMENT/ID. What proves it, and
    whether it may go, only its record tells."""
    *above, experiment, name = folder.path.split("/")
    in_trash = ".trash" in (*above, experiment)
    return RUN_ID.fullmatch(name) is not None and experiment != "models" and not in_trash


def told(artifacts: Iterable[Artifact], base: Path, folders: Folders) -> Iterator[Artifact]:
    """The artifacts, those below ``mlruns`` with all that MLflow's records say of them."""
    found, stores = [*artifacts], _Stores(base, folders)
    runs = {each.path for each in found if each.kind == "mlflow-run"}
    for each in found:
        if each.path in runs:
            yield _judged(each, stores)
        elif each.parent in runs:
            why = f"part of the MLflow run {each.parent}: it goes and stays with it"
            part = Evidence("part", why, source=each.parent or "")
            yield replace(each, protections=(*each.protections, part))
        else:
            yield _explained(each, folders)


def objection(artifact: Artifact, base: Path, folders: Folders) -> str:
    """Why a run may not go after all, or "": MLflow's records as they are now."""
    if artifact.kind != "mlflow-run":
        return ""
    stores = _Stores(base, folders, artifact.path.rpartition("/")[2])
    return next((each.why for each in stores.against(artifact.path)), "")


def _judged(artifact: Artifact, stores: _Stores) -> Artifact:
    """A person's deletion is the newest thing that happened to a run: ages count from it."""
    records = stores.records(artifact.path)
    deleted = max((each.deleted for _, each in records), default=0)
    return replace(
        artifact,
        time=max(artifact.time, deleted),
        protections=(*artifact.protections, *stores.against(artifact.path)),
        evidence=tuple(_origin(records)),
    )


def _origin(records: list[tuple[str, Record]]) -> Iterator[Evidence]:
    for place, record in records:
        yield Evidence("origin", f"its record in {place}")
        if record.stage == DELETED and not record.trouble:
            yield Evidence("deleted", "MLflow marks it deleted")


def _explained(artifact: Artifact, folders: Folders) -> Artifact:
    """What else MLflow wrote, and what that is."""
    root = next((root for root in folders.mlruns if is_within(artifact.path, root)), None)
    if root is None or artifact.kind != "unknown":
        return artifact
    what = _layout(artifact.path[len(root) + 1 :])
    return replace(artifact, evidence=(Evidence("layout", what),)) if what else artifact


def _layout(path: str) -> str:
    return next((what for pattern, what in LAYOUT if pattern.fullmatch(path)), "")


@dataclass
class _Stores:
    """The database and the file store, each read once, when first asked."""

    base: Path
    folders: Folders
    run_id: str | None = None
    """The only run that is asked about."""

    @property
    def name(self) -> str:
        return self.folders.mlflow_db[0]

    @cached_property
    def database(self) -> tuple[Records, str]:
        """What it knows, which is nothing where there is none, or why it tells nothing."""
        try:
            with reading(self.base / self.name) as db:
                return of_database(db, self.run_id), ""
        except (FileNotFoundError, NotADirectoryError):
            return Records(), ""
        except (Unreadable, UnknownSchema) as error:
            return Records(), f"{self.name} tells nothing of it: {error}"

    @cached_property
    def neighbours(self) -> tuple[Named, str]:
        """Who names runs in the file store, or why nobody can tell."""
        try:
            return mlflow_files.named(self.base, self.folders.mlruns), ""
        except OSError as error:
            what = f"{error.filename}: {error.strerror}" if error.filename else error
            return defaultdict(list), f"what else MLflow wrote can't be read: {what}"

    def records(self, path: str) -> list[tuple[str, Record]]:
        """Each record of the run at a path, with the place that holds it."""
        run_id = path.rpartition("/")[2]
        of_run = self.database[0].runs.get(run_id)
        of_file = mlflow_files.record(self.base / path, run_id)
        both = ((self.name, of_run), (META, of_file))
        return [(place, record) for place, record in both if record is not None]

    def against(self, path: str) -> Iterator[Evidence]:
        """All that keeps the run at a path."""
        run_id, (known, trouble) = path.rpartition("/")[2], self.database
        records = self.records(path)
        if trouble:
            yield Evidence("unproven", trouble)
        elif not records:
            why = f"MLflow's record of it is neither in {self.name} nor in its folder"
            yield Evidence("unproven", why, "name the database in config.toml: folders.mlflow_db")
        for place, record in records:
            yield from _bars(record, run_id, place, self.base / path)
        yield from known.named.get(run_id, ())
        if any(place == META for place, _ in records):
            names, trouble = self.neighbours
            yield from names.get(run_id, ())
            if trouble:
                yield Evidence("unproven", trouble)


def _bars(record: Record, run_id: str, place: str, folder: Path) -> Iterator[Evidence]:
    """What one record says against it."""
    if record.trouble:
        yield Evidence("unproven", record.trouble)
    elif record.stage != DELETED:
        yield Evidence("active", "MLflow doesn't mark it deleted", how_to_delete(run_id))
    elif record.status not in ENDED:
        yield Evidence("unfinished", f"MLflow says that it is {record.status}", _to_end(run_id))
    elif not _leads_to(record.artifact_uri, folder):
        yield Evidence("unproven", f"{place} says that its artifacts are in {record.artifact_uri}")


def _to_end(run_id: str) -> str:
    """How to end a run that was deleted: MLflow changes the state of no deleted run."""
    steps = f"c.restore_run('{run_id}'); c.set_terminated('{run_id}', 'KILLED')"
    program = f"import mlflow; c = mlflow.MlflowClient(); {steps}; c.delete_run('{run_id}')"
    return f'if it was killed: python -c "{program}"'


def _leads_to(uri: str, folder: Path) -> bool:
    """Whether a run's artifacts are in its folder, as a path or a ``file:`` URI says."""
    try:
        path = _path_of(uri)
        return (
            path is not None and os.path.realpath(path) == f"{os.path.realpath(folder)}/artifacts"
        )
    except ValueError:  # no URI at all, or a path with a NUL in it
        return False


def _path_of(uri: str) -> str | None:
    if uri.startswith("/"):
        return uri
    parts = urlsplit(uri)
    local = parts.scheme == "file" and parts.netloc in ("", "localhost")
    return unquote(parts.path, errors="surrogateescape") if local else None
