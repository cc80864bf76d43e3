"""No look into the future: features, labels, windows, the split, and what the scaler saw."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from artifact_janitor.errors import UsageError
from artifact_janitor.reference import material, scalers, series, windows
from artifact_janitor.reference.series import Series
from artifact_janitor.reference.settings import SeriesSettings, WindowSettings

HOUR = 3_600_000_000


def settings(**told: Any) -> WindowSettings:
    return WindowSettings.model_validate({"window": 5, "lookback": 4, "horizon": 3} | told)


@pytest.fixture
def prices() -> Series:
    return series.generated(SeriesSettings(rows=600))


def with_hole(source: Series, row: int) -> Series:
    times = source.times.copy()
    times[row:] += 1000 * HOUR
    return replace(source, times=times)


def disturbed(source: Series, rows: slice) -> Series:
    """Other prices in those rows."""
    other = source.prices.copy()
    other[rows] *= np.random.default_rng(7).uniform(0.5, 2, len(other[rows]))
    return replace(source, prices=other)


@pytest.mark.parametrize("kind", scalers.KINDS)
@pytest.mark.parametrize("classes", [2, 3])
def test_the_future_changes_nothing_of_the_training_part(
    prices: Series, kind: str, classes: int
) -> None:
    told = settings(scaler=kind, classes=classes)
    border = windows.split(prices, told).borders["train"][1]
    before = material.cut(prices, told)
    after = material.cut(disturbed(prices, slice(border, None)), told)
    one, other = before.parts["train"], after.parts["train"]
    everything = range(len(one))
    assert len(one) == len(other) > 300
    for mine, theirs in zip(
        one.__getitems__(everything), other.__getitems__(everything), strict=True
    ):
        assert torch.equal(mine, theirs)
    mine, theirs = scalers.record(before.scaler), scalers.record(after.scaler)
    assert repr(mine) == repr(theirs)
    assert before.majority() == after.majority()
    later = range(len(before.parts["validation"]))  # and the change is felt where it was made
    changed = [each.parts["validation"].__getitems__(later)[0] for each in (before, after)]
    assert not torch.equal(*changed)


def test_a_sample_touches_one_part_only_and_no_hole(prices: Series) -> None:
    told = settings(purge=7, max_gap="4d")
    source = with_hole(prices, 100)
    split = windows.split(source, told)
    assert split.holes == 1
    taken = []
    for part, (first, stop) in split.borders.items():
        for end in split.ends[part]:
            touched = range(end - told.window + 1 - told.lookback, end + told.horizon + 1)
            assert first <= touched[0]
            assert touched[-1] < stop
            assert not (touched[0] < 100 <= touched[-1])
            taken.append(end)
    borders = list(split.borders.values())
    assert {later[0] - earlier[1] for earlier, later in pairwise(borders)} == {7}
    span = told.window + told.lookback + told.horizon
    free = [row for row in range(span - told.horizon - 1, 600 - told.horizon) if row not in taken]
    assert len(free) == 2 * (span - 1 + 7) + (span - 1)


def test_a_feature_is_made_of_its_row_and_the_rows_before(prices: Series) -> None:
    told, row = settings(), 300
    one = windows.features(prices, told)
    other = windows.features(disturbed(prices, slice(row, row + 1)), told)
    felt = np.flatnonzero((one != other)[told.lookback :].any(axis=1)) + told.lookback
    assert felt.tolist() == list(range(row, row + told.lookback + 1))
    assert np.isnan(one[: told.lookback]).all()
    assert np.isfinite(one[told.lookback :]).all()


def test_labels_say_what_came_after() -> None:
    log = np.cumsum([0.0, 1, 1, -1, -1, 1, -1, -0.01, 0, 0.02]) * 0.01
    source = Series(np.arange(10) * HOUR, np.exp(log))
    two = windows.labels(source, settings(horizon=1, lookback=2))
    assert two.tolist() == [1, 1, 0, 0, 1, 0, 0, 0, 1, -1]
    three = windows.labels(source, settings(horizon=1, lookback=2, classes=3))
    assert three[2:].tolist() == [0, 0, 2, 0, 1, 1, 2, -1]  # before, the volatility is unknown
    far = windows.labels(source, settings(horizon=3, lookback=2))
    assert far.tolist() == [1, 0, 0, 0, 0, 0, 1, -1, -1, -1]


def test_the_majority_is_that_of_the_training_part() -> None:
    steps = np.where(np.arange(500) % 5 < 3, -0.01, 0.01)  # falls more often than it rises
    steps[350:] = 0.01
    cut = material.cut(Series(np.arange(500) * HOUR, np.exp(np.cumsum(steps))), settings())
    assert cut.names[cut.majority()] == "down"
    balance = cut.balance()
    assert balance["train"]["down"] > balance["train"]["up"]
    assert sum(part["up"] for part in balance.values()) > sum(
        part["down"] for part in balance.values()
    )


def test_prices_that_never_move_make_no_noise() -> None:
    still = Series(np.arange(50) * HOUR, np.full(50, 1.1))
    assert np.isfinite(windows.features(still, settings())[4:]).all()


@pytest.mark.parametrize("rows", [3, 12, 30])
def test_too_few_rows_are_one_clear_error(prices: Series, rows: int) -> None:
    short = replace(prices, times=prices.times[:rows], prices=prices.prices[:rows])
    with pytest.raises(UsageError, match=f"{rows} rows are too few"):
        material.cut(short, settings())


@pytest.mark.parametrize("kind", scalers.KINDS)
def test_a_scaler_comes_back_bit_by_bit(prices: Series, kind: str) -> None:
    rows = windows.features(prices, settings())[4:]
    scaler = scalers.fitted(kind, rows)
    again = scalers.restored(scalers.record(scaler))
    assert np.array_equal(scaler.transform(rows), again.transform(rows))
    assert scalers.record(again).keys() == {"kind", "params", "state"}


def test_a_window_is_the_rows_up_to_its_end(prices: Series) -> None:
    cut = material.cut(prices, settings())
    part = cut.parts["validation"]
    seen, labels = part.__getitems__([0, 3])
    for window, label, end in zip(seen, labels, part.ends[[0, 3]], strict=True):
        assert torch.equal(window, part.rows[end - 4 : end + 1])
        assert label == part.labels[end]
    assert sum(cut.balance()["validation"].values()) == len(part)
