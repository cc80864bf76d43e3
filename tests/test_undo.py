"""What a sweep took comes back as it was, or the person is told why not (S10)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.real.small import FREE, PURGING, Small, done, small, why
from tests.real.snapshot import difference, snapshot


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path)


def ornament(work: Small, run: str) -> None:
    """All that a rename keeps and a copy may lose."""
    folder = work.root / run
    os.link(folder / "metrics.json", folder / "metrics_again.json")
    os.symlink("metrics.json", folder / "newest")
    os.symlink("/nowhere/at/all", folder / "dangling")
    os.mkfifo(folder / "pipe")
    os.setxattr(folder / "train.log", "user.origin", b"a test")
    os.truncate(folder / "train.log", 1 << 20)
    os.chmod(folder / "config_used.yaml", 0o640)
    (folder / "empty").mkdir(mode=0o750)
    work.write(f"{run}/caf\udce9.txt")
    for folder_in_it, names, files in os.walk(folder, topdown=False):
        for name in [*names, *files, "."]:
            os.utime(f"{folder_in_it}/{name}", ns=(0, 10**18 + 7), follow_symlinks=False)


def test_a_run_comes_back_to_the_nanosecond(work: Small) -> None:
    first, second = work.hydra(30, "outputs/day/a"), work.hydra(31, "outputs/day/b")
    ornament(work, first)
    ornament(work, second)
    os.utime(work.root / "outputs" / "day", ns=(0, 10**18 + 1))
    before = snapshot(work.root)
    assert done(work.janitor("run", "--yes")) == {first, second}
    assert not any(map(work.there, (first, second)))
    assert work.janitor("undo").code == 0
    assert difference(before, snapshot(work.root)) == []
    assert work.trash() + work.leftovers() == []


def test_links_of_wandb_go_and_come_back_with_their_run(work: Small) -> None:
    run = work.wandb(30)
    before = snapshot(work.root)
    links = {name.decode() for name, mark in before.items() if mark.type == "l"}
    assert "wandb/latest-run" in links
    assert done(work.janitor("run", "--yes")) == {run}
    assert not any(map(work.there, links))
    assert work.janitor("undo").code == 0
    assert difference(before, snapshot(work.root)) == []


def test_a_run_comes_back_beside_the_link_to_a_newer_one(work: Small) -> None:
    """W&B has pointed ``latest-run`` elsewhere meanwhile: that link stays, the old is dropped."""
    run = work.wandb(30)
    work.janitor("run", "--yes")
    os.symlink("run-newer", work.root / "wandb" / "latest-run")
    undone = work.janitor("undo")
    assert undone.code == 0, undone
    assert work.there(run)
    assert os.readlink(work.root / "wandb" / "latest-run") == "run-newer"
    assert work.there("wandb/debug.log")
    assert work.trash() == []


def test_links_stay_in_the_trash_with_a_run_whose_place_was_taken(work: Small) -> None:
    run = work.wandb(30)
    work.janitor("run", "--yes")
    work.write(f"{run}/new.txt")
    waiting = work.trash()
    assert work.janitor("undo").code == 3
    assert work.trash() == waiting
    assert not work.there("wandb/latest-run")


def test_a_link_that_was_taken_out_of_the_trash_keeps_nothing_back(work: Small) -> None:
    run = work.wandb(30)
    work.janitor("run", "--yes")
    for link in work.root.glob(".janitor/trash/*/wandb/latest-run"):
        link.unlink()
    assert work.janitor("undo").code == 0
    assert work.there(run)


def test_what_took_the_place_stays_and_the_run_waits(work: Small) -> None:
    run = work.hydra(30)
    work.janitor("run", "--yes")
    work.write(f"{run}/new.txt", "newer\n")
    undone = work.janitor("undo")
    assert undone.code == 3, undone
    assert "is there already" in undone.said["errors"][0]["message"]
    assert (work.root / run / "new.txt").read_text() == "newer\n"
    shutil.rmtree(work.root / run)
    assert work.janitor("undo").code == 0
    assert work.there(f"{run}/.hydra/hydra.yaml")


@pytest.mark.parametrize("gone", ["outputs/day", "outputs"])
def test_a_run_comes_back_where_the_folder_around_it_is_gone(work: Small, gone: str) -> None:
    run = work.hydra(30, "outputs/day/a")
    work.janitor("run", "--yes")
    shutil.rmtree(work.root / gone)
    undone = work.janitor("undo")
    assert undone.code == 0, undone
    assert work.there(f"{run}/.hydra/hydra.yaml")
    other = work.root / "made by mkdir"
    other.mkdir()
    assert (work.root / gone).stat().st_mode == other.stat().st_mode


def test_a_link_in_place_of_the_folder_around_it_is_not_followed(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    work.hydra(30, "outputs/day/a")
    work.janitor("run", "--yes")
    outside = tmp_path_factory.mktemp("outside")
    (work.root / "outputs" / "day").rmdir()
    (work.root / "outputs" / "day").symlink_to(outside)
    undone = work.janitor("undo")
    assert undone.code == 3, undone
    assert "symlink" in undone.said["errors"][0]["message"]
    assert list(outside.iterdir()) == []
    (work.root / "outputs" / "day").unlink()
    assert work.janitor("undo").code == 0


def training_run(work: Small) -> tuple[str, str]:
    """A run with a checkpoint that its policy thins, and another that it keeps."""
    import torch

    for step, days in ((1, 60), (2, 30)):
        file = work.write(f"training/runs/base/checkpoints/step_{step}.pt", b"")
        torch.save({"w": torch.ones(step)}, file)
        moment = file.stat().st_mtime - days * 86_400
        os.utime(file, (moment, moment))
    work.write("training/runs/base/train.log", days=30)
    return "training/runs/base", "training/runs/base/checkpoints/step_1.pt"


def test_a_part_waits_for_the_run_around_it(work: Small) -> None:
    """A checkpoint went first, its run later: the run comes back first."""
    run, checkpoint = training_run(work)
    before = snapshot(work.root / run)
    keep_run = 'kind = "training-run"\nkeep_last = 1'
    work.configure(FREE.replace('kind = "training-run"\nkeep_within = "7d"', keep_run))
    first = work.janitor("run", "--yes").facts["sweep"]
    assert (work.there(run), work.there(checkpoint)) == (True, False)
    work.configure()
    second = work.janitor("run", "--yes").facts["sweep"]
    assert not work.there(run)
    undone = work.janitor("undo", first)
    assert undone.code == 3
    assert f"janitor undo {second}" in str(undone.said["errors"])
    assert not work.there(run), "an empty run would stand in the way of the real one"
    assert work.janitor("undo", first, second).code == 0
    assert difference(before, snapshot(work.root / run)) == []


def test_two_that_went_from_one_place_come_back_one_by_one(work: Small) -> None:
    """``hydra.run.dir=outputs/fixed``: the same path is taken again and again."""
    place = work.hydra(40, "outputs/fixed")
    work.write(f"{place}/which", "first", days=40)
    first = work.janitor("run", "--yes").facts["sweep"]
    work.hydra(30, place)
    work.write(f"{place}/which", "second", days=30)
    second = work.janitor("run", "--yes").facts["sweep"]
    assert not work.there(place)
    assert work.janitor("undo", first).code == 0
    assert (work.root / place / "which").read_text() == "first"
    assert work.janitor("undo", second).code == 3
    (work.root / place).rename(work.root / "outputs" / "first")
    assert work.janitor("undo", second).code == 0
    assert (work.root / place / "which").read_text() == "second"


def test_what_was_purged_is_named(work: Small) -> None:
    work.configure(PURGING)
    run = work.hydra(30)
    sweep = work.janitor("run", "--yes").facts["sweep"]
    assert work.janitor("run", "--yes").code == 0
    assert work.trash() == []
    undone = work.janitor("undo", sweep)
    assert undone.code == 3
    assert [(error["path"], "purged" in error["message"]) for error in undone.said["errors"]] == [
        (run, True)
    ]


def test_purge_takes_the_links_too_and_leaves_nothing(work: Small) -> None:
    work.configure(PURGING)
    work.wandb(30)
    work.janitor("run", "--yes")
    assert work.trash() != []
    purged = work.janitor("run", "--yes")
    assert {row["do"]: row["outcome"] for row in purged.rows("steps")} == {"purge": "done"}
    assert work.trash() + work.leftovers() == []
    assert not list((work.root / ".janitor" / "trash").iterdir())


def test_what_was_changed_in_the_trash_is_not_purged(work: Small) -> None:
    work.configure(PURGING)
    work.hydra(30)
    work.janitor("run", "--yes")
    (log,) = work.root.glob(".janitor/trash/**/train.log")
    log.write_text("somebody works here\n")
    purged = work.janitor("run", "--yes")
    assert [row["outcome"] for row in purged.rows("steps")] == ["skipped"]
    assert log.read_text() == "somebody works here\n"


def test_what_somebody_uses_in_the_trash_is_not_purged(work: Small) -> None:
    work.configure(PURGING)
    work.hydra(30)
    work.janitor("run", "--yes")
    (log,) = work.root.glob(".janitor/trash/**/train.log")
    with log.open():
        (outcome,) = work.janitor("run", "--yes").rows("steps")
    assert (outcome["outcome"], "live in the trash" in outcome["why"]) == ("skipped", True)
    assert log.exists()


def test_one_step_comes_back_by_its_number(work: Small) -> None:
    work.hydra(30)
    work.hydra(31)
    sweep = work.janitor("run", "--yes").facts["sweep"]
    steps = work.janitor("history", sweep).facts["sweeps"][0]["steps"]
    assert [step["id"] for step in steps] == [f"{sweep}.1", f"{sweep}.2"]
    assert work.janitor("undo", f"{sweep}.2").code == 0
    assert [work.there(step["path"]) for step in steps] == [False, True]


@pytest.mark.parametrize("name", ["ffff-none", "{sweep}.0", "{sweep}.9", "{sweep}.x", ""])
def test_a_name_that_means_nothing_is_refused(work: Small, name: str) -> None:
    work.hydra(30)
    sweep = work.janitor("run", "--yes").facts["sweep"]
    asked = work.janitor("undo", name.format(sweep=sweep))
    assert (asked.code, asked.said["errors"][0]["code"]) == (2, "usage")
    assert "janitor history" in asked.said["errors"][0]["hint"]


def test_a_name_that_means_several_is_refused(work: Small) -> None:
    journal = work.journal()
    for name in ("ab12", "ab34", "ab"):
        journal.begin(name, "run", 1, by_person=False)
    journal.close()
    asked = work.janitor("undo", "a")
    assert asked.code == 2
    assert all(name in asked.said["errors"][0]["message"] for name in ("ab12", "ab34"))
    assert work.janitor("undo", "ab").code == 0, "a name in full is meant in full"


def test_undo_twice_goes_further_back_and_then_ends(work: Small) -> None:
    old = work.hydra(40)
    work.janitor("run", "--yes")
    new = work.hydra(30)
    work.janitor("run", "--yes")
    assert work.janitor("undo").code == 0
    assert (work.there(new), work.there(old)) == (True, False)
    assert work.janitor("undo").code == 0
    assert work.there(old, new)
    again = work.janitor("undo")
    assert (again.code, again.facts["steps"]) == (0, [])


def test_undo_of_the_last_two(work: Small) -> None:
    old = work.hydra(40)
    work.janitor("run", "--yes")
    new = work.hydra(30)
    work.janitor("run", "--yes")
    assert work.janitor("undo", "--last", "2").code == 0
    assert work.there(old, new)


def test_what_came_back_stays_until_it_is_unpinned(work: Small) -> None:
    run = work.hydra(30)
    work.janitor("run", "--yes")
    work.janitor("undo")
    assert done(work.janitor("run", "--yes")) == set()
    assert "pinned" in why(work.janitor("plan"), run)
    assert work.janitor("unpin", run).code == 0
    assert done(work.janitor("run", "--yes")) == {run}


def test_unpin_leaves_other_pins(work: Small) -> None:
    one, other = work.hydra(30, "outputs/run"), work.hydra(31, "outputs/run-2")
    for run in (one, other):
        assert work.janitor("pin", run, "--note", "for the paper").code == 0
    assert work.janitor("unpin", one).facts["unpinned"] == [one]
    assert done(work.janitor("run", "--yes")) == {one}
    assert work.janitor("unpin", one).code == 2


def test_what_somebody_took_out_of_the_trash_is_named(work: Small) -> None:
    run = work.hydra(30)
    sweep = work.janitor("run", "--yes").facts["sweep"]
    shutil.rmtree(work.root / ".janitor" / "trash")
    undone = work.janitor("undo", sweep)
    assert undone.code == 3
    assert undone.said["errors"][0]["path"] == run
    assert work.janitor("run", "--yes").code == 0


def test_a_workspace_that_was_copied_elsewhere_can_be_undone(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Other inodes, another device perhaps: what is in the trash is found by its names."""
    run = work.hydra(30)
    work.janitor("run", "--yes")
    copy = Small(tmp_path_factory.mktemp("elsewhere") / "copy")
    shutil.copytree(work.root, copy.root, symlinks=True)
    assert copy.janitor("undo").code == 0
    assert copy.there(f"{run}/.hydra/hydra.yaml")


def test_the_pins_of_undo_go_without_those_of_a_person(work: Small) -> None:
    mine, taken = work.hydra(2), work.hydra(40)
    assert work.janitor("pin", mine, "--note", "mine").code == 0
    assert work.janitor("run", "--yes").code == 0
    assert work.janitor("undo").code == 0
    assert work.janitor("unpin", ".", "--undone").facts["unpinned"] == [taken]
    assert [pin["path"] for pin in work.janitor("status").facts["pins"]] == [mine]
