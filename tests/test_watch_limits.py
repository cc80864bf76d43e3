"""Where the kernel tells nothing, too little or too late: nothing is missed, and it is said."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from artifact_janitor.watch import Counters, canary, emitter, watcher
from artifact_janitor.watch.kernel import FOLDER, Watched, Watches
from artifact_janitor.watch.tree import enter
from tests.real.eyes import Eyes, watching, write
from tests.test_filesystems import needs_root, tmpfs

HERE = Path(__file__).parents[1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "work" / "outputs"
    folder.mkdir(parents=True)
    return folder


# ------------------------------------------------------------ a process of its own


class Other:
    """`tests.real.eyes` as a program."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, question: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{question}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextmanager
def other(*command: str, root: Path) -> Iterator[Other]:
    process = subprocess.Popen(
        [*command, sys.executable, "-m", "tests.real.eyes", str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE,
        start_new_session=True,
    )
    try:
        yield Other(process)
    finally:
        process.send_signal(signal.SIGCONT)
        process.stdin.close()  # type: ignore[union-attr] - it ends with its questions
        try:
            process.wait(60)
        finally:
            process.kill()
            process.stdout.close()  # type: ignore[union-attr]


def limited(**limits: int) -> list[str]:
    """Words before a command: a user namespace with limits of its own, see namespaces(7)."""
    if subprocess.run(["unshare", "-Ur", "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    each = [f"echo {number} > /proc/sys/user/max_inotify_{name}" for name, number in limits.items()]
    return ["unshare", "-Ur", "sh", "-c", f'{" && ".join(each)} && exec "$@"', "sh"]


def test_no_more_watches(root: Path) -> None:
    """100 for 200 folders: the rest is looked at, all of it is seen, and it is said."""
    for number in range(200):
        write(root / f"{number}/file")
    with other(*limited(watches=100), root=root) as it:
        assert it.ask("see") is True
        for number in range(200):
            write(root / f"{number}/file", "changed")
            write(root / f"{number}/new/file")
        assert it.ask("see") is True
        ((mode, why, folders),), watches, overflows = it.ask("state")
        assert (mode, folders, watches, overflows) == ("polling", 401, 100, 0)
        assert why.startswith("no watch to be had for ")
        for number in range(160):
            shutil.rmtree(root / str(number))
        assert it.ask("until inotify 81"), "there are watches again"
        assert it.ask("state")[:2] == [[["inotify", "", 81]], 82]
        assert it.ask("see") is True


def test_no_instance_at_all(root: Path) -> None:
    with other(*limited(instances=0), root=root) as it:
        for number in range(20):
            write(root / f"{number}/file")
        assert it.ask("see") is True
        ((mode, why, folders),), watches, _ = it.ask("state")
        assert (mode, folders, watches) == ("polling", 21, 0)
        assert why == "no inotify instance to be had; looked at every 0 s"


@pytest.fixture
def quick_root(tmp_path: Path) -> Iterator[Path]:
    """In memory where that can be: thousands of folders come and go."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


def test_stalled_until_the_queue_overflows(quick_root: Path) -> None:
    """9,000 folders fire while nobody reads: more than 16,384 events wait. It opens no file."""
    with open("/proc/sys/fs/inotify/max_queued_events", encoding="ascii") as file:
        needed = int(file.read()) // 2 + 500
    if needed > 20_000:
        pytest.skip("too long a queue to fill")
    root = quick_root
    for number in range(needed):
        (root / str(number)).mkdir()
    with other(root=root) as it:
        assert it.ask("see") is True
        it.process.send_signal(signal.SIGSTOP)
        for number in range(needed):
            write(root / str(number) / "file")
        probe = write(root / "10/new/probe")
        it.process.send_signal(signal.SIGCONT)
        assert it.ask("see") is True
        probe.write_text("changed")
        write(root / "20/file", "changed")
        assert it.ask("see") is True
        ((mode, why, folders),), watches, overflows = it.ask("state")
        assert (mode, why, folders, watches) == ("inotify", "", needed + 2, needed + 3)
        assert overflows > 0
        assert it.ask("opened") == []


def test_a_watch_that_goes_without_firing(root: Path) -> None:
    """The kernel's last word on it, IGNORED, is as good as an event."""
    watches, on = Watches(), [Watched(), Watched()]
    fd = enter(str(root), follow=False)
    for each in on:
        watches.arm(each, fd, FOLDER)
    os.close(fd)
    assert len(watches) == 1
    ctypes.CDLL(None).inotify_rm_watch(watches._fd, on[0].watch)
    fired, _ = watches.wait()
    assert {each.on for each in fired} == set(on)
    assert len(watches) == 0
    watches.close()


def test_two_things_on_one_watch(root: Path) -> None:
    """One leaves, and the other is told; the last one takes the kernel's watch along."""
    watches, leaves, stays = Watches(), Watched(), Watched()
    fd = enter(str(root), follow=False)
    for each in (leaves, stays):
        watches.arm(each, fd, FOLDER)
    watches.disarm(leaves)
    assert held(watches) == 1
    write(root / "file")
    assert [each.on for each in watches.wait()[0]] == [stays]
    watches.arm(stays, fd, FOLDER)
    assert held(watches) == 1
    watches.disarm(stays)
    assert held(watches) == 0
    os.close(fd)
    watches.close()


def held(watches: Watches) -> int:
    """Watches that the kernel knows of, see proc(5)."""
    return Path(f"/proc/self/fdinfo/{watches._fd}").read_text().count("inotify wd:")


# ------------------------------------------------------------ filesystems


@pytest.fixture
def fuse(tmp_path: Path) -> Iterator[Path]:
    """A folder shown through FUSE: others write to `fuse/below` without it."""
    below, place = tmp_path / "below", tmp_path / "fuse"
    below.mkdir()
    place.mkdir()
    try:
        shown = subprocess.run(["bindfs", str(below), str(place)], capture_output=True)
    except FileNotFoundError:
        pytest.skip("no bindfs here")
    if shown.returncode:
        pytest.skip("no FUSE here")
    yield place
    subprocess.run(["fusermount", "-u", "-z", str(place)], check=True)


def test_where_others_write_without_the_kernels_knowing(fuse: Path) -> None:
    below = fuse.parent / "below"
    write(below / "run/file")
    with watching(fuse, poll=0.2) as (it, eyes):
        write(below / "run/file", "changed")
        write(below / "new/sub/file")
        assert eyes.until(lambda: str(fuse / "new/sub/file") in eyes.known)
        (state,) = it.state()
        assert state.mode == "polling"
        assert state.why == (
            "fuse: others may change it without this machine's knowing; looked at every 0 s"
        )
        write(below / "new/sub/file", "changed")
        assert eyes.see(), eyes.difference()


@needs_root
def test_a_disk_that_goes_and_comes_back(root: Path, tmp_path: Path) -> None:
    """The whole workspace, the janitor's own folder included; no watch keeps it from going."""
    disk = tmp_path / "disk"
    with tmpfs(disk) as place:
        work = place / "work/outputs"
        (place / "work/.janitor").mkdir(parents=True)
        write(work / "run/file")
        sign = place / "work/.janitor/canary"
        with watching(work, poll=0.1, canary=sign) as (it, eyes):
            assert eyes.until(lambda: it.counters().canary_age is not None)
            moved = tmp_path / "moved"
            moved.mkdir()
            subprocess.run(["mount", "--bind", str(disk), str(moved)], check=True)
            subprocess.run(["umount", str(disk)], check=True)
            try:
                assert eyes.until(lambda: it.state()[0].mode == "missing")
                assert not any(disk.iterdir()), "nothing is made where it was"
                write(moved / "work/outputs/run/meanwhile")
            finally:
                subprocess.run(["mount", "--bind", str(moved), str(disk)], check=True)
                subprocess.run(["umount", str(moved)], check=True)
            assert eyes.until(lambda: it.state()[0].mode == "inotify")
            assert eyes.see(), eyes.difference()
            write(work / "run/later")
            assert eyes.see(), eyes.difference()


@needs_root
def test_another_filesystem_below_a_root_is_not_entered(root: Path) -> None:
    write(root / "run/file")
    with tmpfs(root / "disk") as place, watching(root) as (it, eyes):
        (place / "sub").mkdir()
        write(root / "run/later")
        assert eyes.until(lambda: str(root / "run/later") in eyes.known)
        assert it.state()[0].folders == 2
        assert not any(place in told.folders for told in eyes.told)


# ------------------------------------------------------------ settled units, full looks


def test_settled_folders_hold_no_watch(root: Path) -> None:
    """A full look finds what happens in them, and that they are settled no more, or again."""
    settled = {str(root / f"{number}") for number in range(20)}
    for number in range(30):
        write(root / f"{number}/.hydra/config.yaml")
        write(root / f"{number}/models/final.pth")
    with watching(root, settled=lambda path, _: path in settled) as (it, eyes):
        assert watched(it) == (1 + 20 + 3 * 10, 2 + 3 * 10)
        write(root / "3/models/final.pth", "trained again")
        write(root / "25/models/final.pth", "trained on")
        assert eyes.until(lambda: any(root / "25/models" in told.folders for told in eyes.told))
        assert not any(root / "3" in told.folders for told in eyes.told[1:])

        looked_again(it, eyes)
        assert watched(it) == (1 + 19 + 3 * 11, 2 + 3 * 11), "it lives again, and is watched"
        write(root / "3/models/final.pth", "and again")
        assert eyes.see(), eyes.difference()

        settled.remove(str(root / "4"))
        settled.add(str(root / "28"))
        looked_again(it, eyes)
        assert watched(it) == (1 + 20 + 3 * 10, 2 + 3 * 10)
        write(root / "4/models/final.pth", "live")
        assert eyes.see(), eyes.difference()


def test_a_run_that_began_long_ago_and_goes_on_is_watched(root: Path) -> None:
    """Its folder is as old as its first file; what is written in it is new."""
    for name, mtime in (("done", 1_000_000_000), ("goes on", 1_700_000_000)):
        file = write(root / name / "models/last.pth")
        for each in (file, file.parent, root / name):
            os.utime(each, (1_000_000_000, mtime if each == file else 1_000_000_000))

    def settled(path: str, newest: int) -> bool:
        return path != str(root) and newest < 1_600_000_000 * 10**9

    with watching(root, settled=settled) as (it, eyes):
        assert watched(it) == (1 + 1 + 2, 2 + 2)
        write(root / "goes on/models/last.pth", "trained on")
        assert eyes.see(), eyes.difference()
        looked_again(it, eyes)
        assert watched(it) == (1 + 1 + 2, 2 + 2)


def looked_again(it: watcher.Watcher, eyes: Eyes) -> None:
    before = len(eyes.told)
    it.resync()
    assert eyes.until(lambda: any(told.everything for told in eyes.told[before:]))


def watched(it: watcher.Watcher) -> tuple[int, int]:
    return it.state()[0].folders, it.counters().watches


def test_full_looks_by_themselves(root: Path) -> None:
    """They tell of what differs by name, and of nothing when nothing does."""
    write(root / "run/models/a/file")
    with watching(root, settled=lambda path, _: path.endswith("run"), resync=0.2) as (it, eyes):
        assert eyes.until(lambda: it.counters().resync_took > 0)
        write(root / "run/models/a/file", "changed")
        assert eyes.until(lambda: any(root / "run" in told.folders for told in eyes.told[1:]))
        assert not any(told.everything for told in eyes.told[1:])


def test_whoever_cant_say_what_is_settled(root: Path) -> None:
    def settled(path: str, newest: int) -> bool:
        raise RuntimeError(path)

    write(root / "run/file")
    with watching(root, settled=settled) as (_, eyes):
        write(root / "run/file", "changed")
        assert eyes.see(), eyes.difference()


# ------------------------------------------------------------ the canary


@pytest.fixture
def quick_canary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "EVERY", 0.2)
    monkeypatch.setattr(canary, "LOST_AFTER", 0.6)


def age(counters: Counters) -> float:
    return float("inf") if counters.canary_age is None else counters.canary_age


@pytest.mark.usefixtures("quick_canary")
def test_the_canary(root: Path) -> None:
    """It comes back; and where it doesn't, all is opened anew, and seen."""
    own = root.parent / ".janitor"
    own.mkdir()
    with watching(root, canary=own / "canary") as (it, eyes):
        assert eyes.until(lambda: age(it.counters()) < 60)
        assert (own / "canary").stat().st_mode & 0o777 == 0o600
        first = it._source
        assert isinstance(first, emitter.Inotify)
        for each in first._observer.emitters:
            each.stop()  # the thread that reads is gone: we are blind
            each.join()
        write(root / "run/file")
        assert eyes.until(lambda: it._source is not first)
        assert eyes.see(), eyes.difference()
        write(root / "run/file", "changed")
        assert eyes.see(), eyes.difference()
        assert eyes.until(lambda: age(it.counters()) < 0.5)


@pytest.mark.usefixtures("quick_canary")
def test_a_canary_that_has_no_place(root: Path) -> None:
    """Or whose place somebody took: it proves nothing, and nothing else suffers."""
    target = write(root.parent / "theirs", "untouched")
    (root.parent / "link").symlink_to(target)
    for place in (root.parent / "none/canary", root.parent / "link"):
        with watching(root, canary=place) as (it, eyes):
            write(root / "run/file", str(place))
            assert eyes.see(), eyes.difference()
            assert it.counters().canary_age is None
    assert target.read_text() == "untouched"
    assert not (root.parent / "none").exists()


# ------------------------------------------------------------ other systems


def test_watchdogs_own_emitter(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other systems get. Here it is inotify's, which misses things: what it says is
    taken for a hint like any other, and the folders are looked at."""
    monkeypatch.setattr(watcher, "IS_LINUX", False)
    write(root / "run/file")
    late = root.parent / "late"
    with watching(root, late, poll=0.1) as (it, eyes):
        assert [each.mode for each in it.state()] == ["watchdog", "missing"]
        write(root / "run/file", "changed")
        write(root / "run/more")
        assert eyes.see(), eyes.difference()
        (root / "run").rename(root / "ran")
        assert eyes.see(), eyes.difference()
        late.mkdir()
        assert eyes.until(lambda: it.state()[1].mode == "watchdog")
        write(late / "file")
        assert eyes.see(), eyes.difference()
