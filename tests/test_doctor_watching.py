"""What `janitor doctor` says of watching, of the daemon, and of what both stand on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from artifact_janitor import clock
from artifact_janitor.checkup import inotify
from tests.real.account import ORDINARY
from tests.real.retraining import place
from tests.real.small import Small, small
from tests.real.snapshot import difference, snapshot
from tests.test_doctor import RUN, doctor, trouble
from tests.test_filesystems import needs_root

WATCHES = "fs.inotify.max_user_watches"


@pytest.fixture
def work(tmp_path: Path) -> Small:
    (tmp_path / "project").mkdir()
    found = small(tmp_path / "project")
    found.hydra(30, RUN)
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
    before = snapshot(work.root / "outputs")
    assert of(work, "watches").startswith("4 folders, ")
    assert of(work, "watches").endswith("watches free, and events come")
    assert difference(before, snapshot(work.root / "outputs")) == []


def test_watches_that_are_used_are_counted(work: Small) -> None:
    held = inotify.used(os.geteuid())
    watching = """
import ctypes, sys
libc = ctypes.CDLL(None)
fd = libc.inotify_init1(0)
for folder in sys.argv[1:]:
    assert libc.inotify_add_watch(fd, folder.encode(), 0x20) > 0
print(flush=True)
sys.stdin.read()
"""
    line = [sys.executable, "-c", watching, "/", "/tmp", str(work.root)]
    with subprocess.Popen(line, stdin=-1, stdout=-1) as other:
        assert other.stdout
        other.stdout.readline()
        now = inotify.used(os.geteuid())
        assert now.watches >= held.watches + 3 or now.instances > held.instances
        other.communicate(b"")


@pytest.fixture
def few() -> tuple[str, ...]:
    """The words that run a program in a user namespace of its own, which has limits of its own."""
    words = ("unshare", "--user", "--map-root-user", "sh", "-c")
    probe = f"sysctl -qw {WATCHES}=3 fs.inotify.max_user_instances=1"
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
    assert "warning watches 4 folders, and 3 watches are free for this user" in said
    assert f"→ sysctl {WATCHES}=8; and for good: echo" in said


def test_no_watch_at_all(work: Small, few: tuple[str, ...]) -> None:
    said = in_namespace(work, few, f"{WATCHES}=0")
    assert f"outputs can't be watched: no watch is left ({WATCHES})" in said


def test_no_instance_at_all(work: Small, few: tuple[str, ...]) -> None:
    said = in_namespace(work, few, "fs.inotify.max_user_instances=0")
    assert "all 0 inotify instances of this user are in use" in said
    assert "outputs can't be watched: no inotify instance is left" in said


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
