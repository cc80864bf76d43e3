"""Scalers of features: fitted once, kept as plain values and tensors, restored bit by bit.

A published model holds no object of scikit-learn's, since those don't load with
``weights_only=True``: it holds `{kind, params, state}`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

KINDS = {"standard": StandardScaler, "minmax": MinMaxScaler, "robust": RobustScaler}
_BY_NAME = {kind.__name__: kind for kind in KINDS.values()}


def fitted(kind: str, rows: np.ndarray) -> Any:
    """A scaler that knows these rows, and no others."""
    return KINDS[kind]().fit(rows)


def record(scaler: Any) -> dict[str, Any]:
    """All of a fitted scaler, without its class."""
    state = {name: value for name, value in vars(scaler).items() if name.endswith("_")}
    return {
        "kind": type(scaler).__name__,
        "params": {name: _plain(value) for name, value in scaler.get_params().items()},
        "state": {name: _kept(value) for name, value in state.items()},
    }


def restored(told: dict[str, Any]) -> Any:
    """The scaler again. Raises ValueError or KeyError where `told` is no record of one."""
    if told["kind"] not in _BY_NAME:
        raise ValueError(f"no scaler is called {told['kind']!r}")
    params = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in told["params"].items()
    }
    scaler = _BY_NAME[told["kind"]](**params)
    for name, value in told["state"].items():
        setattr(scaler, name, value.numpy() if isinstance(value, torch.Tensor) else value)
    return scaler


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _kept(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    return value.item() if isinstance(value, np.generic) else _plain(value)
