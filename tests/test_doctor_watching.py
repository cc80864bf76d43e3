"""What `janitor doctor` says of watching, of the daemon, and of what both stand on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import artifact_janitor
from artifact_janitor import clock, daemon_file
from artifact_janitor.checkup import inotify
from artifact_janitor.checkup.check import Place
from artifact_janitor.checkup.watches import _polled
from artifact_janitor.config import load
from artifact_janitor.state import State
from tests.real.account import ORDINARY, account
from tests.real.retraining import place, until
from tests.real.small import FREE, Small, small
from tests.real.snapshot import difference, snapshot
from tests.test_doctor import RUN, doctor, trouble
from tests.test_filesystems import needs_root

SWEEP = "multirun/day/run"
WATCHES, INSTANCES = "user.max_inotify_watches", "user.max_inotify_instances"
"""Of a user namespace; those of fs.inotify are the whole machine's."""


@pytest.fixture
def work(tmp_path: Path) -> Small:
    (tmp_path / "project").mkdir()
    found = small(tmp_path / "project")
    found.hydra(30, RUN)
    found.hydra(30, SWEEP)
    found.journal().close()
    return found


def of(work: Small, name: str) -> str:
    """What a check that is content says."""
    rows = doctor(work)[name]
    assert {row["state"] for row in rows} == {"ok"}, rows
    return " | ".join(row["what"] for row in rows)


# ---------------------------------------------------------------- watches


def test_folders_against_watches(work: Small) -> None:
    """The run's folder and its configuration's, below a day and the root."""
    before = snapshot(work.root / "multirun")
    assert of(work, "watches").startswith("4 folders to watch, ")
    assert of(work, "watches").endswith("watches free, and events come")
    assert difference(before, snapshot(work.root / "multirun")) == []


def test_watches_that_are_used_are_counted(work: Small) -> None:
    watching = """
import ctypes, sys
libc = ctypes.CDLL(None)
fd = libc.inotify_init1(0)
for folder in sys.argv[1:]:
    assert libc.inotify_add_watch(fd, folder.encode(), 0x20) > 0
print(fd, flush=True)
sys.stdin.read()
"""
    line = [sys.executable, "-c", watching, "/", "/tmp", str(work.root)]
    with subprocess.Popen(line, stdin=-1, stdout=-1) as other:
        assert other.stdout
        fd = int(other.stdout.readline())
        assert inotify._watches(Path(f"/proc/{other.pid}/fd/{fd}")) == 3
        found = inotify.used(os.geteuid())
        assert (found.watches >= 3, found.instances >= 1) == (True, True)
        other.communicate(b"")


@pytest.fixture
def few() -> tuple[str, ...]:
    """The words that run a program in a user namespace of its own, which has limits of its own."""
    words = ("unshare", "--user", "--map-root-user", "sh", "-c")
    probe = f"sysctl -qw {WATCHES}=3 {INSTANCES}=1"
    if subprocess.run([*words, probe], capture_output=True).returncode:
        pytest.skip("no user namespaces here, or no limits in them")
    return words


def in_namespace(work: Small, few: tuple[str, ...], *limits: str) -> str:
    home = work.root.parent / "home"
    home.mkdir()
    script = f'sysctl -qw {" ".join(limits)} && exec "$0" "$@"'
    line = [*few, script, sys.executable, "-m", "artifact_janitor", "doctor"]
    env = {**os.environ, "HOME": str(home)}
    done = subprocess.run(line, cwd=work.root, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done
    return " ".join(done.stdout.split())


def test_fewer_watches_than_folders(work: Small, few: tuple[str, ...]) -> None:
    said = in_namespace(work, few, f"{WATCHES}=3")
    assert "warning watches 4 folders to watch, and 3 watches are free for this user" in said
    assert f"→ sysctl {WATCHES}=8; and for good: echo" in said


def test_no_watch_at_all(work: Small, few: tuple[str, ...]) -> None:
    said = in_namespace(work, few, f"{WATCHES}=0")
    assert "multirun can't be watched: no watch is left" in said


def test_no_instance_at_all(work: Small, few: tuple[str, ...]) -> None:
    said = in_namespace(work, few, f"{INSTANCES}=0")
    assert "all 0 inotify instances of this user are in use" in said
    assert "multirun can't be watched: no inotify instance is left" in said


# ---------------------------------------------------------------- filesystems of other hosts


@contextmanager
def over_fuse(place: Path) -> Iterator[Path]:
    """The folder, seen through a filesystem that other hosts might be behind. A real NFS takes
    a server in the kernel, which this machine has not."""
    if shutil.which("bindfs") is None:
        pytest.skip("bindfs is not installed")
    if subprocess.run(["bindfs", str(place), str(place)], capture_output=True).returncode:
        pytest.skip("no FUSE here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@needs_root
def test_a_root_that_other_hosts_may_write_to(work: Small) -> None:
    with over_fuse(work.root / "outputs"):
        said = trouble(work, "filesystem")
        assert "outputs is on fuse" in said
        assert "locks and renames may not be atomic" in said
        if clock.is_kept() is False:
            assert "not kept by NTP" in trouble(work, "clock")


@needs_root
def test_a_log_written_ahead_where_other_hosts_write(work: Small) -> None:
    study = place(work)
    assert of(work, "studies") == "1 file: 1 rollback journal"
    subprocess.run(["sqlite3", str(study), "PRAGMA journal_mode=WAL"], check=True)
    assert of(work, "studies") == "1 file: 1 WAL"
    before = snapshot(study.parent)
    with over_fuse(study.parent):
        said = trouble(work, "studies", 1)
        assert "problem: hpo_studies/eurusd.db is in WAL mode on fuse" in said
        assert 'sqlite3 hpo_studies/eurusd.db "PRAGMA journal_mode=DELETE"' in said
    assert difference(before, snapshot(study.parent)) == []


# ---------------------------------------------------------------- whose it is


@needs_root
def test_a_root_that_the_daemon_may_not_change(work: Small) -> None:
    """Root may, and the daemon runs as the workspace's owner."""
    work.handed_to(ORDINARY)
    assert "root may move all" in of(work, "permissions")
    os.chown(work.root / "outputs", 0, 0)
    said = trouble(work, "permissions")
    assert f"outputs belongs to root: a daemon that runs as {ORDINARY}" in said
    assert f"chown -R {ORDINARY} {work.root}/outputs" in said
    os.chown(work.root / "outputs", 0, ORDINARY)
    (work.root / "outputs").chmod(0o775)
    assert "root may move all" in of(work, "permissions"), "its group may write"


@needs_root
def test_a_store_that_takes_nothing(work: Small) -> None:
    store = work.root / ".janitor" / "archive"
    store.mkdir()
    work.handed_to(ORDINARY)
    os.chown(store, 0, 0)
    store.chmod(0o755)
    said = trouble(work, "permissions", uid=ORDINARY)
    assert f"{store} can't be written to by {ORDINARY}: nothing is archived" in said


@pytest.fixture
def secrets(work: Small) -> Path:
    """The studies' folder, of which the workspace's owner, and the daemon, may not read all."""
    study = place(work)
    work.handed_to(ORDINARY)
    folder = study.parent / "secret"
    folder.mkdir()
    for copy in (study.with_name("q2.db"), folder / "a.db"):
        shutil.copy(study, copy)
        copy.chmod(0o600)
    folder.chmod(0o700)
    study.with_name("away.db").symlink_to("/data/away.db")
    return study.parent


UNSEEN = "what is in this folder can't be seen: Permission denied"


@needs_root
def test_studies_that_can_t_be_read(work: Small, secrets: Path) -> None:
    found = doctor(work, uid=ORDINARY)
    (row,) = found["permissions"]
    assert "can't be read: 1 folder in hpo_studies, hpo_studies/secret: studies" in row["what"]
    assert row["hint"] == f"as root: chown -R {ORDINARY} {secrets}/secret"
    said = {row["what"]: row["hint"] for row in found["studies"]}
    what = f"hpo_studies/q2.db can't be read by {ORDINARY}: its studies are never trained"
    assert said[what] == f"as root: chown -R {ORDINARY} {secrets}/q2.db"
    assert "hpo_studies/away.db: it is a symlink, and none is followed here" in said
    assert "hpo_studies" in str(found["folders"])
    assert "hpo_studies/secret/a.db can't be read" in trouble(work, "studies"), "as root sees it"
    rows = work.janitor("studies", uid=ORDINARY).rows("unreadable_studies")
    told = {row["path"]: (row["kind"], row["why"]) for row in rows}
    assert told.keys() == {f"hpo_studies/{name}" for name in ("away.db", "q2.db", "secret")}
    assert told["hpo_studies/secret"] == ("unreadable", UNSEEN)


@needs_root
def test_a_daemon_says_which_studies_it_can_t_read(work: Small, secrets: Path) -> None:
    who = account(ORDINARY, work.root)
    line = [who.python, "-m", "artifact_janitor", "watch"]
    with who.popen(line, cwd=work.root, stderr=subprocess.PIPE) as daemon:
        try:
            until(lambda: f"{secrets}: a folder can't be read: secret" in work.said("status"))
            until(lambda: f"attention  hpo_studies/secret: {UNSEEN}" in work.said("status"))
        finally:
            daemon.kill()
        assert daemon.stderr
        assert f"hpo_studies/secret: {UNSEEN}" in daemon.stderr.read().decode()


# ---------------------------------------------------------------- the daemon


@contextmanager
def watching(work: Small, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon that is at work, and has said so."""
    line = [sys.executable, *(words or ("-m", "artifact_janitor")), "watch"]
    with subprocess.Popen(line, cwd=work.root, stderr=subprocess.DEVNULL) as process:
        until(lambda: "pid" in (daemon_file.read(State(work.root)) or {}))
        until(lambda: daemon_file.written(State(work.root)))
        try:
            yield process
        finally:
            process.kill()


def test_a_daemon_and_none(work: Small) -> None:
    assert "none runs" in of(work, "daemon")
    with watching(work) as process:
        said = of(work, "daemon")
        assert said.startswith(f"pid {process.pid} for ")
        assert said.endswith(" MB")
        assert of(work, "lock") == "free"
        process.kill()
        process.wait()
        assert "none runs" in of(work, "daemon"), "what it told of itself is still there"


def test_a_daemon_that_keeps_an_older_configuration(work: Small) -> None:
    with watching(work) as process:
        work.configure("[safety]\ngrace = 'soon'\n")
        process.send_signal(signal.SIGHUP)
        until(lambda: (daemon_file.read(State(work.root)) or {}).get("config_error"))
        said = trouble(work, "daemon", 1)
        assert "goes by an older configuration, as this one can't be used" in said
        assert "safety.grace" in said
        assert f"mend config.toml, then: kill -HUP {process.pid}" in said


def test_a_daemon_of_another_version(work: Small) -> None:
    program = "import sys, artifact_janitor; artifact_janitor.__version__ = '0.0.1'; "
    program += "from artifact_janitor.cli.main import answer; answer(sys.argv[1:])"
    with watching(work, "-c", program) as process:
        said = trouble(work, "daemon")
        assert f"runs version 0.0.1, and {artifact_janitor.__version__} is installed" in said
        assert f"kill {process.pid}; janitor watch" in said


def test_a_daemon_that_tells_nothing_any_more(work: Small) -> None:
    with watching(work) as process:
        process.send_signal(signal.SIGSTOP)
        told = work.root / ".janitor" / "daemon.json"
        os.utime(told, (time.time() - 3600,) * 2)
        assert "has told nothing of itself for 60 min: does it hang?" in trouble(work, "daemon")


@pytest.mark.parametrize(
    ("limit", "why", "raised"),
    [
        (f"{WATCHES}=1", "no watch to be had", "fs.inotify.max_user_watches="),
        (f"{INSTANCES}=0", "no inotify instance to be had", "fs.inotify.max_user_instances="),
    ],
)
def test_what_a_daemon_tells_of_its_watches_counts(
    work: Small, few: tuple[str, ...], limit: str, why: str, raised: str
) -> None:
    """In a namespace with few of them; who asks is outside, and has as many as he likes."""
    script = f'sysctl -qw {limit} && exec "$0" "$@"'
    line = [*few, script, sys.executable, "-m", "artifact_janitor", "watch"]
    with subprocess.Popen(line, cwd=work.root, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: (daemon_file.read(State(work.root)) or {}).get("watch"))
            until(lambda: "polled" in str(doctor(work)["watches"]))
            said = trouble(work, "watches")
            assert f"multirun is polled: {why}" in said
            assert f"→ sysctl {raised}" in said
        finally:
            process.kill()


def test_the_limit_to_raise_is_enough_for_all_folders() -> None:
    """As a daemon on a machine with few watches tells it."""
    limits = inotify.Limits(inotify.Limit(30, "w"), inotify.Limit(128, "i"))
    place = Place(load(None, {}, Path("/tmp")), 0, {})
    why = "no watch to be had for 54 of 82 folders"
    told = {"name": "training", "path": "/tmp/training/runs", "mode": "polling", "why": why}
    (found,) = _polled(place, [{**told, "folders": 82}], limits, inotify.Used(28, 1))
    assert found.what == f"training/runs is polled: {why}"
    assert found.hint.startswith("sysctl w=256;")


# ---------------------------------------------------------------- units


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Units of one's own account; no systemd of it runs here."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "conf"), "XDG_RUNTIME_DIR": str(tmp_path / "run")}


@pytest.fixture
def installed(work: Small, home: dict[str, str]) -> Path:
    assert "none installed" in doctor(work, env=home.items())["units"][0]["what"]
    assert work.janitor("service", "install", "--user", env=home.items()).code == 0
    (unit,) = Path(home["XDG_CONFIG_HOME"]).glob("systemd/user/janitor@*.service")
    return unit


def test_units_where_no_systemd_runs(work: Small, home: dict[str, str], installed: Path) -> None:
    (row,) = doctor(work, env=home.items())["units"]
    assert row["state"] == "ok"
    assert row["what"] == f"{installed.name}: installed; no systemd runs here"
    work.configure(f"{FREE}\n[archive]\nstore = '{work.root.parent}/archives'\n")
    said = trouble(work, "units", env=home.items())
    assert "is not as it would be written now" in said
    assert "→ janitor service install --user" in said
    installed.write_text(installed.read_text() + "Environment=A=1\n")
    said = trouble(work, "units", env=home.items())
    assert f"{installed.name} was edited since it was written" in said
    assert f"systemctl --user edit {installed.name}" in said


@pytest.mark.parametrize(
    ("stands", "code", "said"),
    [
        (("active", "enabled"), 0, ""),
        (
            ("failed", "enabled"),
            1,
            "failed: watchdog → journalctl --user -e -u {0}; then systemctl",
        ),
        (("inactive", "enabled"), 0, "doesn't run → systemctl --user start {0}"),
        (("active", "disabled"), 0, "with the machine → systemctl --user enable {0}"),
    ],
)
def test_units_by_what_systemd_says(
    work: Small, home: dict[str, str], stands: tuple[str, str], code: int, said: str
) -> None:
    """A stand-in for systemctl: none runs in a test; what it prints is in systemctl(1)."""
    stand_in = Path(home["XDG_CONFIG_HOME"]) / "systemctl"
    stand_in.parent.mkdir()
    told = "ActiveState={}\\nUnitFileState={}\\nResult=watchdog\\n".format(*stands)
    stand_in.write_text(f"#!/bin/sh\nprintf '{told}'\n")
    stand_in.chmod(0o755)
    Path(home["XDG_RUNTIME_DIR"], "systemd").mkdir(parents=True)
    Path(home["XDG_RUNTIME_DIR"], "systemd/private").touch()
    env = home | {"PATH": f"{stand_in.parent}:{os.environ['PATH']}"}
    assert work.janitor("service", "install", "--user", env=env.items()).code == 0
    name = "janitor@project.service"
    if said:
        assert said.format(name) in trouble(work, "units", code, env=env.items())
    else:
        (row,) = doctor(work, env=env.items())["units"]
        assert (row["state"], row["what"]) == ("ok", f"{name}: active, enabled")
