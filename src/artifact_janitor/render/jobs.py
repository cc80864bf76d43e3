"""Trainings: their rows in plans and reports, and how they go on, in words and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from artifact_janitor.core.jobs import Job, Publication, Training, token_of
from artifact_janitor.core.manual import Finished
from artifact_janitor.core.plan import PUBLISH, RETRAIN, Step
from artifact_janitor.handing_over import Standing
from artifact_janitor.observe.jobs import Progress
from artifact_janitor.render.words import Row, plural, shown
from artifact_janitor.units import format_duration

FEW = 5
"""Jobs that ``janitor status`` names."""


def of_handover(step: Step) -> dict[str, Any]:
    """What a plan's row says beyond its path, for programs."""
    match step.handover:
        case Training(wanted=wanted, mode=mode, attempt=attempt):
            trial = {"trial": wanted.trial, "attempt": attempt}
            about = {"study": wanted.study, "model_type": wanted.model_type, "key": wanted.key}
            return {**about, "mode": mode, **trial, "job": token_of(wanted.key, attempt)}
        case Publication(job=job):
            return of_job(job)
        case Finished(run=run, model_type=model_type):
            return {"run": run, "model_type": model_type}
    return {}


def of_job(job: Job) -> dict[str, Any]:
    return {
        "study": job.study,
        "model_type": job.model_type,
        "key": job.key,
        "mode": job.mode,
        "trial": job.trial,
        "attempt": job.attempt,
        "job": job.token,
    }


def name_of(step: Step) -> str:
    """A step as people call it: a training by its study, all else by its path."""
    return step.handover.wanted.name if isinstance(step.handover, Training) else step.path


def handover_row(step: Step, now: int) -> Row:
    at = step.artifact.time
    age = format_duration(now - at) if at <= now else "future"
    return step.do, name_of(step), "", age, ", ".join(step.reasons)


def handed(steps: Sequence[Step], trained: str, published: str) -> Iterator[str]:
    """How many models are trained and published."""
    for do, said in ((RETRAIN, trained), (PUBLISH, published)):
        if count := sum(step.do == do for step in steps):
            yield f"{plural(count, 'model')} {said}"


def of_standing(each: Standing) -> dict[str, Any]:
    job, far = each.job, each.progress
    told = (
        {"epoch": far.epoch, "epochs": far.epochs, "metric": far.metric, "name": far.name}
        if far
        else None
    )
    return {
        **of_job(job),
        "path": job.path,
        "target": job.target,
        "state": job.state,
        "live": job.live or None,
        "why": job.live_why or job.why,
        "progress": told,
        "log": f".janitor/jobs/{job.token}/log.txt",
    }


def said(each: Standing) -> str:
    """How a job stands, in some words: ``retraining, epoch 31/50, val_f1 0.61, 12 min left``."""
    job, far = each.job, each.progress
    if job.is_active and job.live == "RUNNING":
        return ", ".join(["retraining", *(_far(far, job) if far else ())])
    if job.is_active and job.live == "SUCCEEDED":
        return "trained, waits to be published: janitor run"
    if job.is_active and job.live in ("PENDING", ""):
        return "waits to be started: janitor run"
    why = job.live_why or job.why
    word = {"RUNNING": "is being ended"}.get(job.live, job.state)
    return f"{word}: {why}" if why else word


def _far(far: Progress, job: Job) -> Iterator[str]:
    yield f"epoch {far.epoch}/{far.epochs}" if far.epochs else f"epoch {far.epoch}"
    if far.metric is not None:
        yield f"{far.name} {far.metric:.4g}"
    if (left := far.left(job.submitted)) is not None:
        yield f"{format_duration(left)} left"


def newest(standings: Iterable[Standing]) -> list[Standing]:
    """The last attempt at each model."""
    found: dict[str, Standing] = {}
    for each in standings:
        found.pop(each.job.target, None)
        found[each.job.target] = each
    return [*found.values()]


def status_rows(standings: Sequence[Standing]) -> Iterator[str]:
    """For ``janitor status``: what runs first, then the newest."""
    last = newest(standings)[::-1]
    last.sort(key=lambda each: not each.job.is_active)
    wide = max((len(shown(each.job.name)) for each in last[:FEW]), default=0)
    for number, each in enumerate(last[:FEW]):
        label = "" if number else "jobs"
        yield f"{label:<10} {shown(each.job.name):<{wide}}  {shown(said(each))}"
    if len(last) > FEW:
        yield f"{'':<11}… and {len(last) - FEW} more (janitor status --json)"
