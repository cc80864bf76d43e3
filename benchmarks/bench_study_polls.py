"""Polls of study files once a second, by their times and by ``PRAGMA data_version`` of a held
connection, beside a real Optuna writer that stays connected.

python benchmarks/bench_study_polls.py               100 trials in each mode, then 10 s of silence
python benchmarks/bench_study_polls.py --trials 20 --quiet 2 --files 100

At each hint the study is read as a sweep reads it, so whoever wakes himself by reading shows.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from beside import machine

from artifact_janitor.observe.optuna_files import of_file
from artifact_janitor.watch.studies import STILL, StudyPolls

_WRITER = """
import sqlite3, sys, time, optuna
from sqlalchemy import event
from sqlalchemy.engine import Engine
optuna.logging.disable_default_handler()
path, mode, trials = sys.argv[1], sys.argv[2], int(sys.argv[3])
if mode == "journal":
    from optuna.storages.journal import JournalFileBackend, JournalStorage
    storage = JournalStorage(JournalFileBackend(path))
else:
    @event.listens_for(Engine, "connect")
    def say_how(connection, _):
        connection.execute(f"PRAGMA journal_mode = {mode}")
    storage = f"sqlite:///{path}"
study = optuna.create_study(storage=storage, study_name="s_mlp")
print("ready", flush=True)
sys.stdin.readline()
began = time.time()
study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=trials)
print(began, time.time(), flush=True)
sys.stdin.readline()
"""
_NEXT = """
import sys, optuna
optuna.logging.disable_default_handler()
from optuna.storages.journal import JournalFileBackend, JournalStorage
path = sys.argv[1]
is_journal = path.endswith(".log")
storage = JournalStorage(JournalFileBackend(path)) if is_journal else f"sqlite:///{path}"
optuna.load_study(storage=storage, study_name="s_mlp").set_user_attr("janitor:finished", 1)
"""
"""Another program, after the first one ended."""
EVERY = 1.0
"""Seconds between two polls, as in the daemon."""
MODES = ("delete", "wal", "journal")


class Ours:
    name = "`StudyPolls`"

    def __init__(self, path: Path) -> None:
        self._polls = StudyPolls()
        self._polls.update([path])

    def news(self) -> bool:
        return bool(self._polls.changed())

    def close(self) -> None:
        self._polls.close()


class Held:
    name = "`data_version`, held"

    def __init__(self, path: Path) -> None:
        uri = f"{path.as_uri()}?mode=ro"
        self._db = sqlite3.connect(uri, uri=True, timeout=0)
        self._version = -1

    def news(self) -> bool:
        try:
            found = self._db.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.OperationalError:  # busy: ask again
            return True
        found, self._version = self._version, found
        return bool(found != self._version)

    def close(self) -> None:
        """Not before the writer: the daemon holds it as long as it knows the study."""


def main() -> None:
    asked = options()
    print(f"\n### polls of studies\n\n{machine()}.\n")
    print(
        f"| {asked.trials} trials, writer connected, read at each hint | told | the last change "
        f"told after s | told again in {asked.quiet} quiet s | holds the study open "
        "| sees the next writer | trials a second |\n|---|---|---|---|---|---|---|"
    )
    for mode in MODES:
        for kind in (Ours,) if mode == "journal" else (Ours, Held):
            with tempfile.TemporaryDirectory(prefix="bench-polls-", dir=asked.where) as folder:
                row(kind, Path(folder), mode, asked)
    cost(asked)


def row(kind: type[Ours | Held], folder: Path, mode: str, asked: argparse.Namespace) -> None:
    path = folder / ("s.log" if mode == "journal" else "s.db")
    command = [sys.executable, "-W", "ignore", "-c", _WRITER, str(path), mode, str(asked.trials)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdout.readline()
        polls = kind(path)
        watched(polls, path, 4)
        writer.stdin.write("go\n")
        writer.stdin.flush()
        os.set_blocking(writer.stdout.fileno(), False)
        times: list[float] = []
        while not (said := writer.stdout.readline()):
            times += watched(polls, path, EVERY)
        began, ended = (float(each) for each in said.split())
        times += watched(polls, path, 2 * STILL)
        again = len(watched(polls, path, asked.quiet))
        holds = any(os.path.samefile(f"/proc/self/fd/{fd}", path) for fd in open_files())
        os.set_blocking(writer.stdout.fileno(), True)
        writer.communicate("end\n")
    watched(polls, path, 2 * STILL)
    subprocess.run([sys.executable, "-W", "ignore", "-c", _NEXT, str(path)], check=True)
    sees = polls.news()
    polls.close()
    late = next((each for each in times if each > ended), float("nan")) - ended
    rate = asked.trials / (ended - began)
    print(
        f"| {kind.name}, {'journal file' if mode == 'journal' else f'`journal_mode = {mode}`'} "
        f"| {len(times)} | {late:.1f} | {again} | {'yes' if holds else 'no'} "
        f"| {'yes' if sees else '**no**'} | {rate:.0f} |"
    )


def watched(polls: Ours | Held, path: Path, seconds: float) -> list[float]:
    """When something was news, within so many seconds; each time the study is read."""
    found, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        if polls.news():
            found.append(time.time())
            of_file(path.parent, path.name, {})
        time.sleep(EVERY)
    return found


def open_files() -> list[str]:
    return [fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")]


def cost(asked: argparse.Namespace) -> None:
    """Of a poll of many studies in which nothing happens, in WAL mode with a log beside each."""
    print(f"\n| one poll of {asked.files:,} studies, CPU time | ms |\n|---|---|")
    with tempfile.TemporaryDirectory(prefix="bench-polls-", dir=asked.where) as folder:
        paths = [Path(folder, f"study_{number}.db") for number in range(asked.files)]
        for each in paths:
            with closing(sqlite3.connect(each)) as db:
                db.execute("PRAGMA journal_mode = wal")
                db.execute("CREATE TABLE t (v)")
        polls = StudyPolls()
        polls.update(paths)
        polls.changed()
        print(f"| {Ours.name} | {1000 * least(polls.changed):.1f} |")
        held = [Held(each) for each in paths[: asked.files]]
        print(f"| {Held.name} | {1000 * least(lambda: [each.news() for each in held]):.1f} |")


def least(work: Callable[[], object]) -> float:
    found = float("inf")
    for _ in range(20):
        began = time.process_time()
        work()
        found = min(found, time.process_time() - began)
    return found


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--quiet", type=int, default=10, help="seconds in which nobody writes")
    parser.add_argument("--files", type=int, default=300, help="studies in the second table")
    parser.add_argument("--where", help="folder to build in; the system's temporary one otherwise")
    return parser.parse_args()


if __name__ == "__main__":
    main()
