"""The power fails while a janitor works, or right after: nothing is lost (S9, S12).

It is killed as it makes a call, and the filesystem forgets what was not brought to the disk by
then. What is there when it is mounted anew is all that a power cut would leave. Somebody else's
fsync in between brings names to the disk, and not what is in the files: whoever relies on a
rename without an fsync is found out by that.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from artifact_janitor.apply.archive.store import NOTE, RESTORE
from tests.proof.conftest import Count
from tests.proof.scene import Build, Scene
from tests.proof.scenes import SCENES
from tests.proof.scenes.archive import UNITS, workspace
from tests.real.disks import MAKE, needs_root
from tests.real.kills import Moment, killed, moments_of, needs_strace, nobody_else, to_prove
from tests.real.power import Disk, power
from tests.real.small import FREE, PURGING, Small, small, still
from tests.real.snapshot import difference, snapshot

pytestmark = [needs_root, needs_strace]
each_kind = pytest.mark.parametrize("kind", MAKE)
on_ext4 = pytest.mark.parametrize("kind", ["ext4"])
each_scene = pytest.mark.parametrize("name", SCENES)
SLICE = ("trash", "archive", "publish over")
RUN = "outputs/one"
FLUSHES = ("fsync", "fdatasync")
WRITES = ("write", "pwrite64", "flock")
"""Calls that leave the disk as it is: it is what follows that brings their work there."""
AT_THE_END: Moment = ("renameat2", 65_535)
"""A moment that never comes, but the one does at which the command said that it is done."""


@pytest.fixture
def disk(kind: str, tmp_path: Path) -> Iterator[Disk]:
    with power(kind, tmp_path / "disk") as found:
        yield found


def built(build: Build, disk: Disk) -> Scene:
    """A scene on a disk, all of it durable, and put aside."""
    scene = build(disk.place / "work")
    scene.end()
    disk.put_aside()
    return scene


def points(scene: Scene, trace: Path) -> list[Moment]:
    try:
        return moments_of(scene.start(), trace)
    finally:
        scene.end()


def telling(every: Sequence[Moment], others: bool) -> list[Moment]:
    """One of all moments between which nothing reaches the disk. Where nobody else forces the
    filesystem's log, that takes an fsync of our own."""
    before = ["", *(call for call, _ in every)]
    found = [
        moment
        for moment, previous in zip(every, before, strict=False)
        if (previous not in WRITES if others else moment[0] in FLUSHES)
    ]
    return [*found, AT_THE_END]


def power_cut(scene: Scene, disk: Disk, moment: Moment, others: bool) -> list[str]:
    """What is wrong after a power cut at that moment; `others` write something else, too."""
    disk.take_up()
    try:
        is_done = not killed(scene.start(), *moment)
        if others:
            fsynced(disk.place / "other")
        disk.cut_power()
        wrong = ["done, and not durable"] if is_done and not scene.done() else []
        at = "at the end" if moment == AT_THE_END else "{} {}".format(*moment)
        return [f"{at}, {others=}: {each}" for each in [*wrong, *scene.wrong()]]
    finally:
        scene.end()


def fsynced(file: Path) -> None:
    with file.open("wb") as other:
        other.write(b"other")
        other.flush()
        os.fsync(other.fileno())


@on_ext4
@pytest.mark.parametrize("name", SLICE)
def test_nothing_is_lost_when_the_power_fails(
    name: str, count: Count, disk: Disk, tmp_path: Path
) -> None:
    """After a rename in the middle, and right after the end."""
    scene = built(SCENES[name], disk)
    every = points(scene, tmp_path / "trace")
    renames = [at for at, (call, _) in enumerate(every) if call == "renameat2"]
    wrong = power_cut(scene, disk, every[renames[len(renames) // 2] + 1], True)
    count(f"power cut on {disk.kind}: {name}", 2, wrong + power_cut(scene, disk, AT_THE_END, False))


@pytest.mark.proof
@each_kind
@each_scene
def test_nothing_is_lost_whenever_the_power_fails(
    name: str, count: Count, disk: Disk, tmp_path: Path
) -> None:
    scene = built(SCENES[name], disk)
    every = points(scene, tmp_path / "trace")
    for others in (False, True):
        some = to_prove(telling(every, others))
        wrong = [each for moment in some for each in power_cut(scene, disk, moment, others)]
        count(f"power cut on {disk.kind}, {others=}: {name}", len(some), wrong)


@each_kind
@pytest.mark.proof
def test_a_store_that_lost_its_power_holds_all_that_was_done(disk: Disk, tmp_path: Path) -> None:
    """On a disk of its own, which nobody syncs for other reasons."""
    work = workspace(tmp_path / "work")
    work.configure(f"{FREE}\n[archive]\nstore = '{disk.place}'\n")
    assert work.janitor("archive", *UNITS).code == 0
    disk.cut_power()
    assert not any(work.there(unit) for unit in UNITS)
    answer = work.janitor("verify")
    assert (answer.code, len(answer.rows("archives"))) == (0, len(UNITS))
    assert (disk.place / NOTE).read_text() == RESTORE


@pytest.fixture
def apart(kind: str, tmp_path: Path) -> Iterator[tuple[Small, Disk]]:
    """A run on a disk of its own, which can forget what the journal, on another one, knows."""
    (tmp_path / "work").mkdir()
    work = small(tmp_path / "work")
    with power(kind, work.root / "outputs") as disk:
        work.hydra(30, RUN)
        disk.put_aside()
        yield work, disk


@on_ext4
def test_a_run_on_a_disk_that_lost_its_power_is_where_the_journal_says(
    apart: tuple[Small, Disk],
) -> None:
    work, disk = apart
    before = snapshot(work.root)
    assert work.janitor("run", "--yes").code == 0
    disk.cut_power()
    assert not work.there(RUN)
    assert work.janitor("undo").code == 0
    disk.cut_power()
    back = {path: mark for path, mark in snapshot(work.root).items() if path in before}
    assert difference(still(before), still(back)) == []


@pytest.mark.proof
@each_kind
def test_what_a_power_cut_puts_back_into_the_trash_is_purged_again(
    apart: tuple[Small, Disk], count: Count, tmp_path: Path
) -> None:
    work, disk = apart
    assert work.janitor("run", "--yes").code == 0
    work.configure(PURGING)
    disk.put_aside()
    state = shutil.copytree(work.root / ".janitor", tmp_path / "state")
    purge = partial(work.start, "run", "--yes", traced=True, first=nobody_else)
    moments, wrong = telling(moments_of(purge(), tmp_path / "trace"), others=False), []
    for moment in moments:
        disk.take_up()
        shutil.rmtree(work.root / ".janitor")
        shutil.copytree(state, work.root / ".janitor")
        killed(purge(), *moment)
        disk.cut_power()
        again = work.janitor("run", "--yes")
        wrong += [f"{moment}: {again}"] if again.code else []
        left = [*work.trash(), *work.root.glob("**/leaving/*")]
        wrong += [f"{moment}: left over: {each}" for each in left]
    count(f"power cut on {disk.kind} for runs alone: purge", len(moments), wrong)
