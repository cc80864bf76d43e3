"""Threads that take one hint after another, and outlive whatever goes wrong in a sweep."""

from __future__ import annotations

import threading
import traceback
from time import monotonic
from typing import ClassVar

from artifact_janitor.daemon.hints import Hint, Scope
from artifact_janitor.daemon.shared import Shared
from artifact_janitor.errors import JanitorError, Locked


class Turns:
    """What these threads have in common. It takes hints of `scopes`, the first of them first."""

    patience = 1.0
    """Seconds that it waits for a hint before it looks after other things."""
    longest: ClassVar[float]
    """Seconds of one sweep after which it counts as hung."""

    def __init__(self, shared: Shared, name: str, scopes: tuple[Scope, ...]) -> None:
        self.shared = shared
        self.name = name
        self.scopes = scopes
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.alive_at = monotonic()

    def start(self) -> None:
        self.thread.start()

    def is_well(self) -> bool:
        """Whether it showed life not long ago."""
        return self.thread.is_alive() and monotonic() - self.alive_at < self.longest

    def sweep(self, hint: Hint) -> None:
        """Raises JanitorError or OSError where it can't be done now."""
        raise NotImplementedError

    def between(self) -> None:
        """What there is to do where nothing is to be swept."""

    def _run(self) -> None:
        while not self.shared.ending.is_set():
            hint = self.shared.hints.take(self.scopes, self.patience)
            self.alive_at = monotonic()
            if self.shared.ending.is_set() or not self.shared.presence.is_here():
                continue  # what is here again is swept as at the start
            self._turn(hint)

    def _turn(self, hint: Hint | None) -> None:
        topic = hint.scope if hint else self.name
        try:
            if hint is None:
                self.between()
            else:
                self.sweep(hint)
        except Locked as error:
            self._failed(hint, topic, error.message, "WARNING")
        except (JanitorError, OSError) as error:
            self._failed(hint, topic, _in_full(error))
        except Exception as error:  # noqa: BLE001 - the next sweep may fare better
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{where.filename.rpartition('/')[2]}:{where.lineno}"
            self._failed(hint, topic, f"{type(error).__name__}: {error} ({place}); report this")
        else:
            if hint is not None:
                self.shared.hints.worked(hint.scope)
            self.shared.said.over(f"error in {topic}", f"{topic}: works again")

    def _failed(self, hint: Hint | None, topic: str, why: str, level: str = "ERROR") -> None:
        """Said once, as long as it is the same; a workspace that went is told elsewhere."""
        if not self.shared.presence.is_here():
            return
        if hint is not None:
            self.shared.hints.failed(hint)
        self.shared.said.stands(f"error in {topic}", [f"{topic}: {why}"], level)


def _in_full(error: JanitorError | OSError) -> str:
    if isinstance(error, JanitorError):
        return error.in_full
    path = f"{error.filename!r}: " if error.filename is not None else ""
    return f"{path}{error.strerror or error}"
