"""Nothing is missed: what is told, and only that, comes to be the truth on disk.

The watchers here neither poll nor look at everything again (`eyes.QUICK`), but where a test
says so: what is seen was told of by the kernel.
"""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artifact_janitor.watch import Change, Watcher, looking
from artifact_janitor.watch.tree import Listing
from tests.real.eyes import Eyes, watching, write

Watching = tuple[Watcher, Eyes]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "work" / "outputs"
    folder.mkdir(parents=True)
    return folder


# ------------------------------------------------------------ folders and files


def test_a_burst_in_new_folders(root: Path) -> None:
    """Several writers, folders in folders in folders: each is found, however it came to be."""

    def run(number: int) -> None:
        for day in range(10):
            for each in range(25):
                write(root / f"{number}/{day}/models/{each}", "y" * each)

    with watching(root) as (watcher, eyes):
        writers = [threading.Thread(target=run, args=(number,)) for number in range(4)]
        for each in writers:
            each.start()
        for each in writers:
            each.join()
        assert eyes.see(), eyes.difference()
        assert not any(each.everything for each in eyes.told[1:])
        assert watcher.counters().overflows == 0
        (state,) = watcher.state()
        assert (state.mode, state.why, state.folders) == ("inotify", "", 1 + 4 + 40 + 40)
        assert watcher.counters().watches == state.folders + 1, "and what the root lies in"


def test_a_file_is_written_again_and_again(root: Path) -> None:
    """The watch is gone after each event, and must be there again for the next."""
    with watching(root) as (_, eyes):
        for number in range(4):
            write(root / "run/metrics.json", "1" * number)
            assert eyes.see(), number
        with (root / "run/main.log").open("w") as file:
            for number in range(3):  # never closed meanwhile
                file.write("line\n")
                file.flush()
                assert eyes.see(), number
    with watching(root) as (_, eyes):
        (root / "run/main.log").unlink()
        assert eyes.see(), "a file that goes"


def test_a_root_in_another(root: Path) -> None:
    """What the inner one lies in is watched for its names, and for all by the outer one."""
    file = write(root / "a/file")
    inner = root / "a/b"
    inner.mkdir()
    with watching(root, inner) as (_, eyes):
        with file.open("a") as still_open:
            still_open.write("more")
            still_open.flush()
            assert eyes.see(), eyes.difference()
        inner.rename(root / "gone")
        write(inner / "file")
        assert eyes.see(), eyes.difference()


def test_a_writer_that_lets_go(root: Path) -> None:
    """Size and mtime stay the same, and yet it is what a handover waits for."""
    with watching(root) as (_, eyes):
        with (root / "final_model_mlp.pth").open("w") as file:
            file.write("weights")
            file.flush()
            assert eyes.see()
            quiet(eyes)
            before = len(eyes.told)
        assert eyes.until(lambda: len(eyes.told) > before)


def test_who_only_reads_a_database_does_not_wake_us(root: Path) -> None:
    """It opens SQLite's -shm for writing, and closes it."""
    write(root / "db/study.db")
    side = write(root / "db/study.db-shm")
    with watching(root) as (_, eyes):
        for _ in range(3):
            os.utime(side)
            side.open("r+").close()
            quiet(eyes)
        assert not any(root / "db" in each.folders for each in eyes.told[1:])


def quiet(eyes: Eyes) -> None:
    """Nothing is left to be told: a change elsewhere comes through, and it alone."""
    for number in range(2):
        write(eyes.roots[0] / "elsewhere" / "mark", "x" * (number + 1))
        assert eyes.see()


def test_what_comes_right_after_the_listing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch stands before the listing begins: a file that comes as it ends makes an event.

    The folder looks as before, a name having come and gone, so that nobody is told of it but
    by that event.
    """
    real, racing = looking.listing, threading.Event()

    def raced(fd: int, device: int, **options: bool) -> Listing:
        seen = real(fd, device, **options)
        if racing.is_set():
            racing.clear()
            os.close(os.open("late", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        return seen

    monkeypatch.setattr(looking, "listing", raced)
    write(root / "a/b/file")
    with watching(root, settle=0.3) as (_, eyes):
        racing.set()
        (root / "a/b/came").touch()
        (root / "a/b/came").unlink()
        assert eyes.until(lambda: str(root / "a/b/late") in eyes.known)


def test_a_folder_that_takes_long_to_list(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody writes in it all the time: looks at it take a twentieth of a core, no more."""
    real, looks = looking.listing, []

    def slow(fd: int, device: int, **options: bool) -> Listing:
        looks.append(time.monotonic())
        time.sleep(0.03)
        return real(fd, device, **options)

    monkeypatch.setattr(looking, "listing", slow)
    with watching(root) as (_, eyes):
        for number in range(150):
            write(root / "file", "x" * number)
            time.sleep(0.01)
        assert eyes.see(), eyes.difference()
        assert len(looks) <= 3 + 2 * (looks[-1] - looks[0]) / 0.6


def test_a_path_longer_than_the_kernel_takes(root: Path) -> None:
    name = "n" * 200
    fd = os.open(root, os.O_RDONLY)
    with watching(root) as (_, eyes):
        for _ in range(25):
            os.mkdir(name, dir_fd=fd)
            fd, before = os.open(name, os.O_RDONLY, dir_fd=fd), fd
            os.close(before)
        deepest = root.joinpath(*[name] * 25)
        assert eyes.until(lambda: any(deepest in each.folders for each in eyes.told))
        told = len(eyes.told)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        assert eyes.until(lambda: any(deepest in each.folders for each in eyes.told[told:]))
    os.close(fd)


def test_our_own_folder_does_not_wake_us(root: Path) -> None:
    """A trash beside a root on another filesystem; a look would lead to the next."""
    (root / ".janitor").mkdir()
    with watching(root) as (_, eyes):
        write(root / ".janitor/trash/file")
        write(root / "file")
        assert eyes.see()
        assert {each for told in eyes.told[1:] for each in told.folders} == {root}


# ------------------------------------------------------------ the eight that watchdog fails


def renamed(root: Path, away: Path) -> None:
    (root / "old").rename(root / "new")
    write(root / "new/sub/file", "changed")


def moved_in(root: Path, away: Path) -> None:
    write(away / "in/sub/file")
    (away / "in").rename(root / "in")
    write(root / "in/sub/later")


def moved_out(root: Path, away: Path) -> None:
    (root / "old").rename(away / "old")
    write(away / "old/sub/file", "not ours any more")


def not_utf8(root: Path, away: Path) -> None:
    folder = os.path.join(os.fsencode(root), b"run-\xff\xfe")
    os.mkdir(folder)
    for name in (b"\xe9.pt", b"new\nline", b" "):
        with open(os.path.join(folder, name), "wb"):
            pass


def deleted_and_made_again(root: Path, away: Path) -> None:
    shutil.rmtree(root)
    write(root / "old/sub/file", "another")


def swapped(root: Path, away: Path) -> None:
    """For another with the same folders in it, at one go."""
    shutil.copytree(root, away / "twin", copy_function=shutil.copy2)
    root.rename(away / "before")
    (away / "twin").rename(root)
    write(root / "old/sub/later")
    write(away / "before/old/sub/later", "not ours any more")


def taken_away_and_brought_back(root: Path, away: Path) -> None:
    root.rename(away / "before")
    (away / "before").rename(root)
    write(root / "old/sub/later")


def a_folder_becomes_another(root: Path, away: Path) -> None:
    shutil.copytree(root / "old", away / "old")
    shutil.rmtree(root / "old")
    (away / "old").rename(root / "old")
    write(root / "old/sub/file", "changed")


def a_folder_becomes_a_link(root: Path, away: Path) -> None:
    """Which isn't followed."""
    (root / "old").rename(away / "old")
    (root / "old").symlink_to(away / "old")
    write(root / "after")


TURNS = [
    *(renamed, moved_in, moved_out, not_utf8, deleted_and_made_again, swapped),
    *(taken_away_and_brought_back, a_folder_becomes_another, a_folder_becomes_a_link),
]


@pytest.mark.parametrize("is_link", [False, True], ids=["folder", "link"])
@pytest.mark.parametrize("turn", TURNS, ids=lambda turn: str(turn.__name__))
def test_turns(root: Path, turn: Callable[[Path, Path], None], is_link: bool) -> None:
    """Each with a root that is a folder, and with one that is a link to one."""
    away = root.parent / "away"
    away.mkdir()
    given = root
    if is_link:
        given = root.parent.parent / "link"
        given.symlink_to(root)
    write(root / "old/sub/file")
    with watching(given) as (watcher, eyes):
        turn(root, away)
        assert eyes.see(), eyes.difference()
        write(root / "old/and/on") if not is_link_inside(root) else write(root / "on")
        assert eyes.see(), eyes.difference()
        (state,) = watcher.state()
        assert state.mode == "inotify"
        assert watcher.counters().watches <= state.folders + 2, "none is left where we left"


def is_link_inside(root: Path) -> bool:
    return (root / "old").is_symlink()


def test_the_link_comes_to_lead_elsewhere(root: Path) -> None:
    other = root.parent / "other"
    write(other / "sub/file")
    link = root.parent.parent / "link"
    link.symlink_to(root)
    with watching(link) as (_, eyes):
        (link.parent / "next").symlink_to(other)
        (link.parent / "next").rename(link)
        assert eyes.see(), eyes.difference()
        write(other / "sub/later")
        assert eyes.see(), eyes.difference()
        assert any(str(path).startswith(f"{link}/sub") for path in eyes.known)


def test_a_link_to_what_appears_later(root: Path) -> None:
    link = root.parent.parent / "link"
    link.symlink_to(root / "there")
    with watching(link) as (watcher, eyes):
        assert watcher.state()[0].mode == "missing"
        write(root / "there/file")
        assert eyes.until(lambda: watcher.state()[0].mode == "inotify")
        assert eyes.see(), eyes.difference()


def test_a_root_that_appears_later(root: Path) -> None:
    """With the folders around it, one by one."""
    late = root / "not/yet/there"
    with watching(late) as (watcher, eyes):
        assert watcher.state()[0].mode == "missing"
        assert watcher.state()[0].why == "No such file or directory"
        for folder in (root / "not", root / "not/yet", late):
            folder.mkdir()
            assert eyes.until(lambda: watcher.counters().watches > 0)
        write(late / "sub/file")
        assert eyes.see(), eyes.difference()
        assert eyes.until(lambda: watcher.state()[0].mode == "inotify")


def test_the_folder_around_a_root_is_renamed(root: Path) -> None:
    """Two levels up nothing tells; a look every few seconds does."""
    with watching(root, poll=0.1) as (watcher, eyes):
        root.parent.rename(root.parent.parent / "elsewhere")
        assert eyes.until(lambda: watcher.state()[0].mode == "missing")
        write(root / "again")
        assert eyes.see(), eyes.difference()
        assert eyes.until(lambda: watcher.state()[0].mode == "inotify")


def test_whoever_is_told_fails(root: Path) -> None:
    """And is told again, also that everything may have changed; nothing ends."""
    eyes = Eyes(root)
    failing = [True]

    def changed(change: Change) -> None:
        if failing[0]:
            raise RuntimeError("no")
        eyes(change)

    write(root / "before")
    with watching(root, changed=changed) as (watcher, _):
        assert eyes.until(lambda: watcher.counters().failures > 1)
        failing[0] = False
        assert eyes.until(lambda: bool(eyes.told))
        assert eyes.told[0].everything
        failing[0] = True
        write(root / "run/file")
        failures = watcher.counters().failures
        assert eyes.until(lambda: watcher.counters().failures > failures)
        failing[0] = False
        assert eyes.see(), eyes.difference()


# ------------------------------------------------------------ whatever happens


@pytest.mark.parametrize("seed", range(3))
def test_anything(root: Path, seed: int) -> None:
    """Turns by chance, in two roots of which one is in the other; looks fall in between."""
    draw = random.Random(seed)
    away = root.parent / "away"
    inner = root / "0" / "0"
    away.mkdir()
    with watching(root, inner) as (watcher, eyes):
        for number in range(400):
            step(draw, root, away, number)
            time.sleep(0.002)
        shutil.rmtree(root / "0", ignore_errors=True)
        write(inner / "and/on")
        assert eyes.see(), eyes.difference()
        write(inner / "and/on", "again")
        assert eyes.see(), eyes.difference()
        assert watcher.counters().watches <= sum(each.folders for each in watcher.state()) + 4


def step(draw: random.Random, root: Path, away: Path, number: int) -> None:
    def place() -> Path:
        return root.joinpath(*(str(draw.randrange(3)) for _ in range(draw.randrange(1, 5))))

    one, other = place(), place()
    try:
        match draw.randrange(8):
            case 0 | 1 | 2:
                write(one / f"file-{draw.randrange(9)}", "x" * number)
            case 3:
                one.mkdir(parents=True)
            case 4:
                one.rename(other)
            case 5:
                one.rename(away / str(number))
            case 6:
                draw.choice([*away.iterdir()]).rename(other)
            case 7:
                shutil.rmtree(one)
    except (OSError, IndexError):
        pass  # not everything is possible everywhere


# ------------------------------------------------------------ the end


def threads() -> set[str]:
    return {each.name for each in threading.enumerate()}


def files() -> Iterator[str]:
    for each in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink(f"/proc/self/fd/{each}")
        except OSError:
            pass


def test_stop_ends_all(root: Path) -> None:
    write(root / "a/b/file")
    before, open_before = threads(), sorted(files())
    for _ in range(5):
        with watching(root) as (_, eyes):
            write(root / "a/b/file", "more")
            assert eyes.see()
    for stopped in (False, True):
        watcher = Watcher([], bool, Eyes(root))
        if stopped:
            watcher.start()
        watcher.stop()
    assert threads() == before
    assert sorted(files()) == open_before


def test_stop_while_it_tells(root: Path) -> None:
    """By whoever is told."""
    over = threading.Event()

    def changed(change: Change) -> None:
        watcher.stop()
        over.set()

    before = threads()
    with watching(root, changed=changed) as (watcher, _):
        assert over.wait(60)
    watcher.stop()
    assert threads() == before
