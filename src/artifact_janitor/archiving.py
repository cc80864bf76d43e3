"""Archive units, one after the other: written, read back, indexed, and only then the source
goes to the trash (S9).

Writing holds no lock, so that nobody waits for it. As long as the source, and not what somebody
made there since, is at its place when a step is over, the archive was for nothing and goes; else
it may be all that is left, and stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from artifact_janitor import clock
from artifact_janitor.apply.archive import store, whose
from artifact_janitor.apply.archive.manifest import Head
from artifact_janitor.apply.archive.store import Made, Order
from artifact_janitor.core.plan import Plan, Step
from artifact_janitor.core.protection import UNSYNCED, WORD
from artifact_janitor.errors import StepFailed, StepSkipped
from artifact_janitor.execution import Execution, Options
from artifact_janitor.journal import Archived
from artifact_janitor.observe.survey import Survey
from artifact_janitor.outcome import GIVEN_UP, Asks, Outcome
from artifact_janitor.tidying import disown
from artifact_janitor.workplace import Workplace, store_of

ABOUT_PARTS = (UNSYNCED, "uploaded", WORD)
"""The facts of a unit in another one that its archive is to tell."""
A_MEMBER = 2048
"""Bytes that a file may take in the archive and beside it, its content not counted."""

Tick = Callable[[str, int, int], None]
"""What is being done, how many bytes are done, of how many."""


@dataclass(frozen=True, slots=True)
class Archiving:
    """A sweep under the name `sweep` that archives."""

    place: Workplace
    survey: Survey
    sweep: str
    options: Options
    tick: Tick = lambda _what, _done, _total: None
    asks: Asks = lambda _: ""

    def of(self, plan: Plan, steps: Iterable[Step], stop: Callable[[], bool]) -> Iterator[Outcome]:
        """Try each of these steps of a plan, in order."""
        execution = Execution(self.place, self.survey, self.sweep, self.options)
        for step in steps:
            yield execution.hindered(plan, step, stop) or self._one(execution, step, stop)

    def _one(self, execution: Execution, step: Step, stop: Callable[[], bool]) -> Outcome:
        number = execution.announced(step)
        now = self.place.journal.dated(clock.read().wall)
        try:
            self._ask(step)  # what would stand in the way is better known before long work
            execution.check(step)
            made = self._archive(step, number, now, self._progress(step, stop))
            self._ask(step)
            outcome = self._to_trash(execution, step, made)
        except StepSkipped as error:
            outcome = Outcome(step, "skipped", error.in_full)
        except StepFailed as error:
            outcome = Outcome(step, "failed", error.in_full)
        return self._settled(number, outcome)

    def _ask(self, step: Step) -> None:
        if why := self.asks(step):
            raise StepSkipped(why)

    def _settled(self, number: int, outcome: Outcome) -> Outcome:
        journal, state = self.place.journal, outcome.outcome
        found = journal.archives.of(number)
        gone = found and found.digest and not self.place.ground.is_at(found.path, found.ino)
        if found and gone and not self._is_archived_besides(found):
            state = "done"
        elif found:
            disown(self.place, found)
        journal.settle(number, state, outcome.why, clock.read().wall)
        return outcome

    def _is_archived_besides(self, found: Archived) -> bool:
        """Whether another janitor was faster: it archived this unit, and moved it to the trash.

        An older archive is none: the unit came back since, and may be another one now.
        """
        journal = self.place.journal
        trashed = (each.step for each in journal.trashed() if each.path == found.path)
        takers = {journal.step(each).sweep for each in trashed}
        others = {
            journal.step(each.step).sweep
            for each in journal.archives.all()
            if each.digest and (each.path, each.ino) == (found.path, found.ino)
        }
        return self.sweep not in takers and not takers.isdisjoint(others)

    def _archive(self, step: Step, number: int, now: int, tick: store.Tick) -> Made:
        """Durable, read back, and in the index when this returns."""
        settings, journal, ground = self.place.settings, self.place.journal, self.place.ground
        archives = store_of(settings)
        indexed = (each for each in journal.archives.all() if each.digest)
        if any(each.store == settings.archive.store for each in indexed):
            archives.must_be_known()
        name = archives.free_name(step.path, now)
        ino = ground.stat(step.path).st_ino
        journal.archives.announce(number, settings.archive.store, name, ino)
        made = store.write(archives, self._order(step, name, now), ground, tick)
        store.place(archives, name)
        journal.archives.index(number, made.bytes, made.members, made.digest, clock.read().wall)
        return made

    def _order(self, step: Step, name: str, now: int) -> Order:
        artifact, units = step.artifact, (step.artifact, *step.inside)
        head = Head(
            step.path,
            artifact.kind,
            artifact.time,
            now,
            self.options.command,
            artifact.bytes,
            step.reasons,
            tuple(_known(step)),
            tuple(file.path for unit in units for file in unit.models),
            *whose.mark(self.place.settings.workspace),
        )
        paths = [step.path, *artifact.links]
        most = artifact.bytes + (artifact.bytes >> 8) + (artifact.files + 64) * A_MEMBER
        return Order(name, head, paths, most, self.place.settings.archive.level)

    def _progress(self, step: Step, stop: Callable[[], bool]) -> store.Tick:
        """Tells how far it is, and gives it up where it is to end: it may take hours."""
        done = dict.fromkeys(("archiving", "reading back"), 0)

        def tick(what: str, size: int) -> None:
            if stop():
                raise StepSkipped(GIVEN_UP)
            done[what] += size
            if size:
                self.tick(what, done[what], step.artifact.bytes)

        return tick

    def _to_trash(self, execution: Execution, step: Step, made: Made) -> Outcome:
        """The source goes as any other unit does, with all that is asked before."""
        trash = replace(step, do="trash", reasons=(f"archived as {made.name}",))
        alone = Plan(self.sweep, clock.read().wall, (trash,), (), ())
        (outcome,) = execution.of(alone, lambda: False)
        return replace(outcome, step=step)


def _known(step: Step) -> Iterator[tuple[str, str]]:
    """What is known of a unit and of the units in it: an archive is to go one day by what held
    of all that is in it."""
    for unit in (step.artifact, *step.inside):
        where = "" if unit is step.artifact else f"{unit.path}: "
        for each in dict.fromkeys((*unit.protections, *unit.evidence)):
            if not where or each.fact in ABOUT_PARTS:
                yield each.fact, f"{where}{each.why}"
