"""Trainings that a person ends, that a killed janitor left between two words, or that are long
over: what becomes of them without a look at any study.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress

from artifact_janitor import clock
from artifact_janitor.apply import retrain
from artifact_janitor.core.jobs import Job
from artifact_janitor.errors import Locked, StepFailed, StepSkipped
from artifact_janitor.executors import Executor
from artifact_janitor.workplace import Workplace


def cancel(place: Workplace, executor: Executor, studies: Collection[tuple[str, str]]) -> list[Job]:
    """End the trainings of these studies, by file and name; those that were ended. A study whose
    training was cancelled is not trained again by itself. Raises Locked, StepFailed."""
    with place.state.handover():
        ended = [
            job
            for job in place.journal.jobs.all()
            if job.is_active and (job.path, job.study) in studies
        ]
        for job in ended:
            if (handle := executor.find(job.token)) is not None:
                executor.cancel(handle)
            now = clock.read().wall
            place.journal.jobs.turn(job.id, "cancelled", "a person cancelled it", now)
    return ended


def recover(place: Workplace, executor: Executor) -> list[str]:
    """Finish or roll back what a killed janitor was about to train; says what it found (S12)."""
    if not any(job.state == "intended" for job in place.journal.jobs.all()):
        return []
    try:
        with place.state.handover():
            return [*_recovered(place, executor)]
    except Locked:
        return []  # whoever holds it is at work on them


def _recovered(place: Workplace, executor: Executor) -> Iterator[str]:
    """A folder that is a job goes on as one, whether it was begun or not; any other goes."""
    now = clock.read().wall
    for job in place.journal.jobs.all():
        if job.state != "intended":
            continue
        try:
            if (handle := executor.find(job.token)) is not None:
                executor.resume(handle)
                place.journal.jobs.turn(job.id, "submitted", "", now)
                yield f"{job.name} is trained"
            else:
                retrain.discard(place.ground, job.token)
                place.journal.jobs.forget(job.id)
                yield f"{job.name} was not trained yet"
        except (StepSkipped, StepFailed) as error:
            yield f"{job.name} was interrupted: {error.message}"


def tidy(place: Workplace, executor: Executor, keep: int) -> None:
    """Remove the folders of jobs that ended longer than `keep` ago, in nanoseconds."""
    now = clock.read().wall
    untold = {each.job.id for each in place.journal.jobs.untold()}  # their copies are still needed
    for job in place.journal.jobs.all():
        if job.is_active or now - job.ended < keep or job.id in untold:
            continue
        handle = executor.find(job.token)
        if handle and executor.status(handle).is_over:
            with suppress(StepSkipped, StepFailed):
                retrain.discard(place.ground, job.token)
