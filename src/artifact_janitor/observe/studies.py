"""Optuna's studies as files: SQLite databases and journals, told by their first bytes.

What is in them is read elsewhere, in `optuna_sql` and `optuna_journal`: retention asks for the
files alone.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from artifact_janitor.observe.reading import head
from artifact_janitor.observe.sqlite import MAGIC
from artifact_janitor.observe.tree import Folder

_DATABASE = re.compile(r".*\.(?:db|sqlite3?)", re.DOTALL)
_BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database: commits that are not in it yet, and how to undo one."""
_LINE = 64 << 10
"""Bytes of a journal in which its first line must end."""


def among(folder: Folder, base: Path) -> dict[str, list[str]]:
    """The files of a folder that are studies, each with the files that are a part of it."""
    found = {}
    for name in sorted(folder.files):
        if _is_database(folder, name, base):
            found[name] = [name + end for end in _BESIDE if name + end in folder.files]
        elif name.endswith(".log") and _is_journal(base / folder.path / name):
            found[name] = [each for each in folder.files if each.startswith(f"{name}.lock")]
    return found


def is_called_so(name: str) -> bool:
    """Whether a file's name says that it is a database of studies."""
    return _DATABASE.fullmatch(name) is not None


def _is_database(folder: Folder, name: str, base: Path) -> bool:
    """By its first bytes; one that was only just created has none."""
    if folder.files[name].size == 0:
        return is_called_so(name)
    return head(base / folder.path / name, len(MAGIC)) == MAGIC


def _is_journal(path: Path) -> bool:
    """Optuna's ``JournalStorage``: each line is an object with an ``op_code``."""
    line, end, _ = head(path, _LINE).partition(b"\n")
    try:
        record = json.loads(line) if end else None
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and isinstance(record.get("op_code"), int)
