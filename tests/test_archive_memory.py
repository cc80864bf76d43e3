"""Memory doesn't grow with the unit: twenty gigabytes take no more than one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.account import myself
from tests.real.small import Small, small

RUN = "outputs/day/run"
GIGABYTE = 1 << 30
MORE = 24 << 20
"""Bytes by which two peaks of the same work may differ: threads and the allocator."""


def peak(work: Small, home: Path, *args: str) -> int:
    """The most memory that a command took, in bytes."""
    command = [sys.executable, "-m", "artifact_janitor", *args]
    running = subprocess.Popen(command, cwd=work.root, env=myself(home).env)
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0
    return used.ru_maxrss << 10


def allocated(root: Path, gigabytes: int) -> Small:
    """With a run of files that are allocated in full and read as zeros: nothing is saved as a
    hole would be, and no disk has to hold what comes out."""
    root.mkdir()
    work = small(root)
    run = root / work.hydra(30, RUN)
    for number in range(gigabytes):
        with (run / f"part-{number:02}.bin").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, GIGABYTE)
        os.utime(run / f"part-{number:02}.bin", (1_700_000_000, 1_700_000_000))
    return work


@pytest.mark.proof
def test_twenty_gigabytes_take_no_more_than_one(tmp_path: Path) -> None:
    if shutil.disk_usage(tmp_path).free < 45 * GIGABYTE:
        pytest.skip("there are no 45 GB free here")
    peaks = []
    for size in (1, 20):
        work = allocated(tmp_path / str(size), size)
        commands = (("archive", RUN, "--urgent"), ("verify",))
        peaks.append([peak(work, tmp_path, *each) for each in commands])
        shutil.rmtree(work.root)
    print([[each >> 20 for each in some] for some in peaks], "MiB")
    small_one, large_one = peaks
    assert all(large <= one + MORE for one, large in zip(small_one, large_one, strict=True))
