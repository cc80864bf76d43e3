"""What the steps in the journal tell of a unit in the trash: what was made of it, and what was
said when it was to be purged."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from artifact_janitor.core.compressing import COMPRESS
from artifact_janitor.core.model import ModelFile, folders_around
from artifact_janitor.core.policy import ARCHIVE
from artifact_janitor.journal.records import TO_TRASH, Step
from artifact_janitor.journal.tables import Rows

REBUILT = "rebuilt"
"""The sweep that archives are said to be of whose own is not known."""
CHANGED = "changed in the trash"
"""How the reason begins for which a unit will never be purged."""
ONLY_COPY = "this is the only whole copy"
"""What is said of a unit in the trash for which nothing stands."""


def looks(mine: str, copied: str, models: Iterable[ModelFile]) -> str:
    """What is journalled of a unit that goes to the trash, in the place of its fingerprint: that,
    the one of a copy of it, and the models in it, as far as copies of them are known."""
    named = ",".join(f"{each.bytes}:{each.digest}" for each in models if each.digest)
    return " ".join(filter(None, (mine, copied, named)))


def models_in(looked: str) -> tuple[ModelFile, ...]:
    """The models that `looks` noted, without their names."""
    _, _, named = (*looked.split(" "), "", "")[:3]
    pairs = (each.partition(":") for each in named.split(",") if each)
    return tuple(ModelFile("", int(size), digest) for size, _, digest in pairs if size.isdecimal())


class Refused(NamedTuple):
    """Why a purge was skipped, and when; `purges` is the unit's step."""

    purges: int
    why: str
    at: int


class Purges:
    """These steps, as the journal hands them out."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def made(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """The steps that archived or compressed something, by their sweep and its path."""
        query = f"SELECT sweep, path, id FROM step WHERE \"do\" IN ('{ARCHIVE}', '{COMPRESS}') "
        query += "AND state IN ('intended', 'done')"
        found: defaultdict[tuple[str, str], tuple[int, ...]] = defaultdict(tuple)
        for sweep, path, number in self._rows(query):
            found[sweep, os.fsdecode(path)] += (number,)
        return found

    def refused(self) -> dict[int, Refused]:
        """The last purge of each unit in the trash, where that was skipped."""
        query = "SELECT about, why, at FROM step WHERE \"do\" = 'purge' AND state = 'skipped' "
        query += "AND about NOT NULL ORDER BY id"
        return {each.purges: each for each in self._rows(query, make=lambda row: Refused(*row))}

    def is_expired(self, archived: int) -> bool:
        """Whether the archive that this step made was let go itself."""
        query = "SELECT 1 FROM step WHERE \"do\" = 'expire' AND state IN ('done', 'purged') "
        return bool(self._rows(query + "AND about = ? LIMIT 1", archived))

    def went(self, path: str, since: int) -> bool:
        """Whether a later step than this took what was at a path, or what it lay in."""
        above = [os.fsencode(each) for each in (path, *folders_around(path))]
        query = f"SELECT 1 FROM step WHERE \"do\" IN {TO_TRASH} AND state IN ('done', 'purged') "
        query += f"AND id > ? AND path IN ({','.join('?' * len(above))}) LIMIT 1"
        return bool(self._rows(query, since, *above))

    def name(self, step: Step) -> str:
        """How a person names it for ``janitor undo``."""
        query = "SELECT count(*) FROM step WHERE sweep = ? AND id <= ?"
        (count,) = self._rows(query, step.sweep, step.id)[0]
        return f"{step.sweep}.{count}"
