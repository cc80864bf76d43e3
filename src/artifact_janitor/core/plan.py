"""All the steps of one sweep, from facts and policies: the only place that decides."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import chain, islice

from artifact_janitor.core.compressing import (
    COMPRESS,
    as_compressed,
    compresses,
    estimate,
    settled,
    tried,
)
from artifact_janitor.core.expiry import EXPIRE, Judged, judged
from artifact_janitor.core.jobs import Publication, Training
from artifact_janitor.core.limits import Decision, decide, in_turn, left
from artifact_janitor.core.manual import Finished
from artifact_janitor.core.model import (
    Artifact,
    Catalogue,
    Evidence,
    Refusal,
    Stored,
    Trashed,
)
from artifact_janitor.core.policy import ARCHIVE, Disk, Policy, Safety
from artifact_janitor.core.protection import WORD, trusting
from artifact_janitor.core.purging import held, reason_of, with_last_copies
from artifact_janitor.core.retention import LocalTime, judge
from artifact_janitor.core.room import Room, early, holder, rooms, spare
from artifact_janitor.core.shares import archives_of, overdrawn
from artifact_janitor.core.slimming import (
    SLIM,
    Slimming,
    archives,
    as_planned,
    not_bulk,
    overruled,
    slims,
    told,
)
from artifact_janitor.units import duration_literal

RETRAIN = "retrain"
GITIGNORE = "gitignore"
PUBLISH = "publish"

PROOFS = ("uploaded", WORD, "deleted")
"""The evidence without which a unit of its kind never goes: a step's reasons name it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change: a unit that goes to the trash, or leaves it for good, or a run that stays
    and is slimmed: then only what is `inside` goes, and is all that the artifact frees. Or an
    archive that expires.

    What is compressed frees what it takes less than before."""

    do: str
    artifact: Artifact
    reasons: tuple[str, ...]
    inside: tuple[Artifact, ...] = ()
    """Units that leave with it, or of it; their bytes are in it."""
    trashed: Trashed | None = None
    """What a purge takes."""
    made: int = 0
    """Bytes of the compressed file that takes the unit's place; in a plan an estimate."""
    stored: Stored | None = None
    """What expires."""
    handover: Training | Publication | Finished | None = None
    """What is trained, or what becomes a model: then the artifact stays where it is."""

    @property
    def path(self) -> str:
        return self.artifact.path

    @property
    def kind(self) -> str:
        """What the guards count it as: slimming takes checkpoints, and archives of a kind
        are counted apart from what is still there of it."""
        if self.do == EXPIRE:
            return archives_of(self.artifact)
        return "checkpoint" if self.do == SLIM else self.artifact.kind

    @property
    def stays(self) -> bool:
        """Whether nothing leaves its place: a model is made, or ``.gitignore`` is written."""
        return self.handover is not None or self.do == GITIGNORE

    @property
    def leaving(self) -> tuple[Artifact, ...]:
        """All units that leave their place."""
        if self.stays:
            return ()
        return self.inside if self.do == SLIM else (self.artifact, *self.inside)

    @property
    def parts(self) -> tuple[Step, ...]:
        """What is tried and journalled one by one: a slimmed run's checkpoints."""
        if self.do != SLIM:
            return (self,)
        why = (f"{self.path} is slimmed", *self.reasons)
        return tuple(Step(SLIM, each, why) for each in self.inside)

    @property
    def mark(self) -> tuple[str, ...]:
        """What tells two steps on one path apart: a file may hold several studies."""
        match self.handover:
            case Training(wanted=wanted, attempt=attempt):
                return wanted.key, str(attempt)
            case Publication(job=job):
                return job.key, str(job.attempt)
        return ()

    @property
    def about(self) -> tuple[str, str] | None:
        """The study that a training or a publication is about, by its file and its name."""
        match self.handover:
            case Training(wanted=wanted):
                return wanted.path, wanted.study
            case Publication(job=job):
                return job.path, job.study
        return None

    @property
    def frees_now(self) -> int:
        """The trash gives back at its purge, and what is compressed takes room until then."""
        return self.artifact.frees if self.do == "purge" else -self.made


@dataclass(frozen=True, slots=True)
class Kept:
    """A unit that stays, and why; ``otherwise`` is why its policy would let it go."""

    artifact: Artifact
    bytes: int
    reasons: tuple[str, ...]
    protections: tuple[Evidence, ...] = ()
    otherwise: tuple[str, ...] = ()
    parent: str | None = None
    """The kept unit that counts its bytes, where that isn't itself."""
    stored: Stored | None = None
    """Where it is an archive."""
    trashed: Trashed | None = None
    """Where it lies in the trash, and can't be purged."""

    @property
    def is_unit(self) -> bool:
        """Whether it is in its place, and not in a store or in the trash."""
        return self.stored is None and self.trashed is None


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done, what stays, and what is refused. Paths appear once."""

    id: str
    now: int
    steps: tuple[Step, ...]
    kept: tuple[Kept, ...]
    refused: tuple[Refusal, ...]
    disk: tuple[Room, ...] = ()
    """How the filesystems stand, where a person asked for ``keep_free``."""
    reserve: tuple[str, ...] = ()
    """Units that would go in the place of others that turn out to be protected, first first."""

    def held_back(self, step: Step, *, by_person: bool = False) -> Refusal | None:
        """The refusal that keeps a step from being carried out, if there is one."""
        codes = GUARDS - OVERRIDABLE if by_person else GUARDS
        blocking = (each for each in self.refused if each.code in codes)
        kinds = ("",) if step.do in ("purge", COMPRESS) else ("", step.kind)
        return next((each for each in blocking if each.kind in kinds), None)


OVERRIDABLE = frozenset({"max-share", "clock", "journal"})
"""Guards that a person's yes overrides."""

GUARDS = OVERRIDABLE | {"git"}
"""Refusals that hold steps back; the others only say what isn't looked at."""


def plan(
    catalogue: Catalogue,
    policies: Sequence[Policy],
    safety: Safety,
    now: int,
    local: LocalTime,
    disk: Disk | None = None,
) -> Plan:
    """Facts and policies in, steps with reasons out. `now` in nanoseconds."""
    catalogue = with_last_copies(tried(trusting(catalogue, policies, now, local)))
    verdicts = settled(judge(catalogue.artifacts, policies, now, local), now)
    kept_back = not_bulk(catalogue, policies, now, local)
    decision, beyond = decide(catalogue, verdicts, policies, kept_back)
    space = rooms(catalogue, safety, disk or Disk())
    there, unneeded = _unneeded(catalogue, decision, policies, space)
    decision.spare(unneeded)
    slimmed = [*decision.slimmed(catalogue, kept_back)]
    decision.verdicts |= overruled(slimmed, kept_back)
    retention = _retention(catalogue, decision, slimmed)
    out = {each.path for step in retention for each in step.leaving}
    archived = [*judged(catalogue, policies, now, local, out)]
    expiries = [_expiry(each) for each in archived if each.expires]
    # what is purged makes room for the journal of all that follows
    steps = (*_purges(catalogue, safety, now, there), *retention, *expiries)
    stay = (_kept_archive(each) for each in archived if not each.expires)
    kept = (*_kept(catalogue, decision, unneeded, retention), *stay, *_held(catalogue, safety, now))
    overdrawn = _overdrawn(catalogue, [*retention, *expiries], safety.max_share)
    refused = (*catalogue.refusals, *overdrawn, *beyond)
    reserve = tuple(_reserve(decision, policies))
    return Plan(_id(steps), now, steps, kept, refused, there, reserve)


def _unneeded(
    catalogue: Catalogue, decision: Decision, policies: Sequence[Policy], there: tuple[Room, ...]
) -> tuple[tuple[Room, ...], dict[str, str]]:
    """The rooms with what is done about them, and which units need not go for that: path → why."""
    unneeded: dict[str, str] = {}
    settled = []
    chosen = decision.going | decision.slim
    going = in_turn((decision.verdicts[path] for path in chosen), policies)
    for room in there:
        if room.is_short:
            here = (each for each in going if holder(each, there) is room)
            room, more = spare(catalogue, room, ((each, decision.parts(each)) for each in here))
            unneeded |= more
        settled.append(room)
    return tuple(settled), unneeded


def _reserve(decision: Decision, policies: Sequence[Policy]) -> Iterator[str]:
    """What neither goes nor is protected, and limits could choose yet."""
    could = (
        each
        for path, each in decision.verdicts.items()
        if each.policy and path not in decision.protected
        if path not in decision.going and path not in decision.slim
        if not each.kept or (each.policy.max_size is not None and not each.firm)
    )
    return (each.path for each in in_turn(could, policies))


def _retention(catalogue: Catalogue, decision: Decision, slimmed: Iterable[Slimming]) -> list[Step]:
    """The outermost units that go, and the runs that are slimmed, oldest first.

    A slimmed run comes before what goes of it by itself, as long as it is what was seen.
    """
    whole = {path for path in decision.going if not slims(decision.verdicts[path])}
    outer = [
        path
        for path in whole
        if whole.isdisjoint(islice(catalogue.up_from(catalogue.by_path[path]), 1, None))
    ]
    slim = {each.run.path: each for each in slimmed if each.leave}
    apart = {*outer, *slim}
    steps = [_step(catalogue, decision, whole, path) for path in outer]
    steps += [_slim(each, left(catalogue, each.run, apart)) for each in slim.values()]
    return sorted(steps, key=lambda step: _turn(catalogue, step.artifact, slim))


def _turn(catalogue: Catalogue, artifact: Artifact, slim: Collection[str]) -> tuple[int, str, str]:
    """By the age of the outermost step's unit, from the outside in."""
    around = [path for path in catalogue.up_from(artifact) if path in slim]
    outer = catalogue.by_path[around[-1]] if around else artifact
    return outer.time, outer.path, artifact.path


def _step(catalogue: Catalogue, decision: Decision, whole: Collection[str], path: str) -> Step:
    """A unit that goes as a whole, with all that is in it; what one part is archived for is not
    lost with another."""
    verdicts, verdict = decision.verdicts, decision.verdicts[path]
    artifact, inside = verdict.artifact, tuple(catalogue.below(path))
    leave = (path, *(each.path for each in inside if each.path in whole))
    lost = decision.archived.get(path, ())
    then = verdict.policy.then if verdict.policy else ""
    if compresses(verdict):
        return Step(then, as_compressed(artifact), verdict.reasons, made=estimate(artifact))
    do = ARCHIVE if lost or any(archives(verdicts[each]) for each in leave) else then
    do = "trash" if do == COMPRESS else do  # it is compressed, and has expired
    instead = "archived" if archives(verdict) else "archived, not trashed"
    reasons = (f"{each.why}: {instead}" for each in lost)
    return Step(do, artifact, (*verdict.reasons, *_proof(artifact, inside), *reasons), inside)


def _slim(slimming: Slimming, size: int) -> Step:
    reasons = (*slimming.verdict.reasons, told(slimming))
    return Step(SLIM, as_planned(slimming, size), reasons, slimming.leave)


def _proof(artifact: Artifact, inside: Iterable[Artifact]) -> tuple[str, ...]:
    """Why a unit counts as uploaded, and what a person vouches for inside it."""
    own = [each.why for each in artifact.evidence if each.fact in PROOFS]
    held = (each.why for unit in inside for each in unit.evidence if each.fact == WORD)
    return (*own, *dict.fromkeys(f"inside: {why}" for why in held))


def _purges(
    catalogue: Catalogue, safety: Safety, now: int, there: Iterable[Room]
) -> Iterator[Step]:
    may_go = (each for each in catalogue.trash if not each.held)
    in_order = sorted(may_go, key=lambda trashed: trashed.step)
    due = [each for each in in_order if now - each.at >= safety.trash_keep]
    age = duration_literal(safety.trash_keep)
    for each in due:
        yield _purge(each, f"in the trash for longer than {age}")
    for room in there:
        for each in early(in_order, due, room, now):
            yield _purge(each, f"purged early: {room.said}")


def _purge(trashed: Trashed, why: str) -> Step:
    return Step("purge", _gone(trashed), (f"{why}: was {trashed.path}",), trashed=trashed)


def _gone(trashed: Trashed) -> Artifact:
    return Artifact(trashed.trash, trashed.kind, trashed.at, trashed.bytes, trashed.frees)


def _held(catalogue: Catalogue, safety: Safety, now: int) -> Iterator[Kept]:
    for each, why in held(catalogue):
        otherwise = (reason_of(each, safety, now),)
        yield Kept(_gone(each), each.bytes, (why.why,), (why,), otherwise, trashed=each)


def _expiry(each: Judged) -> Step:
    return Step(EXPIRE, each.stored.archive, each.reasons, stored=each.stored)


def _kept_archive(each: Judged) -> Kept:
    why = tuple(against.why for against in each.protections)
    reasons, otherwise = (why, each.reasons) if each.is_old else (each.reasons, ())
    archive = each.stored.archive
    return Kept(archive, archive.bytes, reasons, each.protections, otherwise, stored=each.stored)


def _kept(
    catalogue: Catalogue, decision: Decision, unneeded: Mapping[str, str], steps: Iterable[Step]
) -> Iterator[Kept]:
    told_of = {each.path for step in steps for each in (step.artifact, *step.inside)}
    for artifact in catalogue.artifacts:
        path = artifact.path
        if path not in told_of:
            verdict, why = decision.verdicts[path], decision.protected.get(path, ())
            by_rule = verdict.reasons if verdict.kept else ()
            by_room = (unneeded[path],) if path in unneeded else ()
            reasons = (*by_rule, *by_room, *(each.why for each in why))
            otherwise = () if verdict.kept else verdict.reasons
            # bytes count once: in the outermost kept unit, less what leaves it
            size = 0 if artifact.parent else left(catalogue, artifact, told_of)
            yield Kept(artifact, size, reasons, why, otherwise, artifact.parent)


def _overdrawn(catalogue: Catalogue, steps: Iterable[Step], max_share: float) -> Iterator[Refusal]:
    """What is compressed doesn't go."""
    leave = [step for step in steps if step.do != COMPRESS]
    for kind in sorted({step.kind for step in leave}):
        units = chain.from_iterable(step.leaving for step in leave if step.kind == kind)
        if refusal := overdrawn(catalogue, kind, [*units], max_share):
            yield refusal


def _id(steps: Iterable[Step]) -> str:
    """The same steps on the same things have the same name."""
    seen = blake2b(digest_size=2)
    for step in steps:
        marks = [step.do, step.path, step.artifact.fingerprint, *step.mark]
        if step.do == SLIM:
            marks += [mark for each in step.inside for mark in (each.path, each.fingerprint)]
        seen.update(json.dumps(marks).encode())
    return seen.hexdigest()


def with_handover(plan: Plan, steps: Iterable[Step]) -> Plan:
    """The same plan with what studies and trainings ask for, which comes first. A unit that such
    a step is about stands there with its bytes, and is not told again among what is kept."""
    units = {each.artifact.path: each.bytes for each in plan.kept}
    told = [_told(step, units) for step in steps]
    if not told:
        return plan
    both = (*told, *plan.steps)
    kept = tuple(each for each in plan.kept if each.artifact.path in units)
    return replace(plan, id=_id(both), steps=both, kept=kept)


def _told(step: Step, units: dict[str, int]) -> Step:
    """Of several steps about one unit the first has its bytes."""
    return replace(step, artifact=replace(step.artifact, bytes=units.pop(step.path, 0)))


def leaving(plan: Plan) -> Iterator[Artifact]:
    """All units that would leave their place, those inside others too."""
    retention = (step for step in plan.steps if step.do not in ("purge", EXPIRE))
    return chain.from_iterable(step.leaving for step in retention)
