"""Carry out the steps of a plan, each under the lock, each looked at again first.

A unit is looked at again in full immediately before its rename. After the rename nobody
finds it under its name any more; then all processes are looked at, and what one of them
holds is put back. One such look serves all units that were renamed shortly before: it comes
after each of these renames, so whoever got hold of a unit before it went still shows.
Until then nothing is reported as done, and a janitor that is killed leaves what it always
could: a unit in the trash whose step is still intended, which the next start finishes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal

from artifact_janitor import clock
from artifact_janitor.apply import trash
from artifact_janitor.core.model import Trashed, is_within
from artifact_janitor.core.plan import Plan, Step
from artifact_janitor.errors import Locked, StepFailed, StepSkipped
from artifact_janitor.journal import Intent, Move
from artifact_janitor.observe import recheck, workers
from artifact_janitor.observe.examine import fingerprint_of
from artifact_janitor.observe.liveness import Activity, Moment, activity, in_use
from artifact_janitor.observe.survey import Survey
from artifact_janitor.observe.tree import Entry, Folder
from artifact_janitor.units import SECOND
from artifact_janitor.workplace import Workplace

FRESH = SECOND
"""How old a look at all processes may be before a step; after renames comes a new one."""
JUST_NOW = SECOND // 2
"""How old a worker's look at a unit may be before its rename; an older one is repeated."""
AHEAD = 2
"""How many units beyond the next one workers look at, before it is their turn."""
TOGETHER = SECOND // 2
"""How long units that were renamed may wait for the look at all processes."""
MANY = 32
"""How many of them may wait."""
LARGE = 10_000
"""For a unit with more files than this they don't wait: it takes long to look at."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a person asked: `by_person` overrides the guards."""

    by_person: bool = False
    command: str = "run"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one step came out; ``code`` says "guard" or "locked" where that was the cause."""

    step: Step
    outcome: Literal["done", "skipped", "failed"]
    why: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class _Tried:
    """A step that was tried; `moves` are the renames that stand, `at` is since boot."""

    number: int
    outcome: Outcome
    moves: tuple[Move, ...]
    at: int


class Execution:
    """One sweep that is being carried out under the name `sweep`."""

    def __init__(self, place: Workplace, survey: Survey, sweep: str, options: Options) -> None:
        self.place = place
        self.survey = survey
        self.sweep = sweep
        self.options = options
        self._activity: tuple[int, Activity] = (-FRESH, Activity())
        """The last look at all processes, and when that was, since boot."""

    def of(self, plan: Plan, stop: Callable[[], bool]) -> Iterator[Outcome]:
        """Try each step of the plan, in order."""
        free = []
        for step in plan.steps:
            if held := plan.held_back(step, by_person=self.options.by_person):
                yield Outcome(step, "skipped", f"held back: {held.message}", "guard")
            else:
                free.append(step)
        yield from self._all(free, stop)

    def _all(self, steps: list[Step], stop: Callable[[], bool]) -> Iterator[Outcome]:
        """Write all intents down at once, then carry them out, some of them together."""
        intents = [self._intent(step) for step in steps]
        numbers = self.place.journal.intend(self.sweep, intents, clock.read().wall)
        together: list[_Tried] = []
        attempts = self._tried(steps, numbers, [each.moves for each in intents], stop)
        for tried, upcoming in zip(attempts, [*steps[1:], None], strict=False):
            together.append(tried)
            if upcoming is None or _is_due(together, upcoming):
                yield from self._confirmed(together)
                together = []

    def _tried(
        self,
        steps: Sequence[Step],
        numbers: Sequence[int],
        moves: Sequence[tuple[Move, ...]],
        stop: Callable[[], bool],
    ) -> Iterator[_Tried]:
        locked: Locked | None = None
        with closing(workers.answers(self._objections, steps, AHEAD)) as said:
            for step, number, planned in zip(steps, numbers, moves, strict=True):
                stood: tuple[Move, ...] = ()
                if locked or stop():
                    why = locked.message if locked else "interrupted before it began"
                    outcome = Outcome(step, "skipped", why, "locked" if locked else "")
                else:
                    try:
                        outcome, stood = self._one(step, number, planned, next(said))
                    except Locked as error:
                        locked = error
                        outcome = Outcome(step, "skipped", error.message, "locked")
                yield _Tried(number, outcome, stood, clock.awake())

    def _confirmed(self, together: Sequence[_Tried]) -> Iterator[Outcome]:
        """Look at all processes, put back what one of them holds, and write down the rest."""
        seen = self._look_again() if any(each.moves for each in together) else Activity()
        for each in together:
            outcome, moves = each.outcome, each.moves
            if moves and (why := in_use(self.survey.contents[outcome.step.path], seen)):
                outcome, moves = self._taken_back(outcome.step, moves, why)
            yield self._settled(each.number, outcome, moves)

    def _taken_back(
        self, step: Step, moves: tuple[Move, ...], why: str
    ) -> tuple[Outcome, tuple[Move, ...]]:
        try:
            with self.place.state.step():
                trash.put_back(self.place.ground, moves)
            outcome = Outcome(step, "skipped", f"live: {why}; put back at once")
        except (StepSkipped, StepFailed, Locked) as error:
            outcome = Outcome(step, "failed", error.message)
        return self._stranded(outcome, moves)

    def _intent(self, step: Step) -> Intent:
        artifact = step.artifact
        return Intent(
            step.do,
            artifact.kind,
            step.path,
            artifact.bytes,
            artifact.frees,
            artifact.fingerprint,
            step.reasons,
            step.trashed.step if step.trashed else None,
            self._moves(step),
        )

    def _moves(self, step: Step) -> tuple[Move, ...]:
        """Nothing where the unit is gone already: the step will say so."""
        if step.do == "purge":
            return ()
        paths = [step.path, *step.artifact.links]
        try:
            return trash.moves_for(self.place.ground, self.sweep, paths)
        except StepSkipped:
            return ()

    def _settled(self, number: int, outcome: Outcome, moves: tuple[Move, ...] = ()) -> Outcome:
        """`moves` are the renames that stand: what is in the trash is journalled so."""
        now = clock.read().wall
        state = "done" if moves else outcome.outcome
        self.place.journal.settle(number, state, outcome.why, now, moves)
        return outcome

    def _one(
        self, step: Step, number: int, moves: tuple[Move, ...], said: Sequence[str]
    ) -> tuple[Outcome, tuple[Move, ...]]:
        try:
            with self.place.state.step():
                if step.trashed:
                    self._purge(step.trashed, number)
                    return Outcome(step, "done"), ()
                return Outcome(step, "done"), self._trash(step, moves, said)
        except StepSkipped as error:
            outcome = Outcome(step, "skipped", error.message)
        except StepFailed as error:
            outcome = Outcome(step, "failed", error.message)
        return self._stranded(outcome, moves)

    def _stranded(
        self, outcome: Outcome, moves: tuple[Move, ...]
    ) -> tuple[Outcome, tuple[Move, ...]]:
        """A unit that could not be put back is in the trash all the same: undo must find it."""
        if not trash.holds(self.place.ground, moves):
            return outcome, ()
        why = f"it is in the trash, and could not be put back: {outcome.why}"
        return replace(outcome, outcome="failed", why=why), moves

    def _trash(self, step: Step, moves: tuple[Move, ...], said: Sequence[str]) -> tuple[Move, ...]:
        self._check_pins(step.path)
        if not moves:
            trash.moves_for(self.place.ground, self.sweep, [step.path])  # raises, and says why
            raise StepSkipped("it was away for a moment; the next sweep looks again")
        if why := self._objection(step, said):
            raise StepSkipped(why)
        return trash.carry_out(self.place.ground, moves)

    def _objections(self, step: Step) -> Iterator[str]:
        """What speaks against a step at this moment, and when that was: for a worker, which
        looks at the next units while we rename."""
        if step.trashed is None:
            why = self._looked_at(step)
            yield json.dumps([why, clock.awake()])

    def _objection(self, step: Step, said: Sequence[str]) -> str:
        """What was said of a unit a moment ago; what is older than that is asked anew."""
        why, at = json.loads(said[0])
        return why if clock.awake() - at <= JUST_NOW else self._looked_at(step)

    def _looked_at(self, step: Step) -> str:
        content, moment = self.survey.contents[step.path], self._moment()
        why = recheck.objection(step.artifact, content, moment)
        return why or recheck.life_around(step.artifact, self.survey.catalogue, moment)

    def _check_pins(self, path: str) -> None:
        """A pin that was made in mid-sweep counts for the steps to come (S13)."""
        for pin in self.place.journal.pins():
            if is_within(path, pin.path) or is_within(pin.path, path):
                raise StepSkipped("pinned since the plan was made")

    def _purge(self, trashed: Trashed, number: int) -> None:
        content = self._in_trash(trashed)
        if why := in_use(content, self._seen_within(TOGETHER)):
            raise StepSkipped(f"live in the trash: {why}")
        if fingerprint_of(content) != trashed.fingerprint:
            raise StepSkipped("changed in the trash; look at it, and remove it by hand")
        gone = trash.purge(self.place.ground, trashed.trash, number)
        self.place.journal.turn(trashed.step, "purged")
        trash.drop(self.place.ground, self.place.journal.moves(trashed.step)[1:])
        trash.remove(self.place.ground, gone)

    def _in_trash(self, trashed: Trashed) -> Folder | Entry:
        try:
            return recheck.read(self.place.settings.workspace, trashed.trash)
        except OSError as error:
            raise StepSkipped(f"not in the trash any more ({error.strerror})") from error

    def _moment(self) -> Moment:
        settings = self.place.settings
        now, seen = clock.read().wall, self._seen_within(FRESH)
        return Moment(settings.workspace, now, settings.safety.grace, seen)

    def _seen_within(self, age: int) -> Activity:
        taken, seen = self._activity
        return seen if clock.awake() - taken <= age else self._look_again()

    def _look_again(self) -> Activity:
        taken, seen = clock.awake(), activity()
        self._activity = (taken, seen)
        return seen


def _is_due(together: Sequence[_Tried], upcoming: Step) -> bool:
    """Whether these steps are to be confirmed before the next one is tried; where none of
    them renamed anything there is nothing to wait for."""
    renamed = [each for each in together if each.moves]
    if not renamed or len(renamed) == MANY or clock.awake() - renamed[0].at > TOGETHER:
        return True
    return upcoming.trashed is not None or upcoming.artifact.files > LARGE
