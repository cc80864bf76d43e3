"""A job is a program of its own: it outlives the janitor, runs once, and tells its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from artifact_janitor.errors import StepFailed
from artifact_janitor.executors import (
    COOKIE,
    ENVIRONMENT,
    JOB,
    LOG,
    Handle,
    cookie_of,
    local,
    runner,
    survivors,
    systemd,
)
from artifact_janitor.executors.local import Local
from artifact_janitor.service import asking
from tests.real.jobs import RESULT, buried, job, runner_of, settled, until

SLEEPS = "import time; open('pid', 'a').write('x'); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"


WHOSE: systemd.Whose = "user" if os.geteuid() else "system"
ENGINES = ["local", *(["systemd"] if asking.runs(WHOSE) else [])]


@pytest.fixture(params=ENGINES)
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Local:
    """In a folder whose name is neither short nor text. systemd knows names that are text alone;
    it is there where test_service_boot.py runs this in a machine."""
    is_local = request.param == "local"
    folder = (
        tmp_path
        / os.fsdecode(b"work space \xff\n'$(x)" if is_local else b"w s %n\n'$HOME")
        / "jobs"
    )
    folder.mkdir(parents=True)
    if is_local:
        return Local(folder)
    return systemd.Systemd(folder, WHOSE)


def running(jobs: Local, program: str, **how: float) -> Handle:
    """A job whose trainer is at work."""
    handle = jobs.submit(job(jobs.jobs, program, **how))
    until((handle.folder / "pid").exists)
    assert jobs.status(handle).state == "RUNNING"
    return handle


@pytest.mark.parametrize(
    ("program", "state", "code", "why"),
    [
        (RESULT, "SUCCEEDED", 0, ""),
        ("pass", "FAILED", 0, "left no out/result.json"),
        ("import os; os.mkdir('out/result.json')", "FAILED", 0, "left no out/result.json"),
        (f"{RESULT}; raise SystemExit(3)", "FAILED", 3, "exit 3"),
        ("raise SystemExit(75)", "LATER", 75, "later"),
        ("import os; os.kill(os.getpid(), 11)", "FAILED", None, "SIGSEGV"),
    ],
)
def test_how_it_ends(jobs: Local, program: str, state: str, code: int, why: str) -> None:
    status = settled(jobs, jobs.submit(job(jobs.jobs, program)))
    assert (status.state, status.code) == (state, code)
    assert why in status.why


@pytest.mark.parametrize(("name", "code"), [("no-such-program", 127), ("not-executable", 126)])
def test_a_command_that_cannot_be_started(jobs: Local, name: str, code: int) -> None:
    spec = job(jobs.jobs, "")
    (spec.folder / "not-executable").write_text("x")
    argv = [name if code == 127 else str(spec.folder / name)]
    handle = jobs.submit(local.Spec(spec.token, spec.folder, argv, spec.cwd, 60.0, 1.0))
    status = settled(jobs, handle)
    assert (status.state, status.code) == ("FAILED", code)
    assert name in status.why
    assert name in jobs.logs(handle, 0)[0].decode(errors="replace")


def test_what_surrounds_a_trainer(jobs: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder, no input, no open files but the log, the user's variables and none of ours,
    a session of its own; and a module in its folder that hides one of ours hides nothing."""
    monkeypatch.setenv("JANITOR_SAFETY__GRACE", "1h")
    monkeypatch.setenv("MINE", "kept")
    spec = job(
        jobs.jobs,
        "import json, os, sys; json.dump({"
        "'cwd': os.getcwd(), 'stdin': os.readlink('/proc/self/fd/0'),"
        "'fds': sorted({os.readlink(f'/proc/self/fd/{n}') for n in (1, 2, *range(3, 64))"
        " if os.path.exists(f'/proc/self/fd/{n}')}),"
        "'env': dict(os.environ), 'leads': os.getsid(0) == os.getpid()},"
        "open('out/result.json', 'w'))",
    )
    (spec.folder / "artifact_janitor.py").write_text("raise SystemExit(9)")
    (spec.folder / "json.py").write_text("def dump(found, file): file.write(repr(found))")
    with open(os.devnull) as ours:
        os.set_inheritable(ours.fileno(), True)
        handle = jobs.submit(spec)
    assert settled(jobs, handle).state == "SUCCEEDED"
    found = eval((spec.folder / "out" / "result.json").read_text())  # noqa: S307 - our repr
    assert found["cwd"] == str(spec.folder)
    assert found["stdin"] == "/dev/null"
    assert found["fds"] == [str(spec.folder / LOG)]
    assert found["leads"]
    assert found["env"]["MINE"] == "kept"
    assert found["env"][COOKIE] == cookie_of(spec.folder)
    assert not [name for name in found["env"] if name.startswith("JANITOR_")]


def test_submitting_twice_runs_once(jobs: Local) -> None:
    """Also by a runner that somebody starts by hand, and once it is over."""
    handle = running(jobs, SLEEPS)
    by_hand = [sys.executable, "-m", "artifact_janitor.executors.runner", str(handle.folder)]
    with buried(jobs, handle):
        for _ in range(3):
            jobs.resume(handle)
        assert subprocess.run(by_hand).returncode == 0
        assert (handle.folder / "pid").read_text() == "x"
    assert jobs.status(handle).state == "CANCELLED"
    jobs.resume(handle)
    assert subprocess.run(by_hand).returncode == 0
    assert (handle.folder / "pid").read_text() == "x"
    assert jobs.find(handle.token) == handle
    assert jobs.find("another") is None


def test_submitting_at_once_runs_once(jobs: Local) -> None:
    spec = job(jobs.jobs, f"open('pid', 'a').write('x'); {RESULT}")
    pids = []
    for _ in range(6):
        if not (pid := os.fork()):
            try:
                jobs.submit(spec)
            finally:
                os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    assert settled(jobs, Handle(spec.token, spec.folder)).state == "SUCCEEDED"
    assert (spec.folder / "pid").read_text() == "x"


def test_it_outlives_whoever_submitted_it(jobs: Local) -> None:
    spec = job(jobs.jobs, f"import time; time.sleep(1); {RESULT}")
    if not (pid := os.fork()):
        os.setpgid(0, 0)
        jobs.submit(spec)
        os.killpg(0, signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    handle = Handle(spec.token, spec.folder)
    assert jobs.status(handle).state in ("RUNNING", "SUCCEEDED")
    assert settled(jobs, handle).state == "SUCCEEDED"


@pytest.mark.parametrize("how", ["deadline", "cancel"])
def test_it_ends_with_all_that_it_started(jobs: Local, how: str) -> None:
    """A grandchild in a session and an environment of its own that doesn't listen either."""
    grandchild = f"""
import os, subprocess, sys
subprocess.Popen(["env", "-i", sys.executable, "-c", {STUBBORN.replace("pid", "grandchild")!r}],
                 start_new_session=True)
{STUBBORN}
"""
    deadline = 3.0 if how == "deadline" else 60.0
    handle = running(jobs, grandchild, deadline=deadline, term=0.5)
    until((handle.folder / "grandchild").exists)
    family = survivors.below(runner_of(handle), cookie_of(handle.folder))
    assert len(family) == 2
    if how == "cancel":
        jobs.cancel(handle)
    status = settled(jobs, handle)
    assert status.state == ("FAILED" if how == "deadline" else "CANCELLED")
    assert not any(Path(f"/proc/{pid}/exe").exists() for pid in family)
    word = json.loads((handle.folder / "exit.json").read_text())
    assert word["reason"] == {"deadline": "deadline", "cancel": "cancelled"}[how]
    assert word["signal"] == signal.SIGKILL


def test_a_trainer_that_ends_when_asked_to(jobs: Local) -> None:
    handle = running(jobs, SLEEPS, term=60.0)
    jobs.cancel(handle)
    assert settled(jobs, handle).state == "CANCELLED"
    assert json.loads((handle.folder / "exit.json").read_text())["signal"] == signal.SIGTERM


def test_what_a_trainer_leaves_behind_is_ended_before_its_last_word(
    jobs: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could write to what is published meanwhile."""
    lingers = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}])"
    spec = job(jobs.jobs, f"{lingers}; {RESULT}", term=0.2)
    if not (pid := os.fork()):
        monkeypatch.setattr(runner, "LINGER", 0.2)
        local.write(spec.folder / "job.json", local._described(spec))
        os._exit(runner.main(spec.folder, None))
    os.waitpid(pid, 0)
    assert jobs.status(Handle(spec.token, spec.folder)).state == "SUCCEEDED"
    assert survivors.marked(cookie_of(spec.folder)) == []


def test_the_same_job_of_a_copied_project_is_nobodys_victim(jobs: Local, tmp_path: Path) -> None:
    """The same study has the same token there."""
    other = Local(tmp_path / "copy")
    other.jobs.mkdir()
    mine = running(jobs, SLEEPS)
    theirs = Handle(mine.token, other.jobs / mine.token)
    theirs.folder.mkdir()
    other.bury(theirs)
    assert jobs.status(mine).state == "RUNNING"
    assert survivors.below(runner_of(mine), cookie_of(mine.folder)) != []
    jobs.cancel(mine)
    assert settled(jobs, mine).state == "CANCELLED"


def test_a_runner_that_is_killed_takes_its_trainer_along(jobs: Local) -> None:
    """What strayed further is found by its environment, and ended before the next attempt."""
    grandchild = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPS!r}])"
    handle = running(jobs, f"{grandchild}; import time; time.sleep(600)")
    os.kill(runner_of(handle), signal.SIGKILL)
    assert settled(jobs, handle).state == "LOST"
    if not isinstance(jobs, systemd.Systemd):  # which ends it by itself
        until(lambda: len(survivors.marked(cookie_of(handle.folder))) == 1)
    jobs.bury(handle)
    assert survivors.marked(cookie_of(handle.folder)) == []
    assert jobs.status(handle).state == "LOST"
    handle.folder.joinpath("exit.json").write_text('{"code": 0, "reason": "exit"}')
    handle.folder.joinpath("out", "result.json").write_text("{}")
    assert jobs.status(handle).state == "SUCCEEDED"  # the last word counts


def test_who_bears_another_token_is_nobodys_victim(jobs: Local) -> None:
    environ = {**os.environ, COOKIE: "another"}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, env=environ) as other:
        survivors.end("0123456789abcdef", signal.SIGKILL)
        assert survivors.below(os.getpid(), "0123456789abcdef").count(other.pid) == 0
        assert survivors.marked("another") == [other.pid]
        assert other.poll() is None
        other.communicate(b"\n")


def test_a_job_that_was_never_begun(jobs: Local) -> None:
    spec = job(jobs.jobs, RESULT)
    handle = Handle(spec.token, spec.folder)
    assert jobs.status(handle).state == "PENDING"
    (spec.folder / "lock").touch()
    assert jobs.status(handle).state == "PENDING"
    jobs.cancel(handle)
    assert jobs.status(handle).state == "CANCELLED"
    jobs.submit(spec)
    assert not (spec.folder / LOG).exists()


def test_a_log_without_end(jobs: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its middle gives its room back; offsets stay what they were, and one reads in pieces."""
    noise = "import os\nfor n in range(4000): os.write(1, b'%07d' % n * 1000)\n"
    spec = job(jobs.jobs, f"{noise}import time; open('pid', 'w'); time.sleep(1); {RESULT}")
    if not (pid := os.fork()):
        monkeypatch.setattr(runner, "LONGEST_LOG", 1 << 20)
        local.write(spec.folder / "job.json", local._described(spec))
        os._exit(runner.main(spec.folder, None))
    os.waitpid(pid, 0)
    handle = Handle(spec.token, spec.folder)
    status = (spec.folder / LOG).stat()
    assert status.st_size == 28_000_000
    assert status.st_blocks * 512 < 4 << 20
    first, offset = jobs.logs(handle, 0)
    assert first.startswith(b"0000000")
    assert len(first) == offset <= local.CHUNK
    assert jobs.logs(handle, status.st_size - 7) == (b"0003999", status.st_size)
    assert jobs.logs(handle, status.st_size) == (b"", status.st_size)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts programs as somebody else")
def test_root_trains_as_the_owner(jobs: Local, tmp_path: Path) -> None:
    """Here no ordinary user may run our Python, which is said."""
    for each in (tmp_path, *tmp_path.parents):
        each.chmod(each.stat().st_mode | 0o011) if each != Path("/") else None
    spec = job(jobs.jobs, "")
    for folder, _, files in os.walk(jobs.jobs.parent):
        for name in ("", *files):
            os.chown(os.path.join(folder, name), 12345, 12345)
    owner = spec.folder.stat()
    named = {"user": 12345, "group": 12345}
    assert local.identity(owner).items() >= named.items()
    argv = ["/bin/sh", "-c", "id -u > out/result.json"]
    command = local.Spec(spec.token, spec.folder, argv, spec.cwd, 60.0, 1.0)
    try:
        handle = jobs.submit(command)
    except local.StepFailed as error:
        pytest.skip(f"an ordinary user may run no Python here: {error.message}")
    assert settled(jobs, handle).state == "SUCCEEDED"
    assert (spec.folder / "out" / "result.json").read_text() == "12345\n"
    assert {each.stat().st_uid for each in spec.folder.iterdir()} == {12345}


# ------------------------------------------------------------ units of systemd's alone


def test_a_unit_that_can_not_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, nothing of the environment stays, and the job waits to be begun."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    jobs = systemd.Systemd(tmp_path / "jobs", "user")
    spec = job(jobs.jobs, RESULT)
    with pytest.raises(StepFailed, match="the job can't be started"):
        jobs.submit(spec)
    assert not (spec.folder / ENVIRONMENT).exists()
    assert jobs.status(Handle(spec.token, spec.folder)).state == "PENDING"
    local.Local(jobs.jobs).resume(Handle(spec.token, spec.folder))
    assert settled(jobs, Handle(spec.token, spec.folder)).state == "SUCCEEDED"


def test_it_is_said_what_became_of_one_that_is_lost(jobs: Local) -> None:
    handle = running(jobs, SLEEPS)
    os.kill(runner_of(handle), signal.SIGKILL)
    lost = settled(jobs, handle)
    if not isinstance(jobs, systemd.Systemd):
        assert "it ended without a word" in lost.why
        return
    assert lost.why == "a signal ended its runner"
    unit = systemd.unit_of(handle.folder)
    until(lambda: asking.state(jobs.whose, unit)["ActiveState"] == "failed")
    jobs.bury(handle)
    assert asking.state(jobs.whose, unit)["ActiveState"] == "inactive"


def test_the_environment_of_a_training_is_nobodys_to_read(
    jobs: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd tells everybody what a unit was given."""
    monkeypatch.setenv("SECRET", "s3cr3t-of-mine")
    handle = running(jobs, SLEEPS)
    with buried(jobs, handle):
        assert not (handle.folder / ENVIRONMENT).exists()
        assert "s3cr3t" not in (handle.folder / JOB).read_text()
        if isinstance(jobs, systemd.Systemd):
            shown = subprocess.run(
                ["systemctl", f"--{jobs.whose}", "show", systemd.unit_of(handle.folder)],
                capture_output=True,
            )
            assert b"Training" in shown.stdout
            assert b"s3cr3t" not in shown.stdout
