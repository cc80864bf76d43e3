"""What a training learns from: a series, cut into parts, scaled, as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from artifact_janitor.errors import UsageError
from artifact_janitor.reference import scalers, series, windows
from artifact_janitor.reference.series import Series
from artifact_janitor.reference.settings import Settings, WindowSettings

Batch = tuple[torch.Tensor, torch.Tensor]


class Samples(Dataset[Batch]):
    """Windows that are cut when they are asked for, many at a time."""

    def __init__(
        self, rows: torch.Tensor, labels: torch.Tensor, ends: np.ndarray, window: int
    ) -> None:
        self.rows, self.labels, self.window = rows, labels, window
        self.ends = torch.from_numpy(ends)
        self._views = rows.unfold(0, window, 1).transpose(1, 2)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitems__(self, picked: Sequence[int]) -> Batch:
        ends = self.ends[torch.as_tensor(picked)]
        return self._views[ends - self.window + 1], self.labels[ends]

    def __getitem__(self, number: int) -> Batch:
        return self.__getitems__([number])

    def classes(self) -> torch.Tensor:
        """The class of each sample, in the order of time."""
        return self.labels[self.ends]


@dataclass(frozen=True)
class Material:
    parts: dict[str, Samples]
    scaler: Any
    names: tuple[str, ...]
    """Of the classes."""
    sha256: str
    notes: tuple[str, ...]

    def balance(self) -> dict[str, dict[str, int]]:
        """How many samples of each class each part has."""
        return {part: self._counts(samples) for part, samples in self.parts.items()}

    def _counts(self, samples: Samples) -> dict[str, int]:
        counts = torch.bincount(samples.classes(), minlength=len(self.names)).tolist()
        return dict(zip(self.names, counts, strict=True))

    def majority(self) -> int:
        """The class that the training part has most of: what a guess without a model says."""
        return int(torch.bincount(self.parts["train"].classes()).argmax())


def prepared(settings: Settings) -> Material:
    """Raises UsageError where the series can't be read, or there is nothing to learn."""
    source = series.load(settings.series)
    material = cut(source, settings.windows)
    counts = material.balance()["train"]
    if min(counts.values()) == 0:
        missing = ", ".join(name for name, count in counts.items() if not count)
        raise UsageError(f"the training part has no sample of: {missing}", "are these prices?")
    return material


def cut(source: Series, settings: WindowSettings) -> Material:
    """The scaler sees the rows of the training part alone."""
    split = windows.split(source, settings)
    rows = windows.features(source, settings)
    first, stop = split.borders["train"]
    scaler = scalers.fitted(settings.scaler, rows[first + settings.lookback : stop])
    scaled, labels = tensor(scaler, rows), torch.from_numpy(windows.labels(source, settings))
    parts = {
        part: Samples(scaled, labels, ends, settings.window) for part, ends in split.ends.items()
    }
    notes = [f"{split.holes} holes longer than {settings.max_gap}"] * bool(split.holes)
    names = windows.class_names(settings)
    return Material(parts, scaler, names, source.sha256, (*source.notes, *notes))


def tensor(scaler: Any, rows: np.ndarray) -> torch.Tensor:
    """Scaled features, as a network takes them."""
    return torch.from_numpy(scaler.transform(rows).astype(np.float32))


def loader(samples: Samples, size: int, shuffle: torch.Generator | None = None) -> Any:
    """Batches, in the order of time without `shuffle`. In this process: they are in memory."""
    return DataLoader(
        samples,
        batch_size=size,
        shuffle=shuffle is not None,
        generator=shuffle,
        collate_fn=_as_it_is,
    )


def _as_it_is(batch: Batch) -> Batch:
    return batch
