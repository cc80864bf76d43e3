"""Rows of the tables of steps and of their renames."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from typing import Any, cast

from artifact_janitor.core.model import Pin
from artifact_janitor.journal.records import Intent, Move, Step, Sweep

COLUMNS = 'id, sweep, "do", kind, path, bytes, frees, fingerprint, reasons, about, state, why, at'


def insert(db: sqlite3.Connection, sweep: str, intent: Intent, now: int) -> int:
    row = (
        sweep,
        intent.do,
        intent.kind,
        os.fsencode(intent.path),
        intent.bytes,
        intent.frees,
        intent.fingerprint,
        json.dumps(intent.reasons),
        intent.about,
        now,
    )
    cursor = db.execute(
        'INSERT INTO step (sweep, "do", kind, path, bytes, frees, fingerprint, reasons, about, at) '
        "VALUES (?,?,?,?,?,?,?,?,?,?)",
        row,
    )
    number = cast(int, cursor.lastrowid)
    note_moves(db, number, intent.moves)
    return number


def note_moves(db: sqlite3.Connection, step: int, moves: Iterable[Move]) -> None:
    rows = [
        (step, os.fsencode(move.source), os.fsencode(move.target), move.dev, move.ino)
        for move in moves
    ]
    query = "INSERT INTO move (step, source, target, dev, ino) VALUES (?,?,?,?,?)"
    db.executemany(query, rows)


def text_of(said: str) -> str:
    """Words as SQLite takes them: bytes of a name that are no text are written out."""
    return said.encode("utf-8", "backslashreplace").decode()


def step_of(row: tuple[Any, ...]) -> Step:
    number, sweep, do, kind, path, size, frees, fingerprint, reasons, about, state, why, at = row
    parsed = tuple(json.loads(reasons))
    place = os.fsdecode(path)
    return Step(
        number, sweep, do, kind, place, size, frees, fingerprint, parsed, about, state, why, at
    )


def sweep_of(row: tuple[Any, ...]) -> Sweep:
    name, command, by_person, started, ended = row
    return Sweep(name, command, bool(by_person), started + 0, ended + 0)


def move_of(row: tuple[Any, ...]) -> Move:
    """Raises ValueError for one that nobody can have meant."""
    move = Move(os.fsdecode(row[0]), os.fsdecode(row[1]), *row[2:])
    if not move.makes_sense:
        raise ValueError(f"{move.source} to {move.target} is no move of a janitor's")
    return move


def pin_of(row: tuple[Any, ...]) -> Pin:
    return Pin(os.fsdecode(row[0]), row[1], row[2] + 0)


def reading_of(row: tuple[Any, ...]) -> tuple[int, int, str]:
    wall, awake, boot = row
    return wall + 0, awake + 0, boot
