"""A plan that has grown old is asked again: what protects a unit by now counts (S5, S6)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from artifact_janitor import afresh
from artifact_janitor.looking import Look
from artifact_janitor.units import SECOND
from tests.real import training
from tests.real.git_repo import git
from tests.real.small import FREE, Small, small
from tests.real.wandb_runs import backdate


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path)


def thought_about(seen: Look) -> Look:
    """As if a person had looked at the plan for a minute."""
    return replace(seen, at=seen.at - 60 * SECOND)


def named(work: Small, run: str) -> None:
    work.write("best_models/one_meta.json", json.dumps({"run": run}))


def test_what_was_named_since_the_plan_stays(work: Small) -> None:
    work.configure(FREE)
    git(work.root, "init", "-q")
    runs = [work.hydra(90 - n) for n in range(4)]
    seen = work.look()
    named(work, runs[0])
    (work.root / "newest").symlink_to(runs[1])
    git(work.root, "add", "--force", f"{runs[2]}/train.log")
    outcomes = {each.step.path: each for each in work.run(thought_about(seen)).outcomes}
    assert [outcomes[run].outcome for run in runs] == ["skipped", "skipped", "skipped", "done"]
    whys = [outcomes[run].why.partition("since the plan was made: ")[2] for run in runs]
    assert "one_meta.json" in whys[0]
    assert "newest" in whys[1]
    assert "Git" in whys[2]
    assert [work.there(run) for run in runs] == [True, True, True, False]


def test_all_stays_where_git_can_no_longer_say_what_it_tracks(work: Small) -> None:
    git(work.root, "init", "-q")
    run = work.hydra(90)
    seen = work.look()
    work.write(".git/index", "no index")
    (outcome,) = work.run(thought_about(seen)).outcomes
    assert (outcome.outcome, work.there(run)) == ("skipped", True)
    assert "Git" in outcome.why


def test_the_last_copy_of_a_model_stays(work: Small) -> None:
    old, young = (work.root / "training/runs" / name for name in ("old", "young"))
    training.torch_run(old, ["best_model.pt"])
    young.mkdir()
    (young / "best_model.pt").write_bytes((old / "best_model.pt").read_bytes())
    backdate(old, 90)
    seen = work.look()
    (young / "best_model.pt").unlink()
    (outcome,) = work.run(thought_about(seen)).outcomes
    assert (outcome.outcome, work.there("training/runs/old")) == ("skipped", True)
    assert "only copy" in outcome.why


def test_what_was_named_while_it_was_archived_stays(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = work.hydra(90)
    work.configure('[[policy]]\nkind = "hydra-run"\nkeep_within = "7d"\nthen = "archive"\n')
    seen = work.look()

    def in_its_midst() -> bool:
        if not work.there("best_models") and [*work.root.glob(".janitor/archive/*.zst*")]:
            named(work, run)
        return False

    monkeypatch.setattr(afresh, "OLD", 0)
    monkeypatch.setattr(afresh, "SHARE", 0)
    (outcome,) = work.run(seen, stop=in_its_midst).outcomes
    assert (outcome.outcome, work.there(run)) == ("skipped", True)
    assert "one_meta.json" in outcome.why
    assert [*work.root.glob(".janitor/archive/*.zst*")] == []
    assert work.janitor("archives").rows("archives") == []


def test_a_young_plan_is_carried_out_as_it_is(work: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second look at a million files costs as much as the first."""
    work.hydra(90)
    seen = work.look()
    monkeypatch.delattr(afresh, "look")
    assert {each.outcome for each in work.run(seen).outcomes} == {"done"}
