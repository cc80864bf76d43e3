"""Ask again what is planned, where a plan has grown old: a person thought about it, or an archive
took hours. Meanwhile somebody may have named a run in a configuration, or removed the other copy
of a model (S5, S6); whatever protects a unit now keeps it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from artifact_janitor import clock
from artifact_janitor.config import Settings
from artifact_janitor.core.plan import Plan, Step
from artifact_janitor.core.policy import ARCHIVE
from artifact_janitor.looking import Look, look
from artifact_janitor.units import SECOND

OLD = 10 * SECOND
"""How old a look may be."""
SHARE = 10
"""Looks take at most one in so many seconds, where they take long."""


class Afresh:
    """Why a step of an older plan would not be planned now; "" where it would, or nobody looked
    anew yet, because the plan is young. A disk may have got room enough meanwhile, too."""

    def __init__(self, settings: Settings, seen: Look) -> None:
        self._settings = settings
        self._kinds: Collection[str] = seen.kinds
        self._until = seen.at + OLD
        self._now = Plan("", 0, (), (), ())
        self._staying: Mapping[str, str] = {}
        self._archived: Mapping[str, str] = {}

    def __call__(self, step: Step) -> str:
        if clock.awake() > self._until:
            self._look()
        if held := self._now.held_back(step, by_person=True):  # Git can't say what it tracks
            return _since([held.message])
        if step.do != ARCHIVE and step.path in self._archived:
            return self._archived[step.path]
        units = (step.path, *(each.path for each in step.leaving))
        return next((self._staying[each] for each in units if each in self._staying), "")

    def _look(self) -> None:
        began = clock.awake()
        found = look(self._settings, clock.read().wall, self._kinds)
        self._now = found.plan
        self._staying, self._archived = _staying(self._now), _archived(self._now)
        self._until = found.at + max(OLD, SHARE * (found.at - began))


def _staying(plan: Plan) -> dict[str, str]:
    """The units that stay, and why; not a run that is slimmed."""
    going = {each.path for step in plan.steps for each in (step.artifact, *step.leaving)}
    kept = ((each.artifact.path, each.reasons) for each in plan.kept)
    return {path: _since(reasons) for path, reasons in kept if path not in going}


def _archived(plan: Plan) -> dict[str, str]:
    """The units that may only leave for an archive, as one that holds the only copy of a model."""
    return {step.path: _since(step.reasons) for step in plan.steps if step.do == ARCHIVE}


def _since(reasons: Iterable[str]) -> str:
    return f"since the plan was made: {', '.join(reasons)}"
