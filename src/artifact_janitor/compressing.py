"""Compress logs: written beside the log, read back, named, and only then the log itself goes to
the trash (S9).

Writing holds no lock. As long as the log is at its place when a step is over, its compressed
form was for nothing and goes; else it may be all that is left, and stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from artifact_janitor import clock
from artifact_janitor.apply import compress
from artifact_janitor.apply.compress import Made
from artifact_janitor.compressed import is_home, looks, withdrawn
from artifact_janitor.core.compressing import SUFFIX
from artifact_janitor.core.model import Artifact
from artifact_janitor.core.plan import Plan, Step
from artifact_janitor.errors import Locked, StepFailed, StepSkipped
from artifact_janitor.execution import Execution, Options
from artifact_janitor.journal import Move
from artifact_janitor.journal import Step as Begun
from artifact_janitor.observe.examine import fingerprint_of
from artifact_janitor.observe.survey import Survey
from artifact_janitor.observe.tree import entry_of
from artifact_janitor.outcome import GIVEN_UP, Asks, Outcome
from artifact_janitor.units import SECOND
from artifact_janitor.workplace import Workplace

TOGETHER = SECOND
"""How long logs that were compressed wait for others, to go to the trash together."""
MANY = 32
"""How many of them may wait."""

Tick = Callable[[str, int, int], None]
"""What is being done, how many bytes are done, of how many."""


@dataclass(frozen=True, slots=True)
class _Tried:
    """A step that was begun: either its compressed file has its name, or it is over."""

    step: Step
    number: int
    made: Made | None = None
    over: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Compressing:
    """A sweep under the name `sweep` that compresses."""

    place: Workplace
    survey: Survey
    sweep: str
    options: Options
    tick: Tick = lambda _what, _done, _total: None
    asks: Asks = lambda _: ""

    def of(self, plan: Plan, steps: Iterable[Step], stop: Callable[[], bool]) -> Iterator[Outcome]:
        """Try each of these steps of a plan, in order."""
        execution = Execution(self.place, self.survey, self.sweep, self.options)
        waiting: list[_Tried] = []
        since = 0
        for step in steps:
            since = since if waiting else clock.awake()
            if hindered := execution.hindered(plan, step, stop):
                yield from self._finished(execution, waiting)
                yield hindered
                waiting = []
                continue
            waiting.append(self._begun(execution, step, stop))
            if len(waiting) == MANY or clock.awake() - since > TOGETHER:
                yield from self._finished(execution, waiting)
                waiting = []
        yield from self._finished(execution, waiting)

    def _begun(self, execution: Execution, step: Step, stop: Callable[[], bool]) -> _Tried:
        number = execution.announced(step)
        try:
            if why := self.asks(step):
                raise StepSkipped(why)
            execution.check(step)  # what would stand in the way is better known before long work
            return _Tried(step, number, self._named(step, number, self._progress(step, stop)))
        except StepSkipped as error:
            outcome = Outcome(step, "skipped", error.in_full)
        except Locked as error:
            outcome = Outcome(step, "skipped", error.message, "locked")
        except StepFailed as error:
            outcome = Outcome(step, "failed", error.in_full)
        return _Tried(step, number, over=outcome)

    def _named(self, step: Step, number: int, tick: compress.Tick) -> Made:
        """Durable, read back, journalled, and at its place when this returns."""
        ground, target = self.place.ground, step.path + SUFFIX
        if ground.has(target):
            raise StepSkipped(f"{target} is there already")
        part = compress.part_of(ground, self.sweep, step.path, number)
        level = self.place.settings.archive.level
        order = compress.Order(step.path, part, level, _sameness(step.artifact))
        made = compress.write(ground, order, tick)
        looked = looks(made.marks, ground.stat(step.path).st_ino)
        move = Move(target, part, made.dev, made.ino)
        self.place.journal.compressions.ready(number, looked, move)
        try:
            with self.place.state.step():
                compress.place(ground, made, target)
        except (StepSkipped, StepFailed, Locked):
            compress.discard(ground, part)
            raise
        return made

    def _progress(self, step: Step, stop: Callable[[], bool]) -> compress.Tick:
        """Tells how far it is, and gives it up where it is to end."""
        done = dict.fromkeys(("compressing", "reading back"), 0)

        def tick(what: str, size: int) -> None:
            if stop():
                raise StepSkipped(GIVEN_UP)
            done[what] += size
            self.tick(what, done[what], max(step.artifact.bytes, done[what]))

        return tick

    def _finished(self, execution: Execution, tried: Sequence[_Tried]) -> Iterator[Outcome]:
        """The logs go as any other unit does, with all that is asked before."""
        going = [_as_trash(each.step) for each in tried if each.made]
        alone = Plan(self.sweep, clock.read().wall, tuple(going), (), ())
        outcomes = execution.of(alone, lambda: False)
        found = [self._settled(each, each.over or next(outcomes)) for each in tried]
        compress.tidy(self.place.ground, self.sweep)
        yield from found

    def _settled(self, tried: _Tried, outcome: Outcome) -> Outcome:
        """By where the log is, however its step to the trash came out."""
        journal, made, why = self.place.journal, tried.made, outcome.why
        begun = journal.step(tried.number)
        if made and not is_home(self.place.ground, begun.path, begun.fingerprint):
            journal.settle(begun.id, "done", why, clock.read().wall)
            return replace(outcome, step=_as_done(tried.step, made))
        if made:
            why = "; ".join(filter(None, (why, self._withdrawn(begun))))
        journal.settle(begun.id, outcome.outcome, why, clock.read().wall)
        return replace(outcome, step=tried.step, why=why)

    def _withdrawn(self, begun: Begun) -> str:
        try:
            with self.place.state.step():
                return withdrawn(self.place, begun)
        except Locked as error:
            return f"{begun.path}{SUFFIX} stays: {error.message}"


def _sameness(artifact: Artifact) -> Callable[[os.stat_result], bool]:
    """Whether a file is the one that was looked at (S11)."""
    return lambda status: fingerprint_of(entry_of(status)) == artifact.fingerprint


def _as_trash(step: Step) -> Step:
    """The log itself gives back all that it takes."""
    whole = replace(step.artifact, frees=step.artifact.frees + step.made)
    name = step.path.rpartition("/")[2] + SUFFIX
    return replace(step, do="trash", artifact=whole, reasons=(f"compressed as {name}",), made=0)


def _as_done(step: Step, made: Made) -> Step:
    """With what it really frees."""
    frees = step.artifact.frees + step.made - made.bytes
    return replace(step, artifact=replace(step.artifact, frees=frees), made=made.bytes)
