"""What holds of the plan for any catalogue and any policies.

Properties alone once let a policy keep the oldest files: see `test_retention_table` for
examples, and the first test here for the contract told a second time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from artifact_janitor.core.model import Artifact, Catalogue
from artifact_janitor.core.plan import Plan, leaving
from artifact_janitor.core.policy import Policy
from artifact_janitor.core.retention import judge
from artifact_janitor.units import DAY
from tests.core import oracle
from tests.core.history import NOW, local
from tests.core.planning import decided, gone, planned
from tests.core.strategies import (
    ANY,
    CHECKPOINTS,
    COPIES,
    DEEP,
    HARSH,
    MANY,
    NESTED,
    NO_MODELS,
    PLAIN,
    RULES,
    catalogues,
    one_more_rule,
    policies,
)


@MANY
@given(catalogues(), policies())
def test_the_oracle_decides_the_same(catalogue: Catalogue, rules: list[Policy]) -> None:
    assert decided(planned(catalogue, rules)) == oracle.decisions(catalogue, rules, NOW)


@MANY
@given(catalogues(NESTED), policies())
def test_the_oracle_decides_the_same_of_nested_units(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    assert decided(planned(catalogue, rules)) == oracle.decisions(catalogue, rules, NOW)


@MANY
@given(catalogues(DEEP) | catalogues(COPIES))
def test_the_oracle_decides_the_same_of_what_only_protections_keep(catalogue: Catalogue) -> None:
    assert decided(planned(catalogue, HARSH)) == oracle.decisions(catalogue, HARSH, NOW)


@MANY
@given(catalogues(CHECKPOINTS), policies(("checkpoint",)))
def test_the_oracle_decides_the_same_of_checkpoints(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    assert decided(planned(catalogue, rules)) == oracle.decisions(catalogue, rules, NOW)


@ANY
@given(catalogues(), policies())
def test_every_unit_appears_exactly_once(catalogue: Catalogue, rules: list[Policy]) -> None:
    seen = planned(catalogue, rules)
    appearing = [*leaving(seen), *(each.artifact for each in seen.kept)]
    assert sorted(each.path for each in appearing) == sorted(catalogue.by_path)


@ANY
@given(catalogues(), policies())
def test_everything_has_a_reason(catalogue: Catalogue, rules: list[Policy]) -> None:
    seen = planned(catalogue, rules)
    assert all(each.reasons for each in (*seen.steps, *seen.kept))


@ANY
@given(st.data(), catalogues(), policies())
def test_the_order_of_the_facts_does_not_matter(
    data: st.DataObject, catalogue: Catalogue, rules: list[Policy]
) -> None:
    other = replace(
        catalogue,
        artifacts=tuple(data.draw(st.permutations(catalogue.artifacts))),
        pins=catalogue.pins[::-1],
    )
    one, two = planned(catalogue, rules), planned(other, rules)
    assert [each.path for each in one.steps] == [each.path for each in two.steps]
    assert decided(one) == decided(two)
    assert _sizes(one) == _sizes(two)
    assert (one.id, one.refused) == (two.id, two.refused)
    judged = [judge(each.artifacts, rules, NOW, local) for each in (catalogue, other)]
    assert judged[0] == judged[1]


def _sizes(seen: Plan) -> dict[str, int]:
    return {each.artifact.path: each.bytes for each in seen.kept}


def carried_out(catalogue: Catalogue, seen: Plan) -> Catalogue:
    """The catalogue once the plan was carried out; what stays is as old as before."""
    left = {each.path for each in leaving(seen)}
    stays = (each for each in catalogue.artifacts if each.path not in left)
    return replace(catalogue, artifacts=tuple(stays))


@ANY
@given(catalogues(), policies())
def test_a_second_plan_takes_nothing_more(catalogue: Catalogue, rules: list[Policy]) -> None:
    """What was kept for a unit that left would go now: nothing is."""
    first = planned(catalogue, rules)
    assert planned(carried_out(catalogue, first), rules).steps == ()


@ANY
@given(st.data(), catalogues(PLAIN), policies())
def test_what_is_kept_stays_kept_when_others_vanish(
    data: st.DataObject, catalogue: Catalogue, rules: list[Policy]
) -> None:
    """Half a plan carried out, or a person with ``rm``: ranks only rise."""
    kept = {
        path for path, each in judge(catalogue.artifacts, rules, NOW, local).items() if each.kept
    }
    fate = {each.path: data.draw(st.booleans()) for each in catalogue.artifacts}
    left = [each for each in catalogue.artifacts if fate[each.path] or each.path in kept]
    after = judge(left, rules, NOW, local)
    assert {path for path, each in after.items() if each.kept} == kept


Ranked = tuple[int, str, str]


def groups(catalogue: Catalogue, rules: Sequence[Policy]) -> dict[Ranked, list[Artifact]]:
    """Units that are ranked against each other: by policy, checkpoints by run and series."""
    found: defaultdict[Ranked, list[Artifact]] = defaultdict(list)
    for unit in catalogue.artifacts:
        position = oracle.governing(unit, rules)
        if position is not None and unit.time <= NOW:
            found[position, unit.within, unit.series].append(unit)
    return found


@ANY
@given(catalogues(PLAIN), st.sampled_from(RULES), st.integers(1, 4), policies())
def test_no_rule_keeps_more_than_it_says(
    catalogue: Catalogue, rule: str, n: int, rules: list[Policy]
) -> None:
    rules = [
        Policy(each.kind, each.path, **{rule: n * DAY if "within" in rule else n}) for each in rules
    ]
    verdicts = judge(catalogue.artifacts, rules, NOW, local)
    for group in groups(catalogue, rules).values():
        kept = [each for each in group if verdicts[each.path].kept]
        if rule == "keep_within":
            assert all(each.time >= NOW - n * DAY for each in kept)
            continue
        by_step = rule == "keep_last" and any(each.step is not None for each in group)
        assert len(kept) <= (2 * n if by_step else n)
        if rule == "keep_last":
            assert len(kept) >= min(n, len(group))
        else:
            periods = [oracle.PERIOD_OF[rule](each) for each in kept]
            assert len(set(periods)) == len(periods)
            assert len(kept) == min(n, len({oracle.PERIOD_OF[rule](each) for each in group}))


@ANY
@given(catalogues(PLAIN), policies())
def test_the_newest_of_every_group_stays(catalogue: Catalogue, rules: list[Policy]) -> None:
    """By every rule but an age."""
    verdicts = judge(catalogue.artifacts, rules, NOW, local)
    for (position, *_), group in groups(catalogue, rules).items():
        if any(getattr(rules[position], rule) for rule in RULES if rule != "keep_within"):
            newest = max(group, key=lambda each: (each.time, each.step or 0, each.path))
            assert verdicts[newest.path].kept


@ANY
@given(st.data(), catalogues(NO_MODELS), policies())
def test_one_more_rule_or_a_larger_number_never_removes_more(
    data: st.DataObject, catalogue: Catalogue, rules: list[Policy]
) -> None:
    larger = data.draw(one_more_rule(rules))
    assert gone(catalogue, larger) <= gone(catalogue, rules)


@ANY
@given(st.data(), catalogues(), policies())
def test_one_more_rule_never_judges_more_severely(
    data: st.DataObject, catalogue: Catalogue, rules: list[Policy]
) -> None:
    """With models too. A plan may trade one copy for another: see the next test but one."""
    larger = data.draw(one_more_rule(rules))
    one, two = (judge(catalogue.artifacts, each, NOW, local) for each in (rules, larger))
    assert all(two[path].kept for path, verdict in one.items() if verdict.kept)


@ANY
@given(catalogues(), policies())
def test_every_byte_counts_once(catalogue: Catalogue, rules: list[Policy]) -> None:
    seen = planned(catalogue, rules)
    outermost = sum(each.bytes for each in catalogue.artifacts if each.parent is None)
    told = sum(step.artifact.bytes for step in seen.steps) + sum(each.bytes for each in seen.kept)
    assert told == outermost
    assert all(each.bytes >= 0 for each in seen.kept)
    assert {each.parent for each in seen.kept} - {None} <= {
        each.artifact.path for each in seen.kept
    }


@ANY
@given(catalogues(), policies())
def test_nothing_dated_in_the_future_goes(catalogue: Catalogue, rules: list[Policy]) -> None:
    assert all(each.time <= NOW for each in leaving(planned(catalogue, rules)))


@ANY
@given(catalogues(), policies())
def test_a_future_date_costs_nobody_a_place(catalogue: Catalogue, rules: list[Policy]) -> None:
    """A file dated in the future stays, and the rules keep as many others as without it."""
    now = [each for each in catalogue.artifacts if each.time <= NOW]
    verdicts = judge(catalogue.artifacts, rules, NOW, local)
    assert judge(now, rules, NOW, local) == {each.path: verdicts[each.path] for each in now}


@ANY
@given(catalogues(), policies())
def test_only_what_a_policy_governs_goes_by_itself(
    catalogue: Catalogue, rules: list[Policy]
) -> None:
    """S8; what no policy governs leaves only inside something."""
    for step in planned(catalogue, rules).steps:
        assert any(each.governs(step.artifact) for each in rules)
        assert all(oracle.below(each.path, step.path) for each in step.inside)
