"""What holds of protections for any catalogue and any policies: S4, S6, pins, copies."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from artifact_janitor.core.model import Artifact, Catalogue, Evidence, ModelFile, Pin
from artifact_janitor.core.policy import Policy
from artifact_janitor.units import DAY
from tests.core import oracle
from tests.core.history import NOW
from tests.core.planning import gone, planned, trashed
from tests.core.strategies import (
    ANY,
    EVERYTHING,
    MANY,
    NO_MODELS,
    PLAIN,
    catalogues,
    policies,
)


def with_protection(catalogue: Catalogue, path: str, evidence: Evidence) -> Catalogue:
    artifacts = (
        replace(each, protections=(*each.protections, evidence)) if each.path == path else each
        for each in catalogue.artifacts
    )
    return replace(catalogue, artifacts=tuple(artifacts))


@ANY
@given(st.data(), catalogues(NO_MODELS), policies())
def test_one_more_protection_or_pin_never_removes_more(
    data: st.DataObject, catalogue: Catalogue, rules: list[Policy]
) -> None:
    paths = [each.path for each in catalogue.artifacts] or ["outputs"]
    path = data.draw(st.sampled_from(paths))
    pinned = replace(catalogue, pins=(*catalogue.pins, Pin(path)))
    protected = with_protection(catalogue, path, Evidence("reference", "named somewhere"))
    before = gone(catalogue, rules)
    assert gone(pinned, rules) <= before - {path}
    assert gone(protected, rules) <= before - {path}


@MANY
@given(catalogues(), policies())
def test_protection_rises_to_all_ancestors(catalogue: Catalogue, rules: list[Policy]) -> None:
    """S4, but for what is said from inside the ancestor itself: that one may go, and with it
    all that it holds."""
    left = gone(catalogue, rules)
    for unit in catalogue.artifacts:
        for above in (unit, *oracle.ancestors(unit, catalogue)):
            if above.path in left:
                whole = [each.path for each in oracle.ancestors(above, catalogue)]
                whole += [above.path] if above is not unit else []
                going = [path for path in whole if path in left]
                for each in unit.protections:
                    assert each.source
                    assert any(oracle.below(each.source, path) for path in going)


@ANY
@given(catalogues(), policies())
def test_a_pin_covers_what_is_below_it_and_holds_what_is_above(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    left = gone(catalogue, rules)
    for pin in catalogue.pins:
        assert not any(
            oracle.below(path, pin.path) or oracle.below(pin.path, path) for path in left
        )


@ANY
@given(st.data(), catalogues(PLAIN), policies())
def test_only_life_descends_onto_a_sweeps_parts_and_a_runs_checkpoints(
    data: st.DataObject, catalogue: Catalogue, rules: list[Policy]
) -> None:
    whole = [each.path for each in catalogue.artifacts if each.path in catalogue.children]
    if not whole:
        return
    path = data.draw(st.sampled_from(whole))
    fact = data.draw(st.sampled_from(("live", "unsynced", "reference")))
    seen = planned(with_protection(catalogue, path, Evidence(fact, "so it is")), rules)
    inside = {each.path for each in catalogue.below(path)}
    for kept in seen.kept:
        if kept.artifact.path in inside:
            whole_goes = catalogue.by_path[path].kind == "hydra-sweep"
            its_own = kept.artifact.kind == "checkpoint" and kept.artifact.parent == path
            descends = fact == "live" and (whole_goes or its_own)
            facts = {each.fact for each in kept.protections}
            assert facts - {"thinned"} == ({"live"} if descends else set())


@ANY
@given(catalogues(PLAIN), policies())
def test_what_was_kept_only_for_its_run_goes_with_it(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    """S6 thins runs that stay; it keeps no run from going."""
    for kept in planned(catalogue, rules).kept:
        if kept.otherwise:
            assert kept.artifact.kind == "checkpoint"
            assert {each.fact for each in kept.protections} == {"thinned"}


@ANY
@given(catalogues(), policies())
def test_a_run_that_stays_can_be_resumed_and_used(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    """S6: best, final, and the newest valid checkpoint by time and by step."""
    left = gone(catalogue, rules)
    runs: defaultdict[tuple[str | None, str], list[Artifact]] = defaultdict(list)
    for each in catalogue.artifacts:
        if each.kind == "checkpoint":
            runs[each.parent, each.within].append(each)
    for (run, _), checkpoints in runs.items():
        if run in left:
            continue
        stays = [each for each in checkpoints if each.path not in left]
        assert all(each in stays for each in checkpoints if each.role in ("best", "final"))
        valid = [each for each in checkpoints if each.valid]
        if valid:
            newest = max(valid, key=lambda each: each.time).time
            furthest = max(each.step or 0 for each in valid)
            assert any(each.valid and each.time == newest for each in stays)
            assert any(each.valid and (each.step or 0) == furthest for each in stays)


def contents(catalogue: Catalogue) -> Counter[str | None]:
    files = [*catalogue.published, *(file for each in catalogue.artifacts for file in each.models)]
    return Counter(file.digest for file in files)


@ANY
@given(catalogues(replace(EVERYTHING, future=False)), policies())
def test_a_copy_of_every_best_and_final_model_is_left(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    """S6, in every case: "" has no copies, so that all of those must be left."""
    left = trashed(catalogue, rules)
    stays = [each for each in catalogue.artifacts if each.path not in left]
    for each in stays:
        files = [file for file in each.models if file.path not in left]
        assert len(files) == len(each.models)
    after = contents(replace(catalogue, artifacts=tuple(stays)))
    before = contents(catalogue)
    assert after.keys() == before.keys()
    assert after[""] == before[""]


def _with_model(unit: Artifact, *digests: str | None) -> Artifact:
    models = (ModelFile(f"{unit.path}/{n}.pt", 9, each) for n, each in enumerate(digests))
    return replace(unit, models=tuple(models))


@ANY
@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=6),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.booleans(),
)
def test_of_several_runs_with_one_model_the_newest_keeps_it(
    days: list[int], has_it: list[bool], published: bool
) -> None:
    runs = [
        Artifact(f"training/runs/{n}", "training-run", NOW - (day + 1) * DAY)
        for n, day in enumerate(days)
    ]
    runs = [
        _with_model(run, "same") if has else run for run, has in zip(runs, has_it, strict=False)
    ]
    elsewhere = (ModelFile("models/a.pth", 9, "same"),) if published else ()
    catalogue = Catalogue(tuple(runs), published=elsewhere)
    holders = [run for run in runs if run.models]
    newest = max(holders, key=lambda run: (run.time, run.path)).path if holders else ""
    expected = {run.path for run in runs} - ({newest} if not published else set())
    assert trashed(catalogue, [Policy("training-run", keep_within=DAY)]) == expected


def test_a_kept_copy_lets_the_others_go() -> None:
    """Why one more rule may remove what an only copy had kept: the older copy stays now."""
    old, new = (
        Artifact(f"training/runs/{name}", "training-run", NOW - age * DAY)
        for name, age in (("old", 60), ("new", 40))
    )
    old, new = (_with_model(each, "same") for each in (old, new))
    catalogue = Catalogue((old, new))
    assert trashed(catalogue, [Policy("training-run", keep_within=DAY)]) == {old.path}
    pinned = replace(catalogue, pins=(Pin(old.path),))
    assert trashed(pinned, [Policy("training-run", keep_within=DAY)]) == {new.path}
