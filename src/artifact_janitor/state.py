"""The janitor's own folder ``.janitor/``, and the kernel locks that live in it (S13)."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
            hint = f"check the permissions of {self.workspace}"
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                hint = MAKE_ROOM
            raise _unusable(self.folder, str(error.strerror), hint) from error

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
        path = self.folder / "sweeps" / name
        fd = self._hold(path)
        try:
            yield
            path.unlink(missing_ok=True)
        finally:
            os.close(fd)

    def is_open_to_us(self) -> bool:
        """Whether the folder is there, and whoever we are may make things in it."""
        own = (self.folder, self.folder / "sweeps")
        return all(not each.is_symlink() and os.access(each, os.W_OK | os.X_OK) for each in own)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder to work in, which nobody takes away as long as we live; it goes with us. Needs
        what `is_open_to_us` says."""
        name = f"{SCRATCH}{os.getpid()}-{time.time_ns():x}"
        lock, folder = self.folder / "sweeps" / name, self.folder / name
        fd = self._hold(lock)
        try:
            folder.mkdir(mode=0o700)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)
            os.close(fd)

    def clear(self) -> None:
        """Remove what a killed janitor had in its scratch folder."""
        for left in self.folder.glob(f"{SCRATCH}*"):
            if self.is_dead(left.name):
                shutil.rmtree(left, ignore_errors=True)

    def _hold(self, path: Path) -> int:
        """A locked descriptor on a file that nobody took away before it was locked."""
        while True:
            try:
                fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise _unusable(path, str(error.strerror), MAKE_ROOM) from error
            try:
                _lock(fd, path)
            except JanitorError:
                os.close(fd)
                raise
            if path.exists() and os.path.samestat(path.stat(), os.fstat(fd)):
                self.own(path)
                return fd
            os.close(fd)

    def is_dead(self, name: str) -> bool:
        """Whether the janitor that opened this sweep is gone; the kernel knows."""
        try:
            with open(self.folder / "sweeps" / name, encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return True
        except OSError:
            return False  # it is held, or nobody can tell
        return True

    def held(self) -> list[str]:
        """The sweeps that somebody opened, and did not see to its end yet."""
        return os.listdir(self.folder / "sweeps")

    def forget(self, name: str) -> None:
        """Take away what a dead sweep left. Under its lock: whoever opens one of the same name
        at this moment has it, or makes it anew."""
        path = self.folder / "sweeps" / name
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return  # there is none, or nobody can tell
        try:
            with suppress(OSError):  # it is held; or the next start tries again
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        finally:
            os.close(fd)


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


def _unusable(path: Path, why: str, hint: str) -> JanitorError:
    return JanitorError(f"{path} can't be used: {why}", hint, str(path))
