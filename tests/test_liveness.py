"""Each sign of life alone keeps a run; without any it goes (S2). Real programs, real files."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from artifact_janitor.observe import liveness, threads
from tests.real.account import ORDINARY
from tests.real.small import FREE, Small, done, small, why

RUN = "outputs/day/run"

WRITES = "f = open(path + '/train.log', 'a')"
READS = "f = open(path + '/train.log')"
WORKS = "import os; os.chdir(path + '/.hydra')"
MAPS = (
    "import ctypes, os; f = os.open(path + '/train.log', os.O_RDONLY);"
    " ctypes.CDLL(None).mmap(None, 4096, 1, 2, f, ctypes.c_long(0)); os.close(f)"
)
"""Python's own mmap keeps a descriptor open."""
HOLDS = "import os; f = os.open(path, os.O_RDONLY)"
PIPES = "import os; f = os.open(path + '/pipe', os.O_RDWR)"
SOCKET = (
    "import os, socket; f = socket.socket(socket.AF_UNIX); os.chdir(path);"
    " f.bind('socket'); os.chdir('/')"
)
THREAD = """
import ctypes, os, threading
libc, ready = ctypes.CDLL(None, use_errno=True), threading.Event()
def act():
    {how}
    ready.set()
    threading.Event().wait()
thread = threading.Thread(target=act, daemon=True)
thread.start()
ready.wait(20)
"""
APART = "assert libc.unshare({what}) == 0, ctypes.get_errno(); "
OWN_FILES = THREAD.format(how=APART.format(what=0x400) + READS)
OWN_FOLDER = THREAD.format(how=APART.format(what=0x200) + WORKS)


@pytest.fixture
def work(tmp_path: Path) -> Small:
    found = small(tmp_path)
    found.hydra(30, RUN)
    os.mkfifo(tmp_path / RUN / "pipe")
    return found


@contextmanager
def program(
    code: str, run: Path, before: Sequence[str] = (), python: str = sys.executable
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python program that does this with the run at `path`, until the end of the block."""
    ready = "print('ready', flush=True); import sys; sys.stdin.read()"
    line = [*before, python, "-c", f"path = {str(run)!r}\n{code}\n{ready}"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (WRITES, "has it open"),
        (READS, "has it open"),
        (WORKS, "works in it"),
        (MAPS, "has it mapped"),
        (HOLDS, "has it open"),
        (PIPES, "has it open"),
        (SOCKET, "has it open"),
        (OWN_FILES, "has it open"),
        (OWN_FOLDER, "works in it"),
    ],
    ids=[
        *("writer", "reader", "working directory", "mapping", "open folder", "pipe"),
        *("socket", "a thread's own file", "a thread's own folder"),
    ],
)
def test_a_program_that_uses_it_keeps_it(work: Small, code: str, said: str) -> None:
    with program(code, work.root / RUN) as process:
        plan = work.janitor("plan")
        assert plan.rows("steps") == []
        assert f"pid {process.pid}" in why(plan, RUN)
        assert said in why(plan, RUN)
    assert done(work.janitor("run", "--yes")) == {RUN}, "the program ended, so it goes"


@pytest.mark.parametrize("way", ["hard link", "bind mount"])
def test_a_program_that_knows_it_by_another_name_keeps_it(
    work: Small, way: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    before: list[str] = []
    if way == "hard link":
        os.link(work.root / RUN / "train.log", other / "train.log")
    elif os.geteuid():
        pytest.skip("only root may mount")
    else:  # in a mount namespace of its own, as in a container
        bind = f'mount --bind {work.root} {other}; exec "$@"'
        before = ["unshare", "--mount", "sh", "-c", bind, "sh"]
        other /= RUN
    with program(WRITES, other, before):
        assert "has it open" in why(work.janitor("plan"), RUN)


OUTLIVES = """
import ctypes, os, sys, threading
libc = ctypes.CDLL(None)
first = threading.get_native_id()
def act():
    {how}
    while not open(f"/proc/{{first}}/stat").read().rpartition(")")[2].startswith(" Z"):
        pass
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=act).start()
libc.syscall({{"x86_64": 60, "aarch64": 93}}[os.uname().machine], 0)
"""
"""Its first thread ends, and another one works on."""


@pytest.mark.parametrize(
    ("code", "said", "compares"),
    [
        (READS, "has it open", True),
        (MAPS, "has it mapped", True),
        (WORKS, "works in it", False),
    ],
)
def test_a_program_whose_first_thread_ended_keeps_it(
    work: Small, code: str, said: str, compares: bool
) -> None:
    """Whether or not the kernel compares threads for us."""

    def first() -> None:
        if not compares:
            threads._NUMBER.clear()

    with program(OUTLIVES.format(how=code), work.root / RUN) as process:
        plan = work.start("plan", "--json", first=first).answer()
        assert plan.rows("steps") == []
        assert f"pid {process.pid} (python" in why(plan, RUN)
        assert said in why(plan, RUN)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_an_ordinary_users_program_whose_first_thread_ended_keeps_it(work: Small) -> None:
    """What is left of the first one is root's; their other threads they may look into."""
    work.handed_to(ORDINARY)
    own = ["setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups"]
    with program(OUTLIVES.format(how=READS), work.root / RUN, own, "/usr/bin/python3"):
        assert "has it open" in why(work.janitor("plan", uid=ORDINARY), RUN)
    assert done(work.janitor("run", "--yes", uid=ORDINARY)) == {RUN}


def test_threads_that_share_all_they_have_are_looked_at_once(work: Small) -> None:
    with program(THREAD.format(how="pass"), work.root / RUN) as process:
        proc = f"/proc/{process.pid}"
        assert len(os.listdir(f"{proc}/task")) == 2
        assert [*threads.tables(str(process.pid))] == [proc]


def test_a_lease_tells_of_a_writer_whom_nobody_sees(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the writer lived in a process that we may not look into."""
    with program(WRITES, work.root / RUN):
        monkeypatch.setattr("artifact_janitor.looking.activity", liveness.Activity)
        (kept,) = work.look().plan.kept
        assert "train.log is open for writing" in " ".join(kept.reasons)
    assert work.look().plan.steps


def test_a_writer_who_opens_a_file_under_our_lease_does_not_end_us(work: Small) -> None:
    """The kernel asks for the lease back with SIGIO, which ends whoever does not expect it."""
    before = signal.getsignal(signal.SIGIO)
    try:
        liveness.ignore_lease_breaks()
        os.kill(os.getpid(), signal.SIGIO)
    finally:
        signal.signal(signal.SIGIO, before)


def tfevents(work: Small, host: str, pid: int, days: float) -> None:
    """Only the name matters, and when it was written."""
    work.write(f"{RUN}/events.out.tfevents.1700000000.{host}.{pid}.0", b"", days)


@pytest.mark.parametrize("days", [30, 0.5])
def test_the_pid_in_a_tfevents_name_keeps_while_it_lives(work: Small, days: float) -> None:
    """Lightning closes the file between two writes: nothing else shows that it runs."""
    work.configure(FREE.replace('"7d"', '"1h"').replace("[safety]", '[safety]\ngrace = "1h"'))
    with program("pass", work.root / RUN) as process:
        started = work.write("mark").stat().st_mtime
        tfevents(work, socket.gethostname(), process.pid, days)
        plan = work.janitor("plan")
        assert plan.rows("steps"), "a process that began after the last write is another one"
        events = next((work.root / RUN).glob("events*"))
        os.utime(events, (started + 5, started + 5))
        os.utime(work.root / RUN / "train.log", (started - 9e4, started - 9e4))
        later = work.start("plan", "--json", first=lambda: shift(2 * 3600)).answer()
        assert f"names pid {process.pid}" in why(later, RUN), later
    later = work.start("plan", "--json", first=lambda: shift(2 * 3600)).answer()
    assert later.rows("steps"), "the process ended"


def shift(seconds: int) -> None:
    """The janitor's own clock, as a stand-in for waiting."""
    from artifact_janitor import clock

    real = clock.read
    clock.read = lambda: clock.Reading(
        real().wall + seconds * 10**9, real().awake + seconds * 10**9, real().boot
    )


def test_a_run_of_another_host_is_given_a_day(work: Small) -> None:
    work.configure(FREE.replace('"7d"', '"1h"').replace("[safety]", '[safety]\ngrace = "1h"'))
    tfevents(work, "elsewhere", 1, days=0.5)
    assert "on elsewhere" in why(work.janitor("plan"), RUN)
    tfevents(work, "elsewhere", 1, days=1.5)
    assert work.janitor("plan").rows("steps")


def test_the_pid_in_wandbs_log_keeps_while_it_lives(tmp_path: Path) -> None:
    """A real run, whose log names its real process; then one that lives takes the place of it."""
    work = small(tmp_path)
    run = work.wandb(30)
    log = work.root / run / "logs" / "debug.log"
    text = log.read_bytes()
    assert re.search(rb"Configure stats pid to \d+", text)
    assert work.janitor("plan").rows("steps")
    log.write_bytes(re.sub(rb"Configure stats pid to \d+", b"Configure stats pid to 1", text))
    moment = log.parent.parent.joinpath("files").stat().st_mtime
    os.utime(log, (moment, moment))
    plan = work.start("plan", "--json", first=as_if_it_wrote_last).answer()
    assert "names pid 1" in why(plan, run), why(plan, run)


def as_if_it_wrote_last() -> None:
    """Process 1 is older than no file of a month ago: as if it were."""
    liveness._started_before = lambda pid, moment: pid == 1


def test_process_ids_are_reused() -> None:
    """Only a process that is older than the last write can have made it."""
    now = time.time_ns()
    assert liveness._started_before(os.getpid(), now)
    assert not liveness._started_before(os.getpid(), now - 10**9 * 86_400 * 365)
    with subprocess.Popen(["true"]) as ended:
        pass
    assert not liveness._started_before(ended.pid, now)


@pytest.mark.parametrize("days", [0.9, -1])
def test_what_was_written_within_the_grace_stays(work: Small, days: float) -> None:
    """However old the rest of it is; a date in the future is no age at all."""
    work.configure(FREE.replace('"7d"', '"1s"'))
    work.write(f"{RUN}/late.txt", days=days)
    plan = work.janitor("plan")
    assert plan.rows("steps") == []
    assert ("(grace " in why(plan, RUN)) or ("future" in why(plan, RUN))


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@pytest.fixture
def theirs(work: Small) -> Small:
    """The workspace belongs to an ordinary user, who may enter it."""
    work.handed_to(ORDINARY)
    return work


@needs_root
def test_an_ordinary_user_is_not_held_back_by_processes_of_others(theirs: Small) -> None:
    """Each machine has some that they may not look into; leases tell enough of own files."""
    assert done(theirs.janitor("run", "--yes", uid=ORDINARY)) == {RUN}


@needs_root
def test_another_users_program_that_writes_keeps_it_for_an_ordinary_user(theirs: Small) -> None:
    with program(WRITES, theirs.root / RUN):  # root's, out of sight
        plan = theirs.janitor("plan", uid=ORDINARY)
        assert "train.log is open for writing" in why(plan, RUN)


@needs_root
def test_another_users_file_may_live_for_an_ordinary_user(theirs: Small) -> None:
    """No lease may be asked on it, and its owner's processes are out of sight."""
    os.chown(theirs.root / RUN / "metrics.json", 0, 0)
    plan = theirs.janitor("plan", uid=ORDINARY)
    assert plan.rows("steps") == []
    assert "unknown: no lease on" in why(plan, RUN)
    assert theirs.janitor("plan").rows("steps"), "root sees all there is"


@needs_root
def test_hidden_processes_count_as_there(theirs: Small) -> None:
    """``/proc`` may be mounted with hidepid: what isn't ours isn't listed at all."""

    def hide() -> None:
        listed = os.listdir
        os.listdir = lambda path=".": [  # type: ignore[assignment]
            name for name in listed(path) if path != "/proc" or name in ("self", str(os.getpid()))
        ]

    os.chown(theirs.root / RUN / "metrics.json", 0, 0)
    plan = theirs.start("plan", "--json", uid=ORDINARY, first=hide).answer()
    assert "unknown: no lease on" in why(plan, RUN)


@needs_root
def test_a_mapping_on_an_overlay_keeps(tmp_path: Path) -> None:
    """There the kernel may name another device for a mapping than for the file (containers)."""
    for name in ("lower", "upper", "scratch", "merged"):
        (tmp_path / name).mkdir()
    layers = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/scratch"
    mount = ["mount", "-t", "overlay", "overlay", "-o", layers, str(tmp_path / "merged")]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no overlay can be mounted here")
    try:
        work = small(tmp_path / "merged")
        work.hydra(30, RUN)
        with program(MAPS, work.root / RUN):
            assert "has it mapped" in why(work.janitor("plan"), RUN)
        assert work.janitor("plan").rows("steps")
    finally:
        subprocess.run(["umount", str(tmp_path / "merged")], check=True)


def test_a_mapping_is_known_by_its_path_where_devices_differ(work: Small) -> None:
    """As on btrfs: ``/proc/PID/maps`` shows a device that ``stat`` never does."""

    def elsewhere() -> None:
        os.makedev = lambda *_: 0

    with program(MAPS, work.root / RUN):
        plan = work.start("plan", "--json", first=elsewhere).answer()
        assert "has it mapped" in why(plan, RUN)


def test_a_mapping_is_known_by_its_inode_where_its_path_is_gone(
    work: Small, tmp_path: Path
) -> None:
    """As in a container, whose paths mean nothing here."""
    os.link(work.root / RUN / "train.log", tmp_path / "another")
    maps = MAPS.replace("path + '/train.log'", repr(str(tmp_path / "another")))
    with program(maps, work.root / RUN):
        (tmp_path / "another").unlink()
        assert "has it mapped" in why(work.janitor("plan"), RUN)


@needs_root
def test_a_process_on_a_broken_mount_is_looked_into_all_the_same(work: Small) -> None:
    """Its working directory can't be asked for, and yet it holds our file open."""

    def broken() -> None:
        stat = os.stat

        def fail(path: object, *args: object, **how: object) -> os.stat_result:
            if str(path).endswith("/cwd"):
                raise OSError(107, "Transport endpoint is not connected")
            return stat(path, *args, **how)  # type: ignore[arg-type]

        os.stat = fail  # type: ignore[assignment]

    with program(READS, work.root / RUN):
        plan = work.start("plan", "--json", first=broken).answer()
        assert plan.code == 0, plan
        assert "has it open" in why(plan, RUN)


def test_the_sign_is_looked_for_again_before_the_step(work: Small) -> None:
    seen = work.look()
    assert seen.plan.steps
    with program(WORKS, work.root / RUN):
        (outcome,) = work.run(seen).outcomes
    assert outcome.outcome == "skipped"
    assert "works in it" in outcome.why
    assert "put back" not in outcome.why, "it was seen before the rename"
