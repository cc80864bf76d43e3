"""How much is free on the filesystems that hold roots."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from artifact_janitor import mounts
from artifact_janitor.core.model import Filesystem
from artifact_janitor.state import STATE


def filesystems(base: Path, roots: Iterable[str]) -> tuple[Filesystem, ...]:
    """One for each, with the roots that lie on it; a root that isn't there is on none."""
    there: dict[str, list[str]] = {}
    free: dict[str, int] = {}
    for root in roots:
        try:
            which, status = _which(base / root), os.statvfs(base / root)
        except OSError:
            continue
        there.setdefault(which, []).append(root)
        free[which] = status.f_bavail * status.f_frsize
    own = _which(base / STATE if (base / STATE).is_dir() else base)
    return tuple(
        Filesystem(
            tuple(found),
            free[which],
            tuple(f"{place}{STATE}/trash" for place in _trashes(found, is_own=which == own)),
        )
        for which, found in there.items()
    )


def _trashes(roots: Iterable[str], *, is_own: bool) -> Iterable[str]:
    """Where a trash may lie: beside each root, as ``mount --bind`` needs it, and in our own."""
    return [*([""] if is_own else []), *(f"{root}/" for root in roots)]


def _which(path: Path) -> str:
    """The name of the filesystem that holds a path, the same in all its subvolumes.

    Btrfs gives each of those a device number of its own, but their room is one.
    """
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as info:
            mount = next(line.split()[1] for line in info if line.startswith("mnt_id:"))
        known = {row[0]: row[2] for row in map(bytes.split, mounts.lines())}
        return known[mount.encode()].decode()
    except (OSError, StopIteration, KeyError):
        return f"device {os.fstat(fd).st_dev}"
    finally:
        os.close(fd)
