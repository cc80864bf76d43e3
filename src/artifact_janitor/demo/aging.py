"""What the months did to the demo project: a release, a favourite, a crash, and dates."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from artifact_janitor.demo import timeline
from artifact_janitor.demo.timeline import Run
from artifact_janitor.errors import JanitorError


def age(folder: Path, now: datetime) -> None:
    """Turn the runs of the last seconds into those of the last months."""
    over = [*timeline.experiments(now), *timeline.sweeps(now), *timeline.long_runs(now)]
    name_wandb_runs(folder, [run for run in over if run.wandb_in])
    crash(folder / "training/runs/crashed")
    write_logs(folder, now)
    for run in (*over, timeline.live_run(now, 0)):
        date_back(folder / run.folder, run.start, run.lasted)
        if run.wandb_in == ".":
            date_back(folder / run.wandb_folder, run.start, run.lasted)
    publish(folder, now)
    commit(folder, now)


def name_wandb_runs(folder: Path, runs: list[Run]) -> None:
    """Give W&B's folders the time in their names, and repoint the links to the newest."""
    for run in runs:
        new = folder / run.wandb_folder
        (old,) = new.parent.glob(f"offline-run-*-{run.wandb_id}")
        old.rename(new)
        for link in new.parent.iterdir():
            if link.is_symlink() and (target := os.readlink(link)).startswith(old.name):
                link.unlink()
                link.symlink_to(target.replace(old.name, new.name, 1))


def crash(run: Path) -> None:
    """As a kill during torch.save leaves a run: half a checkpoint, and no final model."""
    (run / "final_model_mlp.pth").unlink()
    (run / "metrics.json").unlink()
    unfinished = run / "epoch_6.pt"
    os.truncate(unfinished, unfinished.stat().st_size * 3 // 5)


def write_logs(folder: Path, now: datetime) -> None:
    """The logs of a service that has nothing to do with any run."""
    (folder / "logs").mkdir()
    for days in timeline.LOG_DAYS:
        day = timeline.days_before(now, days, (6, 0, 0))
        path = folder / "logs" / f"feed-{day:%Y-%m-%d}.log"
        path.write_text("".join(feed_lines(day, random.Random(days))))
        date_back(path, day + timedelta(hours=16), timedelta())


def feed_lines(day: datetime, chance: random.Random) -> Iterator[str]:
    for number in range(4000):
        moment = day + timedelta(seconds=14 * number)
        yield f"{moment:%Y-%m-%d %H:%M:%S} INFO feed: price {chance.gauss(1.1, 0.01):.5f}\n"


def publish(folder: Path, now: datetime) -> None:
    """What people did with results: released one, liked one, copied one away."""
    released = timeline.experiments(now)[timeline.RELEASED]
    best = folder / "best_models"
    best.mkdir()
    shutil.copy2(folder / released.folder / "models/weights.pt", best / "released.pt")
    told = {"run": released.folder, "released": f"{released.start + timedelta(2):%Y-%m-%d}"}
    (best / "released_meta.json").write_text(json.dumps(told, indent=2) + "\n")
    favourite = timeline.experiments(now)[timeline.FAVOURITE]
    (folder / "outputs/favourite").symlink_to(favourite.folder.removeprefix("outputs/"))
    copies = folder / "models/manual_runs/first_try"
    copies.mkdir(parents=True)
    for name in ("best_model.pt", "final_model_mlp.pth"):
        shutil.copy2(folder / "training/runs/first_try" / name, copies)


def commit(folder: Path, now: datetime) -> None:
    """The sources and the release's JSON, in Git since the first day."""
    first_day = timeline.days_before(now, timeline.EXPERIMENTS[0] + 1, (9, 0, 0))
    for name in ("train.py", "conf", "config.toml", ".gitignore", "best_models/released_meta.json"):
        date_back(folder / name, first_day, timedelta())
    git(folder, first_day, "init", "--quiet", "--initial-branch=main")
    git(folder, first_day, "add", "--all")
    git(folder, first_day, "commit", "--quiet", "--message=Guess the next price")


def git(folder: Path, moment: datetime, *arguments: str) -> None:
    """Run git as a person of the demo, whatever the user's own settings and hooks are."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    demo = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    for role in ("AUTHOR", "COMMITTER"):
        demo[f"GIT_{role}_NAME"], demo[f"GIT_{role}_EMAIL"] = "Demo", "demo@localhost"
        demo[f"GIT_{role}_DATE"] = moment.astimezone().isoformat()
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=own | demo, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise JanitorError(f"git {arguments[0]} failed in the demo project", done.stderr.strip())


def date_back(top: Path, start: datetime, lasted: timedelta) -> None:
    """Spread the mtimes of a tree over a span of time, in the order that they have now."""
    files = {path: path.lstat().st_mtime_ns for path in tree(top) if is_leaf(path)}
    first, last = min(files.values()), max(files.values())
    begin, span = int(start.timestamp()) * 10**9, lasted // timedelta(microseconds=1) * 1000
    for path, written in files.items():
        moment = begin + span * (written - first) // max(last - first, 1)
        os.utime(path, ns=(moment, moment), follow_symlinks=False)
    for path in tree(top):  # folders last and inside out: to date a file leaves them alone
        if not is_leaf(path):
            os.utime(path, ns=(begin + span, begin + span))


def tree(top: Path) -> Iterator[Path]:
    """`top` and all below it; symlinks are not followed."""
    if not is_leaf(top):
        for path in sorted(top.iterdir()):
            yield from tree(path)
    yield top


def is_leaf(path: Path) -> bool:
    return path.is_symlink() or not path.is_dir()
