"""Disks that lose their power: a filesystem in a file, which is copied as often as one likes."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real.disks import MAKE, image_of

_SHUTDOWN, _WITHOUT_LOG = 0x8004587D, 2
"""FS_IOC_SHUTDOWN, and the way of it that flushes nothing, the log neither."""
_SIZE = {"ext4": 96 << 20, "xfs": 320 << 20}
"""Bytes; XFS wants no less."""
_BLOCKS = {"ext4": ["4096"], "xfs": ["size=4096"]}
"""As on disks of a usual size."""
_HOW = {"ext4": "loop,commit=600", "xfs": "loop"}
"""Nothing is brought to the disk because time goes by."""


@dataclass(frozen=True)
class Disk:
    """A filesystem at `place`, which is a folder that doesn't exist yet."""

    kind: str
    place: Path

    @property
    def image(self) -> Path:
        return image_of(self.place)

    @property
    def shelf(self) -> Path:
        """Where what was put aside lies."""
        return self.image.with_suffix(".aside")

    def make(self) -> None:
        """Skips where this machine can't make or mount one."""
        make = (*MAKE[self.kind], "-b", *_BLOCKS[self.kind])
        if shutil.which(make[0]) is None:
            pytest.skip(f"{make[0]} is not installed")
        with self.image.open("wb") as file:
            file.truncate(_SIZE[self.kind])
        subprocess.run([*make, str(self.image)], check=True, capture_output=True)
        self.place.mkdir()
        if self._mount():
            pytest.skip("no disk can be mounted here")

    def remove(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.place)], check=False)
        self.image.unlink(missing_ok=True)
        self.shelf.unlink(missing_ok=True)

    def _mount(self) -> int:
        command = ["mount", "-o", _HOW[self.kind], str(self.image), str(self.place)]
        return subprocess.run(command, check=False, capture_output=True).returncode

    def put_aside(self) -> None:
        """All that is on it, durable, to be taken up again and again."""
        subprocess.run(["sync", "-f", str(self.place)], check=True)
        self._unmount()
        _copied(self.image, self.shelf)
        assert not self._mount()

    def take_up(self) -> None:
        """As it was when it was put aside."""
        self._unmount()
        _copied(self.shelf, self.image)
        assert not self._mount()

    def _unmount(self) -> None:
        """At once, or once whoever is about to end has ended. Never lazily: SQLite would take the
        next journal with the same device and inode for one that is still open."""
        for _ in range(200):
            gc.collect()
            command = ["umount", str(self.place)]
            if not subprocess.run(command, check=False, capture_output=True).returncode:
                return
            time.sleep(0.05)
        raise AssertionError(f"somebody holds {self.place}")

    def cut_power(self) -> None:
        """What was not brought to the disk by now is lost, and whoever runs on it is dead. Then
        it is mounted anew, and has another device number: which one a disk gets when a machine
        starts is up to who is found first."""
        for pid in _on(self.place):
            os.kill(pid, signal.SIGKILL)
        before = os.stat(self.place).st_dev
        fd = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _WITHOUT_LOG))
        finally:
            os.close(fd)
        with open(f"/dev/loop{os.minor(before)}", "rb"):  # its number stays taken
            self._unmount()
            lost = self.image.with_suffix(".lost")
            self.image.rename(lost)
            _copied(lost, self.image)
            lost.unlink()
            assert not self._mount()
        assert os.stat(self.place).st_dev != before


def _copied(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    subprocess.run(["cp", "--sparse=always", str(source), str(target)], check=True)


def _on(place: Path) -> Iterator[int]:
    """Who works on a disk."""
    device = os.stat(place).st_dev
    for name in os.listdir("/proc"):
        if name.isdecimal() and int(name) != os.getpid():
            try:
                if os.stat(f"/proc/{name}/cwd").st_dev == device:
                    yield int(name)
            except OSError:
                continue


@contextmanager
def power(kind: str, place: Path) -> Iterator[Disk]:
    disk = Disk(kind, place)
    try:
        disk.make()
        yield disk
    finally:
        disk.remove()
