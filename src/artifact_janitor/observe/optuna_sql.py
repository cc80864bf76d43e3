"""Optuna's studies in a SQLite database, by SQL alone: Optuna itself would write into it.

One read transaction, short: as long as it is open, a writer in rollback mode waits to commit.
SQLite counts and sorts; a hundred thousand trials never come into memory. Schema, limits and
figures: Optuna 2.10 (v2.6.0.a) to 5.0 (v3.2.0.a), measured with real databases of each.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from artifact_janitor.core.study import Identity, Study, Trial
from artifact_janitor.observe import optuna_values as values
from artifact_janitor.observe.sqlite import limit
from artifact_janitor.units import DAY, SECOND

OLDEST, NEWEST = "v2.6.0.a", "v3.2.0.a"
"""Schemas by the names that Optuna's migrations have; there are none between them that differ
in what is read here but by ``value_type``."""
LONGEST_READ = 3.0
"""Seconds that a transaction may take: SQLAlchemy's writers give up after five."""
LARGEST_TEXT = 1 << 16
"""Letters of an attribute or a distribution that are read."""
LAST = 100
"""Trials whose length says how long the next one may take."""

COLUMNS = {
    "studies": "study_id study_name",
    "study_directions": "study_id objective direction",
    "study_user_attributes": "study_id key value_json",
    "study_system_attributes": "study_id key value_json",
    "trials": "trial_id study_id number state datetime_start datetime_complete",
    "trial_values": "trial_id objective value",
    "trial_params": "trial_id param_name param_value distribution_json",
    "trial_user_attributes": "trial_id key value_json",
    "trial_system_attributes": "trial_id key value_json",
    "trial_heartbeats": "trial_id heartbeat",
}
"""The columns that are read of each table."""


class NoStudies(Exception):
    """A sound database without studies that we can read: `kind` in a word, and why."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Place:
    """Where a database is: its path in the workspace, and what its files say."""

    path: str
    device: int
    inode: int
    written: int


def studies(db: sqlite3.Connection, place: Place) -> list[Study]:
    """All studies of an open database. Raises NoStudies, sqlite3.Error."""
    db.text_factory = _text
    limit(db, LONGEST_READ)
    db.execute("BEGIN")
    try:
        reader = _Reader(db, place, _has_value_type(db))
        return [reader.study(*row) for row in db.execute(_STUDIES).fetchall()]
    except (ValueError, TypeError, OverflowError) as error:
        raise NoStudies("damaged", f"it holds what Optuna never writes: {error}") from error
    finally:
        db.rollback()


def _text(raw: bytes) -> str:
    """A name need not be UTF-8, whatever wrote it."""
    return raw.decode("utf-8", "surrogateescape")


# ---------------------------------------------------------------- the schema


def _has_value_type(db: sqlite3.Connection) -> bool:
    """Whether infinities are told apart by a column. Raises NoStudies for no schema of ours."""
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"studies", "trials"} <= tables:
        raise NoStudies("other", "it is a database of another program, without studies of Optuna")
    version = _version(db, tables)
    if version > _parsed(NEWEST):
        raise NoStudies("newer", f"its schema is newer than {NEWEST}, the newest known here")
    found = {name: {*_columns(db, name)} for name in COLUMNS if name in tables}
    missing = [name for name, columns in COLUMNS.items() if not _has(found, name, columns)]
    if version < _parsed(OLDEST) or missing:
        least = f"Optuna 2.10 ({OLDEST}) or newer is needed"
        what = f"has no {missing[0]} as it should be" if missing else "is older"
        kind = "older" if version < _parsed(OLDEST) else "schema"
        raise NoStudies(kind, f"its schema {what}: {least}")
    return "value_type" in found["trial_values"]


def _version(db: sqlite3.Connection, tables: set[str]) -> tuple[int, ...]:
    """The newest that is noted; () where none is: that was before Optuna 0.10."""
    if "alembic_version" not in tables:
        return ()
    rows = db.execute("SELECT version_num FROM alembic_version LIMIT 10").fetchall()
    return max((_parsed(str(row[0])) for row in rows), default=())


def _parsed(version: str) -> tuple[int, ...]:
    """ "v3.0.0.d" as numbers. What looks otherwise is newer than all that we know."""
    match = re.fullmatch(r"v(\d+)\.(\d+)\.(\d+)(?:\.([a-z]))?", version)
    if match is None:
        return (1 << 30,)
    return (*map(int, match.group(1, 2, 3)), ord(match[4] or "a"))


def _columns(db: sqlite3.Connection, table: str) -> Iterator[str]:
    yield from (row[0] for row in db.execute("SELECT name FROM pragma_table_info(?)", (table,)))


def _has(found: dict[str, set[str]], name: str, columns: str) -> bool:
    return {*columns.split()} <= found.get(name, set())


# ---------------------------------------------------------------- what is read

_STUDIES = "SELECT study_id, study_name FROM studies ORDER BY study_id"
_COUNTS = "SELECT study_id, state, count(*), max(trial_id) FROM trials GROUP BY 1, 2"
_DIRECTIONS = "SELECT direction FROM study_directions WHERE study_id = ? ORDER BY objective"
_ATTRS = "SELECT key, substr(value_json, 1, ?), length(value_json) FROM {} WHERE {} = ?"
_BEATS = """
SELECT CAST(strftime('%s', max(heartbeat)) AS INTEGER), sum(heartbeat IS NULL)
FROM trials LEFT JOIN trial_heartbeats USING (trial_id)
WHERE study_id = ? AND state = 'RUNNING'
"""
_LENGTH = """
SELECT max(julianday(datetime_complete) - julianday(datetime_start)) FROM (
    SELECT datetime_start, datetime_complete FROM trials
    WHERE study_id = ? AND datetime_complete IS NOT NULL ORDER BY trial_id DESC LIMIT ?
)
"""
_CONSTRAINED = """
SELECT 1 FROM trial_system_attributes JOIN trials USING (trial_id)
WHERE study_id = ? AND (key LIKE 'constraints%' OR key = 'nsga2:constraints') LIMIT 1
"""
_BEST = """
SELECT trial_id, number FROM trials JOIN trial_values AS v USING (trial_id)
WHERE study_id = ? AND state = 'COMPLETE' AND objective = ? AND {known}
ORDER BY {order}, number
"""
_VALUES = "SELECT {} FROM trial_values WHERE trial_id = ? ORDER BY objective"
_PARAMS = """
SELECT param_name, param_value, distribution_json FROM trial_params
WHERE trial_id = ? ORDER BY param_id
"""
_INFINITE = {"INF_POS": float("inf"), "INF_NEG": float("-inf")}


class _Reader:
    """Within one transaction."""

    def __init__(self, db: sqlite3.Connection, place: Place, has_type: bool) -> None:
        self.db = db
        self.place = place
        self.has_type = has_type
        self.counts: dict[int, dict[str, int]] = defaultdict(dict)
        self.last: dict[int, int] = {}
        for study, state, count, last in db.execute(_COUNTS).fetchall():
            self.counts[study][str(state)] = count
            self.last[study] = max(last, self.last.get(study, -1))

    def study(self, number: int, name: str) -> Study:
        if not isinstance(name, str):
            raise TypeError("a study's name is none")
        place, counts = self.place, self.counts[number]
        directions = values.directions(row[0] for row in self._rows(_DIRECTIONS, number))
        system = self._attrs("study_system_attributes", "study_id", number)
        beat, silent = self._beats(number) if counts.get("RUNNING") else (None, 0)
        return Study(
            path=place.path,
            identity=Identity(place.device, place.inode, number, name),
            directions=directions,
            counts=counts,
            last_trial=self.last.get(number, -1),
            attrs=self._attrs("study_user_attributes", "study_id", number),
            written=place.written,
            bests=self._bests(number, directions) if counts.get("COMPLETE") else (),
            metrics=values.names(system.get("study:metric_names")),
            heartbeat=beat,
            silent=silent,
            longest=self._longest(number) if silent else 0,
        )

    def _rows(self, query: str, *bound: object) -> list[tuple[Any, ...]]:
        return self.db.execute(query, bound).fetchall()

    def _attrs(self, table: str, owner: str, number: int) -> dict[str, object]:
        """By name; of one that is very long only that it is, and how long."""
        rows = self._rows(_ATTRS.format(table, owner), LARGEST_TEXT, number)
        return {
            str(key): values.parsed(text) if length <= LARGEST_TEXT else f"… ({length} letters)"
            for key, text, length in rows
            if isinstance(text, str)
        }

    def _beats(self, number: int) -> tuple[int | None, int]:
        """The newest heartbeat of the running trials, and how many have none."""
        ((beat, silent),) = self._rows(_BEATS, number)
        return (None if beat is None else beat * SECOND), silent or 0

    def _longest(self, number: int) -> int:
        """Only to wait longer: two times of one trial, whatever zone they are in."""
        ((days,),) = self._rows(_LENGTH, number, LAST)
        return min(max(int((days or 0) * DAY), 0), 7 * DAY)

    def _bests(self, number: int, directions: tuple[str, ...]) -> tuple[Trial | None, ...]:
        is_constrained = bool(self._rows(_CONSTRAINED, number))
        return tuple(
            self._best(number, place, direction, is_constrained)
            for place, direction in enumerate(directions)
        )

    def _best(
        self, number: int, objective: int, direction: str, is_constrained: bool
    ) -> Trial | None:
        """Candidates come best first; the first feasible one is it."""
        query = _BEST.format(known=self._known(), order=self._order(direction))
        if not is_constrained:
            query += " LIMIT 1"
        cursor = self.db.execute(query, (number, objective))
        try:
            for trial_id, its_number in cursor:
                if not is_constrained or self._is_feasible(trial_id):
                    return self._trial(trial_id, its_number)
        finally:
            cursor.close()
        return None

    def _known(self) -> str:
        infinite = " OR value_type IN ('INF_POS', 'INF_NEG')" if self.has_type else ""
        return f"(value IS NOT NULL{infinite})"

    def _order(self, direction: str) -> str:
        """Infinities first or last, then by value."""
        way = " DESC" if direction == "maximize" else ""
        rank = "CASE value_type WHEN 'INF_POS' THEN 1 WHEN 'INF_NEG' THEN -1 ELSE 0 END"
        return f"{rank}{way}, value{way}" if self.has_type else f"value{way}"

    def _is_feasible(self, trial_id: int) -> bool:
        return values.is_feasible(self._attrs("trial_system_attributes", "trial_id", trial_id))

    def _trial(self, trial_id: int, number: int) -> Trial:
        if not isinstance(number, int):
            raise TypeError("a trial's number is none")
        rows = self._rows(_PARAMS, trial_id)
        params = {
            str(name): values.param(value, values.parsed(distribution))
            for name, value, distribution in rows
        }
        attrs = self._attrs("trial_user_attributes", "trial_id", trial_id)
        return Trial(number, trial_id, self._values(trial_id), params, attrs)

    def _values(self, trial_id: int) -> tuple[float, ...]:
        columns = "value, value_type" if self.has_type else "value, ''"
        rows = self._rows(_VALUES.format(columns), trial_id)
        return tuple(_INFINITE[kind] if kind in _INFINITE else float(value) for value, kind in rows)
