"""Reach into the workspace without ever being led out of it (S1).

Every path is opened name by name, that of a root which was resolved once too, and no name may
be a symlink: a folder that is swapped for one in mid-step ends the step, nothing else.

Only a cache and the workspace's own ``.gitignore`` may lie outside all roots: they are reached
from the workspace.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from artifact_janitor.core.gitignore import FILE
from artifact_janitor.core.model import CACHES, is_within, upward
from artifact_janitor.errors import DiskFailed, Gone, OutOfReach, StepFailed, StepSkipped
from artifact_janitor.state import STATE

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WAY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Folders above a root: we may go through them, and perhaps not list them."""
_NOREPLACE, _EXCHANGE = 1, 2
_NOT_HERE = (errno.EXDEV, errno.EACCES, errno.EPERM, errno.EBUSY, errno.ENOENT, errno.EROFS)
_LIBC = ctypes.CDLL(None, use_errno=True)
_RENAMEAT2: Any = getattr(_LIBC, "renameat2", None)
_SYNCFS: Any = getattr(_LIBC, "syncfs", None)


class Ground:
    """The places where the janitor may change something: its roots and its own folder."""

    def __init__(self, workspace: Path, roots: Sequence[str]) -> None:
        self.workspace = workspace
        self.roots = tuple(roots)
        self.states = (STATE, *(f"{root}/{STATE}" for root in self.roots))
        """The janitor's folders in which a trash may lie: the workspace's, and one each root's."""
        self._top = os.path.realpath(workspace)
        places = {root: os.path.realpath(workspace / root) for root in roots}
        places[STATE] = f"{self._top}/{STATE}"
        self._places = dict(sorted(places.items(), key=lambda item: len(item[0]), reverse=True))

    def root_of(self, path: str) -> str:
        """The root that a path lies in; "" for a cache or ``.gitignore`` in none. Raises
        StepSkipped for others."""
        for root in self._places:
            if path != root and is_within(path, root):
                return root
        if path == FILE or path.rpartition("/")[2] in CACHES:
            return ""
        raise StepSkipped(f"{path} lies in none of the configured folders")

    def names_of(self, real: str) -> list[str]:
        """What the workspace calls a real path; nothing where it lies in none of the roots."""
        found = (
            f"{root}{real[len(place) :]}"
            for root, place in self._places.items()
            if root != STATE and real != place and is_within(real, place)
        )
        return [*dict.fromkeys(found)]

    @contextmanager
    def folder(self, path: str, *, make: bool = False) -> Iterator[int]:
        """A descriptor on the folder at `path` in the workspace.

        `make` what is missing: in the trash for the owner alone, elsewhere as ``mkdir`` does.
        """
        root = path if path in self._places else self.root_of(path)
        with self._opened(root, path, make=make) as fd:
            yield fd

    @contextmanager
    def _opened(self, root: str, path: str, *, make: bool = False) -> Iterator[int]:
        mode = 0 if not make else 0o700 if STATE in path.split("/") else 0o777
        fd = _open_root(self._places.get(root, self._top), mode)
        way = path[len(root) :].removeprefix("/").split("/") if path != root else []
        try:
            for depth, name in enumerate(way, 1):
                try:
                    inner = _enter(fd, name, mode)
                except OSError as error:
                    raise _skipped("/".join(filter(None, (root, *way[:depth]))), error) from error
                os.close(fd)
                fd = inner
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def parent(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """A descriptor on the folder that holds `path`, and the name in it."""
        root = self.root_of(path)
        above, _, name = path.rpartition("/")
        with self._opened(root, above, make=make) as fd:
            yield fd, name

    def stat(self, path: str) -> os.stat_result:
        """``lstat``. Raises Gone where there is nothing, OutOfReach where nobody can tell."""
        with self.parent(path) as (fd, name):
            try:
                return os.stat(name, dir_fd=fd, follow_symlinks=False)
            except OSError as error:
                raise _skipped(path, error) from error

    def has(self, path: str) -> bool:
        """Whether anything is at `path`. Raises OutOfReach where nobody can tell: what can't be
        looked at is not gone (S7)."""
        try:
            self.stat(path)
        except Gone:
            return False
        return True

    def is_at(self, path: str, ino: int) -> bool:
        """Whether this very file or folder, and no later one, is at `path`. Raises OutOfReach
        where nobody can tell."""
        try:
            return self.stat(path).st_ino == ino
        except Gone:
            return False

    def sync(self, paths: Iterable[str]) -> None:
        """Make renames in these folders durable. Where one is gone, the next one around it that
        is there tells so. Raises DiskFailed."""
        for path in dict.fromkeys(paths):
            root = next((each for each in self._places if is_within(path, each)), "")
            next((each for each in (*upward(path), root) if self._is_synced(root, each)), None)

    def _is_synced(self, root: str, path: str) -> bool:
        try:
            with self._opened(root, path) as fd:
                os.fsync(fd)
        except StepSkipped:
            return False
        except OSError as error:
            if error.errno != errno.EINVAL:  # a filesystem that knows no such thing
                place = path or self._top
                why = f"what was done in {place} may not last: {error.strerror}"
                raise DiskFailed(why, "look after its disk, and run it again", place) from error
        return True


def _open_root(place: str, mode: int) -> int:
    """Name by name: where no symlink was when the root was resolved, none is followed later."""
    *above, last = place.strip("/").split("/")
    fd = os.open("/", _WAY)
    try:
        for name in above:
            inner = _made_or_opened(fd, name, _WAY, 0o777 if mode else 0)
            os.close(fd)
            fd = inner
        return _made_or_opened(fd, last or ".", _FOLDER, mode)
    except OSError as error:
        raise _skipped(place, error) from error
    finally:
        os.close(fd)


def _made_or_opened(fd: int, name: str, how: int, mode: int) -> int:
    try:
        return os.open(name, how, dir_fd=fd)
    except FileNotFoundError:
        if not mode:
            raise
    _make(fd, name, mode)
    return os.open(name, how, dir_fd=fd)


def _enter(fd: int, name: str, mode: int) -> int:
    """Open a folder in an open folder; one that is missing is made if there is a `mode`."""
    if name in ("", ".", ".."):
        raise StepSkipped(f"{name!r} is no name")
    if mode:
        _make(fd, name, mode)
    return os.open(name, _FOLDER, dir_fd=fd)


def _make(fd: int, name: str, mode: int) -> None:
    """A folder for the owner of the folder around it."""
    try:
        os.mkdir(name, mode, dir_fd=fd)
    except FileExistsError:
        return
    owner = os.fstat(fd)
    if os.geteuid() == 0:
        os.chown(name, owner.st_uid, owner.st_gid, dir_fd=fd, follow_symlinks=False)


def _skipped(path: str, error: OSError) -> StepSkipped:
    said = {
        errno.ENOENT: "is gone since the plan was made",
        errno.ELOOP: "is a symlink now",
        errno.ENOTDIR: "is a symlink or no folder now",
    }
    if error.errno in said:
        return Gone(f"{path} {said[error.errno]}")
    hint = "make space on its disk" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return OutOfReach(f"{path} is out of reach: {error.strerror}", hint, path)


def mount_of(fd: int) -> tuple[int, str]:
    """What an open folder is mounted from: a bind mount has the same device, another id."""
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as info:
            mount = next((line for line in info if line.startswith("mnt_id:")), "")
    except OSError:
        mount = ""
    return os.fstat(fd).st_dev, mount


def rename(source: tuple[int, str], target: tuple[int, str]) -> None:
    """Rename between two open folders, never over something that exists.

    Raises StepSkipped where it can't be done here, StepFailed where the disk says no.
    """
    code = _renameat2(source, target, _NOREPLACE)
    if code == 0:
        return
    why = f"{source[1]} can't be renamed: {os.strerror(code)}"
    if code in _NOT_HERE:
        raise StepSkipped(why)
    if code == errno.EEXIST:
        raise StepFailed(f"{target[1]} is there already", "move it away, then try again")
    if code in (errno.EINVAL, errno.ENOSYS):
        _rename_plainly(source, target)
        return
    raise DiskFailed(why)


def exchange(one: tuple[int, str], other: tuple[int, str]) -> bool:
    """Let two names in open folders change places, at once. False where the filesystem can't.

    Raises StepSkipped where it can't be done here, StepFailed where the disk says no.
    """
    code = _renameat2(one, other, _EXCHANGE)
    if code in (errno.EINVAL, errno.ENOSYS):
        return False
    if code in _NOT_HERE:
        raise StepSkipped(f"{other[1]} can't be exchanged: {os.strerror(code)}")
    if code:
        raise DiskFailed(f"{other[1]} can't be exchanged: {os.strerror(code)}")
    return True


def _renameat2(source: tuple[int, str], target: tuple[int, str], flags: int) -> int:
    """renameat2(2); 0 or the error number. A libc without it says ENOSYS."""
    if _RENAMEAT2 is None:
        return errno.ENOSYS
    old, new = os.fsencode(source[1]), os.fsencode(target[1])
    if _RENAMEAT2(source[0], old, target[0], new, flags) == 0:
        return 0
    return ctypes.get_errno()


def _rename_plainly(source: tuple[int, str], target: tuple[int, str]) -> None:
    """For filesystems that don't know RENAME_NOREPLACE: look first."""
    try:
        os.stat(target[1], dir_fd=target[0], follow_symlinks=False)
    except FileNotFoundError:
        try:
            os.rename(source[1], target[1], src_dir_fd=source[0], dst_dir_fd=target[0])
        except OSError as error:
            raise StepSkipped(f"{source[1]} can't be renamed: {error.strerror}") from error
    else:
        raise StepFailed(f"{target[1]} is there already", "move it away, then try again")


def to_disk(fd: int) -> None:
    """And out of the cache, so that what is read back comes from the disk."""
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def all_to_disk(fd: int) -> None:
    """All that was written to the filesystem of an open folder, at once: for many files that
    takes a fraction of the time that an fsync of each would. Raises OSError."""
    if _SYNCFS is None:
        os.sync()
    elif _SYNCFS(fd):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
