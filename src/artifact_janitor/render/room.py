"""``keep_free``, said: one line for each filesystem that has less room than it should."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from rich.text import Text

from artifact_janitor.core.plan import Plan
from artifact_janitor.core.room import Room, holder, lies_on
from artifact_janitor.render.lines import line
from artifact_janitor.render.words import plural, shown
from artifact_janitor.sweep import Report
from artifact_janitor.units import format_size, format_when


def of_rooms(rooms: Iterable[Room]) -> dict[str, Any]:
    """Only where a person asked for ``keep_free``. Bytes; ``missing`` is what the trash won't
    give back either."""
    rows = [
        {
            "roots": [*room.disk.roots],
            "free": room.disk.free,
            "keep_free": room.keep_free,
            "trash": room.trash,
            "missing": room.missing,
        }
        for room in rooms
    ]
    return {"disk": rows} if rows else {}


def planned_lines(plan: Plan) -> Iterator[Text]:
    """What is done about it, and what could be done."""
    said = [_line(room, plan.disk, _remedies(room, plan.now)) for room in _short(plan.disk)]
    if said:
        yield Text()
        yield from said


def settled_lines(report: Report) -> Iterator[Text]:
    """How things stand once the plan was carried out."""
    after = [_after(room, report) for room in report.plan.disk]
    for room in _short(after):
        coming = f"{format_size(room.trash)} more once the trash is purged"
        parts = [*([coming] if room.trash else []), *_shortfall(room, "are missing all the same")]
        yield _line(room, after, parts)


def standing(rooms: Sequence[Room], now: int) -> Iterator[str]:
    """How things stand, for somebody who made no plan."""
    for room in _short(rooms):
        yield _sentence(room, rooms, [*_in_trash(room, now), *_shortfall(room, "are missing")])


def _short(rooms: Iterable[Room]) -> list[Room]:
    return [room for room in rooms if room.is_short]


def _line(room: Room, rooms: Sequence[Room], parts: Iterable[str]) -> Text:
    return line(("Disk", "bold yellow"), f"  {_sentence(room, rooms, parts)}")


def _sentence(room: Room, rooms: Sequence[Room], parts: Iterable[str]) -> str:
    """Names the roots only where there is something to confuse."""
    where = f"{', '.join(map(shown, room.disk.roots))}: " if len(rooms) > 1 else ""
    return "; ".join((f"{where}{room.said}", *parts))


def _remedies(room: Room, now: int) -> Iterator[str]:
    yield from _in_trash(room, now)
    if room.taken:
        yield f"{format_size(room.taken)} more go there"
    after = replace(room, trash=room.trash + room.taken)
    yield from _shortfall(after, "are missing, and nothing else may go")
    if room.spared:
        yield f"not needed: {plural(room.spared, 'unit')} more could go"


def _in_trash(room: Room, now: int) -> Iterator[str]:
    if room.trash and room.purged_from is not None:
        holds = f"the trash holds {format_size(room.trash)}"
        if room.purge_early:
            yield f"{holds}, purged early as far as it takes"
        elif room.purged_from <= now:
            yield f"{holds}, of which some is due"
        else:
            yield f"{holds}, purged from {format_when(room.purged_from, now)}"
            yield "purge_early = true purges it now"


def _shortfall(room: Room, said: str) -> Iterator[str]:
    if room.missing:
        yield f"{format_size(room.missing)} {said}"


def _after(room: Room, report: Report) -> Room:
    """The same filesystem with what was done on it."""
    done = [each.step for each in report.outcomes if each.outcome == "done"]
    purged = sum(
        each.frees_now for each in done if each.trashed and lies_on(each.trashed, room.disk)
    )
    moved = sum(
        each.artifact.frees
        for each in done
        if not each.trashed and holder(each.artifact, report.plan.disk) is room
    )
    disk = replace(room.disk, free=room.disk.free + purged)
    return replace(room, disk=disk, trash=room.trash - purged + moved)
