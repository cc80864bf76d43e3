"""Trials that may not end, or take all memory, or kill who tries: each in a process with limits."""

from __future__ import annotations

import mmap
import os
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

WORKS, WAITS = 60, 900
"""Seconds of the processor's time, and of the clock, after which a trial never ends."""
MEMORY = 1 << 30
"""Bytes of memory that a trial may take, beyond what its process had."""

Trial = tuple[str, Callable[[], Iterator[str]]]
"""Its name, and what is wrong once it was tried."""


def tried(trials: Sequence[Trial], anew: Callable[[], object]) -> list[str]:
    """What was wrong in any of them. One that ends its process is told, and the next one goes on
    in another process, once all was made `anew`."""
    wrong: list[str] = []
    at = 0
    while at < len(trials):
        anew()
        at, said = _from(trials, at)
        wrong += said
    return wrong


def _from(trials: Sequence[Trial], start: int) -> tuple[int, list[str]]:
    """Try from `start` on: where to go on, and what was wrong."""
    place = mmap.mmap(-1, 8)
    with tempfile.TemporaryDirectory(prefix="bounded-") as folder:
        said = Path(folder, "said")
        said.touch()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            _in_fork(trials, start, place, said)
        status = os.waitpid(pid, 0)[1]
        wrong = said.read_text(errors="backslashreplace").splitlines()
    if status == 0:
        return len(trials), wrong
    at = int.from_bytes(place[:8], "little")
    return at + 1, [*wrong, f"{trials[at][0]}: {ended(os.waitstatus_to_exitcode(status))}"]


def ended(code: int) -> str:
    """What became of a process."""
    if -code in (signal.SIGALRM, signal.SIGPROF):
        return f"it never ends ({signal.Signals(-code).name})"
    return f"it ended with {code}"


def _in_fork(trials: Sequence[Trial], start: int, place: mmap.mmap, said: Path) -> None:
    code = 1
    try:
        limited()
        with said.open("a", errors="backslashreplace") as out:
            for at in range(start, len(trials)):
                place[:8] = at.to_bytes(8, "little")
                begins()
                for each in _one(trials[at]):
                    out.write(each.replace("\n", " ↵ ") + "\n")
                    out.flush()
        code = 0
    except BaseException:  # noqa: BLE001 - nothing may get out of the fork
        traceback.print_exc()
    finally:
        os._exit(code)


def _one(trial: Trial) -> Iterator[str]:
    name, call = trial
    try:
        yield from (f"{name}: {each}" for each in call())
    except Exception:  # noqa: BLE001 - whatever it is, that trial raised it
        last = traceback.format_exc().strip().splitlines()
        yield f"{name}: {' | '.join(each.strip()[:160] for each in last[-5:])}"


def limited() -> None:
    """No trial takes more memory than `MEMORY`."""
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for each in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(each, signal.SIG_DFL)


def begins() -> None:
    """From now on the clocks of a trial run."""
    signal.alarm(WAITS)
    signal.setitimer(signal.ITIMER_PROF, WORKS)


def ends(call: Callable[[], object]) -> None:
    """Within the limits, and without an exception."""

    def trial() -> Iterator[str]:
        call()
        yield from ()

    assert tried([("it", trial)], lambda: None) == []


def put(file: Path, content: bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file
