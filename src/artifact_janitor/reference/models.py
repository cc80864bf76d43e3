"""The three networks. Each takes windows (samples, rows, features) and gives a score a class."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from artifact_janitor.reference.settings import (
    LstmSettings,
    MlpSettings,
    ModelSettings,
    TransformerSettings,
)


def build(settings: ModelSettings, window: int, features: int, classes: int) -> nn.Module:
    """A fresh network, its weights drawn from torch's own chance."""
    match settings:
        case MlpSettings():
            return Mlp(settings, window, features, classes)
        case LstmSettings():
            return Lstm(settings, features, classes)
        case TransformerSettings():
            return Transformer(settings, window, features, classes)


class Mlp(nn.Module):
    """The whole window at once."""

    def __init__(self, settings: MlpSettings, window: int, features: int, classes: int) -> None:
        super().__init__()
        wide = [window * features, *[settings.hidden] * settings.layers]
        layers: list[nn.Module] = [nn.Flatten()]
        for size, following in pairwise(wide):
            layers += [nn.Linear(size, following), nn.GELU(), nn.Dropout(settings.dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(wide[-1], classes))

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.layers(windows)
        return scores


class Lstm(nn.Module):
    """Row by row; what is left at the last one decides."""

    def __init__(self, settings: LstmSettings, features: int, classes: int) -> None:
        super().__init__()
        between = settings.dropout if settings.layers > 1 else 0.0
        sizes = {"input_size": features, "hidden_size": settings.hidden}
        self.lstm = nn.LSTM(**sizes, num_layers=settings.layers, dropout=between, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(settings.dropout), nn.Linear(settings.hidden, classes))

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(windows)
        scores: torch.Tensor = self.head(states[:, -1])
        return scores


class Transformer(nn.Module):
    """An encoder with learned positions; the last row asks all others."""

    def __init__(
        self, settings: TransformerSettings, window: int, features: int, classes: int
    ) -> None:
        super().__init__()
        width = settings.heads * settings.head_width
        self.embed = nn.Linear(features, width)
        self.positions = nn.Parameter(torch.randn(window, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width,
            settings.heads,
            dim_feedforward=2 * width,
            dropout=settings.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(layer, settings.layers, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, classes))

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        states = self.encoder(self.embed(windows) + self.positions)
        scores: torch.Tensor = self.head(states[:, -1])
        return scores
