"""What protects a unit, by example: S4 (rising), S6 (thinning, only copies), pins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from artifact_janitor.core.model import Artifact, Catalogue, Evidence, Kind, ModelFile, Pin, Role
from artifact_janitor.core.protection import Copies, only_copies, protections
from tests.core.history import NOW

LIVE = Evidence("live", "pid 42 has it open")
UNSYNCED = Evidence("unsynced", "not uploaded")
NAMED = Evidence("reference", "best_models/a_meta.json names it")


def unit(path: str, kind: Kind = "hydra-run", age: int = 9, **facts: object) -> Artifact:
    return replace(Artifact(path, kind, NOW - age), **facts)


def facts(*artifacts: Artifact, pins: tuple[Pin, ...] = ()) -> dict[str, list[str]]:
    found = protections(Catalogue(artifacts, pins=pins))
    return {path: [each.fact for each in evidence] for path, evidence in found.items()}


def test_what_is_protected_inside_protects_all_around_it() -> None:
    inner = unit("outputs/a/b/c", "wandb-run", parent="outputs/a/b", protections=(UNSYNCED,))
    middle = unit("outputs/a/b", parent="outputs/a")
    outer, beside = unit("outputs/a"), unit("outputs/ab")
    sibling = unit("outputs/a/b/d", "wandb-run", parent="outputs/a/b")
    assert facts(beside, inner, outer, sibling, middle) == {
        "outputs/a/b/c": ["unsynced"],
        "outputs/a/b": ["unsynced"],
        "outputs/a": ["unsynced"],
    }


def test_what_rises_says_where_from() -> None:
    inner = unit("outputs/a/b", parent="outputs/a", protections=(replace(UNSYNCED, hint="sync"),))
    (risen,) = protections(Catalogue((unit("outputs/a"), inner)))["outputs/a"]
    assert risen == Evidence("unsynced", "holds outputs/a/b: not uploaded", "sync")


def test_what_is_said_from_inside_a_unit_does_not_protect_it() -> None:
    """A run's own sidecar names its model: that keeps neither run nor what holds the run."""
    inside = replace(NAMED, source="outputs/a/b/best_meta.json")
    inner = unit("outputs/a/b/c", "wandb-run", parent="outputs/a/b", protections=(inside,))
    middle = unit("outputs/a/b", parent="outputs/a")
    assert facts(inner, middle, unit("outputs/a")) == {"outputs/a/b/c": ["reference"]}


def test_what_is_said_beside_a_unit_protects_it_but_not_what_holds_both() -> None:
    beside = replace(NAMED, source="outputs/a/best_meta.json")
    inner = unit("outputs/a/b/c", "wandb-run", parent="outputs/a/b", protections=(beside,))
    middle = unit("outputs/a/b", parent="outputs/a")
    found = facts(inner, middle, unit("outputs/a"))
    assert found == {"outputs/a/b/c": ["reference"], "outputs/a/b": ["reference"]}


def test_a_sweep_is_live_with_any_job_and_then_all_of_it_stays() -> None:
    sweep = unit("multirun/a", "hydra-sweep")
    jobs = [unit(f"multirun/a/{n}/wandb/run", "wandb-run", parent=sweep.path) for n in range(3)]
    jobs[1] = replace(jobs[1], protections=(LIVE,))
    found = facts(sweep, *jobs)
    assert found.keys() == {sweep.path, *(job.path for job in jobs)}
    assert all("live" in each for each in found.values())


def test_life_rises_even_where_something_else_protects_too() -> None:
    """A live job that something names as well: the sweep is live, not only named."""
    sweep = unit("multirun/a", "hydra-sweep")
    jobs = [unit(f"multirun/a/{n}/wandb/run", "wandb-run", parent=sweep.path) for n in range(2)]
    jobs[0] = replace(jobs[0], protections=(NAMED, LIVE))
    assert "live" in facts(sweep, *jobs)[jobs[1].path]


@pytest.mark.parametrize("evidence", [UNSYNCED, NAMED])
def test_nothing_else_descends(evidence: Evidence) -> None:
    sweep = unit("multirun/a", "hydra-sweep", protections=(evidence,))
    part = unit("multirun/a/0/wandb/run", "wandb-run", parent=sweep.path)
    assert facts(sweep, part).keys() == {sweep.path}


def test_a_live_run_keeps_its_checkpoints_and_no_other_units() -> None:
    run = unit("outputs/a", protections=(LIVE,))
    parts = [
        unit("outputs/a/step_1.pt", "checkpoint", parent=run.path, within=run.path),
        unit("outputs/a/step_2.pt", "checkpoint", 1, parent=run.path, within=run.path),
        unit("outputs/a/wandb/run", "wandb-run", parent=run.path),
    ]
    found = facts(run, *parts)
    assert found[parts[0].path] == ["live"]
    assert found[parts[1].path] == ["thinned", "live"]
    assert parts[2].path not in found


@pytest.mark.parametrize(
    ("pin", "pinned"),
    [
        ("outputs/a", {"outputs/a", "outputs/a/b"}),
        ("outputs/a/b", {"outputs/a", "outputs/a/b"}),
        ("outputs/a/b/main.log", {"outputs/a", "outputs/a/b"}),
        ("outputs/a/main.log", {"outputs/a"}),
        ("outputs", {"outputs/a", "outputs/a/b", "outputs/ab"}),
        (".", {"outputs/a", "outputs/a/b", "outputs/ab"}),
        ("outputs/ab", {"outputs/ab"}),
        ("out", set()),
        ("outputs/a/bc", {"outputs/a"}),
    ],
)
def test_a_pin_covers_what_is_below_and_holds_what_is_above(pin: str, pinned: set[str]) -> None:
    units = (unit("outputs/a"), unit("outputs/ab"), unit("outputs/a/b", parent="outputs/a"))
    assert facts(*units, pins=(Pin(pin),)).keys() == pinned


def test_a_pin_says_why_and_how_to_take_it_away() -> None:
    found = protections(Catalogue((unit("outputs/a/b"),), pins=(Pin("outputs/a", "paper"),)))
    assert found["outputs/a/b"] == (
        Evidence("pinned", "pinned (paper)", "janitor unpin outputs/a"),
    )


def checkpoint(name: str, age: int, step: int | None = None, **more: object) -> Artifact:
    place = "training/runs/a"
    found = unit(f"{place}/{name}", "checkpoint", age, parent=place, within=place, **more)
    return replace(found, step=step)


def thinned(*checkpoints: Artifact) -> set[str]:
    found = protections(Catalogue((unit("training/runs/a", "training-run"), *checkpoints)))
    assert "training/runs/a" not in found
    return {path.rpartition("/")[2] for path in found}


def test_the_newest_valid_checkpoint_stays_and_the_newest() -> None:
    """One that is broken counts for neither, one of which nobody can tell only as newest."""
    assert thinned(
        checkpoint("broken", 1, valid=False),
        checkpoint("perhaps", 2, valid=None),
        checkpoint("whole", 3),
        checkpoint("older", 4),
    ) == {"perhaps", "whole"}


def test_newest_means_by_time_and_by_step() -> None:
    assert thinned(
        checkpoint("a", 1, 10),
        checkpoint("b", 2, 5),
        checkpoint("c", 3, 30),
        checkpoint("d", 4, 20),
    ) == {"a", "c"}


@pytest.mark.parametrize("valid", [True, False, None])
@pytest.mark.parametrize("role", ["best", "final"])
def test_best_and_final_stay_whatever_they_are(role: Role, valid: bool | None) -> None:
    assert "x" in thinned(checkpoint("x", 9, 1, role=role, valid=valid), checkpoint("y", 1, 2))


def test_the_checkpoint_to_resume_from_stays_unless_it_is_broken() -> None:
    newer = checkpoint("y", 1, 2)
    assert "x" in thinned(checkpoint("x", 9, 1, role="last"), newer)
    assert "x" in thinned(checkpoint("x", 9, 1, role="last", valid=None), newer)
    assert "x" not in thinned(checkpoint("x", 9, 1, role="last", valid=False), newer)


def test_broken_checkpoints_alone_all_stay() -> None:
    """S7: it may well be that we can't read them."""
    broken = checkpoint("a", 1, 1, valid=False), checkpoint("b", 2, valid=False)
    assert thinned(*broken) == {"a", "b"}
    assert thinned(*broken, checkpoint("c", 3)) == {"c"}


def state(name: str, step: int, age: int = 9, **more: object) -> Artifact:
    """A checkpoint of the series that its name begins with."""
    series = f"training/runs/a/{name.rpartition('-')[0]}-#"
    return replace(checkpoint(name, age, step, **more), series=series)


def states(*steps: int, of: str, **more: object) -> list[Artifact]:
    return [state(f"{series}-{step}", step, **more) for series in of for step in steps]


def test_each_series_keeps_its_newest() -> None:
    """Two networks of one step; of a validation, folds that ended at different epochs."""
    assert thinned(*states(1, 2, 3, of="GD")) == {"G-3", "D-3"}
    folds = [*states(4, 5, of="a"), *states(4, 5, 8, 9, of="b")]
    assert thinned(*folds) == {"a-5", "b-5", "b-9"}
    assert thinned(*states(1, 2, 3, of="G"), state("D-2", 2, 1)) == {"G-3", "G-2", "D-2"}


@pytest.mark.parametrize("lost", [[], [state("2-30", 30, valid=False)]])
def test_of_a_damaged_state_the_one_before_stays_as_well(lost: list[Artifact]) -> None:
    """Three ranks; one of the newest files is missing, or cut short."""
    ranks = [*states(10, 20, of="012"), *states(30, of="01"), *lost]
    whole = {f"{rank}-20" for rank in "012"}
    assert thinned(*ranks) == {"0-30", "1-30", *whole}


def test_a_state_of_which_nobody_can_tell_stays_beside_the_newest_whole_one() -> None:
    ranks = [*states(10, 20, of="01"), *states(30, of="01", valid=None)]
    assert thinned(*ranks) == {f"{rank}-{step}" for rank in "01" for step in (20, 30)}


def test_best_files_make_no_state_more_complete() -> None:
    best = replace(state("best-1", 1), role="best")
    assert thinned(*states(1, 2, 3, of="G"), best) == {"G-3", "best-1"}


def test_a_series_that_is_damaged_goes_where_another_is_whole() -> None:
    assert thinned(*states(1, 2, of="G", valid=False), *states(1, 2, of="D")) == {"D-2"}


def test_every_job_of_a_sweep_is_a_run_of_its_own() -> None:
    sweep = unit("multirun/a", "hydra-sweep")
    checkpoints = [
        unit(
            f"multirun/a/{job}/{age}.pt",
            "checkpoint",
            age,
            parent=sweep.path,
            within=f"multirun/a/{job}",
        )
        for job in range(2)
        for age in (1, 2)
    ]
    assert facts(sweep, *checkpoints).keys() == {"multirun/a/0/1.pt", "multirun/a/1/1.pt"}


def holding(path: str, age: int, *digests: str | None, parent: str | None = None) -> Artifact:
    files = (ModelFile(f"{path}/{n}.pt", 9, digest) for n, digest in enumerate(digests))
    return unit(path, "training-run", age, models=tuple(files), parent=parent)


def staying(*going: Artifact, kept: tuple[Artifact, ...] = (), published: str = "") -> set[str]:
    elsewhere = tuple(ModelFile(f"models/{each}.pth", 9, each) for each in published)
    catalogue = Catalogue((*kept, *going), published=elsewhere)
    return set(only_copies(Copies(catalogue), going))


def test_the_only_copy_stays() -> None:
    assert staying(holding("a", 1, "x")) == {"a"}
    assert staying(holding("a", 1, "")) == {"a"}  # no other file has its size
    assert staying(holding("a", 1, None)) == set()  # nobody looked yet
    assert staying(holding("a", 1)) == set()


def test_a_copy_elsewhere_lets_it_go() -> None:
    assert staying(holding("a", 1, "x"), published="x") == set()
    assert staying(holding("a", 1, "x"), published="y") == {"a"}
    assert staying(holding("a", 1, "x"), kept=(holding("b", 9, "x"),)) == set()
    assert staying(holding("a", 1, "x", "y"), kept=(holding("b", 9, "x"),)) == {"a"}


def test_two_copies_in_one_run_are_no_copy_elsewhere() -> None:
    assert staying(holding("a", 1, "x", "x")) == {"a"}


def test_unknown_contents_are_not_copies_of_each_other() -> None:
    assert staying(holding("a", 1, ""), holding("b", 2, ""), published="x") == {"a", "b"}


def test_of_several_the_newest_keeps_it() -> None:
    assert staying(*(holding(f"{age}", age, "x") for age in (3, 1, 2))) == {"1"}
    assert staying(holding("a", 5, "x"), holding("b", 5, "x")) == {"b"}


def test_what_holds_the_only_copy_inside_stays_too() -> None:
    outer, inner = unit("a", age=1), holding("a/b", 2, "x", parent="a")
    assert staying(outer, inner) == {"a", "a/b"}


def test_a_copy_that_goes_with_its_run_is_counted_once() -> None:
    """The run inside goes first, then the run around it; the copy beside them stays."""
    outer, inner = unit("a", age=1), holding("a/b", 2, "x", parent="a")
    assert staying(outer, inner, kept=(holding("c", 3, "x"),)) == set()
    assert staying(outer, inner, published="x") == set()


def test_an_only_copy_says_which() -> None:
    catalogue = Catalogue((holding("a/b", 1, "x"),))
    found = only_copies(Copies(catalogue), catalogue.artifacts)
    (evidence,) = found["a/b"]
    assert evidence.fact == "only-copy"
    assert evidence.why == "holds the only copy of its model 0.pt"
    assert "a/b/0.pt" in evidence.hint
