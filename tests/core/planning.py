"""A plan of a catalogue at the history's moment, guards aside, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from artifact_janitor.core.model import Catalogue
from artifact_janitor.core.plan import Plan, leaving, plan
from artifact_janitor.core.policy import ARCHIVE, Policy, Safety
from artifact_janitor.units import DAY
from tests.core.history import NOW, local

SAFETY = Safety(grace=DAY, trash_keep=7 * DAY, max_share=1.0)


def planned(catalogue: Catalogue, rules: Sequence[Policy]) -> Plan:
    return plan(catalogue, rules, SAFETY, NOW, local)


def gone(catalogue: Catalogue, rules: Sequence[Policy]) -> set[str]:
    """All that would leave its place, by itself or inside something."""
    return {each.path for each in leaving(planned(catalogue, rules))}


def trashed(catalogue: Catalogue, rules: Sequence[Policy]) -> set[str]:
    """Likewise, but for what an archive holds from then on."""
    seen = planned(catalogue, rules)
    steps = tuple(step for step in seen.steps if step.do != ARCHIVE)
    return {each.path for each in leaving(replace(seen, steps=steps))}


def decided(seen: Plan) -> dict[str, str]:
    """What the plan says of each unit, in the oracle's words."""
    told = {each.artifact.path: "keep" for each in seen.kept}
    for step in seen.steps:
        told[step.path] = "go"
        told |= {each.path: f"with {step.path}" for each in step.inside}
    return told
