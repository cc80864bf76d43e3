"""The space of settings that each model type is searched in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optuna.trial import Trial


def params(trial: Trial, model_type: str) -> dict[str, Any]:
    """A point of the space; each param bears the name of its setting."""
    return SPACES[model_type](trial) | {
        "dropout": trial.suggest_float("dropout", 0.0, 0.4),
        "lr": trial.suggest_float("lr", 3e-4, 1e-2, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
        "batch_size": trial.suggest_categorical("batch_size", [64, 128, 256]),
    }


def _mlp(trial: Trial) -> dict[str, Any]:
    return {
        "hidden": trial.suggest_int("hidden", 16, 128, log=True),
        "layers": trial.suggest_int("layers", 1, 3),
    }


def _lstm(trial: Trial) -> dict[str, Any]:
    return {
        "hidden": trial.suggest_int("hidden", 8, 64, log=True),
        "layers": trial.suggest_int("layers", 1, 2),
    }


def _transformer(trial: Trial) -> dict[str, Any]:
    return {
        "heads": trial.suggest_categorical("heads", [1, 2, 4]),
        "head_width": trial.suggest_categorical("head_width", [4, 8, 16]),
        "layers": trial.suggest_int("layers", 1, 2),
    }


SPACES: dict[str, Callable[[Trial], dict[str, Any]]] = {
    "mlp": _mlp,
    "lstm": _lstm,
    "transformer": _transformer,
}
