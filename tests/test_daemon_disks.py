"""The daemon on a disk that goes, is full, or can't be written to."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.real import retraining
from tests.real.disks import disk, image_of, needs_root, small_disk
from tests.real.retraining import TRAINER, WAITS, place, trains
from tests.real.small import Small, small
from tests.real.watching import watching

pytestmark = needs_root


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def project(root: Path) -> Small:
    work = small(root, "")
    trains(work, TRAINER + WAITS)
    return work


def test_a_disk_that_is_unmounted_and_comes_back(tmp_path: Path) -> None:
    """Nothing is made on the bare mount point, and what came meanwhile is seen."""
    spot = tmp_path / "disk"
    with disk("ext4", spot, megabytes=64):
        work = project(spot)
        with watching(work) as daemon:
            daemon.until(lambda: daemon.told()["last"]["scope"])
            subprocess.run(["umount", "--lazy", spot], check=True)
            daemon.until("is gone: was its disk unmounted?")
            assert os.listdir(spot) == []
            mount("-o", "loop", str(image_of(spot)), str(spot))
            daemon.until("is back")
            place(work)
            daemon.until("retrain eurusd/mlp")
            assert not daemon.says("is gone", times=2), daemon.said()
            assert daemon.end() == 0
        retraining.quiet(work)


def test_a_disk_that_is_read_only_for_a_while(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=64m") as spot:
        work = project(spot)
        with watching(work) as daemon:
            daemon.until(lambda: daemon.told()["last"]["scope"] and not daemon.children())
            mount("-o", "remount,ro", str(spot))
            daemon.until("is read-only: nothing can be done on it")
            daemon.send(signal.SIGHUP)
            daemon.until("error: handover: ")
            assert work.janitor("status").facts["daemon"]["pid"] == daemon.pid
            mount("-o", "remount,rw", str(spot))
            daemon.until("works again")
            place(work)
            daemon.until("retrain eurusd/mlp")
            assert daemon.end() == 0
        retraining.quiet(work)


def test_a_disk_that_is_full_for_a_while(tmp_path: Path) -> None:
    """What can't be prepared is said once, and done when there is room again."""
    with small_disk(tmp_path / "disk", "size=64m") as spot:
        work = project(spot)
        with watching(work) as daemon:
            daemon.until(lambda: daemon.told()["last"]["scope"] and not daemon.children())
            study = place(work)
            os.rename(study, later := work.root / "later.db")
            with (work.root / "filler").open("wb") as file, suppress(OSError):
                while True:
                    file.write(bytes(1 << 20))
                    file.flush()
            os.rename(later, study)
            daemon.until("disk is full: free some room")
            (work.root / "filler").unlink()
            daemon.until("retrain eurusd/mlp")
            assert daemon.end() == 0
            assert not daemon.says("disk is full: free some room", times=2), daemon.said()
        retraining.quiet(work)


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    yield
    assert not [
        line for line in Path("/proc/mounts").read_text().splitlines() if str(tmp_path) in line
    ]
