"""Features, labels and the chronological split, without a look into the future.

A sample ends at a row: it sees `window` rows up to that one, and is asked whether the price
`horizon` rows later is higher. All that it touches, from the first row that its oldest
feature was made of to the row of its label, lies in one part of the series. So no window
straddles a border, and no label of one part is made of prices of the next; `purge` leaves
out more rows after each border. What straddles a hole longer than `max_gap` is left out.

Features of a row, made of that row and of `lookback` rows before it:

- ``return``: of the last step, as a logarithm
- ``scaled_return``: the same, divided by the volatility
- ``momentum``: the price, against the mean of the last `lookback`
- ``volatility``: the standard deviation of the last `lookback` returns
- ``hour_sin``, ``hour_cos``: the time of the day, UTC

Labels: ``down`` (or unchanged) and ``up``; or ``down``, ``flat`` and ``up``, where flat is
less than `flat_band` times what the volatility so far lets one expect of `horizon` steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from artifact_janitor import units
from artifact_janitor.errors import UsageError
from artifact_janitor.reference.series import Series
from artifact_janitor.reference.settings import WindowSettings

FEATURES = ("return", "scaled_return", "momentum", "volatility", "hour_sin", "hour_cos")
PARTS = ("train", "validation", "test")
_DAY = units.DAY // 1000
"""In microseconds, the unit of a series' times."""


def class_names(settings: WindowSettings) -> tuple[str, ...]:
    return ("down", "up") if settings.classes == 2 else ("down", "flat", "up")


def features(series: Series, settings: WindowSettings) -> np.ndarray:
    """One line for each row, in the order of FEATURES; the first `lookback` are not known."""
    log = np.log(series.prices)
    step, volatility = _steps(log), _volatility(series, settings)
    mean = _rolling(log, settings.lookback).mean(axis=1)
    scaled = np.divide(step, volatility, out=np.zeros_like(step), where=volatility > 0)
    turn = 2 * np.pi * (series.times % _DAY) / _DAY
    momentum = log - _late(mean, len(log))
    made = np.stack((step, scaled, momentum, volatility, np.sin(turn), np.cos(turn)), axis=1)
    made[: settings.lookback] = np.nan
    return made


def labels(series: Series, settings: WindowSettings) -> np.ndarray:
    """The class of each row; -1 for the last ones, whose future nobody knows."""
    log, horizon = np.log(series.prices), settings.horizon
    made = np.full(len(log), -1, dtype=np.int64)
    change = log[horizon:] - log[:-horizon]
    if settings.classes == 2:
        made[:-horizon] = change > 0
    else:
        expected = _volatility(series, settings)[:-horizon] * np.sqrt(horizon)
        band = settings.flat_band * expected
        made[:-horizon] = 1 + (change > band).astype(int) - (change < -band).astype(int)
    return made


def _steps(log: np.ndarray) -> np.ndarray:
    return np.diff(log, prepend=np.nan)


def _rolling(values: np.ndarray, length: int) -> np.ndarray:
    return sliding_window_view(values, length)


def _late(values: np.ndarray, length: int) -> np.ndarray:
    """What begins later than the series does, at its end."""
    return np.concatenate((np.full(length - len(values), np.nan), values))


def _volatility(series: Series, settings: WindowSettings) -> np.ndarray:
    steps = _steps(np.log(series.prices))[1:]
    return _late(_rolling(steps, settings.lookback).std(axis=1), len(series))


@dataclass(frozen=True)
class Split:
    """Where each part begins and ends (rows), and the rows at which its samples end."""

    borders: dict[str, tuple[int, int]]
    ends: dict[str, np.ndarray]
    holes: int
    """Steps of the series that are longer than `max_gap`."""


def split(series: Series, settings: WindowSettings) -> Split:
    """In the order of time. Raises UsageError where a part would have no sample."""
    rows = len(series)
    train = int(rows * settings.train)
    validation = train + int(rows * settings.validation)
    starts = {"train": 0, "validation": train + settings.purge, "test": validation + settings.purge}
    stops = {"train": train, "validation": validation, "test": rows}
    borders = {part: (starts[part], stops[part]) for part in PARTS}
    holes = holes_before(series, settings)
    ends = {part: sample_ends(holes, borders[part], settings) for part in PARTS}
    for part in PARTS:
        if not len(ends[part]):
            raise UsageError(
                f"{rows} rows are too few: no sample for the {part} part",
                f"a sample takes {settings.lookback + settings.window + settings.horizon} rows",
            )
    return Split(borders, ends, int(holes[-1]))


def holes_before(series: Series, settings: WindowSettings) -> np.ndarray:
    """How many steps longer than `max_gap` lie before each row."""
    longest = units.parse_duration(settings.max_gap) // 1000
    return np.concatenate(([0], np.cumsum(np.diff(series.times) > longest)))


def sample_ends(
    holes: np.ndarray, border: tuple[int, int], settings: WindowSettings, horizon: int | None = None
) -> np.ndarray:
    """The rows at which samples end that lie within a part, all that they touch included."""
    ahead = settings.horizon if horizon is None else horizon
    before = settings.window - 1 + settings.lookback
    start, stop = border
    ends = np.arange(start + before, max(stop - ahead, start + before))
    return ends[holes[ends + ahead] == holes[ends - before]]
