"""Bring a model and its sidecar to their place, and what was there into the trash.

A copy is made beside the trash of the target's filesystem, under its final name, because the
bytes that torch saves depend on it. It is made durable, and read back. Then each file takes its
place by one rename; where another file is, the kernel exchanges the two, so that under the
name of a model there is a whole one at every moment.

The sidecar goes first, and the model last: where a model gets its name, its sidecar stands. As
long as the two don't belong together, the SHA-256 in the sidecar is not that of the model, and
who reads both can tell.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from artifact_janitor.apply import trash
from artifact_janitor.apply.ground import Ground, exchange, rename, to_disk
from artifact_janitor.errors import Gone, StepFailed, StepSkipped
from artifact_janitor.journal import Move
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


# ------------------------------------------------------------------ staging


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
        raise StepFailed(f"no copy can be made: {error.strerror}", "make space") from error
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
        raise StepFailed(f"{path} can't be written: {error.strerror}", "make space") from error
    return Staged(path, made.st_size, sha256(content).hexdigest(), made.st_dev, made.st_ino)


Ours = Callable[[bytes], bool]
"""Whether a file that begins so is our own."""


def replace(ground: Ground, staged: Staged, target: str, ours: Ours) -> None:
    """Let a file take its place at once, over one of our own that is made anew each time.

    Raises StepSkipped where somebody else's file is there, or the place is out of reach.
    """
    if occupied(ground, target) is not None:
        with os.fdopen(open_source(ground, target), "rb") as file:
            if not ours(file.read(2048)):
                raise StepSkipped(f"{target} is not the janitor's own, and stays: move it away")
    with ground.parent(staged.path) as source, ground.parent(target, make=True) as place:
        try:
            os.rename(source[1], place[1], src_dir_fd=source[0], dst_dir_fd=place[0])
        except OSError as error:
            raise StepSkipped(f"{target} can't be written: {error.strerror}") from error


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


# ------------------------------------------------------------------ places


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one name: `fresh` comes from where it waits, `old` goes to the trash.

    One of them may be missing: a first publication has nothing old, and when it is undone
    nothing fresh comes.
    """

    fresh: Move | None
    old: Move | None

    @property
    def name(self) -> str:
        """The path in the workspace."""
        if self.fresh:
            return self.fresh.target
        assert self.old is not None
        return self.old.source


def changes(fresh: Iterable[Move], old: Iterable[Move]) -> list[Change]:
    """The renames of two steps, put together by name, in the order of the first."""
    coming, going = {each.target: each for each in fresh}, {each.source: each for each in old}
    names = dict.fromkeys((*coming, *going))
    return [Change(coming.get(name), going.get(name)) for name in names]


def occupied(ground: Ground, path: str) -> os.stat_result | None:
    """What is at a path where something is to be published, or None.

    Raises StepSkipped where it is no regular file, or nobody can tell.
    """
    try:
        status = ground.stat(path)
    except Gone:
        return None  # what stands in the way, if it is more than that, ends the rename
    if not stat.S_ISREG(status.st_mode):
        what = "a symlink" if stat.S_ISLNK(status.st_mode) else "no regular file"
        raise StepSkipped(f"{path} is {what}: move it away, and the model takes its place")
    return status


def stand(ground: Ground, moves: Iterable[Move]) -> bool:
    """Whether all is where these renames brought it."""
    return all(_lies(ground, move, move.target) for move in moves)


def unmake(ground: Ground, path: str) -> None:
    """Remove the folder that was made for a file which did not stay, if nothing is in it."""
    folder, _, name = path.rpartition("/")[0].rpartition("/")
    try:
        with ground.folder(folder) as fd:
            os.rmdir(name, dir_fd=fd)
    except (OSError, StepSkipped):
        return  # there is more in it


def carry_out(ground: Ground, every: Sequence[Change]) -> None:
    """Bring all to their place. Raises StepSkipped or StepFailed, and takes back what came.

    Where that fails too, `settle` finishes it at the next start.
    """
    done: list[Change] = []
    for change in every:
        if change.old:  # on a full disk there may be no room for them later
            with ground.parent(change.old.target, make=True):
                pass
    try:
        for change in every:
            _come(ground, change)
            done.append(change)
        for change in every:
            _to_trash(ground, change)
        ground.sync(_folders(every))
    except (StepSkipped, StepFailed):
        for change in reversed(done):
            _back(ground, change)
        raise


def settle(ground: Ground, every: Sequence[Change]) -> bool:
    """Finish what was begun. False where nothing was: then all is as it was before. Durable when
    its sweep is over.

    Raises StepSkipped or StepFailed where it can't be finished.
    """
    if not any(_is_begun(ground, each) for each in every):
        return False
    for change in every:
        if not _is_there(ground, change):
            _come(ground, change)
    for change in every:
        _to_trash(ground, change)
    return True


def _come(ground: Ground, change: Change) -> None:
    """One name: what is old waits where the fresh file was, or is in the trash already."""
    fresh, old = change.fresh, change.old
    if fresh is None:
        _move(ground, old, old.source, old.target) if old else None
    elif old is None or _lies(ground, old, old.target):
        _move(ground, fresh, fresh.source, fresh.target)
    elif not _exchange(ground, fresh, old):
        _move(ground, old, old.source, old.target)
        _move(ground, fresh, fresh.source, fresh.target)


def _exchange(ground: Ground, fresh: Move, old: Move) -> bool:
    """False where the filesystem can't. What was exchanged must be what was looked at."""
    with ground.parent(fresh.source) as waiting, ground.parent(fresh.target) as place:
        if not exchange(waiting, place):
            return False
        if not (_came(ground, fresh, fresh.target) and _came(ground, old, fresh.source)):
            exchange(waiting, place)
            raise StepSkipped(f"{fresh.target} was replaced by something else meanwhile")
    return True


def _back(ground: Ground, change: Change) -> None:
    """Take back what `_come` did."""
    fresh, old = change.fresh, change.old
    if fresh is None:
        _move(ground, old, old.target, old.source) if old else None
    elif old is not None and _lies(ground, old, fresh.source):
        with ground.parent(fresh.source) as waiting, ground.parent(fresh.target) as place:
            exchange(waiting, place)
    else:
        _move(ground, fresh, fresh.target, fresh.source)
        _move(ground, old, old.target, old.source) if old else None


def _to_trash(ground: Ground, change: Change) -> None:
    """What was exchanged."""
    if change.fresh and change.old and _lies(ground, change.old, change.fresh.source):
        _move(ground, change.old, change.fresh.source, change.old.target)


def _move(ground: Ground, what: Move, source: str, target: str) -> None:
    with ground.parent(source) as before, ground.parent(target, make=True) as after:
        rename(before, after)
        if not _came(ground, what, target):
            rename(after, before)
            raise StepSkipped(f"{source} was replaced by something else meanwhile")


def _is_there(ground: Ground, change: Change) -> bool:
    if change.fresh:
        return _lies(ground, change.fresh, change.fresh.target)
    return change.old is None or _lies(ground, change.old, change.old.target)


def _is_begun(ground: Ground, change: Change) -> bool:
    """Whether any rename of it was made."""
    gone = change.old is not None and _lies(ground, change.old, change.old.target)
    return gone or _is_there(ground, change)


def _came(ground: Ground, what: Move, path: str) -> bool:
    """Whether this very file was renamed to a path; where nobody can tell it goes back."""
    try:
        return _lies(ground, what, path)
    except StepSkipped:
        return False


def _lies(ground: Ground, what: Move, path: str) -> bool:
    """Whether this very file is at a path. Raises StepSkipped where nobody can tell."""
    try:
        return what.is_of(ground.stat(path))
    except Gone:
        return False


def _folders(every: Iterable[Change]) -> Iterator[str]:
    for change in every:
        for move in (change.fresh, change.old):
            if move:
                yield from (path.rpartition("/")[0] for path in (move.source, move.target))
