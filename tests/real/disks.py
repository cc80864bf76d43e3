"""Filesystems of one's own: a file that is formatted and mounted. Only root may do that."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import pytest

MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
}
needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may mount, or be somebody else"
)


@contextmanager
def disk(kind: str, place: Path, megabytes: int = 320) -> Iterator[Path]:
    """A new filesystem at `place`; skips where this machine can't make or mount it."""
    make = MAKE[kind]
    if shutil.which(make[0]) is None:
        pytest.skip(f"{make[0]} is not installed")
    image = image_of(place)
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run([*make, str(image)], check=True, capture_output=True)
    place.mkdir()
    try:
        with mounted(place, "-o", "loop", str(image)):
            yield place
    finally:
        image.unlink()


def image_of(place: Path) -> Path:
    """In memory where there is room: a test shall not wait for what others write."""
    name = f"disk-{blake2b(bytes(place), digest_size=8).hexdigest()}.image"
    memory = Path("/dev/shm")
    return (memory if os.access(memory, os.W_OK) else place.parent) / name


@contextmanager
def small_disk(place: Path, how: str) -> Iterator[Path]:
    """A tmpfs with few bytes or few names: ``size=1m``, ``nr_inodes=20``."""
    place.mkdir(parents=True, exist_ok=True)
    with mounted(place, "-t", "tmpfs", "-o", how, "none"):
        yield place


@contextmanager
def mounted(place: Path, *how: str) -> Iterator[None]:
    if subprocess.run(["mount", *how, str(place)], capture_output=True).returncode:
        pytest.skip(f"mount {' '.join(how)} is not possible here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
