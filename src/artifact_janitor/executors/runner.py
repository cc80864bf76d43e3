"""One training, from its start to its end: ``python -m artifact_janitor.executors.runner FOLDER``.

It outlives the janitor that began it, and tells what became of the training by files in the
job's folder alone: the lock is held as long as it lives, and ``exit.json`` is its last word.
A second runner on the same folder finds one of the two, and leaves.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from artifact_janitor import notify
from artifact_janitor.executors import (
    CANCEL,
    COOKIE,
    ENVIRONMENT,
    EXIT,
    JOB,
    LOCK,
    LOG,
    cookie_of,
    survivors,
)

POLL = 0.1
"""Seconds between two looks at the training."""
LINGER = 10.0
"""Seconds that what a trainer left behind may go on after its end, before it is ended too."""
LONGEST_LOG = 64 << 20
"""Bytes of the log that are kept: the first half of these, and the last."""
_AGAIN = 0.02
"""Seconds between two tries to get the lock."""
_PAD = 4096
"""Bytes that wait for the last word, which must find room on a full disk."""
_SUBREAPER, _DEATHSIG = 36, 1
_PUNCH, _KEEP_SIZE = 2, 1
_LIBC: Any = ctypes.CDLL(None, use_errno=True)


def main(folder: Path, lock: int | None) -> int:
    """Run the job in `folder`. An open, locked descriptor says that a janitor began us, which
    waits until we stand on our own; else it may be systemd, which waits as well."""
    fd = _opened(folder) if lock is None else lock
    if not _is_ours(fd) or was_begun(folder, fd):
        return 0
    job = json.loads((folder / JOB).read_text("ascii"))
    if lock is not None and not _alone():
        return 0
    os.set_inheritable(fd, False)
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"pid {os.getpid()}\n".encode(), 0)
    notify.ready(f"training {folder.name}")
    _take_environment(folder / ENVIRONMENT)
    _LIBC.prctl(_SUBREAPER, 1, 0, 0, 0)
    with _last_word(folder) as say:
        say(_Training(folder, job).ended())
    return 0


def was_begun(folder: Path, lock: int) -> bool:
    """Whether a runner was here before, or none shall be any more. What the first one began may
    have outlived it, so it is never begun again in the same folder."""
    over = any((folder / each).exists() for each in (EXIT, CANCEL))
    return over or bool(os.pread(lock, 1, 0))


def _opened(folder: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(folder / LOCK, flags, 0o600)


def _is_ours(fd: int) -> bool:
    """Whether we hold the lock now. Whoever asks for a job's status holds it for a moment."""
    for _ in range(10):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_AGAIN)
        else:
            return True
    return False


def _take_environment(file: Path) -> None:
    """What the janitor left for us, where nobody hands it to us on the way. It may hold secrets,
    so it is there no longer than needed."""
    with contextlib.suppress(FileNotFoundError):
        found = json.loads(file.read_text("ascii"))
        file.unlink()
        os.environ.clear()
        os.environ.update(found)


def _alone() -> bool:
    """A child in a session of its own goes on; whoever waits for us is free."""
    if os.fork():
        return False
    os.setsid()
    return True


@contextlib.contextmanager
def _last_word(folder: Path) -> Iterator[Any]:
    """Room for ``exit.json`` is taken before the training starts."""
    draft = folder / f"{EXIT}.new"
    fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(fd, b" " * _PAD)

        def say(word: Mapping[str, object]) -> None:
            os.pwrite(fd, json.dumps(word).encode().ljust(_PAD), 0)
            os.fsync(fd)
            draft.rename(folder / EXIT)
            _sync(folder)

        yield say
    finally:
        os.close(fd)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@dataclass
class _Training:
    """The trainer and all that it starts."""

    folder: Path
    job: Mapping[str, Any]
    trainer: int = 0
    code: int | None = None
    """As ``waitpid`` says it: minus the signal's number where one ended it."""

    def ended(self) -> dict[str, object]:
        """Start it, and see it to its end, or end it. Returns what ``exit.json`` says."""
        self.log = os.open(
            self.folder / LOG,
            os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW,
            0o600,
        )
        try:
            trainer = self._started()
        except OSError as error:
            return self._never_started(error)
        self.trainer = trainer.pid
        reason = self._watched()
        if reason != "exit" or not self._all_gone(LINGER):
            self._end()
        trainer.returncode = self.code  # it was reaped here
        assert self.code is not None
        by_signal = -self.code if self.code < 0 else None
        return _word(None if by_signal else self.code, by_signal, reason)

    def _started(self) -> subprocess.Popen[bytes]:
        me = os.getpid()

        def with_us() -> None:
            """Where we are killed, so is the trainer: never two of them for one key."""
            _LIBC.prctl(_DEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != me:
                os._exit(1)

        return subprocess.Popen(
            self.job["argv"],
            cwd=self.job["cwd"],
            env={**os.environ, COOKIE: cookie_of(self.folder)},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
            preexec_fn=with_us,  # noqa: PLW1509 - we have one thread
        )

    def _never_started(self, error: OSError) -> dict[str, object]:
        what = error.filename if error.filename is not None else self.job["argv"][0]
        why = f"{what!s} can't be started: {error.strerror}"
        with contextlib.suppress(OSError):
            os.write(self.log, f"{why}\n".encode(errors="backslashreplace"))
        return _word(127 if error.errno == errno.ENOENT else 126, None, "exit", why)

    def _watched(self) -> str:
        """Why the training is over, or is to be."""
        end = _now() + float(self.job["deadline"])
        while True:
            self._reap()
            if self.code is not None:
                return "exit"
            if (self.folder / CANCEL).exists():
                return "cancelled"
            if _now() >= end:
                return "deadline"
            self._shorten_log()
            time.sleep(POLL)

    def _reap(self) -> None:
        """Whoever ended; orphans of the trainer are ours too."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self.trainer:
                    self.code = os.waitstatus_to_exitcode(ended[1])

    def _all_gone(self, patience: float) -> bool:
        until = _now() + patience
        while self._left():
            if _now() >= until:
                return False
            self._shorten_log()
            time.sleep(POLL)
        return True

    def _left(self) -> list[int]:
        """All that still run. Those who ended are reaped last: until then nobody else can get
        their numbers, and once nobody runs the trainer's exit is known."""
        if not (found := survivors.below(os.getpid(), cookie_of(self.folder))):
            self._reap()
        return found

    def _end(self) -> None:
        """Ask first; what doesn't listen is killed, and what it starts meanwhile as well."""
        survivors.tell(self._left(), signal.SIGTERM)
        if self._all_gone(float(self.job["term"])):
            return
        while left := self._left():
            survivors.tell(left, signal.SIGKILL)
            time.sleep(POLL)

    def _shorten_log(self) -> None:
        """Give back the middle of a log that grows without end; what follows keeps its place."""
        size = os.fstat(self.log).st_size
        if size > LONGEST_LOG:
            half = LONGEST_LOG // 2
            length = ctypes.c_int64(size - LONGEST_LOG)
            _LIBC.fallocate(self.log, _PUNCH | _KEEP_SIZE, ctypes.c_int64(half), length)


def _word(code: int | None, number: int | None, reason: str, why: str = "") -> dict[str, object]:
    ended = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"code": code, "signal": number, "ended": ended, "reason": reason, "why": why[:500]}


def _now() -> float:
    """Time since boot: a clock that is set, or a machine that sleeps, moves no deadline."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    sys.exit(main(place, int(sys.argv[2]) if len(sys.argv) > 2 else None))
