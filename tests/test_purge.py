"""What a purge of the trash asks: what stands for a unit must stand (S9), and what lies there
must be what went there (S11), in a workspace with real runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from artifact_janitor import standing
from artifact_janitor.apply.archive.store import ARCHIVE, IN_ORDER, MANIFEST
from artifact_janitor.core.model import Trashed
from artifact_janitor.units import DAY
from artifact_janitor.workplace import Workplace
from tests.real.command import Answer
from tests.real.small import FREE, PURGING, Small, done, small, why
from tests.test_archives import flip
from tests.test_expire import EXPIRING, long_ago

PURGE = (("JANITOR_SAFETY__TRASH_KEEP", "0s"),)
ARCHIVING = """
[[policy]]
kind = "hydra-run"
keep_within = "7d"
then = "archive"
[safety]
max_share = 1.0
"""
COMPRESSING = """
[[policy]]
kind = "log"
keep_within = "7d"
expire = "60d"
then = "compress"
[safety]
max_share = 1.0
"""


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path, ARCHIVING)


def purge(work: Small, command: str = "run") -> Answer:
    yes = ("--yes",) if command == "run" else ()
    return work.janitor(command, *yes, env=PURGE)


def outcomes(answer: Answer) -> dict[str, str]:
    """By the name of the unit, which is the last of its path."""
    rows = answer.rows("steps")
    return {row["path"].rpartition("/")[2]: row["outcome"] for row in rows}


def kept(answer: Answer) -> dict[str, str]:
    """What stays in the trash, by name, and why."""
    rows = (row for row in answer.rows("kept") if "/trash/" in row["path"])
    return {row["path"].rpartition("/")[2]: row["reasons"][0] for row in rows}


def archives(work: Small, store: str = ".janitor/archive") -> dict[str, Path]:
    """Of each unit, by name, the archive without what its files end with."""
    every = work.journal().archives.all()
    return {each.path.rpartition("/")[2]: work.root / store / each.name for each in every}


def file(archive: Path, end: str = ARCHIVE) -> Path:
    return archive.with_name(archive.name + end)


def archived(work: Small, *names: str) -> dict[str, Path]:
    for name in names:
        work.hydra(30, f"outputs/day/{name}")
    assert work.janitor("run", "--yes").code == 0
    return archives(work)


# ------------------------------------------------------------------ archives


def test_a_source_stays_in_the_trash_as_long_as_its_archive_is_not_whole(work: Small) -> None:
    there = archived(work, "whole", "touched", "flipped", "short", "gone", "bare")
    os.utime(file(there["touched"]))
    flip(file(there["flipped"]), 500)
    os.truncate(file(there["short"]), 500)
    for end in IN_ORDER:
        file(there["gone"], end).unlink()
    file(there["bare"], MANIFEST).unlink()
    plan = purge(work, "plan")
    assert {row["path"].rpartition("/")[2] for row in plan.rows("steps")} == {
        "whole",
        "touched",
        "flipped",  # nobody has read it since
    }
    assert set(kept(plan)) == {"short", "gone", "bare"}
    assert "is missing from .janitor/archive: this is the only whole copy" in kept(plan)["gone"]
    run = purge(work)
    assert outcomes(run) == {"whole": "done", "touched": "done", "flipped": "skipped"}
    (row,) = (row for row in run.rows("steps") if row["outcome"] == "skipped")
    assert "is not whole" in row["why"]
    back = row["why"].partition("; janitor ")[2].removesuffix(" brings it back").split()
    assert set(kept(purge(work, "plan"))) == {"short", "gone", "bare", "flipped"}
    assert outcomes(purge(work)) == {}
    assert work.janitor(*back).code == 0
    assert work.there("outputs/day/flipped/train.log")
    assert not work.there("outputs/day/short")
    assert work.janitor("undo", back[1].partition(".")[0]).code == 0  # two out of their archives
    assert work.there(*(f"outputs/day/{name}/train.log" for name in there))


def test_an_archive_that_was_mended_lets_its_source_go(work: Small) -> None:
    there = archived(work, "a")
    copy = shutil.copy2(file(there["a"]), work.root / "copy")
    flip(file(there["a"]), 500)
    assert outcomes(purge(work)) == {"a": "skipped"}
    os.replace(copy, file(there["a"]))
    assert outcomes(purge(work)) == {"a": "done"}


def test_what_verify_found_is_known_whatever_the_dates_say(work: Small) -> None:
    """A disk that loses bits changes no date: as if the archive had been read after that."""
    there = archived(work, "a", "b")
    flip(file(there["a"]), 500)
    for each in work.journal().archives.all():
        work.journal().archives.checked(each.step, time.time_ns() + DAY)
    assert work.janitor("verify").code == 3
    assert outcomes(purge(work)) == {"a": "skipped", "b": "done"}
    assert work.trash() != []


def test_a_store_that_is_away_keeps_the_sources(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = tmp_path_factory.mktemp("disk") / "store"
    store.mkdir()
    work.configure(f'{ARCHIVING}\n[archive]\nstore = "{store}"\n')
    archived(work, "a")
    away = store.rename(store.with_name("away"))
    store.mkdir()  # the mount point
    assert outcomes(purge(work)) == {}
    assert f"is missing from {store}" in kept(purge(work, "plan"))["a"]
    store.rmdir()
    away.rename(store)
    assert outcomes(purge(work)) == {"a": "done"}


def test_an_archive_that_expired_keeps_nothing(work: Small) -> None:
    """Its policy let go of both."""
    work.configure(EXPIRING)
    run = work.hydra(600, "outputs/day/a")
    assert work.janitor("archive", run, first=long_ago(400)).code == 0
    (source,) = work.journal().trashed()
    keep = (("JANITOR_SAFETY__TRASH_KEEP", "900d"),)
    assert len(done(work.janitor("run", "--yes", env=keep))) == 1
    assert len(work.journal().trashed()) == 2
    assert set(outcomes(purge(work)).values()) == {"done"}
    assert (work.trash(), source.path) == ([], run)


def test_an_archive_that_is_hit_in_mid_purge_counts(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = archived(work, "a")
    work.configure(f'{ARCHIVING}trash_keep = "0s"\n')
    look, asked = work.look(), standing.proven

    def then_hit(place: Workplace, trashed: Trashed, stop: object) -> object:
        found = asked(place, trashed, lambda: False)
        flip(file(there["a"]), 500)
        return found

    monkeypatch.setattr(standing, "proven", then_hit)
    (outcome,) = work.run(look).outcomes
    assert (outcome.outcome, "changed just now" in outcome.why) == ("skipped", True)
    assert work.trash() != []


# ------------------------------------------------------------------ logs


def test_a_log_stays_in_the_trash_as_long_as_its_compressed_form_is_not_whole(
    work: Small,
) -> None:
    work.configure(COMPRESSING)
    names = ("whole", "copied", "short", "gone", "other", "expired")
    for name in names:
        work.write(f"logs/{name}.log", f"step {name}\n" * 4000, days=30)
    assert done(work.janitor("run", "--yes")) != set()
    packed = {name: work.root / f"logs/{name}.log.zst" for name in names}
    os.replace(shutil.copy2(packed["copied"], work.root / "copy"), packed["copied"])
    os.truncate(packed["short"], 50)
    packed["gone"].unlink()
    shutil.copyfile(packed["whole"], packed["other"])
    old = time.time() - 90 * 86_400
    os.utime(packed["expired"], (old, old))
    assert done(work.janitor("run", "--yes")) == {"logs/expired.log.zst"}
    assert set(kept(purge(work, "plan"))) == {"short.log", "gone.log"}
    run = purge(work)
    assert outcomes(run) == {
        "whole.log": "done",
        "copied.log": "done",
        "other.log": "skipped",
        "expired.log": "done",
        "expired.log.zst": "done",
    }
    assert set(kept(purge(work, "plan"))) == {"short.log", "gone.log", "other.log"}
    assert {name.rpartition("/")[2] for name in work.trash()} == set(kept(purge(work, "plan")))


# ------------------------------------------------------------------ copies


def copied(work: Small, to: Path, *how: str) -> Small:
    subprocess.run(["cp", *how, work.root, to], check=True)
    return Small(to)


def test_a_workspace_on_another_disk_purges_its_trash(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """All inodes are others there: names, sizes and times are not."""
    work.configure(FREE)
    work.hydra(30, "outputs/day/a")
    work.write("logs/old.log", days=30)
    assert len(done(work.janitor("run", "--yes"))) == 2
    place = tmp_path_factory.mktemp("elsewhere")
    there = copied(work, place / "faithful", "-a")
    (log,) = there.root.glob(".janitor/trash/**/train.log")
    before = log.stat()
    log.write_text("x" * before.st_size)
    os.utime(log, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert outcomes(purge(there)) == {"a": "skipped", "old.log": "done"}
    os.utime(log, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert outcomes(purge(there)) == {}  # it was said, and who may tell what it is
    assert outcomes(purge(copied(work, place / "again", "-a"))) == {"a": "done", "old.log": "done"}


def test_what_a_copy_changed_stays_is_told_and_comes_back(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without its times nobody can tell a copy from something else."""
    work.configure(FREE)
    run = work.hydra(30, "outputs/day/a")
    assert done(work.janitor("run", "--yes")) == {run}
    there = copied(work, tmp_path_factory.mktemp("elsewhere") / "new", "-r")
    assert "changed in the trash: janitor undo" in why(
        purge(there), there.journal().trashed()[0].trash
    )
    there.configure(f'{PURGING}\n[disk]\nkeep_free = "100PB"\npurge_early = true\n')
    plan = there.janitor("plan")
    assert plan.rows("steps") == []
    assert "changed in the trash" in kept(plan)["a"]
    assert [row["trash"] for row in plan.said["data"]["disk"]] == [0]
    assert "1 can't be: janitor plan" in there.said("status")
    assert there.janitor("undo").code == 0
    assert there.there(f"{run}/train.log")


def test_an_inode_that_was_exchanged_in_the_trash_is_seen(work: Small) -> None:
    """Where the unit itself is the one that went there, nobody copied all of it."""
    work.configure(FREE)
    work.hydra(30, "outputs/day/a")
    work.janitor("run", "--yes")
    (log,) = work.root.glob(".janitor/trash/**/train.log")
    os.replace(shutil.copy2(log, work.root / "copy"), log)
    assert outcomes(purge(work)) == {"a": "skipped"}


# ------------------------------------------------------------------ models


def test_a_model_whose_copies_are_gone_since_stays_in_the_trash(work: Small) -> None:
    work.configure(FREE)
    work.training(30, "training/runs/a")
    work.training(2, "training/runs/f")
    assert "training/runs/a" in done(work.janitor("run", "--yes"))
    kept_elsewhere = shutil.move(work.root / "training/runs/f", work.root.parent / "f")
    assert kept(work.janitor("plan")) == {}, "nobody asks before it is due"
    said = "holds the only copy of a best or final model: the others are gone since"
    assert (kept(purge(work, "plan")), outcomes(purge(work))) == ({"a": said}, {})
    shutil.move(kept_elsewhere, work.root / "training/runs/f")
    assert kept(purge(work, "plan")) == {}
    work.janitor("archive", "training/runs/f")
    assert kept(purge(work, "plan")) == {}, "an archive holds it, too"
    assert outcomes(purge(work)) == {"a": "done", "f": "done"}
