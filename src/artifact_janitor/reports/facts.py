"""All that a study says, as plain values for JSON."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import optuna

from artifact_janitor import __version__
from artifact_janitor.core.plainly import plainly

OURS = "artifact-janitor"
"""What the first key of a file that we wrote begins with."""
SCHEMA = 1
_COMPLETE = "COMPLETE"
_CONSTRAINTS = "constraints"


class Reader:
    """One study in a private copy of its storage. Raises what Optuna raises."""

    def __init__(self, snapshot: Path, study: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._study = optuna.load_study(study_name=study, storage=_storage(snapshot))
        self._trials = self._study.get_trials(deepcopy=False)

    def facts(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The content of ``hpo_results_{model_type}.json``."""
        directions = [each.name.lower() for each in self._study.directions]
        trials = [_of_trial(each) for each in self._trials]
        best = _best(trials, directions, asked.get("trial"))
        attrs = {each.number: each.user_attrs for each in self._trials}
        counts = Counter(each["state"] for each in trials)
        return {
            "made_by": f"{OURS} {__version__}",
            "schema": SCHEMA,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "study": plainly(asked["study"]),
            "study_path": plainly(asked.get("study_path", "")),
            "model_type": asked["model_type"],
            "directions": directions,
            "metric_names": self._study.metric_names or ["value"] * len(directions),
            "optuna": optuna.__version__,
            "best": [_with_attrs(each, attrs) for each in best],
            "counts": {"trials": len(trials), **counts},
            "durations": _durations(trials),
            "importance": _importance(self._study, directions, trials),
            "search_space": _space(self._trials),
            "trials": trials,
        }


def _storage(snapshot: Path) -> Any:
    """The copy is opened for reading alone, so that Optuna can't add to it."""
    if snapshot.suffix == ".log":
        from optuna.storages.journal import JournalFileBackend, JournalStorage

        return JournalStorage(JournalFileBackend(str(snapshot)))
    uri = f"{snapshot.absolute().as_uri()}?mode=ro"
    connect = partial(sqlite3.connect, uri, uri=True, check_same_thread=False)
    return optuna.storages.RDBStorage("sqlite://", engine_kwargs={"creator": connect})


def _of_trial(trial: Any) -> dict[str, Any]:
    began, ended = trial.datetime_start, trial.datetime_complete
    return {
        "number": trial.number,
        "state": trial.state.name,
        "values": plainly(trial.values),
        "params": plainly(trial.params),
        "feasible": _is_feasible(trial.system_attrs),
        "started": began.isoformat(timespec="milliseconds") if began else None,
        "seconds": round((ended - began).total_seconds(), 3) if began and ended else None,
        "last_value": _last(trial.intermediate_values),
    }


def _last(values: Mapping[int, float]) -> object:
    """What a pruned trial reported last."""
    return plainly(values[max(values)]) if values else None


def _is_feasible(attrs: Mapping[str, Any]) -> bool:
    """Constraints in both forms: one list, or since 5.0 each by its own name."""
    found: list[Any] = []
    for name, value in attrs.items():
        if name == _CONSTRAINTS and isinstance(value, list | tuple):
            found += value
        elif name.startswith(f"{_CONSTRAINTS}:"):
            found.append(value)
    return all(isinstance(each, int | float) and each <= 0 for each in found)


def number(value: object) -> float:
    """A value as it was before JSON."""
    return float(value) if isinstance(value, int | float | str) else math.nan


def _best(
    trials: Sequence[dict[str, Any]], directions: Sequence[str], chosen: object
) -> list[dict[str, Any]]:
    """The trial that was chosen; else the best feasible one, the first of equals; of several
    objectives all that no other beats."""
    known = [each for each in trials if each["state"] == _COMPLETE and each["values"]]
    if named := [each for each in known if each["number"] == chosen]:
        return named
    known = [each for each in known if each["feasible"]]
    signs = [1 if each == "minimize" else -1 for each in directions]
    costs = {
        each["number"]: tuple(s * number(v) for s, v in zip(signs, each["values"], strict=True))
        for each in known
    }
    if len(directions) == 1:
        return sorted(known, key=lambda each: (costs[each["number"]], each["number"]))[:1]
    return [each for each in known if not _is_beaten(costs[each["number"]], costs.values())]


def _is_beaten(cost: tuple[float, ...], others: Iterable[tuple[float, ...]]) -> bool:
    return any(
        other != cost and all(mine >= its for mine, its in zip(cost, other, strict=True))
        for other in others
    )


def _with_attrs(trial: dict[str, Any], attrs: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    told = {name: trial[name] for name in ("number", "values", "params", "seconds")}
    return {**told, "user_attrs": plainly(attrs[trial["number"]])}


def _durations(trials: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """In seconds. Optuna's times are local in one version and UTC in another, so that only
    their differences are told."""
    seconds = [each["seconds"] for each in trials if each["seconds"] is not None]
    starts = [datetime.fromisoformat(each["started"]) for each in trials if each["started"]]
    if not seconds:
        return {"trials": 0}
    ends = [
        (datetime.fromisoformat(each["started"]) - min(starts)).total_seconds() + each["seconds"]
        for each in trials
        if each["seconds"] is not None
    ]
    return {
        "trials": len(seconds),
        "sum": round(sum(seconds), 3),
        "mean": round(fmean(seconds), 3),
        "median": round(median(seconds), 3),
        "longest": max(seconds),
        "from_first_to_last": round(max(ends), 3),
    }


def _importance(
    study: Any, directions: Sequence[str], trials: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Of each objective. PedAnova takes a tenth of a second where fANOVA takes minutes; it asks
    what makes a value low, so that what is maximized changes its sign."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    name = PedAnovaImportanceEvaluator.__name__
    found: list[object] = []
    if len([each for each in trials if each["state"] == _COMPLETE]) < 2:
        return {"evaluator": name, "objectives": [], "why": "fewer than two complete trials"}
    for index, direction in enumerate(directions):
        sign = 1 if direction == "minimize" else -1
        try:
            told = get_param_importances(
                study,
                evaluator=PedAnovaImportanceEvaluator(),
                target=lambda trial, index=index, sign=sign: sign * trial.values[index],
            )
        except (ValueError, RuntimeError, ArithmeticError, LookupError) as error:
            return {"evaluator": name, "objectives": [], "why": str(error)[:300]}
        found.append(plainly(dict(told)))
    return {"evaluator": name, "objectives": found}


def _space(trials: Iterable[Any]) -> dict[str, Any]:
    """Every parameter that any trial had; the ranges of one may differ from trial to trial."""
    found: dict[str, list[Any]] = {}
    for trial in trials:
        for name, distribution in trial.distributions.items():
            known = found.setdefault(name, [])
            if distribution not in known and len(known) < 10:
                known.append(distribution)
    return {
        str(plainly(name)): [_of_distribution(each) for each in every]
        if len(every) > 1
        else _of_distribution(every[0])
        for name, every in found.items()
    }


def _of_distribution(distribution: Any) -> dict[str, Any]:
    kind = type(distribution).__name__.removesuffix("Distribution").lower()
    if kind == "categorical":
        return {"type": kind, "choices": plainly(distribution.choices)}
    told = {name: plainly(getattr(distribution, name)) for name in ("low", "high", "step")}
    return {"type": kind, **told, "log": bool(distribution.log)}


def combined(studies: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The content of ``hpo_combined_results.json``: all model types of one execution, the best
    first where they can be compared."""
    names = ("study", "model_type", "directions", "metric_names", "counts", "durations", "best")
    told = [{name: each[name] for name in names} for each in studies]
    alike = len({(*each["directions"], *each["metric_names"]) for each in studies}) == 1
    if alike and len(studies[0]["directions"]) == 1:
        sign = 1 if studies[0]["directions"] == ["minimize"] else -1
        told.sort(key=lambda each: (not each["best"], _cost(each, sign)))
    return {
        "made_by": f"{OURS} {__version__}",
        "schema": SCHEMA,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "comparable": alike and len(studies[0]["directions"]) == 1,
        "model_types": told,
    }


def _cost(told: dict[str, Any], sign: int) -> float:
    return sign * number(told["best"][0]["values"][0]) if told["best"] else 0.0
