"""Carry out the steps of a plan, each under the lock, each looked at again first.

A unit is looked at again in full immediately before its rename. After the rename nobody
finds it under its name any more; then all processes are looked at, and the unit itself: what
one of them holds, or was written to until it went, is put back. One look at all processes
serves all units that were renamed shortly before; as it comes after their renames, whoever got
hold of a unit before it went shows there, or by what they wrote before they let go.
Until then nothing is reported as done, and a janitor that is killed leaves what it always
could: a unit in the trash whose step is still intended, which the next start finishes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, groupby

from artifact_janitor import clock, expiring, standing
from artifact_janitor.apply import trash
from artifact_janitor.apply.mlflow import forget
from artifact_janitor.apply.movable import must_be_movable
from artifact_janitor.config import NEVER_REMOVED
from artifact_janitor.core.model import Trashed, is_within
from artifact_janitor.core.plan import Plan, Step
from artifact_janitor.core.slimming import SLIM
from artifact_janitor.errors import Locked, StepFailed, StepSkipped
from artifact_janitor.journal import Intent, Move
from artifact_janitor.observe import mlflow, recheck, workers
from artifact_janitor.observe.configs import Read
from artifact_janitor.observe.examine import in_trash, is_as_it_went
from artifact_janitor.observe.kept_configs import newest_in, of_leaving
from artifact_janitor.observe.liveness import Activity, Moment, activity, in_use
from artifact_janitor.observe.mlflow_files import META
from artifact_janitor.observe.survey import Survey
from artifact_janitor.observe.tree import Entry, Folder
from artifact_janitor.outcome import Outcome, Part, Result, Tried, skipped, summed
from artifact_janitor.reserve import is_short, is_used_up
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
FEW = 8
"""Steps that are written down together where the disk is full."""
LARGE = 10_000
"""For a unit with more files than this they don't wait: it takes long to look at."""
UNFINISHED = "interrupted: the next janitor removes the rest of it"
NO_ROOM = "the disk is full: it waits until the trash was purged, which needs the last room"


@dataclass(frozen=True, slots=True)
class Options:
    """How a person asked: `by_person` overrides the guards. Without `tells` results and plots of
    studies are left to a sweep of their own, which takes as long as it takes."""

    by_person: bool = False
    command: str = "run"
    tells: bool = True


class Execution:
    """One sweep that is being carried out under the name `sweep`."""

    def __init__(self, place: Workplace, survey: Survey, sweep: str, options: Options) -> None:
        self.place = place
        self.survey = survey
        self.sweep = sweep
        self.options = options
        self._activity: tuple[int, Activity] = (-FRESH, Activity())
        """The last look at all processes, and when that was, since boot."""
        self._unread: dict[str, str] = {}
        self._stop: Callable[[], bool] = lambda: False

    def of(self, plan: Plan, stop: Callable[[], bool]) -> Iterator[Outcome]:
        """Try each step of the plan, in order."""
        self._stop = stop
        free = []
        for step in plan.steps:
            if held := plan.held_back(step, by_person=self.options.by_person):
                yield Outcome(step, "skipped", f"held back: {held.message}", "guard")
            else:
                free.append(step)
        for some in self._portions(free):
            if some[0].trashed is None and self.must_wait():
                yield from (Outcome(step, "skipped", NO_ROOM) for step in some)
            else:
                yield from self._all(some, stop)

    def hindered(self, plan: Plan, step: Step, stop: Callable[[], bool]) -> Outcome | None:
        """Why a step that takes long isn't even begun."""
        if held := plan.held_back(step, by_person=self.options.by_person):
            return Outcome(step, "skipped", f"held back: {held.message}", "guard")
        if stop():
            return Outcome(step, "skipped", "interrupted before it began")
        return Outcome(step, "skipped", NO_ROOM) if self.must_wait() else None

    def announced(self, step: Step) -> int:
        """Write down a step that takes long, before it is tried; its number. What it frees is
        journalled with the unit's way to the trash."""
        artifact = step.artifact
        intent = Intent(
            step.do,
            artifact.kind,
            step.path,
            artifact.bytes,
            0,
            artifact.fingerprint,
            step.reasons,
        )
        (number,) = self.place.journal.intend(self.sweep, [intent], clock.read().wall)
        return number

    def must_wait(self) -> bool:
        """Whether the last room on the disk is needed by the sweep that purges the trash."""
        return is_used_up(self.place.state.folder) and bool(self.place.journal.trashed())

    def _portions(self, steps: Iterable[Step]) -> Iterator[list[Step]]:
        """What is written down together: purges first, and on a full disk a few at a time."""
        for _, alike in groupby(steps, key=lambda step: step.do == "purge"):
            rest = [*alike]
            while rest:
                count = FEW if is_short(self.place.state.folder) else len(rest)
                yield rest[:count]
                rest = rest[count:]

    def check(self, step: Step) -> None:
        """What stands in the way of a step at this moment, long before it is tried. Raises
        StepSkipped."""
        self._check_pins(step.path, *step.artifact.links)
        _check_configs(step.path, self._configs([step], clock.read().wall).unread)
        if why := self._objection(step):
            raise StepSkipped(why)
        for path in (step.path, *step.artifact.links):
            must_be_movable(self.place.ground, path)

    def _all(self, steps: list[Step], stop: Callable[[], bool]) -> Iterator[Outcome]:
        """Write all intents down at once, then carry them out, some of them together."""
        together: list[Tried] = []
        attempts = self._attempts(steps, self._written([each.parts for each in steps]), stop)
        for tried, upcoming in zip(attempts, [*steps[1:], None], strict=False):
            together.append(tried)
            if upcoming is None or _is_due(together, upcoming):
                yield from self._confirmed(together)
                together = []

    def _attempts(
        self, steps: Sequence[Step], written: Sequence[Sequence[Part]], stop: Callable[[], bool]
    ) -> Iterator[Tried]:
        locked: Locked | None = None
        with closing(workers.answers(self._objections, steps, AHEAD)) as said:
            for step, parts in zip(steps, written, strict=True):
                if locked or stop():
                    why = locked.message if locked else "interrupted before it began"
                    results = skipped(parts, why, "locked" if locked else "")
                else:
                    try:
                        results = self._tried(step, parts, next(said))
                    except Locked as error:
                        locked = error
                        results = skipped(parts, error.message, "locked")
                yield Tried(step, parts, results, clock.awake())

    def _confirmed(self, together: Sequence[Tried]) -> Iterator[Outcome]:
        """Look at all processes, put back what one of them holds, and write down the rest."""
        renamed = any(each.has_renamed for each in together)
        seen = self._look_again() if renamed else Activity()
        for each in together:
            results = each.results
            if each.has_renamed and (why := self._regretted(each, seen)):
                results = [self._back(result, why) for result in reversed(results)][::-1]
            yield self._settled(each.step, each.parts, results)

    def _regretted(self, tried: Tried, seen: Activity) -> str:
        renamed = [(part.step.artifact, moves) for part, moves in tried.renamed]
        return recheck.regret(self.survey, tried.step, renamed, self._moment_of(seen))

    def _back(self, result: Result, why: str) -> Result:
        outcome, moves = result
        if not moves:
            return result
        try:
            with self.place.state.step():
                trash.put_back(self.place.ground, moves)
        except (StepSkipped, StepFailed, Locked) as error:
            why = f"{why}; {error.message}"
            return self._stranded(replace(outcome, outcome="failed", why=why), moves)
        return replace(outcome, outcome="skipped", why=f"{why}; put back at once"), ()

    def _written(self, steps: Sequence[Sequence[Step]]) -> list[list[Part]]:
        intents = [[self._intent(part) for part in parts] for parts in steps]
        every, now = [*chain.from_iterable(intents)], clock.read().wall
        found = self._configs(chain.from_iterable(steps), now)
        configs = (found.configs, found.bodies)
        numbers = iter(self.place.journal.intend(self.sweep, every, now, *configs))
        return [
            [Part(part, next(numbers), intent.moves) for part, intent in zip(*both, strict=True)]
            for both in zip(steps, intents, strict=True)
        ]

    def _configs(self, steps: Iterable[Step], now: int) -> Read:
        """What the runs that are to leave were configured with, which must outlive them."""
        paths = [step.path for step in steps if not (step.trashed or step.stored)]
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
            self._looks(step),
            step.reasons,
            about.step if (about := step.trashed or step.stored) else None,
            self._moves(step),
        )

    def _looks(self, step: Step) -> str:
        """What its purge will compare with, should that be of a copy of the workspace."""
        mine, seen = step.artifact.fingerprint, self.survey.contents.get(step.path)
        if step.trashed:
            return mine
        try:
            seen = seen or recheck.read(self.place.settings.workspace, step.path)
        except OSError:
            return mine  # it is gone, which its step will say
        units = (step.artifact, *step.inside)
        models = () if step.stored else chain.from_iterable(each.models for each in units)
        return in_trash(seen, mine, models)

    def _moves(self, step: Step) -> tuple[Move, ...]:
        """Nothing where what was looked at is gone already: the step will say so."""
        if step.do == "purge":
            return ()
        paths = [step.path, *step.artifact.links]
        try:
            moves = trash.moves_for(self.place.ground, self.sweep, paths)
        except StepSkipped:
            return ()
        seen = self.survey.contents.get(step.path)
        return moves if seen is None or recheck.is_it(seen, moves[0]) else ()

    def _settled(self, step: Step, parts: Sequence[Part], results: Sequence[Result]) -> Outcome:
        """What is in the trash, because a rename stands, is journalled so."""
        now = clock.read().wall
        for part, (outcome, moves) in zip(parts, results, strict=True):
            state = "done" if moves else outcome.outcome
            self.place.journal.settle(part.number, state, outcome.why, now, moves)
        outcomes = [outcome for outcome, _ in results]
        return summed(step, outcomes) if step.do == SLIM else outcomes[0]

    def _tried(self, step: Step, parts: Sequence[Part], said: Sequence[str]) -> list[Result]:
        if step.do == SLIM:
            return self._slim(step, parts, said)
        return [self._one(each.step, each.number, each.moves, said) for each in parts]

    def _one(self, step: Step, number: int, moves: tuple[Move, ...], said: Sequence[str]) -> Result:
        try:
            if step.trashed:
                return self._purged(step, step.trashed, number), ()
            with self.place.state.step():
                return Outcome(step, "done"), self._trash(step, moves, said)
        except StepSkipped as error:
            outcome = Outcome(step, "skipped", error.message)
        except StepFailed as error:
            outcome = Outcome(step, "failed", error.message)
        return self._stranded(outcome, moves)

    def _stranded(self, outcome: Outcome, moves: tuple[Move, ...]) -> Result:
        """What could not be put back is in the trash all the same: undo must find it, the unit
        or what had taken its place. So it must where nobody can tell."""
        ground = self.place.ground
        try:
            if not trash.holds(ground, moves) or ground.is_at(moves[0].source, moves[0].ino):
                return outcome, ()
            why = "it is in the trash, and could not be put back"
        except StepSkipped as error:
            why = f"it may be in the trash, {error.message}"
        return replace(outcome, outcome="failed", why=f"{why}: {outcome.why}"), moves

    def _trash(self, step: Step, moves: tuple[Move, ...], said: Sequence[str]) -> tuple[Move, ...]:
        self._check_pins(step.path, *step.artifact.links)
        if step.stored:
            self._check_pins(step.stored.unit)
        _check_configs(step.path, self._unread)
        if not moves:
            trash.moves_for(self.place.ground, self.sweep, [step.path])  # raises, and says why,
            self._recheck(step, said)  # and this says what is there instead
            raise StepSkipped("it was away for a moment; the next sweep looks again")
        self._recheck(step, said)
        return trash.carry_out(self.place.ground, moves)

    def _recheck(self, step: Step, said: Sequence[str]) -> None:
        """What was said of a unit a moment ago; what is older than that is asked anew."""
        why, at = json.loads(said[0])
        if clock.awake() - at > JUST_NOW:
            why = self._objection(step)
        if why:
            raise StepSkipped(why)

    def _objections(self, step: Step) -> Iterator[str]:
        """What speaks against a step at this moment, and when that was: for a worker, which
        looks at the next units while we rename."""
        if step.trashed is None:
            why = self._objection(step)
            yield json.dumps([why, clock.awake()])

    def _objection(self, step: Step) -> str:
        moment, settings = self._moment_of(self._seen_within(FRESH)), self.place.settings
        if step.stored:
            return expiring.objection(settings, step.stored)
        if step.artifact.kind in NEVER_REMOVED:
            return f"a {step.artifact.kind} is never removed"
        why = recheck.objection(step.artifact, self.survey.contents[step.path], moment)
        catalogue, slims = self.survey.catalogue, step.do == SLIM
        why = why or recheck.life_around(step.artifact, catalogue, moment, slims=slims)
        return why or mlflow.objection(step.artifact, settings.workspace, settings.folders)

    def _slim(self, step: Step, parts: Sequence[Part], said: Sequence[str]) -> list[Result]:
        """Look at the whole run; then all that leaves it goes at once."""
        with self.place.state.step():
            try:
                self._check_pins(step.path)
                self._recheck(step, said)
            except StepSkipped as error:
                return skipped(parts, error.message)
            return [*self._each(parts)]

    def _each(self, parts: Sequence[Part]) -> Iterator[Result]:
        """What can't be moved stays behind; where something was exchanged, all that follows."""
        why = ""
        for part in parts:
            try:
                if why or not part.moves:
                    raise StepSkipped(why or "it was away for a moment")
                moves = trash.carry_out(self.place.ground, part.moves)
                yield Outcome(part.step, "done"), moves
            except StepSkipped as error:
                why = error.message
                yield self._stranded(Outcome(part.step, "skipped", why), part.moves)
            except StepFailed as error:
                yield self._stranded(Outcome(part.step, "failed", error.message), part.moves)

    def _check_pins(self, *paths: str) -> None:
        """A pin that was made in mid-sweep counts for the steps to come (S13)."""
        if any(map(self.place.journal.is_pinned, paths)):
            raise StepSkipped("pinned since the plan was made")

    def _purged(self, step: Step, trashed: Trashed, number: int) -> Outcome:
        """What stands for it may be read for long, which holds no lock."""
        proven = standing.proven(self.place, trashed, self._stop)
        with self.place.state.step():
            standing.must_be(self.place, trashed, proven)
            return Outcome(step, "done", "" if self._purge(trashed, number) else UNFINISHED)

    def _purge(self, trashed: Trashed, number: int) -> bool:
        """Whether it is removed in full: what is left when the end is asked for goes next time."""
        content = self._in_trash(trashed)
        if why := in_use(content, self._seen_within(TOGETHER)):
            raise StepSkipped(f"live in the trash: {why}")
        moves = self.place.journal.moves(trashed.step)
        if not is_as_it_went(content, trashed.fingerprint, moves[0].ino if moves else 0):
            raise StepSkipped(standing.changed(self.place.journal, trashed))
        if trashed.kind == "mlflow-run":
            self._forget(trashed, content)
        gone = trash.purge(self.place.ground, trashed.trash, number)
        self.place.journal.turn(trashed.step, "purged")
        trash.drop(self.place.ground, moves[1:])
        return trash.remove(self.place.ground, gone, self._stop)

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

    def _moment_of(self, seen: Activity) -> Moment:
        how = self.place.settings
        return Moment(how.workspace, clock.read().wall, how.safety.grace, seen)

    def _seen_within(self, age: int) -> Activity:
        taken, seen = self._activity
        return seen if clock.awake() - taken <= age else self._look_again()

    def _look_again(self) -> Activity:
        taken, seen = clock.awake(), activity()
        self._activity = (taken, seen)
        return seen


def _is_due(together: Sequence[Tried], upcoming: Step) -> bool:
    """Whether these steps are to be confirmed before the next one is tried; where none of
    them renamed anything there is nothing to wait for."""
    renamed = [each for each in together if each.has_renamed]
    if not renamed or len(renamed) == MANY or clock.awake() - renamed[0].at > TOGETHER:
        return True
    return upcoming.trashed is not None or upcoming.artifact.files > LARGE


def _check_configs(path: str, unread: dict[str, str]) -> None:
    """What a run was configured with is not to be lost with it (S7)."""
    for run, why in unread.items():
        if is_within(run, path):
            raise StepSkipped(f"its configuration can't be read, and would be lost: {why}")
