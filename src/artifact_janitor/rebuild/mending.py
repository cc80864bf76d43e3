"""Rows that were read apart from one another, brought together again."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from artifact_janitor.journal.salvage import Salvaged
from artifact_janitor.journal.values import RebuiltRow, SweepRow

COMMAND = "rebuild"
"""The command that sweeps are said to be of whose own row is lost."""
_NAMES = {
    "sweep": "sweeps",
    "step": "steps",
    "pin": "pins",
    "archive": "archives",
    "job": "trainings",
    "publication": "publications",
    "config": "configurations",
}
"""What a person is told the numbers of."""
MISSING = "may be missing"
_LOST = {
    "pin": "pins",
    "sweep": "history",
    "step": "history",
    "move": "history",
    "clock": "when the clock was last seen",
    "archive": "archives",
    "job": "trainings",
    "publication": "publications",
    "config": "configurations of runs that are gone",
    "content": "configurations of runs that are gone",
    "study": "what was known of studies",
    "runs_of_jobs": "when the schedule's jobs ran",
    "rebuilt": "when it was rebuilt before",
}


def tie(found: Salvaged) -> None:
    """Leave out what speaks of steps that are not known, and whose words mean nothing then."""
    rows = found.rows
    steps = {each.id for each in rows["step"]}
    astray = {*_astray(found)}
    rows["move"] = [each for each in rows["move"] if each.step in steps - astray]
    rows["archive"] = [each for each in rows["archive"] if each.step in steps]
    there = [each for each in rows["publication"] if each.step in steps]
    rows["publication"] = [
        each if each.replaced in steps else each._replace(replaced=None) for each in there
    ]
    rows["step"] = [
        each if each.about in steps else each._replace(about=None) for each in rows["step"]
    ]


def _astray(found: Salvaged) -> Iterator[int]:
    """Steps of which a rename leads elsewhere than to the mirror of its path in the trash: what
    lies there says better where it belongs."""
    took = {each.id: each.path for each in found.rows["step"] if each.took}
    sweeps = {each.id: f"/trash/{each.sweep}".encode() for each in found.rows["step"]}
    first: dict[int, bytes] = {}
    for move in found.rows["move"]:
        first.setdefault(move.step, move.source)
        mirrors = move.target.endswith(b"/" + move.source.lstrip(b"/"))
        if move.step in took and not (mirrors and sweeps[move.step] in move.target):
            yield move.step
    yield from (step for step, source in first.items() if took.get(step, source) != source)


def without_renames(found: Salvaged) -> None:
    """Steps whose units are not found any more, by their own words or on the disk."""
    moved = {each.step for each in found.rows["move"]}
    found.rows["step"] = [
        each._replace(state="failed", why="what became of it is lost")
        if each.took and each.state == "done" and each.id not in moved
        else each
        for each in found.rows["step"]
    ]


def next_step(found: Salvaged) -> int:
    """A number that no step has."""
    return max((each.id for each in found.rows["step"]), default=0) + 1


def close(found: Salvaged, held: Collection[str], now: int) -> None:
    """Every step has its sweep; one that a janitor left open is for the next to settle."""
    known = {each.id for each in found.rows["sweep"]}
    times: defaultdict[str, list[int]] = defaultdict(list)
    for each in found.rows["step"]:
        if each.sweep not in known:
            times[each.sweep].append(each.at)
    for sweep, at in times.items():
        ended = None if sweep in held else max(at)
        found.rows["sweep"].append(SweepRow(sweep, COMMAND, 0, min(at), ended))


def note(found: Salvaged, now: int, why: str, aside: str, said: Sequence[str]) -> None:
    """Write down that it was rebuilt, and whether a person must look at it first."""
    words = json.dumps([*said])
    at = max([now, *(each.at + 1 for each in found.rows["rebuilt"])])
    held = int(bool(found.partial) or bool(found.left_out))
    plain = why.encode("utf-8", "backslashreplace").decode()
    found.rows["rebuilt"].append(RebuiltRow(at, held, plain, aside, words))


def told(found: Salvaged, read: Mapping[str, int]) -> list[str]:
    numbers = ", ".join(f"{read[table]} {what}" for table, what in _NAMES.items())
    lines = [f"read of it: {numbers}"]
    if found.left_out:
        lines.append(f"left out, as they make no sense: {found.left_out} rows")
    lost = dict.fromkeys(what for table, what in _LOST.items() if table in found.partial)
    return [*lines, *([f"{MISSING}: {', '.join(lost)}"] if lost else [])]
