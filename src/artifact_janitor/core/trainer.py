"""How a person wants finished studies to be trained again: a row of ``[[retrain]]``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from artifact_janitor.core.study import Rules
from artifact_janitor.units import DAY, HOUR, MINUTE

MODES = ("auto", "adopt", "replay", "refit")
"""How a model is made: taken from the trial, trained with its seed, or trained anew; "auto"
is the first of them that can be."""
PLACEHOLDERS = ("{request}", "{out}")
"""What a command must name: the file that says what to train, the folder for what comes of it."""
TYPE_IN_NAME = "^(?:.*_)?(?P<model_type>mlp|lstm|transformer)$"
"""The names that the reference project gives its studies: STUDY_TYPE, or the type alone."""


@dataclass(frozen=True, slots=True)
class Retrain:
    """Which studies it governs, and what becomes of them. Durations in nanoseconds."""

    studies: str = "*"
    command: tuple[str, ...] | None = None
    function: str | None = None
    python: str | None = None
    model_type: str = TYPE_IN_NAME
    objective: int | str | None = None
    mode: str = "auto"
    parallel: int = 1
    max_age: int = 7 * DAY
    tolerance: float = 0.25
    quiet: int = MINUTE
    idle_completes: bool = True
    deadline: int = 12 * HOUR

    def governs(self, stem: str, name: str) -> bool:
        """By the stem of the study's file, or by its own name."""
        return fnmatchcase(stem, self.studies) or fnmatchcase(name, self.studies)

    @property
    def rules(self) -> Rules:
        return Rules(self.quiet, self.idle_completes, self.objective)

    @property
    def pattern(self) -> re.Pattern[str]:
        """That finds the model type in a study's name."""
        return re.compile(self.model_type)


DEFAULT = Retrain()
"""How a study is looked at that no row governs; nothing is trained by it."""


def governing(rows: Iterable[Retrain], stem: str, name: str) -> Retrain | None:
    """The first that matches."""
    return next((each for each in rows if each.governs(stem, name)), None)
