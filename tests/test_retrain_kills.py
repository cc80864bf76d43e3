"""A janitor or a runner that is killed at any moment trains no key twice, and publishes no half."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from artifact_janitor import execution, handing_over, sweep
from artifact_janitor.executors import Handle, cookie_of, local, survivors
from artifact_janitor.executors.local import Local
from artifact_janitor.observe import liveness
from tests.real import jobs
from tests.real.jobs import RESULT
from tests.real.retraining import (
    executor,
    handles,
    over,
    place,
    quiet,
    rows,
    trained,
    trains,
    until,
)
from tests.real.small import Small
from tests.test_recovery import CALLS, counted, needs_strace

MODEL = "models/hpo_derived/eurusd/final_model_mlp.pth"
IN_JOBS = ("mkdirat", "rename", "renameat2", "fsync", "fchown", "flock")
Phase = Callable[[Small], None]


def to_submit(work: Small) -> None:
    """The study is finished, and nothing was trained yet."""


def to_publish(work: Small) -> None:
    """Its model is trained, and waits."""
    assert work.janitor("run", "--yes").code == 0
    over(work)


PHASES = (to_submit, to_publish)


def workspace(root: Path, phase: Phase) -> Small:
    """Always at the same place, which jobs know; built once, by a janitor that was here before."""
    work, pristine = Small(root / "work"), root / "pristine"
    if not pristine.exists():
        work.root.mkdir()
        work.configure("")
        assert work.janitor("run", "--yes").code == 0
        place(work)
        trains(work)
        phase(work)
        work.root.rename(pristine)
    if work.root.exists():
        shutil.rmtree(work.root)
    shutil.copytree(pristine, work.root)
    return work


def nobody_else() -> None:
    """Thousands of reads of /proc, all traced, would only take time here."""
    for each in (sweep, execution):
        each.activity = liveness.Activity  # type: ignore[attr-defined]
    handing_over.report = lambda *_: []  # a process of its own, which takes seconds


def strace(pid: int, *options: str) -> subprocess.Popen[bytes]:
    """Of the janitor alone: what it starts goes its own way."""
    return subprocess.Popen(["strace", "-qq", *options, "-p", str(pid)])


def points(root: Path, phase: Phase) -> list[tuple[str, int]]:
    """All moments of a sweep in the order of time: (call, which one of its kind)."""
    work = workspace(root, phase)
    running = work.start("run", "--yes", traced=True, first=nobody_else)
    trace = root / "trace"
    with strace(running.pid, "-o", str(trace), "-e", "trace=" + ",".join(f"?{c}" for c in CALLS)):
        assert running.wait() == 0
    quiet(work)
    return counted(trace)


def chosen(every: list[tuple[str, int]], count: int) -> list[tuple[str, int]]:
    """What makes names and what makes them last, evenly from the first to the last of each."""
    found = []
    for call in IN_JOBS:
        mine = [point for point in every if point[0] == call]
        found += mine[:: max(len(mine) * len(IN_JOBS) // count, 1)] + mine[-1:]
    return sorted({*found}, key=every.index)


def killed_at(work: Small, call: str, k: int) -> bool:
    """Whether it came that far: how often SQLite unlinks or writes is not always the same."""
    running = work.start("run", "--yes", traced=True, first=nobody_else)
    inject = f"inject={call}:signal=KILL:when={k}"
    with strace(running.pid, "-o", os.devnull, "-e", f"trace={call}", "-e", inject):
        code = running.wait()
    assert code in (0, -signal.SIGKILL)
    return code != 0


def begun(work: Small) -> list[Handle]:
    """All jobs on the disk, whatever the journal knows of them."""
    folder = work.root / ".janitor" / "jobs"
    names = os.listdir(folder) if folder.exists() else []
    return [each for name in names if (each := executor(work).find(name))]


def states_of(work: Small) -> list[str]:
    return [job.state for job in rows(work)]


def outcome(work: Small) -> list[str]:
    """Let the next janitors come: what is wrong then."""
    wrong = []
    for _ in range(3):
        until(lambda: not any(executor(work).status(e).state == "RUNNING" for e in begun(work)))
        found = work.janitor("run", "--yes")
        wrong += [f"run again: {found}"] if found.code else []
        if "published" in states_of(work):
            break
    wrong += [] if len(trained(work)) == 1 else [f"trained {len(trained(work))} times"]
    states = states_of(work)
    wrong += [] if states == ["published"] else [f"states {states}"]
    wrong += [f"left to do: {row}" for row in work.janitor("plan").rows("steps")]
    wrong += [f"left over: {name}" for name in work.leftovers() if name != "jobs"]
    folders = sorted(os.listdir(work.root / ".janitor" / "jobs"))
    wrong += [] if folders == [each.token for each in handles(work)] else [f"folders {folders}"]
    return wrong + unpublished(work)


def unpublished(work: Small) -> list[str]:
    model = work.root / MODEL
    if not model.exists():
        return ["no model"]
    digest = sha256(model.read_bytes()).hexdigest()
    told = json.loads(model.with_suffix(".json").read_text())["sha256"]
    whole = model.read_bytes() == (work.root / "model.pth").read_bytes()
    return [] if whole and told == digest else ["half a model"]


def sweep_of_kills(root: Path, phase: Phase, moments: Sequence[tuple[str, int]]) -> list[str]:
    wrong, killed = [], 0
    for call, k in moments:
        work = workspace(root, phase)
        try:
            killed += killed_at(work, call, k)
            wrong += [f"{call} {k}: {each}" for each in outcome(work)]
        finally:
            quiet(work)
    assert killed >= len(moments) * 0.9
    return wrong


@needs_strace
@pytest.mark.parametrize("phase", PHASES)
def test_nothing_is_trained_twice_by_a_kill(phase: Phase, tmp_path: Path) -> None:
    moments = chosen(points(tmp_path, phase), 8 if phase is to_submit else 6)
    assert len(moments) > 6
    assert sweep_of_kills(tmp_path, phase, moments) == []


@needs_strace
@pytest.mark.proof
@pytest.mark.parametrize("phase", PHASES)
def test_nothing_is_trained_twice_by_a_kill_at_any_moment(phase: Phase, tmp_path: Path) -> None:
    assert sweep_of_kills(tmp_path, phase, points(tmp_path, phase)) == []


# ---------------------------------------------------------------- the runner

TRAINER = f"open('trained', 'a').write('x'); import time; time.sleep(0.3); {RESULT}"


def prepared(root: Path, name: str) -> Handle:
    """A job that a janitor wrote down in full, and did not begin."""
    spec = jobs.job(root / name, TRAINER)
    local.write(spec.folder / "job.json", local._described(spec))
    return Handle(spec.token, spec.folder)


def run_by_hand(handle: Handle, *options: str) -> int:
    command = [sys.executable, "-P", "-m", "artifact_janitor.executors.runner", str(handle.folder)]
    return subprocess.run(["strace", "-qq", *options, *command], timeout=60).returncode


def after_runner(handle: Handle) -> list[str]:
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


@needs_strace
def test_a_runner_that_is_killed_at_any_moment(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    calls = ",".join(f"?{call}" for call in (*CALLS, "execve", "vfork", "clone", "wait4"))
    assert run_by_hand(prepared(tmp_path, "b"), "-o", str(trace), "-e", f"trace={calls}") == 0
    moments = [(call, k) for call, k in counted(trace) if call != "wait4" or k < 4]
    assert len(moments) > 8
    wrong = []
    for call, k in moments:
        handle = prepared(tmp_path, f"{call}-{k}")
        inject = f"inject={call}:signal=KILL:when={k}"
        run_by_hand(handle, "-o", os.devnull, "-e", f"trace={call}", "-e", inject)
        wrong += [f"{call} {k}: {each}" for each in after_runner(handle)]
    assert wrong == []
