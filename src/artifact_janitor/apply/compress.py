"""Write a file once more, compressed: durable, read back, and dressed like the first (S9).

It is written in the janitor's own folder on the same filesystem, and gets its name only when
all of it was read back; the file itself is never written to. ``zstdcat`` reads it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256

from artifact_janitor.apply import trash
from artifact_janitor.apply.archive.flow import CHUNK, Compressed, Expanded, ahead
from artifact_janitor.apply.ground import Ground, rename, to_disk
from artifact_janitor.core.compressing import NO_GAIN
from artifact_janitor.errors import ArchiveError, StepFailed, StepSkipped, way_out
from artifact_janitor.journal import Move
from artifact_janitor.regular import open_regular
from artifact_janitor.units import format_size

FOLDER = "compressing"
"""The folder beside the trash in which files lie that are being written."""
SPARE = 1 << 20
"""Bytes that the disk must have beyond those that the file takes now."""

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Tick = Callable[[str, int], None]
"""What is being done, and how many bytes of content were done since the last call."""


@dataclass(frozen=True, slots=True)
class Order:
    """The file at `path` is to be compressed into one at `part`; `is_same` tells by its
    ``fstat`` whether it is still the one that was looked at."""

    path: str
    part: str
    level: int
    is_same: Callable[[os.stat_result], bool]


@dataclass(frozen=True, slots=True)
class Made:
    """A compressed file that was read back, under its temporary name: how it looks, and the
    bytes that it takes."""

    part: str
    dev: int
    ino: int
    marks: str
    bytes: int


def part_of(ground: Ground, sweep: str, path: str, number: int) -> str:
    """Where the compressed form of a file is written."""
    return f"{trash.state_of(ground, path)}/{FOLDER}/{sweep}/{number}"


def marks(status: os.stat_result) -> str:
    """How a file looks that nobody wrote to or replaced since."""
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def write(ground: Ground, order: Order, tick: Tick) -> Made:
    """Compress a file, and read all of it back.

    Raises StepSkipped where it changed meanwhile, can't be read or gains nothing, StepFailed
    where the disk says no. Then nothing is left of it.
    """
    try:
        with _opened(ground, order) as source:
            return _written(ground, order, source, tick)
    except BaseException as error:
        discard(ground, order.part)
        if isinstance(error, OSError):
            hint = f"the log is untouched; {way_out(error, 'make space on its disk')}"
            raise StepFailed(f"it can't be compressed: {error.strerror}", hint) from error
        if isinstance(error, ArchiveError):
            said = f"what was written is not what was read: {error.message}"
            raise StepFailed(said, "the log is untouched") from error
        raise


@dataclass(frozen=True, slots=True)
class _Source:
    """A file that is open to be read, as it was when it was opened."""

    fd: int
    path: str
    status: os.stat_result

    @property
    def bytes(self) -> int:
        """Allocated."""
        return self.status.st_blocks * 512

    def must_be_unchanged(self) -> None:
        """A change that puts the mtime back still shows in the ctime."""
        now, before = os.fstat(self.fd), self.status
        if (marks(now), now.st_ctime_ns) != (marks(before), before.st_ctime_ns):
            raise StepSkipped(f"{self.path} changed while it was compressed")


@contextmanager
def _opened(ground: Ground, order: Order) -> Iterator[_Source]:
    """Raises StepSkipped where it isn't the file that was looked at."""
    with ground.parent(order.path) as (around, name):
        try:
            fd = open_regular(name, around)
        except OSError as error:
            raise StepSkipped(f"{order.path} can't be read: {error.strerror}") from error
    try:
        source = _Source(fd, order.path, os.fstat(fd))
        if source.status.st_nlink != 1 or not order.is_same(source.status):
            raise StepSkipped("changed since the plan was made")
        yield source
    finally:
        os.close(fd)


def _written(ground: Ground, order: Order, source: _Source, tick: Tick) -> Made:
    with ground.parent(order.part, make=True) as (folder, name):
        _check_space(folder, source)
        fd = os.open(name, _NEW, 0o600, dir_fd=folder)
        try:
            digest = _compress(source, fd, order.level, tick)
            to_disk(fd)
            _must_be(fd, source, digest, tick)
            source.must_be_unchanged()
            _dress(fd, source)
            to_disk(fd)
            status = os.fstat(fd)
        finally:
            os.close(fd)
    if status.st_blocks * 512 >= source.bytes:
        raise StepSkipped(NO_GAIN)
    size = status.st_blocks * 512
    return Made(order.part, status.st_dev, status.st_ino, marks(status), size)


def _check_space(folder: int, source: _Source) -> None:
    """As if it got no smaller: others write to this disk, too."""
    disk = os.fstatvfs(folder)
    free, needed = disk.f_bavail * disk.f_frsize, source.bytes + SPARE
    if needed > free:
        what = f"it may need {format_size(needed)} until the trash is purged"
        raise StepFailed(f"{what}, {format_size(free)} are free", "make space on its disk")


def _compress(source: _Source, fd: int, level: int, tick: Tick) -> str:
    """The digest of the content. One that gains nothing is given up in the middle."""
    seen = sha256()
    compressed = Compressed(fd, level, source.status.st_size)

    def content() -> Generator[bytes]:
        at, end = 0, source.status.st_size
        while at < end:
            chunk = os.pread(source.fd, min(CHUNK, end - at), at)
            if not chunk:
                raise StepSkipped(f"{source.path} changed while it was compressed")
            if compressed.size >= source.bytes:
                raise StepSkipped(NO_GAIN)
            seen.update(chunk)
            at += len(chunk)
            tick("compressing", len(chunk))
            yield chunk

    with closing(ahead(content())) as chunks:
        compressed.write(chunks)
    return seen.hexdigest()


def _must_be(fd: int, source: _Source, digest: str, tick: Tick) -> None:
    """Read what was written, and compare its content with what was read of the file."""
    seen, size = sha256(), 0
    os.lseek(fd, 0, os.SEEK_SET)
    for chunk in Expanded(fd).chunks():
        seen.update(chunk)
        size += len(chunk)
        tick("reading back", len(chunk))
    if (size, seen.hexdigest()) != (source.status.st_size, digest):
        raise ArchiveError("its content is another one")


def _dress(fd: int, source: _Source) -> None:
    """Owner, attributes, mode and times of the file. Each step may undo what comes later, so
    the order counts. Raises StepSkipped for what can't be kept."""
    old, new = source.status, os.fstat(fd)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        try:
            os.fchown(fd, old.st_uid, old.st_gid)
        except OSError as error:
            raise StepSkipped(f"its owner can't be kept: {error.strerror}") from error
    for name in _attributes(source.fd):
        _set_attribute(fd, name, os.getxattr(source.fd, name))
    os.fchmod(fd, stat.S_IMODE(old.st_mode))
    os.utime(fd, ns=(old.st_atime_ns, old.st_mtime_ns))


def _attributes(fd: int) -> list[str]:
    try:
        return os.listxattr(fd)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise


def _set_attribute(fd: int, name: str, value: bytes) -> None:
    try:
        if name not in _attributes(fd) or os.getxattr(fd, name) != value:
            os.setxattr(fd, name, value)
    except OSError as error:
        raise StepSkipped(f"its attribute {name} can't be kept: {error.strerror}") from error


# ------------------------------------------------------------------- names


def place(ground: Ground, made: Made, target: str) -> None:
    """Give a compressed file its name, durably or not at all, and never over what is there. The
    folder keeps its mtime, so that undo can bring it back: the next rename, of the original,
    changes it."""
    with ground.parent(made.part) as part, ground.parent(target) as there:
        before = os.fstat(there[0]).st_mtime_ns
        try:
            rename(part, there)
        except StepFailed as error:
            if ground.has(target):
                raise StepSkipped(f"{target} is there already") from error
            raise
        trash.set_mtime(there[0], before)
        try:
            ground.sync([target.rpartition("/")[0]])
        except StepFailed:
            rename(there, part)
            raise


def withdraw(ground: Ground, move: Move, looked: str) -> bool:
    """Take a compressed file away again whose original is at its place; whether nothing of it
    is left. One that was written to or replaced since stays: `looked` are its marks.

    The move's target is where the file came from, and goes back to.
    """
    if not ground.has(move.source):
        return True
    if marks(ground.stat(move.source)) != looked:
        return False
    with ground.parent(move.source) as there, ground.parent(move.target, make=True) as part:
        before = os.fstat(there[0]).st_mtime_ns
        rename(there, part)
        is_ours = marks(os.stat(part[1], dir_fd=part[0], follow_symlinks=False)) == looked
        if not is_ours:
            rename(part, there)
        trash.set_mtime(there[0], before)
    discard(ground, move.target)
    return is_ours


def discard(ground: Ground, part: str) -> None:
    """Remove what has no name yet, and the folders made for it."""
    if ground.has(part):
        trash.remove(ground, part)
    _prune(ground, part.rpartition("/")[0])


def clear(ground: Ground, sweep: str) -> None:
    """Remove all that a sweep that was killed left unfinished. Raises StepFailed."""
    for folder in _folders(ground, sweep):
        if ground.has(folder):
            trash.remove(ground, folder)
    tidy(ground, sweep)


def tidy(ground: Ground, sweep: str) -> None:
    """Remove a sweep's folders where nothing waits in them any more. They stay until then: what
    has its name may have to go back, and a full disk has no room for a folder."""
    for folder in _folders(ground, sweep):
        _prune(ground, folder)


def _folders(ground: Ground, sweep: str) -> list[str]:
    return [f"{state}/{FOLDER}/{sweep}" for state in ground.states]


def _prune(ground: Ground, folder: str) -> None:
    """Remove a sweep's folder, and the one around it, where nothing is in them."""
    for path in (folder, folder.rpartition("/")[0]):
        above, _, name = path.rpartition("/")
        try:
            with ground.folder(above) as fd:
                os.rmdir(name, dir_fd=fd)
        except (OSError, StepSkipped):
            continue  # another log is in it, or it was never made
