"""What was done, what is pinned, and what the clock said: SQLite in ``.janitor/journal.db``.

This is the only writer of the journal. Every step is written down before it is tried and
again when it is over, so that a janitor that was killed can be followed by one that knows
where it stood (S12). Paths are stored as bytes: a name need not be UTF-8.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import cast

from artifact_janitor.core.compressing import COMPRESS
from artifact_janitor.core.model import Pin, Tally, Trashed, folders_around, is_within
from artifact_janitor.journal.archives import Archives
from artifact_janitor.journal.compressions import Compressions
from artifact_janitor.journal.configs import Configs, keep
from artifact_janitor.journal.dates import believe, not_before
from artifact_janitor.journal.digests import Digests
from artifact_janitor.journal.file import connect, inode_of, sensible
from artifact_janitor.journal.formats import (
    WITH_ARCHIVES,
    WITH_CONFIGS,
    WITH_DIGESTS,
    WITH_JOBS,
    WITH_PUBLICATIONS,
    WITH_REBUILT,
    WITH_SCHEDULE,
)
from artifact_janitor.journal.jobs import Jobs, Untold
from artifact_janitor.journal.publications import Publication, Publications, record
from artifact_janitor.journal.purges import REBUILT, Purges, models_in
from artifact_janitor.journal.rebuilt import Rebuilds, Rebuilt
from artifact_janitor.journal.records import (
    TO_TRASH,
    Archived,
    Config,
    ConfigFile,
    Intent,
    Move,
    State,
    Step,
    Sweep,
)
from artifact_janitor.journal.remembering import Remembering
from artifact_janitor.journal.schedule import RunsOfJobs
from artifact_janitor.journal.steps import (
    COLUMNS,
    insert,
    move_of,
    pin_of,
    reading_of,
    step_of,
    sweep_of,
    text_of,
)
from artifact_janitor.reserve import Reserve

__all__ = [
    "Archived",
    "Config",
    "ConfigFile",
    "Intent",
    "Journal",
    "Move",
    "Publication",
    "Rebuilt",
    "State",
    "Step",
    "Sweep",
    "Untold",
    "open_journal",
]

_TOOK = f'"do" IN {TO_TRASH}'
_MADE = f"made.sweep = step.sweep AND made.path = step.path AND made.\"do\" = '{COMPRESS}'"
"""What became of its unit was compressed before, and stays."""
_COUNTED = """CASE "do" WHEN 'expire' THEN kind || ' archive' ELSE kind END"""


class Journal(Remembering):
    """An open journal. Raises JournalError where the file is damaged or can't be used."""

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
        """It is over; not as long as a step of it is open, which the next start settles."""
        with self._writing() as db:
            open_still = "SELECT 1 FROM step WHERE step.sweep = sweep.id AND state = 'intended'"
            query = f"UPDATE sweep SET ended = ? WHERE id = ? AND NOT EXISTS ({open_still})"
            db.execute(query, (now, sweep))

    def intend(
        self,
        sweep: str,
        intents: Iterable[Intent],
        now: int,
        configs: Iterable[Config] = (),
        bodies: Mapping[str, bytes] = MappingProxyType({}),
    ) -> list[int]:
        """Write down durably what is about to be tried, and give each step its number; with
        it the `configs` of the runs that are to leave, and their contents by digest.

        The sweep is open from here on, whatever another janitor took it for.
        """
        with self._writing() as db:
            keep(db, configs, bodies)
            at = self.dated(now)
            db.execute("UPDATE sweep SET ended = NULL WHERE id = ?", (sweep,))
            return [insert(db, sweep, intent, at) for intent in intents]

    def intend_publication(
        self, sweep: str, publish: Intent, replace: Intent | None, about: Publication, now: int
    ) -> Publication:
        """Write down durably, and at once, what is about to be published and what goes to the
        trash for it; `about` gets the numbers of both steps."""
        with self._writing() as db:
            db.execute("UPDATE sweep SET ended = NULL WHERE id = ?", (sweep,))
            at = self.dated(now)
            replaced = insert(db, sweep, replace, at) if replace else None
            step = insert(db, sweep, publish, at)
            written = dataclasses.replace(about, step=step, replaced=replaced)
            record(db, written)
        return written

    def settle(
        self, step: int, state: State, why: str, now: int, moves: Sequence[Move] = ()
    ) -> None:
        """How a step came out; `moves` with the folders' mtimes as the renames left them.

        Not durable by itself: as long as the sweep is open, what is on disk counts.
        """
        with self._writing(durable=False) as db:
            query = "UPDATE step SET state = ?, why = ?, at = ? WHERE id = ?"
            db.execute(query, (state, text_of(why), self.dated(now), step))
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
        """All sweeps, newest first, whatever the clock said when they began."""
        query = "SELECT id, command, by_person, started, coalesce(ended, 0) FROM sweep"
        return self._rows(query + " ORDER BY rowid DESC", make=sweep_of)

    def steps(self, sweep: str) -> list[Step]:
        """The steps of one sweep, in the order in which they were tried."""
        query = f"SELECT {COLUMNS} FROM step WHERE sweep = ? ORDER BY id"
        return self._rows(query, sweep, make=step_of)

    def about(self, path: str) -> list[Step]:
        """The steps that concern a path, something around it or below it, newest first."""
        steps = self._rows(f"SELECT {COLUMNS} FROM step ORDER BY id DESC", make=step_of)
        return [step for step in steps if is_within(path, step.path) or is_within(step.path, path)]

    def touched(self, sweep: str) -> list[str]:
        """The folders whose entries a sweep changed."""
        rows = self._rows(
            "SELECT source, target FROM move JOIN step ON move.step IN (step.id, step.about) "
            "WHERE step.sweep = ?",
            sweep,
        )
        with sensible(self.path):
            return [os.fsdecode(path).rpartition("/")[0] for row in rows for path in row]

    def of(self, do: str) -> list[Step]:
        """All steps of one sort, newest first."""
        query = f'SELECT {COLUMNS} FROM step WHERE "do" = ? ORDER BY id DESC'
        return self._rows(query, do, make=step_of)

    def step(self, number: int) -> Step:
        query = f"SELECT {COLUMNS} FROM step WHERE id = ?"
        with sensible(self.path):
            found: Step = self._rows(query, number, make=step_of)[0]
            return found

    def moves(self, step: int) -> list[Move]:
        query = "SELECT source, target, dev, ino, coalesce(parent_before, 0), "
        query += "coalesce(parent_after, 0) FROM move WHERE step = ? ORDER BY rowid"
        return self._rows(query, step, make=move_of)

    # what the planner needs to know

    def trashed(self) -> list[Trashed]:
        """What lies in the trash."""
        query = f"SELECT {COLUMNS} FROM step WHERE state = 'done' AND {_TOOK}"
        steps = self._rows(query, make=step_of)
        made = self.purges.made() if steps else {}
        return [self._trashed(step, made) for step in steps]

    def trashed_around(self, path: str) -> list[Step]:
        """The steps by which folders around a path lie in the trash."""
        above = [os.fsencode(each) for each in folders_around(path)]
        where = f"state = 'done' AND {_TOOK} AND path IN ({','.join('?' * len(above))})"
        return [*map(step_of, self._rows(f"SELECT {COLUMNS} FROM step WHERE {where}", *above))]

    def expected_in_trash(self) -> list[str]:
        """Where something may lie that a step moved there, or is moving at this moment."""
        query = "SELECT target FROM move JOIN step ON step.id = move.step "
        query += "WHERE state IN ('intended', 'done')"
        return self._rows(query, make=lambda row: os.fsdecode(row[0]))

    def _trashed(self, step: Step, made: Mapping[tuple[str, str], tuple[int, ...]]) -> Trashed:
        target = next((move.target for move in self.moves(step.id)), "")
        return Trashed(
            step.id,
            step.path,
            target,
            step.kind,
            step.bytes,
            step.frees,
            step.at,
            step.fingerprint,
            made.get((step.sweep, step.path), ()) + made.get((REBUILT, step.path), ()),
            models=models_in(step.fingerprint),
        )

    def recent(self, since: int) -> dict[str, Tally]:
        """What went by policy alone since then, by what the guards count it as; a person's yes
        doesn't count."""
        rows = self._rows(
            f"SELECT {_COUNTED}, count(*), sum(bytes) "
            "FROM step JOIN sweep ON sweep.id = step.sweep "
            f"WHERE {_TOOK} AND state IN ('done', 'purged') AND at >= ? AND NOT by_person "
            f"AND NOT EXISTS (SELECT 1 FROM step AS made WHERE {_MADE}) {self._not_replaced()}"
            "GROUP BY 1",
            since,
        )
        return {kind: Tally(units, size) for kind, units, size in rows}

    def _not_replaced(self) -> str:
        """A model whose place another one took is gone by no policy."""
        there = self.version >= WITH_PUBLICATIONS
        return (
            "AND step.id NOT IN (SELECT replaced FROM publication WHERE replaced IS NOT NULL) "
            * there
        )

    # pins

    def pins(self) -> tuple[Pin, ...]:
        return tuple(self._rows("SELECT path, note, at FROM pin ORDER BY path", make=pin_of))

    def is_pinned(self, path: str) -> bool:
        """Whether a pin is at a path, around it, or below it."""
        above = [os.fsencode(each) for each in (path, *folders_around(path))]
        marks, below = ",".join("?" * len(above)), os.fsencode(path)
        query = f"SELECT 1 FROM pin WHERE path IN ({marks}) OR path > ? AND path < ? LIMIT 1"
        return bool(self._rows(query, *above, below + b"/", below + b"0"))

    def pin(self, pin: Pin) -> None:
        """Protect a path. A pin that is there already gets the new note."""
        with self._writing() as db:
            row = (os.fsencode(pin.path), text_of(pin.note), pin.at)
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
        rows = self._rows("SELECT wall, awake, boot FROM clock", make=reading_of)
        return cast(tuple[int, int, str], rows[0]) if rows else None

    def set_clock(self, wall: int, awake: int, boot: str, *, agrees: bool = False) -> None:
        """From here on this is believed; `agrees` with what was believed before, that is."""
        with self._writing() as db:
            believe(db, wall, awake, boot, agrees=agrees)

    def dated(self, now: int) -> int:
        """When a step is done whose clock says `now`; never before what was."""
        return not_before(self.clock(), now)

    # its health

    def faults(self) -> list[str]:
        """What SQLite finds wrong with the file; nothing where it is sound."""
        said = [str(row[0]) for row in self._rows("PRAGMA integrity_check(5)")]
        return [each for each in said if each != "ok"]

    def sizes(self) -> dict[str, int]:
        """How many rows lie in each of its tables."""
        tables = [row[0] for row in self._rows("SELECT name FROM sqlite_master WHERE type='table'")]
        return {name: self._rows(f'SELECT count(*) FROM "{name}"')[0][0] for name in tables}

    @property
    def archives(self) -> Archives:
        """What was archived, and stands."""
        return Archives(self._rows, self._writing, is_there=self.version >= WITH_ARCHIVES)

    @property
    def compressions(self) -> Compressions:
        """What was compressed."""
        return Compressions(self._rows, self._writing)

    @property
    def purges(self) -> Purges:
        """What concerns the purge of what lies in the trash."""
        return Purges(self._rows)

    @property
    def configs(self) -> Configs:
        """What runs were configured with."""
        there = self.version >= WITH_CONFIGS
        return Configs(self._rows, self._writing, self.path, is_there=there)

    @property
    def jobs(self) -> Jobs:
        """The trainings."""
        return Jobs(self._rows, self._writing, is_there=self.version >= WITH_JOBS)

    @property
    def publications(self) -> Publications:
        """What was published."""
        return Publications(self._rows, is_there=self.version >= WITH_PUBLICATIONS)

    @property
    def schedule(self) -> RunsOfJobs:
        """When the jobs of the daemon ran."""
        return RunsOfJobs(self._rows, self._writing, is_there=self.version >= WITH_SCHEDULE)

    @property
    def rebuilds(self) -> Rebuilds:
        """When it was rebuilt."""
        return Rebuilds(self._rows, self._writing, is_there=self.version >= WITH_REBUILT)

    @property
    def digests(self) -> Digests:
        """What was read in full."""
        return Digests(self._rows, self._writing, is_there=self.version >= WITH_DIGESTS)


def open_journal(path: Path, *, create: bool, reserve: Reserve | None = None) -> Journal | None:
    """The journal at `path`, or None where there is none and `create` is false.

    Without `create` it is opened for reading, and nothing is written. The `reserve` is given
    up where the disk is full when something is to be written.
    """
    inode = inode_of(path) if create else None
    db = connect(path, create=create)
    return Journal(db, path, reserve, inode) if db else None
