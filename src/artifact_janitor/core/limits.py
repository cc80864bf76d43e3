"""``max_size``: how much of what a policy governs may stay, whatever its rules keep.

Rules are judged first, and what they let go is gone. Where more than the limit is left,
they yield, oldest first and no unit more than it takes; what anything protects never does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from artifact_janitor.core.model import Artifact, Catalogue, Refusal
from artifact_janitor.core.policy import Policy
from artifact_janitor.core.protection import Copies, Protections, only_copies, protections
from artifact_janitor.core.retention import Verdict
from artifact_janitor.units import format_size


@dataclass(slots=True)
class Decision:
    """What goes, and what the policies and protections say of each unit, by path."""

    verdicts: dict[str, Verdict]
    protected: Protections
    going: set[str]
    """Units that leave by themselves; what is in them leaves with them."""


def decide(
    catalogue: Catalogue, verdicts: dict[str, Verdict], policies: Sequence[Policy]
) -> tuple[Decision, list[Refusal]]:
    """What goes by rule and by limit, and where a limit could not be held.

    Policies have their turns in order: each counts what those before it leave.
    """
    protected, copies = protections(catalogue), Copies(catalogue)
    unkept = [each.artifact for path, each in verdicts.items() if not each.kept]
    free = [artifact for artifact in unkept if artifact.path not in protected]
    protected |= only_copies(copies, free)
    going = {artifact.path for artifact in free if artifact.path not in protected}
    decision = Decision(dict(verdicts), protected, going)
    limited = (policy for policy in policies if policy.max_size is not None)
    found = [_held(catalogue, decision, policy, copies) for policy in limited]
    return decision, [refusal for refusal in found if refusal]


def _held(
    catalogue: Catalogue, decision: Decision, policy: Policy, copies: Copies
) -> Refusal | None:
    """Let the rules of one policy yield until its limit is held; what is said if it isn't."""
    limit = policy.max_size or 0
    governed = [each for each in decision.verdicts.values() if each.policy is policy]
    size = _staying(catalogue, [each.artifact for each in governed], decision.going)
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
    artifact, going, protected = verdict.artifact, decision.going, decision.protected
    gain = left(catalogue, artifact, going)
    if gain <= 0 or not going.isdisjoint(catalogue.up_from(artifact)):
        return 0
    decision.verdicts[artifact.path] = _beyond(verdict)
    if artifact.path not in protected and (why := copies.take(artifact)):
        protected[artifact.path] = why
    if artifact.path in protected:
        return 0
    going.add(artifact.path)
    return gain


def _beyond(verdict: Verdict) -> Verdict:
    assert verdict.policy is not None
    limit = format_size(verdict.policy.max_size or 0)
    although = (f"although {', '.join(verdict.reasons)}",) if verdict.policy.has_rules else ()
    reasons = (f"beyond max_size {limit}: oldest first", *although)
    return replace(verdict, kept=False, reasons=reasons, yields=True)


def _too_large(policy: Policy, size: int, limit: int) -> Refusal:
    where = "" if policy.path == "**" else f" in {policy.path}"
    what = f"{policy.kind}{where} takes {format_size(size)} of max_size {format_size(limit)}"
    return Refusal("max-size", f"{what}; the rest is protected", "janitor plan --kept", policy.kind)


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
