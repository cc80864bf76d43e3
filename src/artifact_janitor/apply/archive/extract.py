"""Unpack archives, and trust nothing in them (S14).

Everything goes into a folder that was made for it, name by name, through no symlink, and over
nothing that is there. Content comes first, compared with its digest; symlinks are made when no
file will be written any more; attributes of folders are set last. Devices and the like are no
members at all. What is unpacked is moved to its place by whoever asked.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from artifact_janitor.apply.archive.check import Files, Pieces, contents
from artifact_janitor.apply.archive.manifest import (
    FILE,
    FOLDER,
    LINK,
    PIPE,
    SYMLINK,
    Head,
    Manifest,
    Member,
)
from artifact_janitor.apply.archive.pack import Tick
from artifact_janitor.apply.ground import all_to_disk
from artifact_janitor.core.model import is_within, upward
from artifact_janitor.errors import ArchiveError, StepFailed
from artifact_janitor.units import format_size

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SPECIAL = 0o6000
"""The set-user-id and set-group-id bits."""
NO_ROOM = "make space, or name another place: --to FOLDER"
_UNSETTABLE = (errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.EINVAL, errno.ERANGE, errno.E2BIG)
"""What a filesystem or the system says of an attribute that it will not have here."""
A_MEMBER = 4096
"""Bytes that a name may take on the disk, beside its content."""


@dataclass(slots=True)
class Selection:
    """What of an archive is wanted, from its manifest: paths of members, or all.

    `instead` names, for a file that is not wanted but has a wanted further name, that name.
    """

    head: Head
    digest: str = ""
    every: bool = True
    wanted: frozenset[str] = frozenset()
    found: set[str] = field(default_factory=set)
    instead: dict[str, str] = field(default_factory=dict)
    members: int = 0
    stored: int = 0
    """Bytes of content."""
    beside: list[str] = field(default_factory=list)
    """The symlinks beside the unit that come with it."""
    last: str = ""
    """The last member that is needed: what follows need not be read."""

    def has(self, path: str) -> bool:
        return self.every or any(each in self.wanted for each in upward(path))


def select(manifest: BinaryIO, wanted: Collection[str]) -> Selection:
    """Read a manifest to its end. `wanted` are members by their paths in the workspace or in
    the unit; a folder means all below it; none means everything.

    Raises ArchiveError where one of them is not in the archive.
    """
    manifest.seek(0)
    read = Manifest(manifest)
    unit = read.head.unit
    names = {each.rstrip("/"): _whole(each.rstrip("/"), unit) for each in wanted}
    chosen = Selection(read.head, every=not wanted, wanted=frozenset(names.values()))
    for member in read.members():
        _choose(chosen, member)
    for name, path in names.items():
        if path not in chosen.found:
            hint = "janitor archives NAME lists its members"
            raise ArchiveError(f"{name} is not in the archive", hint)
    chosen.digest = read.digest
    return chosen


def _whole(name: str, unit: str) -> str:
    return name if is_within(name, unit) else f"{unit}/{name}"


def _choose(chosen: Selection, member: Member) -> None:
    if not chosen.has(member.path):
        return
    chosen.found |= chosen.wanted & {*upward(member.path)}
    if chosen.every and not is_within(member.path, chosen.head.unit):
        chosen.beside.append(member.path)
    chosen.members += 1
    chosen.stored += member.stored
    chosen.last = member.path
    if member.type == LINK and not chosen.has(member.target):
        if member.target not in chosen.instead:
            chosen.stored += member.size
        chosen.instead.setdefault(member.target, member.path)


def unpack(files: Files, chosen: Selection, into: int, tick: Tick) -> int:
    """Unpack what was chosen below the open folder `into`, under its path in the workspace, and
    durably: it is about to get names that people trust.

    Returns how many extended attributes could not be set.

    Raises ArchiveError for what is damaged or hostile, StepFailed where the disk says no;
    what was unpacked till then lies in `into`.
    """
    manifest = files.manifest
    files.rewind()
    _check_space(into, chosen)
    try:
        with _Below.opened(into) as below:
            _unpack_content(files, chosen, below, tick)
            for member in _wanted(manifest, chosen, SYMLINK):
                below.symlink(member)
            for member in _wanted(manifest, chosen, FOLDER):
                below.finish(member)
            unset = below.unset
        all_to_disk(into)
    except OSError as error:
        what = f"it can't be unpacked: {error.strerror}"
        raise StepFailed(what, NO_ROOM if error.errno == errno.ENOSPC else "") from error
    return unset


def _check_space(into: int, chosen: Selection) -> None:
    disk = os.statvfs(into)
    free, needed = disk.f_bavail * disk.f_frsize, chosen.stored + chosen.members * A_MEMBER
    if needed > free:
        what = f"it needs up to {format_size(needed)}, {format_size(free)} are free there"
        raise StepFailed(what, NO_ROOM)


def _again(manifest: BinaryIO) -> Manifest:
    manifest.seek(0)
    return Manifest(manifest)


def _wanted(manifest: BinaryIO, chosen: Selection, kind: str) -> Iterator[Member]:
    for member in _again(manifest).members():
        if member.type == kind and chosen.has(member.path):
            yield member


def _unpack_content(files: Files, chosen: Selection, below: _Below, tick: Tick) -> None:
    """Stops as soon as all that is wanted is out."""
    with closing(contents(files.archive.fileno(), Manifest(files.manifest))) as members:
        for member, content in members:
            path = chosen.instead.get(member.path, member.path)
            if chosen.has(path):
                below.add(member._replace(path=path), _counted(content, tick), chosen)
            if not chosen.every and member.path == chosen.last:
                return


def _counted(content: Pieces, tick: Tick) -> Pieces:
    for piece in content:
        yield piece
        tick(len(piece))


class _Below:
    """A folder and all that is made below it; the folders on the way down stay open."""

    def __init__(self, fd: int) -> None:
        self._fds = [fd]
        self._names: list[str] = []
        self._owner = os.fstat(fd).st_uid
        self._early: set[str] = set()
        """Folders that were needed before their own turn came, or that never have one."""
        self.unset = 0
        """Extended attributes that could not be set."""

    @classmethod
    @contextmanager
    def opened(cls, fd: int) -> Iterator[_Below]:
        below = cls(fd)
        try:
            yield below
        finally:
            below._leave(0)

    def _leave(self, depth: int) -> None:
        while len(self._names) > depth:
            self._names.pop()
            os.close(self._fds.pop())

    def _around(self, path: str) -> tuple[int, str]:
        """A descriptor on the folder that holds a path, which is made where it is missing."""
        *names, last = path.split("/")
        same = 0
        for ours, theirs in zip(self._names, names, strict=False):
            if ours != theirs:
                break
            same += 1
        self._leave(same)
        for name in names[same:]:
            if _made(self._fds[-1], name):
                self._early.add("/".join((*self._names, name)))
            self._fds.append(_entered(self._fds[-1], name, path))
            self._names.append(name)
        return self._fds[-1], last

    def add(self, member: Member, content: Pieces, chosen: Selection) -> None:
        """Anything but a symlink, which must wait."""
        with _told(member):
            if member.type == FILE:
                self._file(member, content)
            elif member.type == FOLDER:
                self._folder(member.path)
            elif member.type == LINK:
                self._link(member, chosen)
            elif member.type == PIPE:
                self._pipe(member)

    def _file(self, member: Member, content: Pieces) -> None:
        fd, name = self._around(member.path)
        file = os.open(name, _NEW, 0o600, dir_fd=fd)
        try:
            _fill(file, member, content)
            self._dress(file, member)
            os.utime(file, ns=(member.mtime_ns, member.mtime_ns))
        finally:
            os.close(file)

    def _folder(self, path: str) -> None:
        fd, name = self._around(path)
        if path in self._early:
            self._early.remove(path)
        else:
            os.mkdir(name, 0o700, dir_fd=fd)

    def _link(self, member: Member, chosen: Selection) -> None:
        """To a file that came before; whatever else is there can't be linked to."""
        target = chosen.instead.get(member.target, member.target)
        if member.target in chosen.instead and target == member.path:
            return  # it stands for the file itself
        with _Below.opened(self._fds[0]) as other:
            around, first = other._around(target)
            fd, name = self._around(member.path)
            os.link(first, name, src_dir_fd=around, dst_dir_fd=fd, follow_symlinks=False)

    def _pipe(self, member: Member) -> None:
        fd, name = self._around(member.path)
        os.mkfifo(name, 0o600, dir_fd=fd)
        if os.geteuid() == 0:
            os.chown(name, member.uid, member.gid, dir_fd=fd, follow_symlinks=False)
        path = f"/proc/self/fd/{fd}/{name}"
        os.chmod(path, member.mode & ~_SPECIAL)
        self._set_times(fd, name, member)

    def symlink(self, member: Member) -> None:
        with _told(member):
            fd, name = self._around(member.path)
            os.symlink(member.target, name, dir_fd=fd)
            if os.geteuid() == 0:
                os.chown(name, member.uid, member.gid, dir_fd=fd, follow_symlinks=False)
            self._set_times(fd, name, member)

    def _set_times(self, fd: int, name: str, member: Member) -> None:
        times = (member.mtime_ns, member.mtime_ns)
        os.utime(name, ns=times, dir_fd=fd, follow_symlinks=False)

    def finish(self, member: Member) -> None:
        """The attributes of a folder, once nothing is made in it any more."""
        with _told(member):
            around, name = self._around(member.path)
            fd = os.open(name, _FOLDER, dir_fd=around)
            try:
                self._dress(fd, member)
                os.utime(fd, ns=(member.mtime_ns, member.mtime_ns))
            finally:
                os.close(fd)

    def _dress(self, fd: int, member: Member) -> None:
        """Owner, attributes, mode. Only root can give things away."""
        if os.geteuid() == 0:
            os.fchown(fd, member.uid, member.gid)
        for name, value in member.xattrs:
            self.unset += not _set_xattr(fd, name, value)
        mode = member.mode
        theirs = member.uid == os.fstat(fd).st_uid == self._owner
        if member.type != FOLDER and not theirs:
            mode &= ~_SPECIAL
        os.fchmod(fd, mode)


def _made(fd: int, name: str) -> bool:
    try:
        os.mkdir(name, 0o700, dir_fd=fd)
    except FileExistsError:
        return False
    return True


def _entered(fd: int, name: str, path: str) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=fd)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise ArchiveError(f"{path!r:.200} lies in what is no folder") from error
        raise


@contextmanager
def _told(member: Member) -> Iterator[None]:
    """What only a hostile or damaged archive can meet; the rest is the disk's."""
    what = {
        errno.EEXIST: "is in the archive twice",
        errno.ENOENT: "is a further name of what is not in the archive",
        errno.EPERM: "can't be what the archive says",
        errno.ENAMETOOLONG: "has a name that is too long here",
        errno.EFBIG: "is larger than a file can be here",
        errno.EINVAL: "has a size or a time that can't be",
    }
    try:
        yield
    except OSError as error:
        if error.errno not in what:
            raise
        raise ArchiveError(f"{member.path!r:.200} {what[error.errno]}") from error


def _fill(file: int, member: Member, content: Pieces) -> None:
    if member.sparse is None:
        for piece in content:
            _write(file, piece)
        return
    os.ftruncate(file, member.size)
    at = 0
    spans = iter(member.sparse)
    left = 0
    for piece in content:
        while len(piece):
            if not left:
                at, left = next(spans)
                os.lseek(file, at, os.SEEK_SET)
            part = piece[:left]
            _write(file, part)
            left -= len(part)
            piece = piece[len(part) :]


def _write(file: int, piece: bytes | memoryview) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(file, rest) :]


def _set_xattr(fd: int, name: str, value: bytes) -> bool:
    """Whether it could be set: a filesystem may have none, and labels belong to the system."""
    try:
        os.setxattr(fd, name, value)
    except OSError as error:
        if error.errno not in _UNSETTABLE:
            raise
        return False
    return True
