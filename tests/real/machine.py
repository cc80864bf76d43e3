"""A machine with a systemd of its own: booted within a second from an almost empty folder, with
the programs of this one, read-only, and no network but its own loopback.

Its processes are seen from here by other numbers, its files lie in `root`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real.account import ORDINARY, SOURCE

OWNER = "anna"
"""An account whose systemd runs from boot on, with the number `ORDINARY`."""
GUEST, GUEST_ID = "gast", 12346
"""One whose systemd doesn't."""
UNNEEDED = (
    *("console-getty", "systemd-journal-flush", "systemd-pcrphase", "systemd-pcrphase-sysinit"),
    *("systemd-sysctl", "systemd-sysusers", "systemd-tmpfiles-setup", "systemd-udev-trigger"),
    *("systemd-udevd", "systemd-update-utmp", "systemd-update-utmp-runlevel", "e2scrub_reap"),
    *("systemd-networkd", "systemd-resolved", "systemd-timesyncd", "systemd-logind-pam"),
)
NOT_HERE = (
    *("tmp.mount", "dev-hugepages.mount", "dev-mqueue.mount", "sys-fs-fuse-connections.mount"),
    *("sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount"),
    *("getty.target", "systemd-tmpfiles-clean.timer"),
)
_ACCOUNTS = f"""\
root:x:0:0::/root:/bin/sh
messagebus:x:101:101::/:/usr/sbin/nologin
{OWNER}:x:{ORDINARY}:{ORDINARY}::/home/{OWNER}:/bin/sh
{GUEST}:x:{GUEST_ID}:{GUEST_ID}::/home/{GUEST}:/bin/sh
nobody:x:65534:65534::/:/usr/sbin/nologin
"""
_PAM = "account required pam_permit.so\nsession required pam_permit.so\n"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"


@dataclass(frozen=True)
class Machine:
    """A running machine; `leader` is its first process, as seen from here."""

    root: Path
    leader: int

    def run(
        self, *words: str | Path, uid: int = 0, cwd: str = "/"
    ) -> subprocess.CompletedProcess[str]:
        """A program in it, to its end."""
        home = {0: "/root", ORDINARY: f"/home/{OWNER}", GUEST_ID: f"/home/{GUEST}"}[uid]
        environment = [f"PATH={_PATH}", f"HOME={home}", f"XDG_RUNTIME_DIR=/run/user/{uid}"]
        enter = ["nsenter", f"--target={self.leader}", "--all", f"--setuid={uid}"]
        enter += [f"--setgid={uid}", f"--wd={self.root}{cwd}", "--", "env", "-i", *environment]
        return subprocess.run(
            [*enter, *map(str, words)], capture_output=True, text=True, timeout=300
        )

    def said(self, *words: str | Path, uid: int = 0, cwd: str = "/") -> str:
        """What a program prints that ends well."""
        done = self.run(*words, uid=uid, cwd=cwd)
        assert done.returncode == 0, (words, done.stdout, done.stderr, self.journal()[-3000:])
        return done.stdout

    def janitor(self, *words: str, uid: int = 0, cwd: str) -> str:
        """The command, as in this virtual environment."""
        return self.said(sys.executable, "-m", "artifact_janitor", *words, uid=uid, cwd=cwd)

    def show(self, unit: str, name: str, *scope: str, uid: int = 0) -> str:
        """A property of a unit."""
        words = ("systemctl", *scope, "show", f"--property={name}", "--value", unit)
        return self.run(*words, uid=uid).stdout.strip()

    def journal(self, *words: str) -> str:
        return self.run("journalctl", "--no-pager", "-o", "cat", *words).stdout


def until(found: Callable[[], object], said: Callable[[], object], patience: float = 480) -> None:
    """Wait until a call says something; `said` tells why it never did."""
    end = time.monotonic() + patience
    while not found():
        assert time.monotonic() < end, said()
        time.sleep(0.05)


@contextmanager
def booted(root: Path) -> Iterator[Machine]:
    """A machine whose files lie in `root`; it is gone, with all that ran in it, at the end."""
    _must_be_possible()
    _furnish(root)
    words = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network"]
    words += ["--console=pipe", f"--directory={root}", *_binds(), "--boot"]
    with (root.parent / f"{root.name}.log").open("w+b") as log:
        nspawn = subprocess.Popen(
            words,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},  # as everywhere today
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        leader = 0
        try:
            leader = _leader(nspawn, root)
            yield Machine(root, leader)
        finally:
            with suppress(ProcessLookupError):
                os.kill(leader or nspawn.pid, signal.SIGKILL)
            nspawn.wait(60)


def _must_be_possible() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root boots a machine")
    for program in ("systemd-nspawn", "nsenter", "dbus-daemon"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    instances = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(instances.read_text()) < 32:
        pytest.skip("this machine has no inotify instances left for another systemd")


def _binds() -> list[str]:
    """The programs of this machine, and where Python and the janitor's code lie."""
    places = [Path("/usr"), Path(sys.base_prefix), Path(sys.prefix), SOURCE.parent]
    outer = [
        each for each in places if not any(each.is_relative_to(o) for o in places if o != each)
    ]
    return [f"--bind-ro={each}" for each in dict.fromkeys(outer)]


def _furnish(root: Path) -> None:
    """What a system is besides its programs."""
    for name in ("usr", "etc/systemd/system", "etc/pam.d", "srv", "tmp", "root", "run"):
        (root / name).mkdir(parents=True)
    for each in Path("/").iterdir():
        if each.is_symlink() and str(each.readlink()).startswith("usr/"):
            (root / each.name).symlink_to(each.readlink())
    files = {
        "machine-id": "0123456789abcdef0123456789abcdef\n",
        "os-release": "ID=test\n",
        "passwd": _ACCOUNTS,
        "group": "".join(
            f"{name}:x:{number}:\n" for name, _, number, *_ in map(_fields, _ACCOUNTS.splitlines())
        ),
        "nsswitch.conf": "passwd: files\ngroup: files\n",
        "pam.d/systemd-user": f"{_PAM}session optional pam_systemd.so\n",
    }
    for name, text in files.items():
        (root / "etc" / name).write_text(text)
    for name in (*(f"{each}.service" for each in UNNEEDED), *NOT_HERE):
        (root / "etc/systemd/system" / name).symlink_to("/dev/null")
    for name, uid in ((OWNER, ORDINARY), (GUEST, GUEST_ID)):
        (root / "home" / name).mkdir(parents=True)
        os.chown(root / "home" / name, uid, uid)
    lingering = root / "var/lib/systemd/linger"
    lingering.mkdir(parents=True)
    (lingering / OWNER).touch()
    if Path("/etc/ld.so.cache").exists():
        shutil.copy("/etc/ld.so.cache", root / "etc")


def _fields(line: str) -> list[str]:
    return line.split(":")


def _leader(nspawn: subprocess.Popen[bytes], root: Path) -> int:
    """The first process of the machine, once everything in it has started."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if nspawn.poll() is not None:
            pytest.skip(f"no machine boots here: {(root.parent / f'{root.name}.log').read_text()}")
        children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children").read_text().split()
        if len(children) == 1:
            found = Machine(root, int(children[0]))
            if found.run("systemctl", "is-system-running").stdout.strip() == "running":
                return found.leader
        time.sleep(0.05)
    raise AssertionError((root.parent / f"{root.name}.log").read_text())
