"""Policies × one fixed history, against golden files that a person can read.

``UPDATE_GOLDEN=1 pytest tests/core/test_retention_table.py`` writes the files anew. Each is
also held against `oracle`, which says the contract a second time, and some against what was
worked out by hand: a golden file that merely records what the code does proves nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from artifact_janitor.core.model import Artifact
from artifact_janitor.core.plan import Plan
from artifact_janitor.core.policy import Best, Policy
from artifact_janitor.core.retention import judge
from artifact_janitor.units import DAY, HOUR, SECOND, duration_literal
from tests.core import oracle, planning
from tests.core.history import HISTORY, NOW, local

GOLDEN = Path(__file__).parent / "golden"

CASES: dict[str, list[Policy]] = {
    "no-policy": [],
    "hydra-last-1": [Policy("hydra-run", keep_last=1)],
    "hydra-last-3": [Policy("hydra-run", keep_last=3)],
    "hydra-last-10": [Policy("hydra-run", keep_last=10)],
    "hydra-last-25-splits-a-tie": [Policy("hydra-run", keep_last=25)],
    "hydra-last-1000": [Policy("hydra-run", keep_last=1000)],
    "hydra-within-1-second": [Policy("hydra-run", keep_within=SECOND)],
    "hydra-within-24h": [Policy("hydra-run", keep_within=DAY)],
    "hydra-within-30d": [Policy("hydra-run", keep_within=30 * DAY)],
    "hydra-within-365d": [Policy("hydra-run", keep_within=365 * DAY)],
    "hydra-within-500d": [Policy("hydra-run", keep_within=500 * DAY)],
    "hydra-hourly-1": [Policy("hydra-run", keep_hourly=1)],
    "hydra-hourly-6": [Policy("hydra-run", keep_hourly=6)],
    "hydra-hourly-18": [Policy("hydra-run", keep_hourly=18)],
    "hydra-hourly-100": [Policy("hydra-run", keep_hourly=100)],
    "hydra-daily-1": [Policy("hydra-run", keep_daily=1)],
    "hydra-daily-3": [Policy("hydra-run", keep_daily=3)],
    "hydra-daily-11": [Policy("hydra-run", keep_daily=11)],
    "hydra-daily-100": [Policy("hydra-run", keep_daily=100)],
    "hydra-weekly-1": [Policy("hydra-run", keep_weekly=1)],
    "hydra-weekly-5": [Policy("hydra-run", keep_weekly=5)],
    "hydra-weekly-100": [Policy("hydra-run", keep_weekly=100)],
    "hydra-monthly-1": [Policy("hydra-run", keep_monthly=1)],
    "hydra-monthly-4": [Policy("hydra-run", keep_monthly=4)],
    "hydra-monthly-100": [Policy("hydra-run", keep_monthly=100)],
    "hydra-last-or-daily": [Policy("hydra-run", keep_last=4, keep_daily=7)],
    "hydra-within-or-weekly": [Policy("hydra-run", keep_within=7 * DAY, keep_weekly=6)],
    "hydra-best": [Policy("hydra-run", keep_best=Best("val_f1", "max"))],
    "hydra-best-3-splits-no-tie": [
        Policy("hydra-run", keep_best=Best("val_f1", "max", 3, "ignore"))
    ],
    "hydra-worst-2-or-last": [
        Policy("hydra-run", keep_last=2, keep_best=Best("val_f1", "min", 2, "ignore"))
    ],
    "checkpoint-best-2": [Policy("checkpoint", keep_best=Best("loss", "min", 2, "ignore"))],
    "hydra-hourly-daily-weekly-monthly": [
        Policy("hydra-run", keep_hourly=3, keep_daily=5, keep_weekly=8, keep_monthly=12)
    ],
    "hydra-every-rule": [
        Policy(
            "hydra-run",
            keep_last=2,
            keep_within=2 * DAY,
            keep_hourly=4,
            keep_daily=4,
            keep_weekly=4,
            keep_monthly=4,
        )
    ],
    "hydra-one-folder-only": [Policy("hydra-run", "outputs/2025-10-26/**", keep_last=1)],
    "hydra-first-match-governs": [
        Policy("hydra-run", "outputs/2025-1*/**", keep_last=2),
        Policy("hydra-run", "outputs/2025-*/*", keep_monthly=2),
        Policy("hydra-run", keep_last=1),
    ],
    "hydra-same-rule-twice-ranks-apart": [
        Policy("hydra-run", "outputs/2026-*/**", keep_last=2),
        Policy("hydra-run", keep_last=2),
    ],
    "sweep-last-1": [Policy("hydra-sweep", keep_last=1)],
    "sweep-within-60d": [Policy("hydra-sweep", keep_within=60 * DAY)],
    "sweep-daily-3": [Policy("hydra-sweep", keep_daily=3)],
    "wandb-last-2": [Policy("wandb-run", keep_last=2)],
    "wandb-daily-4": [Policy("wandb-run", keep_daily=4)],
    "wandb-hourly-9": [Policy("wandb-run", keep_hourly=9)],
    "wandb-own-folder-only": [Policy("wandb-run", "wandb/**", keep_last=1)],
    "training-last-1": [Policy("training-run", keep_last=1)],
    "training-within-30d": [Policy("training-run", keep_within=30 * DAY)],
    "checkpoint-last-1": [Policy("checkpoint", keep_last=1)],
    "checkpoint-last-2": [Policy("checkpoint", keep_last=2)],
    "checkpoint-last-3": [Policy("checkpoint", keep_last=3)],
    "checkpoint-within-18h": [Policy("checkpoint", keep_within=18 * HOUR)],
    "checkpoint-hourly-2": [Policy("checkpoint", keep_hourly=2)],
    "checkpoint-daily-1": [Policy("checkpoint", keep_daily=1)],
    "checkpoint-of-one-run": [Policy("checkpoint", "training/runs/resumed-c/*", keep_last=1)],
    "log-last-2": [Policy("log", keep_last=2)],
    "log-weekly-3": [Policy("log", keep_weekly=3)],
    "log-monthly-2": [Policy("log", keep_monthly=2)],
    "hydra-and-wandb": [Policy("hydra-run", keep_last=2), Policy("wandb-run", keep_last=1)],
    "training-and-checkpoint": [
        Policy("training-run", keep_last=2),
        Policy("checkpoint", keep_last=2),
    ],
    "everything-harsh": [
        Policy(kind, keep_last=1)
        for kind in (
            "hydra-run", "hydra-sweep", "wandb-run", "training-run", "checkpoint", "log",
        )
    ],
    "everything-kind": [
        Policy(kind, keep_within=30 * DAY, keep_weekly=8, keep_monthly=14)
        for kind in (
            "hydra-run", "hydra-sweep", "wandb-run", "training-run", "checkpoint", "log",
        )
    ],
}  # fmt: skip


def planned(name: str) -> Plan:
    return planning.planned(HISTORY, CASES[name])


def told(name: str) -> str:
    """A case as a golden file tells it: newest first, what is governed or goes."""
    seen = planned(name)
    governed = {each.kind for each in CASES[name]}
    lines = {unit.path: line for unit, line in _lines(seen)}
    shown = [
        each
        for each in sorted(HISTORY.artifacts, key=lambda each: (each.time, each.path), reverse=True)
        if each.kind in governed or not lines[each.path].startswith("keep")
    ]
    width = max((len(each.path) for each in shown), default=0)
    table = [f"{_when(each)}  {each.path:{width}}  {lines[each.path]}".rstrip() for each in shown]
    others = len(HISTORY.artifacts) - len(shown)
    head = [f"policy: {_said(each)}" for each in CASES[name]] or ["no policy"]
    tail = [f"and {others} that no policy governs: they stay"] if others else []
    return "\n".join([*head, "", *table, *tail]) + "\n"


def _said(policy: Policy) -> str:
    rules = []
    for each in fields(policy):
        value = getattr(policy, each.name)
        if each.name.startswith("keep_") and value is not None:
            said = duration_literal(value) if each.name == "keep_within" else value
            if isinstance(value, Best):
                said = f"{value.n} with {value.direction} {value.metric}, {value.missing} missing"
            rules.append(f"{each.name} = {said}")
    return f"{policy.kind} in {policy.path}: " + ", ".join(rules)


def _when(unit: Artifact) -> str:
    moment, rest = local(unit.time // SECOND), unit.time % SECOND
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{moment:%a %G-W%V  %Y-%m-%d %H:%M:%S}{fraction:10} {moment:%z}"


def _lines(seen: Plan) -> Iterator[tuple[Artifact, str]]:
    for step in seen.steps:
        yield step.artifact, f"{step.do}   {'; '.join(step.reasons)}"
        yield from ((each, f"with    {step.path}") for each in step.inside)
    for kept in seen.kept:
        instead = f", though {'; '.join(kept.otherwise)}" if kept.otherwise else ""
        yield kept.artifact, f"keep    {'; '.join(kept.reasons)}{instead}"


@pytest.mark.parametrize("name", CASES)
def test_the_plan_is_the_golden_one(name: str) -> None:
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        golden.write_text(told(name), "utf-8")
    assert told(name).splitlines() == golden.read_text("utf-8").splitlines()


def test_every_golden_file_has_its_case() -> None:
    assert {each.stem for each in GOLDEN.iterdir()} == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_the_oracle_decides_the_same(name: str) -> None:
    assert planning.decided(planned(name)) == oracle.decisions(HISTORY, CASES[name], NOW)


WORDS = {
    "keep_last": "newest",
    "keep_within": "younger than",
    "keep_hourly": ":00 +",
    "keep_daily": "newest of 20",
    "keep_weekly": "-W",
    "keep_monthly": "newest of 20",
    "keep_best": "best",
    "holds": "holds",
    "future": "in the future",
    "none": "no ",
}


@pytest.mark.parametrize("name", CASES)
def test_the_oracle_gives_as_many_reasons(name: str) -> None:
    """One reason for every rule that keeps a unit; one of every rule for one that goes."""
    policies = CASES[name]
    for path, verdict in judge(HISTORY.artifacts, policies, NOW, local).items():
        unit = HISTORY.by_path[path]
        rules = oracle.keeping_rules(unit, HISTORY.artifacts, policies, NOW)
        position = oracle.governing(unit, policies)
        assert verdict.kept == bool(rules)
        without = rules == {"keep_best"} and verdict.reasons == ("no val_f1 found",)
        assert verdict.policy == (None if position is None else policies[position])
        if verdict.kept:
            assert len(verdict.reasons) == len(rules)
            told = all(any(WORDS[rule] in why for why in verdict.reasons) for rule in rules)
            assert told or without
        else:
            assert len(verdict.reasons) == _rules_in(policies[position or 0])


def _rules_in(policy: Policy) -> int:
    return sum(
        each.name.startswith("keep_") and getattr(policy, each.name) is not None
        for each in fields(policy)
    )


BY_HAND: dict[str, tuple[str, set[str]]] = {
    # name of the case: (prefix of what it governs, what its rules keep, beside protections)
    "hydra-last-3": (
        "outputs/",
        {"2026-02-10/11-59-00", "2026-02-10/08-00-00", "2026-02-09/22-00-00"},
    ),
    "hydra-within-24h": (
        "outputs/",
        {
            "2026-02-10/11-59-00",
            "2026-02-10/08-00-00",
            "2026-02-09/22-00-00",
            "2025-04-02/07-00-00",
            "2026-02-09/09-00-00",  # to the nanosecond: still within
        },
    ),
    "hydra-daily-3": (
        "outputs/",
        {"2026-02-10/11-59-00", "2025-04-02/07-00-00", "2026-02-08/20-55-10"},
    ),
    "hydra-weekly-5": (
        "outputs/",
        {
            "2026-02-10/11-59-00",  # W07, from Monday 9 Feb
            "2026-02-08/20-55-10",  # W06, to Sunday 8 Feb
            "2026-01-11/11-30-00",  # W02
            "2026-01-01/00-01-00",  # W01, from 29 Dec
            "2025-12-28/20-00-00",  # W52
        },
    ),
    "hydra-monthly-4": (
        "outputs/",
        {
            "2026-02-10/11-59-00",
            "2026-01-11/11-30-00",
            "2025-12-31/23-30-00",
            "2025-10-26/03-00-00",  # there is none in November: it doesn't count
        },
    ),
    "hydra-one-folder-only": ("outputs/2025-10-26/", {"03-00-00"}),
    "hydra-hourly-18": (
        "outputs/",
        {
            "2026-02-10/11-59-00",
            "2026-02-10/08-00-00",
            "2026-02-09/22-00-00",
            "2025-04-02/07-00-00",
            "2026-02-09/09-00-00",
            "2026-02-08/20-55-10",
            "2026-02-08/13-00-00",
            "2026-02-08/08-00-00",
            "2026-02-03/14-00-00",
            "2026-01-11/11-30-00",
            "2026-01-11/11-00-00",  # a nanosecond before 12: of hour 11
            "2026-01-01/00-01-00",
            "2025-12-31/23-30-00",
            "2025-12-29/00-01-00",
            "2025-12-28/20-00-00",
            "2025-10-26/03-00-00",
            "2025-10-26/02-50-00",  # 2 o'clock, the second time
            "2025-10-26/02-00-00",  # 2 o'clock, the first time
        },
    ),
    "hydra-best-3-splits-no-tie": (
        "outputs/",
        {
            "2024-12-06/09-12-44",
            "2025-09-01/00-30-00",
            "2025-01-17/18-30-00",  # 0.7, and so are
            "2025-02-28/23-20-00",
            "2026-02-08/08-00-00",
        },
    ),
    "hydra-worst-2-or-last": (
        "outputs/",
        {
            "2025-03-30/23-00-00",
            "2025-12-28/20-00-00",
            "2026-02-10/11-59-00",
            "2026-02-10/08-00-00",
        },
    ),
    "checkpoint-best-2": (
        "training/runs/",
        {
            "resnet-a/checkpoints/epoch=1.ckpt",
            "resnet-a/checkpoints/epoch=2.ckpt",
            "resnet-a/checkpoints/epoch=3.ckpt",
            "copied-b/checkpoint-300",
            "copied-b/checkpoint-100",
            "damaged-d/step_4.pt",  # broken, and takes no place:
            "damaged-d/step_1.pt",
            "damaged-d/step_2.pt",
        },
    ),
    "log-weekly-3": (
        "logs/",
        {"train.log", "train.log.2", "train.log.3"},  # W07, W06, W04; none in W05
    ),
    "checkpoint-last-1": (
        "training/runs/",
        {
            "resnet-a/checkpoints/epoch=4.ckpt",
            "copied-b/checkpoint-100",  # the newest
            "copied-b/checkpoint-1000",  # the furthest: as a text it would come before 200
            "resumed-c/final_model_mlp.pth",
            "resumed-c/step_90.pt",
            "damaged-d/step_5.pt",
        },
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_rules_keep_what_was_worked_out_by_hand(name: str) -> None:
    prefix, expected = BY_HAND[name]
    verdicts = judge(HISTORY.artifacts, CASES[name], NOW, local)
    kept = {
        path.removeprefix(prefix)
        for path, each in verdicts.items()
        if each.kept and each.policy and path.startswith(prefix) and each.artifact.time <= NOW
    }
    assert kept == expected


def test_protections_keep_what_was_worked_out_by_hand() -> None:
    """Whatever keeps one of each kind by rule: these stay for what they are."""
    stay = {each.artifact.path for each in planned("everything-harsh").kept if each.otherwise}
    assert stay == {
        "outputs/2024-12-06/09-12-44",  # pinned above
        "outputs/2025-03-31/00-05-00",  # holds what was not uploaded:
        "outputs/2025-03-31/00-05-00/wandb/offline-run-a1",
        "outputs/2025-06-14/18-45-00",  # a pinned file in it
        "outputs/2025-10-25/23-00-00",  # a milestone names it
        "multirun/2025-11-11/11-11-11",  # holds what was not uploaded:
        "multirun/2025-11-11/11-11-11/0/wandb/run-e5",
        "multirun/2026-01-30/09-00-00",  # live, because of
        "multirun/2026-01-30/09-00-00/1/wandb/run-h8",  # this one, and therefore also
        "multirun/2026-01-30/09-00-00/0/wandb/run-g7",
        "wandb/run-20250330_010000-cc",  # not uploaded
        "training/runs/copied-b",  # a pinned checkpoint in it
        "training/runs/copied-b/checkpoint-200",
        "training/runs/damaged-d/step_2.pt",  # the newest that is whole
        "training/runs/damaged-d/step_3.pt",  # newer, and nobody can tell
    }


def test_only_copies_are_archived_as_worked_out_by_hand() -> None:
    steps = planned("everything-harsh").steps
    assert {step.path for step in steps if step.do == "archive"} == {
        "outputs/2025-02-28/23-20-01",  # two runs have this model, and this one is newer
        "multirun/2025-01-20/10-00-00",  # the only copy of its model
        "training/runs/resumed-c",  # a Hydra run has its model too, and is older
    }
