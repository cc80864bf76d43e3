"""Copies that wait beside the trash of a filesystem, under their final names, for their place.

Each is durable and was read back before anything is done with it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from artifact_janitor.apply import trash
from artifact_janitor.apply.ground import Ground, to_disk
from artifact_janitor.errors import StepFailed, StepSkipped, way_out
from artifact_janitor.regular import open_regular
from artifact_janitor.state import STATE
from artifact_janitor.units import format_size

PUBLISHING = "publishing"
"""The folder beside the trash in which copies are made, one folder for each sweep."""
_PIECE = 1 << 20
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CLONE = 0x40049409
"""FICLONE of linux/fs.h: the copy shares the blocks of its source."""
_NO_CLONE = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM)


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that waits for its place; `path` is in the workspace."""

    path: str
    bytes: int
    digest: str
    dev: int
    ino: int


def staging_for(ground: Ground, sweep: str, target: str) -> str:
    """The folder in which copies for a target wait: on its filesystem."""
    return f"{trash.state_of(ground, target)}/{PUBLISHING}/{sweep}"


def staging_for_top(sweep: str) -> str:
    """The same for a file beside the janitor's own folder."""
    return f"{STATE}/{PUBLISHING}/{sweep}"


def open_source(ground: Ground, source: str | Path) -> int:
    """A descriptor on the file that is to be published. Raises StepSkipped.

    In the workspace no name on the way may be a symlink; elsewhere only the last may not.
    """
    try:
        if isinstance(source, Path):
            return open_regular(source)
        with ground.parent(source) as (folder, name):
            return open_regular(name, dir_fd=folder)
    except OSError as error:
        raise StepSkipped(f"{source} can't be read: {error.strerror}") from error


def stage(ground: Ground, source: int, path: str, spare: int = 0) -> Staged:
    """Copy an open file to `path`, share its blocks where the filesystem can.

    Raises StepSkipped where it changes meanwhile, or the disk would be left with less than
    `spare` bytes, StepFailed where it says no. What was made then is the caller's to `discard`.
    """
    before = os.fstat(source)
    try:
        with ground.parent(path, make=True) as (folder, name):
            fd = os.open(name, _NEW, 0o666, dir_fd=folder)
            try:
                _give(fd, folder)
                digest = _copied(source, fd, before.st_size, spare)
                if _marks(os.fstat(source)) != _marks(before):
                    raise StepSkipped("it was written to while it was copied")
                to_disk(fd)
                if digest_of(fd) != digest:
                    raise StepFailed("what was read back is not what was written: a bad disk?")
                made = os.fstat(fd)
            finally:
                os.close(fd)
            os.fsync(folder)
    except OSError as error:
        hint = way_out(error, "make space")
        raise StepFailed(f"no copy can be made: {error.strerror}", hint) from error
    return Staged(path, made.st_size, digest, made.st_dev, made.st_ino)


def write(ground: Ground, content: bytes, path: str) -> Staged:
    """The same for what is only in memory."""
    try:
        with ground.parent(path, make=True) as (folder, name):
            fd = os.open(name, _NEW, 0o666, dir_fd=folder)
            with os.fdopen(fd, "wb") as file:
                _give(fd, folder)
                file.write(content)
                file.flush()
                os.fsync(fd)
                made = os.fstat(fd)
            os.fsync(folder)
    except OSError as error:
        hint = way_out(error, "make space")
        raise StepFailed(f"{path} can't be written: {error.strerror}", hint) from error
    return Staged(path, made.st_size, sha256(content).hexdigest(), made.st_dev, made.st_ino)


def discard(ground: Ground, folder: str, precious: Collection[int] = ()) -> None:
    """Remove a staging folder with all that is left in it, unless the inode of one of its files
    is `precious`: a model that was exchanged, and did not reach the trash."""
    if not precious_in(ground, folder, precious):
        try:
            trash.remove(ground, folder)
        except (StepSkipped, StepFailed):
            return  # there is none, or the next start removes it
        trash.prune(ground, folder)


def precious_in(ground: Ground, folder: str, precious: Collection[int]) -> bool:
    for above, _, names in os.walk(ground.workspace / folder):
        for name in names:
            if os.lstat(os.path.join(above, name)).st_ino in precious:
                return True
    return False


def clear(ground: Ground, is_dead: Callable[[str], bool], precious: Collection[int] = ()) -> None:
    """Remove the copies of sweeps whose janitor is gone, once what was begun is finished."""
    for state in ground.states:
        try:
            with ground.folder(f"{state}/{PUBLISHING}") as fd:
                names = os.listdir(fd)
        except StepSkipped:
            continue
        for name in filter(is_dead, names):
            discard(ground, f"{state}/{PUBLISHING}/{name}", precious)
        if not names:
            trash.prune(ground, f"{state}/{PUBLISHING}/none")


def _copied(source: int, target: int, size: int, spare: int) -> str:
    """The digest of what was copied."""
    if _cloned(source, target):
        return digest_of(target)
    disk = os.fstatvfs(target)
    free = disk.f_bavail * disk.f_frsize
    what = f"it needs {format_size(size)}, {format_size(free)} are free"
    if size > free:
        raise StepFailed(what, "make space")
    if size + spare > free:  # as it was asked for, and no failure
        raise StepSkipped(f"{what}, and {format_size(spare)} of them are to stay free")
    return digest_of(source, target)


def _cloned(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, _CLONE, source)
    except OSError as error:
        if error.errno in _NO_CLONE:
            return False
        raise
    return True


def digest_of(fd: int, copy: int | None = None) -> str:
    """SHA-256 of a whole file, which is written to `copy` as it is read."""
    seen, at = sha256(), 0
    while piece := os.pread(fd, _PIECE, at):
        seen.update(piece)
        at += len(piece)
        rest = memoryview(piece)
        while copy is not None and rest:
            rest = rest[os.write(copy, rest) :]
    return seen.hexdigest()


def _marks(status: os.stat_result) -> tuple[int, ...]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _give(fd: int, folder: int) -> None:
    """What root makes belongs to whom the folder belongs to."""
    owner = os.fstat(folder)
    if os.geteuid() == 0:
        os.fchown(fd, owner.st_uid, owner.st_gid)
