"""The studies of one execution: opened or begun in one database, with what they are about.

A study records the settings that all of its trials share, and the sha256 of its prices, so
that no value is ever compared with one that was measured differently. Where the prices come
from a file, it also records the last timestamp that counts: the file may grow.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import optuna

from artifact_janitor.errors import UsageError
from artifact_janitor.reference import material, series
from artifact_janitor.reference.material import Material
from artifact_janitor.reference.settings import Settings, checked

OTHER_NAME = "choose another --study-name: values of different origin can't be compared"
_WAIT = 60
"""Seconds that SQLite waits for other processes."""


def storage(path: Path, heartbeat: int) -> optuna.storages.RDBStorage:
    """A database; a trial that was silent for three heartbeats is given up."""
    path.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna.storages.RDBStorage(
        f"sqlite:///{path}",
        engine_kwargs={"connect_args": {"timeout": _WAIT}},
        heartbeat_interval=heartbeat,
        grace_period=3 * heartbeat,
    )


def pinned(base: Settings, held: optuna.storages.RDBStorage) -> tuple[Settings, Material]:
    """The settings with the last timestamp that counts in this execution, and the prices."""
    told = base.series
    if told.csv is not None and told.until is None:
        told = told.model_copy(update={"until": _recorded_end(held) or _end(base)})
    settings = base.model_copy(update={"series": told})
    return settings, material.prepared(settings)


def _recorded_end(held: optuna.storages.RDBStorage) -> str | None:
    """Studies of one execution are about the same prices, also the one that is added later."""
    for each in held.get_all_studies():
        config = held.get_study_user_attrs(each._study_id).get("config")
        if isinstance(config, dict):
            return str(config["series"]["until"])
    return None


def _end(base: Settings) -> str:
    last = int(series.load(base.series).times[-1])
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=last)).isoformat()


def opened(
    held: optuna.storages.RDBStorage, name: str, base: Settings, learnt: Material
) -> optuna.Study:
    """The study, new or as it was left. Raises UsageError where it is about something else."""
    study = optuna.create_study(
        storage=held,
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=3),
    )
    told = {"config": base.model_dump(), "data_sha256": learnt.sha256}
    for key, value in told.items():
        if key not in study.user_attrs:
            study.set_user_attr(key, value)
    check(name, study.user_attrs, told)
    return study


def check(name: str, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raises UsageError, with the keys of the settings that differ."""
    old = checked(before["config"], f"the config of {name}").model_dump()
    if differing := sorted(_differing(old, now["config"])):
        raise UsageError(f"{name} has begun with another {', '.join(differing)}", OTHER_NAME)
    if before["data_sha256"] != now["data_sha256"]:
        raise UsageError(f"{name} has begun with other prices", OTHER_NAME)


def _differing(before: dict[str, Any], now: dict[str, Any], above: str = "") -> Iterator[str]:
    for name, one in before.items():
        other = now.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _differing(one, other, f"{above}{name}.")
        elif one != other:
            yield f"{above}{name}"
