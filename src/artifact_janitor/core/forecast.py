"""When the disk is full: as things go, and under the policies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from artifact_janitor.core.model import Artifact, Catalogue
from artifact_janitor.core.plan import Plan
from artifact_janitor.units import DAY

WINDOW = 30 * DAY
"""How far we look back for growth, and ahead for what the policies would let go."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Bytes a day, and days until the disk is full; None where it never will be."""

    growth: float
    under_policy: float
    full_in: float | None
    full_under_policy: float | None


def forecast(
    catalogue: Catalogue, decide: Callable[[Catalogue, int], Plan], now: int, free: int
) -> Forecast:
    """From the runs of the last `WINDOW` and from what a plan made `WINDOW` later would take.

    `decide` makes a plan as of a given time. What the plan of today takes is no part of
    the future: it is free space to come.
    """
    growth = _new(catalogue.artifacts, now) / (WINDOW / DAY)
    today, later = decide(catalogue, now), decide(catalogue, now + WINDOW)
    leaving = (_frees(later) - _frees(today)) / (WINDOW / DAY)
    net = growth - max(leaving, 0.0)
    return Forecast(growth, net, _days(free, growth), _days(free + _frees(today), net))


def _new(artifacts: Iterable[Artifact], now: int) -> int:
    """Bytes of the outermost units that were last written to within the window."""
    return sum(
        each.bytes for each in artifacts if each.parent is None and now - WINDOW < each.time <= now
    )


def _frees(plan: Plan) -> int:
    return sum(step.artifact.frees for step in plan.steps if step.do != "purge")


def _days(free: int, growth: float) -> float | None:
    return free / growth if growth > 0 else None
