"""Measure whole processes, ours and their peers in turn, and say what came out."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

JANITOR = [sys.executable, "-m", "artifact_janitor"]


@dataclass(frozen=True)
class Run:
    """One process, children that it waited for included: seconds and MiB."""

    wall: float
    cpu: float
    peak: float


def measured(command: Sequence[str], cwd: Path) -> Run:
    """Run a command to its end. What it prints is thrown away; what it fails with isn't."""
    began = perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


@dataclass
class Work:
    """Something to measure; `before` is done first each time and isn't measured."""

    name: str
    command: Sequence[str]
    before: Callable[[], object] = lambda: None
    runs: list[Run] = field(default_factory=list)

    def once(self, cwd: Path) -> None:
        self.before()
        self.runs.append(measured(self.command, cwd))

    def least(self) -> Run:
        """The best of all rounds: what other programs took from us only adds."""
        of = lambda name: min(getattr(run, name) for run in self.runs)  # noqa: E731
        return Run(of("wall"), of("cpu"), max(run.peak for run in self.runs))


@dataclass(frozen=True)
class Target:
    """`work` may take `ratio` of its `peer`'s time and `extra` seconds."""

    work: Work
    peer: Work
    ratio: float
    extra: float = 0.0

    @property
    def limit(self) -> float:
        return self.ratio * self.peer.least().wall + self.extra


def in_turn(works: Sequence[Work], cwd: Path, times: int) -> None:
    """Once to warm up, which doesn't count, then `times` rounds of all of them."""
    for number in range(times + 1):
        for work in works:
            work.once(cwd)
            if number == 0:
                work.runs.clear()


def table(title: str, works: Sequence[Work], targets: Sequence[Target]) -> None:
    """Print what was measured, as Markdown."""
    by_work = {target.work.name: target for target in targets}
    print(f"\n### {title}\n\n{machine()}; the least of {len(works[0].runs)} runs, warm.\n")
    print("| | wall s | CPU s | peak MiB | may take s | |\n|---|---|---|---|---|---|")
    for work in works:
        least, target = work.least(), by_work.get(work.name)
        row = f"| {work.name} | {least.wall:.2f} | {least.cpu:.2f} | {least.peak:.0f} |"
        print(row + (_verdict(target, least) if target else " | |"))


def _verdict(target: Target, least: Run) -> str:
    extra = f" + {target.extra:g} s" if target.extra else ""
    allowed = f" {target.limit:.2f} ({target.ratio:g} × {target.peer.name}{extra}) |"
    over = least.wall / target.limit
    return allowed + (" reached |" if over <= 1 else f" **missed**: {over:.2f} × of it |")


def machine() -> str:
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.release()}"
    return f"{system}, {cores} cores, Python {platform.python_version()}"
