"""``then = "compress"``: what a policy lets go stays where it is, as a compressed file.

It is a unit of the same kind and age then. What is compressed already, or can't be, stays as
it is; only ``expire`` lets go of what is compressed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from artifact_janitor.core.model import Artifact, Catalogue, Kind
from artifact_janitor.core.policy import Policy
from artifact_janitor.core.retention import Verdict
from artifact_janitor.units import duration_literal

COMPRESS = "compress"
COMPRESSIBLE: tuple[Kind, ...] = ("log",)
"""The kinds whose units are files that any program reads as well through ``zstdcat``."""

SUFFIX = ".zst"
PACKED = (SUFFIX, ".gz", ".bz2", ".xz")
"""How the names of compressed logs end."""

NO_GAIN = "compressed it would take as much room"
"""Why a log was left as it is that was compressed in vain: until it changes, none tries again."""

BLOCK = 4096
"""What the smallest file takes on most disks, in bytes."""
_SHARE = 4
"""A log becomes at least so many times smaller, as a rule: words repeat."""


def estimate(artifact: Artifact) -> int:
    """Bytes that a unit will take on the disk once it is compressed; careful, not exact."""
    return -(-artifact.bytes // (_SHARE * BLOCK)) * BLOCK


def as_compressed(artifact: Artifact) -> Artifact:
    """The unit as its step counts it: it frees what it takes less than before."""
    return replace(artifact, frees=artifact.frees - estimate(artifact))


def compresses(verdict: Verdict) -> bool:
    """Whether what the policy of this unit lets go is compressed."""
    policy = verdict.policy
    return policy is not None and policy.then == COMPRESS and not verdict.artifact.incompressible


def tried(catalogue: Catalogue) -> Catalogue:
    """The facts, with those units marked that were compressed in vain and did not change."""
    futile = catalogue.futile
    if not futile:
        return catalogue
    artifacts = tuple(
        replace(each, incompressible=each.incompressible or NO_GAIN)
        if each.fingerprint and futile.get(each.path) == each.fingerprint
        else each
        for each in catalogue.artifacts
    )
    return replace(catalogue, artifacts=artifacts)


def settled(verdicts: Mapping[str, Verdict], now: int) -> dict[str, Verdict]:
    """The verdicts, where a policy compresses: what can't be compressed stays, whatever its
    rules and limits say, until it expires."""
    return {path: _settled(each, now) for path, each in verdicts.items()}


def _settled(verdict: Verdict, now: int) -> Verdict:
    policy, artifact = verdict.policy, verdict.artifact
    if policy is None or policy.then != COMPRESS or not artifact.incompressible:
        return verdict
    if verdict.kept:
        return replace(verdict, firm=True)
    if expired := _expired(artifact, policy, now):
        return replace(verdict, reasons=(expired,))
    return replace(verdict, kept=True, firm=True, reasons=(artifact.incompressible,))


def _expired(artifact: Artifact, policy: Policy, now: int) -> str:
    """Why a compressed file goes, or ""."""
    limit = policy.expire
    if limit is None or not artifact.path.endswith(PACKED) or now - artifact.time <= limit:
        return ""
    return f"compressed, and older than {duration_literal(limit)} (expire)"
