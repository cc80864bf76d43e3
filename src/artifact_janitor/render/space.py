"""Where the space went: the answer of ``du``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from artifact_janitor.core.expiry import EXPIRE
from artifact_janitor.core.forecast import Forecast
from artifact_janitor.core.plan import Plan
from artifact_janitor.observe.wandb_outside import Outside
from artifact_janitor.render.lines import line
from artifact_janitor.render.words import shown
from artifact_janitor.units import DAY, format_duration, format_size

BAR = 22
"""Columns of the bar."""

BIGGEST = 3


@dataclass(frozen=True, slots=True)
class Share:
    """One kind: its units, their bytes, and what could go."""

    kind: str
    units: int
    bytes: int
    frees: int


@dataclass(frozen=True, slots=True)
class Space:
    """The space of a workspace; ``units`` are (path, bytes), biggest first."""

    shares: Sequence[Share]
    units: Sequence[tuple[str, int]]
    trash: int
    free: int
    forecast: Forecast
    outside: Sequence[Outside] = ()
    archive: tuple[int, int] = (0, 0)
    """Bytes of all archives, and of those that could expire."""


def space_of(
    plan: Plan, trash: int, free: int, forecast: Forecast, outside: Sequence[Outside] = ()
) -> Space:
    """Bytes count once: what lies in a unit of another kind counts with the outermost one."""
    shares: dict[str, Share] = {}
    sizes: list[tuple[str, int]] = []
    steps = [step for step in plan.steps if step.do not in ("purge", EXPIRE)]
    going = [(step.artifact, step.artifact.bytes, True) for step in steps]
    inside = [(each, 0, False) for step in steps for each in step.inside]
    staying = [(kept.artifact, kept.bytes, False) for kept in plan.kept if kept.is_unit]
    for artifact, size, goes in (*going, *inside, *staying):
        before = shares.get(artifact.kind, Share(artifact.kind, 0, 0, 0))
        frees = before.frees + (artifact.frees if goes else 0)
        shares[artifact.kind] = Share(artifact.kind, before.units + 1, before.bytes + size, frees)
        if artifact.parent is None:
            sizes.append((artifact.path, artifact.bytes))
    by_size = sorted(shares.values(), key=lambda share: (-share.bytes, share.kind))
    sizes.sort(key=lambda unit: (-unit[1], unit[0]))
    archived = [step.artifact for step in plan.steps if step.do == EXPIRE]
    could = sum(each.bytes for each in archived)
    archive = could + sum(kept.bytes for kept in plan.kept if kept.stored)
    return Space(by_size, sizes, trash, free, forecast, outside, (archive, could))


def of_space(space: Space) -> dict[str, Any]:
    ahead = space.forecast
    return {
        "kinds": [
            {"kind": each.kind, "units": each.units, "bytes": each.bytes, "frees": each.frees}
            for each in space.shares
        ],
        "units": [{"path": path, "bytes": size} for path, size in space.units],
        "trash": space.trash,
        "archive": {"bytes": space.archive[0], "frees": space.archive[1]},
        "free": space.free,
        "outside": [
            {"path": each.path, "bytes": each.bytes, "what": each.what} for each in space.outside
        ],
        "growth_per_day": round(ahead.growth),
        "growth_per_day_under_policy": round(ahead.under_policy),
        "full_in_days": ahead.full_in,
        "full_in_days_under_policy": ahead.full_under_policy,
    }


def space_lines(space: Space, *, every: bool) -> Iterator[Text]:
    if not space.shares:
        yield Text("No units here.")
    most = max((share.bytes for share in space.shares), default=0) or 1
    for share in space.shares:
        full = round(BAR * share.bytes / most)
        goes = round(BAR * min(share.frees, share.bytes) / most)
        bar = ("█" * (full - goes), "cyan"), ("▒" * goes, "yellow"), " " * (BAR - full)
        could = f"{format_size(share.frees)} could go" if share.frees else ""
        yield line(
            f"{format_size(share.bytes):>7}  ",
            *bar,
            f"  {share.kind:<13} {share.units:>6}   {could}",
        )
    yield from _biggest(space, every)
    size, could = map(format_size, space.archive)
    archive = f" · archive {size}" if space.archive[0] else ""
    archive += f", {could} could expire" if space.archive[1] else ""
    yield line(f"disk {format_size(space.free)} free · trash {format_size(space.trash)}{archive}")
    for each in space.outside:
        place = f"outside the project: {shown(each.path)} {format_size(each.bytes)} · {each.what}"
        yield line(place, *((" → ", (each.hint, "bold")) if each.hint else ()))
    yield from _ahead(space.forecast)


def _biggest(space: Space, every: bool) -> Iterator[Text]:
    if every:
        yield from (Text(f"{format_size(size):>7}  {shown(path)}") for path, size in space.units)
    elif space.units:
        units = (f"{shown(path)} {format_size(size)}" for path, size in space.units[:BIGGEST])
        yield line(("biggest: ", "bold"), " · ".join(units))


def _ahead(ahead: Forecast) -> Iterator[Text]:
    if not ahead.growth:
        yield Text("nothing was written here within the last 30 days")
        return
    full, under_policy = _when(ahead.full_in), _when(ahead.full_under_policy)
    policies = "" if under_policy == full else f"; with your policies {under_policy}"
    growth = format_size(round(ahead.growth))
    yield line(("growing ", "bold"), f"{growth} a day: {full}{policies}")


def _when(days: float | None) -> str:
    if days is None:
        return "never full"
    if days > 3650:
        return "not full within ten years"
    return f"full in {format_duration(round(days * DAY))}"
