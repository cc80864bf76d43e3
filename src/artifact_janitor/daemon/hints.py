"""Hints: something may have changed, so a sweep over a scope is due. Equal hints are one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Literal

Scope = Literal[
    "mend", "handover", "results", "manual", "retention", "purge", "gitignore", "verify", "resync"
]
LONGEST_REST = 60.0
"""Seconds after the last of many sweeps that failed until the next one is tried."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What is to be swept, and what said so."""

    scope: Scope
    why: str


class Hints:
    """What is due, for threads that wait for it. All times are seconds of `monotonic`."""

    def __init__(self) -> None:
        self._due: dict[Scope, tuple[float, Hint]] = {}
        self._rests: dict[Scope, float] = {}
        self._failures: dict[Scope, int] = {}
        self._changed = threading.Condition()
        self._ended = False

    def give(self, scope: Scope, why: str, after: float = 0.0) -> None:
        """A sweep over `scope` is due `after` so many seconds, or sooner if one is already."""
        with self._changed:
            due = monotonic() + after
            if scope not in self._due or due < self._due[scope][0]:
                self._due[scope] = due, Hint(scope, why)
                self._changed.notify_all()

    def take(self, scopes: Sequence[Scope], patience: float) -> Hint | None:
        """The first of these scopes that is due, if one is within `patience` seconds."""
        until = monotonic() + patience
        with self._changed:
            while not self._ended:
                now = monotonic()
                ready = next((each for each in scopes if self._at(each) <= now), None)
                if ready:
                    return self._due.pop(ready)[1]
                if now >= until:
                    return None
                self._changed.wait(min(until, *map(self._at, scopes)) - now)
        return None

    def is_due(self, scopes: Sequence[Scope]) -> bool:
        with self._changed:
            return any(self._at(each) <= monotonic() for each in scopes)

    def _at(self, scope: Scope) -> float:
        if scope not in self._due:
            return float("inf")
        return max(self._due[scope][0], self._rests.get(scope, 0.0))

    def rest(self, scope: Scope, seconds: float) -> None:
        """However many hints come: no sweep over this scope for so long."""
        with self._changed:
            self._rests[scope] = monotonic() + seconds

    def failed(self, hint: Hint) -> None:
        """It is tried again: at first soon, then ever later."""
        with self._changed:
            count = self._failures[hint.scope] = self._failures.get(hint.scope, 0) + 1
        self.rest(hint.scope, min(2.0 ** min(count - 1, 10), LONGEST_REST))
        self.give(hint.scope, hint.why)

    def worked(self, scope: Scope) -> None:
        with self._changed:
            self._failures.pop(scope, None)

    def relax(self) -> None:
        """What was in the way is gone: nobody rests any more."""
        with self._changed:
            self._rests.clear()
            self._failures.clear()
            self._changed.notify_all()

    def clear(self) -> None:
        """Nothing is due: there is nothing to be swept."""
        with self._changed:
            self._due.clear()

    def end(self) -> None:
        """Nobody waits any more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
