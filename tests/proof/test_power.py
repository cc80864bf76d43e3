"""The power fails while a janitor works, or right after: nothing is lost (S9, S12).

It is killed as it makes a call, and the filesystem forgets what was not brought to the disk by
then. What is there when it is mounted anew is all that a power cut would leave. Somebody else's
fsync in between brings the names of files to the disk, and not what is in them: whoever relies
on a rename without an fsync is found out by that.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.proof.conftest import Count
from tests.proof.scene import Build, Scene
from tests.proof.scenes import SCENES
from tests.real.disks import MAKE, needs_root
from tests.real.kills import Moment, killed, moments_of, needs_strace, to_prove
from tests.real.power import Disk, power

pytestmark = [needs_root, needs_strace]
each_kind = pytest.mark.parametrize("kind", MAKE)
each_scene = pytest.mark.parametrize("name", SCENES)
AT_THE_END: Moment = ("", 0)
"""The command has just said that it is done."""


@pytest.fixture
def disk(kind: str, tmp_path: Path) -> Iterator[Disk]:
    with power(kind, tmp_path / "disk") as found:
        yield found


def built(build: Build, disk: Disk) -> Scene:
    """A scene on a disk, all of it durable, and put aside."""
    scene = build(disk.place / "work")
    scene.end()
    gc.collect()  # whoever still holds the journal
    disk.put_aside()
    return scene


def points(scene: Scene, disk: Disk, trace: Path) -> list[Moment]:
    try:
        return [*moments_of(scene.start(), trace), AT_THE_END]
    finally:
        scene.end()


def power_cut(scene: Scene, disk: Disk, moment: Moment, others: bool) -> list[str]:
    """What is wrong after a power cut at that moment; `others` write something else, too."""
    disk.take_up()
    call, k = moment
    is_done = not killed(scene.start(), call or "renameat2", k or 65_535)
    if others:
        fsynced(disk.place / "other")
    disk.cut_power()
    try:
        wrong = ["done, and it was not durable"] if is_done and not scene.done() else []
        return [f"{call} {k}: {each}" for each in [*wrong, *scene.wrong()]]
    finally:
        scene.end()


def fsynced(file: Path) -> None:
    with file.open("wb") as other:
        other.write(b"other")
        other.flush()
        os.fsync(other.fileno())


FLUSHES = ("fsync", "fdatasync")
WRITES = ("write", "pwrite64", "flock")
"""Calls that leave the disk as it is: it is what follows that brings their work there."""


def telling(every: list[Moment], others: bool) -> list[Moment]:
    """One of all moments between which nothing reaches the disk. Where nobody else forces the
    filesystem's log, that takes an fsync of our own."""
    before = [("", 0), *every]
    changing = [
        each
        for each, (call, _) in zip(every, before, strict=False)
        if (call not in WRITES if others else each[0] in FLUSHES)
    ]
    return list(dict.fromkeys([*changing, AT_THE_END]))


def power_cuts(scene: Scene, disk: Disk, moments: Iterable[Moment], others: bool) -> list[str]:
    wrong = []
    for moment in moments:
        found = power_cut(scene, disk, moment, others)
        for each in found:
            print(others, each[:160], flush=True)
        wrong += found
    return wrong


@pytest.mark.proof
@each_kind
@each_scene
def test_nothing_is_lost_whenever_the_power_fails(
    name: str, count: Count, disk: Disk, tmp_path: Path
) -> None:
    scene = built(SCENES[name], disk)
    every = points(scene, disk, tmp_path / "trace")
    for others in (False, True):
        some = to_prove(telling(every, others))
        wrong = power_cuts(scene, disk, some, others)
        count(f"power cut on {disk.kind}{', others sync' * others}: {name}", len(some), wrong)
