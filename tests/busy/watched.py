"""The daemon in the busy project: started, killed now and then, started again, and measured."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

PATIENCE = 600.0
"""Seconds that it may take to end: a step may be long, and the machine busy."""
WARM = 0.3
"""The share of a replay after which figures should stay what they are."""


@dataclass(frozen=True)
class Sample:
    """What a daemon took at a moment of the machine's, in seconds; memory in KiB."""

    at: float
    rss: int
    files: int
    threads: int


@dataclass
class Daemon:
    """One after the other."""

    root: Path
    env: Mapping[str, str]
    log: Path
    chance: random.Random
    process: subprocess.Popen[bytes] | None = None
    samples: list[Sample] = field(default_factory=list)
    kills: dict[str, int] = field(default_factory=dict)
    deaths: list[str] = field(default_factory=list)
    """Ends that nobody asked for."""
    cpu: float = 0.0
    """Seconds of those that were not killed, with all that they started."""

    def keep_up(self) -> None:
        """One runs; whoever ended by himself is noted."""
        if self.process is not None and (code := self.process.poll()) is not None:
            if code != -signal.SIGKILL or not self.kills:
                self.deaths.append(f"exit code {code}")
            self.process = None
        if self.process is None:
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "artifact_janitor", "watch"],
                    cwd=self.root,
                    env=self.env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def measure(self) -> None:
        assert self.process is not None
        folder = Path("/proc", str(self.process.pid))
        try:
            said = (folder / "status").read_text().splitlines()
            told = dict(line.split(":", 1) for line in said if ":" in line)
            rss, threads = int(told["VmRSS"].split()[0]), int(told["Threads"])
            files = len(os.listdir(folder / "fd"))
        except (OSError, KeyError):
            return  # it ends just now
        self.samples.append(Sample(time.monotonic(), rss, files, threads))

    def kill(self) -> None:
        """SIGKILL, to it, to what sweeps for it, or to both; never to a training."""
        assert self.process is not None
        sweeping = _children(self.process.pid)
        whom = self.chance.choice(("daemon", "sweep", "both") if sweeping else ("daemon",))
        pids = [] if whom == "sweep" else [self.process.pid]
        pids += [] if whom == "daemon" else sweeping
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.kills[whom] = self.kills.get(whom, 0) + 1
        if self.process.pid in pids:
            self.process.wait()
            self.process = None

    def end(self) -> int:
        """By a word; its exit code."""
        if self.process is None:
            return -1
        self.process.terminate()
        try:
            return self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def growth(self) -> dict[str, tuple[float, float, float]]:
        """By what was measured: the median after warming up, that of the end, and the most."""
        found = {}
        begin = int(len(self.samples) * WARM)
        part = max((len(self.samples) - begin) // 4, 1)
        for name in ("rss", "files", "threads"):
            every = [getattr(each, name) for each in self.samples]
            warm, late = every[begin : begin + part], every[-part:]
            found[name] = (median(warm), median(late), max(every[begin:]))
        return found


def _children(pid: int) -> list[int]:
    """The sweeps that a daemon has others do; trainings are none of its children."""
    found = []
    for task in Path("/proc", str(pid), "task").glob("*/children"):
        try:
            found += [int(each) for each in task.read_text().split()]
        except OSError:
            continue
    return [each for each in found if _sweeps(each)]


def _sweeps(pid: int) -> bool:
    try:
        return b"artifact_janitor.daemon" in Path("/proc", str(pid), "cmdline").read_bytes()
    except OSError:
        return False
