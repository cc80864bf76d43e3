"""What holds of ``max_size`` and ``keep_free`` for any catalogue and any policies."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from artifact_janitor.core.model import Artifact, Catalogue, Filesystem, Kind, Pin, Trashed
from artifact_janitor.core.plan import Plan, Step, leaving, plan
from artifact_janitor.core.policy import Disk, Policy
from artifact_janitor.core.retention import OLDEST
from artifact_janitor.units import DAY
from tests.core import oracle
from tests.core.history import NOW, local
from tests.core.limits_oracle import Told, trash_on
from tests.core.planning import SAFETY, decided, gone, planned, trashed
from tests.core.strategies import (
    ANY,
    CHECKPOINTS,
    COPIES,
    MANY,
    NESTED,
    PLAIN,
    Range,
    catalogues,
    one_more_rule,
    policies,
    trashes,
)

CROWDED = Range(least=4, most=12, free=9)
SIZES = st.integers(1, 4000)


@st.composite
def limits(draw: st.DrawFn, *kinds: Kind) -> list[Policy]:
    """Policies, some of which have a limit, and some of those nothing else."""
    rules = draw(policies(kinds) if kinds else policies())
    for position, rule in enumerate(rules):
        if (size := draw(st.none() | SIZES)) is not None:
            bare = Policy(rule.kind, rule.path)
            rules[position] = replace(draw(st.sampled_from((rule, bare))), max_size=size)
    return rules


ROOTS = ("outputs", "multirun", "wandb", "training/runs", "logs")


@st.composite
def disked(draw: st.DrawFn, allowed: Range = CROWDED) -> Catalogue:
    """A catalogue whose roots lie on one filesystem or two, with something in the trash."""
    catalogue = draw(catalogues(allowed))
    told = Told(catalogue)
    own = {
        each.path: told.own(each, "bytes") * draw(st.sampled_from((1, 1, 1, 0)))
        for each in catalogue.artifacts
    }
    freeing = [
        replace(each, frees=sum(own[u.path] for u in (each, *oracle.parts(each, catalogue))))
        for each in catalogue.artifacts
    ]
    cut = draw(st.sampled_from((2, 4, 5)))
    found = [
        Filesystem(roots, draw(st.integers(0, 3000)), tuple(f"{r}/.janitor/trash" for r in roots))
        for roots in (ROOTS[:cut], ROOTS[cut:])
        if roots
    ]
    trash = [
        replace(each, trash=f"{draw(st.sampled_from(ROOTS))}/.janitor/trash/{each.step}")
        for each in draw(trashes)
    ]
    return replace(catalogue, artifacts=tuple(freeing), disks=tuple(found), trash=tuple(trash))


def with_room(catalogue: Catalogue, rules: list[Policy], disk: Disk) -> Plan:
    return plan(catalogue, rules, SAFETY, NOW, local, disk)


def going(seen: Plan) -> set[str]:
    """Units that go by themselves."""
    return {step.path for step in seen.steps if step.do != "purge"}


# ------------------------------------------------------------ max_size


@MANY
@given(catalogues(CROWDED) | catalogues(COPIES) | catalogues(NESTED), limits())
def test_the_oracle_lets_the_same_units_yield(catalogue: Catalogue, rules: list[Policy]) -> None:
    assert decided(planned(catalogue, rules)) == Told(catalogue, rules).decisions()


@MANY
@given(catalogues(CHECKPOINTS), limits("checkpoint", "training-run", "hydra-sweep"))
def test_the_oracle_lets_the_same_checkpoints_yield(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    assert decided(planned(catalogue, rules)) == Told(catalogue, rules).decisions()


@MANY
@given(catalogues(CROWDED), limits())
def test_a_limit_is_held_or_the_shortfall_is_told(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    """One policy's turn may take from what another governs, so its shortfall may be covered."""
    seen, told = planned(catalogue, rules), Told(catalogue, rules)
    short = [each.kind for each in seen.refused if each.code == "max-size"]
    for position, policy in enumerate(rules):
        if policy.max_size is not None and told.volume(position, going(seen)) > policy.max_size:
            assert policy.kind in short
            left = [each for each in catalogue.artifacts if each.path not in gone(catalogue, rules)]
            governed = [each for each in left if told.governor[each.path] == position]
            assert not any(_could_yield(told, each, position, going(seen)) for each in governed)


def _could_yield(told: Told, unit: Artifact, position: int, gone: set[str]) -> bool:
    less = told.volume(position, gone | {unit.path}) < told.volume(position, gone)
    stays = unit.kind not in oracle.RUNS and told.takes_a_last_copy(unit.path, gone)
    return less and told.may_yield(unit) and not stays


@MANY
@given(catalogues(CROWDED), policies(), SIZES)
def test_never_one_unit_more_than_needed(
    catalogue: Catalogue, rules: list[Policy], size: int
) -> None:
    """The newest that yielded had to: without it the limit is not held."""
    rules = [replace(rules[0], max_size=size), *rules[1:]]
    seen = planned(catalogue, rules)
    yielded = [step for step in seen.steps if step.reasons[0].startswith("beyond")]
    if yielded:
        last = max(yielded, key=lambda step: (step.artifact.time, step.path))
        assert Told(catalogue, rules).volume(0, going(seen) - {last.path}) > size


@ANY
@given(catalogues(CROWDED), limits())
def test_what_is_protected_or_has_no_date_never_yields(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    for step in planned(catalogue, rules).steps:
        assert not oracle.protecting_facts(step.artifact, catalogue)
        assert OLDEST <= step.artifact.time <= NOW


@ANY
@given(catalogues(COPIES), limits())
def test_a_limit_never_takes_the_last_copy_of_a_model(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    left = trashed(catalogue, rules)
    before = {file.digest for each in catalogue.artifacts for file in each.models}
    stays = (each for each in catalogue.artifacts if each.path not in left)
    after = {file.digest for each in stays for file in each.models}
    assert before <= after | {file.digest for file in catalogue.published}
    unique = {e.path for e in catalogue.artifacts for file in e.models if file.digest == ""}
    assert not unique & left


@MANY
@given(catalogues(CROWDED), policies(), SIZES, SIZES)
def test_a_larger_limit_never_removes_more(
    catalogue: Catalogue, rules: list[Policy], one: int, more: int
) -> None:
    small, large, none = (
        gone(catalogue, [replace(rules[0], max_size=size), *rules[1:]])
        for size in (one, one + more, None)
    )
    assert small >= large >= none


@ANY
@given(st.data(), catalogues(CROWDED), limits())
def test_one_more_rule_or_pin_never_lets_what_is_protected_go(
    data: st.DataObject, catalogue: Catalogue, rules: list[Policy]
) -> None:
    """What it keeps may cost something else its place, but never what is protected."""
    units = catalogue.artifacts
    protected = {each.path for each in units if oracle.protecting_facts(each, catalogue)}
    pin = Pin(data.draw(st.sampled_from([each.path for each in units])))
    pinned = replace(catalogue, pins=(*catalogue.pins, pin))
    assert not protected & going(planned(catalogue, data.draw(one_more_rule(rules))))
    assert not (protected | {pin.path}) & going(planned(pinned, rules))


@ANY
@given(st.data(), disked(), limits(), st.integers(0, 6000))
def test_the_order_of_the_facts_does_not_matter_to_limits(
    data: st.DataObject, catalogue: Catalogue, rules: list[Policy], keep_free: int
) -> None:
    other = replace(
        catalogue,
        artifacts=tuple(data.draw(st.permutations(catalogue.artifacts))),
        trash=catalogue.trash[::-1],
        disks=catalogue.disks[::-1],
    )
    one, two = (with_room(each, rules, Disk(keep_free, True)) for each in (catalogue, other))
    assert {step.path for step in one.steps} == {step.path for step in two.steps}
    assert decided(one) == decided(two)
    assert (one.refused, one.reserve, one.disk) == (two.refused, two.reserve, two.disk[::-1])


def carried_out(catalogue: Catalogue, seen: Plan) -> Catalogue:
    """What is left where it was is smaller by what left it; what went lies in the trash."""
    told, left = Told(catalogue), {each.path for each in leaving(seen)}
    stays = []
    for unit in catalogue.artifacts:
        if unit.path not in left:
            lost = [part for part in oracle.parts(unit, catalogue) if part.path in left]
            size, frees = (
                getattr(unit, measure) - sum(told.own(part, measure) for part in lost)
                for measure in ("bytes", "frees")
            )
            stays.append(replace(unit, bytes=size, frees=frees))
    purged = {step.trashed for step in seen.steps if step.trashed}
    free = {
        disk: disk.free + sum(each.frees for each in trash_on(disk, told) if each in purged)
        for disk in catalogue.disks
    }
    moved = [_moved(step, 1000 + n) for n, step in enumerate(seen.steps) if not step.trashed]
    return replace(
        catalogue,
        artifacts=tuple(stays),
        trash=(*(each for each in catalogue.trash if each not in purged), *moved),
        disks=tuple(replace(disk, free=free[disk]) for disk in catalogue.disks),
    )


def _moved(step: Step, number: int) -> Trashed:
    root = next(each for each in ROOTS if oracle.below(step.path, each))
    size, frees = step.artifact.bytes, step.artifact.frees
    place = f"{root}/.janitor/trash/{number}"
    return Trashed(number, step.path, place, step.artifact.kind, size, frees, NOW, "f")


@ANY
@given(catalogues(CROWDED), limits())
def test_a_second_plan_takes_nothing_more_for_a_limit(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    after = carried_out(catalogue, planned(catalogue, rules))
    assert going(planned(after, rules)) == set()


@ANY
@given(catalogues(CROWDED), limits())
def test_the_reserve_could_go_and_does_not(catalogue: Catalogue, rules: list[Policy]) -> None:
    seen = planned(catalogue, rules)
    assert len({*seen.reserve}) == len(seen.reserve)
    assert not going(seen) & {*seen.reserve}
    for path in seen.reserve:
        assert not oracle.protecting_facts(catalogue.by_path[path], catalogue)


# ------------------------------------------------------------ keep_free


def retained(seen: Plan) -> Plan:
    """Without what leaves the trash."""
    return replace(seen, steps=tuple(step for step in seen.steps if step.do != "purge"))


@MANY
@given(disked(), limits(), st.integers(0, 6000))
def test_the_oracle_stops_at_the_same_unit(
    catalogue: Catalogue, rules: list[Policy], keep_free: int
) -> None:
    seen = retained(with_room(catalogue, rules, Disk(keep_free)))
    assert decided(seen) == Told(catalogue, rules).decisions_with_room(keep_free)


@MANY
@given(disked(), limits(), st.integers(0, 6000))
def test_room_never_takes_more_than_is_missing_nor_what_rules_keep(
    catalogue: Catalogue, rules: list[Policy], keep_free: int
) -> None:
    seen, told = with_room(catalogue, rules, Disk(keep_free)), Told(catalogue, rules)
    steps = [each for each in seen.steps if each.do != "purge"]
    assert {each.path for each in leaving(seen)} <= gone(catalogue, rules)
    assert all(each.reasons for each in (*seen.steps, *seen.kept))
    for room in seen.disk:
        here = {each.path for each in steps if told.disk_of(each.artifact) == room.disk}
        if room.is_short:
            assert told.freed(here) == room.taken
            most = max((told.freed({path}) for path in here), default=0)
            assert not here or room.taken - most < room.missing
            assert all(told.freed({path}) for path in here)


@ANY
@given(disked(), policies(), st.integers(0, 6000))
def test_once_it_is_in_the_trash_nothing_more_goes(
    catalogue: Catalogue, rules: list[Policy], keep_free: int
) -> None:
    """What is missing is covered then; where it isn't, nothing is left that could go."""
    first = with_room(catalogue, rules, Disk(keep_free))
    second = with_room(carried_out(catalogue, first), rules, Disk(keep_free))
    for before, after in zip(first.disk, second.disk, strict=True):
        assert not before.is_short or not after.is_short or after.taken == 0


@MANY
@given(disked(PLAIN), st.integers(0, 6000), st.booleans())
def test_the_trash_is_purged_early_only_as_far_as_it_takes(
    catalogue: Catalogue, keep_free: int, purge_early: bool
) -> None:
    seen, told = with_room(catalogue, [], Disk(keep_free, purge_early)), Told(catalogue)
    due = {each.step for each in catalogue.trash if each.at <= NOW - 7 * DAY}
    purged = {step.trashed.step for step in seen.steps if step.trashed}
    assert due <= purged
    assert purge_early or purged == due
    for disk in catalogue.disks:
        here = trash_on(disk, told)
        early = [each for each in here if each.step in purged - due]
        left = [each for each in here if each.step not in purged and each.at <= NOW and each.frees]
        free = disk.free + sum(each.frees for each in here if each.step in purged)
        if early:
            newest = max(early, key=lambda each: (each.at, each.step))
            assert free - newest.frees < keep_free
            assert all((each.at, each.step) > (newest.at, newest.step) for each in left)
            assert all(each.at <= NOW and each.frees for each in early)
        assert not purge_early or free >= keep_free or not left
