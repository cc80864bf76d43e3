"""How far a training is: a line of JSON for each epoch, for whoever looks on.

``progress.jsonl`` grows at its end alone, so that a reader can go on from where it stopped;
a last line without a newline is still being written. A line:

    {"epoch": 3, "epochs": 30, "metric": "validation_f1_score", "value": 0.61, "best": 0.64,
     "loss": 0.58, "time": 1767300000.1}

``value`` and ``loss`` are null where they aren't finite; ``time`` is seconds since 1970.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

from artifact_janitor.reference.training import METRIC, Epoch

FILE = "progress.jsonl"


class Progress:
    """A listener of a training that writes lines."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.best: float | None = None

    def __call__(self, epoch: Epoch) -> None:
        value = _finite(epoch.value)
        if value is not None and (self.best is None or value > self.best):
            self.best = value
        line = {
            "epoch": epoch.number,
            "epochs": epoch.of,
            "metric": METRIC,
            "value": value,
            "best": self.best,
            "loss": _finite(epoch.loss),
            "time": round(time.time(), 3),
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
