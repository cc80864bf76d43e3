"""From finished studies to trainings, and from trainings to models: who is next, and why.

One key, one model: what the journal knows of a key, and what is published, decide whether it
is trained. A result that nobody wants any more, because its study has a better trial now, is
superseded: its training is cancelled, and what it made is not published.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from artifact_janitor.core.jobs import (
    ADOPTED,
    ATTEMPTS,
    BACKOFF,
    FAILURES,
    GONE,
    LATER,
    MODES,
    SEEDS,
    Job,
    JobState,
    Mode,
    Publication,
    Training,
    Wanted,
)
from artifact_janitor.core.model import Artifact
from artifact_janitor.core.plan import PUBLISH, RETRAIN, Step
from artifact_janitor.core.trainer import Retrain
from artifact_janitor.units import format_duration

AGAIN = "janitor retrain {}"


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a job, to be written down; its processes, if any are left, are ended."""

    job: Job
    state: JobState
    why: str
    next_try: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """What a person should know of one study. A question is one that only they can answer."""

    path: str
    name: str
    """The study's own, and as people call it."""
    study: str
    text: str
    hint: str = ""
    is_question: bool = False
    is_usual: bool = False
    """It goes on by itself, and nobody need see to it."""


@dataclass(frozen=True, slots=True)
class Handover:
    """What follows from studies and jobs."""

    steps: tuple[Step, ...] = ()
    settled: tuple[Settled, ...] = ()
    said: tuple[Said, ...] = ()
    jobs: tuple[Job, ...] = ()
    """All that were looked at, for whoever tells of them."""


def handover(
    wanted: Sequence[Wanted], jobs: Sequence[Job], published: Collection[str], now: int
) -> Handover:
    """Decide. `jobs` in the order of their intents, `published` the keys of models in place."""
    settled = [*_settled(wanted, jobs, now)]
    over = {each.job.id: each for each in settled}
    known = [_after(job, over.get(job.id)) for job in jobs]
    publish = [_publish(job) for job in known if _is_done(job)]
    retrain, said = _retrain(wanted, known, published, now)
    return Handover((*publish, *retrain), tuple(settled), tuple(said), tuple(known))


# ---------------------------------------------------------------- jobs that are over


def _settled(wanted: Iterable[Wanted], jobs: Sequence[Job], now: int) -> Iterator[Settled]:
    best = {(each.path, each.study): each for each in wanted}
    for job in jobs:
        now_best = best.get((job.path, job.study))
        if not job.is_active:
            continue
        if now_best and now_best.key != job.key:
            yield Settled(job, "superseded", _better(now_best, job))
        elif state := _OVER.get(job.live):
            yield Settled(job, state, job.live_why, _next_try(state, job, jobs, now))


_OVER: Mapping[str, JobState] = {
    "FAILED": "failed",
    "LATER": "later",
    "CANCELLED": "cancelled",
    "LOST": "lost",
    GONE: "lost",
}


def _better(best: Wanted, job: Job) -> str:
    if best.trial == job.trial and best.value == job.value:
        return "it is to be trained in another way now"
    return f"trial {best.trial} ({best.value:.6g}) came before trial {job.trial} ({job.value:.6g})"


def _next_try(state: JobState, job: Job, jobs: Iterable[Job], now: int) -> int:
    before = [each for each in _tries(job.key, jobs) if each.id != job.id]
    if state == "later":
        asked = sum(each.state == "later" for each in before)
        return now + LATER[min(asked, len(LATER) - 1)]
    if state in FAILURES:
        failed = sum(each.state in FAILURES for each in before)
        return now + BACKOFF[min(failed, len(BACKOFF) - 1)]
    return 0


def _tries(key: str, jobs: Iterable[Job]) -> list[Job]:
    """The attempts at a key since a person last asked for it."""
    tries: list[Job] = []
    for job in jobs:
        if job.key == key:
            tries = [job] if job.by_person else [*tries, job]
    return tries


def _after(job: Job, settled: Settled | None) -> Job:
    if settled is None:
        return job
    return replace(job, state=settled.state, why=settled.why, next_try=settled.next_try)


def _is_done(job: Job) -> bool:
    """Whether it waits to be published. A study that can't be read now takes nothing back."""
    return job.is_active and job.live == "SUCCEEDED"


def _publish(job: Job) -> Step:
    reached = "" if job.metric is None else f" reached {job.metric:.6g}"
    how = {
        "adopt": "its own model",
        "replay": "trained again with its seed",
        "refit": "trained anew",
    }
    why = f"{how[job.mode]}{reached}; trial {job.trial} had {job.value:.6g}"
    return Step(
        PUBLISH, Artifact(job.target, "model", job.submitted), (why,), handover=Publication(job)
    )


# ---------------------------------------------------------------- studies that wait


def _retrain(
    wanted: Iterable[Wanted], jobs: Sequence[Job], published: Collection[str], now: int
) -> tuple[list[Step], list[Said]]:
    steps, said = [], []
    busy = sum(job.occupies for job in jobs)
    began: set[str] = set()
    for each in sorted(wanted, key=lambda each: (not each.by_person, each.since, each.path)):
        found = _one(each, jobs, published, now)
        if isinstance(found, Training) and each.key not in began:
            trains = found.mode != "adopt" and not (found.job and found.job.occupies)
            if trains and each.row and busy >= each.row.parallel:
                why = f"waits: {_running(busy)} (parallel = {each.row.parallel})"
                said.append(replace(_said(each, why), is_usual=True))
                continue
            busy += trains
            began.add(each.key)
            steps.append(_step(found))
        elif isinstance(found, Said):
            said.append(found)
    return steps, said


def _running(count: int) -> str:
    return "1 training is running" if count == 1 else f"{count} trainings are running"


def _step(training: Training) -> Step:
    wanted = training.wanted
    best = f"trial {wanted.trial} is best, with {wanted.value:.6g}: {training.mode}"
    again = (f"try {training.attempt}",) if training.attempt > 1 else ()
    asked = ("a person asked for it",) if wanted.by_person else (wanted.why,)
    study = Artifact(wanted.path, "study", wanted.since)
    return Step(RETRAIN, study, (*asked, best, *again), handover=training)


def _one(
    wanted: Wanted, jobs: Sequence[Job], published: Collection[str], now: int
) -> Training | Said | None:
    """The next training for one study, or why there is none."""
    if wanted.row is None:
        why = "no [[retrain]] in config.toml governs it"
        return _said(wanted, why, is_question=True) if wanted.by_person else None
    if wanted.question:
        return _said(wanted, wanted.question, is_question=True)
    every = [job for job in jobs if job.key == wanted.key]
    last = every[-1] if every else None
    if last and last.is_active:
        return _begun(wanted, last)
    if not wanted.by_person and (held := _held(wanted, last, jobs, published, now)):
        return held[0]
    mode = _mode(wanted, wanted.row)
    if isinstance(mode, Said):
        return mode
    return Training(wanted, mode, max((job.attempt for job in every), default=0) + 1)


def _begun(wanted: Wanted, job: Job) -> Training | None:
    """What was journalled, and never started, is started; all else goes its way."""
    return Training(wanted, job.mode, job.attempt, job) if job.live == "PENDING" else None


def _held(
    wanted: Wanted, last: Job | None, jobs: Sequence[Job], published: Collection[str], now: int
) -> tuple[Said | None] | None:
    """Why it is not trained by itself, at least not now; (None,) where there is no more to say."""
    if not wanted.is_finished or wanted.key in published:
        return (None,)
    if last is None:
        return _too_old(wanted, jobs)
    again = AGAIN.format(_quoted(wanted.name))
    if last.state in (*FAILURES, "later"):
        failed = sum(job.state in FAILURES for job in _tries(wanted.key, jobs))
        if failed >= ATTEMPTS:
            why = f"failed {failed} times, the last time: {last.why}"
            return (_said(wanted, why, again, is_question=True),)
        rest = last.next_try - now
        why = f"{last.why}; tried again in {format_duration(rest)}"
        return (_said(wanted, why),) if rest > 0 else None
    if text := _ENDS.get(last.state):
        return (_said(wanted, f"{text}{last.why and ': '}{last.why}", again),)
    return None  # superseded, and the best again


_ENDS: Mapping[str, str] = {
    "rejected": "rejected",
    "undone": "its publication was undone",
    "cancelled": "its training was cancelled",
    "published": "its model was published, and is gone since",
}


def _too_old(wanted: Wanted, jobs: Iterable[Job]) -> tuple[Said] | None:
    """The first look at an old project trains nothing; what was trained before goes on."""
    age = wanted.first_seen - wanted.since
    known = any((job.path, job.study) == (wanted.path, wanted.study) for job in jobs)
    if known or wanted.row is None or age <= wanted.row.max_age:
        return None
    limit = format_duration(wanted.row.max_age)
    why = f"finished {format_duration(age)} before the janitor first saw it (max_age {limit})"
    return (_said(wanted, why, AGAIN.format(_quoted(wanted.name))),)


def _mode(wanted: Wanted, row: Retrain) -> Mode | Said:
    """How it is trained, or what a person must give first."""
    asked = next((mode for mode in MODES if mode == row.mode), None)
    if asked is None:
        asked = "adopt" if wanted.adopts else "replay" if wanted.has_seed else "refit"
    if asked == "adopt":
        why = wanted.not_adopted or f"trial {wanted.trial} names no model file ({ADOPTED})"
        return "adopt" if wanted.adopts else _said(wanted, why, is_question=True)
    if asked == "replay" and not wanted.has_seed:
        why = f"trial {wanted.trial} recorded no seed ({' or '.join(SEEDS)})"
        return _said(wanted, why, is_question=True)
    if not row.command and not row.function:
        why = f"{_row(row)} names neither command nor function: nothing can be trained"
        return _said(wanted, why, is_question=True)
    return asked


def _row(row: Retrain) -> str:
    return f'[[retrain]] of config.toml with studies = "{row.studies}"'


def _said(wanted: Wanted, text: str, hint: str = "", *, is_question: bool = False) -> Said:
    return Said(wanted.path, wanted.study, wanted.name, text, hint, is_question)


def _quoted(name: str) -> str:
    return name if name.isascii() and name.isprintable() and " " not in name else repr(name)
