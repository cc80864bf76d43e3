"""The longer rows of bench_watch.py: studies that run, the time to a hint, a day of nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench_watch import PEERS, Watching, folders, fresh, idle_share, row, table, watching, write

from artifact_janitor.watch.watcher import SHARE

RESYNC = 420.0
"""Seconds, `Watcher`'s default."""
_WRITER = """
import sqlite3, sys, time, optuna
optuna.logging.disable_default_handler()
path = sys.argv[1]
study = optuna.create_study(storage=f"sqlite:///{path}", study_name="s_mlp")
with sqlite3.connect(path) as db:
    db.execute(f"PRAGMA journal_mode = {sys.argv[2]}")
print("ready", flush=True)
sys.stdin.readline()
study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=100)
print(time.time(), flush=True)
sys.stdin.readline()
"""


def optuna(where: Path, scale: float) -> None:
    """Whoever is told reads the study; what he does must not wake himself."""
    columns = ("told", "kernel's events", "last change seen after s", "read again in 10 quiet s")
    table("100 trials of Optuna's, writer connected, read at each hint", *columns)
    for mode in ("delete", "wal"):
        for kind in PEERS:
            with fresh(where) as root:
                (root / "study").mkdir()
                path = str(root / "study" / "study.db")
                writer = subprocess.Popen(
                    [sys.executable, "-W", "ignore", "-c", _WRITER, path, mode],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                assert writer.stdin is not None
                assert writer.stdout is not None
                writer.stdout.readline()
                with watching(kind, root, "--read", path) as it:
                    time.sleep(1)
                    before = it.ask("calls"), it.ask("events") if kind == "ours" else 0
                    writer.stdin.write("go\n")
                    writer.stdin.flush()
                    end = float(writer.stdout.readline())
                    time.sleep(2)
                    calls, late = it.ask("calls") - before[0], it.ask("last") - end
                    events = it.ask("events") - before[1] if kind == "ours" else "–"
                    reads = it.ask("reads")
                    time.sleep(10)
                    again = it.ask("reads") - reads
                    seen = f"{late:.1f}" if late > 0 else "before its end"
                    row(f"{kind}, journal_mode = {mode}", calls, events, seen, again)
                writer.communicate("end\n")


def latency(where: Path, scale: float) -> None:
    table("From close to the call, files one by one", "p50 ms", "p99 ms", "never")
    for kind in PEERS:
        with fresh(where) as root, watching(kind, root) as it:
            took, never = [], 0
            (root / "run").mkdir()
            time.sleep(1)
            for number in range(int(50 * scale) or 1):
                path, began = write(root / "run" / f"file-{number}"), time.time()
                if it.has(path, within=5):
                    took.append(1000 * (it.ask("last") - began))
                else:
                    never += 1
                time.sleep(0.7)
            took.sort()
            p99 = took[min(len(took) - 1, int(len(took) * 0.99))] if took else float("nan")
            middle = statistics.median(took) if took else float("nan")
            row(kind, f"{middle:.1f}", f"{p99:.1f}", never)


def idle(where: Path, scale: float) -> None:
    """With one full look in each seven minutes, whose cost is measured apart."""
    number = int(50_000 * scale)
    table(f"Idle over {number:,} folders", "start s", "CPU %", "MiB", "peak MiB", "a full look, s")
    with fresh(where) as root:
        folders(root, number)
        for kind, settled in (("ours", True), ("ours", False), *((each, False) for each in OTHERS)):
            it = Watching(kind, root, *(["--settled"] if settled else []))
            time.sleep(2)
            share, full = idle_share(it, 30), "–"
            if kind == "ours":
                took = min(it.ask("resync") for _ in range(3))
                share += 100 * took / max(RESYNC, took / SHARE)
                full = f"{took:.2f} CPU"
            now, peak = it.ask("memory")
            name = f"{kind}, {'all settled' if settled else 'none settled'}"
            name = name if kind == "ours" else kind
            row(name, f"{it.start:.2f}", f"{share:.2f}", f"{now:.0f}", f"{peak:.0f}", full)
            it.end()


OTHERS = ("watchdog", "watchfiles", "PollingObserver")
