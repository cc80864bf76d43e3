"""What the daemon says: a thing that goes on is said once, and once more when it is over."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable

from artifact_janitor.render.words import first_dozen

_LENGTH = re.compile(r"\b\d+ (s|min|h|days?)\b")

Log = Callable[[str, str], None]
"""Takes a level, "INFO", "WARNING" or "ERROR", and a line."""


class Said:
    """What stands, by topic: the troubles and notes that were said and are not over."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._stands: dict[str, tuple[str, ...]] = {}
        self._usual: set[str] = set()
        """Topics that nobody need see to."""
        self._turn = threading.Lock()

    def info(self, text: str) -> None:
        self.log("INFO", text)

    def stands(self, topic: str, texts: Iterable[str], level: str = "WARNING") -> None:
        """All that is to be said of `topic` now; what was said before is not said again."""
        with self._turn:
            new, before = tuple(dict.fromkeys(texts)), self._stands.pop(topic, ())
            if new:
                self._stands[topic] = new
            (self._usual.add if level == "INFO" else self._usual.discard)(topic)
        known = {*map(_timeless, before)}
        for each in first_dozen(each for each in new if _timeless(each) not in known):
            self.log(level, each)

    def over(self, topic: str, text: str) -> None:
        """`text` where something was said of `topic` before."""
        with self._turn:
            before = self._stands.pop(topic, ())
        if before:
            self.log("INFO", text)

    def all(self) -> list[str]:
        """Everything that stands and that somebody should see to."""
        with self._turn:
            stands = (texts for topic, texts in self._stands.items() if topic not in self._usual)
            return [each for texts in stands for each in texts]


def _timeless(text: str) -> str:
    """The same text as long as only time goes on: "tried again in 59 s"."""
    return _LENGTH.sub("", text)
