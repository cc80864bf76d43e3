"""What people do in the busy project, and when: a plan of days, as plain values, and the
programs that carry it out."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.real.wandb_stub import WandbStub


@dataclass(frozen=True, order=True)
class Act:
    """One thing that somebody does, so many hours after the beginning."""

    at: float
    what: str
    args: tuple[object, ...] = ()


def acts(days: float, seed: int) -> list[Act]:
    """All of them, in the order of time."""
    chance = random.Random(seed)
    found = [each for day in range(max(round(days), 1)) for each in _of_day(day, chance)]
    found += _long(days)
    return sorted(each for each in found if each.at < days * 24 - 6)


def one_day() -> list[Act]:
    """The least of it: a study of two optimizers, a live run, one that is held, a hand."""
    return [
        Act(0, "hydra", (0.1, 20_000, 1)),
        Act(1, "hydra", (0.5, 5000, 16)),
        Act(1, "study", ("both", 4, 8, "wal", 0.0)),
        Act(2, "study", ("both", 4, 8, "wal", 0.0)),
        Act(4, "log", (0,)),
        Act(8, "hold", ("mmap", 12)),
        Act(14, "by hand"),
    ]


def _of_day(day: int, chance: random.Random) -> Iterator[Act]:
    """A day's work: experiments, a sweep, tracked runs, a training, two studies, a log."""

    def hour() -> float:
        return day * 24 + chance.uniform(0, 17)

    for _ in range(3):
        yield Act(hour(), "hydra", (chance.random(), chance.randrange(1000, 30_000), 0.5))
    if day % 2 == 0:
        yield Act(hour(), "sweep")
    for number in range(2):
        begun = hour()
        yield Act(begun, "wandb", (f"w{day}-{number}", 1))
    yield Act(day * 24 + 20, "sync", (1,))
    yield Act(hour(), "torch", (f"t{day}", 3, 2))
    for number in range(2):
        yield from _study(f"s{day}_{number}", hour(), chance, style=(2 * day + number) % 6)
    yield Act(hour(), "log", (day,))
    yield Act(day * 24 + 17, "by hand")


def _study(stem: str, at: float, chance: random.Random, style: int) -> Iterator[Act]:
    """`style` goes through what people do: two optimizers at once or one, a mark or none, the
    one journal or the other, a kill with and without somebody who takes it up again."""
    journal = ("delete", "wal")[style % 2]
    both, marked, killed = style < 3, style in (0, 1, 4), style in (2, 4, 5)
    trials = 6
    target = 2 * trials if both else trials
    order = (stem, trials, target if marked else 0, journal)
    ends = chance.uniform(0.3, 0.7) if killed else 0.0
    yield Act(at, "study", (*order, ends))
    if both:
        yield Act(at + 0.05, "study", (*order, 0.0))
    if killed and style != 5:
        yield Act(at + chance.uniform(1, 8), "study", (*order, 0.0))


def _long(days: float) -> Iterator[Act]:
    """What runs for days, or sits in a run for days: none of it may be touched."""
    yield Act(1, "torch", ("marathon", 8, days * 24 * 0.8))
    yield Act(2, "hydra", (0.5, 5000, days * 24 * 0.7))
    yield Act(3, "wandb", ("long", days * 24 * 0.6))
    for number, how in enumerate(("cwd", "mmap", "open")):
        yield Act(12 + number, "hold", (how, days * 24 * 0.5))


@dataclass
class Program:
    """One of theirs, at work. ``made`` is what it makes, relative to the project."""

    act: Act
    process: subprocess.Popen[bytes]
    out: Path
    ends: float = 0.0
    """A moment at which it is killed, or 0."""
    made: str = ""

    def read(self) -> str:
        """What it makes, once it said so."""
        if not self.made:
            lines = self.out.read_text(errors="replace").splitlines()
            told = [each[5:] for each in lines if each.startswith("made ")]
            self.made = told[0] if told else ""
        return self.made


@dataclass
class People:
    """They work in `root`, with `env` around their programs."""

    root: Path
    env: Mapping[str, str]
    notes: Path
    """A folder for what programs print."""
    stub: WandbStub
    count: int = 0
    folders: list[str] = field(default_factory=list)
    """Runs that are over, for those who look into them later."""

    def start(self, *words: object, **more: str) -> tuple[subprocess.Popen[bytes], Path]:
        self.count += 1
        out = self.notes / f"{self.count}.txt"
        with out.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", *map(str, words)],
                cwd=self.root,
                env={**self.env, **more},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return process, out

    def act(self, act: Act) -> Program | None:
        """Begin it; None where there is nothing to begin."""
        words = self._words(act)
        if not words:
            return None
        return Program(act, *self.start(*words))

    def _words(self, act: Act) -> tuple[object, ...]:
        given = act.args
        match act.what:
            case "hydra":
                lr, size, hours = given
                return "train.py", f"lr={lr}", f"size={size}", f"hours={hours}"
            case "sweep":
                return "train.py", "--multirun", "lr=0.1,0.2", "hydra/launcher=basic"
            case "wandb":
                return ("tracked.py", *given)
            case "torch":
                return ("long_training.py", *given)
            case "study":
                stem, trials, target, journal, _ = given
                name = f"{stem}_mlp"
                return ("optimize.py", f"hpo_studies/{stem}.db", name, trials, target, journal, 0.3)
            case "hold" if self.folders:
                return ("holds.py", self.folders.pop(0), *given)
            case "sync" if runs := self._unsynced():
                return "-m", "wandb", "sync", *runs
            case "by hand":
                return "-m", "artifact_janitor", "run", "--yes"
        return ()

    def _unsynced(self) -> list[str]:
        """Of the finished ones the older half: some are never synced."""
        found = sorted(self.root.glob("wandb/offline-run-*"))
        idle = [each for each in found if not [*each.glob("*.synced")] and not _is_open(each)]
        return [os.path.relpath(each, self.root) for each in idle[: (len(idle) + 1) // 2]]


def _is_open(folder: Path) -> bool:
    """Whether a process has its log open."""
    logs = {os.fspath(each) for each in folder.glob("*.wandb")}
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(fd) in logs:
                return True
        except OSError:
            continue
    return False
