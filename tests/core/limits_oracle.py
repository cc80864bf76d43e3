"""Limits, told a second time: in bytes that each belong to one unit alone.

A unit's own bytes are those that are in none of its parts. What a policy governs takes the
own bytes of all that it governs, parts included, as long as nothing takes them along.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from artifact_janitor.core.model import Artifact, Catalogue, Filesystem
from artifact_janitor.core.policy import Policy
from tests.core import oracle
from tests.core.history import NOW

Paths = Collection[str]


class Told:
    """One catalogue under some policies. `going` is always a set of paths."""

    def __init__(self, catalogue: Catalogue, rules: Sequence[Policy] = ()) -> None:
        self.catalogue = catalogue
        self.rules = rules
        self.units = catalogue.artifacts
        self.around = {
            each.path: [each.path, *(above.path for above in oracle.ancestors(each, catalogue))]
            for each in self.units
        }
        self.governor = {each.path: oracle.governing(each, rules) for each in self.units}

    def leaves(self, path: str, going: Paths) -> bool:
        return any(each in going for each in self.around[path])

    def own(self, unit: Artifact, measure: str) -> int:
        inner = (each for each in self.units if each.parent == unit.path)
        return int(getattr(unit, measure)) - sum(getattr(each, measure) for each in inner)

    def volume(self, position: int, going: Paths) -> int:
        """Bytes that stay of all that one policy governs."""
        return sum(
            self.own(unit, "bytes")
            for unit in self.units
            if not self.leaves(unit.path, going)
            and any(self.governor[each] == position for each in self.around[unit.path])
        )

    def freed(self, going: Paths) -> int:
        """What the disk gets back for some units, each with all that is in it."""
        return sum(self.own(each, "frees") for each in self.units if self.leaves(each.path, going))

    def takes_a_last_copy(self, path: str, going: Paths) -> bool:
        """Whether a model would be nowhere any more. A run and its part may know one file."""
        there = {file.path: file.digest for file in self.catalogue.published}
        for each in self.units:
            there |= {file.path: file.digest for file in each.models}
        for each in self.units:
            if self.leaves(each.path, going):
                for file in each.models:
                    there.pop(file.path, None)
        inside = {
            file.path
            for each in self.units
            if path in self.around[each.path]
            for file in each.models
        }
        others = {digest for file, digest in there.items() if file not in inside}
        mine = {digest for file, digest in there.items() if file in inside} - {None}
        return "" in mine or not mine <= others

    def may_yield(self, unit: Artifact) -> bool:
        kept = oracle.keeping_rules(unit, self.units, self.rules, NOW)
        return not kept & {"future", "none"} and not oracle.protecting_facts(unit, self.catalogue)

    def going(self) -> tuple[set[str], set[str]]:
        """What goes by rule, and what yields to a limit."""
        by_rule = oracle.going_by_rule(self.catalogue, self.rules, NOW)
        going = set(by_rule)
        in_order = sorted(self.units, key=lambda each: (each.time, each.path))
        for position, policy in enumerate(self.rules):
            limit = policy.max_size
            for unit in in_order if limit is not None else ():
                if self.governor[unit.path] != position or unit.path in going:
                    continue
                size = self.volume(position, going)
                if (
                    size > (limit or 0)
                    and self.volume(position, going | {unit.path}) < size
                    and self.may_yield(unit)
                    and (unit.kind in oracle.RUNS or not self.takes_a_last_copy(unit.path, going))
                ):
                    going.add(unit.path)
        return by_rule, going - by_rule

    def decisions(self) -> dict[str, str]:
        by_rule, yielded = self.going()
        return self._decisions(by_rule | yielded)

    def decisions_with_room(self, keep_free: int) -> dict[str, str]:
        """The same where so much shall be free on each filesystem."""
        by_rule, yielded = self.going()
        going: set[str] = set()
        for disk in self.catalogue.disks:
            here = [
                each
                for each in self.units
                if each.path in by_rule | yielded and self.disk_of(each) == disk
            ]
            here.sort(
                key=lambda u: (self.governor[u.path], u.path in yielded, u.time, u.path)  # type: ignore[arg-type, return-value]
            )
            missing = keep_free - disk.free - sum(each.frees for each in trash_on(disk, self))
            gone: set[str] = set()
            for unit in here:
                so_far, then = self.freed(gone), self.freed(gone | {unit.path})
                if disk.free >= keep_free or (so_far < missing and then > so_far):
                    gone.add(unit.path)
            going |= gone
        return self._decisions(going)

    def disk_of(self, unit: Artifact) -> Filesystem | None:
        """The filesystem of the root that is nearest above."""
        found = [
            (len(root), disk)
            for disk in self.catalogue.disks
            for root in disk.roots
            if oracle.below(unit.path, root)
        ]
        return max(found, key=lambda each: each[0])[1] if found else None

    def _decisions(self, going: set[str]) -> dict[str, str]:
        return {each.path: oracle.decision(each, going, self.catalogue) for each in self.units}


def trash_on(disk: Filesystem, told: Told):  # type: ignore[no-untyped-def]
    return [
        each
        for each in told.catalogue.trash
        if any(oracle.below(each.trash, place) for place in disk.trashes)
    ]
