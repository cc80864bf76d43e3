"""What is no run: studies, milestones, and caches anywhere in the project."""

import shutil
import sqlite3
import subprocess
import sys

from tests.real import studies, wandb_runs
from tests.real.workspace import Nasty


def study_in_wal_mode(w: Nasty) -> None:
    """Whoever opened it as a database, even to read, would leave two files beside it."""
    db = studies.finished(w.root / "hpo_studies/eurusd.db", "eurusd_mlp", "eurusd_tcn", mode="wal")
    with sqlite3.connect(db) as last:
        last.execute("SELECT count(*) FROM trials")
    last.close()
    w.backdate("hpo_studies/eurusd.db", 300)
    w.stays("hpo_studies/eurusd.db", "study", "a study is never removed")


def study_in_a_journal(w: Nasty) -> None:
    studies.finished(w.root / "hpo_studies/gbpusd.log", mode="journal")
    w.backdate("hpo_studies/gbpusd.log", 301)
    w.stays("hpo_studies/gbpusd.log", "study", "a study is never removed")


def compiled(w: Nasty) -> None:
    """The newest is kept by ``keep_last = 1``."""
    for days, package in enumerate(("newest", "old", "mine", "venv/lib/pkg"), start=200):
        source = w.write(f"lib/{package}/module.py", "x = 1\n")
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(source)], check=True)
        w.backdate(f"lib/{package}/__pycache__", days)
    w.kept("lib/newest/__pycache__", "cache", "the newest")
    w.goes("lib/old/__pycache__", "cache", "old, and nothing but compiled files")
    w.write("lib/mine/__pycache__/notes.txt")
    w.backdate("lib/mine/__pycache__/notes.txt", 300)
    w.stays("lib/mine/__pycache__", "cache", "somebody keeps notes in it")
    w.write("lib/venv/pyvenv.cfg")
    w.stays("lib/venv/lib/pkg/__pycache__", "", "in a virtual environment")


def stores(w: Nasty) -> None:
    w.write(".cache/blob", "x" * 5000)
    w.backdate(".cache", 210)
    w.goes(".cache", "cache", "old")
    run = wandb_runs.place(wandb_runs.offline, w.root / "lib/.cache")
    w.backdate("lib/.cache", 211)
    w.stays("lib/.cache", "cache", f"holds {run.name}, which was never uploaded")
    shutil.copytree(w.root / ".cache", w.root / "cloned/.cache")
    w.git("init", "--quiet", "cloned")
    w.backdate("cloned/.cache", 212)
    w.stays("cloned/.cache", "", "in another repository")


HAZARDS = (study_in_wal_mode, study_in_a_journal, compiled, stores)
