"""On a disk without a byte or an inode left the janitor reads, trashes, purges and undoes."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest

from artifact_janitor import journal, reserve
from artifact_janitor.state import MAKE_ROOM, State
from tests.real.git_repo import repo
from tests.real.small import FREE, PURGING, Small, done, small, still
from tests.real.snapshot import Snapshot, difference, snapshot
from tests.test_filesystems import mounted, needs_root

pytestmark = needs_root

FULL = (
    "both",
    pytest.param("bytes", marks=pytest.mark.proof),
    pytest.param("inodes", marks=pytest.mark.proof),
)
READING = (["plan"], ["status"], ["history"], ["du"], ["doctor"])


@pytest.fixture(params=["tmpfs", pytest.param("ext4", marks=pytest.mark.proof)])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A filesystem of its own, with room for a reserve."""
    how = ["-t", "tmpfs", "-o", "size=80m,nr_inodes=5000", "none"]
    if request.param == "ext4":
        image = tmp_path / "image"
        image.touch()
        os.truncate(image, 90 << 20)
        make = ["mkfs.ext4", "-q", "-m", "0", "-N", "5000", "-O", "^has_journal", str(image)]
        if not shutil.which(make[0]) or subprocess.run(make, check=False).returncode:
            pytest.skip("no mkfs.ext4 here")
        how = ["-o", "loop", str(image)]
    with mounted(tmp_path / "disk", *how) as place:
        yield place


@pytest.fixture
def work(disk: Path) -> Small:
    """With two old runs, and one in the trash: the reserve was made with the first sweep."""
    found = small(disk)
    found.hydra(40, "outputs/first/run")
    assert found.janitor("run", "--yes").code == 0
    assert reserve.is_there(disk / ".janitor")
    for day in ("a", "b"):
        found.hydra(30, f"outputs/{day}/run")
    return found


def fill(place: Path, what: str = "both") -> None:
    """To the last byte, to the last inode, or both."""
    if what != "bytes":
        names = place / "names"
        names.mkdir(exist_ok=True)
        with suppress(OSError):
            for number in range(len(os.listdir(names)), 10_000):
                os.mknod(f"{names}/{number}")
    if what != "inodes":
        filler = place / ("names/0" if what == "both" else "filler")
        with filler.open("ab") as file:
            for size in (1 << 20, 4096, 1):
                with suppress(OSError):
                    while True:
                        os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, size)


def free(place: Path, size: int) -> None:
    """So many bytes of what was filled."""
    os.truncate(place / "filler", (place / "filler").stat().st_size - size)


def make_room(place: Path) -> None:
    (place / "filler").unlink(missing_ok=True)
    shutil.rmtree(place / "names", ignore_errors=True)


def seen(place: Path) -> Snapshot:
    """All that is there, the janitor's own folder too, but for what fills the disk."""
    fillers, own = (b"names", b"filler"), place / ".janitor"
    inside = snapshot(own) if own.exists() else {}
    found = snapshot(place) | {b".janitor/" + path: mark for path, mark in inside.items()}
    return {path: mark for path, mark in found.items() if not path.startswith(fillers)}


# ------------------------------------------------------------ reading


def test_a_gitignore_that_can_not_be_proven_keeps_nothing_from_going(disk: Path) -> None:
    """There is no room to lay out what Git is asked about."""
    work = repo(disk, FREE)
    run = work.hydra(30, "outputs/a/run")
    assert work.janitor("run", "--yes", "--only", "log").code == 0
    for what in ("bytes", "inodes"):
        fill(disk, what)
        (refused,) = work.janitor("plan").facts["refused"]
        assert refused["code"] == "gitignore"
        assert "No space left" in refused["message"]
    assert done(work.janitor("run", "--yes")) == {run}


@pytest.mark.parametrize("what", FULL)
def test_reading_works_and_changes_nothing(work: Small, what: str) -> None:
    fill(work.root, what)
    before = seen(work.root)
    for command in (*READING, ["why", "outputs/a/run"]):
        found = work.janitor(*command)
        assert (found.code, found.said["errors"]) == (0, []), found
    assert {row["path"] for row in work.janitor("plan").rows("steps")} == {
        "outputs/a/run",
        "outputs/b/run",
    }
    assert [each["command"] for each in work.janitor("history").facts["sweeps"]] == ["run"]
    assert difference(before, seen(work.root)) == []


@pytest.mark.parametrize("size", [20_000, 500_000])
def test_looking_takes_nothing_of_the_last_room(work: Small, size: int) -> None:
    fill(work.root, "bytes")
    free(work.root, size)
    before = seen(work.root)
    assert len(work.janitor("plan").rows("steps")) == 2
    assert difference(before, seen(work.root)) == []


def test_a_log_that_a_killed_janitor_left_is_read(work: Small) -> None:
    """What is in the log only is in no other file; and nothing is written beside it."""
    file = work.root / ".janitor/journal.db"
    aside = work.root.parent / "aside"
    aside.mkdir()
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("INSERT INTO pin VALUES (?, 'only in the log', 0)", (b"outputs/a/run",))
        for name in ("journal.db", "journal.db-wal"):
            shutil.copy(file.with_name(name), aside / name)
    for name in ("journal.db", "journal.db-wal"):
        shutil.copy(aside / name, file.with_name(name))
    fill(work.root)
    before = seen(work.root)
    assert [row["path"] for row in work.janitor("plan").rows("steps")] == ["outputs/b/run"]
    assert difference(before, seen(work.root)) == []


def test_a_log_on_a_read_only_disk_is_read(work: Small) -> None:
    file = work.root / ".janitor/journal.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("INSERT INTO pin VALUES (?, 'only in the log', 0)", (b"outputs/a/run",))
        os.link(file.with_name("journal.db-wal"), work.root / "kept")
        kept = (work.root / "kept").read_bytes()
        content = file.read_bytes()
    file.write_bytes(content)
    file.with_name("journal.db-wal").write_bytes(kept)
    subprocess.run(["mount", "-o", "remount,ro", str(work.root)], check=True)
    try:
        assert [row["path"] for row in work.janitor("plan").rows("steps")] == ["outputs/b/run"]
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(work.root)], check=True)


def test_where_nobody_can_ask_for_room_it_is_read_all_the_same(work: Small) -> None:
    """As with a quota: there is room, and yet SQLite can't make its files."""
    limit = (16_384, 16_384)
    first = partial(resource.setrlimit, resource.RLIMIT_FSIZE, limit)
    found = work.janitor("history", first=first)
    assert [each["command"] for each in found.facts["sweeps"]] == ["run"], found


# ------------------------------------------------------------ changing


@pytest.mark.parametrize("what", FULL)
def test_a_run_trashes_and_the_next_one_purges(work: Small, what: str) -> None:
    fill(work.root, what)
    assert done(work.janitor("run", "--yes")) == {"outputs/a/run", "outputs/b/run"}
    assert not work.there("outputs/a/run")
    fill(work.root, what)  # somebody else takes what is left, the last byte of the sweep's room
    (work.root / "config.toml").unlink()
    work.configure(PURGING)
    before = os.statvfs(work.root)
    found = work.janitor("run", "--yes")
    assert (found.code, len(done(found))) == (0, 3), found
    after = os.statvfs(work.root)
    assert after.f_bfree > before.f_bfree
    assert after.f_ffree > before.f_ffree
    assert work.trash() + work.leftovers() == []


@pytest.mark.parametrize("what", FULL)
def test_an_undo_brings_it_back(work: Small, what: str) -> None:
    before = still(seen(work.root / "outputs"))
    work.janitor("run", "--yes")
    fill(work.root, what)
    assert work.janitor("undo").code == 0
    assert work.there("outputs/a/run", "outputs/b/run")
    assert difference(before, still(seen(work.root / "outputs"))) == []
    assert len(work.janitor("status").facts["pins"]) == 2
    assert work.leftovers() == []


MOMENTS = ("begin", "intend", "settle", "end")


def killed_after(work: Small, moment: str) -> None:
    """A run on a full disk that gets no further than what it wrote down then."""
    real = getattr(journal.Journal, moment)

    def dies(self: journal.Journal, *args: object, **how: object) -> None:
        real(self, *args, **how)
        os.kill(os.getpid(), signal.SIGKILL)

    fill(work.root)
    running = work.start("run", "--yes", first=lambda: setattr(journal.Journal, moment, dies))
    assert running.wait() == -signal.SIGKILL
    before = seen(work.root)
    assert work.janitor("status").code == 0
    assert difference(before, seen(work.root)) == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_janitor_that_is_killed_is_followed_by_one_that_recovers(
    work: Small, moment: str
) -> None:
    before = still(seen(work.root / "outputs"))
    killed_after(work, moment)
    found = work.janitor("run", "--yes")
    assert found.code == 0, found
    assert not any(map(work.there, ("outputs/a/run", "outputs/b/run")))
    make_room(work.root)
    assert work.janitor("undo", "--last", "2").code == 0
    assert still(seen(work.root / "outputs")).items() >= before.items()
    assert work.leftovers() == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_it_gave_up_may_be_gone_to_others(work: Small, moment: str) -> None:
    """What is left of the reserve is for the purge, which makes room for the rest."""
    killed_after(work, moment)
    fill(work.root)
    assert work.janitor("run", "--yes").code == 0
    fill(work.root)
    (work.root / "config.toml").unlink()
    work.configure(PURGING)
    for _ in range(2):
        found = work.janitor("run", "--yes")
        assert found.code == 0, found
    assert not any(map(work.there, ("outputs/a/run", "outputs/b/run")))
    assert work.trash() + work.leftovers() == []


def test_the_log_stays_small(work: Small) -> None:
    """What was brought into the journal is overwritten, as long as the disk is full."""
    for number in range(40):
        work.hydra(30, f"outputs/day/run{number}")
    killed_after(work, "end")
    assert (work.root / ".janitor/journal.db-wal").stat().st_size < 450_000


def test_a_large_plan_leaves_room_for_the_purge(disk: Path) -> None:
    """More units than the reserve has room for, each on a day of its own."""
    work = small(disk)
    work.hydra(40, "outputs/first/run")
    work.janitor("run", "--yes")
    for number in range(120):
        work.hydra(30, f"outputs/day{number}/run")
    fill(disk)
    went, held = [], False
    for _ in range(40):
        found = work.janitor("run", "--yes")
        assert found.code == 0, found
        went.append(len(done(found)))
        if not (disk / "outputs").exists() or not list(disk.glob("outputs/day*/run")):
            break
        held = held or any("the disk is full" in row.get("why", "") for row in found.rows("steps"))
        work.root.joinpath("config.toml").unlink(missing_ok=True)
        work.configure(PURGING)
    assert held
    assert not list(disk.glob("outputs/day*/run")), went


# ------------------------------------------------------------ the reserve


def test_it_is_made_where_there_is_plenty_of_room_and_put_back(work: Small) -> None:
    folder = work.root / ".janitor/reserve"
    assert len(list(folder.iterdir())) == reserve.FILES
    assert sum(each.stat().st_blocks for each in folder.iterdir()) * 512 >= reserve.SIZE
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    fill(work.root)
    shutil.rmtree(folder)
    fill(work.root)
    assert work.janitor("pin", "outputs/a/run").said["errors"][0]["hint"] == MAKE_ROOM
    assert not folder.exists()
    make_room(work.root)
    work.janitor("pin", "outputs/a/run")
    work.janitor("unpin", "outputs/a/run")
    assert len(list(folder.iterdir())) == reserve.FILES


def test_what_was_not_needed_is_taken_back(work: Small) -> None:
    """Or others on the same disk would have it, and the next sweep would stand there."""
    fill(work.root)
    assert work.janitor("run", "--yes").code == 0
    assert len(list((work.root / ".janitor/reserve").iterdir())) > reserve.FILES * 3 // 4


def test_none_is_made_where_room_is_scarce(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=16m", "none") as disk:
        work = small(disk)
        work.hydra(30)
        assert work.janitor("run", "--yes").code == 0
        assert not (disk / ".janitor/reserve").exists()
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "nr_inodes=1000", "none") as disk:
        work = small(disk)
        work.hydra(30)
        assert work.janitor("run", "--yes").code == 0
        assert not (disk / ".janitor/reserve").exists()


@pytest.mark.parametrize("what", FULL)
def test_the_first_run_of_all_says_how_much_room_it_needs(disk: Path, what: str) -> None:
    work = small(disk)
    run = work.hydra(30)
    fill(disk, what)
    for _ in range(2):
        found = work.janitor("run", "--yes")
        assert (found.code, found.said["errors"][0]["hint"]) == (1, MAKE_ROOM), found
        assert [row["path"] for row in work.janitor("plan").rows("steps")] == [run]
        told = [row["what"] for row in work.janitor("doctor").facts["checks"]]
        assert any("no reserve" in each for each in told)
    make_room(disk)
    assert done(work.janitor("run", "--yes")) == {run}
    assert work.janitor("undo").code == 0
    assert work.leftovers() == []


def test_a_little_room_is_enough_for_the_first_run_of_all(disk: Path) -> None:
    """Nothing is in the trash yet, so that nothing waits for it to be purged."""
    work = small(disk)
    run = work.hydra(30)
    fill(disk, "bytes")
    free(disk, 700_000)
    assert done(work.janitor("run", "--yes")) == {run}


def test_doctor_says_nothing_of_a_reserve_that_is_there(work: Small) -> None:
    fill(work.root)
    told = [row["what"] for row in work.janitor("doctor").facts["checks"]]
    assert not any("reserve" in each for each in told)


def test_a_link_in_its_place_is_not_followed(work: Small, tmp_path: Path) -> None:
    folder, outside = work.root / ".janitor/reserve", tmp_path / "outside"
    shutil.rmtree(folder)
    outside.mkdir()
    (outside / "00").write_text("mine\n")
    folder.symlink_to(outside)
    assert work.janitor("run", "--yes").code == 0
    fill(work.root)
    work.janitor("run", "--yes")
    assert [each.name for each in outside.iterdir()] == ["00"]
    assert (outside / "00").read_text() == "mine\n"


def test_what_somebody_else_put_there_stays(work: Small) -> None:
    strange = work.root / ".janitor/reserve/notes.txt"
    strange.write_text("mine\n")
    fill(work.root)
    assert work.janitor("run", "--yes").code == 0
    assert strange.read_text() == "mine\n"


def test_a_reserve_that_was_half_made_is_finished(work: Small) -> None:
    names = sorted((work.root / ".janitor/reserve").iterdir())
    for each in names[10:]:
        each.unlink()
    work.janitor("pin", "outputs/a/run")
    assert sorted((work.root / ".janitor/reserve").iterdir()) == names


def test_it_belongs_to_the_owner_of_the_workspace(disk: Path) -> None:
    os.chown(disk, 65_534, 65_534)
    work = small(disk)
    work.hydra(30)
    work.janitor("run", "--yes")
    folder = disk / ".janitor/reserve"
    assert {each.stat().st_uid for each in (folder, *folder.iterdir())} == {65_534}


def test_looking_never_gives_it_up(work: Small) -> None:
    fill(work.root)
    work.janitor("plan")
    assert reserve.is_there(State(work.root).folder)
    assert FREE in (work.root / "config.toml").read_text()
