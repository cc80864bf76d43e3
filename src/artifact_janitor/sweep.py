"""The whole story on one screen: observe, plan, apply, report."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from artifact_janitor import clock
from artifact_janitor.archiving import Archiving
from artifact_janitor.config import Settings
from artifact_janitor.core.model import Artifact, Catalogue, Refusal
from artifact_janitor.core.plan import ARCHIVE, Plan, leaving, plan
from artifact_janitor.execution import Execution, Options, Outcome
from artifact_janitor.journal import Journal, open_journal
from artifact_janitor.observe.examine import examine
from artifact_janitor.observe.liveness import Moment, activity
from artifact_janitor.observe.remembered import memory_of
from artifact_janitor.observe.survey import Survey, opened, survey
from artifact_janitor.observe.workers import uncollected
from artifact_janitor.recovery import recover
from artifact_janitor.state import State
from artifact_janitor.units import DAY
from artifact_janitor.workplace import ground_of, workplace

Tick = Callable[[str, int, int], None]
"""Progress: what is being done, how many are done, of how many."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen, and what follows from it."""

    survey: Survey
    plan: Plan


@dataclass(frozen=True, slots=True)
class Report:
    """What a sweep did; ``recovered`` is what it found of one that was killed."""

    sweep: str
    plan: Plan
    outcomes: tuple[Outcome, ...]
    started: int
    ended: int
    recovered: tuple[str, ...] = ()


@contextmanager
def reading(settings: Settings) -> Iterator[Journal | None]:
    """The workspace's journal, only to be read; None where there is none yet."""
    journal = open_journal(State(settings.workspace).journal, create=False)
    try:
        yield journal
    finally:
        if journal:
            journal.close()


def look(
    settings: Settings,
    now: int,
    kinds: Collection[str] = (),
    also: Iterable[str] = (),
    tick: Tick | None = None,
) -> Look:
    """Observe and plan; changes nothing. `now` in nanoseconds.

    Units that would go are examined, and those whose paths are in `also`.
    """
    with reading(settings) as journal:
        known = journalled(journal, settings, now)
        memory = memory_of(settings, journal, now).without(also)
    policies = [each for each in settings.policies if not kinds or each.kind in kinds]
    decide = partial(plan, policies=policies, safety=settings.safety, now=now, local=clock.local)
    with uncollected():
        seen = survey(settings, known, memory)
        found = decide(seen.catalogue)
        if memory.was_used and any(leaving(found)):  # what is remembered may only keep (S11)
            memory = memory.blank()
            seen = survey(settings, known, memory)
            found = decide(seen.catalogue)
    memory.save(State(settings.workspace).journal)
    around = (seen.catalogue.up_from(each) for each in leaving(found))
    if candidates := {*also, *chain.from_iterable(around)}:
        seen = opened(seen, settings, candidates)
        moment = Moment(settings.workspace, now, settings.safety.grace, activity())
        seen = examine(seen, candidates, moment, _counting(tick, "looking at", len(candidates)))
        found = decide(seen.catalogue)
    return Look(seen, _narrowed(found, kinds))


def journalled(journal: Journal | None, settings: Settings, now: int) -> Catalogue:
    """What the journal contributes to the facts."""
    if journal is None:
        return Catalogue()
    ground = ground_of(settings)
    there = (each for each in journal.trashed() if ground.has(each.trash))
    before = journal.clock()
    why = clock.jumped(clock.Reading(*before), clock.read()) if before else ""
    hint = "if the clock is right now: janitor run --override-guards"
    return Catalogue(
        pins=journal.pins(),
        trash=tuple(there),
        recent=journal.recent(now - DAY),
        refusals=(Refusal("clock", f"{why}, so no age can be believed", hint),) if why else (),
    )


def _counting(tick: Tick | None, what: str, total: int) -> Callable[[Artifact], None]:
    count = iter(range(1, total + 2))
    return lambda _: tick(what, next(count), total) if tick else None


def _narrowed(whole: Plan, kinds: Collection[str]) -> Plan:
    if not kinds:
        return whole
    return replace(
        whole,
        steps=tuple(each for each in whole.steps if each.artifact.kind in kinds),
        kept=tuple(each for each in whole.kept if each.artifact.kind in kinds),
        refused=tuple(each for each in whole.refused if each.kind in ("", *kinds)),
    )


def mend(settings: Settings) -> list[str]:
    """Finish or roll back what a killed janitor left; says what it found (S12)."""
    if not os.path.exists(State(settings.workspace).journal):
        return []  # one that may not be looked at is told by the look that follows
    with workplace(settings) as place:
        return recover(place, clock.read().wall)


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
        if not seen.plan.steps:
            return Report("", seen.plan, (), started.wall, clock.read().wall, tuple(recovered))
        name = place.journal.begin(
            seen.plan.id, options.command, started.wall, by_person=options.by_person
        )
        with place.state.sweep(name):
            archived = tuple(each for each in seen.plan.steps if each.do == ARCHIVE)
            others = replace(
                seen.plan, steps=tuple(each for each in seen.plan.steps if each.do != ARCHIVE)
            )
            execution = Execution(place, seen.survey, name, options)
            archiving = Archiving(place, seen.survey, name, options, tick or (lambda *_: None))
            outcomes = []
            both = (execution.of(others, stop), archiving.of(seen.plan, archived, stop))
            for outcome in chain.from_iterable(both):  # a purge makes room for archives
                outcomes.append(outcome)
                if tick:
                    tick("carrying out", len(outcomes), len(seen.plan.steps))
            place.finish(name)
    ended = clock.read().wall
    return Report(name, seen.plan, tuple(outcomes), started.wall, ended, tuple(recovered))


def believe_clock(journal: Journal, now: clock.Reading, *, by_person: bool) -> None:
    """Measure later jumps from here, unless this reading is a jump that nobody confirmed."""
    before = journal.clock()
    if by_person or not before or not clock.jumped(clock.Reading(*before), now):
        journal.set_clock(now.wall, now.awake, now.boot)
