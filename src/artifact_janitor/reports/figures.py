"""What all plots of a study share: a figure with its title, axes, and labels from outside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

Facts = dict[str, Any]


class NothingToShowError(Exception):
    """The study has too little for a plot."""


def complete(facts: Facts) -> list[dict[str, Any]]:
    found = [each for each in facts["trials"] if each["state"] == "COMPLETE" and each["values"]]
    if not found:
        raise NothingToShowError("no complete trial")
    return found


def figure_of(facts: Facts, title: str, width: float = 10, height: float = 5.6) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    counts = ", ".join(f"{n} {what.lower()}" for what, n in facts["counts"].items() if n)
    said = f"{title} · {short(facts['study'], 60)}"
    figure.suptitle(said, x=0.01, ha="left", fontsize=13, fontweight="bold")
    figure.text(0.99, 0.985, counts, ha="right", va="top", fontsize=9, color="#555")
    return figure


def short(text: object, most: int = 28) -> str:
    """Text from outside as a label: printable, on one line, not too long."""
    plain = "".join(c if c.isprintable() else "?" for c in str(text))
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def axis_names(facts: Facts) -> list[str]:
    pairs = zip(facts["metric_names"], facts["directions"], strict=True)
    return [f"{short(name)} ({direction})" for name, direction in pairs]


def frame(axes: Any, values: Sequence[float]) -> None:
    """An axis that a few far-off values don't spoil: by powers of ten, or without them."""
    finite = [each for each in values if math.isfinite(each)]
    if len(finite) < 10:
        return
    if min(finite) > 0 and max(finite) > 1e4 * min(finite):
        by_powers(axes.yaxis)
        return
    low, high = float(np.percentile(finite, 2)), float(np.percentile(finite, 98))
    most = high - low
    if most <= 0 or max(finite) - min(finite) < 8 * most:
        return
    low, high = max(min(finite), low - most), min(max(finite), high + most)
    axes.set_ylim(low - 0.05 * most, high + 0.05 * most)
    left = sum(not low <= each <= high for each in finite)
    where = {"xycoords": "axes fraction", "ha": "right", "color": "#555", "fontsize": 8}
    axes.annotate(f"{left} values lie beyond", (0.99, 0.01), **where)


def by_powers(axis: Any) -> None:
    """A logarithmic axis whose numbers need no formulas."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
