"""From finished studies to published models: look, and carry out what `core.handover` decides.

All of it under a lock of its own, so that it never waits for an archive, nor an archive for it
(S13). Each intent is in the journal, under its key, before anything is made on the disk; what
the journal and the executor know is asked again under the lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from artifact_janitor import clock
from artifact_janitor.announcing import Announced, announce
from artifact_janitor.apply import retrain
from artifact_janitor.apply.retrain import JOBS, Order
from artifact_janitor.config import Settings
from artifact_janitor.core import study
from artifact_janitor.core.handover import Handover, Settled, handover
from artifact_janitor.core.jobs import (
    ADOPTED,
    Job,
    JobState,
    Publication,
    Training,
    Wanted,
    token_of,
)
from artifact_janitor.core.model import is_within
from artifact_janitor.core.plan import RETRAIN, Step
from artifact_janitor.core.wanted import DERIVED, Asked, Known, wanted
from artifact_janitor.errors import Locked, StepFailed, StepSkipped, hinted
from artifact_janitor.executors import Executor, Handle, systemd
from artifact_janitor.executors.local import Local
from artifact_janitor.journal import Intent, Journal
from artifact_janitor.observe import jobs as observed
from artifact_janitor.observe import optuna_files, study_copy
from artifact_janitor.observe.jobs import Progress
from artifact_janitor.observe.opcodes import Flawed
from artifact_janitor.observe.trained import read_model
from artifact_janitor.offering import offer
from artifact_janitor.outcome import SAME, Outcome
from artifact_janitor.studying import Seen, Studies, study_all
from artifact_janitor.trainings import tidy
from artifact_janitor.units import MINUTE
from artifact_janitor.workplace import Workplace

_TURNS: dict[str, JobState] = {
    "published": "published",
    SAME: "published",
    "rejected": "rejected",
}
"""What becomes of a job by what came of its publication."""
PREPARED_LATER = 5 * MINUTE
"""How long after a job could not be prepared, on a full disk say, it is tried again."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of studies and jobs, and what follows."""

    handover: Handover = field(default_factory=Handover)
    studies: Studies = field(default_factory=lambda: Studies((), (), 0))

    @property
    def notes(self) -> list[str]:
        """What a person should know of studies."""
        return [*self.troubles, *self.waiting]

    @property
    def troubles(self) -> list[str]:
        """Those of them that a person should see to."""
        return self._said(usual=False)

    @property
    def waiting(self) -> list[str]:
        return self._said(usual=True)

    def _said(self, *, usual: bool) -> list[str]:
        found = (each for each in self.handover.said if each.is_usual == usual)
        return [hinted(f"{each.study}: {each.text}", each.hint) for each in found]

    @property
    def unreadable(self) -> list[str]:
        """Where there may be studies that nobody sees until a person lets them be read."""
        broken = (each for each in self.studies.broken if each.kind == optuna_files.UNREADABLE)
        return [hinted(f"{each.path}: {each.why}", each.hint) for each in broken]

    def study(self, path: str, name: str) -> Seen | None:
        """A study by its file and its name, if it can be seen now."""
        seen = self.studies.seen
        return next((each for each in seen if each.known_by == (path, name)), None)


@dataclass(frozen=True, slots=True)
class Standing:
    """A job, and how far it is by its own word."""

    job: Job
    progress: Progress | None = None


def executor_of(settings: Settings) -> Executor:
    """A service gives trainings to systemd, so that its restart ends none; all else begins them
    itself, and both know those of the other."""
    jobs, whose = settings.workspace / JOBS, systemd.asked_for(os.environ)
    return systemd.Systemd(jobs, whose) if whose else Local(jobs)


def look(
    settings: Settings,
    journal: Journal | None,
    now: clock.Reading,
    asked: Asked | None = None,
    known: optuna_files.Known | None = None,
) -> Sight:
    """Observe, and decide; changes nothing. Who looks again hands in the same `known`."""
    found = study_all(settings, journal, now, known=known)
    rows = journal.jobs.all() if journal else ()
    jobs = [
        replace(job, state="undone") if _is_undone(job, journal) else job
        for job in observed.live(rows, executor_of(settings))
    ]
    same = journal.publications.same() if journal else ()
    place = observed.in_place(settings.workspace, settings.folders.models[0], same)
    every = [*wants(settings, found.seen, asked)]
    keys = {job.key for job in jobs} | place
    fresh = [_adopting(settings, each, found.seen) if _asks(each, keys) else each for each in every]
    return Sight(handover(fresh, jobs, place, now.wall), found)


def _is_undone(job: Job, journal: Journal | None) -> bool:
    published = job.state == "published" and journal is not None
    return published and journal is not None and journal.publications.is_undone(job.key)


def standings(settings: Settings, journal: Journal | None) -> list[Standing]:
    """All trainings that the journal knows, in the order of their intents, and how far each is."""
    executor, rows = executor_of(settings), journal.jobs.all() if journal else ()
    return [_far(each, executor) for each in observed.live(rows, executor)]


def _far(job: Job, executor: Executor) -> Standing:
    handle = executor.find(job.token) if job.live == "RUNNING" else None
    return Standing(job, observed.progress(handle) if handle else None)


def _asks(each: Wanted, known: set[str]) -> bool:
    """Whether it may be trained soon, so that the file of its trial is worth a look."""
    return each.by_person or (each.is_finished and each.key not in known)


def wants(settings: Settings, seen: Iterable[Seen], asked: Asked | None) -> Iterator[Wanted]:
    """Which models these studies ask for, or would once they are finished."""
    models = settings.folders.models[0]
    for each in seen:
        folder = f"{models}/{DERIVED}/{each.place}"
        known = Known(each.standing, each.model_type, folder, each.governed)
        if (found := wanted(known, asked)) is not None:
            yield found


def _adopting(settings: Settings, want: Wanted, seen: Iterable[Seen]) -> Wanted:
    """With the model that the trial left, where it is one as it should be."""
    standing = next(each.standing for each in seen if each.known_by == (want.path, want.study))
    said = standing.best.user_attrs.get(ADOPTED) if standing.best else None
    if not isinstance(said, str) or not said:
        return want
    base = settings.workspace
    try:
        real = os.path.realpath(base / said)
        if not is_within(real, os.path.realpath(base)):
            raise Flawed("it lies outside the workspace")
        read_model(Path(real))
    except (Flawed, ValueError) as flaw:
        return replace(want, not_adopted=f"trial {want.trial} names {said!r}, but {flaw}")
    return replace(want, adopts=real)


@dataclass(frozen=True, slots=True)
class HandingOver:
    """A sweep under the name `sweep` that hands studies over."""

    place: Workplace
    sight: Sight
    sweep: str
    tells: bool = True
    """False leaves the results, which take seconds, to a sweep that nobody waits for."""
    announced: Announced = field(default_factory=Announced)

    @property
    def executor(self) -> Executor:
        return executor_of(self.place.settings)

    def of(self, steps: Collection[Step], stop: Callable[[], bool]) -> Iterator[Outcome]:
        """Write down what became of jobs, try each of these steps, and tell of them."""
        yield from self._tried(steps, stop)
        self._announce(stop)

    def _tried(self, steps: Collection[Step], stop: Callable[[], bool]) -> Iterator[Outcome]:
        """Where there is nothing to do, nobody is waited for."""
        if not steps and not self.sight.handover.settled:
            return
        try:
            with self.place.state.handover():
                self.settle()
                for step in steps:
                    if stop():
                        yield Outcome(step, "skipped", "interrupted before it began")
                    else:
                        yield self._one(step)
                tidy(self.place, self.executor, self.place.settings.safety.trash_keep)
        except Locked as error:
            yield from (Outcome(step, "skipped", error.message, "locked") for step in steps)

    def settle_alone(self, stop: Callable[[], bool]) -> None:
        """What became of jobs, where there is nothing else to do."""
        if self.sight.handover.settled:
            with suppress(Locked), self.place.state.handover():
                self.settle()
        self._announce(stop)

    def _announce(self, stop: Callable[[], bool]) -> None:
        if self.tells:
            announce(self.place, self.sight.studies.seen, self.announced, stop)

    def settle(self) -> None:
        """What became of jobs, if nobody wrote it down meanwhile. A training that nobody wants
        is ended; what a lost one left behind is ended before the next of its key begins."""
        for each in self.sight.handover.settled:
            now = self._now(each.job)
            if now is None or not now.is_active:
                continue
            handle = self.executor.find(each.job.token)
            if handle:
                self._end(each, handle)
            self.place.journal.jobs.turn(
                each.job.id, each.state, each.why, clock.read().wall, each.next_try
            )

    def _end(self, settled: Settled, handle: Handle) -> None:
        if settled.state == "superseded":
            self.executor.cancel(handle)
        if settled.state == "lost":
            self.executor.bury(handle)

    def _now(self, job: Job) -> Job | None:
        """The same job as the journal has it at this moment."""
        return next((each for each in self.place.journal.jobs.all() if each.id == job.id), None)

    def _one(self, step: Step) -> Outcome:
        journal, now = self.place.journal, clock.read().wall
        try:
            if isinstance(step.handover, Publication):
                return self._publish(step, step.handover.job)
            assert isinstance(step.handover, Training)
            self._check(step.handover)
            intent = Intent(
                RETRAIN,
                "study",
                step.path,
                fingerprint=step.handover.wanted.key,
                reasons=step.reasons,
            )
            (number,) = journal.intend(self.sweep, [intent], now)
            outcome = self._train(step, step.handover)
            journal.settle(number, outcome.outcome, outcome.why, clock.read().wall)
        except StepSkipped as error:
            return Outcome(step, "skipped", error.message)
        return outcome

    def _check(self, training: Training) -> None:
        """Another janitor may have been here. Raises StepSkipped."""
        mine = [job for job in self.place.journal.jobs.all() if job.key == training.wanted.key]
        last = mine[-1] if mine else None
        if training.job and last and last.id == training.job.id and last.is_active:
            return
        if last and (last.is_active or last.attempt >= training.attempt):
            raise StepSkipped("another janitor is at it")

    def _train(self, step: Step, training: Training) -> Outcome:
        jobs, wants = self.place.journal.jobs, training.wanted
        token = token_of(wants.key, training.attempt)
        job = training.job or jobs.intend(
            wants, token, training.attempt, training.mode, clock.read().wall
        )
        try:
            self._bury_others(job)
            order = self._order(job, training)
            retrain.submit(self.place.ground, self.executor, order, clock.read().wall)
        except (StepSkipped, StepFailed) as error:
            if self.executor.find(token) is None:
                with suppress(StepFailed):
                    retrain.discard(self.place.ground, token)
            now = clock.read().wall
            jobs.turn(job.id, "later", error.message, now, now + PREPARED_LATER)
            said = "skipped" if isinstance(error, StepSkipped) else "failed"
            return Outcome(step, said, error.message)  # type: ignore[arg-type]
        jobs.turn(job.id, "submitted", "", clock.read().wall)
        return Outcome(step, "done")

    def _bury_others(self, job: Job) -> None:
        """Never two trainings of one key: what is left of an earlier one is ended first."""
        for each in self.place.journal.jobs.all():
            other = each.key == job.key and each.id != job.id
            if other and (handle := self.executor.find(each.token)):
                if not self.executor.status(handle).is_over:  # it may wait for a runner for ever
                    self.executor.cancel(handle)
                if not self.executor.status(handle).is_over:
                    raise StepSkipped("the training before it is still being ended")
                self.executor.bury(handle)

    def _order(self, job: Job, training: Training) -> Order:
        wants = training.wanted
        seen = self.sight.study(wants.path, wants.study)
        if seen is None or seen.standing.best is None or wants.row is None:
            raise StepSkipped("the study can't be seen any more")
        about, row, trial = seen.standing.study, wants.row, seen.standing.best
        source = self.place.settings.workspace / about.path
        return Order(
            job,
            trial,
            about.directions,
            row,
            partial(study_copy.copy, source),
            (seen.standing.objective + 1, _name_of(seen.standing)),
            study_copy.JOURNAL if about.is_journal else ".db",
            Path(wants.adopts) if job.mode == "adopt" else None,
        )

    def _publish(self, step: Step, job: Job) -> Outcome:
        """What was written down, and can't be carried out now, waits for the next sweep."""
        seen = self.sight.study(job.path, job.study)
        now = self._now(job)
        if now is None or not now.is_active:
            raise StepSkipped("another janitor is at it")
        try:
            found = offer(self.place, self.sweep, job, seen.governed if seen else None)
        except StepFailed as error:
            return Outcome(step, "failed", error.message)
        turned: JobState | None = _TURNS.get(found.outcome)
        if turned:
            why = found.why if turned == "rejected" else ""
            self.place.journal.jobs.turn(job.id, turned, why, clock.read().wall)
        if turned == "rejected":
            return Outcome(step, "skipped", f"REJECTED: {found.why}", "rejected")
        if turned:
            return Outcome(step, "done", found.why, SAME if found.outcome == SAME else "")
        return Outcome(step, "failed" if found.outcome == "failed" else "skipped", found.why)


def _name_of(standing: study.Standing) -> str:
    names = standing.study.metrics
    return names[standing.objective] if standing.objective < len(names) else "value"
