"""Model files that trials left and their studies name: what adopts one of them would find it gone.

A study is handed over when it is finished, which may be long after its best trial. Until then
retention leaves that trial's model alone (S5).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from artifact_janitor import clock
from artifact_janitor.config import Settings
from artifact_janitor.core.jobs import ADOPTED, JobState
from artifact_janitor.core.model import Catalogue, Evidence, is_within, upward
from artifact_janitor.handing_over import wants
from artifact_janitor.journal import Journal
from artifact_janitor.observe import jobs
from artifact_janitor.observe.survey import Survey
from artifact_janitor.studying import study_all

_HANDLED: tuple[JobState, ...] = ("published", "rejected", "cancelled")
"""What became of jobs whose studies ask for nothing more, but for a person's word."""
_ADOPTING = ("auto", "adopt")


def awaited(settings: Settings, journal: Journal | None, seen: Survey) -> Survey:
    """The survey, in which the model files that studies are waiting for are protected."""
    named = dict(_named(settings, journal))
    catalogue = seen.catalogue
    against = {unit: why for path, why in named.items() if (unit := _unit(catalogue, path))}
    if not against:
        return seen
    artifacts = tuple(
        replace(each, protections=(*each.protections, against[each.path]))
        if each.path in against
        else each
        for each in catalogue.artifacts
    )
    return replace(seen, catalogue=replace(catalogue, artifacts=artifacts))


def _unit(catalogue: Catalogue, path: str) -> str | None:
    """The innermost unit that a file is, or lies in; what holds that is protected by it (S4)."""
    return next((each for each in upward(path) if each in catalogue.by_path), None)


def _named(settings: Settings, journal: Journal | None) -> Iterator[tuple[str, Evidence]]:
    found = study_all(settings, journal, clock.read()).seen
    done = {job.key for job in journal.jobs.all() if job.state in _HANDLED} if journal else set()
    done |= jobs.in_place(settings.workspace, settings.folders.models[0])
    best = {each.standing.study.identity: each.standing.best for each in found}
    for seen in found:
        trial = best[seen.standing.study.identity]
        for want in wants(settings, [seen], None):
            adopts = want.row is not None and want.row.mode in _ADOPTING
            said = trial.user_attrs.get(ADOPTED) if trial and adopts else None
            if want.key not in done and (path := _inside(settings, said)):
                why = f"trial {want.trial} of {want.path} left it, which is not handed over yet"
                yield path, Evidence("reference", why, f"janitor retrain {want.name}", want.path)


def _inside(settings: Settings, said: object) -> str:
    """The path of a file, relative to the workspace; "" where there is none in it."""
    if not isinstance(said, str) or not said or "\0" in said:
        return ""
    base = os.path.realpath(settings.workspace)
    real = os.path.realpath(os.path.join(base, said))
    return real[len(base) + 1 :] if is_within(real, base) and os.path.isfile(real) else ""
