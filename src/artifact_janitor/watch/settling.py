"""When a folder has been quiet for long enough, or restless for too long.

Seconds of a clock that only goes forward, always as an argument.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

_GRID = 0.1


def together(due: float) -> float:
    """What is due within a tenth of a second is due at once: fewer turns, fewer hints."""
    return math.ceil(due / _GRID) * _GRID


class Settling:
    """Folders, by path, of which a change has to be told."""

    def __init__(self, settle: float, at_most: float) -> None:
        self._settle = settle
        self._at_most = at_most
        self._since: dict[str, float] = {}
        self._quiet: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._since)

    def changed(self, path: str, now: float, age: float = 0.0) -> None:
        """It differed; `age` is how long ago its newest file was written."""
        self._since.setdefault(path, now)
        self._quiet[path] = together(now + max(0.0, self._settle - max(0.0, age)))

    def later(self, paths: Iterable[str], now: float) -> None:
        """These were told of in vain: once more, when the longest wait is over."""
        for path in paths:
            self._since[path] = now
            self._quiet[path] = now + self._at_most

    def restless(self, path: str, now: float) -> None:
        """Something happens there again."""
        if path in self._quiet:
            self._quiet[path] = now + self._settle

    def ripe(self, now: float) -> frozenset[str]:
        """Take what is to be told now."""
        ripe = frozenset(path for path in self._since if now >= self._end(path))
        for path in ripe:
            del self._since[path], self._quiet[path]
        return ripe

    def take(self) -> frozenset[str]:
        """All of it, ripe or not."""
        taken = frozenset(self._since)
        self._since.clear()
        self._quiet.clear()
        return taken

    def due(self) -> float:
        """When `ripe` is worth asking next."""
        return min(map(self._end, self._since), default=float("inf"))

    def _end(self, path: str) -> float:
        return min(self._since[path] + self._at_most, self._quiet[path])
