"""Plots of a study, from its facts: one PNG each, drawn without pyplot's global state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from artifact_janitor.reports.facts import OURS, number
from artifact_janitor.reports.figures import (
    Facts,
    NothingToShowError,
    axis_names,
    by_powers,
    complete,
    figure_of,
    frame,
    short,
)

BLUE, GREY, ORANGE, RED, GREEN = "#2f6db3", "#9aa3ad", "#e07b1a", "#c8403a", "#3a8f5c"
STATES = {"COMPLETE": BLUE, "PRUNED": ORANGE, "FAIL": RED, "RUNNING": GREEN, "WAITING": GREY}
_STYLE = {
    "font.size": 10,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.axisbelow": True,
    "text.parse_math": False,  # a "$" in somebody's name is no formula
}
_PANELS = 12
"""Parameters that one plot shows: the most important ones."""
_LINES = 1000
"""Trials that a plot of lines shows: the best ones."""


def draw(facts: Facts, folder: Path) -> tuple[list[str], list[str]]:
    """Draw all that can be drawn; the names of the files, and why others are missing."""
    drawn, notes = [], []
    with mpl.rc_context(_STYLE):
        for name, plot in PLOTS.items():
            try:
                figure = plot(facts)
            except NothingToShowError as why:
                notes.append(f"{name}: {why}")
                continue
            FigureCanvasAgg(figure)
            figure.savefig(folder / f"{name}.png", dpi=130, metadata={"Software": OURS})
            drawn.append(f"{name}.png")
    return drawn, notes


# ------------------------------------------------------------------ the plots


def history(facts: Facts) -> Figure:
    """Every complete trial, the best so far, and when the others ended."""
    trials = complete(facts)
    count = len(facts["directions"])
    figure = figure_of(facts, "Optimization history", height=2.2 + 3.4 * count)
    every: Any = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for index, (axes, name) in enumerate(zip(every, axis_names(facts), strict=True)):
        _history_of(axes, facts, trials, index)
        axes.set_ylabel(name)
    every[-1].set_xlabel("trial")
    every[0].legend(loc="best", frameon=False, fontsize=9)
    return figure


def _history_of(axes: Any, facts: Facts, trials: Sequence[Facts], index: int) -> None:
    known = [(each["number"], number(each["values"][index]), each["feasible"]) for each in trials]
    good = [(n, value) for n, value, feasible in known if feasible and math.isfinite(value)]
    bad = [(n, value) for n, value, feasible in known if not feasible and math.isfinite(value)]
    size = 26 if len(known) < 500 else 8
    axes.scatter(*_columns(good), s=size, color=BLUE, alpha=0.55, linewidths=0, label="trial")
    if bad:
        axes.scatter(*_columns(bad), s=size, color=RED, marker="x", label="infeasible")
    if good:
        values = [value for _, value in good]
        is_min = facts["directions"][index] == "minimize"
        so_far = (np.minimum if is_min else np.maximum).accumulate(values)
        axes.step([n for n, _ in good], so_far, where="post", color=ORANGE, lw=2, label="best")
    for state in ("PRUNED", "FAIL"):
        at = [each["number"] for each in facts["trials"] if each["state"] == state]
        if at and index == 0:
            marks = [0.0] * len(at)
            axes.plot(
                at,
                marks,
                "|",
                color=STATES[state],
                transform=axes.get_xaxis_transform(),
                clip_on=False,
                label=state.lower(),
            )
    for best in facts["best"][:1]:
        value = number(best["values"][index])
        if math.isfinite(value):
            axes.scatter([best["number"]], [value], s=170, marker="*", color=ORANGE, zorder=5)
            axes.annotate(
                f"#{best['number']}: {value:.5g}",
                (best["number"], value),
                xytext=(8, 8),
                textcoords="offset points",
                fontweight="bold",
            )
    frame(axes, [value for _, value in good])


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [first for first, _ in pairs], [second for _, second in pairs]


def importance(facts: Facts) -> Figure:
    """How much each parameter mattered, by the evaluator that is named."""
    told = facts["importance"]
    if not told["objectives"] or not told["objectives"][0]:
        raise NothingToShowError(told.get("why", "no parameter"))
    names = _ranked(facts)[: 2 * _PANELS][::-1]
    count = len(told["objectives"])
    figure = figure_of(facts, "Parameter importance", height=max(2.6, 1.3 + 0.42 * len(names)))
    every: Any = figure.subplots(1, count, sharey=True, squeeze=False)[0]
    for axes, scores, name in zip(every, told["objectives"], axis_names(facts), strict=True):
        values = [number(scores.get(each, 0)) for each in names]
        bars = axes.barh([short(each) for each in names], values, color=BLUE, height=0.62)
        axes.bar_label(bars, [f"{each:.3f}" for each in values], padding=4, fontsize=9)
        axes.set_xlim(0, max([*values, 1e-9]) * 1.16)
        axes.set_xlabel(f"importance for {name}, {told['evaluator']}")
        axes.grid(visible=False, axis="y")
    return figure


def _ranked(facts: Facts) -> list[str]:
    """All parameters, the most important first."""
    scores = facts["importance"]["objectives"]
    sums = dict.fromkeys(facts["search_space"], 0.0)
    for each in scores:
        for name, score in each.items():
            sums[name] = sums.get(name, 0.0) + number(score)
    return sorted(sums, key=lambda name: -sums[name])


def _space_of(facts: Facts, name: str) -> dict[str, Any]:
    found = facts["search_space"][name]
    told: dict[str, Any] = found[0] if isinstance(found, list) else found
    return told


def _places(facts: Facts, name: str, values: Sequence[object]) -> tuple[list[float], list[str]]:
    """Where values stand on an axis, and the names of categories if it has any."""
    if _space_of(facts, name)["type"] != "categorical":
        return [number(each) for each in values], []
    choices = sorted({str(each) for each in values}, key=_natural)
    return [float(choices.index(str(each))) for each in values], choices


def _natural(text: str) -> tuple[bool, float, str]:
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text


def slices(facts: Facts) -> Figure:
    """Each parameter against the first objective; later trials are darker."""
    trials = [each for each in complete(facts) if math.isfinite(number(each["values"][0]))]
    names = [name for name in _ranked(facts) if any(name in each["params"] for each in trials)]
    if not names:
        raise NothingToShowError("no parameter")
    shown = names[:_PANELS]
    columns = min(len(shown), 4)
    rows = math.ceil(len(shown) / columns)
    figure = figure_of(facts, "Slice", width=max(6.0, 3.3 * columns), height=0.9 + 3.0 * rows)
    every: Any = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes in every[len(shown) :]:
        axes.set_visible(False)
    dots: Any = None
    for axes, name in zip(every, shown, strict=False):
        dots = _slice(axes, facts, name, trials)
    for row in range(rows):
        every[row * columns].set_ylabel(axis_names(facts)[0])
    frame(every[0], [number(each["values"][0]) for each in trials])
    figure.colorbar(dots, ax=every.tolist(), label="trial", fraction=0.03, pad=0.01)
    return figure


def _slice(axes: Any, facts: Facts, name: str, trials: Sequence[Facts]) -> Any:
    mine = [each for each in trials if name in each["params"]]
    at, choices = _places(facts, name, [each["params"][name] for each in mine])
    if choices:
        shift = np.random.default_rng(0).uniform(-0.16, 0.16, len(at))
        at = [each + off for each, off in zip(at, shift, strict=True)]
        labels = [short(each, 12) for each in choices]
        axes.set_xticks(range(len(choices)), labels, rotation=30 if len(choices) > 3 else 0)
    elif _space_of(facts, name).get("log"):
        by_powers(axes.xaxis)
    limits = {"vmin": 0, "vmax": max(each["number"] for each in trials) or 1}
    dots = axes.scatter(
        at,
        [number(each["values"][0]) for each in mine],
        c=[each["number"] for each in mine],
        cmap="Blues",
        s=24 if len(mine) < 500 else 8,
        edgecolors="#555",
        linewidths=0.3,
        **limits,
    )
    axes.set_title(short(name))
    return dots


def parallel(facts: Facts) -> Figure:
    """Every trial a line through its parameters; the better, the darker."""
    trials = [each for each in complete(facts) if math.isfinite(number(each["values"][0]))]
    sign = 1 if facts["directions"][0] == "minimize" else -1
    trials = sorted(trials, key=lambda each: sign * number(each["values"][0]))[:_LINES]
    names = [name for name in _ranked(facts) if any(name in each["params"] for each in trials)]
    names = names[: _PANELS - 2]
    if not names or len(trials) < 2:
        raise NothingToShowError("too few trials, or no parameter")
    figure = figure_of(facts, "Parallel coordinates", width=max(7.0, 1.9 * (len(names) + 1)))
    axes = figure.subplots()
    scales = [_scale([number(each["values"][0]) for each in trials], [], log=False)]
    scales += [_scale_of(facts, name, trials) for name in names]
    lines = [_line(each, index, scales) for index, each in enumerate(trials)]
    rank = np.linspace(0, 1, len(lines))[::-1]
    drawn = LineCollection(lines[::-1], cmap="Blues", alpha=0.75, linewidths=1.1)
    drawn.set_array(np.sort(rank))
    axes.add_collection(drawn)
    axes.add_collection(LineCollection(lines[:1], colors=ORANGE, linewidths=2.6, zorder=5))
    _parallel_axes(axes, [axis_names(facts)[0], *map(short, names)], scales)
    more = "" if len(trials) < _LINES else f", the best {_LINES} trials"
    axes.set_xlabel(f"orange: the best trial; the darker, the better{more}")
    return figure


Scale = tuple[Sequence[float], Sequence[tuple[float, str]]]
"""Where each trial stands between 0 and 1, NaN where it doesn't, and the marks of the axis."""


def _scale_of(facts: Facts, name: str, trials: Sequence[Facts]) -> Scale:
    mine = [each["params"][name] for each in trials if name in each["params"]]
    at, choices = _places(facts, name, mine)
    found = iter(at)
    every = [next(found) if name in each["params"] else math.nan for each in trials]
    return _scale(every, choices, log=bool(_space_of(facts, name).get("log")))


def _scale(values: Sequence[float], choices: Sequence[str], *, log: bool) -> Scale:
    known = [each for each in values if math.isfinite(each)]
    log = log and min(known) > 0
    low, high = min(known), max(known)
    bent: Callable[[float], float] = math.log if log else float
    span = (bent(high) - bent(low)) or 1.0
    at = [(bent(v) - bent(low)) / span if math.isfinite(v) else math.nan for v in values]
    if choices:
        most = max(len(choices) - 1, 1)
        return at, [(i / most, short(each, 10)) for i, each in enumerate(choices[:20])]
    marks = [(bent(low) + share * span, share) for share in (0, 0.25, 0.5, 0.75, 1)]
    told = [(share, f"{math.exp(v) if log else v:.3g}") for v, share in marks]
    return at, told if high > low else told[:1]


def _line(trial: Facts, index: int, scales: Sequence[Scale]) -> list[tuple[float, float]]:
    """Axes that a trial has no value on are passed by."""
    return [(x, at[index]) for x, (at, _) in enumerate(scales) if math.isfinite(at[index])]


def _parallel_axes(axes: Any, names: Sequence[str], scales: Sequence[Scale]) -> None:
    for x, (_, marks) in enumerate(scales):
        axes.axvline(x, color="#333", lw=1)
        for y, text in marks:
            axes.text(x + 0.03, y, text, fontsize=8, va="center", zorder=6, bbox=_BOX)
    axes.set_xticks(range(len(names)), names, rotation=18, ha="right")
    axes.set_yticks([])
    axes.set_xlim(-0.25, len(names) - 0.6)
    axes.set_ylim(-0.05, 1.05)
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)


_BOX = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}


def distribution(facts: Facts) -> Figure:
    """Which share of the trials is at most so high."""
    trials = complete(facts)
    count = len(facts["directions"])
    figure = figure_of(facts, "Distribution of values", height=4.6)
    every: Any = figure.subplots(1, count, squeeze=False)[0]
    for index, (axes, name) in enumerate(zip(every, axis_names(facts), strict=True)):
        values = sorted(number(each["values"][index]) for each in trials)
        finite = [each for each in values if math.isfinite(each)]
        if not finite:
            raise NothingToShowError("no finite value")
        share = np.arange(1, len(finite) + 1) / len(finite)
        axes.step(finite, share, where="post", color=BLUE, lw=2)
        if finite[0] > 0 and finite[-1] > 1e4 * finite[0]:
            by_powers(axes.xaxis)
        axes.axvline(np.median(finite), color=GREY, ls="--", lw=1.2, label="median")
        for best in facts["best"][:1]:
            axes.axvline(number(best["values"][index]), color=ORANGE, lw=1.6, label="best")
        axes.set_xlabel(name)
        axes.set_ylim(0, 1.02)
    every[0].set_ylabel("share of trials at most this")
    every[0].legend(loc="best", frameon=False, fontsize=9)
    return figure


def timeline(facts: Facts) -> Figure:
    """When each trial ran, and how it ended."""
    from datetime import datetime

    known = [each for each in facts["trials"] if each["started"]]
    if not known:
        raise NothingToShowError("no trial was started")
    begin = min(datetime.fromisoformat(each["started"]) for each in known)
    spans: dict[str, list[tuple[float, float, int]]] = {}
    for each in known:
        at = (datetime.fromisoformat(each["started"]) - begin).total_seconds()
        spans.setdefault(each["state"], []).append((at, each["seconds"] or 0.0, each["number"]))
    longest = max(at + length for every in spans.values() for at, length, _ in every)
    unit, size = next((u for u in _UNITS if longest >= 2 * u[1]), _UNITS[-1])
    figure = figure_of(facts, "Timeline", height=min(4 + len(known) * 0.03, 9))
    axes = figure.subplots()
    least = max(longest / 600, 1e-6)
    for state, every in sorted(spans.items()):
        starts = np.array([at for at, _, _ in every]) / size
        lengths = np.maximum([length for _, length, _ in every], least) / size
        rows = [row for _, _, row in every]
        colour = STATES.get(state, GREY)
        axes.hlines(rows, starts, starts + lengths, colors=colour, lw=_width(len(known)))
        axes.plot([], [], color=colour, lw=5, label=f"{state.lower()} ({len(every)})")
    axes.set_xlabel(f"{unit} since the first trial began")
    axes.set_ylabel("trial")
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    return figure


_UNITS = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))


def _width(count: int) -> float:
    return float(np.clip(260 / count, 0.6, 7))


PLOTS: dict[str, Callable[[Facts], Figure]] = {
    "optimization_history": history,
    "parameter_importance": importance,
    "slice": slices,
    "parallel_coordinates": parallel,
    "edf": distribution,
    "timeline": timeline,
}


def every_name() -> Iterator[str]:
    """The files that a study has at most."""
    return (f"{name}.png" for name in PLOTS)
