"""What the daemon costs and how quick it is: from a study's last trial to its training."""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from beside import JANITOR

OPTIMIZE = """
import sys, time, optuna
optuna.logging.disable_default_handler()
path, how = sys.argv[1:]
storage = f"sqlite:///{path}"
study = optuna.create_study(storage=storage, study_name="bench_mlp", direction="maximize")
if how == "target":
    study.set_user_attr("janitor:target", 6)
for number in range(6):
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    time.sleep(0.5)
    study.tell(trial, number)
if how == "marker":
    study.set_user_attr("janitor:finished", 6)
print(time.time_ns())
"""
CONFIG = """
[[retrain]]
command = ["sh", "-c", "exit 75", "{request}", "{out}"]
model_type = "(?P<model_type>mlp)$"
quiet = "1h"
"""
SUBMITTED = "SELECT 1 FROM job WHERE path = ? AND state <> 'intended'"
MAY_TAKE = {"marker": 1.0, "target": 2.0}
"""Seconds from when the database shows it."""
MARKS = ("VmRSS", "VmHWM")
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="studies of each sort")
    parser.add_argument("--folders", type=int, default=50_000, help="of settled runs")
    parser.add_argument("--idle", type=float, default=120, help="seconds without anything to do")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-daemon-") as place:
        root = Path(place)
        build(root, asked.folders)
        with daemon(root) as pid:
            time.sleep(20)  # the first look, and what mends
            before, began = cpu(pid), time.monotonic()
            time.sleep(asked.idle)
            share = (cpu(pid) - before) / (time.monotonic() - began)
            told = memory(pid)
            print(f"| {asked.folders:,} folders, idle | {share:.2%} of a core | {told} |")
            for how, limit in MAY_TAKE.items():
                took = sorted(latency(root, how, number) for number in range(asked.times))
                middle, worst = took[len(took) // 2], took[-1]
                word = "reached" if worst <= limit else "**missed**"
                print(f"| {how} | {middle:.2f} s, at most {worst:.2f} s | {limit} s | {word} |")
            print(f"| after that | | {memory(pid)} |")


def build(root: Path, folders: int) -> None:
    """Runs of a month ago, a folder each and one in it."""
    (root / "config.toml").write_text(CONFIG)
    (root / "hpo_studies").mkdir()
    old = time.time() - 30 * 86_400
    for number in range(folders // 2):
        run = root / "training/runs" / f"{number // 200}" / f"{number}"
        (run / "checkpoints").mkdir(parents=True)
        for each in (run / "checkpoints", run):
            os.utime(each, (old, old))


@contextmanager
def daemon(root: Path) -> Iterator[int]:
    with subprocess.Popen([*JANITOR, "watch"], cwd=root, stderr=subprocess.DEVNULL) as begun:
        try:
            yield begun.pid
        finally:
            begun.send_signal(signal.SIGTERM)


def latency(root: Path, how: str, number: int) -> float:
    """Seconds from when the database shows that it is finished until its training is
    submitted."""
    path = f"hpo_studies/{how}{number}.db"
    command = [sys.executable, "-c", OPTIMIZE, path, how]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    with closing(sqlite3.connect(root / ".janitor/journal.db")) as db:
        while not db.execute(SUBMITTED, (os.fsencode(path),)).fetchone():
            time.sleep(0.02)
    return (time.time_ns() - int(done.stdout)) / 1e9


def cpu(pid: int) -> float:
    """Seconds, children that it waited for included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(each) for each in fields[11:15]) / TICKS


def memory(pid: int) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = {
        name: int(rest.split()[0])
        for name, _, rest in (each.partition(":") for each in lines)
        if name in MARKS
    }
    return f"{found['VmRSS'] * 1024 / 1e6:.0f} MB, at most {found['VmHWM'] * 1024 / 1e6:.0f} MB"


if __name__ == "__main__":
    main()
