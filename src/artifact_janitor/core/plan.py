"""All the steps of one sweep, from facts and policies: the only place that decides."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, islice

from artifact_janitor.core.model import Artifact, Catalogue, Evidence, Refusal, Tally, Trashed
from artifact_janitor.core.policy import Policy, Safety
from artifact_janitor.core.protection import Protections, only_copies, protections
from artifact_janitor.core.retention import LocalTime, Verdict, judge
from artifact_janitor.units import duration_literal

ARCHIVE = "archive"
"""What a step does that moves its unit into an archive first."""

EXEMPT_BELOW = 10
"""Kinds with fewer units than this are exempt from the ``max_share`` guard (S8)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change: a unit that goes to the trash, or leaves it for good."""

    do: str
    artifact: Artifact
    reasons: tuple[str, ...]
    inside: tuple[Artifact, ...] = ()
    """Units that leave with it; their bytes are in it."""
    trashed: Trashed | None = None
    """What a purge takes."""

    @property
    def path(self) -> str:
        return self.artifact.path

    @property
    def frees_now(self) -> int:
        """The trash gives back at its purge."""
        return self.artifact.frees if self.do == "purge" else 0


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


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done, what stays, and what is refused. Paths appear once."""

    id: str
    now: int
    steps: tuple[Step, ...]
    kept: tuple[Kept, ...]
    refused: tuple[Refusal, ...]

    def held_back(self, step: Step, *, by_person: bool = False) -> Refusal | None:
        """The refusal that keeps a step from being carried out, if there is one."""
        codes = GUARDS - OVERRIDABLE if by_person else GUARDS
        blocking = (each for each in self.refused if each.code in codes)
        kinds = ("",) if step.do == "purge" else ("", step.artifact.kind)
        return next((each for each in blocking if each.kind in kinds), None)


OVERRIDABLE = frozenset({"max-share", "clock"})
"""Guards that a person's yes overrides."""

GUARDS = OVERRIDABLE | {"git"}
"""Refusals that hold steps back; the others only say what isn't looked at."""


def plan(
    catalogue: Catalogue, policies: Sequence[Policy], safety: Safety, now: int, local: LocalTime
) -> Plan:
    """Facts and policies in, steps with reasons out. `now` in nanoseconds."""
    verdicts = judge(catalogue.artifacts, policies, now, local)
    protected = protections(catalogue)
    unkept = (each.artifact for each in verdicts.values() if not each.kept)
    going = [artifact for artifact in unkept if artifact.path not in protected]
    lost = [each for each in going if _then(verdicts, (each,)) != ARCHIVE]
    protected |= only_copies(catalogue, lost)
    retention = [*_retention(catalogue, verdicts, protected)]
    steps = (*retention, *_purges(catalogue, safety, now))
    kept = tuple(_kept(catalogue, verdicts, protected, retention))
    refused = (*catalogue.refusals, *_overdrawn(catalogue, retention, safety.max_share))
    return Plan(_id(steps), now, steps, kept, refused)


def _retention(
    catalogue: Catalogue, verdicts: dict[str, Verdict], protected: Protections
) -> Iterator[Step]:
    """The outermost units that go, oldest first; what is inside leaves with them."""
    going = {path for path, each in verdicts.items() if not each.kept and path not in protected}
    for artifact in sorted(catalogue.artifacts, key=lambda each: (each.time, each.path)):
        around = [*catalogue.up_from(artifact)][1:]
        if artifact.path in going and going.isdisjoint(around):
            verdict = verdicts[artifact.path]
            proof = tuple(each.why for each in artifact.evidence if each.fact == "uploaded")
            inside = tuple(catalogue.below(artifact.path))
            leave = (artifact, *(each for each in inside if each.path in going))
            yield Step(_then(verdicts, leave), artifact, verdict.reasons + proof, inside)


def _then(verdicts: dict[str, Verdict], leaving: Iterable[Artifact]) -> str:
    """What becomes of a unit with all that is in it: what one part is archived for is not
    lost with another."""
    policies = [verdicts[each.path].policy for each in leaving]
    words = [each.then for each in policies if each]
    return ARCHIVE if ARCHIVE in words else next(iter(words), "")


def _purges(catalogue: Catalogue, safety: Safety, now: int) -> Iterator[Step]:
    for each in sorted(catalogue.trash, key=lambda trashed: trashed.step):
        if now - each.at >= safety.trash_keep:
            age = duration_literal(safety.trash_keep)
            why = f"in the trash for longer than {age}: was {each.path}"
            gone = Artifact(each.trash, each.kind, each.at, each.bytes, each.frees)
            yield Step("purge", gone, (why,), trashed=each)


def _kept(
    catalogue: Catalogue,
    verdicts: dict[str, Verdict],
    protected: Protections,
    steps: Iterable[Step],
) -> Iterator[Kept]:
    leaving = {each.path for step in steps for each in (step.artifact, *step.inside)}
    for artifact in catalogue.artifacts:
        if artifact.path not in leaving:
            verdict, why = verdicts[artifact.path], protected.get(artifact.path, ())
            by_rule = verdict.reasons if verdict.kept else ()
            reasons = (*by_rule, *(each.why for each in why))
            otherwise = () if verdict.kept else verdict.reasons
            size = _stays(catalogue, artifact, leaving)
            yield Kept(artifact, size, reasons, why, otherwise, artifact.parent)


def _stays(catalogue: Catalogue, artifact: Artifact, leaving: set[str]) -> int:
    """Bytes count once: in the outermost kept unit, less what leaves it."""
    if artifact.parent is not None:
        return 0
    gone, stack = 0, list(catalogue.children.get(artifact.path, ()))
    while stack:
        child = stack.pop()
        if child.path in leaving:
            gone += child.bytes
        else:
            stack += catalogue.children.get(child.path, ())
    return artifact.bytes - gone


def _overdrawn(catalogue: Catalogue, steps: Sequence[Step], max_share: float) -> Iterator[Refusal]:
    """S8: within 24 h no more than `max_share` of a kind goes without a person's yes."""
    for kind in sorted({step.artifact.kind for step in steps}):
        here = _tally(catalogue, (each for each in catalogue.artifacts if each.kind == kind))
        taken = (step for step in steps if step.artifact.kind == kind)
        leave = chain.from_iterable((step.artifact, *step.inside) for step in taken)
        going = _tally(catalogue, (each for each in leave if each.kind == kind))
        recent = catalogue.recent.get(kind, Tally())
        units, size = here.units + recent.units, here.bytes + recent.bytes
        gone, freed = going.units + recent.units, going.bytes + recent.bytes
        share = max(gone / units, freed / size if size else 0)
        if units >= EXEMPT_BELOW and share > max_share:
            yield _too_much(kind, share, max_share, recent)


def _tally(catalogue: Catalogue, artifacts: Iterable[Artifact]) -> Tally:
    """Units of one kind and their bytes, which count once where one holds another."""
    units = {each.path: each for each in artifacts}
    outer = [
        each
        for each in units.values()
        if not any(around in units for around in islice(catalogue.up_from(each), 1, None))
    ]
    return Tally(len(units), sum(each.bytes for each in outer))


def _too_much(kind: str, share: float, max_share: float, recent: Tally) -> Refusal:
    since = f", {recent.units} gone in the last 24 hours included" if recent.units else ""
    message = (
        f"{share:.0%} of all {kind} units or bytes would go{since}; "
        f"without a person's yes at most {max_share:.0%} a day do (safety.max_share)"
    )
    return Refusal("max-share", message, "janitor run --override-guards", kind)


def _id(steps: Iterable[Step]) -> str:
    """The same steps on the same things have the same name."""
    seen = blake2b(digest_size=2)
    for step in steps:
        marks = [step.do, step.path, step.artifact.fingerprint]
        seen.update(json.dumps(marks).encode())
    return seen.hexdigest()


def leaving(plan: Plan) -> Iterator[Artifact]:
    """All units that would leave their place, those inside others too."""
    retention = (step for step in plan.steps if step.do != "purge")
    return chain.from_iterable((step.artifact, *step.inside) for step in retention)
