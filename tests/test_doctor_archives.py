"""What `janitor doctor` says of archives, and that it changes nothing."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from artifact_janitor.apply.archive.store import ARCHIVE, PART
from tests.real.disks import needs_root, small_disk
from tests.real.small import FREE, Small, small
from tests.real.snapshot import difference, snapshot
from tests.test_archives import ARCHIVING, the_archive
from tests.test_doctor import RUN, doctor, repository, trouble


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one archive."""
    work = small(tmp_path_factory.mktemp("made"))
    work.hydra(30, RUN)
    assert work.janitor("archive", RUN).code == 0
    return work.root


@pytest.fixture
def work(made: Path, tmp_path: Path) -> Small:
    shutil.copytree(made, tmp_path / "project", symlinks=True)
    return Small(tmp_path / "project")


def test_none_and_one(work: Small, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (row,) = doctor(small(tmp_path / "empty"))["archives"]
    assert (row["state"], row["what"]) == ("ok", "there are none yet")
    own = snapshot(work.root / ".janitor" / "archive")
    (row,) = doctor(work)["archives"]
    assert (row["state"], row["what"][:10]) == ("ok", "1 archive,")
    assert difference(own, snapshot(work.root / ".janitor" / "archive")) == []


def test_git_clean_would_take_them(work: Small) -> None:
    with repository(work) as git:
        said = trouble(work, "archives")
        assert "git clean -fdx would remove .janitor/archive, and 1 archive with it" in said
        assert '[archive] store = "/mnt/big/archives"' in said
        store = work.root.parent / "elsewhere"
        shutil.move(work.root / ".janitor" / "archive", store)
        with closing(sqlite3.connect(work.root / ".janitor" / "journal.db")) as db, db:
            db.execute("UPDATE archive SET store = ?", (str(store).encode(),))
        work.configure(f"{FREE}\n[archive]\nstore = '{store}'\n")
        assert doctor(work)["archives"][0]["state"] == "ok"
        assert git


def test_a_policy_that_will_archive_there_is_reason_enough(tmp_path: Path) -> None:
    work = small(tmp_path, ARCHIVING)
    with repository(work):
        assert "git clean -fdx would remove .janitor/archive →" in trouble(work, "archives")
        work.configure(f"{ARCHIVING}\n[archive]\nstore = '/nowhere/at/all'\n")
        assert "out of reach" in trouble(work, "archives")


@needs_root
def test_a_store_whose_disk_is_not_mounted(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    store = tmp_path / "disk"
    work = small(tmp_path / "project", f"{FREE}\n[archive]\nstore = '{store}'\n")
    work.hydra(30, RUN)
    with small_disk(store, "size=16m"):
        assert work.janitor("archive", RUN).code == 0
        assert "on tmpfs" in doctor(work)["archives"][0]["what"]
    said = trouble(work, "archives")
    assert "is its disk mounted?" in said
    assert f"can't be read: 1 archive, {RUN}" in said
    store.rmdir()
    assert "out of reach" in trouble(work, "archives")


def test_what_is_missing_strange_or_half(work: Small) -> None:
    whole = the_archive(work)
    whole.with_name(f"left{ARCHIVE}{PART}").write_bytes(b"x")
    assert f"nobody's: 1 file, left{ARCHIVE}{PART}" in trouble(work, "archives")
    whole.with_name(f"left{ARCHIVE}{PART}").unlink()
    whole.rename(whole.with_name(f"other{ARCHIVE}"))
    said = trouble(work, "archives")
    assert "can't be read: 2 archives, other" in said
    assert "unknown to the journal: 1 archive, other" in said


def test_an_archive_that_was_not_read_for_long(work: Small) -> None:
    with closing(sqlite3.connect(work.root / ".janitor" / "journal.db")) as db, db:
        db.execute("UPDATE archive SET checked = ?", (time.time_ns() - 100 * 86_400 * 10**9,))
    said = trouble(work, "archives")
    assert "not read for long: 1 archive" in said
    assert "for 100 days → janitor verify" in said
    assert work.janitor("verify").code == 0
    assert doctor(work)["archives"][0]["state"] == "ok"
