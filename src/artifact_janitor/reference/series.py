"""A series of prices: what it is, where it comes from, and one with a known signal.

The generated series moves like hourly forex prices: it rests at weekends, and its volatility
follows the hour. Its returns, divided by that volatility, are an autoregression of the first
order with the coefficient `signal`. So the sign of the next return is that of the last one
with the probability ``1/2 + arcsin(signal) / pi``, and nothing can guess it better
(`best_accuracy`).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from artifact_janitor.errors import UsageError
from artifact_janitor.reference import prices
from artifact_janitor.reference.settings import SeriesSettings

START = datetime(2020, 1, 5, 22, tzinfo=UTC)
"""A Sunday evening, when the week of forex begins."""
OPEN_HOURS, CLOSED_HOURS = 120, 48
VOLATILITY = 0.0008
"""Of an hour's return, in the mean over a day."""


@dataclass(frozen=True)
class Series:
    """Prices in the order of time; `times` are microseconds since 1970, UTC."""

    times: np.ndarray
    prices: np.ndarray
    notes: tuple[str, ...] = ()
    """What was done to the rows that the file held."""

    def __len__(self) -> int:
        return len(self.times)

    @property
    def sha256(self) -> str:
        """Of every time and price, whatever file they came from."""
        held = hashlib.sha256(self.times.astype("<i8").tobytes())
        held.update(self.prices.astype("<f8").tobytes())
        return held.hexdigest()

    def until(self, moment: datetime) -> Series:
        """What was known at a moment, its row included."""
        count = int(np.searchsorted(self.times, prices.microseconds(moment), side="right"))
        return replace(self, times=self.times[:count], prices=self.prices[:count])


def load(settings: SeriesSettings) -> Series:
    """The series that the settings name. Raises UsageError where it can't be read."""
    whole = generated(settings) if settings.csv is None else read(Path(settings.csv), settings)
    return whole if settings.until is None else whole.until(ending(settings))


def ending(settings: SeriesSettings) -> datetime:
    """Raises UsageError where `until` is no timestamp."""
    try:
        return prices.moment(settings.until or "", prices.zone(settings.timezone))
    except ValueError as error:
        raise UsageError(f"series.until: {error}", 'write "2026-01-31 22:00"') from None


def read(path: Path, settings: SeriesSettings) -> Series:
    table = prices.read(path, settings)
    times = np.array([row.time for row in table.rows], dtype=np.int64)
    values = np.array([row.price for row in table.rows], dtype=np.float64)
    return Series(times, values, table.notes)


def generated(settings: SeriesSettings) -> Series:
    """`rows` hours with the known signal; the same seed gives the same series."""
    chance = np.random.default_rng(settings.seed)
    noise = chance.standard_normal(settings.rows) * math.sqrt(1 - settings.signal**2)
    scaled = np.empty(settings.rows)
    last = 0.0
    for row in range(settings.rows):
        scaled[row] = last = settings.signal * last + noise[row]
    hours = np.arange(settings.rows)
    hours += hours // OPEN_HOURS * CLOSED_HOURS
    daily = VOLATILITY * (1 + 0.5 * np.sin(2 * np.pi * hours / 24))
    step = prices.microseconds(START + timedelta(hours=1)) - prices.microseconds(START)
    times = prices.microseconds(START) + hours * step
    return Series(times.astype(np.int64), 1.1 * np.exp(np.cumsum(scaled * daily)))


def best_accuracy(signal: float) -> float:
    """How often the best possible guess of up or down is right on a generated series."""
    return 0.5 + math.asin(abs(signal)) / math.pi
