"""What happened in the demo project, and when: four months of work, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

HOURS = ((9, 14, 5), (10, 15, 0), (11, 42, 31), (14, 3, 12), (16, 27, 48), (18, 50, 9))
"""When people start experiments; far from the hours that a clock change skips."""

# fmt: off
EXPERIMENTS = (
    119, 112, 105, 97, 93, 86, 86, 79, 70, 70, 64, 58, 51, 44, 44, 38, 33, 29, 26, 22, 18, 15,
    12, 9, 6, 5, 3, 2,
)
# fmt: on
"""How many days ago each Hydra run started, oldest first."""

FAVOURITE, RELEASED, TRACKED = 8, 5, 3
"""Experiments (by index) that a symlink names, that was released, that W&B recorded."""

SWEEPS = ((75, "lr=0.01,0.003,0.001"), (47, "lr=0.03,0.01"), (20, "lr=0.01,0.003"))
"""How many days ago each sweep started, and over what."""

LOG_DAYS = (117, 103, 89, 75, 61, 47, 34, 27, 13, 6, 1)
"""How many days ago the feed wrote its logs."""

LIVE = "marathon"
"""The training run that is running while the demo does."""


@dataclass(frozen=True, slots=True)
class Run:
    """One call of the demo project's train.py, and the time that it is dated back to."""

    folder: str
    """What the run itself wrote, relative to the project."""
    start: datetime
    lasted: timedelta
    arguments: tuple[str, ...]
    wandb_in: str = ""
    """The folder where W&B records it, relative to the project; "" where it doesn't."""
    wandb_id: str = ""

    @property
    def command(self) -> list[str]:
        if not self.wandb_in:
            return [*self.arguments]
        return [*self.arguments, f"wandb.dir={self.wandb_in}", f"wandb.id={self.wandb_id}"]

    @property
    def wandb_folder(self) -> str:
        """Where its W&B run ends up, named as W&B would have named it then."""
        above = "" if self.wandb_in == "." else f"{self.wandb_in}/"
        return f"{above}wandb/offline-run-{self.start:%Y%m%d_%H%M%S}-{self.wandb_id}"


def days_before(now: datetime, days: int, hour: tuple[int, int, int]) -> datetime:
    """A moment of local time, `days` calendar days before `now`."""
    return datetime.combine(now.date() - timedelta(days), time(*hour))


def experiments(now: datetime) -> list[Run]:
    """Hydra runs in outputs/DATE/TIME, each with a seed and a size of its own."""
    return [_experiment(now, number, days) for number, days in enumerate(EXPERIMENTS)]


def _experiment(now: datetime, number: int, days: int) -> Run:
    start = days_before(now, days, HOURS[number % len(HOURS)])
    folder = f"outputs/{start:%Y-%m-%d/%H-%M-%S}"
    size = (512, 1024, 768, 896)[number % 4]
    arguments = (f"hydra.run.dir={folder}", f"seed={number}", f"hidden={size}")
    tracked = (folder, "q7x2m0vd") if number == TRACKED else ("", "")
    return Run(folder, start, timedelta(minutes=25 + 7 * (number % 5)), arguments, *tracked)


def sweeps(now: datetime) -> list[Run]:
    """Hydra sweeps in multirun/DATE/TIME: one call, several jobs."""
    runs = []
    for days, choices in SWEEPS:
        start = days_before(now, days, (17, 5, 20))
        folder = f"multirun/{start:%Y-%m-%d/%H-%M-%S}"
        arguments = ("--multirun", f"hydra.sweep.dir={folder}", choices)
        runs.append(Run(folder, start, timedelta(hours=3), arguments))
    return runs


def long_runs(now: datetime) -> list[Run]:
    """Training runs with checkpoints in training/runs/NAME; W&B knows two of them."""
    return [
        _long_run(now, 113, "long", "first_try", "epochs=5", "seed=1"),
        _long_run(now, 76, "long", "baseline", "hidden=768", "seed=2", wandb_id="b8s4kq1e"),
        _long_run(now, 48, "long", "wide", "hidden=1024", "epochs=6", "seed=3"),
        _long_run(now, 31, "long", "crashed", "epochs=6", "seed=4"),
        _long_run(
            now, 5, "finetune", "finetuned", "hidden=768", "epochs=4", "seed=2", wandb_id="f1t9w3zc"
        ),
    ]


def live_run(now: datetime, wait: int) -> Run:
    """The run that still runs: its last checkpoint is weeks old, and it waits `wait` seconds."""
    return _long_run(now, 26, "long", LIVE, "epochs=6", "seed=6", f"wait={wait}")


def _long_run(
    now: datetime, days: int, config: str, name: str, *overrides: str, wandb_id: str = ""
) -> Run:
    start = days_before(now, days, (20, 30, 0))
    arguments = ("--config-name", config, f"name={name}", *overrides)
    recorded = ("." if wandb_id else "", wandb_id)
    return Run(f"training/runs/{name}", start, timedelta(hours=30), arguments, *recorded)
