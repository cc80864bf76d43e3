"""Observe and plan, for all that asks what would be done. Nothing in the workspace changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

from artifact_janitor import clock, gitignoring, handing_over, manual_runs
from artifact_janitor.apply.ground import Ground
from artifact_janitor.awaiting import awaited
from artifact_janitor.config import Settings
from artifact_janitor.core.model import Artifact, Catalogue, Refusal
from artifact_janitor.core.plan import Plan, leaving, plan, with_handover
from artifact_janitor.core.policy import Policy
from artifact_janitor.core.slimming import SLIM
from artifact_janitor.errors import StepSkipped
from artifact_janitor.expiring import archives_in
from artifact_janitor.handing_over import Sight
from artifact_janitor.journal import Journal
from artifact_janitor.observe import kept_configs
from artifact_janitor.observe.disks import filesystems
from artifact_janitor.observe.examine import compared, examine
from artifact_janitor.observe.liveness import Moment, activity
from artifact_janitor.observe.remembered import Memory, memory_of
from artifact_janitor.observe.survey import Survey, opened, survey
from artifact_janitor.observe.workers import uncollected
from artifact_janitor.rebuild.mending import MISSING
from artifact_janitor.reserve import is_short
from artifact_janitor.standing import with_held
from artifact_janitor.state import State
from artifact_janitor.units import DAY, LONGEST
from artifact_janitor.workplace import ground_of, to_read

Tick = Callable[[str, int, int], None]
"""Progress: what is being done, how many are done, of how many."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen, and what follows from it."""

    survey: Survey
    plan: Plan
    sight: Sight = field(default_factory=Sight)
    """Studies and trainings, where they were asked for."""
    kinds: Collection[str] = ()
    """What was asked for, where that isn't everything."""
    at: int = field(default_factory=clock.awake)
    """When it was over, since boot."""

    @property
    def notes(self) -> list[str]:
        """What a person should know of studies."""
        return self.sight.notes


@contextmanager
def reading(settings: Settings) -> Iterator[Journal | None]:
    """The workspace's journal, only to be read; None where there is none yet."""
    journal = to_read(settings)
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
    *,
    leases: bool = True,
) -> Look:
    """Observe and plan; changes nothing. `now` in nanoseconds.

    Units that would go are examined, and those whose paths are in `also`. `leases` False
    spares them what each step asks anyway, immediately before its rename, where that will
    hardly tell more: for a plan that is carried out at once, unseen. See `Moment`.
    """
    with reading(settings) as journal:
        known = journalled(journal, settings, now)
        if journal:
            asked = any(each.models for each in known.trash)
            known = replace(known, archives=archives_in(settings, journal, now, every=asked))
        memory = memory_of(settings, journal, now).without(also)
    policies = [*_asked(settings.policies, kinds)]
    decide = partial(
        plan,
        policies=policies,
        safety=settings.safety,
        now=now,
        local=clock.local,
        disk=settings.disk,
    )
    with uncollected():
        seen = compared(survey(settings, known, memory))
        found = decide(seen.catalogue)
        if memory.was_used and _takes(found):  # what is remembered may only keep (S11)
            memory = memory.blank()
            seen = compared(survey(settings, known, memory))
            found = decide(seen.catalogue)
        if _takes(found):
            with reading(settings) as journal:
                seen = awaited(settings, journal, seen)
            found = decide(seen.catalogue)
    _write_down(settings, seen, memory)

    def moment() -> Moment:
        return Moment(settings.workspace, now, settings.safety.grace, activity(), leases)

    seen, found = _looked_at(settings, Look(seen, found), decide, moment, {*also}, tick)
    return Look(seen, _narrowed(found, kinds), kinds=kinds)


def glance(settings: Settings, now: int) -> Survey:
    """What there is, as far as it is remembered, and what is in archives: to be told of, and
    nothing is planned from it."""
    with reading(settings) as journal:
        known = journalled(journal, settings, now)
        if journal:
            known = replace(known, archives=archives_in(settings, journal, now, every=True))
        memory = memory_of(settings, journal, now)
    with uncollected():
        seen = survey(settings, known, memory)
    _write_down(settings, seen, memory)
    return seen


def _takes(found: Plan) -> bool:
    return any(step.do != "purge" for step in found.steps)


def with_studies(settings: Settings, seen: Look, kinds: Collection[str] = ()) -> Look:
    """The same look with what studies, trainings and runs by hand ask for. Changes nothing."""
    if kinds and not {"study", "model"} & {*kinds}:
        return seen
    with reading(settings) as journal:
        now = clock.read()
        sight = handing_over.look(settings, journal, now)
        manual = manual_runs.look(settings, seen.survey, journal, now.wall)
    every = (*sight.handover.steps, *manual)
    steps = (each for each in every if not kinds or each.artifact.kind in kinds)
    return replace(seen, plan=with_handover(seen.plan, steps), sight=sight)


def look_at_manual_runs(settings: Settings) -> tuple[Look, int | None]:
    """The same for runs by hand alone, and when the next of them may be over. Changes nothing."""
    with reading(settings) as journal:
        now = clock.read().wall
        known, memory = journalled(journal, settings, now), memory_of(settings, journal, now)
        with uncollected():
            seen = survey(settings, known, memory)
        steps = manual_runs.look(settings, seen, journal, now)
        later = manual_runs.next_one(settings, seen, journal, now)
    found = Plan("", now, (), (), ())
    return Look(seen, with_handover(found, steps)), later


def with_gitignore(settings: Settings, seen: Look, kinds: Collection[str] = ()) -> Look:
    """The same look with what ``.gitignore`` asks for, in a full sweep. Changes nothing."""
    if kinds:
        return seen
    with reading(settings) as journal:
        step, held = gitignoring.planned(settings, journal, seen.plan.now)
    found = with_handover(seen.plan, [step] if step else [])
    return replace(seen, plan=replace(found, refused=(*found.refused, *held)))


def _write_down(settings: Settings, seen: Survey, memory: Memory) -> None:
    """What later looks need not read again. On a full disk the room is for what matters: no
    run leaves before its configuration is safe, whatever is written here."""
    file = State(settings.workspace).journal
    fresh = [whole for path, whole in seen.wholes.items() if not memory.recalled(path)]
    if is_short(file.parent):
        return
    if kept_configs.keep(file, settings.workspace, fresh, memory.now):
        memory.save(file)


def _looked_at(
    settings: Settings,
    first: Look,
    decide: Callable[[Catalogue], Plan],
    moment: Callable[[], Moment],
    also: set[str],
    tick: Tick | None,
) -> tuple[Survey, Plan]:
    """Examine all that would go, and plan again, until nothing goes that was not examined.

    What turns out to be protected lets another unit go in its place, where a limit asks for
    so much: that one was not looked at yet. Each unit is looked at once; from the second round
    on as many more as ever before, so that there are few rounds.
    """
    seen, found = first.survey, first.plan
    examined: set[str] = set()
    fresh = also | _to_examine(seen.catalogue, found, 0)
    asked = moment() if fresh else None
    while fresh and asked:
        seen = opened(seen, settings, fresh)
        seen = examine(seen, fresh, asked, _counting(tick, "looking at", len(fresh)))
        examined |= fresh
        found = decide(seen.catalogue)
        if fresh := _to_examine(seen.catalogue, found, 0) - examined:
            fresh = _to_examine(seen.catalogue, found, len(examined)) - examined
    return seen, found


def _to_examine(catalogue: Catalogue, found: Plan, reserve: int) -> set[str]:
    """The units that would leave, and so many that would be next, with those around them; and
    all inside a run that is slimmed: what protects one of these protects the run."""
    further = (catalogue.by_path[path] for path in found.reserve[:reserve])
    inside = chain.from_iterable((each, *catalogue.below(each.path)) for each in further)
    around = (catalogue.up_from(each) for each in chain(leaving(found), inside))
    slim = (catalogue.below(step.path) for step in found.steps if step.do == SLIM)
    parts = (each.path for each in chain.from_iterable(slim))
    return {*chain.from_iterable(around), *parts}


def _asked(policies: Iterable[Policy], kinds: Collection[str]) -> Iterator[Policy]:
    """The policies of these kinds; a checkpoint policy says what is best of a run that is
    slimmed, and takes nothing itself where it isn't asked."""
    for each in policies:
        if not kinds or each.kind in kinds:
            yield each
        elif each.kind == "checkpoint":
            yield replace(each, keep_within=LONGEST, max_size=None)


def journalled(journal: Journal | None, settings: Settings, now: int) -> Catalogue:
    """What the journal contributes to the facts, and how full the disks are."""
    asked = settings.disk.keep_free is not None
    disks = filesystems(settings.workspace, settings.folders.roots) if asked else ()
    if journal is None:
        return Catalogue(disks=disks)
    ground = ground_of(settings)
    there = [each for each in journal.trashed() if _may_be(ground, each.trash)]
    before = journal.clock()
    read = replace(clock.read(), wall=now)  # ages are told by it, whatever the clock says since
    why = clock.doubtful(clock.Reading(*before), read) if before else ""
    hint = "if the clock is right now: janitor run --override-guards"
    refusals = (Refusal("clock", f"{why}, so no age can be believed", hint),) if why else ()
    return Catalogue(
        pins=journal.pins(),
        trash=tuple(with_held(settings, journal, there, now)) if there else (),
        disks=disks,
        recent=journal.recent(now - DAY),
        futile=journal.compressions.futile(),
        refusals=(*refusals, *_rebuilt(journal)),
    )


def _may_be(ground: Ground, path: str) -> bool:
    """Whether something is at a path, or nobody can tell."""
    try:
        return ground.has(path)
    except StepSkipped:
        return True


def _rebuilt(journal: Journal) -> Iterator[Refusal]:
    """A journal of which something may be missing: a pin, say, or what went since yesterday."""
    if found := journal.rebuilds.held():
        lost = "; ".join(each for each in found.said if each.startswith(MISSING))
        what = f"the journal was damaged, and was rebuilt ({found.why}); {lost}"
        pins = len(journal.pins())
        known = "no pin is known" if not pins else f"{pins} pins are known, see janitor status"
        yield Refusal("journal", what, f"{known}; to let things go: janitor run --override-guards")


def _counting(tick: Tick | None, what: str, total: int) -> Callable[[Artifact], None]:
    count = iter(range(1, total + 2))
    return lambda _: tick(what, next(count), total) if tick else None


def _narrowed(whole: Plan, kinds: Collection[str]) -> Plan:
    if not kinds:
        return whole
    steps = tuple(each for each in whole.steps if each.artifact.kind in kinds)
    concern = {"", *kinds, *(each.kind for each in steps)}
    return replace(
        whole,
        steps=steps,
        kept=tuple(each for each in whole.kept if each.artifact.kind in kinds),
        refused=tuple(each for each in whole.refused if each.kind in concern),
    )
