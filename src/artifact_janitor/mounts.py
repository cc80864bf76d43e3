"""Where filesystems are mounted: below a mount point nothing is ours (S1)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

_REMOTE = (
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "lustre", "ceph", "afs", "gpfs", "beegfs"),
    *("orangefs", "ocfs2", "gfs2", "glusterfs", "virtiofs", "vboxsf", "prl_fs", "fuse", "fuseblk"),
)


@dataclass(frozen=True, slots=True)
class Mount:
    """A filesystem where it is mounted; ``type`` as the kernel names it, "ext4" or "nfs4"."""

    point: str
    type: str
    read_only: bool


def mount_of(path: str) -> Mount | None:
    """The filesystem that a real, absolute path lies on; None where the kernel doesn't say."""
    mounts = map(_mount, lines())
    around = [each for each in mounts if f"{path}/".startswith(f"{each.point.rstrip('/')}/")]
    return max(around[::-1], key=lambda each: len(each.point), default=None)  # the last covers


def is_remote(kind: str) -> bool:
    """Whether others may write there without this kernel knowing, and it may not answer."""
    return kind.partition(".")[0] in _REMOTE


def _mount(line: bytes) -> Mount:
    """See proc(5): ID, parent, device, root, point, options, optional fields, "-", type,
    source, options of the filesystem."""
    first, _, second = line.partition(b" - ")
    fields, more = first.split(b" "), second.split(b" ")
    options = {*fields[5].split(b","), *more[-1].split(b",")}
    point = os.fsdecode(unescape(fields[4]))
    return Mount(point, os.fsdecode(more[0]), b"ro" in options)


def mount_points() -> frozenset[str]:
    """Absolute paths of all mount points, bind mounts included; none off Linux."""
    return frozenset(os.fsdecode(unescape(line.split(b" ")[4])) for line in lines())


def lines() -> list[bytes]:
    """All mounts as the kernel tells them, see proc(5); none where it doesn't."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            return file.read().splitlines()
    except OSError:
        return []


def unescape(path: bytes) -> bytes:
    """The kernel writes spaces and the like as octal escapes."""
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), path)
