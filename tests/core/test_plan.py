"""The plan around the verdicts: steps, purges, guards, and what holds what back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given

from artifact_janitor.core.model import (
    KINDS,
    Artifact,
    Catalogue,
    Evidence,
    Filesystem,
    Kind,
    ModelFile,
    Pin,
    Refusal,
    Tally,
    Trashed,
)
from artifact_janitor.core.plan import Plan, leaving, plan
from artifact_janitor.core.policy import Disk, Policy, Safety
from artifact_janitor.units import DAY, HOUR
from tests.core.history import NOW, local
from tests.core.strategies import (
    ANY,
    MANY,
    PLAIN,
    Range,
    catalogues,
    policies,
    safeties,
    tallies,
    trashes,
)

SAFETY = Safety(grace=DAY, trash_keep=7 * DAY, max_share=0.2)
OLD_GO = [Policy(kind, keep_within=DAY) for kind in ("hydra-run", "log", "wandb-run")]
"""What is older than a day goes, of these kinds."""


def planned(
    *artifacts: Artifact,
    recent: Mapping[str, Tally] | None = None,
    trash: tuple[Trashed, ...] = (),
    refusals: tuple[Refusal, ...] = (),
    safety: Safety = SAFETY,
) -> Plan:
    catalogue = Catalogue(artifacts, recent=recent or {}, trash=trash, refusals=refusals)
    return plan(catalogue, OLD_GO, safety, NOW, local)


def many(
    old: int, young: int, kind: Kind = "hydra-run", size: int = 10, old_size: int = 10
) -> list[Artifact]:
    """So many of a kind that go, and so many that stay."""
    return [
        *(Artifact(f"{kind}/old-{n}", kind, NOW - 2 * DAY - n, old_size) for n in range(old)),
        *(Artifact(f"{kind}/young-{n}", kind, NOW - n, size) for n in range(young)),
    ]


def trashed(step: int, age: int, kind: Kind = "hydra-run", size: int = 10) -> Trashed:
    return Trashed(step, f"was-{step}", f".janitor/trash/{step}", kind, size, size, NOW - age, "f")


def test_what_cannot_be_purged_is_told_and_not_promised() -> None:
    """By its age, and early: it is no room to come."""
    old, young = trashed(1, 30 * DAY), trashed(2, DAY)
    why = Evidence("held", "this is the only whole copy", "janitor undo 1.1")
    held = (replace(old, held=why), replace(young, held=why))
    disk = Filesystem(("outputs",), 5, (".janitor/trash",))
    facts = Catalogue(trash=held, disks=(disk,))
    for purge_early in (False, True):
        seen = plan(facts, [], SAFETY, NOW, local, Disk(20, purge_early))
        assert seen.steps == ()
        assert [room.trash for room in seen.disk] == [0]
        assert [each.reasons for each in seen.kept] == [(why.why,), (why.why,)]
        assert [each.otherwise for each in seen.kept] == [
            ("in the trash for longer than 7d: was was-1",),
            ("in the trash: was was-2",),
        ]
    free = plan(replace(facts, trash=(old, held[1])), [], SAFETY, NOW, local, Disk(20, True))
    assert [step.path for step in free.steps] == [old.trash]


@pytest.mark.parametrize(
    ("copy", "goes"),
    [
        (ModelFile("best.pt", 10, "sha"), True),
        (ModelFile("best.pt", 10, "other"), False),
        (ModelFile("best.pt", 10), False),  # nobody looked
        (ModelFile("best.pt", 11, "sha"), False),
    ],
)
def test_the_last_copy_of_a_model_stays_in_the_trash(copy: ModelFile, goes: bool) -> None:
    """Wherever the others lay when it went there (S6)."""
    mine = replace(trashed(1, 30 * DAY), models=(ModelFile("", 10, "sha"),))
    for facts in (
        Catalogue((Artifact("training/f", "training-run", NOW, models=(copy,)),), trash=(mine,)),
        Catalogue(published=(copy,), trash=(mine,)),
    ):
        seen = plan(facts, [], SAFETY, NOW, local)
        assert [step.path for step in seen.steps] == [mine.trash] * goes


def refused_kinds(seen: Plan) -> list[str]:
    return [each.kind for each in seen.refused if each.code == "max-share"]


@pytest.mark.parametrize(
    ("old", "young", "held"),
    [
        (2, 8, False),  # a fifth to the unit
        (3, 8, True),
        (3, 12, False),
        (20, 80, False),
        (21, 79, True),
        (9, 0, False),  # nine are exempt
        (8, 1, False),
        (10, 0, True),
    ],
)
def test_a_fifth_of_a_kind_goes_without_a_yes(old: int, young: int, held: bool) -> None:
    assert refused_kinds(planned(*many(old, young))) == (["hydra-run"] if held else [])


@pytest.mark.parametrize(("size", "held"), [(22, False), (23, True), (400, True)])
def test_a_fifth_of_the_bytes_too(size: int, held: bool) -> None:
    """One of ten units, and the nine others have 90 bytes."""
    seen = planned(*many(1, 9, old_size=size))
    assert refused_kinds(seen) == (["hydra-run"] if held else [])


def test_empty_units_are_counted() -> None:
    assert refused_kinds(planned(*many(3, 9, size=0, old_size=0))) == ["hydra-run"]


@pytest.mark.parametrize(
    ("tally", "held"),
    [
        (Tally(0, 0), False),
        (Tally(1, 10), False),  # 1 + 1 of 10 + 1
        (Tally(2, 20), True),  # 1 + 2 of 10 + 2
        (Tally(0, 20), True),  # by bytes alone
    ],
)
def test_what_went_today_counts(tally: Tally, held: bool) -> None:
    seen = planned(*many(1, 9), recent={"hydra-run": tally, "log": Tally(99, 999)})
    assert refused_kinds(seen) == (["hydra-run"] if held else [])


def test_a_kind_does_not_become_exempt_by_shrinking() -> None:
    assert refused_kinds(planned(*many(1, 8))) == []
    assert refused_kinds(planned(*many(1, 8), recent={"hydra-run": Tally(1, 10)})) == []
    assert refused_kinds(planned(*many(1, 8), recent={"hydra-run": Tally(2, 20)})) == ["hydra-run"]


def test_purges_do_not_count() -> None:
    old_trash = tuple(trashed(n, 30 * DAY, size=10_000) for n in range(50))
    seen = planned(*many(2, 8), trash=old_trash)
    assert len(seen.steps) == 52
    assert refused_kinds(seen) == []


def test_only_the_kind_that_goes_too_fast_is_held_back() -> None:
    seen = planned(*many(5, 5), *many(1, 9, "log"), trash=(trashed(1, 30 * DAY),))
    assert refused_kinds(seen) == ["hydra-run"]
    held = {step.path: bool(seen.held_back(step)) for step in seen.steps}
    assert held == {
        **{f"hydra-run/old-{n}": True for n in range(5)},
        "log/old-0": False,
        ".janitor/trash/1": False,
    }


def test_the_guard_says_how_much_and_the_way_out() -> None:
    seen = planned(*many(3, 7), recent={"hydra-run": Tally(5, 50)})
    (refusal,) = seen.refused
    assert "53%" in refusal.message
    assert "5 gone in the last 24 hours" in refusal.message
    assert "20%" in refusal.message
    assert refusal.hint == "janitor run --override-guards"


def nest(outer: Artifact, *names: str, size: int = 0) -> list[Artifact]:
    return [
        replace(outer, path=f"{outer.path}/{name}", bytes=size, parent=outer.path) for name in names
    ]


def test_units_that_leave_inside_others_of_their_kind_count() -> None:
    """S8: "no more than max_share of a kind's units": 21 of these 61 would go."""
    outer, *others = many(1, 40, old_size=20)
    assert refused_kinds(planned(outer, *nest(outer, *map(str, range(20)), size=1), *others)) == [
        "hydra-run"
    ]


def test_bytes_inside_others_of_their_kind_count_once() -> None:
    """200 of 800 bytes would go, not 200 of 1,300."""
    keeps = Artifact("hydra-run/big", "hydra-run", NOW, 500)
    seen = planned(*many(1, 10, old_size=200), keeps, *nest(keeps, "inside", size=500))
    assert refused_kinds(seen) == ["hydra-run"]


def refusal_of(seen: Plan, *, by_person: bool) -> list[str | None]:
    found = (seen.held_back(step, by_person=by_person) for step in seen.steps)
    return [each.code if each else None for each in found]


@pytest.mark.parametrize(
    ("code", "kind", "alone", "by_person"),
    [
        ("clock", "", "clock", None),
        ("git", "", "git", "git"),
        ("max-share", "hydra-run", "max-share", None),
        ("max-share", "log", None, None),
        ("misplaced", "", None, None),
        ("unreadable", "", None, None),
    ],
)
def test_what_a_person_may_override(
    code: str, kind: str, alone: str | None, by_person: str | None
) -> None:
    seen = planned(*many(1, 9), refusals=(Refusal(code, "so it is", kind=kind),))
    assert refusal_of(seen, by_person=False) == [alone]
    assert refusal_of(seen, by_person=True) == [by_person]


def test_a_clock_that_jumped_holds_back_purges_too() -> None:
    jumped = (Refusal("clock", "the clock jumped"),)
    seen = planned(trash=(trashed(1, 30 * DAY),), refusals=jumped)
    assert refusal_of(seen, by_person=False) == ["clock"]
    assert refusal_of(seen, by_person=True) == [None]


def test_what_observing_refused_is_passed_on() -> None:
    refusal = Refusal("misplaced", "the project's own folder bears the marks of a run")
    assert planned(*many(1, 9), refusals=(refusal,)).refused == (refusal,)


def test_the_trash_is_purged_after_its_time() -> None:
    keep = SAFETY.trash_keep
    trash = tuple(
        trashed(n, age) for n, age in ((3, keep), (1, keep + DAY), (2, keep - 1), (4, -DAY))
    )
    steps = planned(trash=trash).steps
    assert [(step.do, step.trashed) for step in steps] == [("purge", trash[1]), ("purge", trash[0])]
    assert steps[0].reasons == ("in the trash for longer than 7d: was was-1",)
    assert [(step.path, step.frees_now) for step in steps] == [
        (".janitor/trash/1", 10),
        (".janitor/trash/3", 10),
    ]


def test_purges_make_room_first_and_then_the_oldest_goes() -> None:
    seen = planned(*many(3, 20), trash=(trashed(1, 30 * DAY),))
    assert [step.path for step in seen.steps] == [
        ".janitor/trash/1",
        "hydra-run/old-2",
        "hydra-run/old-1",
        "hydra-run/old-0",
    ]
    assert [step.do for step in seen.steps] == ["purge"] + ["trash"] * 3
    assert [each.path for each in leaving(seen)] == [step.path for step in seen.steps[1:]]


def test_the_trash_frees_nothing_now() -> None:
    (unit,) = many(1, 0)
    (step,) = planned(replace(unit, frees=10)).steps
    assert (step.artifact.frees, step.frees_now) == (10, 0)


def test_what_goes_says_that_it_was_uploaded() -> None:
    (run,) = many(1, 0, "wandb-run")
    proof = Evidence("uploaded", "uploaded in full on 3 Feb")
    other = Evidence("origin", "a W&B transaction log")
    (step,) = planned(replace(run, evidence=(other, proof))).steps
    assert step.reasons == ("older than 24h", "uploaded in full on 3 Feb")


def test_what_stays_in_spite_of_its_policy_says_both() -> None:
    (run,) = many(1, 0)
    why = Evidence("live", "pid 42 has it open", "wait")
    (kept,) = planned(replace(run, protections=(why,))).kept
    assert kept.reasons == ("pid 42 has it open",)
    assert kept.otherwise == ("older than 24h",)
    assert kept.protections == (why,)


def test_bytes_of_parts_are_counted_by_the_outermost() -> None:
    outer = Artifact("outputs/a", "hydra-run", NOW, 100)
    middle = Artifact("outputs/a/b", "hydra-run", NOW, 60, parent="outputs/a")
    goes = Artifact("outputs/a/b/c", "wandb-run", NOW - 2 * DAY, 25, parent="outputs/a/b")
    seen = planned(goes, outer, middle)
    assert {each.artifact.path: (each.bytes, each.parent) for each in seen.kept} == {
        "outputs/a": (75, None),
        "outputs/a/b": (0, "outputs/a"),
    }


def test_what_is_inside_leaves_with_the_outermost() -> None:
    outer = Artifact("outputs/a", "hydra-run", NOW - 2 * DAY, 100)
    middle = Artifact("outputs/a/b", "hydra-run", NOW - 2 * DAY, 60, parent="outputs/a")
    inner = Artifact("outputs/a/b/c", "wandb-run", NOW - 2 * DAY, 25, parent="outputs/a/b")
    seen = planned(inner, middle, outer)
    assert [(step.path, step.inside) for step in seen.steps] == [("outputs/a", (middle, inner))]
    assert seen.kept == ()


def test_the_same_steps_have_the_same_name() -> None:
    """What is shown is what is carried out: another fingerprint is another plan."""
    units = many(2, 20)
    name = planned(*units).id
    assert planned(*reversed(units)).id == name
    assert planned(*units, *many(0, 5, "log")).id == name
    assert planned(*units[1:]).id != name
    assert planned(replace(units[0], fingerprint="changed"), *units[1:]).id != name
    assert planned(*units, trash=(trashed(1, 30 * DAY),)).id != name


def test_a_name_that_is_not_utf_8_is_planned_like_any() -> None:
    path = b"outputs/caf\xe9".decode("utf-8", "surrogateescape")
    assert [s.path for s in planned(Artifact(path, "hydra-run", NOW - 2 * DAY)).steps] == [path]


def test_nothing_gives_an_empty_plan() -> None:
    seen = planned()
    assert (seen.steps, seen.kept, seen.refused) == ((), (), ())


def test_a_pin_on_what_is_in_the_trash_does_not_matter_to_what_is_not() -> None:
    """Pins name places: one on a place that is empty now protects nothing else."""
    units = many(1, 9)
    catalogue = Catalogue(tuple(units), pins=(Pin("was-1"), Pin(".janitor/trash/1")))
    assert len(plan(catalogue, OLD_GO, SAFETY, NOW, local).steps) == 1


FLAT = Range(kinds=("log", "wandb-run"), least=14, most=30, protections=False, models=False)


@MANY
@given(catalogues(FLAT), policies(("log", "wandb-run")), safeties, tallies, trashes)
def test_the_guard_holds_back_exactly_the_kinds_that_go_too_fast(
    catalogue: Catalogue,
    rules: list[Policy],
    safety: Safety,
    recent: dict[str, Tally],
    trash: tuple[Trashed, ...],
) -> None:
    whole = replace(catalogue, recent=recent, trash=trash)
    seen = plan(whole, rules, safety, NOW, local)
    for kind in ("log", "wandb-run"):
        steps = [each for each in seen.steps if each.artifact.kind == kind and each.do != "purge"]
        assert {bool(seen.held_back(each)) for each in steps} <= {
            _too_fast(whole, kind, [each.artifact for each in steps], safety)
        }
    assert not any(seen.held_back(each) for each in seen.steps if each.do == "purge")


def _too_fast(catalogue: Catalogue, kind: str, going: list[Artifact], safety: Safety) -> bool:
    recent = catalogue.recent.get(kind, Tally())
    here = [each for each in catalogue.artifacts if each.kind == kind]
    units = len(here) + recent.units
    size = sum(each.bytes for each in here) + recent.bytes
    too_many = len(going) + recent.units > safety.max_share * units + 1e-9
    too_much = sum(each.bytes for each in going) + recent.bytes > safety.max_share * size + 1e-9
    return units >= 10 and (too_many or too_much)


@ANY
@given(catalogues(PLAIN), safeties, trashes)
def test_the_trash_is_purged_exactly_after_its_time(
    catalogue: Catalogue, safety: Safety, trash: tuple[Trashed, ...]
) -> None:
    seen = plan(replace(catalogue, trash=trash), [], safety, NOW, local)
    due = sorted(
        (each for each in trash if each.at <= NOW - safety.trash_keep), key=lambda t: t.step
    )
    assert [step.trashed for step in seen.steps] == due
    assert list(leaving(seen)) == []


def archived(then: str, inner: str, *, model: str | None = None) -> dict[str, str]:
    """What becomes of an old run with a run in it, and of the model that the inner one holds."""
    models = (ModelFile("o/in/best.pt", 1, model),) if model is not None else ()
    units = (
        Artifact("o", "hydra-run", NOW - 9 * DAY),
        Artifact("o/in", "wandb-run", NOW - 9 * DAY, parent="o", models=models),
    )
    rules = [
        Policy("hydra-run", keep_within=DAY, then=then),
        Policy("wandb-run", keep_within=DAY, then=inner),
    ]
    found = plan(Catalogue(units), rules, SAFETY, NOW, local)
    return {step.path: step.do for step in found.steps}


def test_what_a_part_is_archived_for_is_not_lost_with_the_whole() -> None:
    assert archived("trash", "trash") == {"o": "trash"}
    assert archived("archive", "trash") == {"o": "archive"}
    assert archived("trash", "archive") == {"o": "archive"}


def test_what_its_own_policy_archives_is_not_slimmed_away() -> None:
    ages = range(20, 16, -1)
    parts = [
        Artifact(f"o/e{age}.pt", "checkpoint", NOW - age * DAY, within="o", parent="o", valid=True)
        for age in ages
    ]
    run = Artifact("o", "hydra-run", NOW - 9 * DAY)
    for then, done in (("trash", {"o": "slim"}), ("archive", dict.fromkeys(AS_THEY_GO, "archive"))):
        rules = [
            Policy("hydra-run", keep_within=DAY, then="slim"),
            Policy("checkpoint", keep_last=2, then=then),
        ]
        found = plan(Catalogue((run, *parts)), rules, SAFETY, NOW, local)
        assert {step.path: step.do for step in found.steps} == done
        assert {each.path for each in leaving(found)} >= set(AS_THEY_GO)


AS_THEY_GO = ("o/e20.pt", "o/e19.pt")


def test_limits_count_what_is_archived_as_they_count_what_goes() -> None:
    """And no limit takes the last copy of a model but into an archive."""
    models = (ModelFile("o/1/best.pt", 1, ""),)
    runs = [
        Artifact(f"o/{n}", "hydra-run", NOW - n * HOUR, bytes=10, frees=10, models=models[: n == 1])
        for n in (1, 2, 3)
    ]
    for then in ("archive", "trash"):
        rules = [Policy("hydra-run", keep_within=DAY, then=then, max_size=5)]
        found = plan(Catalogue(tuple(runs)), rules, SAFETY, NOW, local)
        done = {"o/1": "archive", "o/2": then, "o/3": then}
        assert {step.path: step.do for step in found.steps} == done
    full = Filesystem(free=0, roots=("o",), trashes=(".janitor",))
    rules = [Policy("hydra-run", keep_within=HOUR, then="archive")]
    catalogue = Catalogue(tuple(runs), disks=(full,))
    found = plan(catalogue, rules, SAFETY, NOW, local, Disk(keep_free=10))
    assert [(step.do, step.path) for step in found.steps] == [("archive", "o/3")]


def test_the_only_copy_of_a_model_is_archived_never_trashed() -> None:
    """The digest "" is that of what nothing else can equal."""
    for then, inner in (("trash", "trash"), ("archive", "archive"), ("archive", "trash")):
        assert archived(then, inner, model="") == {"o": "archive"}
    assert archived("trash", "archive", model="") == {"o": "archive"}
    assert archived("trash", "trash", model="x") == {"o": "archive"}


OLD = NOW - 9 * DAY


@pytest.mark.parametrize("kind", [each for each in KINDS if each != "checkpoint"])
def test_only_runs_are_archived_for_their_models(kind: Kind) -> None:
    """A published model is published where it lies, and an archive doesn't hold all of an MLflow
    run: they stay."""
    unit = Artifact("o", kind, OLD, models=(ModelFile("o/best.pt", 1, ""),))
    seen = plan(Catalogue((unit,)), [Policy(kind, keep_within=DAY)], SAFETY, NOW, local)
    if kind in ("hydra-run", "hydra-sweep", "training-run", "wandb-run"):
        (step,) = seen.steps
        why = "holds the only copy of its model best.pt: archived, not trashed"
        assert (step.do, step.reasons) == ("archive", ("older than 24h", why))
    else:
        assert [each.fact for each in seen.kept[0].protections] == ["only-copy"]


UNSYNCED = Evidence("unsynced", "never uploaded", "wandb sync o/w")
LIVE = Evidence("live", "pid 42 has it open")


def unsynced(
    unsynced: str = "archive",
    outer: Kind = "hydra-run",
    then: str = "trash",
    protections: tuple[Evidence, ...] = (UNSYNCED,),
    **more: object,
) -> Plan:
    """What becomes of an old W&B run in an old run of another kind."""
    units = (
        Artifact("o", outer, OLD),
        Artifact("o/w", "wandb-run", OLD, parent="o", protections=protections),
    )
    inner = Policy("wandb-run", keep_within=DAY, unsynced=unsynced, **more)  # type: ignore[arg-type]
    rules = [Policy(outer, keep_within=DAY, then=then), inner]
    return plan(Catalogue(units), rules, SAFETY, NOW, local)


def done(seen: Plan) -> dict[str, str]:
    return {step.path: step.do for step in seen.steps}


def test_what_is_not_uploaded_is_archived_where_a_policy_says_so() -> None:
    """With what it is in, which is archived for it, and never trashed (S3)."""
    assert done(unsynced("keep")) == {}
    assert done(unsynced()) == {"o": "archive"}
    assert unsynced().steps[0].reasons == (
        "older than 24h",
        "holds o/w: never uploaded: archived, not trashed",
    )
    assert done(unsynced(then="archive")) == {"o": "archive"}
    assert unsynced(then="archive").steps[0].reasons[1] == "holds o/w: never uploaded: archived"
    run = Artifact("w", "wandb-run", OLD, protections=(UNSYNCED,))
    for then in ("trash", "archive"):
        rules = [Policy("wandb-run", keep_within=DAY, then=then, unsynced="archive")]
        (step,) = plan(Catalogue((run,)), rules, SAFETY, NOW, local).steps
        assert step.do == "archive"
        assert step.reasons[0] == "older than 24h"
        assert step.reasons[1].startswith("never uploaded: archived")


@pytest.mark.parametrize("other", [LIVE, Evidence("reference", "named"), Evidence("git", "its")])
def test_what_is_not_uploaded_stays_for_all_other_reasons(other: Evidence) -> None:
    seen = unsynced(protections=(UNSYNCED, other))
    assert seen.steps == ()
    assert all(other.fact in {e.fact for e in kept.protections} for kept in seen.kept)


def test_what_is_not_uploaded_keeps_a_run_that_would_not_be_archived_for_it() -> None:
    """No policy says a word of it; it is to be slimmed; or an archive would not hold it all."""
    for seen in (
        unsynced(path="elsewhere/**"),
        unsynced(then="slim"),
        unsynced(outer="mlflow-run"),
        unsynced(outer="model"),
    ):
        kept = {each.artifact.path: [e.fact for e in each.protections] for each in seen.kept}
        assert kept["o"] == ["unsynced"]
        assert done(seen) in ({}, {"o/w": "archive"})
    both = unsynced(then="slim", protections=(UNSYNCED, LIVE)).kept[0].protections
    assert {each.fact for each in both} == {"live", "unsynced"}


def test_a_persons_word_needs_no_archive() -> None:
    word = date(2100, 1, 1)
    assert done(unsynced(uploaded_before=word)) == {"o": "trash"}


def test_a_run_that_stays_lets_what_is_not_uploaded_in_it_go_into_an_archive() -> None:
    assert done(unsynced(outer="log")) == {"o/w": "archive"}
    rules = [Policy("wandb-run", keep_within=DAY, unsynced="archive")]
    units = (
        Artifact("o", "hydra-run", OLD),
        Artifact("o/w", "wandb-run", OLD, parent="o", protections=(UNSYNCED,)),
    )
    seen = plan(Catalogue(units), rules, SAFETY, NOW, local)
    assert done(seen) == {"o/w": "archive"}
