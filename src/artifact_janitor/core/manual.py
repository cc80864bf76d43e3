"""Training runs that a person started: which of their models are to be published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from artifact_janitor.units import DAY, format_duration

RECENT = 7 * DAY
"""A run that ended longer before is left where it is: in an old project there may be hundreds,
and copies of all of them would fill a disk."""
SETTLED = ("passed", "rejected", "same")


@dataclass(frozen=True, slots=True)
class Finished:
    """The final model of a training run that shows no life. Paths are in the workspace, and
    `name` is that of the run in its folder.

    `mark` tells whether it was written to since; ``time`` is its mtime in nanoseconds.
    """

    run: str
    name: str
    source: str
    target: str
    model_type: str
    mark: str
    time: int


def due(
    found: Iterable[Finished], published: Mapping[str, str], now: int, grace: int
) -> Iterator[tuple[Finished, str]]:
    """Those that are to be published, and why. `published` has the mark of what was last
    published, rejected or found equal for each target: each content is tried once."""
    for each in found:
        age = now - each.time
        if published.get(each.target) != each.mark and 0 <= age < grace + RECENT:
            ago = format_duration(age)
            name = each.source.rpartition("/")[2]
            yield each, f"{each.run} finished {ago} ago with {name}"
