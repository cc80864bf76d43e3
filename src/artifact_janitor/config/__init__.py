"""The settings of a workspace: the only reader of config.toml and JANITOR_*."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import chain
from pathlib import Path
from typing import cast

from artifact_janitor import clock
from artifact_janitor.config.checks import problems
from artifact_janitor.config.commented import sample
from artifact_janitor.config.folders import NEVER_TAKEN, ROOTS
from artifact_janitor.config.given import Given, content_of, read, tables
from artifact_janitor.config.schema import PREFIX, UNVALIDATED, PolicyTable, RetrainTable, Schema
from artifact_janitor.core.model import Kind
from artifact_janitor.core.policy import Best, Disk, Policy, Safety
from artifact_janitor.core.schedule import Schedule
from artifact_janitor.core.trainer import Retrain
from artifact_janitor.errors import ConfigError, Problem
from artifact_janitor.units import DAY, SECOND

NEVER_REMOVED = ("study", "milestone")
"""Kinds that no policy takes anything of; what protects them is found by looking."""

__all__ = [
    "Archive",
    "Folders",
    "Settings",
    "Text",
    "defaults",
    "load",
    "sample",
    "settings_of",
    "text_of",
]


@dataclass(frozen=True)
class Folders:
    """Where things are: paths relative to the workspace, normalised.

    All are tuples; those in ``SEVERAL`` may hold several paths or none, the others
    exactly one. A folder need not exist, unless the person named it.
    """

    hpo_studies: tuple[str, ...]
    hpo_results: tuple[str, ...]
    models: tuple[str, ...]
    best_models: tuple[str, ...]
    training: tuple[str, ...]
    outputs: tuple[str, ...]
    multirun: tuple[str, ...]
    wandb: tuple[str, ...]
    logs: tuple[str, ...]
    mlruns: tuple[str, ...]
    mlflow_db: tuple[str, ...]
    """A file, not a folder."""

    @property
    def roots(self) -> dict[str, str]:
        """All folders that are looked at, each with the key in ``[folders]`` of its own."""
        return {folder: key for key in ROOTS for folder in getattr(self, key)}

    @property
    def retention(self) -> tuple[str, ...]:
        """Those of them that policies take from."""
        return tuple(folder for folder, key in self.roots.items() if key not in NEVER_TAKEN)

    @property
    def others(self) -> tuple[str, ...]:
        """The folders that are known, and not looked at."""
        every = chain.from_iterable(getattr(self, each.name) for each in fields(self))
        return tuple(folder for folder in every if folder not in self.roots)


@dataclass(frozen=True, slots=True)
class Archive:
    """``store`` is absolute, or relative to the workspace; ``level`` is zstd's."""

    store: str
    level: int


@dataclass(frozen=True)
class Settings:
    """What a person decided; ``source`` is None where there is no file.

    ``workspace`` is absolute and resolved. ``notes`` are sentences for the person.
    """

    workspace: Path
    source: Path | None
    folders: Folders
    policies: tuple[Policy, ...]
    safety: Safety
    disk: Disk
    archive: Archive
    notes: tuple[str, ...]
    retrain: tuple[Retrain, ...] = ()
    schedule: Schedule = field(default_factory=Schedule)


@dataclass(frozen=True, slots=True)
class Text:
    """A config.toml as it was read, which may have changed since; without one `source` is None."""

    source: Path | None
    content: bytes = b""


def load(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Settings:
    """Read config.toml: `path` (from --config), else JANITOR_CONFIG, else the one in `cwd`.

    The environment's settings win. Raises ConfigError with everything that is wrong.
    """
    return settings_of(text_of(path, environ, cwd), environ, cwd)


def text_of(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Text:
    """The file that `load` reads. Raises ConfigError where it can't be read."""
    source = _source(path, environ, cwd)
    return Text(source, content_of(source, _shown(source, cwd)) if source else b"")


def settings_of(text: Text, environ: Mapping[str, str], cwd: Path) -> Settings:
    """What a file says, whatever is in its place by now. Raises ConfigError as `load` does."""
    source = text.source
    shown = _shown(source, cwd) if source else "environment"
    given = read(tables(text.content, shown) if source else {}, environ)
    workspace = (source.parent if source else cwd).resolve()
    today = clock.local(clock.read().wall / SECOND).date()
    if wrong := problems(given, workspace, today):
        raise ConfigError(shown, wrong)
    return _settings(given, workspace, source)


def defaults(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Settings:
    """The defaults, in the workspace of a configuration that can't be used."""
    try:
        source = _source(path, environ, cwd)
    except ConfigError:
        source = None
    return _settings(read({}, {}), (source.parent if source else cwd).resolve(), None)


def _source(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    """The file to read. One that is named must exist."""
    variable = environ.get(PREFIX + "CONFIG", "")
    source = cwd / (path or variable or "config.toml")
    if not _absent(source):
        return source
    if path or variable:
        what = f"no such file: {source}; without it, ./config.toml is read"
        place = "--config" if path else PREFIX + "CONFIG"
        raise ConfigError(_shown(source, cwd), [Problem(place, what)])
    return None


def _absent(source: Path) -> bool:
    """A dangling link or a locked folder is no absence, but a file that can't be read."""
    try:
        source.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _shown(source: Path, cwd: Path) -> str:
    return str(source.relative_to(cwd) if source.is_relative_to(cwd) else source)


def _settings(given: Given, workspace: Path, source: Path | None) -> Settings:
    schema = given.validated()
    return Settings(
        workspace=workspace,
        source=source,
        folders=Folders(**schema.folders.model_dump()),
        policies=tuple(_policy(policy) for policy in schema.policy),
        safety=Safety(**schema.safety.model_dump()),
        disk=Disk(**schema.disk.model_dump()),
        archive=Archive(**schema.archive.model_dump()),
        retrain=tuple(_retrain(row) for row in schema.retrain),
        schedule=Schedule(**schema.schedule.model_dump()),
        notes=tuple(_notes(schema, given)),
    )


def _policy(table: PolicyTable) -> Policy:
    values = table.model_dump(exclude={"kind", "keep_best"})
    best = Best(**table.keep_best.model_dump()) if table.keep_best else None
    return Policy(kind=cast(Kind, table.kind), keep_best=best, **values)


def _retrain(table: RetrainTable) -> Retrain:
    return Retrain(**table.model_dump())


def _notes(schema: Schema, given: Given) -> Iterator[str]:
    for table in UNVALIDATED:
        if table in given.file or table in given.environment:
            yield f"[{table}] is not acted on by this version"
    if schema.disk.purge_early and not schema.disk.keep_free:
        yield f"{given.place(('disk', 'purge_early'))}: nothing is purged early without keep_free"
    for index, policy in enumerate(given.policies):
        if note := _careless(schema.policy[index]):
            yield f"{given.place(('policy', index))}: {note}"
        if (kind := schema.policy[index].kind) in NEVER_REMOVED:
            place = given.place(("policy", index))
            yield f"{place} does nothing: no {kind} is ever removed"
        written = str(policy.get("keep_within"))
        age = schema.policy[index].keep_within
        if age is not None and age < DAY and re.fullmatch(r"\d+ ?m", written.strip()):
            where = given.place(("policy", index, "keep_within"))
            yield f'{where}: "{written}" is minutes; months are written in days, "180d"'


def _careless(table: PolicyTable) -> str:
    """A slip in a metric's name would then let go of everything."""
    best = table.keep_best
    others = (name for name in PolicyTable.model_fields if name.startswith("keep_"))
    alone = all(getattr(table, name) is None for name in others if name != "keep_best")
    if best is None or best.missing == "keep" or not alone:
        return ""
    return f'nothing keeps what has no {best.metric}: add a keep_… rule, or write missing = "keep"'
