"""Where archives go: another disk, a full one, one that is away; and what happens meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from artifact_janitor import sweep
from artifact_janitor.apply.archive import store
from artifact_janitor.apply.archive.store import ARCHIVE, PART
from artifact_janitor.execution import Options
from artifact_janitor.outcome import GIVEN_UP
from artifact_janitor.state import State
from tests.real.disks import needs_root, small_disk
from tests.real.small import FREE, Small, small
from tests.real.snapshot import difference, snapshot
from tests.test_archives import ARCHIVING, said, the_archive

RUN = "outputs/day/run"


@pytest.fixture
def work(tmp_path: Path) -> Small:
    (tmp_path / "project").mkdir()
    return small(tmp_path / "project")


def stored(work: Small, store: Path, more: str = "") -> Path:
    work.configure(f"{more or FREE}\n[archive]\nstore = '{store}'\n")
    return store


def is_untouched(work: Small, store: Path, before: dict[bytes, object]) -> None:
    """The run is what it was, and nothing half is anywhere."""
    assert difference(before, snapshot(work.root / RUN)) == []  # type: ignore[arg-type]
    assert [name for name in os.listdir(store) if name != "RESTORE.txt"] == []
    assert work.trash() == []
    assert work.journal().archives.all() == []


# ------------------------------------------------------------ the store


@needs_root
def test_archives_may_lie_on_another_disk(work: Small) -> None:
    store = work.root.parent / "big disk"
    with small_disk(store, "size=16m"):
        stored(work, store)
        run = work.hydra(30, RUN)
        assert work.janitor("archive", run).code == 0
        assert the_archive(work, str(store)).exists()
        assert not (work.root / ".janitor" / "archive").exists()
        work.configure(FREE)
        assert work.janitor("restore", run).code == 0, "the index knows where it is"
    assert [bool(row["trouble"]) for row in work.janitor("archives").rows("archives")] == [True]


@needs_root
@pytest.mark.parametrize("how", ["size=64k", "nr_inodes=2", "size=1m"])
def test_a_full_store_leaves_the_source(work: Small, how: str) -> None:
    run = work.hydra(30, RUN)
    noise = work.root / run / "noise.bin"
    noise.write_bytes(os.urandom(4 << 20))
    os.utime(noise, (1_700_000_000, 1_700_000_000))
    before = snapshot(work.root / run)
    store = work.root.parent / "small disk"
    with small_disk(store, how):
        stored(work, store)
        answer = work.janitor("archive", run)
        assert answer.code == 3
        is_untouched(work, store, before)


def test_a_store_that_is_missing_is_told(work: Small) -> None:
    run = work.hydra(30, RUN)
    stored(work, Path("/nowhere/at/all"))
    answer = work.janitor("archive", run)
    assert answer.code == 3
    assert "out of reach" in answer.said["errors"][0]["message"]
    assert work.there(run)


@needs_root
def test_a_disk_that_is_not_mounted_is_not_taken_for_an_empty_store(work: Small) -> None:
    """Its folder is there all the same: the archives would fill the disk below it."""
    store = stored(work, work.root.parent / "big disk")
    first, second = work.hydra(30, "outputs/day/a"), work.hydra(30, RUN)
    with small_disk(store, "size=16m"):
        assert work.janitor("archive", first).code == 0
        shutil.copytree(store, work.root.parent / "copy")
    before = snapshot(work.root / second)
    assert "is its disk mounted?" in said(work, "archive", second)
    assert os.listdir(store) == [], "nothing was written where the disk belongs"
    assert difference(before, snapshot(work.root / second)) == []
    assert work.janitor("restore", first).code == 1
    with small_disk(store, "size=16m"):
        assert "RESTORE.txt" in said(work, "archive", second), "another disk at its place"
        (store / "RESTORE.txt").touch()
        assert work.janitor("archive", second).code == 0, "a person says that it is a new one"
    shutil.copytree(work.root.parent / "copy", store, dirs_exist_ok=True)
    assert work.janitor("restore", first).code == 0


@needs_root
@pytest.mark.parametrize("used", [False, True])
def test_a_store_that_is_read_only(work: Small, used: bool) -> None:
    store = stored(work, work.root.parent / "disk")
    run = work.hydra(30, RUN)
    before = snapshot(work.root / run)
    with small_disk(store, "size=16m"):
        if used:
            (store / "RESTORE.txt").touch()
        subprocess.run(["mount", "-o", "remount,ro", str(store)], check=True)
        answer = work.janitor("archive", run)
        assert answer.code == 3
        assert "Read-only file system" in answer.said["errors"][0]["message"]
        is_untouched(work, store, before)


@needs_root
def test_a_store_that_nobody_may_read_is_told(work: Small) -> None:
    store = stored(work, work.root.parent / "disk")
    store.write_text("no folder\n")
    assert "out of reach" in said(work, "archives")


@needs_root
@pytest.mark.parametrize("with_trash", [False, True])
def test_a_disk_that_is_full_leaves_the_run(tmp_path: Path, with_trash: bool) -> None:
    """To the last byte, with the store on it. What is in the trash goes first."""
    with small_disk(tmp_path / "disk", "size=24m"):
        work = small(tmp_path / "disk")
        if with_trash:
            work.hydra(40, "outputs/first/run")
            assert work.janitor("run", "--yes").code == 0
        work.configure(ARCHIVING)
        work.hydra(30, RUN)
        work.janitor("plan")
        work.journal().close()
        before, trash = snapshot(work.root / RUN), work.trash()
        with (work.root / "filler").open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        answer = work.janitor("run", "--yes")
        assert answer.code in (0, 1, 3), answer
        assert not [row for row in answer.rows("steps") if row["outcome"] == "done"]
        assert difference(before, snapshot(work.root / RUN)) == []
        assert work.trash() == trash
        own = work.root / ".janitor" / "archive"
        assert not own.exists() or {*os.listdir(own)} <= {"RESTORE.txt"}
        (work.root / "filler").unlink()
        assert work.janitor("run", "--yes").code == 0
        assert not work.there(RUN)
        assert work.janitor("verify").code == 0


# ------------------------------------------------------------ meanwhile


def during(work: Small, what: str, then: Callable[[], object]) -> tuple[str, str]:
    """The outcome of the one step of a sweep in which this happened meanwhile."""
    seen: list[str] = []

    def tick(doing: str, _done: int, _total: int) -> None:
        if doing == what and what not in seen:
            then()
        seen.append(doing)

    (outcome,) = sweep.run(work.settings, work.look(), Options(), (), tick).outcomes
    assert what in seen
    return outcome.outcome, outcome.why


@pytest.mark.parametrize("when", ["reading back", "at its end"])
def test_two_janitors_that_archive_at_once_make_one_archive(
    work: Small, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second begins when the first is at it, and is faster. As long as the first one reads
    the run, the second takes it for live."""
    work.configure(ARCHIVING)
    run = work.hydra(30, RUN)
    before, real, first = snapshot(work.root / run), store.place, os.getpid()

    def second() -> None:
        assert work.janitor("archive", run, "--urgent").code == 0

    def place(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        if os.getpid() == first:
            second()

    if when == "at its end":
        monkeypatch.setattr(store, "place", place)
    assert during(work, "reading back", second if when == "reading back" else int)[0] == "skipped"
    assert len(work.janitor("archives").rows("archives")) == 1
    assert work.janitor("verify").code == 0
    assert work.janitor("undo", "--last", "9").code == 0
    assert difference(before, snapshot(work.root / run)) == []


@pytest.fixture
def held() -> Iterator[Callable[[Path], None]]:
    """Opens a file for writing, in another process, and changes nothing."""
    every: list[subprocess.Popen[bytes]] = []

    def hold(path: Path) -> None:
        line = f"exec 3>>'{path}'; echo; exec sleep 60"
        every.append(subprocess.Popen(["sh", "-c", line], stdout=subprocess.PIPE))
        assert every[-1].stdout is not None
        every[-1].stdout.readline()

    yield hold
    for each in every:
        each.kill()
        each.wait()


@pytest.mark.parametrize("what", ["archiving", "reading back"])
def test_a_run_that_comes_to_life_meanwhile_stays(
    work: Small, what: str, held: Callable[[Path], None]
) -> None:
    work.configure(ARCHIVING)
    run = work.hydra(30, RUN)
    before = snapshot(work.root / run)
    outcome, why = during(work, what, lambda: held(work.root / run / "train.log"))
    assert outcome == "skipped"
    assert "train.log is open for writing" in why or "has it open" in why
    is_untouched(work, work.root / ".janitor" / "archive", before)


@pytest.mark.parametrize("what", ["archiving", "reading back"])
def test_a_run_that_is_written_to_meanwhile_stays(work: Small, what: str) -> None:
    work.configure(ARCHIVING)
    run = work.hydra(30, RUN)

    def write() -> None:
        with (work.root / run / "train.log").open("a") as file:
            file.write("more\n")

    assert during(work, what, write)[0] == "skipped"
    assert (work.root / run / "train.log").read_text().endswith("more\n")
    is_untouched(work, work.root / ".janitor" / "archive", snapshot(work.root / run))


def test_a_run_that_is_exchanged_for_a_link_meanwhile(work: Small) -> None:
    """Neither what it leads to nor the link is touched, and the archive goes."""
    work.configure(ARCHIVING)
    run, other = work.root / work.hydra(30, RUN), work.root.parent / "other"

    def exchange() -> None:
        run.rename(other)
        run.symlink_to(other)

    assert during(work, "reading back", exchange)[0] == "skipped"
    assert run.is_symlink()
    assert (other / "train.log").exists()
    assert not list((work.root / ".janitor" / "archive").glob(f"*{ARCHIVE}"))


def slowly() -> None:
    """A disk that takes two megabytes a second."""
    real = store.ahead

    def ahead(chunks: Iterable[bytes]) -> Iterator[bytes]:
        for each in real(chunks):
            time.sleep(0.5)
            yield each

    store.ahead = ahead  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_interrupts_twice_gets_nothing_half(work: Small, number: signal.Signals) -> None:
    """At once the second time. What SIGTERM leaves, the next janitor removes."""
    run = work.hydra(30, RUN)
    noise = work.root / run / "noise.bin"
    noise.write_bytes(os.urandom(12 << 20))
    os.utime(noise, (1_700_000_000, 1_700_000_000))
    before = snapshot(work.root / run)
    running = work.start("archive", run, first=slowly)
    while not (begun := [*(work.root / ".janitor").glob(f"archive/*{ARCHIVE}{PART}")]):
        time.sleep(0.005)
    while not begun[0].stat().st_size:
        time.sleep(0.005)
    for _ in range(2):
        os.kill(running.pid, number)
        time.sleep(1.2)  # the second is another one only once the first was heard
    assert running.wait() == (1 if number == signal.SIGINT else -number)
    if number == signal.SIGINT:
        assert os.listdir(work.root / ".janitor" / "archive") == ["RESTORE.txt"]
    sweep.mend(work.settings)
    is_untouched(work, work.root / ".janitor" / "archive", before)
    assert State(work.root).held() == []


def test_an_interrupted_archive_is_given_up(work: Small) -> None:
    """It might take hours; and nothing of it is left."""
    runs = [work.hydra(30, "outputs/day/a"), work.hydra(30, "outputs/day/b")]
    big = work.root / runs[0] / "big.bin"
    big.write_bytes(os.urandom(24 << 20))
    os.utime(big, (1_700_000_000, 1_700_000_000))
    running = work.start("archive", *runs, "--json", first=slowly)
    while not [*(work.root / ".janitor").glob(f"archive/*{ARCHIVE}{PART}")]:
        time.sleep(0.005)
    os.kill(running.pid, signal.SIGINT)
    answer = running.answer()
    assert answer.code == 3
    outcomes = [(row["path"], row["outcome"]) for row in answer.rows("steps")]
    assert outcomes == [(runs[0], "skipped"), (runs[1], "skipped")]
    assert [row["why"] for row in answer.rows("steps")] == [GIVEN_UP, "interrupted before it began"]
    assert work.there(*runs)
    assert os.listdir(work.root / ".janitor" / "archive") == ["RESTORE.txt"]
