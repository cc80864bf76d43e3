"""``max_size``, ``keep_free`` and a person's word, by example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest

from artifact_janitor.core.model import (
    Artifact,
    Catalogue,
    Evidence,
    Filesystem,
    Kind,
    ModelFile,
    Pin,
    Trashed,
)
from artifact_janitor.core.plan import Plan, leaving, plan
from artifact_janitor.core.policy import Best, Disk, Policy, Safety
from artifact_janitor.units import DAY
from tests.core.history import NOW, at, local

GB = 10**9
SAFETY = Safety(grace=DAY, trash_keep=7 * DAY, max_share=1.0)
LIVE = Evidence("live", "pid 42 has it open")
UNSYNCED = Evidence("unsynced", "never uploaded", "wandb sync")


def unit(
    name: str, days: int, size: int = 10, kind: Kind = "hydra-run", **more: object
) -> Artifact:
    """One that was last written to so many days ago; its size in GB."""
    whole = size * GB
    return Artifact(name, kind, NOW - days * DAY, whole, whole, **more)  # type: ignore[arg-type]


def runs(*sizes: int) -> list[Artifact]:
    """Hydra runs, oldest first: outputs/0 …"""
    return [unit(f"outputs/{n}", len(sizes) - n + 1, size) for n, size in enumerate(sizes)]


def hydra(size: int | None, **rules: object) -> Policy:
    limit = None if size is None else size * GB
    return Policy("hydra-run", max_size=limit, **rules)  # type: ignore[arg-type]


def planned(
    artifacts: Sequence[Artifact],
    *policies: Policy,
    disk: Disk | None = None,
    safety: Safety = SAFETY,
    **facts: object,
) -> Plan:
    catalogue = Catalogue(tuple(artifacts), **facts)  # type: ignore[arg-type]
    return plan(catalogue, policies, safety, NOW, local, disk)


def going(seen: Plan) -> list[str]:
    return [step.path for step in seen.steps if step.do != "purge"]


def reasons(seen: Plan, path: str) -> tuple[str, ...]:
    told = [*seen.steps, *seen.kept]
    return next(each.reasons for each in told if each.artifact.path == path)


# ------------------------------------------------------------ max_size


@pytest.mark.parametrize(
    ("limit", "gone"),
    [
        (100, []),
        (50, []),  # to the byte
        (49, ["outputs/0"]),
        (40, ["outputs/0"]),
        (39, ["outputs/0", "outputs/1"]),
        (1, [f"outputs/{n}" for n in range(5)]),
    ],
)
def test_rules_yield_oldest_first_as_far_as_it_takes(limit: int, gone: list[str]) -> None:
    """Whatever rule keeps them, and where no rule does."""
    for rules in ({"keep_last": 9}, {"keep_within": 99 * DAY}, {"keep_daily": 9}, {}):
        assert going(planned(runs(10, 10, 10, 10, 10), hydra(limit, **rules))) == gone
    best = Best("loss", "min", missing="keep")
    assert going(planned(runs(10, 10, 10, 10, 10), hydra(limit, keep_best=best))) == gone


def test_what_the_rules_let_go_goes_first_and_counts_no_more() -> None:
    assert going(planned(runs(10, 10, 10, 10), hydra(25, keep_last=3))) == [
        "outputs/0",
        "outputs/1",
    ]
    assert going(planned(runs(10, 10, 10, 10), hydra(30, keep_last=3))) == ["outputs/0"]


def test_a_large_one_is_not_taken_in_the_place_of_older_ones() -> None:
    assert going(planned(runs(1, 1, 90, 5), hydra(10))) == ["outputs/0", "outputs/1", "outputs/2"]


def test_what_takes_no_room_does_not_yield() -> None:
    assert going(planned(runs(0, 10, 10), hydra(10))) == ["outputs/1"]


def test_equal_ages_are_settled_by_path() -> None:
    same = [replace(each, time=NOW - DAY) for each in runs(10, 10, 10)]
    assert going(planned(same[::-1], hydra(10))) == ["outputs/0", "outputs/1"]


def test_the_reason_names_the_limit_and_the_rule_that_yields() -> None:
    seen = planned(runs(10, 10), hydra(15, keep_last=2, keep_within=30 * DAY))
    assert reasons(seen, "outputs/0") == (
        "beyond max_size 15 GB: oldest first",
        "although in the 2 newest, younger than 30d",
    )
    assert reasons(planned(runs(10, 10), hydra(15)), "outputs/0") == (
        "beyond max_size 15 GB: oldest first",
    )
    bare = reasons(planned(runs(10, 10), hydra(15)), "outputs/1")
    assert bare == ("nothing but max_size 15 GB limits it",)


@pytest.mark.parametrize(
    "protected",
    [
        {"protections": (LIVE,)},
        {"protections": (Evidence("reference", "best_models/a_meta.json names it"),)},
        {"time": NOW + DAY},
        {"time": 0},
    ],
    ids=["live", "reference", "future", "1970"],
)
def test_what_is_protected_stays_and_counts(protected: dict[str, object]) -> None:
    first, *others = runs(10, 10, 10, 10)
    kept = replace(first, **protected)  # type: ignore[arg-type]
    seen = planned([kept, *others], hydra(25, keep_last=9))
    assert going(seen) == ["outputs/1", "outputs/2"]
    assert seen.refused == ()


def test_a_pin_makes_another_yield() -> None:
    seen = planned(runs(10, 10, 10), hydra(20), pins=(Pin("outputs/0"),))
    assert going(seen) == ["outputs/1"]


def test_a_shortfall_is_told_and_holds_nothing_back() -> None:
    artifacts = [replace(each, protections=(LIVE,)) for each in runs(10, 20)]
    seen = planned([*artifacts, unit("outputs/9", 0, 5)], hydra(25, path="outputs/**"))
    assert going(seen) == ["outputs/9"]
    (told,) = seen.refused
    assert (told.code, told.kind) == ("max-size", "hydra-run")
    assert told.message == (
        "hydra-run in outputs/** takes 30 GB of max_size 25 GB; the rest is protected"
    )
    assert told.hint == "janitor plan --kept"
    assert seen.held_back(seen.steps[0]) is None
    whole = planned(artifacts, hydra(25)).refused[0].message
    assert whole.startswith("hydra-run takes 30 GB")


def test_what_would_yield_but_for_its_protection_says_so() -> None:
    artifacts = runs(10, 10)
    artifacts[0] = replace(artifacts[0], protections=(LIVE,))
    kept = planned(artifacts, hydra(10, keep_last=5)).kept[0]
    assert kept.reasons == ("pid 42 has it open",)
    assert kept.otherwise[0] == "beyond max_size 10 GB: oldest first"


def test_of_two_copies_one_is_archived() -> None:
    """The older yields; then the newer holds the only copy, which goes as an archive."""
    artifacts = runs(10, 10, 10)
    for n in (0, 1):
        model = ModelFile(f"outputs/{n}/best.pt", 9, "the same")
        artifacts[n] = replace(artifacts[n], models=(model,))
    seen = planned(artifacts, hydra(10))
    assert [(step.do, step.path) for step in seen.steps] == [
        ("trash", "outputs/0"),
        ("archive", "outputs/1"),
    ]
    assert reasons(seen, "outputs/1")[-1] == (
        "holds the only copy of its model best.pt: archived, not trashed"
    )


def test_a_copy_that_a_rule_lets_go_leaves_the_last_one_to_an_archive() -> None:
    artifacts = [unit("outputs/a", 9), unit("training/runs/b", 20, kind="training-run")]
    artifacts = [
        replace(each, models=(ModelFile(f"{each.path}/best.pt", 9, "x"),)) for each in artifacts
    ]
    seen = planned(artifacts, hydra(1), Policy("training-run", keep_within=DAY))
    assert {step.path: step.do for step in seen.steps} == {
        "training/runs/b": "trash",
        "outputs/a": "archive",
    }
    assert seen.refused == ()


def test_bytes_count_once_in_the_outermost() -> None:
    """20 GB in all, not 35; and what left it is no part of it any more."""
    outer = unit("outputs/0", 5, 20)
    inner = unit("outputs/0/again", 6, 15, parent="outputs/0")
    assert going(planned([outer, inner], hydra(20))) == []
    assert going(planned([outer, inner], hydra(19))) == ["outputs/0/again"]
    assert going(planned([outer, inner], hydra(5))) == ["outputs/0/again"]
    assert going(planned([outer, inner], hydra(4))) == ["outputs/0"]


def test_what_another_policy_takes_out_of_a_unit_counts_no_more() -> None:
    """10 of its 20 GB leave it: what is left needs not yield."""
    run = unit("training/runs/a", 1, 20, "training-run")
    parts = [checkpoint("a", 1, 9), checkpoint("a", 2, 1)]
    limit = Policy("training-run", max_size=10 * GB)
    artifacts = [run, *parts]
    assert going(planned(artifacts, limit)) == ["training/runs/a"]
    assert going(planned(artifacts, limit, Policy("checkpoint", keep_last=1))) == [parts[0].path]


def test_only_what_the_policy_governs_counts() -> None:
    artifacts = [
        *runs(10, 10),
        unit("logs/a", 9, 50, "log"),
        unit("multirun/b", 9, 50, "hydra-run"),
    ]
    seen = planned(artifacts, hydra(20, path="outputs/**"), hydra(None, keep_last=9))
    assert going(seen) == []


def checkpoint(run: str, epoch: int, days: int, role: str = "") -> Artifact:
    path = f"training/runs/{run}/epoch_{epoch}.pt"
    where = f"training/runs/{run}"
    return unit(path, days, kind="checkpoint", parent=where, within=where, step=epoch, role=role)


def test_checkpoints_yield_across_runs_and_best_and_newest_stay() -> None:
    """Rules rank within a run, the limit is on all of them; S6 holds."""
    artifacts = [
        unit("training/runs/a", 1, 50, "training-run"),
        checkpoint("a", 1, 50, "best"),
        checkpoint("a", 2, 40),
        checkpoint("a", 3, 20),
        checkpoint("a", 4, 10),
        unit("training/runs/b", 1, 50, "training-run"),
        checkpoint("b", 1, 30),
        checkpoint("b", 2, 25),
        checkpoint("b", 3, 5),
    ]
    three = Policy("checkpoint", keep_last=3, max_size=50 * GB)
    assert going(planned(artifacts, three)) == [
        "training/runs/a/epoch_2.pt",
        "training/runs/b/epoch_1.pt",
    ]
    none = replace(three, max_size=1)
    seen = planned(artifacts, none)
    assert {
        each.artifact.path[-12:] for each in seen.kept if each.artifact.kind == "checkpoint"
    } == {
        "a/epoch_1.pt",
        "a/epoch_4.pt",
        "b/epoch_3.pt",
    }
    assert "checkpoint takes 30 GB" in seen.refused[0].message


def test_what_holds_something_unsynced_does_not_yield() -> None:
    outer, other = runs(10, 10)
    inner = unit(
        "outputs/0/wandb/run-a", 9, 1, "wandb-run", parent="outputs/0", protections=(UNSYNCED,)
    )
    assert going(planned([outer, inner, other], hydra(10))) == ["outputs/1"]


def test_the_guard_counts_what_yields() -> None:
    seen = planned(runs(*[10] * 10), hydra(70), safety=replace(SAFETY, max_share=0.2))
    assert [each.code for each in seen.refused] == ["max-share"]
    assert all(seen.held_back(step) for step in seen.steps)


def test_policies_have_their_turns_in_order() -> None:
    """The run that takes W&B's along goes first; of those nothing need go by itself."""
    artifacts = [
        unit("outputs/0", 9, 10),
        unit("outputs/0/wandb/run-a", 9, 4, "wandb-run", parent="outputs/0"),
        unit("wandb/run-b", 20, 4, "wandb-run"),
    ]
    wandb = Policy("wandb-run", max_size=4 * GB)
    assert going(planned(artifacts, hydra(5), wandb)) == ["outputs/0"]
    assert going(planned(artifacts, wandb, hydra(5))) == ["wandb/run-b", "outputs/0"]


# ------------------------------------------------------------ uploaded_before


def wandb_run(name: str, when: str, **more: object) -> Artifact:
    more.setdefault("protections", (UNSYNCED,))
    return Artifact(name, "wandb-run", at(when), GB, GB, **more)  # type: ignore[arg-type]


WORD = Policy("wandb-run", keep_within=DAY, uploaded_before=date(2025, 10, 26))


@pytest.mark.parametrize(
    ("when", "goes"),
    [
        ("2025-10-25 23:59:59.999999999", True),
        ("2025-10-26 00:00:00", False),
        ("2025-10-26 02:30:00 second", False),
        ("1999-12-31 12:00:00", False),
    ],
)
def test_a_persons_word_reaches_to_local_midnight(when: str, goes: bool) -> None:
    seen = planned([wandb_run("wandb/run-a", when)], WORD)
    assert bool(going(seen)) is goes
    if goes:
        said = "your word that it is uploaded (uploaded_before 2025-10-26)"
        assert seen.steps[0].reasons == ("older than 24h", said)


OLD = "2025-06-01 12:00:00"


def test_the_word_is_about_uploads_alone() -> None:
    for other in (LIVE, Evidence("reference", "named")):
        run = wandb_run("wandb/run-a", OLD, protections=(UNSYNCED, other))
        (kept,) = planned([run], WORD).kept
        assert kept.protections == (other,)
    pinned = planned([wandb_run("wandb/run-a", OLD)], WORD, pins=(Pin("wandb/run-a"),))
    assert going(pinned) == []


def test_the_word_frees_what_is_around_the_run_and_is_told_there() -> None:
    outer = Artifact("outputs/0", "hydra-run", at(OLD), GB, GB)
    inner = wandb_run("outputs/0/wandb/run-a", OLD, parent="outputs/0")
    rules = (Policy("hydra-run", keep_within=DAY),)
    assert going(planned([outer, inner], *rules)) == []
    seen = planned([outer, inner], *rules, WORD)
    assert going(seen) == ["outputs/0"]
    said = "inside: your word that it is uploaded (uploaded_before 2025-10-26)"
    assert seen.steps[0].reasons == ("older than 24h", said)


def test_the_word_does_not_reach_what_bears_no_date() -> None:
    """Files without a date in a run that has one: nobody meant those (S7)."""
    outer = Artifact("outputs/0", "hydra-run", at(OLD), GB, GB)
    inner = wandb_run("outputs/0/wandb/run-a", "1999-12-31 12:00:00", parent="outputs/0")
    assert going(planned([outer, inner], Policy("hydra-run", keep_within=DAY), WORD)) == []


def test_the_word_of_the_policy_that_governs_counts() -> None:
    elsewhere = replace(WORD, path="outputs/**")
    kept = Policy("wandb-run", keep_last=9)
    run = wandb_run("wandb/run-a", OLD)
    assert going(planned([run], elsewhere, Policy("wandb-run", keep_within=DAY))) == []
    assert going(planned([run], kept, WORD)) == []
    assert "unsynced" in [each.fact for each in planned([run], kept, WORD).kept[0].protections]


def test_a_run_with_proof_needs_no_word() -> None:
    proof = Evidence("uploaded", "uploaded: exit 0, all files 200 OK")
    run = wandb_run("wandb/run-a", OLD, protections=(), evidence=(proof,))
    assert planned([run], WORD).steps[0].reasons == ("older than 24h", proof.why)


# ------------------------------------------------------------ keep_free


def disk(free: int, *roots: str) -> Filesystem:
    roots = roots or ("outputs",)
    return Filesystem(roots, free * GB, tuple(f"{root}/.janitor/trash" for root in roots))


def in_trash(number: int, frees: int, days: float, root: str = "outputs") -> Trashed:
    moment = NOW - int(days * DAY)
    place = f"{root}/.janitor/trash/{number}"
    return Trashed(
        number, f"{root}/was-{number}", place, "hydra-run", frees, frees * GB, moment, "f"
    )


KEEP = Disk(50 * GB)
FIRST = hydra(None, keep_last=1)


@pytest.mark.parametrize(
    ("free", "trash", "gone", "missing", "spared"),
    [
        (50, 0, 4, 0, 0),  # not short: the whole policy
        (49, 0, 1, 1, 3),
        (40, 0, 1, 10, 3),  # the one that covers it is the last
        (39, 0, 2, 11, 2),
        (39, 1, 1, 10, 3),
        (39, 11, 0, 0, 4),  # the trash covers it
        (39, 99, 0, 0, 4),
        (0, 0, 4, 50, 0),  # short all the same
    ],
)
def test_retention_stops_at_what_is_missing(
    free: int, trash: int, gone: int, missing: int, spared: int
) -> None:
    seen = planned(
        runs(10, 10, 10, 10, 10),
        FIRST,
        disk=KEEP,
        disks=(disk(free),),
        trash=(in_trash(1, trash, 1),),
    )
    assert going(seen) == [f"outputs/{n}" for n in range(gone)]
    (room,) = seen.disk
    assert (room.missing, room.spared) == (missing * GB, spared)
    assert room.taken == (gone * 10 * GB if room.is_short else 0)


def test_what_is_not_needed_says_so() -> None:
    seen = planned(runs(10, 10, 10), FIRST, disk=KEEP, disks=(disk(45),))
    kept = next(each for each in seen.kept if each.artifact.path == "outputs/1")
    assert kept.reasons == ("not needed to reach keep_free 50 GB",)
    assert kept.otherwise == ("not the newest",)


def test_without_keep_free_the_disk_does_not_matter() -> None:
    seen = planned(runs(10, 10, 10), FIRST, disks=(disk(0),))
    assert (len(going(seen)), seen.disk) == (2, ())


def test_policies_in_order_and_oldest_first_in_each() -> None:
    logs = [unit(f"logs/{n}", 90 - n, kind="log") for n in range(3)]
    rules = (FIRST, Policy("log", keep_last=1))
    disks = (disk(25, "outputs", "logs"),)
    assert set(going(planned([*runs(10, 10, 10), *logs], *rules, disk=KEEP, disks=disks))) == {
        "outputs/0",
        "outputs/1",
        "logs/0",
    }
    assert set(
        going(planned([*runs(10, 10, 10), *logs], *rules[::-1], disk=KEEP, disks=disks))
    ) == {
        "logs/0",
        "logs/1",
        "outputs/0",
    }


def test_rules_never_yield_for_room() -> None:
    assert going(planned(runs(10, 10), hydra(None, keep_last=2), disk=KEEP, disks=(disk(0),))) == []


def test_what_yields_to_a_limit_comes_after_what_its_rules_let_go() -> None:
    """The oldest is kept by a rule; it yields only because the limit is exceeded."""
    artifacts = runs(10, 10, 10)
    best = [replace(artifacts[0], metrics=(("f1", 1.0),)), *artifacts[1:]]
    policy = hydra(1, keep_best=Best("f1", "max", missing="ignore"))
    assert going(planned(best, policy, disk=KEEP, disks=(disk(45),))) == ["outputs/1"]
    assert len(going(planned(best, policy, disk=KEEP, disks=(disk(5),)))) == 3


def test_what_frees_nothing_stays() -> None:
    """Its files have names elsewhere, too."""
    linked, *others = runs(10, 10, 10, 10)
    seen = planned([replace(linked, frees=0), *others], FIRST, disk=KEEP, disks=(disk(45),))
    assert going(seen) == ["outputs/1"]
    assert "would free nothing" in reasons(seen, "outputs/0")[0]
    whole = planned([replace(linked, frees=0), *others], FIRST, disk=KEEP, disks=(disk(0),))
    assert going(whole) == ["outputs/1", "outputs/2"]


def test_a_part_is_no_room_of_its_own_once_it_left() -> None:
    """10 GB go with the part, 10 more with the rest of the whole."""
    outer = unit("outputs/0", 5, 20)
    inner = unit("outputs/0/again", 6, 10, parent="outputs/0")
    rest = [outer, inner, unit("outputs/1", 4, 10), unit("outputs/2", 3)]
    for free, gone in (
        (41, ["outputs/0/again"]),
        (39, ["outputs/0"]),
        (30, ["outputs/0"]),
        (29, ["outputs/0", "outputs/1"]),
    ):
        assert going(planned(rest, FIRST, disk=KEEP, disks=(disk(free),))) == gone


def test_each_filesystem_stands_for_itself() -> None:
    artifacts = [
        *runs(10, 10, 10),
        *(unit(f"wandb/{n}", 9 - n, kind="wandb-run") for n in range(3)),
    ]
    rules = (FIRST, Policy("wandb-run", keep_last=1))
    seen = planned(
        artifacts,
        *rules,
        disk=KEEP,
        disks=(disk(45, "outputs"), disk(60, "wandb")),
        trash=(in_trash(1, 30, 1, "wandb"),),
    )
    assert set(going(seen)) == {"outputs/0", "wandb/0", "wandb/1"}
    assert [(room.missing, room.trash) for room in seen.disk] == [(5 * GB, 0), (0, 30 * GB)]


def test_the_innermost_root_says_where_a_unit_lies() -> None:
    artifacts = [unit(f"logs/old/runs/{n}", 9 - n) for n in range(3)]
    disks = (disk(0, "logs"), disk(45, "logs/old"))
    assert going(planned(artifacts, FIRST, disk=KEEP, disks=disks)) == ["logs/old/runs/0"]


def test_protected_units_are_no_room() -> None:
    artifacts = runs(10, 10, 10, 10)
    artifacts[0] = replace(artifacts[0], protections=(LIVE,))
    seen = planned(artifacts, FIRST, disk=KEEP, disks=(disk(45),))
    assert going(seen) == ["outputs/1"]
    assert seen.reserve == ("outputs/2",)


# ------------------------------------------------------------ purge_early

EARLY = Disk(50 * GB, purge_early=True)


def purged(seen: Plan) -> list[int]:
    return [step.trashed.step for step in seen.steps if step.trashed]


@pytest.mark.parametrize(
    ("free", "numbers"),
    [
        (50, [9]),
        (49, [9]),
        (40, [9]),
        (39, [9, 2]),
        (35, [9, 2]),
        (34, [9, 2, 1]),
        (0, [9, 2, 1, 3]),
    ],
)
def test_the_trash_goes_early_oldest_first_and_no_more_than_it_takes(
    free: int, numbers: list[int]
) -> None:
    """Number 9 is due; 4 gives nothing back, 5 comes from the future."""
    trash = (
        in_trash(1, 5, 4),
        in_trash(2, 5, 5),
        in_trash(3, 5, 3),
        in_trash(4, 0, 6),
        in_trash(5, 5, -1),
        in_trash(9, 10, 7),
        in_trash(6, 50, 6, "wandb"),
    )
    seen = planned([], disk=EARLY, disks=(disk(free), disk(50, "wandb")), trash=trash)
    assert purged(seen) == numbers
    assert purged(planned([], disk=KEEP, disks=(disk(free),), trash=trash)) == [9]


def test_an_early_purge_says_why() -> None:
    seen = planned([], disk=EARLY, disks=(disk(45),), trash=(in_trash(1, 5, 1),))
    assert seen.steps[0].reasons == (
        "purged early: 45 GB free of keep_free 50 GB: was outputs/was-1",
    )


def test_what_is_purged_makes_up_for_what_is_missing() -> None:
    """Due, early or neither: what lies in the trash is room to come."""
    trash = (in_trash(1, 10, 9), in_trash(2, 10, 1))
    seen = planned(runs(10, 10, 10), FIRST, disk=EARLY, disks=(disk(25),), trash=trash)
    assert purged(seen) == [1, 2]
    assert going(seen) == ["outputs/0"]


def test_what_goes_is_told_with_what_leaves_with_it() -> None:
    """`leaving` is what has to be examined first."""
    outer = unit("outputs/0", 5, 20)
    inner = unit("outputs/0/again", 6, 10, parent="outputs/0")
    seen = planned([outer, inner], hydra(1))
    assert {each.path for each in leaving(seen)} == {"outputs/0", "outputs/0/again"}
