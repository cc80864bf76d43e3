"""Ask a published model: ``python -m artifact_janitor.reference.predict MODEL CSV``.

Prints CSV: a timestamp (UTC) and the probability of each class, for every row of the file
that has enough rows before it. The last line is about the future.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from artifact_janitor.errors import UsageError
from artifact_janitor.reference import needs

AT_ONCE = 4096
"""Windows that a network is asked at a time."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="predict", description=__doc__)
    parser.add_argument("model", type=Path, help="a final_model_*.pth")
    parser.add_argument("csv", type=Path, help="a file with timestamps and prices")
    parser.add_argument("--time-column", help="where it isn't called as in the training")
    parser.add_argument("--price-column", help="likewise")
    asked = parser.parse_args(argv)
    needs.require("torch", "sklearn")
    rows = predicted(asked.model, asked.csv, asked.time_column, asked.price_column)
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerows(rows)
    return 0


def predicted(
    model: Path, prices: Path, time_column: str | None = None, price_column: str | None = None
) -> list[list[str]]:
    """A header and the rows. Raises UsageError and JanitorError with what is wrong."""
    from artifact_janitor.reference import material, published, series, windows

    loaded = published.load(model)
    told = loaded.settings.series
    columns = {"time_column": time_column, "price_column": price_column}
    named = {name: value for name, value in columns.items() if value}
    source = series.read(prices, told.model_copy(update=named))
    asked = loaded.settings.windows
    if len(source) < asked.lookback + asked.window:
        need = f"the model sees {asked.lookback + asked.window} rows"
        raise UsageError(f"{prices}: {len(source)} rows are too few; {need}", "", str(prices))
    holes = windows.holes_before(source, asked)
    ends = windows.sample_ends(holes, (0, len(source)), asked, horizon=0)
    rows = material.tensor(loaded.scaler, windows.features(source, asked))
    chances = _asked(loaded.network, rows, ends, asked.window)
    header = ["timestamp", *(f"p_{name}" for name in loaded.classes)]
    times = (_written(int(source.times[end])) for end in ends)
    return [header, *([when, *map(_short, row)] for when, row in zip(times, chances, strict=True))]


def _asked(network: Any, rows: Any, ends: Any, window: int) -> list[list[float]]:
    import torch

    from artifact_janitor.reference.material import Samples

    samples = Samples(rows, torch.zeros(len(rows), dtype=torch.int64), ends, window)
    chances: list[list[float]] = []
    with torch.no_grad():
        for start in range(0, len(samples), AT_ONCE):
            picked = range(start, min(start + AT_ONCE, len(samples)))
            chances += network(samples.__getitems__(picked)[0]).softmax(1).tolist()
    return chances


def _short(chance: float) -> str:
    return f"{chance:.6f}"


def _written(time: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).isoformat()


if __name__ == "__main__":
    sys.exit(needs.told(main))
