"""Build the demo project: real Hydra, W&B and torch runs, then four months go by."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from artifact_janitor.config import load
from artifact_janitor.core.gitignore import FILE, Change, change
from artifact_janitor.core.gitignore_rules import Gitignore, rules
from artifact_janitor.demo import timeline
from artifact_janitor.demo.aging import age
from artifact_janitor.demo.timeline import Run
from artifact_janitor.errors import JanitorError, UsageError

NEEDS = ("hydra", "lightning", "optuna", "sklearn", "torch", "torchmetrics", "wandb")
"""What the [demo] extra brings."""

LIVE_SECONDS = 170
"""After this the live run goes on and ends by itself, whatever became of the demo."""

START_SECONDS = 90
"""How long the live run may take to get to where it waits."""

HERE = Path(__file__).parent

REHEARSE = """\
import json, runpy, sys
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["train.py", *arguments]
    runpy.run_path("train.py", run_name="__main__")
"""
"""Runs train.py many times in one interpreter: to import torch takes longer than to train."""


@dataclass(frozen=True)
class Demo:
    """A finished demo project; ``highlights`` are paths worth a ``janitor why``, by story."""

    folder: Path
    live_pid: int
    highlights: Mapping[str, str]


@contextmanager
def build(folder: Path, say: Callable[[str], None]) -> Iterator[Demo]:
    """Make the project in `folder`, which must be empty or not exist; end its live run after.

    `say` gets a line for each stage. Raises UsageError where something is missing or in
    the way, and JanitorError where a tool fails.
    """
    check(folder)
    now = datetime.now()
    write_sources(folder)
    say("a project: train.py, conf/, config.toml")
    with running(folder, timeline.live_run(now, LIVE_SECONDS)) as live:
        rehearse_all(folder, now, say)
        await_waiting(folder, live)
        say(f"one run is still running: training/runs/{timeline.LIVE}, pid {live.pid}")
        age(folder, now)
        say("a released model, a favourite, logs; all dated back over four months")
        yield Demo(folder, live.pid, highlights(now))


def check(folder: Path) -> None:
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        install = "pip install 'artifact-janitor[demo]'"
        raise UsageError(f"the demo needs {', '.join(missing)}", install)
    if shutil.which("git") is None:
        raise UsageError("the demo needs git", "install git, and try again")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{folder} is not empty", "name a folder that doesn't exist yet", str(folder)
        )


def write_sources(folder: Path) -> None:
    """What a person would have written."""
    shutil.copytree(HERE / "files", folder, dirs_exist_ok=True)
    ours = change(None, rules(Gitignore(), load(None, {}, folder).folders.for_git))
    assert isinstance(ours, Change)
    (folder / FILE).write_text(ours.new or "")
    shutil.copy(HERE / "train.py", folder)


def environment(folder: Path) -> dict[str, str]:
    """Keep W&B to this folder, and Hydra to its defaults, whatever the user's settings are."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "HYDRA_"))}
    cache = str(folder.absolute() / ".cache")
    places = {f"WANDB_{what}_DIR": cache for what in ("CACHE", "CONFIG", "DATA")}
    return {**own, **places, "WANDB_ERROR_REPORTING": "false", "OMP_NUM_THREADS": "1"}


@contextmanager
def running(folder: Path, run: Run) -> Iterator[subprocess.Popen[bytes]]:
    """A real training process, ended by its pid when the demo is over."""
    live = subprocess.Popen(
        [sys.executable, "train.py", *run.command],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield live
    finally:
        live.terminate()
        live.wait()


def await_waiting(folder: Path, live: subprocess.Popen[bytes]) -> None:
    """Return when the live run has written its checkpoints and waits for more prices."""
    log = folder / "training/runs" / timeline.LIVE / "train.log"
    deadline = time.monotonic() + START_SECONDS
    while not (log.exists() and "waiting" in log.read_text()):
        if live.poll() is not None or time.monotonic() > deadline:
            raise JanitorError("the demo's live run did not start", f"see {log}")
        time.sleep(0.05)


def rehearse_all(folder: Path, now: datetime, say: Callable[[str], None]) -> None:
    """All runs that are over, in two processes side by side."""
    experiments, sweeps = timeline.experiments(now), timeline.sweeps(now)
    long = timeline.long_runs(now)
    say(
        f"{len(experiments)} Hydra runs, {len(sweeps)} sweeps, {len(long)} training runs "
        "with checkpoints, W&B offline: running them …"
    )
    apart = [run for run in experiments if run.wandb_in]
    together = [run for run in experiments if not run.wandb_in]
    with ExitStack() as workers:
        first = workers.enter_context(rehearsal(folder, [*together, *sweeps]))
        second = workers.enter_context(rehearsal(folder, [*long, *apart]))
        first()
        second()


@contextmanager
def rehearsal(folder: Path, runs: Iterable[Run]) -> Iterator[Callable[[], None]]:
    """Run train.py for each run, in a process of its own; call the result to wait for it."""
    calls = json.dumps([run.command for run in runs])
    with tempfile.TemporaryFile() as said:
        worker = subprocess.Popen(
            [sys.executable, "-c", REHEARSE, calls],
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )

        def wait() -> None:
            if worker.wait():
                said.seek(0)
                tail = said.read().decode(errors="replace").strip()[-800:]
                raise JanitorError("a run of the demo project failed", tail)

        try:
            yield wait
        finally:
            worker.kill()  # does nothing where it has ended
            worker.wait()


def highlights(now: datetime) -> dict[str, str]:
    """Paths worth a ``janitor why``, each with the story that it tells."""
    experiments, (_, baseline, *_) = timeline.experiments(now), timeline.long_runs(now)
    return {
        "released": experiments[timeline.RELEASED].folder,
        "favourite": experiments[timeline.FAVOURITE].folder,
        "holds an upload to come": experiments[timeline.TRACKED].folder,
        "not uploaded": baseline.wandb_folder,
        "resumed from": f"{baseline.folder}/epoch_4.pt",
        "killed while saving": "training/runs/crashed/epoch_5.pt",
        "only copy": "training/runs/wide",
        "live": f"training/runs/{timeline.LIVE}",
        "old": experiments[0].folder,
    }
