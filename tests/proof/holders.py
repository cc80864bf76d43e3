"""Programs that live with a run, and show it in one way only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = r"""
import array, ctypes, json, os, random, socket, sys, threading, time
runs, longest = json.loads(sys.argv[1]), float(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
end, alive = os.pipe()
here, there = socket.socketpair()

def child(act, outlived=False):
    done, said = os.pipe()
    if os.fork():
        os.close(said)
        worked = os.read(done, 1)
        os.close(done)
        if not worked:
            raise OSError
        return
    os.close(alive)
    def live():
        try:
            kept = act()
            os.write(said, b"!")
            os.close(said)
            os.read(end, 1)
        finally:
            os._exit(0)
    if outlived:
        threading.Thread(target=live).start()
        libc.syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)
    live()

def apart(what, act):
    # in a thread with a table of its own
    held, forever = threading.Event(), threading.Event()
    def live():
        if libc.unshare(what) == 0:
            kept = act()
            held.set()
            forever.wait()
    threading.Thread(target=live, daemon=True).start()
    if not held.wait(20):
        raise OSError

def opened(run, flags):
    return os.open(run + "/train.log", flags)

def mapped(run, flags, how):
    fd = opened(run, flags)
    if libc.mmap(None, 4096, how, 1, fd, ctypes.c_long(0)) in (None, ctypes.c_void_p(-1).value):
        raise OSError
    os.close(fd)

def passed(run):
    # over a socket to another program; its name is another one by then
    fd = opened(run, os.O_RDONLY)
    os.rename(run + "/train.log", run + "/renamed.log")
    here.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    os.close(fd)
    child(lambda: there.recvmsg(1, socket.CMSG_SPACE(4)))

def events(run):
    name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.0"
    with open(f"{run}/{name}", "x"):
        pass

HOLD = {
    "reads": lambda run: opened(run, os.O_RDONLY),
    "writes": lambda run: opened(run, os.O_WRONLY | os.O_APPEND),
    "a child writes": lambda run: child(lambda: opened(run, os.O_WRONLY | os.O_APPEND)),
    "passed": passed,
    "maps": lambda run: mapped(run, os.O_RDONLY, 1),
    "maps to write": lambda run: mapped(run, os.O_RDWR, 3),
    "works in": lambda run: child(lambda: os.chdir(run)),
    "works below": lambda run: child(lambda: os.chdir(run + "/.hydra")),
    "an open folder": lambda run: os.open(run, os.O_RDONLY),
    "its events": events,
    "outlived": lambda run: child(lambda: opened(run, os.O_RDONLY), outlived=True),
    "a thread reads": lambda run: child(lambda: apart(0x400, lambda: opened(run, os.O_RDONLY))),
    "a thread works in": lambda run: child(lambda: apart(0x200, lambda: os.chdir(run))),
}
got = []
for kind, run in runs:
    time.sleep(random.uniform(0, longest))
    try:
        HOLD[kind](run)
        got.append(run)
    except OSError:
        pass
print(json.dumps(got), flush=True)
sys.stdin.read()
"""
SEEN = (
    *("reads", "writes", "a child writes", "passed", "maps", "maps to write"),
    *("works in", "works below", "an open folder", "its events"),
    *("outlived", "a thread reads", "a thread works in"),
)
"""All that a janitor sees who may look into the program."""
WRITES = ("writes", "a child writes", "maps to write")
"""What it knows by a lease of a program that is out of its sight."""


@dataclass(frozen=True)
class Holders:
    """One program, with children, that holds several runs."""

    process: subprocess.Popen[str]

    def got(self) -> set[Path]:
        """Wait until it has tried all of them; those that it holds now."""
        assert self.process.stdout is not None
        return {Path(each) for each in json.loads(self.process.stdout.readline())}

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@contextmanager
def holders(runs: Sequence[tuple[str, Path]], uid: int, longest: float) -> Iterator[Holders]:
    """Each run in the way that is named with it, one after the other, with so many seconds
    between two at most; until the end of the block."""
    python = sys.executable if uid == os.geteuid() else "/usr/bin/python3"
    words = [python, "-S", "-c", _PROGRAM]
    args = [json.dumps([(kind, str(run)) for kind, run in runs]), str(longest)]
    who = {} if uid == os.geteuid() else {"user": uid, "group": uid, "extra_groups": []}
    with subprocess.Popen(
        [*words, *args], cwd="/", text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **who
    ) as process:
        try:
            yield Holders(process)
        finally:
            process.kill()
