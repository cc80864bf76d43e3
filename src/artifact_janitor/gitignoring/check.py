"""All that is not as the policy says: for a person, a hook, and CI. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from artifact_janitor.config import Settings
from artifact_janitor.core.gitignore import FILE, Change, ours
from artifact_janitor.core.gitignore_proof import Finding
from artifact_janitor.gitignoring.look import Sight, look
from artifact_janitor.gitignoring.prove import Proof, prove
from artifact_janitor.units import format_size


@dataclass(frozen=True, slots=True)
class Checked:
    """``sight`` is None where there is no repository."""

    sight: Sight | None
    findings: tuple[Finding, ...] = ()
    paths: int = 0


def check(settings: Settings, index: str = "") -> Checked:
    """`index` is the one of a hook. Raises GitTrouble where Git can't be asked."""
    sight = look(settings, index)
    if sight is None:
        return Checked(None)
    proof = prove(settings, sight)
    found = (*refusals(sight, proof), *_drift(sight, proof), *_large(sight, settings))
    return Checked(sight, (*found, *proof.others), proof.paths)


def refusals(sight: Sight, proof: Proof) -> Iterator[Finding]:
    """Why a sync writes nothing."""
    if flaw := sight.flaw:
        yield Finding("flaw", FILE, flaw.what, flaw.hint, FILE, flaw.line)
    yield from proof.conflicts


def _drift(sight: Sight, proof: Proof) -> Iterator[Finding]:
    if sight.change and sight.drifts and not proof.conflicts:
        yield Finding("drift", FILE, drift(sight.change), "janitor gitignore sync")


def drift(made: Change) -> str:
    """What a sync would do, in words."""
    before, after = ours(made.old), ours(made.new)
    if not after:
        return "the policy says nothing any more: its block goes"
    if not before:
        return f"the policy's block is not in it yet: {len(after)} rules"
    more, less = len({*after} - {*before}), len({*before} - {*after})
    counts = (f"{more} new" if more else "", f"{less} to go" if less else "")
    return f"is not what the policy says: {', '.join(filter(None, counts)) or 'another order'}"


def _large(sight: Sight, settings: Settings) -> Iterator[Finding]:
    most = format_size(settings.gitignore.max_size)
    for path, size in sight.large:
        what = f"is about to be committed with {format_size(size)}; at most {most} may be"
        yield Finding("large", path, what, f"git restore --staged {path}")
