"""A store of archives outside the workspace: others may use it, and its disk may be away (S7)."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from artifact_janitor.apply.archive import whose
from artifact_janitor.apply.archive.manifest import Head
from artifact_janitor.apply.archive.store import ARCHIVE
from artifact_janitor.tidying import disown
from artifact_janitor.workplace import workplace
from tests.real.disks import needs_root, small_disk
from tests.real.small import Small, done, small
from tests.real.snapshot import difference, snapshot
from tests.test_expire import EXPIRING, RUN, long_ago


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


def project(store: Path, name: str) -> Small:
    """A workspace beside a store, which it archives to."""
    (store.parent / name).mkdir()
    return small(store.parent / name, f"{EXPIRING}\n[archive]\nstore = '{store}'\n")


def archive(work: Small, run: str = RUN, days: int = 400) -> str:
    """A run, archived so long ago, and nothing left of it; the archive's name."""
    work.hydra(days + 100, run)
    before = {*names(work)}
    assert work.janitor("archive", run, first=long_ago(days)).code == 0
    shutil.rmtree(work.root / ".janitor" / "trash")
    (name,) = {*names(work)} - before
    return name


def names(work: Small, *more: str) -> list[str]:
    return [row["name"] for row in work.janitor("archives", *more).rows("archives")]


def forget(work: Small) -> None:
    """As ``git clean -fdx`` leaves it."""
    shutil.rmtree(work.root / ".janitor")


@pytest.fixture
def both(store: Path) -> tuple[Small, Small]:
    """Two projects with one store; the first has an archive that may expire."""
    first, second = project(store, "first"), project(store, "second")
    archive(first)
    return first, second


def test_a_project_that_begins_takes_nothing_of_another(
    both: tuple[Small, Small], store: Path
) -> None:
    first, second = both
    before = snapshot(store)
    assert second.janitor("plan").code == 0
    for _ in range(2):
        answer = second.janitor("run", "--override-guards")
        assert (answer.code, done(answer), answer.facts["recovered"]) == (0, set(), [])
    (second.root / ".janitor" / "journal.db").write_bytes(b"damaged" * 1000)
    rebuilt = second.janitor("run", "--override-guards").facts["recovered"]
    assert "was rebuilt" in rebuilt[0]
    assert not [each for each in rebuilt if "found on disk" in each]
    assert done(second.janitor("run", "--override-guards")) == set()
    assert difference(before, snapshot(store)) == []
    assert done(first.janitor("run", "--yes")) != set(), "to the first it is an archive like any"


def test_what_another_has_there_is_counted_and_told_apart(both: tuple[Small, Small]) -> None:
    first, second = both
    (made,) = names(first)
    assert (names(second), names(second, "--all")) == ([], [made])
    assert second.janitor("archives").facts["others"] == 1
    said = second.said("archives")
    assert "There are no archives yet." in said
    assert "1 archive in the store not known to be from here" in said
    assert f"from {first.root}" in second.said("archives", "--all")
    assert second.janitor("verify").rows("archives") == []
    assert "1 archive beside, not known to be from here" in second.said("doctor")
    assert "unknown to the journal" not in second.said("doctor")


def test_a_path_means_the_run_of_this_project(both: tuple[Small, Small]) -> None:
    first, second = both
    (theirs,) = names(first)
    answer = second.janitor("restore", RUN)
    assert answer.code == 2
    assert f"archived only by {first.root}" in answer.said["errors"][0]["message"]
    assert f"janitor restore {theirs}" in answer.said["errors"][0]["hint"]
    mine = archive(second, days=500).rpartition("-")[2]
    assert second.janitor("restore", RUN).code == 0
    assert second.janitor("history").rows("sweeps")[0]["command"] == "restore"
    assert mine in str(second.janitor("history").facts), "though the other's is newer"
    assert second.janitor("restore", theirs, "--to", str(second.root / "there")).code == 0


def test_a_copy_lets_no_archive_of_the_first_one_expire(store: Path) -> None:
    first = project(store, "first")
    archive(first)
    shutil.copytree(first.root, store.parent / "copy", symlinks=True)
    copy, before = Small(store.parent / "copy"), snapshot(store)
    (kept,) = [each for each in copy.janitor("plan").rows("kept") if each["path"].endswith("zst")]
    assert str(first.root) in json.dumps(kept)
    assert done(copy.janitor("run", "--override-guards")) == set()
    assert difference(before, snapshot(store)) == []
    shutil.rmtree(first.root)
    assert len(done(copy.janitor("run", "--yes"))) == 1, "the first one is no more"


def test_a_workspace_that_comes_back_meanwhile_keeps_its_archive(store: Path) -> None:
    """Between the plan and its step."""
    first = project(store, "first")
    archive(first)
    shutil.copytree(first.root, store.parent / "copy", symlinks=True)
    first.root.rename(store.parent / "far")
    copy = Small(store.parent / "copy")
    seen = copy.look()
    assert [each.do for each in seen.plan.steps] == ["expire"]
    (store.parent / "far").rename(first.root)
    (outcome,) = copy.run(seen).outcomes
    assert (outcome.outcome, "which is still there" in outcome.why) == ("skipped", True)


def test_a_workspace_that_was_moved_keeps_what_is_its_own(store: Path) -> None:
    first = project(store, "first")
    made = archive(first)
    first.root.rename(store.parent / "moved")
    moved = Small(store.parent / "moved")
    forget(moved)
    (store.parent / "first").mkdir()
    assert moved.janitor("run").code == 4, "neither a terminal nor --yes, but it was rebuilt"
    assert names(moved) == [made]
    assert len(done(moved.janitor("run", "--override-guards"))) == 1


def test_without_its_own_folder_it_begins_anew(store: Path) -> None:
    """``git clean -fdx`` took the journal, and left the archives."""
    work = project(store, "first")
    made = archive(work)
    forget(work)
    assert "janitor run" in work.janitor("plan").said["errors"][0]["hint"]
    assert not (work.root / ".janitor").exists()
    answer = work.janitor("run", "--yes")
    assert answer.code == 4, "nothing goes before a person says so"
    assert any(made in said for said in answer.facts["recovered"])
    assert work.janitor("plan").code == 0
    assert names(work) == [made]


@needs_root
def test_what_expired_of_another_is_not_ours_to_purge(store: Path) -> None:
    """On another disk the store has a trash of its own, which it shares as well."""
    with small_disk(store, "size=16m"):
        first, second = project(store, "first"), project(store, "second")
        archive(first)
        assert len(done(first.janitor("run", "--yes"))) == 1
        assert [*(store / ".janitor" / "trash").rglob(f"*{ARCHIVE}")]
        assert second.janitor("plan").code == 0
        assert second.janitor("run", "--yes").facts["recovered"] == []
        (second.root / ".janitor" / "journal.db").write_bytes(b"damaged" * 1000)
        assert "in the trash" not in str(second.janitor("run", "--yes").facts["recovered"])
        forget(first)
        found = first.janitor("run", "--yes").facts["recovered"]
        assert "in the trash" in str(found), "but ours alone"
        assert first.janitor("undo").code == 0
        assert len(names(first)) == 1


@needs_root
def test_a_store_whose_disk_is_away_is_told_as_that(store: Path) -> None:
    work = project(store, "first")
    with small_disk(store, "size=16m"):
        archive(work)
        archive(work, "outputs/day/other")
    verified, listed = work.said("verify"), work.said("archives")
    told = [str(work.janitor(each, RUN).said["errors"]) for each in ("restore", "archives")]
    for said in (verified, listed, *told):
        assert f"{store} is out of reach" in said
        assert "is its disk mounted?" in said
    assert "2 archives not read" in verified
    assert not {"damaged", "sound"} & {*verified.split()}
    assert "Bring one back" not in listed
    assert (work.janitor("verify").code, work.janitor("restore", RUN).code) == (3, 1)
    (store / "RESTORE.txt").touch()
    assert "damaged" in work.said("verify"), "the disk is there, and the archive isn't"


def test_a_manifest_that_names_no_workspace(store: Path) -> None:
    """An older one, or one from elsewhere: it stays (S7)."""
    work = project(store, "first")
    head = Head(RUN, "hydra-run", 1, 2, "archive")
    there = whose.Store(store, own=False)
    assert "doesn't say which workspace" in whose.objection(there, head, work.root)
    assert not whose.is_ours(there, head, work.root)
    own = whose.Store(work.root / ".janitor" / "archive", own=True)
    assert whose.objection(own, head, work.root) == ""
    assert whose.is_ours(own, None, work.root)


def test_whose_a_folder_is(tmp_path: Path) -> None:
    """By path and inode, and by what is there now."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    inode = os.stat(here).st_ino
    head = Head(RUN, "hydra-run", 1, 2, "archive", workspace=str(there), inode=1)
    assert whose.other(head, here) == str(there)
    moved = Head(RUN, "hydra-run", 1, 2, "archive", workspace=str(there), inode=inode)
    assert whose.other(moved, here) == "", "moved, and something else was put there"
    there.rmdir()
    assert whose.other(head, here) == ""
    there.symlink_to(here)
    assert whose.other(head, here) == "", "moved, and a link leads to it"
    unmounted = Head(RUN, "hydra-run", 1, 2, "archive", workspace=f"{tmp_path}/disk/work", inode=1)
    (tmp_path / "disk").mkdir()
    assert whose.other(unmounted, here) == f"{tmp_path}/disk/work", "its disk may be away"
    same = Head(RUN, "hydra-run", 1, 2, "archive", workspace=str(here), inode=1)
    store = whose.Store(tmp_path / "store", own=False)
    assert not whose.is_ours(store, same, here), "the same path in another container"


def test_a_copy_removes_no_archive_that_it_has_no_use_for(store: Path) -> None:
    """It forgets it, as the step that made it came to nothing here."""
    first = project(store, "first")
    archive(first)
    shutil.copytree(first.root, store.parent / "copy", symlinks=True)
    before = snapshot(store)
    with workplace(Small(store.parent / "copy").settings) as place:
        (found,) = place.journal.archives.all()
        disown(place, found)
        assert place.journal.archives.all() == []
    assert difference(before, snapshot(store)) == []
    with workplace(first.settings) as place:
        disown(place, found)
    assert not [*store.glob(f"*{ARCHIVE}")]
