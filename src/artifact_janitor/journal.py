"""What was done, what is pinned, and what the clock said: SQLite in ``.janitor/journal.db``.

This is the only writer of the journal. Every step is written down before it is tried and
again when it is over, so that a janitor that was killed can be followed by one that knows
where it stood (S12). Paths are stored as bytes: a name need not be UTF-8.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from artifact_janitor.core.model import Kind, Pin, Tally, Trashed, is_within
from artifact_janitor.errors import JournalError

VERSION = 1

SCHEMA = """
CREATE TABLE sweep (
    id TEXT PRIMARY KEY, command TEXT NOT NULL, by_person INTEGER NOT NULL,
    started INTEGER NOT NULL, ended INTEGER
);
CREATE TABLE step (
    id INTEGER PRIMARY KEY, sweep TEXT NOT NULL REFERENCES sweep, "do" TEXT NOT NULL,
    kind TEXT NOT NULL, path BLOB NOT NULL, bytes INTEGER NOT NULL, frees INTEGER NOT NULL,
    fingerprint TEXT NOT NULL, reasons TEXT NOT NULL, about INTEGER,
    state TEXT NOT NULL DEFAULT 'intended', why TEXT NOT NULL DEFAULT '', at INTEGER NOT NULL
);
CREATE INDEX step_by_sweep ON step (sweep);
CREATE INDEX step_by_state ON step (state, "do");
CREATE TABLE move (
    step INTEGER NOT NULL REFERENCES step, source BLOB NOT NULL, target BLOB NOT NULL,
    dev INTEGER NOT NULL, ino INTEGER NOT NULL, parent_before INTEGER, parent_after INTEGER
);
CREATE INDEX move_by_step ON move (step);
CREATE TABLE pin (path BLOB PRIMARY KEY, note TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE clock (wall INTEGER NOT NULL, awake INTEGER NOT NULL, boot TEXT NOT NULL);
CREATE TABLE memory (
    path BLOB PRIMARY KEY, form TEXT NOT NULL, at INTEGER NOT NULL, facts TEXT NOT NULL
);
"""

State = Literal["intended", "done", "skipped", "failed", "undone", "purged"]


@dataclass(frozen=True, slots=True)
class Sweep:
    """One command that changed something; times in nanoseconds, ``ended`` 0 while open."""

    id: str
    command: str
    by_person: bool
    started: int
    ended: int


@dataclass(frozen=True, slots=True)
class Move:
    """One rename, by paths in the workspace: the inode that moves, and the old folder's
    mtime before and after, to be put back by undo."""

    source: str
    target: str
    dev: int
    ino: int
    parent_before: int = 0
    parent_after: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One journalled step; ``about`` is the step that a purge or an undo speaks of."""

    id: int
    sweep: str
    do: str
    kind: Kind
    path: str
    bytes: int
    frees: int
    fingerprint: str
    reasons: tuple[str, ...]
    about: int | None
    state: State
    why: str
    at: int


@dataclass(frozen=True, slots=True)
class Intent:
    """A step that is about to be tried."""

    do: str
    kind: Kind
    path: str
    bytes: int = 0
    frees: int = 0
    fingerprint: str = ""
    reasons: tuple[str, ...] = ()
    about: int | None = None
    moves: tuple[Move, ...] = ()


_STEP = 'id, sweep, "do", kind, path, bytes, frees, fingerprint, reasons, about, state, why, at'


class Journal:
    """An open journal. Raises JournalError where the file is damaged or can't be used."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db = connection
        self.path = path

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _writing(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction. What isn't durable survives a kill, but maybe not a power cut."""
        with _told(self.path):
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.rollback()
                raise
            self._db.commit()

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with _told(self.path):
            return self._db.execute(query, values).fetchall()

    # sweeps and steps

    def begin(self, plan_id: str, command: str, now: int, *, by_person: bool) -> str:
        """Open a sweep under the plan's name, or the next free variant of it."""
        with self._writing() as db:
            taken = {row[0] for row in db.execute("SELECT id FROM sweep")}
            names = (plan_id if n == 1 else f"{plan_id}-{n}" for n in range(1, len(taken) + 2))
            name = next(name for name in names if name not in taken)
            row = (name, command, by_person, now)
            db.execute("INSERT INTO sweep (id, command, by_person, started) VALUES (?,?,?,?)", row)
        return name

    def end(self, sweep: str, now: int) -> None:
        with self._writing() as db:
            db.execute("UPDATE sweep SET ended = ? WHERE id = ?", (now, sweep))

    def intend(self, sweep: str, intents: Iterable[Intent], now: int) -> list[int]:
        """Write down durably what is about to be tried, and give each step its number.

        The sweep is open from here on, whatever another janitor took it for.
        """
        with self._writing() as db:
            db.execute("UPDATE sweep SET ended = NULL WHERE id = ?", (sweep,))
            return [_insert(db, sweep, intent, now) for intent in intents]

    def settle(
        self, step: int, state: State, why: str, now: int, moves: Sequence[Move] = ()
    ) -> None:
        """How a step came out; `moves` with the folders' mtimes as the renames left them.

        Not durable by itself: as long as the sweep is open, what is on disk counts.
        """
        with self._writing(durable=False) as db:
            query = "UPDATE step SET state = ?, why = ?, at = ? WHERE id = ?"
            db.execute(query, (state, _text(why), now, step))
            query = (
                "UPDATE move SET parent_before = ?, parent_after = ? WHERE step = ? AND source = ?"
            )
            for move in moves:
                place = os.fsencode(move.source)
                db.execute(query, (move.parent_before, move.parent_after, step, place))

    def turn(self, step: int, state: State) -> None:
        """A trashed unit came back or was purged: its own step says so from now on."""
        with self._writing() as db:
            db.execute("UPDATE step SET state = ? WHERE id = ?", (state, step))

    def sweeps(self) -> list[Sweep]:
        """All sweeps, newest first."""
        query = "SELECT id, command, by_person, started, coalesce(ended, 0) FROM sweep"
        rows = self._rows(query + " ORDER BY started DESC, rowid DESC")
        return [
            Sweep(name, command, bool(yes), began, end) for name, command, yes, began, end in rows
        ]

    def steps(self, sweep: str) -> list[Step]:
        """The steps of one sweep, in the order in which they were tried."""
        rows = self._rows(f"SELECT {_STEP} FROM step WHERE sweep = ? ORDER BY id", sweep)
        return [_step(row) for row in rows]

    def about(self, path: str) -> list[Step]:
        """The steps that concern a path, something around it or below it, newest first."""
        rows = self._rows(f"SELECT {_STEP} FROM step ORDER BY id DESC")
        steps = (_step(row) for row in rows)
        return [step for step in steps if is_within(path, step.path) or is_within(step.path, path)]

    def touched(self, sweep: str) -> list[str]:
        """The folders whose entries a sweep changed."""
        rows = self._rows(
            "SELECT source, target FROM move JOIN step ON move.step IN (step.id, step.about) "
            "WHERE step.sweep = ?",
            sweep,
        )
        return [os.fsdecode(path).rpartition("/")[0] for row in rows for path in row]

    def step(self, number: int) -> Step:
        (row,) = self._rows(f"SELECT {_STEP} FROM step WHERE id = ?", number)
        return _step(row)

    def moves(self, step: int) -> list[Move]:
        rows = self._rows(
            "SELECT source, target, dev, ino, coalesce(parent_before, 0), "
            "coalesce(parent_after, 0) FROM move WHERE step = ? ORDER BY rowid",
            step,
        )
        return [Move(os.fsdecode(row[0]), os.fsdecode(row[1]), *row[2:]) for row in rows]

    # what the planner needs to know

    def trashed(self) -> list[Trashed]:
        """What lies in the trash."""
        rows = self._rows(f"SELECT {_STEP} FROM step WHERE state = 'done' AND \"do\" = 'trash'")
        return [self._trashed(_step(row)) for row in rows]

    def _trashed(self, step: Step) -> Trashed:
        target = next((move.target for move in self.moves(step.id)), "")
        return Trashed(
            step.id, step.path, target, step.kind, step.bytes, step.frees, step.at, step.fingerprint
        )

    def recent(self, since: int) -> dict[str, Tally]:
        """What went by policy alone since then, by kind; a person's yes doesn't count."""
        rows = self._rows(
            "SELECT kind, count(*), sum(bytes) FROM step JOIN sweep ON sweep.id = step.sweep "
            "WHERE \"do\" = 'trash' AND state IN ('done', 'purged') AND at >= ? AND NOT by_person "
            "GROUP BY kind",
            since,
        )
        return {kind: Tally(units, size) for kind, units, size in rows}

    # pins

    def pins(self) -> tuple[Pin, ...]:
        rows = self._rows("SELECT path, note, at FROM pin ORDER BY path")
        return tuple(Pin(os.fsdecode(path), note, at) for path, note, at in rows)

    def pin(self, pin: Pin) -> None:
        """Protect a path. A pin that is there already gets the new note."""
        with self._writing() as db:
            row = (os.fsencode(pin.path), _text(pin.note), pin.at)
            db.execute("INSERT OR REPLACE INTO pin (path, note, at) VALUES (?,?,?)", row)

    def unpin(self, path: str, note: str = "") -> list[str]:
        """Take away the pin of a path and all pins below it; the paths that were pinned.

        Only pins whose note begins with `note`.
        """
        pins = [pin for pin in self.pins() if is_within(pin.path, path)]
        found = [pin.path for pin in pins if pin.note.startswith(note)]
        with self._writing() as db:
            rows = [(os.fsencode(each),) for each in found]
            db.executemany("DELETE FROM pin WHERE path = ?", rows)
        return found

    # the clock

    def clock(self) -> tuple[int, int, str] | None:
        """Wall clock, time since boot and boot id at the last look, or None."""
        rows = self._rows("SELECT wall, awake, boot FROM clock")
        return cast(tuple[int, int, str], rows[0]) if rows else None

    def set_clock(self, wall: int, awake: int, boot: str) -> None:
        with self._writing() as db:
            db.execute("DELETE FROM clock")
            db.execute("INSERT INTO clock VALUES (?,?,?)", (wall, awake, boot))

    # what earlier looks saw

    def remembered(self, form: str, since: int, until: int) -> dict[str, str]:
        """What was seen between two moments, by path, where it has this form."""
        query = "SELECT path, facts FROM memory WHERE form = ? AND at BETWEEN ? AND ?"
        return {os.fsdecode(path): facts for path, facts in self._rows(query, form, since, until)}

    def remember(
        self, form: str, seen: Mapping[str, str], gone: Iterable[str], since: int, now: int
    ) -> None:
        """Write down what was seen now; forget what is gone, older, or of another form."""
        rows = [(os.fsencode(path), form, now, facts) for path, facts in seen.items()]
        with self._writing(durable=False) as db:
            where = "form <> ? OR at NOT BETWEEN ? AND ?"
            db.execute(f"DELETE FROM memory WHERE {where}", (form, since, now))
            lost = [(os.fsencode(path),) for path in gone]
            db.executemany("DELETE FROM memory WHERE path = ?", lost)
            db.executemany("INSERT OR REPLACE INTO memory VALUES (?,?,?,?)", rows)


def _insert(db: sqlite3.Connection, sweep: str, intent: Intent, now: int) -> int:
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
    moves = [
        (number, os.fsencode(move.source), os.fsencode(move.target), move.dev, move.ino)
        for move in intent.moves
    ]
    query = "INSERT INTO move (step, source, target, dev, ino) VALUES (?,?,?,?,?)"
    db.executemany(query, moves)
    return number


def _text(said: str) -> str:
    """Words as SQLite takes them: bytes of a name that are no text are written out."""
    return said.encode("utf-8", "backslashreplace").decode()


def _step(row: tuple[Any, ...]) -> Step:
    number, sweep, do, kind, path, size, frees, fingerprint, reasons, about, state, why, at = row
    parsed = tuple(json.loads(reasons))
    place = os.fsdecode(path)
    return Step(
        number, sweep, do, kind, place, size, frees, fingerprint, parsed, about, state, why, at
    )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """SQLite's errors, in words that say what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        hint = "is the disk full, or read-only? The next janitor run finishes what was begun"
        raise JournalError(f"the journal can't be used: {error}", hint, str(path)) from error
    except sqlite3.DatabaseError as error:
        hint = f"the trash beside it is untouched; move {path} aside to begin a new journal"
        raise JournalError(f"the journal is damaged: {error}", hint, str(path)) from error


def open_journal(path: Path, *, create: bool) -> Journal | None:
    """The journal at `path`, or None where there is none and `create` is false.

    Without `create` it is opened for reading, and nothing is written.
    """
    if not create and _is_empty(path):
        return None
    with _told(path):
        db = _connect(path, create=create)
        try:
            _prepare(db, path, create=create)
        except BaseException:
            db.close()
            raise
    return Journal(db, path)


def _is_empty(path: Path) -> bool:
    """Nothing was ever written: there is no journal, or the first janitor died making it."""
    try:
        return path.stat().st_size == 0 and not _wal(path).exists()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        hint = f"check the permissions of {path.parent}"
        raise JournalError(
            f"the journal can't be read: {error.strerror}", hint, str(path)
        ) from error


def _connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """Reading a WAL journal in a folder that we may not write to needs ``immutable``."""
    mode = "mode=rwc" if create else "mode=ro"
    if not create and not os.access(path.parent, os.W_OK) and not _wal(path).exists():
        mode = "immutable=1"
    uri = f"{path.absolute().as_uri()}?{mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30)


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _prepare(db: sqlite3.Connection, path: Path, *, create: bool) -> None:
    if create:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        if _version(db) == 0:
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    if (found := _version(db)) != VERSION:
        raise JournalError(
            f"the journal has format {found}, this version knows format {VERSION}",
            "update artifact-janitor" if found > VERSION else f"move {path} aside",
            str(path),
        )


def _version(db: sqlite3.Connection) -> int:
    return cast(int, db.execute("PRAGMA user_version").fetchone()[0])
