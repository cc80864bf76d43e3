"""``keep_best``: ranks by a metric, keeps equals together, and never loses for want of one."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_janitor.core.model import Artifact, Catalogue
from artifact_janitor.core.policy import Best, Policy
from artifact_janitor.core.retention import judge
from artifact_janitor.units import DAY, HOUR
from tests.core import oracle
from tests.core.history import NOW, local
from tests.core.planning import decided, gone, planned
from tests.core.strategies import (
    ANY,
    CHECKPOINTS,
    MANY,
    NO_MODELS,
    PLAIN,
    catalogues,
    policies,
)
from tests.core.test_retention_properties import carried_out

NAN, INF = math.nan, math.inf


def run(name: str, value: float | None, valid: bool | None = True, within: str = "") -> Artifact:
    metrics = () if value is None else (("val_f1", value),)
    kind = "checkpoint" if within else "hydra-run"
    return Artifact(name, kind, NOW - DAY, metrics=metrics, valid=valid, within=within)


def verdict(best: Best, *runs: Artifact) -> dict[str, tuple[bool, str]]:
    """By name: whether it is kept, and the one reason."""
    judged = judge(runs, [Policy(runs[0].kind, keep_best=best)], NOW, local)
    return {path: (each.kept, *each.reasons) for path, each in judged.items()}


def kept(best: Best, **values: float | None) -> set[str]:
    told = verdict(best, *(run(name, value) for name, value in values.items()))
    return {path for path, (stays, _) in told.items() if stays}


def test_the_reasons_are_those_of_the_screens() -> None:
    runs = [run("a", 0.713), run("b", 0.61), run("c", None)]
    assert verdict(Best("val_f1", "max", 1, "ignore"), *runs) == {
        "a": (True, "val_f1 0.713 is the best"),
        "b": (False, "val_f1 0.61 is not the best"),
        "c": (False, "no val_f1 found"),
    }
    assert verdict(Best("val_f1", "max", 3), run("a", 0.713), run("c", None)) == {
        "a": (True, "val_f1 0.713 is in the 3 best"),
        "c": (True, "no val_f1 found"),
    }


def test_different_values_never_read_the_same() -> None:
    told = verdict(Best("val_f1", "max"), run("a", 0.7), run("b", 0.6999999), run("c", 1 / 3))
    assert [why for _, why in told.values()] == [
        "val_f1 0.7 is the best",
        "val_f1 0.6999999 is not the best",
        "val_f1 0.333333 is not the best",
    ]


def test_one_direction_is_the_other_turned_round() -> None:
    values = {"a": 3.0, "b": -1.0, "c": 2.0, "d": 0.0}
    assert kept(Best("val_f1", "max", 2), **values) == {"a", "c"}
    assert kept(Best("val_f1", "min", 2), **values) == {"b", "d"}


def test_equals_at_the_border_stay_together() -> None:
    values = {"a": 0.9, "b": 0.7, "c": 0.7, "d": 0.7, "e": 0.1}
    assert kept(Best("val_f1", "max", 2), **values) == {"a", "b", "c", "d"}
    assert kept(Best("val_f1", "max", 1), **values) == {"a"}
    assert kept(Best("val_f1", "min", 2), **values) == {"e", "b", "c", "d"}


@pytest.mark.parametrize("direction", ["max", "min"])
@pytest.mark.parametrize("none", [NAN, INF, -INF, None])
def test_what_is_no_measurement_is_missing_and_takes_no_place(
    direction: str, none: float | None
) -> None:
    values = {"odd": none, "a": 0.7, "b": 0.6}
    better = {"max": "a", "min": "b"}[direction]
    assert kept(Best("val_f1", direction, 1, "keep"), **values) == {"odd", better}
    assert kept(Best("val_f1", direction, 1, "ignore"), **values) == {better}


def test_missing_leaves_the_others_to_decide() -> None:
    old, new = run("old", None), replace(run("new", None), time=NOW)
    policy = Policy("hydra-run", keep_last=1, keep_best=Best("val_f1", "max", 1, "ignore"))
    told = judge([old, new], [policy], NOW, local)
    assert told["new"].reasons == ("the newest",)
    assert told["old"].reasons == ("not the newest", "no val_f1 found")


def test_another_metric_is_none() -> None:
    other = replace(run("a", None), metrics=(("loss", 0.1),))
    assert verdict(Best("val_f1", "max", 1, "ignore"), other)["a"] == (False, "no val_f1 found")


def test_a_damaged_checkpoint_takes_no_place_from_a_whole_one() -> None:
    runs = [run("a", 0.9, valid=False, within="r"), run("b", 0.8, within="r")]
    runs += [run("c", 0.7, valid=None, within="r"), run("d", 0.6, within="r")]
    told = verdict(Best("val_f1", "max", 2), *runs)
    assert {path for path, (stays, _) in told.items() if stays} == {"a", "b", "c"}


def test_a_run_stays_that_holds_the_best_run() -> None:
    inner = replace(run("a/b/c", 0.9), parent="a/b")
    between = Artifact("a/b", "training-run", NOW - DAY, parent="a")
    told = verdict(Best("val_f1", "max", 1), run("a", 0.1), between, inner, run("d", 0.8))
    assert told["a"] == (True, "holds a/b/c: val_f1 0.9 is the best")
    assert told["d"] == (False, "val_f1 0.8 is not the best")
    assert told["a/b"] == (True, "no policy for training-run here")


def test_what_another_policy_keeps_leaves_with_the_run_around_it() -> None:
    outer, inner = run("a", None), Artifact("a/b", "wandb-run", NOW, parent="a")
    rules = [Policy("hydra-run", keep_within=HOUR), Policy("wandb-run", keep_last=1)]
    told = judge([outer, inner], rules, NOW, local)
    assert (told["a"].kept, told["a/b"].kept) == (False, True)


def rank(name: str, value: float | None, valid: bool = True) -> Artifact:
    """``A2``: what rank A wrote at step 2."""
    found = run(name, value, valid, within="r")
    return replace(found, series=f"r/{name[0]}#", step=int(name[1]))


def test_the_files_of_one_step_have_one_place_and_stay_together() -> None:
    runs = [rank(f"{of}{n}", n / 10) for of in "AB" for n in (1, 2, 3)]
    told = verdict(Best("val_f1", "max", 2), *runs)
    assert {path for path, (stays, _) in told.items() if stays} == {"A2", "B2", "A3", "B3"}


def test_a_file_without_a_value_stays_with_the_best_of_its_step() -> None:
    runs = [rank("A1", 0.9), rank("B1", None), rank("A2", 0.8), rank("B2", None)]
    told = verdict(Best("val_f1", "max", 1, "ignore"), *runs)
    assert told["B1"] == (True, "its step is the best")
    assert {path for path, (stays, _) in told.items() if stays} == {"A1", "B1"}


def test_a_damaged_file_takes_the_place_of_its_step() -> None:
    runs = [rank("A1", 0.9), rank("B1", 0.9, valid=False), rank("A2", 0.8), rank("B2", 0.8)]
    told = verdict(Best("val_f1", "max", 1), *runs)
    assert all(stays for stays, _ in told.values())


def test_checkpoints_are_ranked_within_their_run() -> None:
    runs = [run(f"{job}/{n}", n + 10 * (job == "b"), within=job) for job in "ab" for n in range(3)]
    told = verdict(Best("val_f1", "max", 1), *runs)
    assert {path for path, (stays, _) in told.items() if stays} == {"a/2", "b/2"}


# Any catalogue and any policies


_values = (
    st.none() | st.sampled_from((0.0, 0.5, 0.5, 1.0, -1.0, 1e-9, NAN, INF, -INF)) | st.floats()
)
_bests = st.builds(
    Best,
    st.sampled_from(("val_f1", "val_f1", "loss")),
    st.sampled_from(("max", "min")),
    st.integers(1, 4),
    st.sampled_from(("keep", "ignore")),
)


@st.composite
def measured(draw: st.DrawFn, allowed: object = NO_MODELS) -> Catalogue:
    """Any catalogue, its units with any metrics."""
    catalogue = draw(catalogues(allowed))  # type: ignore[arg-type]
    artifacts = []
    for each in catalogue.artifacts:
        told = {name: draw(_values) for name in ("val_f1", "loss")}
        metrics = tuple((name, value) for name, value in told.items() if value is not None)
        artifacts.append(replace(each, metrics=metrics))
    return replace(catalogue, artifacts=tuple(artifacts))


@st.composite
def ranking(draw: st.DrawFn) -> list[Policy]:
    """Any policies, of which some rank by a metric, some by nothing else."""
    bare = {"keep_last": None, "keep_within": None, "keep_hourly": None, "keep_daily": None}
    bare |= {"keep_weekly": None, "keep_monthly": None}
    found = []
    for policy in draw(policies()):
        best = draw(st.none() | _bests)
        alone = best is not None and draw(st.booleans())
        found.append(replace(policy, keep_best=best, **(bare if alone else {})))
    return found


@MANY
@given(measured(), ranking())
def test_the_oracle_decides_the_same(catalogue: Catalogue, rules: list[Policy]) -> None:
    assert decided(planned(catalogue, rules)) == oracle.decisions(catalogue, rules, NOW)


@MANY
@given(measured(CHECKPOINTS), _bests)
def test_the_oracle_decides_the_same_of_checkpoints(catalogue: Catalogue, best: Best) -> None:
    rules = [Policy("checkpoint", keep_best=best)]
    assert decided(planned(catalogue, rules)) == oracle.decisions(catalogue, rules, NOW)


@ANY
@given(st.data(), measured(), ranking(), _bests)
def test_the_rule_or_a_larger_n_never_removes_more(
    data: st.DataObject, catalogue: Catalogue, rules: list[Policy], best: Best
) -> None:
    position = data.draw(st.integers(0, len(rules) - 1))
    before = rules[position].keep_best
    grown = replace(before, n=before.n + best.n) if before else best
    larger = [*rules]
    larger[position] = replace(rules[position], keep_best=grown)
    assert gone(catalogue, larger) <= gone(catalogue, rules)


@ANY
@given(measured(), ranking())
def test_to_keep_what_is_missing_never_removes_more(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    def missing(word: str) -> list[Policy]:
        return [
            replace(each, keep_best=each.keep_best and replace(each.keep_best, missing=word))
            for each in rules
        ]

    assert gone(catalogue, missing("keep")) <= gone(catalogue, missing("ignore"))


@ANY
@given(measured(CHECKPOINTS) | measured(PLAIN), _bests)
def test_it_keeps_n_and_their_equals_and_what_is_missing(catalogue: Catalogue, best: Best) -> None:
    kinds = ("hydra-run", "hydra-sweep", "wandb-run", "training-run", "checkpoint", "log")
    told = judge(catalogue.artifacts, [Policy(kind, keep_best=best) for kind in kinds], NOW, local)
    groups: defaultdict[tuple[str, str], list[Artifact]] = defaultdict(list)
    for each in catalogue.artifacts:
        if each.kind in kinds and each.time <= NOW:
            groups[each.kind, each.within].append(each)
    for group in groups.values():
        if any(each.series for each in group):
            continue  # the files of one step have one place
        numbers = {each.path: dict(each.metrics).get(best.metric, NAN) for each in group}
        ranked = [each for each in group if math.isfinite(numbers[each.path])]
        whole = [each for each in ranked if each.valid is not False]
        stay = [each for each in whole if told[each.path].kept]
        assert len(stay) >= min(best.n, len(whole))
        assert len({numbers[each.path] for each in stay}) <= best.n
        border = [numbers[each.path] for each in stay]
        last = (min if best.direction == "max" else max)(border, default=0.0)
        assert sum(number != last for number in border) < best.n
        without = [told[each.path].kept for each in group if each not in ranked]
        assert all(kept == (best.missing == "keep") for kept in without)


@ANY
@given(measured(), ranking())
def test_a_second_plan_takes_nothing_more(catalogue: Catalogue, rules: list[Policy]) -> None:
    first = planned(catalogue, rules)
    assert planned(carried_out(catalogue, first), rules).steps == ()


@ANY
@given(st.data(), measured(), ranking())
def test_the_order_of_the_facts_does_not_matter(
    data: st.DataObject, catalogue: Catalogue, rules: list[Policy]
) -> None:
    other = replace(catalogue, artifacts=tuple(data.draw(st.permutations(catalogue.artifacts))))
    assert decided(planned(catalogue, rules)) == decided(planned(other, rules))
    assert planned(catalogue, rules).id == planned(other, rules).id
