"""The values of ``[[retrain]]``: each from the file as the core takes it, or ValueError."""

from __future__ import annotations

import re
import warnings

from artifact_janitor.config.said import MOST, said
from artifact_janitor.core.trainer import MODES, PLACEHOLDERS


def studies(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f'{said(value)} names no studies; write "*", or a name such as "eurusd*"')
    return value


def command(value: object) -> tuple[str, ...]:
    example = 'command = ["python", "train.py", "--request", "{request}", "--out", "{out}"]'
    if not isinstance(value, list) or not value or not all(isinstance(e, str) for e in value):
        raise ValueError(f"{said(value)} is no list of words; write {example}")
    for each in PLACEHOLDERS:
        if not any(each in word for word in value):
            raise ValueError(f"doesn't name {each}, which the trainer needs; write {example}")
    if not value[0] or any("\0" in word for word in value):
        raise ValueError(f"names no program to start; write {example}")
    return tuple(value)


def function(value: object) -> str:
    names = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
    if not isinstance(value, str) or not re.fullmatch(f"{names}:{names}", value):
        raise ValueError(f'{said(value)} is no function; write it like "my_project.training:train"')
    return value


def program(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(f'{said(value)} is no program; write it like "/opt/env/bin/python"')
    return value


def model_type(value: object) -> str:
    example = '"^(?:.*_)?(?P<model_type>mlp|lstm)$"'
    if not isinstance(value, str):
        raise ValueError(f"{said(value)} is no pattern; write it like {example}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            groups = re.compile(value).groupindex
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{said(value)} is no pattern: {error}") from None
    if "model_type" not in groups:
        raise ValueError(f"{said(value)} has no group of that name; write it like {example}")
    return value


def objective(value: object) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise ValueError(f'{said(value)} is no objective; write its number from 1 on, or "val_f1"')
    if isinstance(value, int) and not 1 <= value <= MOST:
        raise ValueError(f"{value} is no objective; they are counted from 1 on")
    return value


def mode(value: object) -> str:
    if value not in MODES:
        raise ValueError(
            f'{said(value)} is no mode; write "' + '", "'.join(MODES[:-1]) + '" or "refit"'
        )
    return str(value)


def parallel(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
        raise ValueError(f"{said(value)} is no number of trainings at once; write 1 or more")
    return value


def tolerance(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1000:
        raise ValueError(f"{said(value)} is no tolerance; write 0 or more: 0.25 is a quarter")
    return float(value)
