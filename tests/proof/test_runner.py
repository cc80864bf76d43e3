"""A job's runner that is killed at any moment begins no training twice, and leaves none behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from artifact_janitor.executors import Handle, cookie_of, local, survivors
from artifact_janitor.executors.local import Local
from tests.proof.conftest import Count
from tests.real import jobs
from tests.real.jobs import RESULT
from tests.real.kills import CALLS, Moment, counted, needs_strace, to_prove

pytestmark = needs_strace

TRAINER = f"open('trained', 'a').write('x'); import time; time.sleep(0.3); {RESULT}"
STARTS = ("execve", "vfork", "clone", "wait4")


def prepared(root: Path, name: str) -> Handle:
    """A job that a janitor wrote down in full, and did not begin."""
    spec = jobs.job(root / name, TRAINER)
    local.write(spec.folder / "job.json", local._described(spec))
    return Handle(spec.token, spec.folder)


def run_by_hand(handle: Handle, *options: str) -> int:
    command = [sys.executable, "-P", "-m", "artifact_janitor.executors.runner", str(handle.folder)]
    return subprocess.run(["strace", "-qq", *options, *command], timeout=60).returncode


def points(root: Path) -> list[Moment]:
    """All its moments, and the first of those at which it looks whether its trainer ended."""
    trace, calls = root / "trace", ",".join(f"?{call}" for call in (*CALLS, *STARTS))
    assert run_by_hand(prepared(root, "b"), "-o", str(trace), "-e", f"trace={calls}") == 0
    return [(call, k) for call, k in counted(trace) if call != "wait4" or k < 4]


def kills(root: Path, moments: Sequence[Moment]) -> list[str]:
    wrong = []
    for call, k in moments:
        handle = prepared(root, f"{call}-{k}")
        inject = f"inject={call}:signal=KILL:when={k}"
        run_by_hand(handle, "-o", os.devnull, "-e", f"trace={call}", "-e", inject)
        wrong += [f"{call} {k}: {each}" for each in outcome(handle)]
    return wrong


def outcome(handle: Handle) -> list[str]:
    """What is wrong once the next janitor came by."""
    executor = Local(handle.folder.parent)
    status = executor.status(handle)
    executor.bury(handle)
    wrong = [f"survivors {left}"] if (left := survivors.marked(cookie_of(handle.folder))) else []
    count = handle.folder / "trained"
    if status.state == "PENDING":
        wrong += ["it was begun"] if count.exists() else []
        executor.resume(handle)
        status = jobs.settled(executor, handle)
        wrong += [] if status.state == "SUCCEEDED" else [f"then {status}"]
    wrong += [] if status.state in ("SUCCEEDED", "LOST") else [f"now {status}"]
    wrong += [] if not count.exists() or count.read_text() == "x" else ["trained twice"]
    executor.resume(handle)
    after = executor.status(handle).state
    return wrong + ([] if after == status.state else [f"resumed: {after}"])


def test_a_runner_that_is_killed(count: Count, tmp_path: Path) -> None:
    """As it begins its trainer, and at the last: it says how that ended."""
    every = points(tmp_path)
    begins = next(at for at, (call, _) in enumerate(every) if call in ("vfork", "clone"))
    moments = [every[begins], every[begins + 1], every[-1]]
    count("kill: runner", len(moments), kills(tmp_path, moments))


@pytest.mark.proof
def test_a_runner_that_is_killed_at_any_moment(count: Count, tmp_path: Path) -> None:
    moments = to_prove(points(tmp_path))
    count("kill: runner", len(moments), kills(tmp_path, moments))
