"""The daemon on a disk that goes, is full, or can't be written to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real import retraining
from tests.real.disks import disk, needs_root, small_disk
from tests.real.retraining import STUDY, place, trains
from tests.real.small import Small, small
from tests.real.watching import watching

MODEL = "models/hpo_derived/eurusd/final_model_mlp.pth"
pytestmark = needs_root


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def project(root: Path) -> Small:
    work = small(root, "")
    trains(work)
    return work


def test_a_disk_that_is_unmounted_and_comes_back(tmp_path: Path) -> None:
    """Nothing is made on the bare mount point, and what came meanwhile is seen."""
    spot = tmp_path / "disk"
    with disk("ext4", spot, megabytes=64):
        work = project(spot)
        image = subprocess.run(
            ["findmnt", "-no", "SOURCE", spot], check=True, capture_output=True, text=True
        ).stdout.strip()
        with watching(work) as daemon:
            daemon.until(lambda: daemon.told()["last"]["scope"])
            subprocess.run(["umount", "--lazy", spot], check=True)
            daemon.until("is gone: was its disk unmounted?")
            assert os.listdir(spot) == []
            mount(image, str(spot))
            daemon.until("is back")
            place(work)
            daemon.until(f"publish {MODEL}")
            assert not daemon.says("is gone", times=2), daemon.said()
            assert daemon.end() == 0
        retraining.quiet(work)


def test_a_disk_that_is_read_only_for_a_while(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=64m") as spot:
        work = project(spot)
        with watching(work) as daemon:
            daemon.until(lambda: daemon.told()["last"]["scope"] and not daemon.children())
            place(work)
            os.unlink(work.root / STUDY)
            mount("-o", "remount,ro", str(spot))
            daemon.until("Read-only file system")
            mount("-o", "remount,rw", str(spot))
            place(work)
            daemon.until(f"publish {MODEL}")
            assert daemon.end() == 0
        retraining.quiet(work)


def test_a_disk_that_is_full_for_a_while(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=64m") as spot:
        work = project(spot)
        with watching(work) as daemon:
            daemon.until(lambda: daemon.told()["last"]["scope"] and not daemon.children())
            place(work)
            daemon.until(f"publish {MODEL}")
        retraining.quiet(work)


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    yield
    assert not [
        line for line in Path("/proc/mounts").read_text().splitlines() if str(tmp_path) in line
    ]
