"""A janitor that waits at one moment of its own until the test has done something there.

It stops right before or after it calls one of its functions, in its own process, and the test
goes on meanwhile: it can start real programs, and waits for nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from artifact_janitor import execution
from artifact_janitor.units import SECOND


def slowly() -> None:
    """In a fork: looks grow old as if no time went by, so that on a busy machine as many of
    them are made as on a quiet one, and units wait for one another as long."""
    for limit in ("JUST_NOW", "FRESH", "TOGETHER"):
        setattr(execution, limit, 3600 * SECOND)


@dataclass(frozen=True)
class Moment:
    """Before or after a function is called, which is looked up where it is called."""

    module: Any
    name: str
    after: bool = False
    each: bool = False
    """Whether it is called for each unit, in turn."""

    def call(self, act: Callable[[], None]) -> None:
        """Have this done then, in this process: each time, or the first."""
        real, first = getattr(self.module, self.name), [not self.each]

        def called(*args: object, **named: object) -> object:
            is_now = self.each or bool(first and first.pop())
            if is_now and not self.after:
                act()
            result = real(*args, **named)
            if is_now and self.after:
                act()
            return result

        setattr(self.module, self.name, called)


class Meeting:
    """Where a janitor in a fork, and whoever forked it, meet: at one moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self._told, self._asked = os.pipe(), os.pipe()
        self._forked = False

    def first(self) -> None:
        """In the fork, before its command begins."""
        os.close(self._told[0])
        os.close(self._asked[1])

        def wait() -> None:
            os.write(self._told[1], b"!")
            os.read(self._asked[0], 1)

        self._moment.call(wait)

    def reached(self) -> bool:
        """Wait until it is there; False where it ended meanwhile, and all is over."""
        if not self._forked:
            self._forked = True
            os.close(self._told[1])
            os.close(self._asked[0])
        if os.read(self._told[0], 1):
            return True
        os.close(self._told[0])
        os.close(self._asked[1])
        return False

    def go_on(self) -> None:
        os.write(self._asked[1], b"!")
