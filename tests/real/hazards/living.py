"""Runs that look old and are in use: each shows it in one way only.

All are backdated after their program started, so that no fresh file gives them away;
only TensorBoard's event file stays young, because a process proves nothing about files
that are older than itself.
"""

import os
import subprocess

from tests.real import hydra_runs
from tests.real.account import Account, myself
from tests.real.workspace import Nasty

WAIT = "\nprint('ready', flush=True); sys.stdin.read()"
MAPPED = """
import mmap, sys
with open(sys.argv[1], "r+b") as file:
    memory = mmap.mmap(file.fileno(), 0)
"""
READING = """
import sys
file = open(sys.argv[1], "rb")
"""
STANDING_IN = """
import os, sys
os.chdir(sys.argv[1])
"""
WRITING = """
import sys
file = open(sys.argv[1], "ab")
"""
EVENTS = """
import sys, time
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.event_file_writer import EventFileWriter
writer = EventFileWriter(sys.argv[1])
writer.add_event(Event(step=1, wall_time=time.time()))
writer.flush()
"""


def hydra_with_log(w: Nasty) -> None:
    """A live Hydra run holds its log open for writing."""
    run = w.dated("outputs", 40)
    w.live.append(lambda given: _hydra(given, run, 40))
    w.stays(run, "hydra-run", "live: its log is open for writing")


def hydra_without_log(w: Nasty) -> None:
    """A live Hydra run without a log holds no file at all; only its cwd is in the folder."""
    run = w.dated("outputs", 41)
    quiet = ("hydra/job_logging=disabled", "hydra.job.chdir=True")
    w.live.append(lambda given: _hydra(given, run, 41, *quiet))
    w.stays(run, "hydra-run", "live: a program's working directory")


def mapped(w: Nasty) -> None:
    """The file is closed, but its memory is mapped: no descriptor shows it, the lease does."""
    run = w.old_hydra(42)
    w.live.append(lambda given: held(given, MAPPED, f"{run}/metrics.json"))
    w.stays(run, "hydra-run", "live: a file in it is mapped into a program")


def being_read(w: Nasty) -> None:
    """Somebody evaluates an old run: reading needs it as much as writing."""
    run = w.old_hydra(43)
    w.live.append(lambda given: held(given, READING, f"{run}/metrics.json"))
    w.stays(run, "hydra-run", "live: a file in it is open for reading")


def stood_in(w: Nasty) -> None:
    """A person's shell in a subfolder of an old run."""
    run = w.old_hydra(44)
    w.live.append(lambda given: held(given, STANDING_IN, f"{run}/.hydra"))
    w.stays(run, "hydra-run", "live: a program's working directory is below it")


def sweep_at_work(w: Nasty) -> None:
    """Only the current child of a sweep is held: the sweep is one whole."""
    sweep = w.dated("multirun", 45)
    hydra_runs.sweep(w.root, sweep)
    w.backdate(sweep, 45)
    w.live.append(lambda given: held(given, WRITING, f"{sweep}/1/train.log"))
    w.stays(sweep, "hydra-sweep", "live: one job of it writes its log")


def tensorboard(w: Nasty) -> None:
    """The writer holds no file; the event file's name says which process writes it.

    Another run must be younger, or ``keep_last = 1`` would keep this one by itself.
    """
    run, younger = w.old_hydra(46), w.hydra(0.01)
    w.live.append(lambda given: _writes_events(given, run, younger))
    w.stays(run, "hydra-run", "live: its event file names a process that runs")
    w.stays(younger, "hydra-run", "the newest of its kind")


def _writes_events(w: Nasty, run: str, younger: str) -> subprocess.Popen[bytes]:
    process = held(w, EVENTS, f"{run}/tensorboard")
    os.utime(w.root / younger / "metrics.json")
    return process


def log_at_work(w: Nasty) -> None:
    w.write("logs/server.log", "2025-01-01 started\n")
    w.backdate("logs/server.log", 47)
    w.live.append(lambda given: held(given, WRITING, "logs/server.log"))
    w.stays("logs/server.log", "log", "live: open for writing")


def written_by_a_stranger(w: Nasty) -> None:
    """Root in a container writes to a user's file: no descriptor shows it, but the lease does."""
    run = w.old_hydra(48)
    stranger = myself(w.root.parent / "home")
    w.live.append(lambda given: held(given, WRITING, f"{run}/train.log", stranger))
    w.stays(run, "hydra-run", "live: a program of another user writes its log")


def held(w: Nasty, program: str, path: str, by: Account | None = None) -> subprocess.Popen[bytes]:
    """A program, of the workspace's owner unless it is `by` somebody else, that uses one
    path until its stdin is closed.
    """
    user = by or w.who
    assert user is not None
    args = [user.python, "-c", program + WAIT, str(w.root / path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = user.popen(args, cwd="/", **pipes)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n", f"nothing holds {path}"
    return process


def _hydra(w: Nasty, run: str, days: float, *overrides: str) -> subprocess.Popen[bytes]:
    assert w.who is not None
    process = hydra_runs.live(w.who, w.root, run, *overrides)
    w.backdate(run, days)
    return process


HAZARDS = (
    hydra_with_log,
    hydra_without_log,
    mapped,
    being_read,
    stood_in,
    sweep_at_work,
    tensorboard,
    log_at_work,
    written_by_a_stranger,
)
