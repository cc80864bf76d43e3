"""Carry out the steps of a plan, each under the lock, each looked at again first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from artifact_janitor import clock
from artifact_janitor.apply import trash
from artifact_janitor.apply.mlflow import forget
from artifact_janitor.core.model import Trashed, is_within
from artifact_janitor.core.plan import Plan, Step
from artifact_janitor.errors import Locked, StepFailed, StepSkipped
from artifact_janitor.journal import Intent, Move
from artifact_janitor.observe import mlflow, recheck
from artifact_janitor.observe.configs import Read
from artifact_janitor.observe.examine import fingerprint_of
from artifact_janitor.observe.kept_configs import newest_in, of_leaving
from artifact_janitor.observe.liveness import Activity, Moment, activity, in_use
from artifact_janitor.observe.mlflow_files import META
from artifact_janitor.observe.survey import Survey
from artifact_janitor.observe.tree import Entry, Folder
from artifact_janitor.units import SECOND
from artifact_janitor.workplace import Workplace

FRESH = SECOND
"""How old a look at all processes may be before a step; after each rename comes a new one."""


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


class Execution:
    """One sweep that is being carried out under the name `sweep`."""

    def __init__(self, place: Workplace, survey: Survey, sweep: str, options: Options) -> None:
        self.place = place
        self.survey = survey
        self.sweep = sweep
        self.options = options
        self._activity: tuple[int, Activity] = (0, Activity())
        self._unread: dict[str, str] = {}

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
        """Write all intents down at once, then carry them out one by one."""
        intents = [self._intent(step) for step in steps]
        now = clock.read().wall
        configs = self._configs(steps, now)
        numbers = self.place.journal.intend(
            self.sweep, intents, now, configs.configs, configs.bodies
        )
        locked: Locked | None = None
        for step, number, intent in zip(steps, numbers, intents, strict=True):
            if locked or stop():
                why = locked.message if locked else "interrupted before it began"
                yield self._settled(
                    number, Outcome(step, "skipped", why, "locked" if locked else "")
                )
                continue
            try:
                yield self._settled(number, *self._one(step, number, intent.moves))
            except Locked as error:
                locked = error
                yield self._settled(number, Outcome(step, "skipped", error.message, "locked"))

    def _configs(self, steps: Iterable[Step], now: int) -> Read:
        """What the runs that are to leave were configured with, which must outlive them."""
        paths = [step.path for step in steps if not step.trashed]
        found = of_leaving(self.survey, paths, newest_in(self.place.journal), now)
        self._unread = found.unread
        return found

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
        self, step: Step, number: int, moves: tuple[Move, ...]
    ) -> tuple[Outcome, tuple[Move, ...]]:
        try:
            with self.place.state.step():
                if step.trashed:
                    self._purge(step.trashed, number)
                    return Outcome(step, "done"), ()
                return Outcome(step, "done"), self._trash(step, moves)
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

    def _trash(self, step: Step, moves: tuple[Move, ...]) -> tuple[Move, ...]:
        content = self.survey.contents[step.path]
        self._check_pins(step.path)
        _check_configs(step.path, self._unread)
        if not moves:
            trash.moves_for(self.place.ground, self.sweep, [step.path])  # raises, and says why
            raise StepSkipped("it was away for a moment; the next sweep looks again")
        moment = self._moment()
        why = recheck.objection(step.artifact, content, moment)
        why = why or recheck.life_around(step.artifact, self.survey.catalogue, moment)
        settings = self.place.settings
        if why := why or mlflow.objection(step.artifact, settings.workspace, settings.folders):
            raise StepSkipped(why)
        moved = trash.carry_out(self.place.ground, moves)
        if why := in_use(content, self._look_again()):
            trash.put_back(self.place.ground, moved)
            raise StepSkipped(f"live: {why}; put back at once")
        return moved

    def _check_pins(self, path: str) -> None:
        """A pin that was made in mid-sweep counts for the steps to come (S13)."""
        for pin in self.place.journal.pins():
            if is_within(path, pin.path) or is_within(pin.path, path):
                raise StepSkipped("pinned since the plan was made")

    def _purge(self, trashed: Trashed, number: int) -> None:
        content = self._in_trash(trashed)
        if why := in_use(content, self._look_again()):
            raise StepSkipped(f"live in the trash: {why}")
        if fingerprint_of(content) != trashed.fingerprint:
            raise StepSkipped("changed in the trash; look at it, and remove it by hand")
        if trashed.kind == "mlflow-run":
            self._forget(trashed, content)
        gone = trash.purge(self.place.ground, trashed.trash, number)
        self.place.journal.turn(trashed.step, "purged")
        trash.drop(self.place.ground, self.place.journal.moves(trashed.step)[1:])
        trash.remove(self.place.ground, gone)

    def _forget(self, trashed: Trashed, content: Folder | Entry) -> None:
        """MLflow's record goes before the run's folder: a janitor that is killed between the
        two leaves the folder in the trash, and the next sweep takes it from there."""
        run_id = trashed.path.rpartition("/")[2]
        settings = self.place.settings
        has_own = isinstance(content, Folder) and META in content.files
        forget(settings.workspace / settings.folders.mlflow_db[0], run_id, has_own=has_own)

    def _in_trash(self, trashed: Trashed) -> Folder | Entry:
        try:
            return recheck.read(self.place.settings.workspace, trashed.trash)
        except OSError as error:
            raise StepSkipped(f"not in the trash any more ({error.strerror})") from error

    def _moment(self) -> Moment:
        settings, now = self.place.settings, clock.read().wall
        taken, seen = self._activity
        if now - taken > FRESH:
            seen = self._look_again()
        return Moment(settings.workspace, now, settings.safety.grace, seen)

    def _look_again(self) -> Activity:
        seen = activity()
        self._activity = (clock.read().wall, seen)
        return seen


def _check_configs(path: str, unread: dict[str, str]) -> None:
    """What a run was configured with is not to be lost with it (S7)."""
    for run, why in unread.items():
        if is_within(run, path):
            raise StepSkipped(f"its configuration can't be read, and would be lost: {why}")
