"""A ``janitor`` that is killed at any moment.

The kernel kills it as it makes the Kth call of a kind, before the call takes effect; every call
that changes something is such a moment.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from artifact_janitor import execution, looking
from artifact_janitor.apply.archive import flow
from artifact_janitor.observe import liveness, workers
from tests.real.small import Running, Small

NAMES = "mkdir mkdirat rename renameat renameat2 unlink unlinkat rmdir symlinkat linkat mknodat"
LOOKS = "utimensat chmod fchmod fchmodat fchown fchownat setxattr lsetxattr fsetxattr"
CONTENTS = "pwrite64 write copy_file_range fsync fdatasync ftruncate fallocate flock"
CALLS = [*NAMES.split(), *LOOKS.split(), *CONTENTS.split()]
"""All by which the janitor changes something, beside `openat`, which often only reads."""
Moment = tuple[str, int]
"""A call, and which one of its kind."""

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


def nobody_else() -> None:
    """Thousands of reads of /proc, all traced, would only take time here. And no call may come
    or not come by how fast the machine is: there are no workers, to whom shares are written
    once a look takes long, and archives are compressed without threads, which hand out what is
    to be written in pieces of any size."""
    for each in (looking, execution):
        each.activity = liveness.Activity  # type: ignore[attr-defined]
    flow.WORKERS = 0
    workers.HEAD_START = float("inf")


def strace(pid: int, *options: str) -> subprocess.Popen[bytes]:
    """Of its main thread alone, which makes all the changes: how many calls the others make,
    and which thread makes the Kth, depends on who else uses the machine. What it starts goes
    its own way."""
    return subprocess.Popen(["strace", "-qq", *options, "-p", str(pid)])


def moments_of(running: Running, trace: Path) -> list[Moment]:
    """All moments of a command that waits for its tracer, in the order of time."""
    calls = ",".join(f"?{call}" for call in (*CALLS, "openat"))
    with strace(running.pid, "-o", str(trace), "-e", f"trace={calls}"):
        assert running.wait() == 0
    return counted(trace)


def counted(trace: Path) -> list[Moment]:
    """The calls of a trace, in the order of time; not those that only open what is there."""
    count: Counter[str] = Counter()
    found = []
    for line in trace.read_text(errors="replace").splitlines():
        if call := re.match(r"(?:\d+ +)?(\w+)\(", line):
            name = call[1]
            count[name] += 1
            if name != "openat" or "O_CREAT" in line or "O_TRUNC" in line:
                found.append((name, count[name]))
    return found


def killed(running: Running, call: str, k: int) -> bool:
    """Kill a command that waits for its tracer; False where it was done before it came so far:
    how often SQLite unlinks or writes is not always the same."""
    inject = f"inject={call}:signal=KILL:when={k}"
    with strace(running.pid, "-o", os.devnull, "-e", f"trace={call}", "-e", inject):
        code = running.wait()
    assert code in (0, -signal.SIGKILL), code
    return code != 0


def killed_at(work: Small, args: Iterable[str], call: str, k: int) -> None:
    running = work.start(*args, traced=True, first=nobody_else)
    assert killed(running, call, k), f"{call} {k} never came"


def points_of(work: Small, args: Iterable[str], trace: Path) -> list[Moment]:
    """All moments of one ``janitor ARGS``."""
    return moments_of(work.start(*args, traced=True, first=nobody_else), trace)


def to_prove(every: Sequence[Moment]) -> list[Moment]:
    """All of them; every Nth with PROOF_EVERY=N in the environment, where time is short."""
    step = int(os.environ.get("PROOF_EVERY", "1"))
    found = [*every[::step]]
    print(f"{len(found)} of {len(every)} moments")
    return found
