"""Make known what became of a training: results of its study are written, and MLflow is told.

A model is in its place by then, and nothing waits for this. Who is killed leaves it to the next
janitor; what can't be done is tried again, and counts as done only when it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from artifact_janitor import clock, tracking
from artifact_janitor.apply import retrain
from artifact_janitor.core.jobs import Job
from artifact_janitor.errors import Locked, StepFailed
from artifact_janitor.journal import Untold
from artifact_janitor.results import Reported, report
from artifact_janitor.studying import Seen
from artifact_janitor.units import HOUR, MINUTE, format_duration
from artifact_janitor.workplace import Workplace

TELLING = "telling"
"""What is held open, like a sweep, by the janitor that writes results."""
AGAIN = (5 * MINUTE, HOUR, 6 * HOUR)
"""How long after results could not be written, or MLflow not be told, the first, second and third
time it is tried again."""
_OVER = ("published", "rejected")


@dataclass(frozen=True, slots=True)
class Announced:
    """What came of it."""

    names: list[str] = field(default_factory=list)
    """The models of which all is known now."""
    notes: list[str] = field(default_factory=list)
    """What a person should know of results, and of MLflow."""


def announce(
    place: Workplace, seen: Collection[Seen], said: Announced, stop: Callable[[], bool]
) -> None:
    """All that is due, one janitor at a time; `stop` is asked before each. Who would have to
    wait for long leaves it to the next, as plots of many studies may take many minutes."""
    if not _due(place):
        return
    try:
        with place.state.sweep(TELLING):
            while (due := _due(place)) and not stop():
                _tell(place, seen, said, due[0])
    except Locked:
        said.notes.append("another janitor writes the results of studies at this moment")


def _due(place: Workplace) -> list[Untold]:
    now = clock.read().wall
    return [each for each in place.journal.jobs.untold() if each.job.next_try <= now]


def _tell(place: Workplace, seen: Collection[Seen], said: Announced, untold: Untold) -> None:
    """Again and again, as long as the results can't be written or MLflow not be told, and no
    longer than a few hours: then a person has to see to it."""
    jobs, job = place.journal.jobs, untold.job
    why = "; ".join(filter(None, (_report(place, seen, said, untold), _track(place, job))))
    if why and untold.tries < len(AGAIN):
        rest = AGAIN[untold.tries]
        jobs.tell_later(job.id, untold.tries + 1, clock.read().wall + rest)
        said.notes.append(f"{why}; tried again in {format_duration(rest)}")
        return
    jobs.tell(job.id)
    if why:
        said.notes.append(f"{why}; not tried again")
    else:
        said.names.append(job.name)


def _report(place: Workplace, seen: Collection[Seen], said: Announced, untold: Untold) -> str:
    """Results and plots of the study, and of all in its file; why they could not be written, or
    "". Those of a later training stay, should that have come first."""
    job = untold.job
    later = [each for each in place.journal.jobs.all() if each.id > job.id and each.state in _OVER]
    if any(each.target == job.target for each in later):
        return ""
    snapshot = retrain.snapshot_of(place.settings.workspace, job.token)
    told = [Reported(job.study, job.path, job.model_type, job.trial)]
    for each in seen:
        path, name = each.known_by
        if each.model_type and path == job.path and name != job.study:
            best = each.standing.best
            told.append(Reported(name, path, each.model_type, best.number if best else None))
    try:
        notes = report(place, TELLING, snapshot, _folder(job), told, newest=not later)
    except StepFailed as error:
        return f"{job.name}: {error.message}"
    said.notes.extend(notes if not untold.tries else [])
    return ""


def _track(place: Workplace, job: Job) -> str:
    """Log the model in MLflow; why that could not be, or ""."""
    if job.state != "published" or place.journal.publications.is_undone(job.key):
        return ""
    (results,) = place.settings.folders.hpo_results
    plots = f"{results}/{_folder(job)}/{job.model_type}_visualizations"
    return tracking.log(place.settings, job.target, plots)


def _folder(job: Job) -> str:
    return job.target.split("/")[-2]
