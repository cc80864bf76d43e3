"""What a person pins by the name of a link; and what no pin can protect (S4)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from artifact_janitor.apply.archive.store import ARCHIVE, MANIFEST
from artifact_janitor.core.model import Pin
from tests.real.command import Answer
from tests.real.small import Small, done, small, why
from tests.test_expire import EXPIRING, archived, the_path

RUN = "outputs/2026-01-01/10-00-00"


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path)


def pins(work: Small) -> list[str]:
    return [each.path for each in work.journal().pins()]


def told(answer: Answer) -> str:
    (error,) = answer.said["errors"]
    assert answer.code == 2, answer
    return f"{error['message']}: {error['hint']}"


# ------------------------------------------------------------ links


@pytest.mark.parametrize("name", ["latest-run", "debug.log"])
def test_a_pinned_link_keeps_its_run(work: Small, name: str) -> None:
    """W&B's links go with the run that they name: a pin of one, by whatever way it came, keeps
    both."""
    run, link = work.wandb(30), f"wandb/{name}"
    assert run in {row["path"] for row in work.janitor("plan").rows("steps")}
    work.journal().pin(Pin(link, "mine"))
    assert f"{link} is pinned, which names it (mine)" in why(work.janitor("plan"), run)
    assert done(work.janitor("run", "--yes")) == set()
    assert work.there(run, link)


def test_a_pin_of_a_link_made_in_mid_sweep_counts(work: Small) -> None:
    run = work.wandb(30)
    seen = work.look()
    work.journal().pin(Pin("wandb/latest-run"))
    (outcome,) = work.run(seen).outcomes
    assert (outcome.outcome, outcome.why) == ("skipped", "pinned since the plan was made")
    assert work.there(run, "wandb/latest-run")


def test_to_pin_a_link_pins_what_it_leads_to(work: Small) -> None:
    """It stays also when the link names another run one day."""
    run, wandb = work.hydra(30, RUN), work.wandb(30)
    (work.root / "best").symlink_to("outputs/latest")  # by way of another one
    (work.root / "outputs/latest").symlink_to("2026-01-01/10-00-00/train.log")
    assert work.janitor("pin", "best").facts["names"] == f"{run}/train.log"
    said = work.said("pin", "wandb/latest-run")
    assert f"pinned {wandb}, which it leads to" in said
    assert {*pins(work)} == {"best", f"{run}/train.log", wandb, "wandb/latest-run"}
    for link in ("best", "outputs/latest", "wandb/latest-run"):
        (work.root / link).unlink()
    assert done(work.janitor("run", "--yes")) == set()
    assert work.there(run, wandb)


def test_to_unpin_a_link_tells_what_stays_pinned(work: Small) -> None:
    run = work.hydra(30, RUN)
    (work.root / "best").symlink_to(RUN)
    work.janitor("pin", "best")
    assert f"still pinned {run}, which it leads to" in work.said("unpin", "best")
    assert pins(work) == [run]


@pytest.mark.parametrize("target", ["/", ".", "gone", "../elsewhere"])
def test_a_link_that_leads_to_nothing_here_is_pinned_alone(work: Small, target: str) -> None:
    (work.root / "link").symlink_to(target)
    said = work.said("pin", "link")
    assert said.splitlines()[0] == "pinned link"
    assert "it leads to nothing in the workspace: the link alone is pinned" in said
    assert pins(work) == ["link"]


def test_a_root_that_is_a_link_is_pinned_as_ever(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run, real = work.hydra(30, RUN), tmp_path_factory.mktemp("real") / "outputs"
    (work.root / "outputs").rename(real)
    (work.root / "outputs").symlink_to(real)
    assert work.said("pin", "outputs").splitlines() == ["pinned outputs"]
    assert done(work.janitor("run", "--yes")) == set()
    assert work.there(run)


def test_why_of_a_link_tells_of_what_it_leads_to(work: Small) -> None:
    run, wandb = work.hydra(30, RUN), work.wandb(30)
    (work.root / "outputs/latest").symlink_to(work.root / run)
    for link, named in (("wandb/latest-run", wandb), ("outputs/latest", run)):
        (unit,) = work.janitor("why", link).facts["units"]
        assert unit["path"] == named
        assert f"{link} is a link to {named}" in work.said("why", link)
    said = work.said("why", "wandb/debug.log")
    assert f"as part of {wandb}" in said
    (work.root / "outputs/away").symlink_to("/etc")
    assert "the janitor never touches it" in work.said("why", "outputs/away")


def test_what_lies_beside_an_archive_keeps_it_when_pinned(work: Small) -> None:
    work.configure(EXPIRING)
    run = work.hydra(0, RUN)
    archived(work, run)
    archive = the_path(work, run)
    beside = archive.removesuffix(ARCHIVE) + MANIFEST
    assert archive in {row["path"] for row in work.janitor("plan").rows("steps")}
    assert work.janitor("pin", beside).code == 0
    assert archive not in {row["path"] for row in work.janitor("plan").rows("steps")}
    assert done(work.janitor("run", "--yes")) == set()


# ------------------------------------------------------------ what no pin protects


def test_what_is_in_the_trash_is_not_pinned_but_brought_back(work: Small) -> None:
    """The next purge would take it, pinned or not."""
    run = work.hydra(30, RUN)
    work.janitor("run", "--yes")
    (sweep,) = os.listdir(work.root / ".janitor/trash")
    (work.root / "link").symlink_to(f".janitor/trash/{sweep}/{run}")
    for path in (f".janitor/trash/{sweep}/{run}", f".janitor/trash/{sweep}", "link"):
        assert f"janitor undo {sweep} brings it back, pinned" in told(work.janitor("pin", path))
    assert "janitor undo ID" in told(work.janitor("pin", ".janitor/trash"))
    assert "own folder: .janitor/journal.db" in told(work.janitor("pin", ".janitor/journal.db"))
    assert pins(work) == []
    assert done(work.janitor("undo", sweep)) == {run}
    assert pins(work) == [run]


def test_an_empty_path_is_not_the_whole_workspace(work: Small) -> None:
    """A variable that is not set, in a script: "" would pin all, and unpin all."""
    work.hydra(30, RUN)
    assert "the path is empty" in told(work.janitor("pin", ""))
    assert work.janitor("pin", RUN).code == 0
    assert "the path is empty" in told(work.janitor("unpin", ""))
    assert pins(work) == [RUN]
    shutil.rmtree(work.root / RUN)
    assert "there is no" in told(work.janitor("pin", "outputs/none"))
    assert work.janitor("pin", ".").code == 0
