"""How much of a kind may go within a day without a person's yes (S8)."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from artifact_janitor.core.model import Artifact, Catalogue, Refusal, Tally

EXEMPT_BELOW = 10
"""Kinds with fewer units than this are exempt."""


def overdrawn(
    catalogue: Catalogue, kind: str, leaving: Collection[Artifact], max_share: float
) -> Refusal | None:
    """The refusal, where these units of a kind, or archives of it, and what went in the last
    24 hours are more than this share of all, by count or by bytes."""
    stored = [each.archive for each in catalogue.archives if archives_of(each.archive) == kind]
    if stored:
        here, going = _sum(stored), _sum(leaving)
    else:
        here = _tally(catalogue, [each for each in catalogue.artifacts if each.kind == kind])
        going = _tally(catalogue, [each for each in leaving if each.kind == kind])
    recent = catalogue.recent.get(kind, Tally())
    units, size = here.units + recent.units, here.bytes + recent.bytes
    gone, freed = going.units + recent.units, going.bytes + recent.bytes
    share = max(gone / units, freed / size if size else 0)
    if units < EXEMPT_BELOW or share <= max_share:
        return None
    return _too_much(kind, share, max_share, recent)


def archives_of(artifact: Artifact) -> str:
    """What the archives of a kind are counted as."""
    return f"{artifact.kind} archive"


def _sum(artifacts: Collection[Artifact]) -> Tally:
    return Tally(len(artifacts), sum(each.bytes for each in artifacts))


def _tally(catalogue: Catalogue, artifacts: Collection[Artifact]) -> Tally:
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
    what = f"{kind}s" if kind.endswith(" archive") else f"{kind} units"
    message = (
        f"{share:.0%} of all {what} or bytes would go{since}; "
        f"without a person's yes at most {max_share:.0%} a day do (safety.max_share)"
    )
    return Refusal("max-share", message, "janitor run --override-guards", kind)
