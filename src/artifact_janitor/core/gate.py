"""May a model that was trained again take its place? Numbers in, a sentence out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Mode = Literal["adopt", "replay", "refit"]
EQUAL = 1e-6
"""How far a training with the seed of its trial may be off: on a CPU it is the same."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What the trial reached that is trained again.

    `best` is its value, `values` those of all complete trials, `name` what they are called.
    `tolerance` says how far below the best a refit may be, relative to the distance between
    the best and the median of all.
    """

    best: float
    values: Sequence[float]
    direction: Literal["maximize", "minimize"]
    tolerance: float
    name: str = "value"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a model passes, and why, with both numbers."""

    passes: bool
    why: str


def judge(mode: Mode, metric: float, goal: Goal) -> Judgement:
    """Hold the metric of a training against its trial.

    A refit is worse than the best trial as a rule, for the best of many was lucky too: how
    much worse it may be is the user's to say. Better is always good enough.
    """
    if mode == "adopt":
        return Judgement(True, f"the trial's own model, {goal.name} {_number(goal.best)}")
    both = f"{goal.name} {_number(metric)}, the best trial had {_number(goal.best)}"
    if not math.isfinite(metric) or not math.isfinite(goal.best):
        return Judgement(False, f"{both}: what is not finite can't be compared")
    if mode == "replay":
        return _same(metric, goal, both)
    behind = goal.best - metric if goal.direction == "maximize" else metric - goal.best
    allowed, how = _allowed(goal)
    side = "below" if goal.direction == "maximize" else "above"
    why = f"{both}; {_number(allowed)} {side} it is allowed ({how})"
    return Judgement(behind <= allowed, why)


def _same(metric: float, goal: Goal, both: str) -> Judgement:
    off = abs(metric - goal.best)
    passes = off <= EQUAL * max(1.0, abs(goal.best))
    said = "the same seed gave the same" if passes else "the same seed must give the same"
    return Judgement(passes, f"{both}: {said}")


def _allowed(goal: Goal) -> tuple[float, str]:
    """Where all trials are equal, or there is only one, their spread tells nothing: then the
    tolerance is relative to the value itself."""
    share = f"{goal.tolerance * 100:.4g} %"
    middle = median([each for each in goal.values if math.isfinite(each)] or [goal.best])
    if spread := abs(goal.best - middle):
        return goal.tolerance * spread, f"{share} of its distance to the median {_number(middle)}"
    return goal.tolerance * abs(goal.best), f"{share} of it, all trials being equal"


def _number(value: float) -> str:
    return f"{value:.6g}"
