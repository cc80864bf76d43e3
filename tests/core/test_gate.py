"""May a model that was trained again take its place? Both numbers are always said."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_janitor.core.gate import Goal, judge

VALUES = (0.1, 0.2, 0.4, 0.5, 0.9)  # median 0.4


def goal(**more: Any) -> Goal:
    told = {"best": 0.9, "values": VALUES, "direction": "maximize", "tolerance": 0.25}
    return Goal(**(told | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "passes"),
    [(0.9, True), (1.5, True), (0.78, True), (0.775, True), (0.774, False), (0.1, False)],
)
def test_a_refit_may_be_worse_by_a_quarter_of_the_way_to_the_median(
    metric: float, passes: bool
) -> None:
    found = judge("refit", metric, goal(name="f1"))
    assert found.passes is passes
    assert f"f1 {metric:.6g}, the best trial had 0.9; 0.125 below it is allowed" in found.why
    assert "25 % of its distance to the median 0.4" in found.why


@pytest.mark.parametrize(
    ("metric", "passes"), [(0.1, True), (-3, True), (0.17, True), (0.18, False), (0.9, False)]
)
def test_less_is_better_where_the_study_minimizes(metric: float, passes: bool) -> None:
    found = judge("refit", metric, goal(best=0.1, direction="minimize"))
    assert found.passes is passes
    assert "0.075 above it is allowed" in found.why


def test_without_a_spread_the_tolerance_is_of_the_value_itself() -> None:
    alone = goal(best=-2.0, values=(-2.0,))
    assert judge("refit", -2.5, alone).passes
    assert not judge("refit", -2.51, alone).passes
    assert not judge("refit", -1e-9, goal(best=0.0, values=())).passes
    assert judge("refit", 0.0, goal(best=0.0, values=())).passes


def test_trials_without_a_finite_value_say_nothing_of_the_spread() -> None:
    many = goal(values=(*VALUES, *[-math.inf] * 20))
    assert not judge("refit", 0.5, many).passes


def test_a_replay_must_be_equal() -> None:
    for off in (0.0, 9e-7, -9e-7):
        assert judge("replay", 0.9 + off, goal()).passes
    for off in (2e-6, -2e-6):
        found = judge("replay", 0.9 + off, goal())
        assert not found.passes
        assert "the best trial had 0.9: the same seed must give the same" in found.why
    assert judge("replay", 1e6 + 0.5, goal(best=1e6)).passes


def test_the_trials_own_model_needs_no_number() -> None:
    assert judge("adopt", math.nan, goal()).passes


@pytest.mark.parametrize("mode", ["replay", "refit"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_never_passes(mode: Any, bad: float) -> None:
    assert not judge(mode, bad, goal()).passes
    assert not judge(mode, 0.9, goal(best=bad, values=(bad,))).passes


finite = st.floats(-1e9, 1e9)


@given(finite, finite, st.lists(finite, max_size=9), st.floats(0, 2))
def test_better_always_passes_and_both_directions_are_mirrors(
    metric: float, best: float, values: list[float], tolerance: float
) -> None:
    up = judge("refit", metric, Goal(best, values, "maximize", tolerance))
    mirror = Goal(-best, [-each for each in values], "minimize", tolerance)
    down = judge("refit", -metric, mirror)
    assert up.passes == down.passes
    if metric >= best:
        assert up.passes
