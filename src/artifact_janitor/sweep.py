"""The whole story on one screen: look, mend, carry out, report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from artifact_janitor import clock, gitignoring, handing_over, manual_runs, trainings
from artifact_janitor.afresh import Afresh
from artifact_janitor.apply import trash
from artifact_janitor.archiving import Archiving
from artifact_janitor.compressing import Compressing
from artifact_janitor.config import Settings
from artifact_janitor.core.compressing import COMPRESS
from artifact_janitor.core.manual import Finished
from artifact_janitor.core.plan import GITIGNORE, Plan, Step, with_handover
from artifact_janitor.core.policy import ARCHIVE
from artifact_janitor.execution import Execution, Options
from artifact_janitor.handing_over import HandingOver, Sight
from artifact_janitor.journal import Journal, Rebuilt
from artifact_janitor.looking import Look, Tick
from artifact_janitor.outcome import Outcome
from artifact_janitor.recovery import recover
from artifact_janitor.state import STATE, State
from artifact_janitor.studying import remember
from artifact_janitor.workplace import Workplace, is_lost, workplace

LONG = (ARCHIVE, COMPRESS)
"""Steps that read and write all there is of a unit."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a sweep did; ``recovered`` is what it found of one that was killed."""

    sweep: str
    plan: Plan
    outcomes: tuple[Outcome, ...]
    started: int
    ended: int
    recovered: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    """The models of which all became known, where no step was due."""


def mend(settings: Settings) -> list[str]:
    """Finish or roll back what a killed janitor left; says what it found (S12)."""
    if not os.path.exists(State(settings.workspace).folder) and not is_lost(settings):
        return []  # one that may not be looked at is told by the look that follows
    began = clock.read().wall
    with workplace(settings) as place:
        executor, found = handing_over.executor_of(settings), place.journal.rebuilds.last()
        rebuilt = _rebuilt(found) if found and found.at >= began else ()
        now = clock.read().wall
        return [*rebuilt, *trainings.recover(place, executor), *recover(place, now)]


def _rebuilt(found: Rebuilt) -> Iterator[str]:
    """What became of a damaged journal, for the report of whoever came first."""
    yield f"the journal was damaged ({found.why}) and was rebuilt"
    yield from (f"the journal: {each}" for each in found.said)
    if found.aside:
        yield f"the damaged one is {STATE}/{found.aside}"


def run(
    settings: Settings,
    seen: Look,
    options: Options,
    recovered: Iterable[str] = (),
    tick: Tick | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Report:
    """Carry out a plan, step by step; `stop` is asked before each.

    Raises JanitorError where the workspace's own folder can't be used.
    """
    with workplace(settings) as place:
        started = clock.read()
        believe_clock(place.journal, started, by_person=options.by_person)
        if options.by_person:
            place.journal.rebuilds.confirm()
        remember(settings, seen.sight.studies)
        left = trash.said_of_unremoved(place.ground)
        if not seen.plan.steps:
            handing = HandingOver(place, seen.sight, "", tells=options.tells)
            handing.settle_alone(stop)
            notes = (*seen.notes, *left, *handing.announced.notes)
            ended, found = clock.read().wall, tuple(recovered)
            return Report("", seen.plan, (), started.wall, ended, found, notes)
        name = place.journal.begin(
            seen.plan.id, options.command, started.wall, by_person=options.by_person
        )
        with place.state.sweep(name):
            handing = HandingOver(place, seen.sight, name, tells=options.tells)
            outcomes = []
            for outcome in chain(
                _handed_over(handing, seen.plan, stop),
                _in_line(place, name, seen.plan),
                _carried_out(place, seen, name, options, tick, stop),
            ):
                outcomes.append(outcome)
                if tick:
                    tick("carrying out", len(outcomes), len(seen.plan.steps))
            place.finish(name)
    ended, found = clock.read().wall, tuple(recovered)
    notes = (*seen.notes, *left, *handing.announced.notes)
    return Report(name, seen.plan, tuple(outcomes), started.wall, ended, found, notes)


def hand_over(
    settings: Settings,
    sight: Sight,
    steps: Sequence[Step],
    command: str,
    stop: Callable[[], bool] = lambda: False,
    *,
    by_person: bool = True,
) -> Report:
    """Carry out steps of a handover alone, and what became of jobs. Where no person asked for
    it, results are left to whoever is called next with no steps."""
    found = with_handover(Plan("", clock.read().wall, (), (), ()), steps)
    with workplace(settings) as place:
        started = clock.read().wall
        remember(settings, sight.studies)
        if not steps:
            handing = HandingOver(place, sight, "", tells=by_person)
            handing.settle_alone(stop)
            notes, told = tuple(handing.announced.notes), tuple(handing.announced.names)
            return Report("", found, (), started, clock.read().wall, notes=notes, told=told)
        name = place.journal.begin(found.id, command, started, by_person=by_person)
        with place.state.sweep(name):
            handing = HandingOver(place, sight, name, tells=by_person)
            outcomes = tuple(handing.of(steps, stop))
            place.finish(name)
    notes = tuple(handing.announced.notes)
    return Report(name, found, outcomes, started, clock.read().wall, notes=notes)


def _handed_over(handing: HandingOver, plan: Plan, stop: Callable[[], bool]) -> Iterator[Outcome]:
    """Never behind a long archive."""
    steps = [each for each in plan.steps if each.handover]
    by_hand = [each for each in steps if isinstance(each.handover, Finished)]
    yield from handing.of([each for each in steps if each not in by_hand], stop)
    yield from manual_runs.carry_out(handing.place, handing.sweep, by_hand, stop)


def _in_line(place: Workplace, sweep: str, plan: Plan) -> Iterator[Outcome]:
    steps = (each for each in plan.steps if each.do == GITIGNORE)
    return (gitignoring.carry_out(place, sweep, each) for each in steps)


def _carried_out(
    place: Workplace,
    seen: Look,
    name: str,
    options: Options,
    tick: Tick | None,
    stop: Callable[[], bool],
) -> Iterator[Outcome]:
    """What only renames comes first: a purge makes room for what is written."""
    plan, how = seen.plan, (place, seen.survey, name, options)
    noted, asks = tick or (lambda *_: None), Afresh(place.settings, seen)
    short = [each for each in plan.steps if each.do not in LONG and not each.stays]
    asked = [(each, "" if each.trashed else asks(each)) for each in short]
    yield from (Outcome(each, "skipped", why) for each, why in asked if why)
    rest = tuple(each for each, why in asked if not why)
    yield from Execution(*how).of(replace(plan, steps=rest), stop)
    archived = [each for each in plan.steps if each.do == ARCHIVE]
    yield from Archiving(*how, noted, asks).of(plan, archived, stop)
    compressed = [each for each in plan.steps if each.do == COMPRESS]
    yield from Compressing(*how, noted, asks).of(plan, compressed, stop)


def believe_clock(journal: Journal, now: clock.Reading, *, by_person: bool) -> None:
    """Measure later jumps from here, unless this reading is in doubt and nobody confirmed it."""
    before = journal.clock()
    agrees = not before or not clock.doubtful(clock.Reading(*before), now)
    if by_person or agrees:
        journal.set_clock(now.wall, now.awake, now.boot, agrees=agrees)
