"""On a disk with no room, or next to none, nothing is lost, and what can't be done is told."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.proof.conftest import Count
from tests.proof.scenes import SCENES
from tests.real import faults
from tests.real.kills import needs_strace
from tests.test_filesystems import mounted, needs_root
from tests.test_full_disk import fill, free, make_room

pytestmark = [needs_root, needs_strace]  # some scenes begin with a kill

BYTES = (0, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 2 << 20)
INODES = (0, 1, 2, 5, 10, 20)
SIZES = ("80m", "40m")
"""With room for a reserve, and without."""
FEW = [("archive", ("bytes", 16 << 10)), ("compress", ("inodes", 0))]


@pytest.fixture(params=SIZES)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    with mounted(
        tmp_path / "disk", "-t", "tmpfs", "-o", f"size={request.param},nr_inodes=4000", "none"
    ) as place:
        yield place


def squeezed(name: str, disk: Path, rooms: Sequence[tuple[str, int]]) -> list[str]:
    """What is wrong after a command on a disk with so many bytes or inodes left, once there is
    room again."""
    before = faults.plainly(SCENES[name], disk / "work")
    wrong = []
    for what, left in rooms:
        scene = SCENES[name](disk / "work")
        try:
            fill(disk, what)
            leave(disk, what, left)
            answer = faults.begun(scene, traced=False).answer()
            make_room(disk)
            found = faults.untold(scene, before, answer, errno.ENOSPC)
            wrong += [f"{left} {what}: {each}" for each in found + faults.judged(scene)]
        finally:
            make_room(disk)
            scene.end()
            shutil.rmtree(disk / "work")
    return wrong


def leave(disk: Path, what: str, left: int) -> None:
    """So much of what was filled is free again."""
    if what == "bytes":
        free(disk, left)
    for name in os.listdir(disk / "names")[:left] if what == "inodes" else ():
        (disk / "names" / name).unlink()


@pytest.mark.parametrize("disk", SIZES[:1], indirect=True)
@pytest.mark.parametrize(("name", "room"), FEW)
def test_nothing_is_lost_on_a_full_disk(
    name: str, room: tuple[str, int], count: Count, disk: Path
) -> None:
    count(f"full disk: {name}", 1, squeezed(name, disk, [room]))


@pytest.mark.proof
@pytest.mark.parametrize("name", SCENES)
def test_nothing_is_lost_whatever_room_is_left(name: str, count: Count, disk: Path) -> None:
    rooms = [*(("bytes", left) for left in BYTES), *(("inodes", left) for left in INODES)]
    count(f"full disk: {name}", len(rooms), squeezed(name, disk, rooms))
