"""Very large units, very many, very deep ones: nothing is lost, memory is bounded, whoever waits
sees how far it is, and Ctrl-C ends it soon, wherever it is."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.proof.conftest import Count
from tests.proof.scene import Build
from tests.proof.scenes import SCENES
from tests.proof.test_kills import points
from tests.real.account import myself
from tests.real.kills import Moment, needs_strace, strace, to_prove
from tests.real.small import FREE, PURGING, Small, done, small
from tests.real.snapshot import snapshot

ENTRIES = 1_000_000
RUNS = int(os.environ.get("PROOF_RUNS", "10000"))
RUN = "outputs/day/run"
GB = 1 << 30
PATH_MAX = 4096
NO_GRACE = FREE + 'grace = "1s"\n'


# ---------------------------------------------------------------- a signal at any moment

EXITS = (0, 1, 3, 4, -signal.SIGTERM)
"""Done or skipped; interrupted; some steps failed; SIGTERM where no step was under way."""


def interrupted(build: Build, place: Path, moment: Moment, sign: str) -> list[str]:
    """What is wrong where the kernel sends this signal with one call of a command."""
    scene, (call, k) = build(place), moment
    try:
        running = scene.start()
        inject = f"inject={call}:signal={sign}:when={k}"
        with strace(running.pid, "-o", os.devnull, "-e", f"trace={call}", "-e", inject):
            code = running.wait()
        wrong = [] if code in EXITS else [f"exit {code}: {running.errors.read_text()[-300:]}"]
        return [f"{sign} at {call} {k}: {each}" for each in (*wrong, *scene.wrong())]
    finally:
        scene.end()
        shutil.rmtree(place)


def tried(name: str, place: Path, moments: Iterable[Moment], count: Count) -> None:
    wrong, number = [], 0
    for sign in ("INT", "TERM"):
        for moment in moments:
            wrong += interrupted(SCENES[name], place, moment, sign)
            number += 1
    count(f"interrupted: {name}", number, wrong)


@needs_strace
def test_an_archive_that_is_interrupted_loses_nothing(count: Count, tmp_path: Path) -> None:
    """In its midst, where it is given up."""
    moments = points(SCENES["archive"], tmp_path / "work")
    writes = [each for each in moments if each[0] == "write"]
    tried("archive", tmp_path / "work", writes[len(writes) // 2 :][:1], count)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@needs_strace
@pytest.mark.parametrize("name", SCENES)
def test_nothing_is_lost_by_an_interruption(name: str, count: Count, tmp_path: Path) -> None:
    moments = to_prove(points(SCENES[name], tmp_path / "work"))
    tried(name, tmp_path / "work", moments, count)


@needs_strace
def test_a_purge_is_interrupted_and_the_next_janitor_goes_on(tmp_path: Path) -> None:
    """At the hundredth of a thousand files."""
    work = small(tmp_path, PURGING)
    crowd(work, 1_000)
    assert done(work.janitor("run", "--yes")) == {RUN}
    running = work.start("run", "--yes", "--json", traced=True)
    inject = "inject=unlinkat:signal=INT:when=100"
    with strace(running.pid, "-o", os.devnull, "-e", "trace=unlinkat", "-e", inject):
        found = running.answer()
    (row,) = found.rows("steps")
    assert (found.code, row["outcome"]) == (0, "done"), found
    assert "removes the rest" in row["why"]
    left = sum(len(files) for _, _, files in os.walk(tmp_path / ".janitor" / "leaving"))
    assert 500 < left < 1_000
    assert work.janitor("run", "--yes").code == 0
    assert work.leftovers() == []
    assert work.trash() == []


# ---------------------------------------------------------------- deep


def dig(top: Path, depth: int) -> None:
    """Folders in each other, each with a file, far deeper than one path may say."""
    fd, name = os.open(top, os.O_DIRECTORY), "d" * 200
    for level in range(depth):
        os.mkdir(name, dir_fd=fd)
        inner = os.open(name, os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = inner
        file = os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
        os.write(file, b"%d" % level)
        os.close(file)
        os.utime("file", (1_700_000_000, 1_700_000_000), dir_fd=fd)
    os.close(fd)


def dug(top: Path) -> list[bytes]:
    """What the files say, from the top down."""
    fd, said = os.open(top, os.O_DIRECTORY), []
    while True:
        try:
            inner = os.open("d" * 200, os.O_DIRECTORY, dir_fd=fd)
        except FileNotFoundError:
            os.close(fd)
            return said
        os.close(fd)
        fd = inner
        file = os.open("file", os.O_RDONLY, dir_fd=fd)
        said.append(os.read(file, 99))
        os.close(file)


def longest(work: Small, run: str) -> Path:
    """A file whose path from the root of the machine is as long as one may be."""
    folder = work.root / run
    while (left := PATH_MAX - 1 - len(os.fsencode(folder))) > 300:
        folder /= "n" * min(200, left - 250)
    folder.mkdir(parents=True)
    file = folder / ("f" * (left - 1))
    file.write_text("as deep as a path goes\n")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    return file


def test_paths_of_4096_bytes_and_deeper_ones_go_and_come_back(tmp_path: Path) -> None:
    work = small(tmp_path, NO_GRACE)
    run = work.root / work.hydra(40, RUN)
    file = longest(work, RUN)
    assert len(os.fsencode(file)) == PATH_MAX - 1
    dig(run, 60)
    expected = [b"%d" % level for level in range(60)]
    time.sleep(1.1)  # the grace: folders are new
    for args in (("run", "--yes"), ("archive", RUN)):
        found = work.janitor(*args)
        assert (found.code, done(found), run.exists()) == (0, {RUN}, False), found
        assert work.janitor("undo").code == 0
        assert (dug(run), file.read_text()) == (expected, "as deep as a path goes\n")
        assert work.janitor("unpin", RUN).code == 0
    assert done(work.janitor("archive", RUN)) == {RUN}
    work.configure(PURGING)
    assert work.janitor("run", "--yes").code == 0
    assert work.trash() == []
    assert work.janitor("undo").code == 0, "from its archive"
    assert (dug(run), file.read_text()) == (expected, "as deep as a path goes\n")
    assert work.janitor("unpin", "outputs").code == 0
    for _ in range(2):
        assert work.janitor("run", "--yes").code == 0
    assert (run.exists(), work.trash(), work.leftovers()) == (False, [], ["archive"])


# ---------------------------------------------------------------- large


def crowd(work: Small, entries: int) -> None:
    """A run with a folder of so many files."""
    run = work.root / work.hydra(40, RUN)
    many = run / "many"
    many.mkdir()
    fd = os.open(many, os.O_DIRECTORY)
    for number in range(entries):
        name = f"{number:07}"
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        os.utime(name, (1_700_000_000, 1_700_000_000), dir_fd=fd)
    os.close(fd)
    for path in (many, run):
        os.utime(path, (1_700_000_000, 1_700_000_000))


def command(work: Small, *args: str) -> list[str]:
    return [sys.executable, "-m", "artifact_janitor", "--config", f"{work.root}/config.toml", *args]


def measured(work: Small, *args: str) -> int:
    """MiB at the peak of a command, on a terminal, where it has to show how far it is."""
    here, there = pty.openpty()
    began = time.monotonic()
    running = subprocess.Popen(
        command(work, *args), cwd=work.root, env=myself(work.root.parent).env, stderr=there
    )
    os.close(there)
    shown = b""
    while True:
        try:
            shown += os.read(here, 1 << 16)
        except OSError:  # nobody is at the other end any more
            break
    os.close(here)
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    seconds, peak = time.monotonic() - began, used.ru_maxrss >> 10
    cpu = used.ru_utime + used.ru_stime
    told = b"looking" in shown or b" of " in shown
    print(f"{' '.join(args):<40}{peak:>6} MiB {cpu:>7.1f} s CPU {seconds:>7.1f} s, progress {told}")
    assert running.returncode == 0, shown[-500:]
    assert told or seconds < 5
    return peak


@pytest.mark.proof
@pytest.mark.timeout(7200)
def test_a_folder_of_a_million_entries(tmp_path: Path) -> None:
    work = small(tmp_path, NO_GRACE)
    crowd(work, ENTRIES)
    for args in (("plan",), ("run", "--yes"), ("undo",), ("unpin", RUN)):
        assert measured(work, *args) < 0.9 * ENTRIES / 1000
    assert len(os.listdir(work.root / RUN / "many")) == ENTRIES
    for args in (("archive", RUN), ("verify",), ("undo",), ("unpin", RUN), ("run", "--yes")):
        assert measured(work, *args) < 0.9 * ENTRIES / 1000
    assert not work.there(RUN)
    work.configure(PURGING)
    measured(work, "run", "--yes")
    assert (work.trash(), work.leftovers()) == ([], ["archive"])


@pytest.mark.proof
@pytest.mark.timeout(7200)
def test_ten_thousand_runs_at_once(tmp_path: Path) -> None:
    work = small(tmp_path, NO_GRACE)
    first = work.hydra(40, "outputs/0/0")
    for number in range(1, RUNS):
        shutil.copytree(work.root / first, work.root / f"outputs/{number % 30}/{number}")
    before = snapshot(work.root / "outputs")
    for args in (("plan",), ("run", "--yes"), ("undo",)):
        assert measured(work, *args) < 250
    assert snapshot(work.root / "outputs") == before
    for args in (("unpin", "outputs"), ("run", "--yes")):
        measured(work, *args)
    work.configure(PURGING)
    measured(work, "run", "--yes")
    assert (work.trash(), work.leftovers()) == ([], [])


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_an_archive_of_twenty_gigabytes_is_interrupted_within_seconds(tmp_path: Path) -> None:
    """The memory that a whole one takes is measured in tests/test_archive_memory.py."""
    if shutil.disk_usage(tmp_path).free < 45 * GB:
        pytest.skip("there are no 45 GB free here")
    work = small(tmp_path)
    work.hydra(40, RUN)
    with (work.root / RUN / "weights.bin").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 20 * GB)
    os.utime(work.root / RUN / "weights.bin", (1_700_000_000, 1_700_000_000))
    for sign in (signal.SIGINT, signal.SIGTERM):
        running = subprocess.Popen(
            command(work, "archive", RUN, "--json"),
            cwd=work.root,
            env=myself(tmp_path).env,
            stdout=subprocess.PIPE,
        )
        parts = work.root / ".janitor" / "archive"
        while not any(each.stat().st_size > 1 << 14 for each in parts.glob("*.tar.zst.part")):
            assert running.poll() is None
            select.select([], [], [], 0.01)
        running.send_signal(sign)
        sent = time.monotonic()
        out, _ = running.communicate(timeout=600)
        print(f"{sign.name}: over within {time.monotonic() - sent:.1f} s")
        assert (running.returncode, b"given up" in out) == (3, True), out
        assert (work.root / RUN / "weights.bin").stat().st_size == 20 * GB
        assert [each.name for each in parts.iterdir()] == ["RESTORE.txt"]
