"""Jobs on this machine: a program of its own for each, which outlives the janitor."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pwd
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from artifact_janitor.errors import StepFailed
from artifact_janitor.executors import (
    CANCEL,
    EXIT,
    JOB,
    LATER,
    LOCK,
    LOG,
    OUT,
    RESULT,
    Handle,
    Spec,
    Status,
    cookie_of,
    runner,
    survivors,
)
from artifact_janitor.regular import open_regular

OURS = "JANITOR_"
"""What the variables begin with that steer a janitor, and no training."""
UNITS = "ARTIFACT_JANITOR_UNITS"
"""Set in the units that `janitor service install` writes: whose systemd trainings are given to."""
_SERVICE = {UNITS, "INVOCATION_ID", "JOURNAL_STREAM", "NOTIFY_SOCKET", "SYSTEMD_EXEC_PID"}
_SERVICE |= {"WATCHDOG_PID", "WATCHDOG_USEC"}
"""What systemd tells a service about itself. A training is none of its own."""
CHUNK = 64 << 10
"""Bytes of a log that are read at once."""
LARGEST = 1 << 20
"""Bytes of a small file that a job leaves; a larger one is none of ours."""
START = 60.0
"""Seconds that a runner may take to stand on its own."""
_AGAIN = 0.02
"""Seconds between two tries."""


class Local:
    """The jobs in one folder, `jobs`. Raises StepFailed where the system says no."""

    def __init__(self, jobs: Path) -> None:
        self.jobs = jobs

    def submit(self, spec: Spec) -> Handle:
        """Begin it, unless it was begun. What is written last makes it a job."""
        handle = Handle(spec.token, spec.folder)
        try:
            if not (spec.folder / JOB).exists():
                write(spec.folder / JOB, _described(spec))
            lock = _locked(spec.folder)
            if lock is not None:
                with os.fdopen(lock):
                    if not runner.was_begun(spec.folder, lock):
                        self._begin(spec, lock)
        except (OSError, subprocess.SubprocessError) as error:
            raise StepFailed(f"the job can't be started: {said(error)}") from error
        return handle

    def _begin(self, spec: Spec, lock: int) -> None:
        """The runner inherits the lock, so that it is held without a gap."""
        owner = spec.folder.stat()
        with open_log(spec.folder) as log:
            _given(log.fileno(), spec.folder)
            done = subprocess.run(
                [*runner_of(spec.folder), str(lock)],
                cwd="/",
                env=environment(os.environ, owner.st_uid),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
                timeout=START,
                check=False,
                **identity(owner),
            )
        if done.returncode:
            raise StepFailed(f"the job can't be started: see {spec.folder / LOG}")

    def resume(self, handle: Handle) -> None:
        """Submit again what a killed janitor may not have begun."""
        self.submit(spec_of(handle))

    def status(self, handle: Handle) -> Status:
        """Its last word counts, then the lock; what has neither, and once began, is lost."""
        if (word := _last_word(handle)) is not None:
            return word
        try:
            was = begun(handle.folder)
        except OSError as error:
            return Status("LOST", why=f"its {LOCK} can't be read: {error.strerror}")
        if was is None:
            return Status("RUNNING")
        if (word := _last_word(handle)) is not None:  # it was said between the two looks
            return word
        if (handle.folder / CANCEL).exists():
            return Status("CANCELLED")
        if not was:
            return Status("PENDING")
        return Status("LOST", why="it ended without a word: was the machine restarted?")

    def logs(self, handle: Handle, offset: int) -> tuple[bytes, int]:
        """The next piece of its log, and the offset of what follows."""
        try:
            fd = open_regular(handle.folder / LOG)
        except OSError:
            return b"", offset
        with os.fdopen(fd, "rb") as file:
            piece = os.pread(file.fileno(), CHUNK, offset)
        return piece, offset + len(piece)

    def cancel(self, handle: Handle) -> None:
        """Ask its runner to end it; it stays cancelled, whether it was begun or not."""
        try:
            flags = os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(handle.folder / CANCEL, flags, 0o600))
        except OSError as error:
            raise StepFailed(f"the job can't be cancelled: {said(error)}") from error

    def bury(self, handle: Handle) -> None:
        """End what is left of a job whose runner is gone, before the next one for its key."""
        until = time.monotonic() + START
        try:
            cookie = cookie_of(handle.folder)
        except OSError:
            return  # its folder went, and that only once it was over
        while survivors.marked(cookie):
            if begun(handle.folder) is None:
                return  # its runner sees to them
            survivors.end(cookie, signal.SIGKILL)
            if time.monotonic() > until:
                raise StepFailed(f"processes of job {handle.token} can't be ended")
            time.sleep(_AGAIN)

    def find(self, token: str) -> Handle | None:
        folder = self.jobs / token
        return Handle(token, folder) if (folder / JOB).exists() else None


def spec_of(handle: Handle) -> Spec:
    """What was asked for. Raises OSError or ValueError where nobody can tell any more."""
    job = _read(handle.folder / JOB)
    try:
        token, argv, cwd, deadline, term = (
            job[each] for each in ("token", "argv", "cwd", "deadline", "term")
        )
        return Spec(token, handle.folder, argv, Path(cwd), float(deadline), float(term))
    except (LookupError, TypeError, OverflowError) as error:
        raise ValueError(f"{JOB} is not what was written: {error}") from error


def _described(spec: Spec) -> dict[str, object]:
    return {
        "token": spec.token,
        "argv": [*spec.argv],
        "cwd": str(spec.cwd),
        "deadline": spec.deadline,
        "term": spec.term,
    }


def _locked(folder: Path) -> int | None:
    """The job's lock, from here on held; None where a runner holds it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(folder / LOCK, flags, 0o600)
    for _ in range(10):  # whoever asks for a job's status holds it for a moment
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_AGAIN)
        else:
            _given(fd, folder)
            return fd
    os.close(fd)
    return None


def runner_of(folder: Path) -> list[str]:
    """The program that sees a job to its end; nothing is imported from where it starts."""
    return [sys.executable, "-P", "-m", "artifact_janitor.executors.runner", str(folder)]


def open_log(folder: Path) -> Any:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(folder / LOG, flags, 0o600), "wb", buffering=0)


def _given(fd: int, folder: Path) -> None:
    """What root makes belongs to whom the folder belongs to."""
    owner = folder.stat()
    if os.geteuid() == 0 and os.fstat(fd).st_uid != owner.st_uid:
        os.fchown(fd, owner.st_uid, owner.st_gid)


def identity(owner: os.stat_result) -> dict[str, Any]:
    """How a program is started as the workspace's owner, where root starts it."""
    if os.geteuid() != 0 or owner.st_uid == 0:
        return {}
    try:
        name = pwd.getpwuid(owner.st_uid).pw_name
        groups = os.getgrouplist(name, owner.st_gid)
    except KeyError:
        groups = []
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": groups}


def environment(environ: Mapping[str, str], uid: int) -> dict[str, str]:
    """That of whoever calls, without what steers the janitor or tells of its service; with the
    home of the owner."""
    found = {
        name: value
        for name, value in environ.items()
        if not name.startswith(OURS) and name not in _SERVICE
    }
    if uid != os.geteuid():
        with suppress(KeyError):
            entry = pwd.getpwuid(uid)
            found |= {"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name}
    return found


def begun(folder: Path) -> bool | None:
    """Whether a runner ever was at work here; None while one is."""
    try:
        fd = open_regular(folder / LOCK)
    except FileNotFoundError:
        return False
    with os.fdopen(fd, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return bool(file.read(1))


def _last_word(handle: Handle) -> Status | None:
    try:
        word = _read(handle.folder / EXIT)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return Status("FAILED", why=f"{EXIT} can't be read: {error}")
    code, number, reason = word.get("code"), word.get("signal"), word.get("reason")
    why = str(word.get("why") or "")
    if reason == "cancelled":
        return Status("CANCELLED", code)
    if reason == "deadline":
        return Status("FAILED", code, "it was not done before its deadline")
    if code == LATER:
        return Status("LATER", code, "it asked to be tried again later (exit 75)")
    if code != 0:
        return Status("FAILED", code, why or _how(code, number))
    if not _has_result(handle.folder):
        return Status("FAILED", code, f"it ended well (exit 0), and left no {OUT}/{RESULT}")
    return Status("SUCCEEDED", code)


def _how(code: object, number: object) -> str:
    if isinstance(number, int):
        with suppress(ValueError):
            return f"{signal.Signals(number).name} ended it"
        return f"signal {number} ended it"
    return f"it ended with exit {code}"


def _has_result(folder: Path) -> bool:
    try:
        return stat.S_ISREG(os.lstat(folder / OUT / RESULT).st_mode)
    except OSError:
        return False


def _read(path: Path) -> dict[str, Any]:
    """A small JSON object. Raises OSError and ValueError."""
    with os.fdopen(open_regular(path), "rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError("it is too large")
    try:
        found = json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return found


def write(path: Path, content: Mapping[str, object]) -> None:
    """All of it or nothing, and durable."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="ascii") as file:
        _given(file.fileno(), path.parent)
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def said(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.ENOENT):
        return f"{error.strerror}: {error.filename}"
    return str(error)
