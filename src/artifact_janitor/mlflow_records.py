"""What MLflow's database says of its runs, for whoever holds a connection to it.

Both sides read it here: the one that plans, and the one that asks once more in the very
transaction that forgets a run. The tables are those of MLflow 3 and of late 2 (measured with
3.17 and 2.22); a schema that lacks one of the columns is not known, and says nothing (S7).
"""

from __future__ import annotations

import re
import shlex
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from artifact_janitor.core.model import Evidence

DELETED = "deleted"
"""The lifecycle stage of what a person deleted in MLflow, and can still restore there."""

ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})
"""The states of a run that is over. One that was killed with SIGKILL stays RUNNING."""

LATEST = 253_402_300_800_000
"""The end of the year 9999, in MLflow's milliseconds: no time is later."""

NO_VERSION = "Deleted_Internal"
"""The stage of a model version that was deleted: MLflow keeps its row."""

PARENT = "mlflow.parentRunId"
"""The tag of a child run."""

COLUMNS = {
    "alembic_version": {"version_num"},
    "runs": {"run_uuid", "status", "lifecycle_stage", "deleted_time", "artifact_uri"},
    "tags": {"key", "value", "run_uuid"},
    "model_versions": {
        "name", "version", "current_stage", "source", "run_id", "storage_location",
    },
    "registered_model_aliases": {"name", "alias", "version"},
    "logged_models": {
        "model_id", "name", "artifact_location", "lifecycle_stage", "source_run_id",
    },
    "logged_model_metrics": {"model_id", "run_id"},
}  # fmt: skip
"""All that is read, by table."""

SINCE_3 = frozenset({"logged_models", "logged_model_metrics"})
"""Where all of these are missing, no model can be logged."""

RUN_ID = re.compile(r"[0-9a-f]{32}")
MODEL_ID = re.compile(r"m-[0-9a-f]{32}")


class UnknownSchema(Exception):
    """It is no database of MLflow's, or of one that we don't know; the text says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One run as MLflow knows it."""

    stage: str
    status: str
    artifact_uri: str
    deleted: int = 0
    """When it was deleted, in nanoseconds; 0 where nobody wrote that down."""
    trouble: str = ""
    """Why the rest can't be believed."""


Named = defaultdict[str, list[Evidence]]
"""Who names a run, by its ID: what protects it (S5)."""


@dataclass(frozen=True, slots=True)
class Records:
    """What one store knows."""

    runs: dict[str, Record] = field(default_factory=dict)
    named: Named = field(default_factory=lambda: defaultdict(list))


def of_database(db: sqlite3.Connection, run_id: str | None = None) -> Records:
    """All runs, or the one with this ID alone. Raises UnknownSchema, and sqlite3.Error."""
    db.text_factory = _text
    tables = _known_tables(db)
    models = _models(db) if tables >= SINCE_3 else _registered(db, {})
    named: Named = defaultdict(list)
    for each, evidence in dict.fromkeys((*_children(db, run_id), *models)):
        named[each].append(evidence)
    return Records(_runs(db, run_id), named)


def _text(raw: bytes) -> str:
    """Paths need not be UTF-8."""
    return raw.decode("utf-8", "surrogateescape")


def _known_tables(db: sqlite3.Connection) -> set[str]:
    """Tables, not views, with every column that is read."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not COLUMNS.keys() & tables:
        raise UnknownSchema("it is another program's database")
    before_3 = SINCE_3.isdisjoint(tables)
    for table, columns in COLUMNS.items():
        if before_3 and table in SINCE_3:
            continue
        there = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
        if missing := sorted(columns - there if table in tables else {"table"}):
            raise UnknownSchema(f"its schema isn't one that we know: {table} has no {missing[0]}")
    if not db.execute("SELECT count(*) FROM alembic_version").fetchone()[0]:
        raise UnknownSchema("it has no version: MLflow didn't finish making it")
    return tables


def _runs(db: sqlite3.Connection, run_id: str | None) -> dict[str, Record]:
    query = "SELECT run_uuid, lifecycle_stage, status, artifact_uri, deleted_time FROM runs"
    if run_id is not None:
        rows = db.execute(query + " WHERE run_uuid = ?", (run_id,))
    else:
        rows = db.execute(query)
    return {str(each): record_of(*values) for each, *values in rows}


def record_of(stage: object, status: object, artifact_uri: object, deleted: object) -> Record:
    """SQLite and YAML hold any type anywhere: what isn't as expected is no mark of deletion."""
    moment = deleted * 1_000_000 if isinstance(deleted, int) and 0 < deleted < LATEST else 0
    trouble = "" if deleted is None or moment else "the time of its deletion is none"
    return Record(str(stage), str(status), str(artifact_uri), moment, trouble)


def _children(db: sqlite3.Connection, run_id: str | None) -> Iterator[tuple[str, Evidence]]:
    """One child of each parent is enough to keep it."""
    query = (
        "SELECT tags.value, min(tags.run_uuid) FROM tags JOIN runs USING (run_uuid) "
        "WHERE tags.key = ? AND runs.lifecycle_stage IS NOT ? AND tags.value IS coalesce(?, value) "
        "GROUP BY tags.value"
    )
    for parent, child in db.execute(query, (PARENT, DELETED, run_id)):
        yield str(parent), child_of(str(child))


def child_of(child: str) -> Evidence:
    """A deleted run whose child isn't deleted: without it the child hangs in the air."""
    return Evidence(
        "reference", f"its child run {child} is not deleted in MLflow", how_to_delete(child)
    )


def how_to_delete(run_id: str) -> str:
    """The command that marks a run deleted."""
    return f"mlflow runs delete --run-id {shlex.quote(run_id)}"


def _models(db: sqlite3.Connection) -> Iterator[tuple[str, Evidence]]:
    """The runs that models name: registered versions, and logged models that live."""
    query = "SELECT model_id, name, source_run_id, artifact_location, lifecycle_stage "
    logged = {str(row[0]): row[1:] for row in db.execute(query + "FROM logged_models")}
    yield from _registered(db, logged)
    for model, (name, *texts, stage) in logged.items():
        if stage != DELETED:
            yield from named_by(texts, *lives(name, model))
    query = (
        "SELECT DISTINCT run_id, model_id, name FROM logged_model_metrics "
        "JOIN logged_models USING (model_id) WHERE lifecycle_stage IS NOT ?"
    )
    for run_id, model, name in db.execute(query, (DELETED,)):
        why = f"the logged model {name} ({model}) has metrics from it"
        yield str(run_id), Evidence("reference", why)


def _registered(
    db: sqlite3.Connection, logged: Mapping[str, tuple[object, ...]]
) -> Iterator[tuple[str, Evidence]]:
    """The runs that registered versions name, by themselves or by a logged model."""
    for who, texts in _versions(db):
        for model in MODEL_ID.findall(" ".join(texts)):
            texts += tuple(map(str, logged.get(model, ())))
        yield from named_by(texts, f"{who} names it")


def _versions(db: sqlite3.Connection) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each version that was not deleted: how it is called, and all that it names."""
    aliases: defaultdict[tuple[object, object], list[str]] = defaultdict(list)
    for name, version, alias in db.execute(
        "SELECT name, version, alias FROM registered_model_aliases"
    ):
        aliases[name, version].append(f"@{alias}")
    query = (
        "SELECT name, version, current_stage, run_id, source, storage_location "
        "FROM model_versions WHERE current_stage IS NOT ?"
    )
    for name, version, stage, *texts in db.execute(query, (NO_VERSION,)):
        marks = [
            *sorted(aliases[name, version]),
            *([str(stage)] if stage not in (None, "None") else []),
        ]
        called = f"registered model {name} version {version}"
        yield called + (f" ({', '.join(marks)})" if marks else ""), tuple(map(str, texts))


def lives(name: object, model: str) -> tuple[str, str]:
    """What a logged model that isn't deleted says of the run that made it, and the way out."""
    delete = f"import mlflow; mlflow.MlflowClient().delete_logged_model('{model}')"
    hint = f'python -c "{delete}"' if MODEL_ID.fullmatch(model) else ""
    return f"the logged model {name} ({model}) comes from it", hint


def named_by(texts: Iterable[object], why: str, hint: str = "") -> Iterator[tuple[str, Evidence]]:
    """Every run whose ID stands in one of the texts: ``runs:/ID/…``, a path, or it alone."""
    for run_id in dict.fromkeys(RUN_ID.findall(" ".join(map(str, texts)))):
        yield run_id, Evidence("reference", why, hint)
