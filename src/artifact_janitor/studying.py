"""Look at all studies of a workspace: what they say, what earlier looks saw, how they stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from artifact_janitor import clock
from artifact_janitor.config import Settings
from artifact_janitor.core.study import (
    Asked,
    Broken,
    Earlier,
    Identity,
    Standing,
    Study,
    judge,
)
from artifact_janitor.core.study_names import Named, model_type, places
from artifact_janitor.core.trainer import DEFAULT, Retrain, governing
from artifact_janitor.errors import JournalError
from artifact_janitor.journal import Journal, open_journal
from artifact_janitor.journal.file import is_empty
from artifact_janitor.observe import optuna_files, optuna_sweeps
from artifact_janitor.observe.liveness import Activity, activity
from artifact_janitor.observe.optuna_files import Known, Replays
from artifact_janitor.observe.sqlite import PATIENCE
from artifact_janitor.reserve import is_short
from artifact_janitor.state import State


@dataclass(frozen=True, slots=True)
class Seen:
    """One study. `place` is the name of its folder below ``models/hpo_derived``; `governed`
    says what becomes of it, None where no row of ``[[retrain]]`` matches."""

    standing: Standing
    model_type: str | None
    place: str
    governed: Retrain | None

    @property
    def label(self) -> str:
        """What a person calls it: ``eurusd/lstm``, or ``eurusd/NAME`` without a model type."""
        return f"{self.place}/{self.model_type or self.standing.study.name}"

    @property
    def known_by(self) -> tuple[str, str]:
        """Its file and its name."""
        return self.standing.study.path, self.standing.study.name


@dataclass(frozen=True, slots=True)
class Studies:
    """All of a workspace at one moment, and the files that tell nothing."""

    seen: tuple[Seen, ...]
    broken: tuple[Broken, ...]
    now: int


def study_all(
    settings: Settings,
    journal: Journal | None,
    now: clock.Reading,
    replays: Replays | None = None,
    active: Callable[[], Activity] = activity,
    known: Known | None = None,
) -> Studies:
    """Look at every study; changes nothing. Who looks again hands in the same `replays`, and
    `known` where what did not change need not be read again."""
    base, tails = settings.workspace, {} if replays is None else replays
    before = {} if known is None else known
    paths: set[str] = set()
    found: list[Study] = []
    broken: list[Broken] = []
    for root in settings.folders.hpo_studies:
        for each in optuna_files.found(base, root):
            if isinstance(each, Broken):
                broken.append(each)
                continue
            paths.add(each)
            told = optuna_files.of_changed(base, each, tails, before, PATIENCE)
            if isinstance(told, Broken):
                broken.append(told)
            else:
                found += told
    for gone in before.keys() - paths:
        del before[gone]
    found = optuna_files.with_holders(found, base, active)
    found = _with_results(found, settings)
    earlier = journal.studies() if journal else {}
    standings = [*_judged(found, settings, earlier, Asked(now.wall, _is_sound(journal, now)))]
    return Studies(tuple(_named(standings, settings)), tuple(broken), now.wall)


def _with_results(found: list[Study], settings: Settings) -> list[Study]:
    """With what Hydra's sweeper left where it was done."""
    if not found:
        return found
    base = settings.workspace
    sweeps = optuna_sweeps.done(base, settings.folders.multirun)
    results = [optuna_sweeps.result_of(each, base, sweeps) for each in found]
    return [
        replace(each, results=sweep.path, results_at=sweep.at) if sweep else each
        for each, sweep in zip(found, results, strict=True)
    ]


def _is_sound(journal: Journal | None, now: clock.Reading) -> bool:
    before = journal.clock() if journal else None
    return not before or not clock.jumped(clock.Reading(*before), now)


def _row(study: Study, settings: Settings) -> Retrain | None:
    return governing(settings.retrain, stem_of(study.path), study.name)


def _judged(
    found: list[Study], settings: Settings, earlier: Mapping[Identity, Earlier], asked: Asked
) -> list[Standing]:
    return [
        judge(each, earlier.get(each.identity), (_row(each, settings) or DEFAULT).rules, asked)
        for each in found
    ]


def stem_of(path: str) -> str:
    """``hpo_studies/eurusd.db`` is the execution ``eurusd``."""
    return PurePosixPath(path).stem


def _named(standings: list[Standing], settings: Settings) -> list[Seen]:
    rows = [_row(each.study, settings) for each in standings]
    types = [
        model_type(each.study.name, each.study.attrs, row.pattern if row else None)
        for each, row in zip(standings, rows, strict=True)
    ]
    named = (
        Named(each.study.identity, stem_of(each.study.path), kind, each.earlier.first_seen)
        for each, kind in zip(standings, types, strict=True)
    )
    found = places(named)
    return [
        Seen(each, kind, found[each.study.identity], row)
        for each, kind, row in zip(standings, types, rows, strict=True)
    ]


def remember(settings: Settings, found: Studies) -> None:
    """Write down what later looks need to know. A look makes no journal; one that can't be
    written to costs the next look what it would have known."""
    file = State(settings.workspace).journal
    if not found.seen or is_empty(file) or is_short(file.parent):
        return
    standings = {each.standing.study.identity: each.standing for each in found.seen}
    try:
        journal = open_journal(file, create=True)
        if journal is not None:
            with closing(journal):
                journal.remember_studies(
                    {each: standing.earlier for each, standing in standings.items()},
                    {each: standing.study.path for each, standing in standings.items()},
                    found.now,
                )
    except JournalError:
        return
