"""What a run loses when its policy slims it: checkpoints that nothing protects, and no more.

The run stays where it is, with its configs, logs and metrics, with its best and final
models, and with whatever no layout explains. The ``keep_`` rules of checkpoint policies
don't count in it, as they don't in a run that goes as a whole; only what ``keep_best``
calls best is best. What its own policy archives is left to that: it is not to be lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from artifact_janitor.core.model import Artifact, Catalogue, Kind, ancestors
from artifact_janitor.core.policy import ARCHIVE, Best, Policy
from artifact_janitor.core.protection import Protections
from artifact_janitor.core.retention import LocalTime, Verdict, judge, misdated

SLIM = "slim"
SLIMMABLE: tuple[Kind, ...] = ("hydra-run", "hydra-sweep", "training-run")
"""The kinds that hold checkpoints."""

NAMED = 3
"""How many of the checkpoints that stay are named."""


@dataclass(frozen=True, slots=True)
class Slimming:
    """A run that its policy slims, by this verdict: the checkpoints that leave, and those
    that stay."""

    verdict: Verdict
    leave: tuple[Artifact, ...]
    stay: tuple[Artifact, ...]
    held: str = ""
    """Why the run isn't slimmed after all."""

    @property
    def run(self) -> Artifact:
        return self.verdict.artifact


def slims(verdict: Verdict) -> bool:
    """Whether what the policy of this unit lets go is slimmed, and doesn't go as a whole."""
    return verdict.policy is not None and verdict.policy.then == SLIM


def archives(verdict: Verdict) -> bool:
    """Whether the policy of this unit archives what it lets go. That loses no last copy: it
    is read back before the unit leaves its place."""
    return verdict.policy is not None and verdict.policy.then == ARCHIVE


def slimmings(
    catalogue: Catalogue,
    verdicts: Mapping[str, Verdict],
    going: Collection[str],
    protected: Protections,
    spared: Mapping[str, str],
) -> Iterator[Slimming]:
    """The runs that are slimmed: those `going`, as whole or slimmed, that their policy slims,
    and around which no unit goes as a whole. Those `spared` stay as well."""
    whole = {path for path in going if not slims(verdicts[path])}
    apart = {*going, *protected}
    stays = protected.keys() | spared.keys()
    for path in sorted({*going} - whole):
        verdict = verdicts[path]
        around = _around(catalogue, verdict.artifact)
        if whole.isdisjoint(around):
            live = next((each for each in around if _is_live(each, protected)), "")
            found = _checkpoints(catalogue, path, apart) if not live else ()
            inside = [each for each in found if not archives(verdicts[each.path])]
            leave = sorted(
                (each for each in inside if each.path not in stays),
                key=lambda each: (each.time, each.path),
            )
            stay = sorted({*inside}.difference(leave), key=lambda each: each.path)
            held = f"part of {live}, which is live" if live else ""
            yield Slimming(verdict, tuple(leave), tuple(stay), held)


def _around(catalogue: Catalogue, artifact: Artifact) -> list[str]:
    return [*catalogue.up_from(artifact)][1:]


def _is_live(path: str, protected: Protections) -> bool:
    return any(each.fact == "live" for each in protected.get(path, ()))


def _checkpoints(catalogue: Catalogue, path: str, apart: set[str]) -> Iterator[Artifact]:
    """Those of a run, and of the runs in it that don't go, or stay, for reasons of their own."""
    for child in catalogue.children.get(path, ()):
        if child.kind == "checkpoint":
            yield child
        elif child.path not in apart:
            yield from _checkpoints(catalogue, child.path, apart)


def not_bulk(
    catalogue: Catalogue, policies: Sequence[Policy], now: int, local: LocalTime
) -> dict[str, str]:
    """The checkpoints that a run keeps when it is slimmed though nothing protects them, and
    why: best by the metric that a policy names, or not known well enough (S7)."""
    if not any(each.then == SLIM for each in policies):
        return {}
    checkpoints = [each for each in catalogue.artifacts if each.kind == "checkpoint"]
    return dict(_unsure(catalogue, checkpoints, now)) | _best(checkpoints, policies, now, local)


def _best(
    checkpoints: Sequence[Artifact], policies: Sequence[Policy], now: int, local: LocalTime
) -> dict[str, str]:
    """``keep_best`` says what is best of a run; no other rule speaks of that."""
    rules = [Policy(each.kind, each.path, keep_best=_measured(each.keep_best)) for each in policies]
    verdicts = judge(checkpoints, rules, now, local)
    return {path: each.reasons[0] for path, each in verdicts.items() if each.policy and each.kept}


def _measured(best: Best | None) -> Best | None:
    return replace(best, missing="ignore") if best else None


def _unsure(
    catalogue: Catalogue, checkpoints: Iterable[Artifact], now: int
) -> Iterator[tuple[str, str]]:
    """S7: what is dated in the future, or more than a checkpoint."""
    around = {above for each in catalogue.artifacts for above in ancestors(each.path)}
    for each in checkpoints:
        if why := misdated(each, now):
            yield each.path, why
        elif each.path in around:
            yield each.path, "holds another unit"


def overruled(
    slimmed: Iterable[Slimming], spared: Mapping[str, str]
) -> Iterator[tuple[str, Verdict]]:
    """What slimming makes of the verdicts on runs and their checkpoints."""
    for each in slimmed:
        run, policy, why = each.run, each.verdict.policy, each.verdict.reasons
        if not each.leave:
            kept = (*why, each.held or "nothing left to slim")
            yield run.path, Verdict(run, policy, True, kept)
        said = (f"{run.path} is slimmed: {', '.join(why)}",)
        for one in (*each.leave, *each.stay):
            stays = spared.get(one.path, "")
            yield one.path, Verdict(one, policy, bool(stays), (stays,) if stays else said)


def told(slimming: Slimming) -> str:
    """ "8 intermediate checkpoints; best_model.pt, model_epoch_10.pt stay"."""
    leave, stay = len(slimming.leave), slimming.stay
    bulk = f"{leave} intermediate checkpoint{'' if leave == 1 else 's'}"
    names = ", ".join(each.path[len(slimming.run.path) + 1 :] for each in stay[:NAMED])
    more = f" and {len(stay) - NAMED} more" if len(stay) > NAMED else ""
    return f"{bulk}; {names}{more} {'stays' if len(stay) == 1 else 'stay'}"


def as_planned(slimming: Slimming, size: int) -> Artifact:
    """The run as its step counts it: it frees what its checkpoints give back (at least, for
    hard links among them count none); `size` is without units in it that have steps of their
    own."""
    frees = sum(each.frees for each in slimming.leave)
    return replace(slimming.run, bytes=size, frees=frees)
