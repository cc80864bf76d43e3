"""The janitor's own folder ``.janitor/``, and the kernel locks that live in it (S13)."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from artifact_janitor.errors import JanitorError, Locked
from artifact_janitor.regular import open_regular

STATE = ".janitor"
HANDOVER = "handover.lock"
DAEMON = "daemon.lock"
SCRATCH = "scratch-"
"""How the names of folders begin in which a janitor lays out what it asks others about."""
PATIENCE = 10.0
"""Seconds that a step waits for another janitor's step before it gives up."""


MOMENT = 0.5
"""The same for the daemon's lock: whoever asks for its holder has it for a moment."""

MAKE_ROOM = "the disk is full: free 2 MB on it, e.g. in ~/.cache, and run it again"


_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class State:
    """``.janitor/`` of one workspace. `prepare` makes it; all else expects it."""

    may_make: ClassVar[bool] = True
    """False where it is known to be there: then a disk that was unmounted shall not get one on
    its bare mount point."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self.folder = workspace / STATE
        self.journal = self.folder / "journal.db"

    def prepare(self) -> None:
        """Make the folder, for the workspace's owner alone: the trash may hold secrets.

        Raises JanitorError where it is a symlink or can't be made.
        """
        try:
            for folder in (self.folder, self.folder / "sweeps"):
                no_link(folder)
                if self.may_make or folder != self.folder:
                    folder.mkdir(mode=0o700, exist_ok=True)
                self.own(folder)
            for file in ("lock", HANDOVER, self.journal.name, ".gitignore"):
                self._touch(self.folder / file)
            if not (ignore := self.folder / ".gitignore").stat().st_size:
                ignore.write_text("# made by artifact-janitor\n*\n", encoding="utf-8")
        except OSError as error:
            raise _told(self.folder, error, self.workspace) from error

    def _touch(self, file: Path) -> None:
        no_link(file)
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(file, flags, 0o600))
        if not file.is_file():
            raise _unusable(file, "it is no regular file", "move it away")
        self.own(file)

    def own(self, path: Path) -> None:
        """What root makes here belongs to the workspace's owner, who must be able to undo."""
        owner = self.workspace.stat()
        if os.geteuid() == 0 and path.lstat().st_uid != owner.st_uid:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    @contextmanager
    def step(self) -> Iterator[None]:
        """The lock that a step holds. Raises Locked after `PATIENCE` seconds."""
        with self._locked("lock"):
            yield

    @contextmanager
    def handover(self) -> Iterator[None]:
        """The lock of all that becomes of studies and trainings, beside that of a step: neither
        waits for the other. Raises Locked after `PATIENCE` seconds."""
        with self._locked(HANDOVER):
            yield

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with open(self.folder / name, "r+", encoding="utf-8") as file:
            _lock(file.fileno(), self.folder / name)
            _sign(file.fileno())
            yield

    def holder(self, name: str = "lock") -> str:
        """Who holds the lock of a step at this moment, or another one, or "". Raises OSError."""
        try:
            with os.fdopen(open_regular(self.folder / name), "rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return file.read().decode(errors="replace").strip() or "a process"
        except FileNotFoundError:
            return ""
        return ""

    def watched(self) -> int:
        """A descriptor that holds the lock of the one daemon. Raises Locked where another one
        has it, and JanitorError where it can't be taken."""
        path = self.folder / DAEMON
        try:
            self._touch(path)
            fd = _locked_for_good(path)
        except Locked:
            who = self.holder(DAEMON) or "a process"
            hint = "end that one first, or look at: janitor status"
            raise Locked(f"another daemon watches this workspace: {who}", hint, str(path)) from None
        except OSError as error:
            raise _unusable(path, str(error.strerror), "see janitor doctor") from error
        with open(path, "r+", encoding="utf-8") as file:
            _sign(file.fileno())
        return fd

    @contextmanager
    def sweep(self, name: str) -> Iterator[None]:
        """Hold a sweep open: as long as we live, nobody takes it for a dead one. Raises Locked
        after `PATIENCE` seconds where another janitor has one of this name open."""
        with self._held(name) as folder:
            yield
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)

    def is_open_to_us(self) -> bool:
        """Whether the folder is there, and whoever we are may make things in it."""
        own = (self.folder, self.folder / "sweeps")
        return all(not each.is_symlink() and os.access(each, os.W_OK | os.X_OK) for each in own)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder to work in, which nobody takes away as long as we live; it goes with us. Needs
        what `is_open_to_us` says."""
        name = f"{SCRATCH}{os.getpid()}-{time.time_ns():x}"
        folder = self.folder / name
        with self._held(name) as sweeps:
            try:
                folder.mkdir(mode=0o700)
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                with suppress(OSError):
                    os.unlink(name, dir_fd=sweeps)

    def clear(self) -> None:
        """Remove what a killed janitor had in its scratch folder."""
        for left in self.folder.glob(f"{SCRATCH}*"):
            if self.is_dead(left.name):
                shutil.rmtree(left, ignore_errors=True)

    @contextmanager
    def _sweeps(self) -> Iterator[int]:
        """The folder of the locks of sweeps, open: no symlink that takes its place leads what is
        made and removed in it anywhere else (S1). Raises OSError."""
        own = os.open(self.folder, _FOLDER)
        try:
            fd = os.open("sweeps", _FOLDER, dir_fd=own)
        finally:
            os.close(own)
        try:
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def _held(self, name: str) -> Iterator[int]:
        """With the lock of a sweep, the folder that it lies in."""
        path = self.folder / "sweeps" / name
        with ExitStack() as opened:
            try:
                folder = opened.enter_context(self._sweeps())
                fd = self._hold(folder, path)
            except OSError as error:
                raise _told(path, error, self.folder) from error
            opened.callback(os.close, fd)
            yield folder

    def _hold(self, folder: int, path: Path) -> int:
        """A locked descriptor on a file that nobody took away before it was locked."""
        while True:
            fd = os.open(path.name, _LOCK, 0o600, dir_fd=folder)
            try:
                _lock(fd, path)
                if _is_at(folder, path.name, fd):
                    self._give(fd)
                    return fd
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    def _give(self, fd: int) -> None:
        owner = self.workspace.stat()
        if os.geteuid() == 0 and os.fstat(fd).st_uid != owner.st_uid:
            os.fchown(fd, owner.st_uid, owner.st_gid)

    def is_dead(self, name: str) -> bool:
        """Whether the janitor that opened this sweep is gone; the kernel knows."""
        try:
            with self._sweeps() as folder, _opened(folder, name) as fd:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return True
        except OSError:
            return False  # it is held, or nobody can tell
        return True

    def held(self) -> list[str]:
        """The sweeps that somebody opened, and did not see to its end yet. Raises JanitorError
        where nobody can tell."""
        try:
            with self._sweeps() as folder:
                return os.listdir(folder)
        except OSError as error:
            raise _told(self.folder / "sweeps", error, self.folder) from error

    def forget(self, name: str) -> None:
        """Take away what a dead sweep left. Under its lock: whoever opens one of the same name
        at this moment has it, or makes it anew."""
        with suppress(OSError), self._sweeps() as folder, _opened(folder, name) as fd:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # else it lives
            os.unlink(name, dir_fd=folder)


@contextmanager
def _opened(folder: int, name: str) -> Iterator[int]:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield fd
    finally:
        os.close(fd)


def _is_at(folder: int, name: str, fd: int) -> bool:
    """Whether an open file still has this name."""
    try:
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(fd))


def no_link(path: Path) -> None:
    """Raises JanitorError where a link stands for what must be the workspace's own: through
    it SQLite would make its files, and the trash its folders, somewhere else (S1)."""
    if os.path.islink(path):
        hint = "remove the link, or put back what it names; what it leads to is left alone"
        raise _unusable(path, "it is a symlink", hint)


def _lock(fd: int, path: Path) -> None:
    """Raises Locked after `PATIENCE` seconds, and JanitorError on a disk that knows no locks."""
    try:
        _acquire(fd, PATIENCE, path)
    except OSError as error:
        raise _unusable(path, f"no lock: {error.strerror}", "see janitor doctor") from error


def _acquire(fd: int, patience: float, path: Path) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise _held(path) from None
            time.sleep(0.05)


def _locked_for_good(path: Path) -> int:
    """A descriptor with the lock: one that only reads keeps nobody from making the filesystem
    read-only, but where NFS wants one that writes. Raises Locked and OSError."""
    for mode in (os.O_RDONLY, os.O_RDWR):
        fd = os.open(path, mode | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _acquire(fd, MOMENT, path)
        except BaseException as error:
            os.close(fd)
            if mode != os.O_RDONLY or not _wants_to_write(error):
                raise
        else:
            return fd
    raise AssertionError


def _wants_to_write(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EBADF


def _sign(fd: int) -> None:
    """Say in the lock who holds it. On a full disk it says nothing, and holds as well."""
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"pid {os.getpid()}\n".encode(), 0)
    except OSError:
        pass


def _held(path: Path) -> Locked:
    holder = path.read_text(encoding="utf-8", errors="replace").strip() or "a process"
    return Locked(f"another janitor holds this workspace: {holder}", "try again later", str(path))


def _told(path: Path, error: OSError, around: Path) -> JanitorError:
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    hint = MAKE_ROOM if is_full else f"check the permissions of {around}"
    return _unusable(path, str(error.strerror), hint)


def _unusable(path: Path, why: str, hint: str) -> JanitorError:
    return JanitorError(f"{path} can't be used: {why}", hint, str(path))
