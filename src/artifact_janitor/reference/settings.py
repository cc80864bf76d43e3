"""All settings of a training, checked: what decides the result, and nothing else.

They come from ``conf/`` by Hydra, from a trial, or from a published model, and go into each
of them as a plain dict. Where a program runs and what it reports to is not among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from artifact_janitor import units
from artifact_janitor.errors import ConfigError, Problem, UsageError


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SeriesSettings(_Settings):
    """Which prices."""

    csv: str | None = None
    """A file with prices; None: a generated series with a known signal."""
    time_column: str | None = None
    price_column: str | None = None
    timezone: str = "UTC"
    """Of timestamps that name no offset."""
    bad_rows: Literal["error", "drop"] = "error"
    until: str | None = None
    """The last timestamp that counts: a study stays comparable while its file grows."""
    rows: int = Field(default=4000, ge=2)
    signal: float = Field(default=0.7, ge=0, lt=1)
    seed: int = 0


class WindowSettings(_Settings):
    """What a model sees, and what it is to guess; all lengths in rows of the series."""

    window: int = Field(default=32, ge=1)
    lookback: int = Field(default=24, ge=2)
    horizon: int = Field(default=1, ge=1)
    classes: Literal[2, 3] = 2
    flat_band: float = Field(default=0.4, gt=0)
    train: float = Field(default=0.7, gt=0, lt=1)
    validation: float = Field(default=0.15, gt=0, lt=1)
    purge: int = Field(default=0, ge=0)
    max_gap: str = "4d"
    scaler: Literal["standard", "minmax", "robust"] = "standard"

    @field_validator("max_gap")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        units.parse_duration(text)
        return text

    @model_validator(mode="after")
    def _leaves_a_test(self) -> WindowSettings:
        if self.train + self.validation > 0.99:
            raise ValueError("train and validation leave less than 0.01 for the test")
        return self


class MlpSettings(_Settings):
    type: Literal["mlp"]
    hidden: int = Field(default=64, ge=1)
    layers: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)


class LstmSettings(_Settings):
    type: Literal["lstm"]
    hidden: int = Field(default=32, ge=1)
    layers: int = Field(default=1, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)


class TransformerSettings(_Settings):
    type: Literal["transformer"]
    heads: int = Field(default=4, ge=1)
    head_width: int = Field(default=8, ge=1)
    layers: int = Field(default=1, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)


ModelSettings = MlpSettings | LstmSettings | TransformerSettings


class TrainingSettings(_Settings):
    epochs: int = Field(default=30, ge=1)
    patience: int = Field(default=6, ge=1)
    batch_size: int = Field(default=128, ge=1)
    lr: float = Field(default=0.001, gt=0)
    weight_decay: float = Field(default=0.0001, ge=0)
    threads: int = Field(default=1, ge=1)
    """Of torch on the CPU. Another number may add up in another order, and end elsewhere."""


class Settings(_Settings):
    """With the same settings, the same prices and the same machine comes the same model."""

    seed: int = 0
    series: SeriesSettings = SeriesSettings()
    windows: WindowSettings = WindowSettings()
    model: ModelSettings = Field(discriminator="type")
    training: TrainingSettings = TrainingSettings()

    @property
    def model_type(self) -> str:
        return self.model.type


def checked(told: Mapping[str, Any], source: str) -> Settings:
    """Raises ConfigError with everything that is wrong, each with its key."""
    try:
        return Settings.model_validate(told)
    except ValidationError as error:
        raise ConfigError(source, [_problem(each) for each in error.errors()]) from None


def _problem(error: Any) -> Problem:
    kinds = ("mlp", "lstm", "transformer")  # pydantic names the kind of model in the path
    where = ".".join(str(part) for part in error["loc"] if part not in kinds)
    return Problem(where or "settings", f"{error['msg']} (got {error['input']!r})"[:200])


def with_params(settings: Settings, params: Mapping[str, Any]) -> Settings:
    """The settings of a trial: each param in its place, under its own name, unaltered.

    Raises UsageError for a param that has no place, or that would have to be altered.
    """
    told = settings.model_dump()
    for name, value in params.items():
        place = next((told[part] for part in ("model", "training") if name in told[part]), None)
        if place is None or name == "type":
            known = sorted({*told["model"], *told["training"]} - {"type"})
            raise UsageError(f"nothing here is called {name!r}", f"known: {', '.join(known)}")
        place[name] = value
    new = checked(told, "the trial's params")
    used = {**new.training.model_dump(), **new.model.model_dump()}
    for name, value in params.items():
        if used[name] != value:
            what = f"{name}={value!r} would become {used[name]!r}"
            raise UsageError(what, "params are never altered")
    return new
