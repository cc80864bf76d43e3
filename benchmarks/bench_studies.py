"""A poll of a study beside ``optuna.load_study(...).trials`` of the same; what is said of files
that can't be read; and ten polls a second beside four processes that optimize.

python benchmarks/bench_studies.py                 1,000 to 100,000 trials, and 60 s of polls
python benchmarks/bench_studies.py --trials 1000 --times 5 --seconds 0
python benchmarks/bench_studies.py --trials --seconds 0          only files that can't be read

Optimizing so many trials would take hours, so the database is made by real Optuna with a few
trials, and their rows are multiplied by SQL: as many columns, indexes and bytes as real ones.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from beside import Run, machine

from artifact_janitor.core.study import Broken
from artifact_janitor.observe.optuna_files import of_file

REAL = 100
"""Trials that Optuna itself runs."""
LARGEST = 40e6 / (1 << 20)
"""MiB that a process may take that polls."""
_BUILD = """
import sys, optuna
optuna.logging.disable_default_handler()
study = optuna.create_study(
    storage=f"sqlite:///{sys.argv[1]}", study_name="s_mlp", direction="maximize"
)
def objective(trial):
    x = [trial.suggest_float(name, 0, 1) for name in "abc"]
    trial.suggest_categorical("kind", ["adam", "sgd", "lion"])
    trial.suggest_int("width", 8, 512, log=True)
    trial.set_user_attr("seed", trial.number)
    return sum(x)
study.optimize(objective, n_trials=int(sys.argv[2]))
"""
_OURS = """
import sys
from pathlib import Path
from artifact_janitor.observe.optuna_files import of_file
path = Path(sys.argv[1])
def work():
    (study,) = of_file(path.parent, path.name, {})
    return study.over
"""
_OPTUNA = """
import sys, optuna
optuna.logging.disable_default_handler()
def work():
    return len(optuna.load_study(storage=f"sqlite:///{sys.argv[1]}", study_name="s_mlp").trials)
"""
_MEASURED = """
import resource, time
best, cpu, count = float("inf"), float("inf"), 0
for _ in range(int(sys.argv[2])):
    began, used = time.perf_counter(), time.process_time()
    count = work()
    best = min(best, time.perf_counter() - began)
    cpu = min(cpu, time.process_time() - used)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(best, cpu, peak, count)
"""


_WRITER = """
import sys, time, optuna
optuna.logging.disable_default_handler()
study = optuna.load_study(storage=f"sqlite:///{sys.argv[1]}", study_name="s_mlp")
def objective(trial):
    time.sleep(0.02)
    return trial.suggest_float("x", 0, 1)
done, errors, until = 0, 0, time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    try:
        study.optimize(objective, n_trials=1)
        done += 1
    except Exception:
        errors += 1
print(done, errors)
"""
_POLLER = """
import sys, time
from pathlib import Path
from artifact_janitor.observe.optuna_files import of_file
path, until = Path(sys.argv[1]), time.monotonic() + float(sys.argv[2])
polls, failed, slowest = 0, 0, 0.0
while (began := time.monotonic()) < until:
    found = of_file(path.parent, path.name, {})
    failed += not isinstance(found, list)
    polls += 1
    slowest = max(slowest, time.monotonic() - began)
    time.sleep(max(0.0, 0.1 - (time.monotonic() - began)))
print(polls, failed, slowest, time.process_time())
"""
WRITERS = 4


def main() -> None:
    asked = options()
    print(f"\n### studies\n\n{machine()}; within the process, imports not counted.")
    for trials in asked.trials:
        poll(asked, trials)
    bad_inputs(asked)
    if asked.seconds:
        beside_writers(asked)


def bad_inputs(asked: argparse.Namespace) -> None:
    """What a look at each takes, and whether it leaves file and folder as they were."""
    print("\n| a file that can't be read | said | ms | CPU ms | file and folder unchanged |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="bench-studies-", dir=asked.where) as folder:
        good = Path(folder, "good.db")
        build(good, 1_000)
        for name, spoil in BAD.items():
            place = Path(folder, "bad")
            place.mkdir()
            path = place / "study.db"
            with contextlib.ExitStack() as held:
                spoil(good, path, held)
                print(f"| {name} | {looked_at(path, 2 if 'lock' in name else 50)} |")
            shutil.rmtree(place)


def looked_at(path: Path, times: int) -> str:
    def marks() -> list[tuple[str, int, int, bytes]]:
        found = (each for each in sorted(path.parent.iterdir()) if each.is_file())
        return [
            (each.name, each.stat().st_mtime_ns, each.stat().st_ino, each.read_bytes())
            for each in found
        ]

    before, wall, cpu = (marks(), path.parent.stat().st_mtime_ns), math.inf, math.inf
    for _ in range(times):
        began, used = time.perf_counter(), time.process_time()
        found = of_file(path.parent, path.name, {})
        wall = min(wall, time.perf_counter() - began)
        cpu = min(cpu, time.process_time() - used)
    said = f"`{found.kind}`" if isinstance(found, Broken) else f"{len(found)} studies"
    same = "yes" if before == (marks(), path.parent.stat().st_mtime_ns) else "**no**"
    return f"{said} | {wall * 1000:.2f} | {cpu * 1000:.2f} | {same}"


def cut(length: Callable[[int], int]) -> Spoil:
    def spoil(good: Path, path: Path, _: contextlib.ExitStack) -> None:
        shutil.copy(good, path)
        os.truncate(path, length(path.stat().st_size))

    return spoil


def changed(*queries: str) -> Spoil:
    def spoil(good: Path, path: Path, _: contextlib.ExitStack) -> None:
        shutil.copy(good, path)
        with contextlib.closing(sqlite3.connect(path)) as db:
            for each in queries:
                db.execute(each)
            db.commit()

    return spoil


def zeroed(good: Path, path: Path, _: contextlib.ExitStack) -> None:
    shutil.copy(good, path)
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(bytes(path.stat().st_size - 16384))


def other(_: Path, path: Path, __: contextlib.ExitStack) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE runs (id)")


def locked(good: Path, path: Path, held: contextlib.ExitStack) -> None:
    shutil.copy(good, path)
    db = held.enter_context(contextlib.closing(sqlite3.connect(path, isolation_level=None)))
    db.execute("BEGIN EXCLUSIVE")


def hot(good: Path, path: Path, _: contextlib.ExitStack) -> None:
    shutil.copy(good, path)
    subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=False)


_KILLED = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 1")
db.execute("BEGIN")
db.execute("UPDATE trial_params SET distribution_json = distribution_json || hex(randomblob(2000))")
os.kill(os.getpid(), 9)
"""
Spoil = Callable[[Path, Path, contextlib.ExitStack], object]
BAD: dict[str, Spoil] = {
    "missing": lambda _, path, __: None,
    "zero byte": lambda _, path, __: path.touch(),
    "another program's SQLite": other,
    "text": lambda _, path, __: path.write_text("no database\n" * 99_999),
    "random bytes": lambda _, path, __: path.write_bytes(os.urandom(1 << 20)),
    "half a copy": cut(lambda size: size // 2),
    "header only": cut(lambda _: 100),
    "zeroed middle": zeroed,
    "before 2.10": changed("DROP TABLE alembic_version"),
    "2.4 schema": changed("UPDATE alembic_version SET version_num = 'v2.4.0.a'"),
    "newer schema": changed("UPDATE alembic_version SET version_num = 'v9.0.0.a'"),
    "hot journal (killed writer)": hot,
    "EXCLUSIVE lock": locked,
}


def beside_writers(asked: argparse.Namespace) -> None:
    """Whether optimizers notice that somebody looks."""
    print(
        f"\n| ten polls a second for {asked.seconds} s, {WRITERS} processes optimize | "
        "trials | writers' errors | polls | polls without an answer | slowest s | CPU s |"
    )
    print("|---|---|---|---|---|---|---|")
    for mode in ("delete", "wal"):
        with tempfile.TemporaryDirectory(prefix="bench-studies-", dir=asked.where) as folder:
            path = Path(folder, "study.db")
            build(path, REAL)
            with closing(sqlite3.connect(path)) as db:
                db.execute(f"PRAGMA journal_mode = {mode}")
            programs = [_WRITER] * WRITERS + [_POLLER]
            running = [
                subprocess.Popen(
                    [sys.executable, "-W", "ignore", "-c", each, str(path), str(asked.seconds)],
                    stdout=subprocess.PIPE,
                    text=True,
                )
                for each in programs
            ]
            said = [each.communicate()[0].split() for each in running]
            trials, errors = (sum(int(each[i]) for each in said[:WRITERS]) for i in (0, 1))
            polls, failed, slowest, cpu = said[-1]
            print(
                f"| `journal_mode = {mode}` | {trials} | {errors} | {polls} | {failed} "
                f"| {float(slowest):.3f} | {float(cpu):.2f} |"
            )


def poll(asked: argparse.Namespace, trials: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-studies-", dir=asked.where) as folder:
        path = Path(folder, "study.db")
        build(path, trials)
        print(f"\n{trials:,} trials, {path.stat().st_size / 1e6:.1f} MB\n")
        print("| | s | CPU s | peak MiB | may take | |\n|---|---|---|---|---|---|")
        theirs = measured(_OPTUNA, path, 1, trials)
        figures = f"{theirs.wall:.2f} | {theirs.cpu:.2f} | {theirs.peak:.0f}"
        print(f"| `optuna.load_study(…).trials`, once | {figures} | | |")
        for mode in ("delete", "wal"):
            with closing(sqlite3.connect(path)) as db:
                db.execute(f"PRAGMA journal_mode = {mode}")
            ours = measured(_OURS, path, asked.times, trials)
            print(row(f"a poll, journal_mode = {mode}", ours, theirs.wall / 200))


def row(name: str, ours: Run, limit: float) -> str:
    """The least of several polls, and the most memory."""
    is_reached = ours.wall <= limit and ours.peak <= LARGEST
    verdict = "reached" if is_reached else "**missed**"
    allowed = f"{limit:.3f} s (1/200), {LARGEST:.0f} MiB (40 MB)"
    return (
        f"| {name} | {ours.wall:.3f} | {ours.cpu:.3f} | {ours.peak:.0f} | {allowed} | {verdict} |"
    )


def measured(work: str, path: Path, times: int, trials: int) -> Run:
    """The work alone, in a process that does it so many times, and that process's memory."""
    command = [sys.executable, "-c", work + _MEASURED, str(path), str(times)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    if int(said[3]) != trials:
        raise SystemExit(f"{said[3]} trials were seen, not {trials}")
    return Run(float(said[0]), float(said[1]), float(said[2]))


def build(path: Path, trials: int) -> None:
    """Real rows, multiplied: each copy has ids and numbers of its own, and other values."""
    real = min(REAL, trials)
    subprocess.run([sys.executable, "-W", "ignore", "-c", _BUILD, str(path), str(real)], check=True)
    copies = trials // real - 1
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("CREATE TEMP TABLE copy (i)")
        db.executemany("INSERT INTO copy VALUES (?)", ((i,) for i in range(1, copies + 1)))
        shift = f"trial_id + i * {real}"
        for table, columns, given in (
            (
                "trials",
                "trial_id, number, study_id, state, datetime_start, datetime_complete",
                f"{shift}, number + i * {real}, study_id, state, datetime_start, datetime_complete",
            ),
            (
                "trial_values",
                "trial_id, objective, value, value_type",
                f"{shift}, objective, value - i * 1e-6, value_type",
            ),
            (
                "trial_params",
                "trial_id, param_name, param_value, distribution_json",
                f"{shift}, param_name, param_value, distribution_json",
            ),
            (
                "trial_user_attributes",
                "trial_id, key, value_json",
                f"{shift}, key, value_json",
            ),
        ):
            query = f"INSERT INTO {table} ({columns}) SELECT {given} FROM {table}, copy ORDER BY i"
            db.execute(query)
        db.commit()


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--seconds", type=int, default=60, help="of polls beside writers")
    parser.add_argument("--times", type=int, default=5, help="polls, of which the least counts")
    parser.add_argument("--where", help="folder to build in; the system's temporary one otherwise")
    return parser.parse_args()


if __name__ == "__main__":
    main()
