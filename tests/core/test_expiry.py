"""Which archives expire, by example (S7, S8, S10)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from artifact_janitor.core.model import (
    Artifact,
    Catalogue,
    Evidence,
    ModelFile,
    Pin,
    Refusal,
    Stored,
    Tally,
)
from artifact_janitor.core.plan import Plan, leaving, plan
from artifact_janitor.core.policy import Policy, Safety
from artifact_janitor.units import DAY
from tests.core.history import NOW, local

SAFETY = Safety(grace=DAY, trash_keep=7 * DAY, max_share=0.2)
POLICY = Policy("hydra-run", keep_within=DAY, expire=365 * DAY)
WANDB = Policy("wandb-run", keep_within=DAY, expire=365 * DAY)
ORIGIN, QUIET = Evidence("origin", "hydra.yaml"), Evidence("not live", "quiet")
UPLOADED = Evidence("uploaded", "exit 0, all files 200 OK")
UNSYNCED = Evidence("unsynced", "never uploaded")
UNIT = "outputs/a"


def stored(
    days: float = 366,
    unit: str = UNIT,
    evidence: tuple[Evidence, ...] = (ORIGIN, QUIET),
    kind: str = "hydra-run",
    **more: object,
) -> Stored:
    """Made so many days ago, of a unit that was last written to a day earlier."""
    made = NOW - int(days * DAY)
    name = f"store/{unit.replace('/', '_')}.tar.zst"
    artifact = Artifact(name, kind, made, 10, 10, evidence=evidence)  # type: ignore[arg-type]
    of_archive = {each: more.pop(each) for each in ("models", "protections") if each in more}
    artifact = replace(artifact, **of_archive)  # type: ignore[arg-type]
    more.setdefault("is_read", True)
    return Stored(artifact, unit, made - DAY, 7, "digest", **more)  # type: ignore[arg-type]


def planned(*archives: Stored, policies: tuple[Policy, ...] = (POLICY,), **facts: object) -> Plan:
    catalogue = Catalogue(archives=archives, **facts)  # type: ignore[arg-type]
    return plan(catalogue, policies, SAFETY, NOW, local)


def expires(*archives: Stored, **how: object) -> list[str]:
    return [step.path for step in planned(*archives, **how).steps]  # type: ignore[arg-type]


def why(*archives: Stored, **how: object) -> tuple[str, ...]:
    """What keeps the first."""
    return planned(*archives, **how).kept[0].reasons  # type: ignore[arg-type]


def test_an_old_one_expires() -> None:
    one = stored()
    seen = planned(one)
    (step,) = seen.steps
    assert (step.do, step.path, step.stored) == ("expire", one.path, one)
    assert step.reasons == ("archived longer ago than 365d",)
    assert (step.artifact.frees, step.frees_now) == (10, 0)
    assert (seen.kept, list(leaving(seen))) == ((), [])


@pytest.mark.parametrize(
    ("archive", "policies", "said"),
    [
        (stored(365), (POLICY,), "archived within 365d"),
        (stored(1), (POLICY,), "archived within 365d"),
        (stored(-1), (POLICY,), "it was made in the future, by its date"),
        (stored(20_000), (POLICY,), "it was made before the year 2000, by its date"),
        (stored(), (), "no policy for archives of hydra-run here"),
        (stored(), (WANDB,), "no policy for archives of hydra-run here"),
        (stored(), (replace(POLICY, path="logs/**"),), "no policy for archives of hydra-run here"),
        (stored(), (Policy("hydra-run"), POLICY), "its policy lets no archive expire"),
    ],
)
def test_its_policy_keeps_it(archive: Stored, policies: tuple[Policy, ...], said: str) -> None:
    """The first that matches what is in it, by its kind and the path that it had."""
    (kept,) = planned(archive, policies=policies).kept
    assert said in kept.reasons[0]
    assert (kept.protections, kept.otherwise, kept.stored) == ((), (), archive)


@pytest.mark.parametrize(
    "path", ["outputs", UNIT, f"{UNIT}/model.pt", ".", "store", "store/outputs_a.tar.zst"]
)
def test_a_pin_on_it_or_on_its_old_place_keeps_it(path: str) -> None:
    (kept,) = planned(stored(), pins=(Pin(path, "mine"),)).kept
    assert [each.fact for each in kept.protections] == ["pinned"]
    assert kept.protections[0].hint == f"janitor unpin {path}"
    assert kept.otherwise == ("archived longer ago than 365d",)


@pytest.mark.parametrize("path", ["outputs/ab", "outputs/b", "store/outputs_a", "logs"])
def test_a_pin_elsewhere_does_not(path: str) -> None:
    assert expires(stored(), pins=(Pin(path),))


@pytest.mark.parametrize("fact", ["unsynced", "live", "reference", "git", "a new one", ""])
def test_whatever_its_manifest_tells_against_it_keeps_it(fact: str) -> None:
    """Also what no version of today knows (S7)."""
    against = Evidence(fact, "so it is")
    assert why(stored(evidence=(ORIGIN, against))) == ("so it is",)


def test_what_is_so_today_keeps_it() -> None:
    named = Evidence("reference", "a config names it")
    assert why(stored(protections=(named,))) == ("a config names it",)
    assert why(stored(is_read=False)) == ("nobody looked at what is in it",)


MODEL = ModelFile(f"{UNIT}/best.pt", 9, "x")


def test_the_only_copy_of_a_model_stays() -> None:
    one = stored(models=(MODEL,))
    assert "only copy of the model outputs/a/best.pt" in why(one)[0]
    assert expires(one, published=(ModelFile("best_models/b.pt", 9, "x"),))
    for other in ("y", "", None):
        assert expires(one, published=(ModelFile("best_models/b.pt", 9, other),)) == []
    for nothing in ("", None):
        unknown = stored(models=(replace(MODEL, digest=nothing),))
        assert expires(unknown, published=(ModelFile("best_models/b.pt", 9, nothing),)) == []
    two = stored(unit="outputs/b", models=(MODEL,))
    assert expires(one, two) == [], "an archive is no copy that another one relies on"


def test_a_run_that_goes_holds_no_copy() -> None:
    run = Artifact("training/runs/b", "training-run", NOW - 9 * DAY, models=(MODEL,))
    policy = Policy("training-run", keep_within=DAY)
    one = stored(models=(MODEL,))
    assert expires(one, artifacts=(run,)) == [one.path]
    for then in ("trash", "archive"):
        policies = (POLICY, replace(policy, then=then))
        assert expires(one, artifacts=(run,), policies=policies) == [run.path]
    two = replace(run, path="training/runs/c", time=NOW)
    assert expires(one, artifacts=(run, two), policies=policies) == [run.path, one.path]


def wandb(
    *evidence: Evidence, unit: str = "wandb/run-a", uploads: tuple[str, ...] = ("wandb/run-a",)
) -> Stored:
    return stored(unit=unit, kind="wandb-run", evidence=(ORIGIN, *evidence), uploads=uploads)


def test_a_wandb_run_needs_proof_of_upload() -> None:
    both = (POLICY, WANDB)
    assert expires(wandb(UPLOADED), policies=both)
    assert expires(wandb(Evidence("word", "your word")), policies=both)
    assert why(wandb(UNSYNCED), policies=both) == ("never uploaded",)
    assert why(wandb(UNSYNCED, UPLOADED), policies=both) == ("never uploaded",)
    assert "nothing proves that wandb/run-a" in why(wandb(), policies=both)[0]
    assert expires(wandb(uploads=()), policies=both), "it holds no log: it is none"


def test_so_does_each_in_another_run() -> None:
    def holder(*evidence: Evidence) -> Stored:
        uploads = (f"{UNIT}/wandb/run-a", f"{UNIT}/wandb/run-b")
        return stored(evidence=(ORIGIN, *evidence), uploads=uploads)

    proofs = [Evidence("uploaded", f"{UNIT}/wandb/run-{x}: exit 0") for x in "ab"]
    assert expires(holder(*proofs))
    for proof in proofs:
        assert "nothing proves" in why(holder(proof))[0]
    assert len(why(holder())) == 2
    assert why(holder(*proofs, UNSYNCED)) == ("never uploaded",)
    assert "run-b" in why(holder(proofs[0], UPLOADED))[0], "whose proof is told with its path"


def test_a_persons_word_of_today_counts() -> None:
    """For what it is about: that a run may be archived is no word that it is uploaded."""
    last, made = (local((NOW - age * DAY) // 10**9).date() for age in (367, 366))
    for day, gone in ((date(2100, 1, 1), True), (made, True), (last, False)):
        policy = replace(WANDB, uploaded_before=day)
        assert bool(expires(wandb(UNSYNCED), policies=(policy,))) is gone
    policy = replace(WANDB, unsynced="archive")
    assert why(wandb(UNSYNCED), policies=(policy,)) == ("never uploaded",)


def test_the_guards_count_archives_by_what_is_in_them() -> None:
    """Apart from what is still there of the kind, so that neither hides the other."""
    many = [stored(unit=f"outputs/{n}") for n in range(3)]
    young = [stored(1, unit=f"outputs/new-{n}") for n in range(12)]
    units = tuple(Artifact(f"outputs/x{n}", "hydra-run", NOW, 99) for n in range(40))

    def held(*archives: Stored, recent: int = 0) -> bool:
        tally = {"hydra-run archive": Tally(recent, recent * 10), "hydra-run": Tally(40, 9999)}
        seen = planned(*archives, artifacts=units, recent=tally)
        refused = [each.kind for each in seen.refused]
        assert all(bool(seen.held_back(step)) == bool(refused) for step in seen.steps)
        assert refused in ([], ["hydra-run archive"])
        return bool(refused)

    assert not held(*many, *young)
    assert held(*many, *young[:11])
    assert not held(*many, *young[:6]), "fewer than ten"
    assert held(*many, *young[:6], recent=1)
    assert held(*many, *young, recent=1)


def test_a_clock_that_jumped_holds_it_back() -> None:
    seen = planned(stored(), refusals=(Refusal("clock", "it jumped"),))
    assert seen.held_back(seen.steps[0])


def test_the_oldest_goes_first_and_all_are_told_once() -> None:
    archives = [stored(days, unit=f"outputs/{days}") for days in (400, 500, 300, 450)]
    seen = planned(*archives)
    assert [step.stored.unit for step in seen.steps if step.stored] == [
        "outputs/500",
        "outputs/450",
        "outputs/400",
    ]
    assert [kept.stored for kept in seen.kept] == [archives[2]]
