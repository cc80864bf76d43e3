"""The rows that are worth to be read from a damaged journal, and what each of their values may be.

What was damaged is as untrusted as what somebody else wrote (S1, S14): a row whose values could
not have been written by a janitor is left out, as is one that leads out of the workspace.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, get_args, get_type_hints

from artifact_janitor.core.jobs import MODES, JobState, token_of
from artifact_janitor.core.model import Kind
from artifact_janitor.journal.configs import digest_of
from artifact_janitor.journal.pages import Value
from artifact_janitor.journal.publications import Verdict
from artifact_janitor.journal.records import TO_TRASH, Move, State
from artifact_janitor.journal.studies import identity_of
from artifact_janitor.state import STATE

LARGEST = 256 << 20
"""Bytes of one file of a configuration."""


Blob = bytes
"""By another name: some rows have a column `bytes`."""


class SweepRow(NamedTuple):
    id: str
    command: str
    by_person: int
    started: int
    ended: int | None


class StepRow(NamedTuple):
    id: int
    sweep: str
    do: str
    kind: str
    path: Blob
    bytes: int
    frees: int
    fingerprint: str
    reasons: str
    about: int | None
    state: str
    why: str
    at: int

    @property
    def took(self) -> bool:
        return self.do in TO_TRASH


class MoveRow(NamedTuple):
    step: int
    source: Blob
    target: Blob
    dev: int
    ino: int
    parent_before: int | None = None
    parent_after: int | None = None


class PinRow(NamedTuple):
    path: Blob
    note: str
    at: int


class ClockRow(NamedTuple):
    wall: int
    awake: int
    boot: str


class ContentRow(NamedTuple):
    digest: str
    body: Blob


class ConfigRow(NamedTuple):
    path: Blob
    seen: int
    kind: str
    run_id: str
    files: str


class ArchiveRow(NamedTuple):
    step: int
    store: Blob
    name: str
    ino: int
    bytes: int
    members: int
    digest: str
    checked: int


class StudyRow(NamedTuple):
    identity: str
    path: Blob
    fingerprint: str
    since: int
    looked: int
    first_seen: int
    finished: int


class JobRow(NamedTuple):
    id: int
    key: str
    attempt: int
    token: str
    path: Blob
    study: Blob
    model_type: str
    target: Blob
    mode: str
    trial: int
    value: str
    by_person: int
    state: str
    submitted: int
    ended: int
    next_try: int
    why: str
    told: int


class PublicationRow(NamedTuple):
    step: int
    replaced: int | None
    path: Blob
    key: str
    digest: str
    mark: str
    verdict: str


class DueRow(NamedTuple):
    name: str
    due: int
    ran: int


class RebuiltRow(NamedTuple):
    at: int
    held: int
    why: str
    aside: str
    said: str


TABLES: dict[str, type[Any]] = {
    "sweep": SweepRow,
    "step": StepRow,
    "move": MoveRow,
    "pin": PinRow,
    "clock": ClockRow,
    "content": ContentRow,
    "config": ConfigRow,
    "archive": ArchiveRow,
    "study": StudyRow,
    "job": JobRow,
    "publication": PublicationRow,
    "runs_of_jobs": DueRow,
    "rebuilt": RebuiltRow,
}
"""Not what is only remembered of runs and large files: that is looked at again."""

NUMBERED = ("step", "archive", "job", "publication", "rebuilt")
"""Tables whose first column is the number of the row."""

KEYS: dict[str, int] = {"move": 3, "config": 2, "clock": 3}
"""How many of a row's first columns tell it from the others, where that is not one."""


def insertion(table: str) -> str:
    """The statement that writes a row; one of whose key there is another is passed over."""
    columns = ", ".join(f'"{name}"' for name in TABLES[table]._fields)
    marks = ", ".join("?" * len(TABLES[table]._fields))
    return f'INSERT OR IGNORE INTO "{table}" ({columns}) VALUES ({marks})'


@cache
def _types(table: str) -> tuple[tuple[type, ...], ...]:
    hints = get_type_hints(TABLES[table])
    return tuple(get_args(each) or (each,) for each in hints.values())


def row_of(table: str, values: tuple[Value, ...]) -> Any:
    """The row, or None where it can't be one of this table."""
    types = _types(table)
    if len(values) != len(types):
        return None
    if not all(type(value) in kinds for value, kinds in zip(values, types, strict=True)):
        return None
    row = TABLES[table](*values)
    try:
        for each in row:
            if isinstance(each, str):
                each.encode()
        return row if _MAY_BE.get(table, _anything)(row) else None
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError, zlib.error):
        return None


def _anything(_: Any) -> bool:
    return True


def is_inside(path: bytes) -> bool:
    """Whether a path leads nowhere but into the workspace, or is a store's."""
    names = path.removeprefix(b"/").removeprefix(b"../").split(b"/")
    return b"\0" not in path and not {b"", b".", b".."}.intersection(names)


def _sweep(row: SweepRow) -> bool:
    return bool(re.fullmatch(r"[^/\0]{1,200}", row.id)) and row.id not in (".", "..")


def _step(row: StepRow) -> bool:
    reasons = json.loads(row.reasons)
    said = isinstance(reasons, list) and all(isinstance(each, str) for each in reasons)
    known = row.state in get_args(State) and row.kind in get_args(Kind)
    return said and known and is_inside(row.path) and row.id > 0


def _move(row: MoveRow) -> bool:
    """Never an absolute place: nothing that was restored elsewhere is tidied by such a row. A
    store's may be."""
    move = Move(os.fsdecode(row.source), os.fsdecode(row.target), row.dev, row.ino)
    places = (row.source, row.target)
    away = [each for each in places if each.startswith(b"/")]
    is_known = not away or f"{STATE}/trash/".encode() in row.target
    return all(map(is_inside, places)) and is_known and move.makes_sense


def _pin(row: PinRow) -> bool:
    return row.path == b"." or is_inside(row.path)


def _content(row: ContentRow) -> bool:
    return digest_of(zlib.decompressobj().decompress(row.body, LARGEST)) == row.digest


def _config(row: ConfigRow) -> bool:
    files = json.loads(row.files)
    return all(len(each) == 3 and all(isinstance(part, str) for part in each) for each in files)


def _archive(row: ArchiveRow) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9._-]+", row.name)) and bool(row.store)


def _study(row: StudyRow) -> bool:
    return bool(identity_of((row.identity,)))


def _job(row: JobRow) -> bool:
    """Its token is made of its key and the number of its try."""
    row.study.decode("utf-8", "surrogatepass")
    float(row.value)
    known = row.state in get_args(JobState) and row.mode in MODES
    whole = row.token == token_of(row.key, row.attempt)
    parts = os.fsdecode(row.target).split("/")
    return known and whole and is_inside(row.target) and is_inside(row.path) and len(parts) > 1


def _publication(row: PublicationRow) -> bool:
    return row.verdict in get_args(Verdict) and is_inside(row.path)


def _said(row: RebuiltRow) -> bool:
    return isinstance(json.loads(row.said), list)


_MAY_BE: dict[str, Callable[[Any], bool]] = {
    "sweep": _sweep,
    "step": _step,
    "move": _move,
    "pin": _pin,
    "content": _content,
    "config": _config,
    "archive": _archive,
    "study": _study,
    "job": _job,
    "publication": _publication,
    "rebuilt": _said,
}
