"""Write the workspace's ``.gitignore``: at once, and only over the very file that was read."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field

from artifact_janitor.apply import copies
from artifact_janitor.apply.ground import Ground, exchange, rename
from artifact_janitor.core.gitignore import FILE
from artifact_janitor.errors import OutOfReach, StepFailed, StepSkipped
from artifact_janitor.regular import open_regular

LARGEST = 4 << 20
"""Bytes; what is larger is something else."""


@dataclass(frozen=True, slots=True)
class Looks:
    """How a file looks beside its content; times in nanoseconds."""

    ino: int = 0
    size: int = 0
    mtime: int = 0
    mode: int = 0
    owner: tuple[int, int] = (-1, -1)
    attributes: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """The file as it was read; `content` is None where there is none."""

    content: bytes | None = None
    looks: Looks = field(default_factory=Looks)


class NoRules(StepSkipped):
    """What is there is no list of rules, and was none that we wrote."""


def read(ground: Ground) -> Found:
    """Raises NoRules for what Git itself would not read, OutOfReach where nobody can."""
    with ground.parent(FILE) as (folder, name):
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                raise NoRules(f"{FILE} is {_kind(status.st_mode)}", _MOVE)
            if status.st_size > LARGEST:
                raise NoRules(f"{FILE} is larger than any list of rules", _MOVE)
            with os.fdopen(open_regular(name, folder), "rb") as file:
                return Found(file.read(), _looks(file.fileno()))
        except FileNotFoundError:
            return Found()
        except OSError as error:
            raise OutOfReach(f"{FILE} can't be read: {error.strerror}", _MODE) from error


_MOVE = f"put a file in its place: what is in it is not Git's to follow: mv {FILE} elsewhere"
_MODE = f"chmod u+rw {FILE}"


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symlink, which Git does not follow"
    return "a folder" if stat.S_ISDIR(mode) else "no regular file"


def _looks(fd: int) -> Looks:
    status = os.fstat(fd)
    try:
        attributes = {name: os.getxattr(fd, name) for name in os.listxattr(fd)}
    except OSError:
        attributes = {}  # a filesystem without any
    return Looks(
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        stat.S_IMODE(status.st_mode),
        (status.st_uid, status.st_gid),
        attributes,
    )


def why_not(ground: Ground, found: Found) -> str:
    """What forbids to replace the file, or ""."""
    with ground.parent(FILE) as (folder, name):
        if found.content is None:
            return ""
        if os.stat(name, dir_fd=folder, follow_symlinks=False).st_nlink > 1:
            return f"{FILE} has a second name (a hard link), which would keep the old rules"
        if not found.looks.mode & stat.S_IWUSR:
            return f"{FILE} is read-only: chmod u+w {FILE}"
    return ""


def replace(
    ground: Ground, sweep: str, before: Found, content: bytes | None, mtime: int | None = None
) -> None:
    """Put `content`, or nothing where that is None, in the place of what was read before.

    Owner, mode and attributes stay. Raises StepSkipped where the file is another one by now,
    StepFailed where the disk says no; then all is as it was.
    """
    staging = copies.staging_for_top(sweep)
    path = f"{staging}/{FILE}"
    try:
        if content is None:
            _take_away(ground, before, path)
        else:
            copies.write(ground, content, path)
            _dress(ground, path, before, mtime)
            _put(ground, before, path)
        try:
            ground.sync([""])
        except StepFailed:
            _put_back(ground, before, content, path)
            raise
    finally:
        copies.discard(ground, staging)


def _dress(ground: Ground, path: str, before: Found, mtime: int | None) -> None:
    looks = before.looks
    with ground.parent(path) as (folder, name):
        fd = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            if before.content is not None:
                _give(fd, looks)
            if mtime is not None:
                os.utime(fd, ns=(mtime, mtime))
        except OSError as error:
            raise StepSkipped(f"{FILE} can't be made as it was: {error.strerror}") from error
        finally:
            os.close(fd)


def _give(fd: int, looks: Looks) -> None:
    status = os.fstat(fd)
    if (status.st_uid, status.st_gid) != looks.owner:
        os.fchown(fd, *looks.owner)
    for name, value in looks.attributes.items():
        os.setxattr(fd, name, value)
    os.fchmod(fd, looks.mode)


def _put(ground: Ground, before: Found, path: str) -> None:
    with ground.parent(path) as fresh, ground.parent(FILE) as place:
        if before.content is None:
            rename(fresh, place)
        elif exchange(fresh, place):
            if not _is(before, fresh):
                exchange(fresh, place)
                raise StepSkipped(_CHANGED)
        elif not _is(before, place):
            raise StepSkipped(_CHANGED)
        else:  # a filesystem that can't exchange
            os.rename(fresh[1], place[1], src_dir_fd=fresh[0], dst_dir_fd=place[0])


def _take_away(ground: Ground, before: Found, path: str) -> None:
    with ground.parent(FILE) as place, ground.parent(path, make=True) as aside:
        rename(place, aside)
        if not _is(before, aside):
            rename(aside, place)
            raise StepSkipped(_CHANGED)


def _put_back(ground: Ground, before: Found, content: bytes | None, path: str) -> None:
    """As it was before, where what was there still lies in `path`."""
    with ground.parent(FILE) as place, ground.parent(path) as aside:
        if content is None:
            rename(aside, place)
        elif before.content is None:
            rename(place, aside)
        elif _is(before, aside):
            exchange(aside, place)


_CHANGED = f"{FILE} was changed meanwhile"


def _is(before: Found, place: tuple[int, str]) -> bool:
    """Whether the very file that was read is there, as it was."""
    try:
        with os.fdopen(open_regular(place[1], place[0]), "rb") as file:
            now = _looks(file.fileno())
            same = (now.ino, now.size, now.mtime) == (
                before.looks.ino,
                before.looks.size,
                before.looks.mtime,
            )
            return same and file.read() == before.content
    except OSError:
        return False
