"""``then = "slim"``: a run keeps all but the checkpoints that nothing protects."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_janitor.core.model import (
    Artifact,
    Catalogue,
    Evidence,
    Kind,
    ModelFile,
    Pin,
    Refusal,
    Tally,
)
from artifact_janitor.core.plan import Kept, Plan, Step, leaving, plan
from artifact_janitor.core.policy import Best, Policy, Safety
from artifact_janitor.core.slimming import SLIM, SLIMMABLE
from artifact_janitor.units import DAY
from tests.core import oracle
from tests.core.history import NOW, local
from tests.core.planning import gone, planned
from tests.core.strategies import (
    ANY,
    NESTED,
    NO_MODELS,
    Range,
    catalogues,
    policies,
)
from tests.core.test_retention_properties import carried_out

OLD = [Policy(kind, keep_within=DAY, then=SLIM) for kind in SLIMMABLE]
"""Runs older than a day are slimmed."""
RUN = Artifact("training/runs/a", "training-run", NOW - 9 * DAY, bytes=1000, frees=900)
LIVE = Evidence("live", "pid 42 has it open")


def inside(
    unit: Artifact, name: str, kind: Kind = "checkpoint", age: int = 9, **facts: object
) -> Artifact:
    within = unit.path if kind == "checkpoint" else ""
    path = f"{unit.path}/{name}"
    return replace(Artifact(path, kind, NOW - age * DAY, 100, 90, 1, unit.path, within), **facts)


def epochs(run: Artifact, *numbers: int, **facts: object) -> list[Artifact]:
    return [inside(run, f"epoch_{n}.pt", age=99 - n, step=n, **facts) for n in numbers]


def steps(*artifacts: Artifact, rules: list[Policy] = OLD, **more: object) -> tuple[Step, ...]:
    return planned(replace(Catalogue(artifacts), **more), rules).steps


def names(units: tuple[Artifact, ...]) -> list[str]:
    return [each.path.rpartition("/")[2] for each in units]


def kept(seen: Plan, path: str) -> Kept:
    (found,) = (each for each in seen.kept if each.artifact.path == path)
    return found


# ------------------------------------------------------------ by example


def test_the_intermediate_checkpoints_leave_and_the_run_stays() -> None:
    best = inside(RUN, "best_model.pt", role="best")
    final = inside(RUN, "final_model_mlp.pth", role="final")
    last = inside(RUN, "last.ckpt", role="last")
    (step,) = steps(RUN, *epochs(RUN, 1, 2, 9, 10), best, final, last)
    assert (step.do, step.path, step.kind) == ("slim", RUN.path, "checkpoint")
    assert names(step.inside) == names(step.leaving) == ["epoch_1.pt", "epoch_2.pt", "epoch_9.pt"]
    assert (step.artifact.bytes, step.artifact.frees, step.frees_now) == (1000, 270, 0)
    some = "best_model.pt, epoch_10.pt, final_model_mlp.pth and 1 more"
    assert step.reasons == ("older than 24h", f"3 intermediate checkpoints; {some} stay")


def test_one_is_said_as_one() -> None:
    (step,) = steps(RUN, *epochs(RUN, 1, 2))
    assert step.reasons[-1] == "1 intermediate checkpoint; epoch_2.pt stays"


def test_each_part_is_a_step_of_its_own_to_be_journalled() -> None:
    (step,) = steps(RUN, *epochs(RUN, 1, 2, 3))
    assert [(part.do, part.artifact) for part in step.parts] == [
        ("slim", each) for each in step.inside
    ]
    assert all(part.reasons == ("training/runs/a is slimmed", *step.reasons) for part in step.parts)


def test_what_stays_says_why_and_what_else_would_become_of_it() -> None:
    seen = planned(Catalogue((RUN, *epochs(RUN, 1, 2))), OLD)
    newest = kept(seen, f"{RUN.path}/epoch_2.pt")
    assert newest.reasons == ("the newest valid checkpoint of its run",)
    assert newest.otherwise == ("training/runs/a is slimmed: older than 24h",)
    assert newest.bytes == 0


def test_a_run_without_bulk_is_kept_and_says_so() -> None:
    seen = planned(Catalogue((RUN, *epochs(RUN, 2))), OLD)
    assert seen.steps == ()
    assert kept(seen, RUN.path).reasons == ("older than 24h", "nothing left to slim")
    assert kept(seen, RUN.path).bytes == 1000


def test_a_run_that_its_policy_keeps_is_not_slimmed() -> None:
    young = replace(RUN, time=NOW)
    assert steps(young, *epochs(young, 1, 2, 3)) == ()


@pytest.mark.parametrize("fact", ["live", "unsynced", "reference", "unreadable", "git", "mount"])
@pytest.mark.parametrize("place", ["itself", "a part", "a checkpoint"])
def test_a_protected_run_is_not_slimmed(fact: str, place: str) -> None:
    why = (Evidence(fact, "so it is"),)
    units = [RUN, inside(RUN, "wandb/run", "wandb-run"), *epochs(RUN, 1, 2, 3)]
    number = ["itself", "a part", "a checkpoint"].index(place)
    units[number] = replace(units[number], protections=why)
    assert steps(*units) == ()


@pytest.mark.parametrize("pin", ["", "/epoch_1.pt", "/train.log"])
def test_a_run_with_a_pin_is_not_slimmed(pin: str) -> None:
    assert steps(RUN, *epochs(RUN, 1, 2, 3), pins=(Pin(RUN.path + pin),)) == ()


def test_what_only_its_own_run_names_stays_and_the_others_leave() -> None:
    link = Evidence("reference", "last.ckpt points to it", source=f"{RUN.path}/last.ckpt")
    first, *others = epochs(RUN, 1, 2, 3)
    (step,) = steps(RUN, replace(first, protections=(link,)), *others)
    assert names(step.inside) == ["epoch_2.pt"]


def test_the_only_copy_of_a_model_is_no_reason_not_to_slim() -> None:
    """It stays with the run; a run that goes as a whole may then go, as a copy is left."""
    best = inside(RUN, "best_model.pt", role="best")
    model = ModelFile(best.path, 9, "same")
    slim = replace(RUN, models=(model,))
    other = Artifact("outputs/a", "hydra-run", NOW - 99 * DAY, models=(model,))
    rules = [*OLD[2:], Policy("hydra-run", keep_within=DAY)]
    found = steps(slim, best, *epochs(RUN, 1, 2), other, rules=rules)
    assert [(step.do, step.path) for step in found] == [
        ("trash", "outputs/a"),
        ("slim", RUN.path),
    ]


def test_rules_for_checkpoints_do_not_count() -> None:
    rules = [*OLD, Policy("checkpoint", keep_last=9)]
    seen = planned(Catalogue((RUN, *epochs(RUN, 1, 2, 3))), rules)
    assert names(seen.steps[0].inside) == ["epoch_1.pt", "epoch_2.pt"]


def test_nor_do_they_take_by_themselves() -> None:
    rules = [*OLD, Policy("checkpoint", keep_last=1)]
    (step,) = steps(RUN, *epochs(RUN, 1, 2, 3), rules=rules)
    assert step.path == RUN.path


@pytest.mark.parametrize("pattern", ["**", "training/**"])
@pytest.mark.parametrize("missing", ["keep", "ignore"])
def test_best_is_also_what_a_policy_calls_best(pattern: str, missing: str) -> None:
    """By the first policy that governs it; what has no such metric is not best."""
    rated = [
        replace(each, metrics=(("f1", value),))
        for each, value in zip(epochs(RUN, 1, 2, 3), (0.5, 0.9, 0.1), strict=True)
    ]
    best = Policy("checkpoint", pattern, keep_best=Best("f1", "max", 1, missing), keep_last=9)
    seen = planned(Catalogue((RUN, *rated, *epochs(RUN, 4, 5))), [*OLD, best])
    assert names(seen.steps[0].inside) == ["epoch_1.pt", "epoch_3.pt", "epoch_4.pt"]
    assert kept(seen, rated[1].path).reasons == ("f1 0.9 is the best",)
    other = Policy("checkpoint", "training/**", keep_last=1)
    assert "epoch_2.pt" in names(steps(RUN, *rated, rules=[*OLD, other, best])[0].inside)


@pytest.mark.parametrize(("valid", "leave"), [(True, 1), (None, 1), (False, 0)])
def test_where_no_checkpoint_is_whole_all_stay(valid: bool | None, leave: int) -> None:
    """S7: it may be a format that this version can't read."""
    seen = planned(Catalogue((RUN, *epochs(RUN, 1, 2, valid=valid))), OLD)
    assert len([*leaving(seen)]) == leave
    if not leave:
        why = kept(seen, f"{RUN.path}/epoch_1.pt").reasons
        assert why == ("no checkpoint of its run is known to be whole",)


def test_a_damaged_checkpoint_leaves_and_the_newest_valid_one_stays() -> None:
    damaged = inside(RUN, "epoch_4.pt", age=9, step=4, valid=False)
    (step,) = steps(RUN, *epochs(RUN, 1, 2, 3), damaged)
    assert names(step.inside) == ["epoch_1.pt", "epoch_2.pt", "epoch_4.pt"]


@pytest.mark.parametrize("time", [0, NOW + DAY])
def test_what_has_no_date_stays(time: int) -> None:
    """S7; the run's own date is told by its other files."""
    odd = inside(RUN, "odd.pt", time=time)
    seen = planned(Catalogue((RUN, *epochs(RUN, 1, 2), odd)), OLD)
    assert odd.path not in {each.path for each in leaving(seen)}


def test_a_folder_that_holds_another_unit_stays() -> None:
    """The unit is a part of the run, and would be taken along."""
    odd = inside(RUN, "checkpoint-5", age=200)
    run = inside(RUN, "checkpoint-5/wandb/run-x", "wandb-run")
    seen = planned(Catalogue((RUN, *epochs(RUN, 1, 2), odd, run)), OLD)
    assert names(seen.steps[0].inside) == ["epoch_1.pt"]
    assert kept(seen, odd.path).reasons == ("holds another unit",)


def test_the_jobs_of_a_sweep_are_slimmed_each() -> None:
    sweep = Artifact("multirun/a", "hydra-sweep", NOW - 9 * DAY)
    jobs = [
        inside(sweep, f"{job}/epoch_{n}.pt", step=n, within=f"{sweep.path}/{job}")
        for job in range(2)
        for n in range(3)
    ]
    (step,) = steps(sweep, *jobs)
    assert {each.path for each in step.inside} == {
        f"multirun/a/{job}/epoch_{n}.pt" for job in range(2) for n in range(2)
    }


def test_runs_inside_are_slimmed_with_it() -> None:
    outer = Artifact("outputs/a", "hydra-run", NOW - 9 * DAY)
    inner = inside(outer, "version_0", "training-run")
    (step,) = steps(outer, inner, *epochs(outer, 1, 2), *epochs(inner, 3, 4), rules=OLD[:1])
    assert names(step.inside) == ["epoch_1.pt", "epoch_3.pt"]


def test_a_protected_run_inside_keeps_its_checkpoints() -> None:
    """Named by a sidecar of the run around it, which protects only the inner one."""
    outer = Artifact("outputs/a", "hydra-run", NOW - 9 * DAY)
    named = Evidence("reference", "best_meta.json names it", source="outputs/a/best_meta.json")
    inner = inside(outer, "version_0", "training-run", protections=(named,))
    (step,) = steps(outer, inner, *epochs(outer, 1, 2), *epochs(inner, 3, 4))
    assert names(step.inside) == ["epoch_1.pt"]


def test_a_run_inside_one_that_goes_as_a_whole_goes_with_it() -> None:
    outer = Artifact("outputs/a", "hydra-run", NOW - 9 * DAY)
    inner = inside(outer, "version_0", "training-run")
    rules = [Policy("hydra-run", keep_within=DAY), *OLD[2:]]
    (step,) = steps(outer, inner, *epochs(inner, 3, 4), rules=rules)
    assert (step.do, step.path, len(step.inside)) == ("trash", outer.path, 3)


def test_a_run_inside_a_live_one_is_not_slimmed() -> None:
    outer = Artifact("outputs/a", "hydra-run", NOW - 9 * DAY, protections=(LIVE,))
    inner = inside(outer, "version_0", "training-run")
    seen = planned(Catalogue((outer, inner, *epochs(inner, 3, 4))), OLD)
    assert seen.steps == ()
    assert kept(seen, inner.path).reasons == (
        "older than 24h",
        "part of outputs/a, which is live",
    )


def test_what_goes_of_a_slimmed_run_by_itself_goes_after_it_and_counts_its_bytes() -> None:
    """Before that the run would not be what was seen; W&B's run is older than the run."""
    uploaded = inside(RUN, "wandb/run", "wandb-run", age=50)
    inner = inside(RUN, "version_0", "training-run", age=60)
    rules = [*OLD, Policy("wandb-run", keep_within=DAY)]
    other = Artifact("outputs/a", "hydra-run", NOW - 20 * DAY)
    young = Artifact("outputs/b", "wandb-run", NOW - 5 * DAY)
    found = steps(
        young, other, uploaded, inner, *epochs(inner, 3, 4), *epochs(RUN, 1, 2), RUN, rules=rules
    )
    assert [(step.do, step.path, step.artifact.bytes) for step in found] == [
        ("slim", RUN.path, 800),
        ("slim", inner.path, 100),
        ("trash", uploaded.path, 100),
        ("trash", young.path, 0),
    ]
    assert names(found[0].inside) == ["epoch_1.pt"]


# ------------------------------------------------------------ guards and names

FIFTH = Safety(grace=DAY, trash_keep=7 * DAY, max_share=0.2)


def guarded(checkpoints: list[Artifact], **more: object) -> Plan:
    catalogue = replace(Catalogue((RUN, *checkpoints)), **more)
    return plan(catalogue, OLD, FIFTH, NOW, local)


def test_checkpoints_are_what_the_guard_counts() -> None:
    """Nine of ten leave; the run, of which there is only one, stays."""
    seen = guarded(epochs(RUN, *range(10)))
    (refusal,) = seen.refused
    assert (refusal.code, refusal.kind) == ("max-share", "checkpoint")
    assert "90%" in refusal.message
    assert seen.held_back(seen.steps[0]) == refusal
    assert seen.held_back(seen.steps[0], by_person=True) is None
    assert guarded(epochs(RUN, *range(9))).refused == (), "under ten units"


def test_what_left_today_counts_for_the_guard() -> None:
    seen = guarded(epochs(RUN, 1, 2), recent={"checkpoint": Tally(8, 800)})
    assert [each.kind for each in seen.refused] == ["checkpoint"]


def test_a_refusal_of_runs_holds_no_slimming_back() -> None:
    refusal = Refusal("max-share", "too many", kind="training-run")
    seen = guarded(epochs(RUN, 1, 2), refusals=(refusal,))
    assert seen.held_back(seen.steps[0]) is None


def test_other_checkpoints_are_another_plan() -> None:
    three = epochs(RUN, 1, 2, 3)
    name = planned(Catalogue((RUN, *three)), OLD).id
    assert planned(Catalogue((*three, RUN)), OLD).id == name
    changed = replace(three[0], fingerprint="changed")
    assert planned(Catalogue((RUN, changed, *three[1:])), OLD).id != name
    best = replace(three[0], role="best")
    assert planned(Catalogue((RUN, best, *three[1:])), OLD).id != name


# ------------------------------------------------------------ for any catalogue

RUNS = Range(kinds=("training-run", "hydra-sweep", "hydra-run"), least=1, most=4, most_inside=6)


def slimming(rules: list[Policy]) -> list[Policy]:
    return [replace(each, then=SLIM) if each.kind in SLIMMABLE else each for each in rules]


some_slim = policies().map(slimming)


@ANY
@given(catalogues(RUNS), some_slim)
def test_slimming_takes_checkpoints_that_nothing_protects(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    for step in planned(catalogue, rules).steps:
        if step.do == SLIM:
            run = catalogue.by_path[step.path]
            assert not oracle.keeping_rules(run, catalogue.artifacts, rules, NOW)
            assert not oracle.protecting_facts(run, catalogue)
            for each in step.inside:
                assert each.kind == "checkpoint"
                assert run in oracle.ancestors(each, catalogue)
                assert not oracle.protecting_facts(each, catalogue)


@ANY
@given(catalogues(RUNS), some_slim)
def test_all_that_nothing_protects_leaves_a_slimmed_run(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    left = gone(catalogue, rules)
    for unit in catalogue.artifacts:
        run = catalogue.by_path.get(unit.parent or "")
        if unit.kind == "checkpoint" and run and run.parent is None and unit.time <= NOW:
            slimmed = not oracle.keeping_rules(run, catalogue.artifacts, rules, NOW)
            slimmed = slimmed and not oracle.protecting_facts(run, catalogue)
            beside = [each for each in catalogue.artifacts if each.within == unit.within]
            whole = any(each.valid is not False for each in beside)
            if slimmed and whole and not oracle.protecting_facts(unit, catalogue):
                assert unit.path in left


@ANY
@given(catalogues(RUNS), some_slim)
def test_a_slimmed_run_still_has_a_checkpoint_and_its_models(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    left = gone(catalogue, rules)
    for step in planned(catalogue, rules).steps:
        if step.do == SLIM:
            assert step.path not in left
            for within in {each.within for each in step.inside}:
                beside = [each for each in catalogue.artifacts if each.within == within]
                stays = [each for each in beside if each.path not in left]
                assert any(each.valid is not False for each in stays)
            models = [file.path for file in catalogue.by_path[step.path].models]
            assert left.isdisjoint(models)


@ANY
@given(catalogues(NESTED), some_slim)
def test_each_unit_is_told_of_once_and_its_bytes_count_once(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    seen = planned(catalogue, rules)
    told = [each.artifact.path for each in seen.kept]
    for step in seen.steps:
        told += [step.path, *(each.path for each in step.inside)]
    assert Counter(told) == Counter(each.path for each in catalogue.artifacts)
    size = sum(step.artifact.bytes for step in seen.steps) + sum(each.bytes for each in seen.kept)
    assert size == sum(each.bytes for each in catalogue.artifacts if each.parent is None)
    assert all(each.reasons for each in seen.kept)


@ANY
@given(catalogues(NESTED), some_slim)
def test_a_slimmed_run_comes_before_what_goes_of_it(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    place = {step.path: n for n, step in enumerate(planned(catalogue, rules).steps)}
    for path, n in place.items():
        above = oracle.ancestors(catalogue.by_path[path], catalogue)
        assert all(place[each.path] < n for each in above if each.path in place)


@ANY
@given(catalogues(NESTED), some_slim)
def test_a_second_plan_slims_nothing_more(catalogue: Catalogue, rules: list[Policy]) -> None:
    first = planned(catalogue, rules)
    assert planned(carried_out(catalogue, first), rules).steps == ()


@ANY
@given(catalogues(replace(NO_MODELS, most=5)), policies())
def test_slimming_takes_less_than_the_trash(catalogue: Catalogue, rules: list[Policy]) -> None:
    assert gone(catalogue, slimming(rules)) <= gone(catalogue, rules)


@ANY
@given(st.data(), catalogues(replace(RUNS, models=False)), some_slim)
def test_one_more_pin_never_slims_more(
    data: st.DataObject, catalogue: Catalogue, rules: list[Policy]
) -> None:
    path = data.draw(st.sampled_from([each.path for each in catalogue.artifacts]))
    pinned = replace(catalogue, pins=(*catalogue.pins, Pin(path)))
    assert gone(pinned, rules) <= gone(catalogue, rules) - {path}
