"""Which model a study asks for: its key, its place, and what a person must be asked."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import sha256

from artifact_janitor.core.jobs import SEEDS, Wanted
from artifact_janitor.core.study import FINISHED, Standing, Trial, key
from artifact_janitor.core.trainer import Retrain

DERIVED = "hpo_derived"
"""The folder of the models that come of studies, in that of all models."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks for by hand: a study, by its path and name, in a `mode` or the row's."""

    path: str
    study: str
    mode: str = ""

    def means(self, standing: Standing) -> bool:
        return (self.path, self.study) == (standing.study.path, standing.study.name)


@dataclass(frozen=True, slots=True)
class Known:
    """A study, and what was found out about its names: `folder` is where its models belong."""

    standing: Standing
    model_type: str | None
    folder: str
    row: Retrain | None


def wanted(known: Known, asked: Asked | None = None) -> Wanted | None:
    """None for a study without a best trial, unless it is finished, and a person must say which
    trial that is."""
    standing, kind, row = known.standing, known.model_type or "", known.row
    study, best, value = standing.study, standing.best, standing.value
    is_finished = standing.state == FINISHED
    by_person = asked is not None and asked.means(standing)
    if best is None and not (standing.question and (is_finished or by_person)):
        return None
    if by_person and row and asked and asked.mode:
        row = replace(row, mode=asked.mode)
    return Wanted(
        path=study.path,
        study=study.name,
        model_type=kind,
        target=f"{known.folder}/final_model_{kind}.pth",
        key=key(study.name, kind, best, value, trainer(row)) if best and value is not None else "",
        trial=best.number if best else -1,
        value=0.0 if value is None else value,
        is_finished=is_finished,
        why=standing.why,
        since=standing.since,
        first_seen=standing.earlier.first_seen,
        row=row,
        question=_question(known) if is_finished or by_person else "",
        has_seed=best is not None and seed_of(best) is not None,
        by_person=by_person,
    )


def _question(known: Known) -> str:
    if known.standing.question:
        return known.standing.question
    if known.model_type is None:
        how = "Set its user attribute model_type, or model_type in [[retrain]]"
        return f"what kind of model is it? {how}"
    return ""


def seed_of(trial: Trial) -> int | None:
    """The seed that a trial says it used."""
    for name in SEEDS:
        if name in trial.user_attrs:
            seed = trial.user_attrs[name]
            return seed if isinstance(seed, int) and not isinstance(seed, bool) else None
    return None


def trainer(row: Retrain | None) -> str:
    """The fingerprint of what trains: another one where the command or the function is."""
    facts = [row.command, row.function] if row else []
    return sha256(json.dumps(facts).encode()).hexdigest()
