"""What was compressed, as the steps in the journal tell it."""

from __future__ import annotations

import os

from artifact_janitor.core.compressing import COMPRESS, NO_GAIN
from artifact_janitor.journal.records import Move, Step
from artifact_janitor.journal.steps import COLUMNS, note_moves, step_of
from artifact_janitor.journal.tables import Rows, Writing


class Compressions:
    """These steps, as the journal hands them out."""

    def __init__(self, rows: Rows, writing: Writing) -> None:
        self._rows = rows
        self._writing = writing

    def ready(self, step: int, looked: str, move: Move) -> None:
        """What a step wrote was read back, looks like this, and is about to get its name."""
        with self._writing() as db:
            db.execute("UPDATE step SET fingerprint = ? WHERE id = ?", (looked, step))
            note_moves(db, step, (move,))

    def before(self, step: Step) -> Step | None:
        """The step that compressed what this one took, if that stood."""
        query = f"SELECT {COLUMNS} FROM step WHERE sweep = ? AND path = ? AND \"do\" = '{COMPRESS}'"
        steps = self._rows(query, step.sweep, os.fsencode(step.path), make=step_of)
        return next((each for each in steps if each.state == "done"), None)

    def in_vain(self) -> list[Step]:
        """Steps that came to nothing, and whose compressed file may still be somewhere."""
        query = f"SELECT {COLUMNS} FROM step WHERE \"do\" = '{COMPRESS}' "
        query += "AND state IN ('skipped', 'failed') AND id IN (SELECT step FROM move) ORDER BY id"
        return self._rows(query, make=step_of)

    def left_beside(self) -> list[Step]:
        """Steps that stood, and whose log came back; what they made is still beside it."""
        query = (
            f"SELECT {COLUMNS} FROM step AS made WHERE \"do\" = '{COMPRESS}' AND state = 'done' "
        )
        query += "AND EXISTS (SELECT 1 FROM step AS taken WHERE taken.sweep = made.sweep "
        query += "AND taken.path = made.path AND taken.\"do\" = 'trash' AND taken.state = 'undone')"
        return self._rows(query, make=step_of)

    def withdrawn(self, step: int) -> None:
        """Nothing of it is left, or what is there is somebody else's by now."""
        with self._writing() as db:
            db.execute("DELETE FROM move WHERE step = ?", (step,))

    def futile(self) -> dict[str, str]:
        """Fingerprints of what was compressed in vain, by path; the newest counts."""
        query = f"SELECT path, fingerprint FROM step WHERE \"do\" = '{COMPRESS}' "
        query += "AND state = 'skipped' AND why = ? ORDER BY id"
        return dict(self._rows(query, NO_GAIN, make=lambda row: (os.fsdecode(row[0]), row[1])))
