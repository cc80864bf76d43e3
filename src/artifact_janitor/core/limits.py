"""``max_size``: how much of what a policy governs may stay, whatever its rules keep.

Rules are judged first, and what they let go is gone. Where more than the limit is left,
they yield, oldest first and no unit more than it takes; what anything protects never does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from artifact_janitor.core.compressing import COMPRESS, as_compressed, compresses, estimate
from artifact_janitor.core.model import Artifact, Catalogue, Evidence, Refusal
from artifact_janitor.core.policy import Policy
from artifact_janitor.core.protection import (
    Copies,
    Protections,
    may_be_archived,
    not_to_be_lost,
    only_copies,
    protections,
)
from artifact_janitor.core.retention import Verdict
from artifact_janitor.core.slimming import Slimming, archives, slimmings, slims
from artifact_janitor.units import format_size


@dataclass(slots=True)
class Decision:
    """What goes, and what the policies and protections say of each unit, by path."""

    verdicts: dict[str, Verdict]
    protected: Protections
    going: set[str]
    """Units that leave by themselves; what is in them leaves with them."""
    slim: set[str] = field(default_factory=set)
    """Runs that stay, and lose their bulk."""
    bulk: dict[str, tuple[Artifact, ...]] = field(default_factory=dict)
    """What each run would lose that a policy may slim."""
    archived: Protections = field(default_factory=dict)
    """What would be lost with a unit, and lets it be archived at most, by path."""

    def parts(self, artifact: Artifact) -> tuple[Artifact, ...]:
        """What leaves its place where this unit has its turn."""
        if artifact.path in self.slim:
            return self.bulk.get(artifact.path, ())
        packed = compresses(self.verdicts[artifact.path])
        return (as_compressed(artifact) if packed else artifact,)

    def leave(self) -> set[str]:
        """The paths of all that leaves by itself."""
        return self.going.union(each.path for path in self.slim for each in self.bulk.get(path, ()))

    def hold(self, artifact: Artifact, why: tuple[Evidence, ...]) -> None:
        """What would be lost with a unit: it is archived, or stays."""
        held = self.archived if may_be_archived(artifact) else self.protected
        held[artifact.path] = (*held.get(artifact.path, ()), *why)

    def spare(self, paths: Iterable[str]) -> None:
        self.going.difference_update(paths)
        self.slim.difference_update(paths)

    def slimmed(self, catalogue: Catalogue, kept_back: Mapping[str, str]) -> Iterator[Slimming]:
        """What each run that is slimmed loses; see `slimmings`."""
        going = self.going | self.slim if self.slim else ()
        return slimmings(catalogue, self.verdicts, going, self.protected, kept_back)


def decide(
    catalogue: Catalogue,
    verdicts: dict[str, Verdict],
    policies: Sequence[Policy],
    kept_back: Mapping[str, str],
) -> tuple[Decision, list[Refusal]]:
    """What goes by rule and by limit, and where a limit could not be held.

    Policies have their turns in order: each counts what those before it leave. Checkpoints
    that slimming leaves alone are `kept_back`, path → why.
    """
    protected, copies = protections(catalogue), Copies(catalogue)
    archived = not_to_be_lost(catalogue)
    protected |= _not_archived(catalogue, verdicts, protected, archived)
    unkept = {path: each for path, each in verdicts.items() if not each.kept}
    whole = [
        each.artifact for path, each in unkept.items() if path not in protected and not slims(each)
    ]
    lost = [each for each in whole if each.path not in archived and not archives(unkept[each.path])]
    decision = Decision(dict(verdicts), protected, set(), archived=archived)
    for path, why in only_copies(copies, lost).items():
        decision.hold(catalogue.by_path[path], why)
    decision.going = {artifact.path for artifact in whole if artifact.path not in protected}
    free = {path: each for path, each in verdicts.items() if path not in protected}
    decision.slim = {path for path, each in free.items() if slims(each)}
    decision.bulk = {each.run.path: each.leave for each in decision.slimmed(catalogue, kept_back)}
    decision.slim &= unkept.keys()
    limited = (policy for policy in policies if policy.max_size is not None)
    found = [_held(catalogue, decision, policy, copies) for policy in limited]
    decision.bulk = {each.run.path: each.leave for each in decision.slimmed(catalogue, kept_back)}
    return decision, [refusal for refusal in found if refusal]


def _not_archived(
    catalogue: Catalogue,
    verdicts: Mapping[str, Verdict],
    protected: Protections,
    archived: Protections,
) -> Protections:
    """S3: what must not be lost with a unit keeps it where it would not be archived: a run that
    is slimmed stays as it is, and of some kinds an archive doesn't hold all."""
    stay = (
        path
        for path in archived
        if slims(verdicts[path]) or not may_be_archived(catalogue.by_path[path])
    )
    return {path: (*protected.get(path, ()), *archived[path]) for path in stay}


def _held(
    catalogue: Catalogue, decision: Decision, policy: Policy, copies: Copies
) -> Refusal | None:
    """Let the rules of one policy yield until its limit is held; what is said if it isn't."""
    limit = policy.max_size or 0
    governed = [each for each in decision.verdicts.values() if each.policy is policy]
    size = _staying(catalogue, [each.artifact for each in governed], decision.leave())
    packed = (each for each in governed if each.artifact.path in decision.going)
    size += sum(estimate(each.artifact) for each in packed if compresses(each))
    for verdict in sorted(governed, key=lambda each: (each.artifact.time, each.artifact.path)):
        if size <= limit:
            return None
        if verdict.kept and not verdict.firm:
            size -= _yielded(catalogue, decision, verdict, copies)
    return _too_large(policy, size, limit) if size > limit else None


def _staying(catalogue: Catalogue, governed: Sequence[Artifact], going: set[str]) -> int:
    """Bytes of all that stays of some units; what lies in two of them counts once."""
    paths = {each.path for each in governed}
    return sum(
        left(catalogue, each, going)
        for each in governed
        if going.isdisjoint(catalogue.up_from(each))
        and paths.isdisjoint(islice(catalogue.up_from(each), 1, None))
    )


def _yielded(catalogue: Catalogue, decision: Decision, verdict: Verdict, copies: Copies) -> int:
    """The bytes that go if a unit yields: none where that changes nothing, or it may not."""
    artifact, protected = verdict.artifact, decision.protected
    gain = _gain(catalogue, decision, verdict)
    if gain <= 0:
        return 0
    decision.verdicts[artifact.path] = _beyond(verdict)
    whole = not slims(verdict)
    lost = whole and not archives(verdict) and artifact.path not in decision.archived
    if lost and artifact.path not in protected and (why := copies.take(artifact)):
        decision.hold(artifact, why)
    if artifact.path in protected:
        return 0
    (decision.going if whole else decision.slim).add(artifact.path)
    return gain


def _gain(catalogue: Catalogue, decision: Decision, verdict: Verdict) -> int:
    artifact, going = verdict.artifact, decision.going
    if not going.isdisjoint(catalogue.up_from(artifact)):
        return 0
    if slims(verdict):
        bulk = decision.bulk.get(artifact.path, ())
        return sum(each.bytes for each in bulk if each.path not in going)
    stays = estimate(artifact) if compresses(verdict) else 0
    return left(catalogue, artifact, decision.leave()) - stays


def _beyond(verdict: Verdict) -> Verdict:
    assert verdict.policy is not None
    limit = format_size(verdict.policy.max_size or 0)
    although = (f"although {', '.join(verdict.reasons)}",) if verdict.policy.has_rules else ()
    reasons = (f"beyond max_size {limit}: oldest first", *although)
    return replace(verdict, kept=False, reasons=reasons, yields=True)


def _too_large(policy: Policy, size: int, limit: int) -> Refusal:
    where = "" if policy.path == "**" else f" in {policy.path}"
    what = f"{policy.kind}{where} takes {format_size(size)} of max_size {format_size(limit)}"
    rest = "compressed or protected" if policy.then == COMPRESS else "protected"
    return Refusal("max-size", f"{what}; the rest is {rest}", "janitor plan --kept", policy.kind)


def left(catalogue: Catalogue, artifact: Artifact, going: set[str]) -> int:
    """Bytes of a unit without those that leave it."""
    return artifact.bytes - sum(each.bytes for each in leaving_it(catalogue, artifact, going))


def leaving_it(catalogue: Catalogue, artifact: Artifact, going: set[str]) -> Iterator[Artifact]:
    """The outermost units inside one that go by themselves."""
    stack = list(catalogue.children.get(artifact.path, ()))
    while stack:
        child = stack.pop()
        if child.path in going:
            yield child
        else:
            stack += catalogue.children.get(child.path, ())


def in_turn(verdicts: Iterable[Verdict], policies: Sequence[Policy]) -> list[Artifact]:
    """In the order in which units have to go: by policy, then what its rules let go, then
    what only yields to a limit; each oldest first."""
    position = {id(policy): number for number, policy in enumerate(policies)}

    def turn(verdict: Verdict) -> tuple[int, bool, int, str]:
        artifact = verdict.artifact
        return position[id(verdict.policy)], verdict.yields, artifact.time, artifact.path

    return [each.artifact for each in sorted(verdicts, key=turn)]
