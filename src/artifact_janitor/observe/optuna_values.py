"""What Optuna writes as text or number, as what it means: parameters, constraints, attributes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

_WHOLE = ("IntDistribution", "IntUniformDistribution", "IntLogUniformDistribution")
"""Distributions of whole numbers by their names, old and new."""


LISTS = ("constraints", "nsga2:constraints")
"""System attributes of a trial that list its constraints."""


def parsed(text: str) -> object:
    """JSON as Python writes it, infinities included. Raises ValueError."""
    try:
        found: object = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return found


def param(value: float, distribution: object) -> object:
    """A parameter's value from the number that stands for it: a choice by its place, a whole
    number as one. Raises ValueError where the distribution is none that Optuna writes."""
    match distribution:
        case {"name": "CategoricalDistribution", "attributes": {"choices": list() as choices}}:
            return _choice(value, choices)
        case {"type": "categorical", "choices": list() as choices}:
            return _choice(value, choices)
        case {"name": str() as name, "attributes": dict()}:
            return int(value) if name in _WHOLE else float(value)
        case {"type": "int" | "float" as name}:
            return int(value) if name == "int" else float(value)
    raise ValueError("an unknown distribution")


def _choice(place: float, choices: list[object]) -> object:
    if place != int(place) or not 0 <= place < len(choices):
        raise ValueError("no such choice")
    return choices[int(place)]


def is_feasible(attrs: Mapping[str, object]) -> bool:
    """Whether a trial's system attributes let it count: every constraint is 0 or less.

    Optuna writes a list, in 2.10 under another name, or since 5.0 ``constraints:NAME``, which
    wins where both name the same one.
    """
    listed = next((attrs[key] for key in LISTS if key in attrs), None)
    found: dict[str, object] = {}
    if listed is not None:
        items: Iterable[object] = listed if isinstance(listed, list) else [listed]
        found = {str(place): value for place, value in enumerate(items)}
    start = "constraints:"
    found |= {key[len(start) :]: attrs[key] for key in attrs if key.startswith(start)}
    return all(isinstance(value, int | float) and value <= 0 for value in found.values())


def directions(said: Iterable[object]) -> tuple[str, ...]:
    """ "minimize" or "maximize", from a name or Optuna's number. Raises ValueError."""
    known = {"MINIMIZE": "minimize", "MAXIMIZE": "maximize", 1: "minimize", 2: "maximize"}
    found = [known.get(each) for each in said if isinstance(each, str | int)]
    if not found or None in found:
        raise ValueError("an unknown direction")
    return tuple(each for each in found if each)


def names(listed: object) -> tuple[str, ...]:
    """Of the objectives, as ``study:metric_names`` lists them."""
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        return ()
    return tuple(listed)
