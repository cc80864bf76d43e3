"""Mounts, overlays, loop devices and roots keep a run that no program has open (S2)."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer

import pytest

from tests.real.small import Small, done, small, why
from tests.test_liveness import RUN, program

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


@pytest.fixture
def work(tmp_path: Path) -> Small:
    found = small(tmp_path)
    found.hydra(30, RUN)
    return found


@pytest.fixture
def bound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Path]]:
    """Mounts something, until the end of the test."""
    places: list[Path] = []

    def mount(*how: str) -> Path:
        place = tmp_path_factory.mktemp("mounted")
        if subprocess.run(["mount", *how, str(place)], capture_output=True).returncode:
            pytest.skip(f"mount {' '.join(how)} is not possible here")
        places.append(place)
        return place

    yield mount
    for place in reversed(places):
        subprocess.run(["umount", str(place)], check=True)


def mounting(what: Path, place: Path) -> list[str]:
    """Before the words of a command: it alone sees that mount, as in a container."""
    bind = f"mount --bind '{what}' '{place}'; exec \"$@\""
    return ["unshare", "--mount", "sh", "-c", bind, "sh"]


@pytest.mark.parametrize("what", [RUN, f"{RUN}/train.log"])
def test_a_run_that_is_mounted_elsewhere_stays(
    work: Small, what: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As a container's volume, where nobody has a file open."""
    place = tmp_path_factory.mktemp("other")
    if what.endswith(".log"):
        place = place / "volume log"
        place.touch()
    with program("pass", place, mounting(work.root / what, place)) as process:
        plan = work.janitor("plan")
        assert plan.rows("steps") == []
        assert f"pid {process.pid} (python" in why(plan, RUN)
        assert f"has it mounted at {place}" in why(plan, RUN)
    assert done(work.janitor("run", "--yes")) == {RUN}


def test_a_run_that_is_mounted_where_we_see_it_stays(
    work: Small, bound: Callable[..., Path]
) -> None:
    place = bound("--bind", str(work.root / RUN))
    assert f"it is mounted at {place}" in why(work.janitor("plan"), RUN)


def test_what_is_mounted_with_all_around_it_is_not_in_use(
    work: Small, bound: Callable[..., Path]
) -> None:
    """The workspace is a container's volume, or on a disk that is mounted twice."""
    for what in (".", "outputs", "outputs/day"):
        bound("--bind", str(work.root / what))
    assert done(work.janitor("run", "--yes")) == {RUN}


def test_a_run_in_a_workspace_that_is_mounted_itself(
    tmp_path: Path, bound: Callable[..., Path]
) -> None:
    """The janitor in a container knows the disk of its workspace by a part of it alone."""
    (disk := tmp_path / "disk").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(disk)], check=True)
    try:
        (disk / "part").mkdir()
        work = small(bound("--bind", str(disk / "part")))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    work.hydra(30, RUN)
    (place := tmp_path / "place").mkdir()
    with program("pass", place, mounting(work.root / RUN, place)):
        assert f"has it mounted at {place}" in why(work.janitor("plan"), RUN)


def test_a_layer_of_an_overlay_stays(work: Small, bound: Callable[..., Path]) -> None:
    layers = {}
    for each in ("lowerdir", "upperdir", "workdir"):
        layers[each] = work.root / work.hydra(30, f"outputs/day/{each}") / "a: layer, of it"
        layers[each].mkdir()
    escaped = {each: str(path).replace(",", "\\,") for each, path in layers.items()}
    escaped["lowerdir"] = escaped["lowerdir"].replace(":", "\\:")
    place = bound("-t", "overlay", "-o", ",".join(map("=".join, escaped.items())), "none")
    plan = work.janitor("plan")
    for each in layers:
        assert f"the overlay at {place} lies on it" in why(plan, f"outputs/day/{each}")
    assert [step["path"] for step in plan.rows("steps")] == [RUN]


def test_what_a_loop_device_is_made_of_stays(work: Small) -> None:
    image = work.root / RUN / "disk.img"
    image.write_bytes(bytes(1 << 20))
    os.utime(image, (work.root / RUN / "train.log").stat()[7:9])
    losetup = ["losetup", "--read-only", "--show", "--find", str(image)]
    made = subprocess.run(losetup, capture_output=True, text=True)
    if made.returncode:
        pytest.skip("no loop device can be made here")
    try:
        assert f"{made.stdout.strip()} is made of it" in why(work.janitor("plan"), RUN)
    finally:
        subprocess.run(["losetup", "--detach", made.stdout.strip()], check=True)


def test_a_run_that_is_the_root_of_a_program_stays(work: Small) -> None:
    chroot = "import os; os.chdir('/'); os.chroot(path)"
    with program(chroot, work.root / RUN) as process:
        plan = work.janitor("plan")
        assert f"pid {process.pid}" in why(plan, RUN)
        assert "has it as its root" in why(plan, RUN)


def test_a_filesystem_that_never_answers_is_not_asked(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A program listens below the point where it was mounted later. Who looks there waits."""
    libc, place = ctypes.CDLL(None), os.fsencode(tmp_path_factory.mktemp("silent"))
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(place + b"/socket")
        try:
            device = os.open("/dev/fuse", os.O_RDWR)
        except OSError:
            pytest.skip("no filesystem of our own is possible here")
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
        if libc.mount(b"none", place, b"fuse", 0, options):
            os.close(device)
            pytest.skip("no filesystem of our own can be mounted here")
        end = Timer(30, libc.umount2, [place, _AT_ONCE])
        end.start()
        try:
            assert work.janitor("plan").rows("steps")
            assert end.is_alive(), "it waited for an answer"
        finally:
            end.cancel()
            libc.umount2(place, _AT_ONCE)
            os.close(device)


_AT_ONCE = 3
"""MNT_FORCE and MNT_DETACH: whoever waits is told that it is gone."""
