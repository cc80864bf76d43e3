"""Values from outside as JSON can hold them, whatever they are."""

from __future__ import annotations

import math
from collections.abc import Mapping

DEEPEST = 30
"""Levels of lists and tables that are told; below, only that there is more."""


def plainly(value: object, depth: int = 0) -> object:
    """The same value for JSON: infinities and NaN as text, tuples as lists, the rest by its
    ``repr``. Text that is no text (a lone surrogate) is written out."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else _spelled(value)
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case _ if depth > DEEPEST:
            return "…"
        case Mapping():
            return {str(plainly(str(key))): plainly(each, depth + 1) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plainly(each, depth + 1) for each in value]
    return plainly(repr(value)[:200])


def _spelled(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return "inf" if value > 0 else "-inf"
