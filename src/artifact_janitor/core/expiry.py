"""Which archives expire: those whose policy says so, and of which nothing would be lost (S10).

What the manifest tells of the day, what names the unit's old place today, and pins must let
the unit itself go. An archive is no copy that anything else relies on, and so the only copy
of a model in one stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from artifact_janitor.core.model import Artifact, Catalogue, Evidence, Stored, is_within
from artifact_janitor.core.policy import Policy
from artifact_janitor.core.protection import UNSYNCED, WORD, trusting
from artifact_janitor.core.retention import OLDEST, LocalTime, governing
from artifact_janitor.units import duration_literal

EXPIRE = "expire"
"""What a step does that moves an archive into the trash."""

PROVES = ("uploaded", WORD)
"""The facts that prove an upload."""
IN_FAVOUR = frozenset({"origin", "not live", *PROVES})
"""The facts of a manifest that let its unit go; whatever else it tells protects (S7)."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of an archive: ``reasons`` are its policy's, and where that lets it go the
    ``protections`` keep it all the same."""

    stored: Stored
    is_old: bool
    reasons: tuple[str, ...]
    protections: tuple[Evidence, ...] = ()

    @property
    def expires(self) -> bool:
        return self.is_old and not self.protections


def judged(
    catalogue: Catalogue,
    policies: Sequence[Policy],
    now: int,
    local: LocalTime,
    leaving: Collection[str],
) -> Iterator[Judged]:
    """Each archive, oldest first; `leaving` are the paths of the units that a plan takes, whose
    models are no copies."""
    copies = {file.digest for file in catalogue.published}
    for unit in catalogue.artifacts:
        if unit.path not in leaving:
            copies |= {file.digest for file in unit.models}
    for stored in sorted(catalogue.archives, key=lambda each: (each.time, each.path)):
        kept, reason = _by_policy(stored, policies, now)
        against = () if kept else tuple(_against(stored, catalogue, copies))
        told = () if kept else _told(stored, policies, now, local)
        yield Judged(stored, not kept, (reason,), (*against, *told))


def is_old(stored: Stored, policies: Sequence[Policy], now: int) -> bool:
    """Whether its policy would let it expire by its date."""
    return not _by_policy(stored, policies, now)[0]


def _by_policy(stored: Stored, policies: Sequence[Policy], now: int) -> tuple[bool, str]:
    """Whether its policy keeps it, and why: the first that matches what is in it."""
    policy = governing(_as_it_was(stored), policies)
    if policy is None:
        return True, f"no policy for archives of {stored.archive.kind} here"
    if policy.expire is None:
        return True, "its policy lets no archive expire"
    age = duration_literal(policy.expire)
    if stored.time > now:
        return True, "it was made in the future, by its date"
    if stored.time < OLDEST:
        return True, "it was made before the year 2000, by its date: that is no date"
    if now - stored.time <= policy.expire:
        return True, f"archived within {age}"
    return False, f"archived longer ago than {age}"


def _as_it_was(stored: Stored) -> Artifact:
    """The unit as its manifest describes it."""
    evidence = stored.archive.evidence
    return replace(
        stored.archive,
        path=stored.unit,
        time=stored.written,
        protections=tuple(each for each in evidence if each.fact not in IN_FAVOUR),
        evidence=tuple(each for each in evidence if each.fact in IN_FAVOUR),
    )


def _told(
    stored: Stored, policies: Sequence[Policy], now: int, local: LocalTime
) -> tuple[Evidence, ...]:
    """What the manifest tells against it; a person's word of today counts (S3). That something
    may be archived lets no archive expire."""
    (unit,) = trusting(Catalogue((_as_it_was(stored),)), policies, now, local).artifacts
    unsynced = tuple(each for each in unit.evidence if each.fact == UNSYNCED)
    unproven = (each for each in stored.uploads if not _is_proven(each, unit))
    said = () if unsynced or unit.protections else tuple(map(_unproven, unproven))
    return (*unit.protections, *unsynced, *said)


def _is_proven(run: str, unit: Artifact) -> bool:
    """Whether the W&B run at `run` was uploaded: of one in another unit that says its path."""
    return any(
        each.fact in PROVES and (run == unit.path or each.why.startswith(f"{run}: "))
        for each in unit.evidence
    )


def _unproven(run: str) -> Evidence:
    return Evidence(UNSYNCED, f"nothing proves that {run} in it is uploaded")


def _against(
    stored: Stored, catalogue: Catalogue, copies: Collection[str | None]
) -> Iterator[Evidence]:
    """What is so today."""
    if not stored.is_read:
        yield Evidence("unreadable", "nobody looked at what is in it")
    yield from stored.archive.protections
    for pin in catalogue.pins:
        places = (stored.path, stored.unit, *stored.archive.links)
        at = next((each for each in places if _meet(each, pin.path)), "")
        if at:
            note = f" ({pin.note})" if pin.note else ""
            what = "pinned" if at == stored.path else f"{pin.path} is pinned"
            yield Evidence("pinned", what + note, f"janitor unpin {pin.path}")
    for file in stored.archive.models:
        if not file.digest or file.digest not in copies:
            why = f"holds the only copy of the model {file.path}"
            yield Evidence("only-copy", why, f"janitor restore {stored.unit}")


def _meet(path: str, pin: str) -> bool:
    """A pin covers all below it, and holds what is around it."""
    return is_within(path, pin) or is_within(pin, path)
