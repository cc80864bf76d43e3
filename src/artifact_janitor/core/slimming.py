"""What a run loses when its policy slims it: checkpoints that nothing protects, and no more.

The run stays where it is, with its configs, logs and metrics, with its best and final
models, and with whatever no layout explains. The ``keep_`` rules of checkpoint policies
don't count in it, as they don't in a run that goes as a whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from artifact_janitor.core.model import Artifact, Catalogue, Kind, ancestors
from artifact_janitor.core.policy import Policy
from artifact_janitor.core.protection import Protections
from artifact_janitor.core.retention import Verdict, misdated

SLIM = "slim"
SLIMMABLE: tuple[Kind, ...] = ("hydra-run", "hydra-sweep", "training-run")
"""The kinds that hold checkpoints."""

NAMED = 3
"""How many of the checkpoints that stay are named."""


@dataclass(frozen=True, slots=True)
class Slimming:
    """A run that its policy slims, and why; of its checkpoints those that leave and stay."""

    run: Artifact
    policy: Policy | None
    why: tuple[str, ...]
    leave: tuple[Artifact, ...]
    stay: tuple[Artifact, ...]
    unsure: Mapping[str, str]
    """Why those stay that nothing protects, by path (S7)."""

    @property
    def frees(self) -> int:
        """At least so many bytes: hard links to each other among what leaves count none."""
        return sum(each.frees for each in self.leave)


def slimmings(
    catalogue: Catalogue, verdicts: Mapping[str, Verdict], protected: Protections, now: int
) -> Iterator[Slimming]:
    """All runs that are slimmed: their policy lets them go, nothing protects them, and no
    unit around them goes as a whole."""
    going = {path: v for path, v in verdicts.items() if not v.kept and path not in protected}
    whole = {path for path, verdict in going.items() if not _slims(verdict)}
    apart = {path for path, verdict in going.items() if verdict.artifact.kind != "checkpoint"}
    for path, verdict in going.items():
        around = [*catalogue.up_from(verdict.artifact)][1:]
        if _slims(verdict) and whole.isdisjoint(around):
            inside = [*_checkpoints(catalogue, path, apart)]
            yield _slimming(catalogue, verdict, inside, protected, now)


def _slims(verdict: Verdict) -> bool:
    return verdict.policy is not None and verdict.policy.then == SLIM


def _checkpoints(catalogue: Catalogue, path: str, apart: set[str]) -> Iterator[Artifact]:
    """Those of a run and of the runs in it, but for runs that go, or are slimmed, `apart`."""
    for child in catalogue.children.get(path, ()):
        if child.kind == "checkpoint":
            yield child
        elif child.path not in apart:
            yield from _checkpoints(catalogue, child.path, apart)


def _slimming(
    catalogue: Catalogue,
    verdict: Verdict,
    inside: list[Artifact],
    protected: Protections,
    now: int,
) -> Slimming:
    run = verdict.artifact
    around = {above for each in catalogue.below(run.path) for above in ancestors(each.path)}
    bulk = [each for each in inside if each.path not in protected]
    unsure = dict(_unsure(bulk, inside, around, now))
    leave = sorted(
        (each for each in bulk if each.path not in unsure), key=lambda each: (each.time, each.path)
    )
    stay = sorted({*inside}.difference(leave), key=lambda each: each.path)
    return Slimming(run, verdict.policy, verdict.reasons, tuple(leave), tuple(stay), unsure)


def _unsure(
    bulk: Iterable[Artifact], inside: Iterable[Artifact], around: set[str], now: int
) -> Iterator[tuple[str, str]]:
    """S7: a run whose checkpoints all look damaged may well be one that we can't read."""
    runs: defaultdict[str, list[Artifact]] = defaultdict(list)
    for each in inside:
        runs[each.within].append(each)
    for each in bulk:
        if why := misdated(each, now):
            yield each.path, why
        elif each.path in around:
            yield each.path, "holds another unit"
        elif all(other.valid is False for other in runs[each.within]):
            yield each.path, "no checkpoint of its run is known to be whole"


def overruled(slimmed: Iterable[Slimming]) -> Iterator[tuple[str, Verdict]]:
    """What slimming makes of the verdicts on runs and their checkpoints."""
    for each in slimmed:
        run = each.run
        if not each.leave:
            why = (*each.why, "nothing left to slim")
            yield run.path, Verdict(run, each.policy, True, why)
        slims = (f"{run.path} is slimmed: {', '.join(each.why)}",)
        for one in (*each.leave, *each.stay):
            unsure = each.unsure.get(one.path)
            said = (unsure,) if unsure else slims
            yield one.path, Verdict(one, each.policy, unsure is not None, said)


def told(slimming: Slimming) -> str:
    """ "8 intermediate checkpoints; best_model.pt, model_epoch_10.pt stay"."""
    leave, stay = len(slimming.leave), slimming.stay
    bulk = f"{leave} intermediate checkpoint{'' if leave == 1 else 's'}"
    names = [each.path[len(slimming.run.path) + 1 :] for each in stay[:NAMED]]
    more = [f"{len(stay) - NAMED} more"] if len(stay) > NAMED else []
    return f"{bulk}; {', '.join(names + more)} {'stays' if len(stay) == 1 else 'stay'}"


def as_planned(slimming: Slimming, apart: int) -> Artifact:
    """The run as its step counts it: it frees what its checkpoints give back, and the bytes
    of units in it that have steps of their own, `apart`, count there."""
    run = slimming.run
    return replace(run, bytes=run.bytes - apart, frees=slimming.frees)
