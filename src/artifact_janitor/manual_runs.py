"""Publish the models of training runs that are over: plan it, and carry it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

from artifact_janitor import clock
from artifact_janitor.apply.retrain import python_of
from artifact_janitor.config import Settings
from artifact_janitor.core.manual import SETTLED, Finished, due
from artifact_janitor.core.model import Artifact
from artifact_janitor.core.plan import PUBLISH, Step
from artifact_janitor.core.trainer import DEFAULT
from artifact_janitor.errors import Locked
from artifact_janitor.journal import Journal
from artifact_janitor.observe import manual_runs
from artifact_janitor.observe.liveness import Moment, activity
from artifact_janitor.observe.survey import Survey
from artifact_janitor.outcome import SAME, Outcome
from artifact_janitor.publishing import Offer, Published, publish
from artifact_janitor.units import MINUTE
from artifact_janitor.workplace import Workplace

AGAIN = 10 * MINUTE
"""How long after a look at a run that still showed life, and nobody touched since."""


def look(settings: Settings, survey: Survey, journal: Journal | None, now: int) -> list[Step]:
    """The models that are to be published; nothing where no folder waits for them."""
    base, folders, grace = settings.workspace, settings.folders, settings.safety.grace
    if not manual_runs.is_wanted(base, folders):
        return []
    found = manual_runs.final_models(base, folders, survey.catalogue.artifacts)
    wanted = [*due(found, _tried(journal), now, grace)]
    if not wanted:
        return []
    moment = Moment(base, now, grace, activity())
    return [_step(each, why) for each, why in wanted if not manual_runs.life(each, moment)]


def next_one(settings: Settings, survey: Survey, journal: Journal | None, now: int) -> int | None:
    """When the next of them may be over that is not published yet, in nanoseconds: a run is
    young for a while, and one that something has open may be let go of at any time."""
    base, folders, grace = settings.workspace, settings.folders, settings.safety.grace
    if not manual_runs.is_wanted(base, folders):
        return None
    found = manual_runs.final_models(base, folders, survey.catalogue.artifacts)
    waiting = (each.time + grace for each, _ in due(found, _tried(journal), now, grace))
    return min((at if at > now else now + AGAIN for at in waiting), default=None)


def _tried(journal: Journal | None) -> dict[str, str]:
    """The mark of what was last tried for each place, where something came of it; what a full
    disk or a writer was in the way of is tried again."""
    over = ("done", "undone", "purged")
    rows = journal.publications.all() if journal else ()
    return {
        each.path: each.mark
        for each in rows
        if each.mark and (each.state in over or each.verdict in SETTLED[1:])
    }


def _step(found: Finished, why: str) -> Step:
    """It has no bytes: those of the run's own model count, and its copy is yet to come."""
    model = Artifact(found.target, "model", found.time, files=1, fingerprint=found.mark)
    return Step(PUBLISH, model, (why,), handover=found)


def carry_out(
    place: Workplace, sweep: str, steps: Iterable[Step], stop: Callable[[], bool]
) -> Iterator[Outcome]:
    """Publish each, in order."""
    for step in steps:
        assert isinstance(step.handover, Finished)
        if stop():
            yield Outcome(step, "skipped", "interrupted before it began")
            continue
        try:
            with place.state.handover():
                found = _published(place, sweep, step, step.handover)
        except Locked as error:
            yield Outcome(step, "skipped", error.message, "locked")
            continue
        yield _outcome(step, found)


def _published(place: Workplace, sweep: str, step: Step, found: Finished) -> Published:
    settings = place.settings
    moment = Moment(settings.workspace, clock.read().wall, settings.safety.grace, activity())
    if why := manual_runs.life(found, moment):
        return Published("skipped", why)
    rows = (*settings.retrain, DEFAULT)
    key = sha256(f"{found.source}\0{found.mark}".encode("utf-8", "surrogateescape")).hexdigest()
    offer = Offer(
        key,
        found.source,
        found.target,
        manual_runs.told(settings.workspace, found),
        step.reasons,
        required=(),
        form="",
        python=python_of(rows[0]),
        spare=settings.disk.keep_free or 0,
        mark=found.mark,
    )
    return publish(place, sweep, offer)


def _outcome(step: Step, found: Published) -> Outcome:
    if found.outcome in ("published", SAME):
        return Outcome(step, "done", found.why, SAME if found.outcome == SAME else "")
    if found.outcome == "rejected":
        return Outcome(step, "skipped", f"REJECTED: {found.why}", "rejected")
    return Outcome(step, "failed" if found.outcome == "failed" else "skipped", found.why)
