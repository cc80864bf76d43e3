"""``keep_free``: as long as a filesystem has too little room, retention there gives back
what is missing and no more.

What lies in the trash is room to come: it counts as if it were free. With ``purge_early``
it is purged before its time, as much of it as it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from artifact_janitor.core.limits import leaving_it
from artifact_janitor.core.model import Artifact, Catalogue, Filesystem, Trashed, is_within
from artifact_janitor.core.policy import Disk, Safety
from artifact_janitor.units import format_size


@dataclass(frozen=True, slots=True)
class Room:
    """How much room one filesystem has, and what a plan does about it. Sizes in bytes."""

    disk: Filesystem
    keep_free: int
    trash: int = 0
    """What the trash on it gives back when it is purged; not what can't be purged."""
    purged_from: int | None = None
    """When the first of that is purged, in nanoseconds."""
    purge_early: bool = False
    taken: int = 0
    """What the plan's own removals will give back."""
    spared: int = 0
    """Units that could go as well, and need not."""

    @property
    def is_short(self) -> bool:
        return self.disk.free < self.keep_free

    @property
    def missing(self) -> int:
        """What even a purge of all the trash would not give back."""
        return max(0, self.keep_free - self.disk.free - self.trash)

    @property
    def said(self) -> str:
        return f"{format_size(self.disk.free)} free of keep_free {format_size(self.keep_free)}"


def rooms(catalogue: Catalogue, safety: Safety, disk: Disk) -> tuple[Room, ...]:
    """One for each filesystem; none where nobody asked to keep room free."""
    if disk.keep_free is None:
        return ()
    found = []
    for filesystem in catalogue.disks:
        here = [each for each in catalogue.trash if lies_on(each, filesystem)]
        trash = [each for each in here if not each.held]
        first = min((each.at for each in trash), default=None)
        found.append(
            Room(
                filesystem,
                disk.keep_free,
                sum(each.frees for each in trash),
                None if first is None else first + safety.trash_keep,
                disk.purge_early,
            )
        )
    return tuple(found)


def lies_on(trashed: Trashed, filesystem: Filesystem) -> bool:
    return any(is_within(trashed.trash, place) for place in filesystem.trashes)


def holder(artifact: Artifact, rooms: Iterable[Room]) -> Room | None:
    """The room that a unit takes: that of the innermost root around it."""
    roots = {root: room for room in rooms for root in room.disk.roots}
    around = [root for root in roots if is_within(artifact.path, root)]
    return roots[max(around, key=len)] if around else None


def spare(
    catalogue: Catalogue, room: Room, in_turn: Iterable[tuple[Artifact, Sequence[Artifact]]]
) -> tuple[Room, dict[str, str]]:
    """Which of the units that would go on a filesystem need not: path → why. They are told in
    their turn, each with what leaves its place: itself, or the bulk of a run that is slimmed.

    The one that covers what is missing is the last that goes. Of a unit that is archived this
    counts all that its place gives back, which is an upper bound: nobody knows yet how large
    its archive becomes, and whether that takes room here or on another disk. The next sweep
    measures what is free, and goes on. Of what is compressed it counts an estimate.
    """
    going: set[str] = set()
    spared: dict[str, str] = {}
    taken = 0
    limit = f"keep_free {format_size(room.keep_free)}"
    for artifact, parts in in_turn:
        leave = [each for each in parts if going.isdisjoint(catalogue.up_from(each))]
        if not leave:
            continue
        gain = sum(_gain(catalogue, each, going) for each in leave)
        if taken >= room.missing:
            spared[artifact.path] = f"not needed to reach {limit}"
        elif gain <= 0:
            spared[artifact.path] = f"would free nothing, and {limit} asks for room"
        else:
            going.update(each.path for each in leave)
            taken += gain
    by_path, above = catalogue.by_path, catalogue.up_from
    stay = {path: why for path, why in spared.items() if going.isdisjoint(above(by_path[path]))}
    return replace(room, taken=taken, spared=len(stay)), stay


def _gain(catalogue: Catalogue, artifact: Artifact, going: set[str]) -> int:
    return artifact.frees - sum(each.frees for each in leaving_it(catalogue, artifact, going))


def early(
    trash: Iterable[Trashed], due: Iterable[Trashed], room: Room, now: int
) -> Iterator[Trashed]:
    """What leaves the trash before its time: oldest first, no more than is missing now.

    What is due goes anyway, and counts; of what is dated in the future nobody knows the age.
    """
    if not room.purge_early:
        return
    due_here = {each.step: each for each in due if lies_on(each, room.disk)}
    missing = room.keep_free - room.disk.free - sum(each.frees for each in due_here.values())
    here = [each for each in trash if lies_on(each, room.disk) and each.step not in due_here]
    for each in sorted(here, key=lambda trashed: (trashed.at, trashed.step)):
        if missing <= 0:
            return
        if each.at <= now and each.frees > 0:
            missing -= each.frees
            yield each
