"""Where filesystems are mounted: below a mount point nothing is ours (S1)."""

from __future__ import annotations

import os
import re


def mount_points() -> frozenset[str]:
    """Absolute paths of all mount points, bind mounts included; none off Linux."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return frozenset()
    return frozenset(os.fsdecode(_unescape(line.split(b" ")[4])) for line in lines)


def _unescape(path: bytes) -> bytes:
    """The kernel writes spaces and the like as octal escapes."""
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), path)
