"""The studies of `optuna_zoo`: made here by Optuna 5.0 in every storage, or restored from dumps
of what older versions made."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OLD = sorted(each.stem for each in (HERE / "optuna_dumps").glob("*.sql"))
STORAGES = {"sqlite": "zoo.db", "wal": "zoo.db", "journal": "zoo.log"}

Told = dict[str, Any]
"""What Optuna says of each study, by name."""


@cache
def _shelf() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="zoo-")


@cache
def _made() -> dict[str, Told]:
    """Both that differ at once; in WAL mode it is the same database."""
    running = {}
    for kind, name in STORAGES.items():
        place = Path(_shelf().name, kind)
        place.mkdir()
        if kind == "wal":
            continue
        command = [sys.executable, str(HERE / "optuna_zoo.py"), kind, str(place / name)]
        running[kind] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    texts = {kind: each.communicate(timeout=300)[0] for kind, each in running.items()}
    said = {kind: json.loads(text)["studies"] for kind, text in texts.items()}
    in_wal = Path(shutil.copy(Path(_shelf().name, "sqlite/zoo.db"), Path(_shelf().name, "wal")))
    changed(in_wal, "PRAGMA journal_mode = WAL")
    return {**said, "wal": said["sqlite"]}


def made(kind: str) -> tuple[Path, Told]:
    """A storage that Optuna 5.0 made, to be read only: "sqlite", "wal" or "journal"."""
    told = _made()[kind]
    return Path(_shelf().name, kind, STORAGES[kind]), told


def restored(version: str, folder: Path) -> tuple[Path, Told]:
    """A database as that version of Optuna left it."""
    path = folder / f"{version}.db"
    dump = (HERE / "optuna_dumps" / f"{version}.sql").read_text()
    with closing(sqlite3.connect(path)) as db:
        db.executescript("PRAGMA synchronous = OFF;" + dump)
    said = json.loads((HERE / "optuna_dumps" / f"{version}.json").read_text())
    return path, said["studies"]


def changed(path: Path, *statements: str) -> Path:
    """The same database after some SQL."""
    with closing(sqlite3.connect(path)) as db:
        for each in statements:
            db.execute(each)
        db.commit()
    return path
