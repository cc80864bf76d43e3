"""A private copy of a study's file, as it was at one moment, and what all its trials reached."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from artifact_janitor.errors import StepSkipped
from artifact_janitor.observe import modelfile, sqlite
from artifact_janitor.observe.optuna_journal import (
    CREATE_STUDY,
    CREATE_TRIAL,
    LONGEST_LINE,
    STATE,
    STATES,
)
from artifact_janitor.regular import open_regular

JOURNAL = ".log"
"""How the name of a copy of an Optuna journal ends."""
_PIECE = 1 << 20
_VALUES = """
SELECT value FROM trial_values JOIN trials USING (trial_id) JOIN studies USING (study_id)
WHERE study_name = ? AND objective = ? AND state = 'COMPLETE' AND value IS NOT NULL
"""


def copy(source: Path, target: Path) -> None:
    """Copy what was last committed, and leave no trace beside the source. Raises StepSkipped.

    `target` must not exist yet.
    """
    try:
        if target.suffix == JOURNAL:
            _copy_lines(source, target)
            return
        target.touch(0o600, exist_ok=False)
        with sqlite.reading(source) as db, closing(sqlite3.connect(target)) as private:
            db.backup(private)
    except FileNotFoundError as error:
        raise StepSkipped(f"{source.name} is gone since the plan was made") from error
    except (OSError, sqlite.Unreadable) as error:
        raise StepSkipped(f"{source.name} can't be copied now: {error}") from error


def _copy_lines(source: Path, target: Path) -> None:
    """Whole lines: the last one may be half written."""
    reader = os.fdopen(open_regular(source), "rb")
    with reader, open(target, "xb", opener=_private) as writer:
        rest = b""
        while piece := reader.read(_PIECE):
            whole, end, rest = (rest + piece).rpartition(b"\n")
            writer.write(whole + end)
            if len(rest) > LONGEST_LINE:
                raise OSError("it holds a line that is too long")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def reached(file: Path, study: str, objective: int) -> list[float]:
    """What the complete trials of a study reached, in a copy. Raises ValueError."""
    try:
        if file.suffix == JOURNAL:
            return [*_in_journal(file, study, objective)]
        with sqlite.reading(file) as db:
            rows = db.execute(_VALUES, (study, objective)).fetchall()
        return [float(value) for (value,) in rows]
    except (OSError, sqlite.Unreadable, TypeError, LookupError, ArithmeticError) as error:
        raise ValueError(f"{file.name} can't be read: {error}") from error


def _in_journal(file: Path, study: str, objective: int) -> Iterator[float]:
    """Studies and trials are numbered in the order in which they were made."""
    names: list[str] = []
    owners: list[int] = []
    with os.fdopen(open_regular(file), "rb") as lines:
        for line in lines:
            said = modelfile.parsed(line)
            if not isinstance(said, dict):
                raise TypeError("a line is no operation of Optuna's")
            if said["op_code"] == CREATE_STUDY:
                names.append(said["study_name"])
            elif said["op_code"] == CREATE_TRIAL:
                owners.append(said["study_id"])
            values = said.get("values")
            if not values or names[owners[said.get("trial_id", len(owners) - 1)]] != study:
                continue
            if said["op_code"] in (CREATE_TRIAL, STATE) and STATES[said["state"]] == "COMPLETE":
                yield float(values[objective])
