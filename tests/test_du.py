"""`janitor du`: where the space went, what could go, and when the disk is full."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from artifact_janitor.clock import local
from artifact_janitor.core.forecast import forecast
from artifact_janitor.core.model import Artifact, Catalogue
from artifact_janitor.core.plan import Plan, plan
from artifact_janitor.core.policy import Policy, Safety
from artifact_janitor.units import DAY
from tests.real.small import FREE, SLIMMING, Small, small

NOW = 1_790_000_000 * 10**9
SAFETY = Safety(DAY, 7 * DAY, 1.0)


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path, FREE)


def test_bytes_count_once_and_match_the_plan(work: Small) -> None:
    for days in (1, 40, 50):
        work.hydra(days)
    work.write("logs/a.log", "x" * 9000)
    planned, found = work.janitor("plan"), work.janitor("du").facts
    of_kinds = sum(row["bytes"] for row in found["kinds"])
    assert of_kinds == sum(row["bytes"] for row in planned.rows("steps", "kept"))
    could = sum(row["frees"] for row in found["kinds"])
    assert could == sum(row["frees"] for row in planned.rows("steps")) > 0


def test_what_leaves_with_another_unit_is_counted_as_one(work: Small) -> None:
    work.configure(SLIMMING)
    work.training(30)
    kinds = {row["kind"]: row["units"] for row in work.janitor("du").facts["kinds"]}
    rows = work.janitor("plan").rows("steps", "kept")
    assert kinds["checkpoint"] == sum(row["kind"] == "checkpoint" for row in rows) > 3
    assert work.janitor("run", "--yes").code == 0
    assert "3 units slimmed into the trash" in work.said("history")


def test_biggest_first(work: Small) -> None:
    work.write("logs/small.log", "x")
    work.write("logs/big.log", "x" * 50_000)
    assert [unit["path"] for unit in work.janitor("du").facts["units"]] == [
        "logs/big.log",
        "logs/small.log",
    ]
    assert "biggest: logs/big.log" in work.said("du")


def test_it_changes_nothing_and_needs_no_config(work: Small) -> None:
    (work.root / "config.toml").unlink()
    assert work.janitor("du").code == 0
    assert not (work.root / ".janitor").exists()


# ------------------------------------------------------------ the forecast


def run(name: int, age: float, size: int) -> Artifact:
    time = NOW - int(age * DAY)
    return Artifact(f"outputs/{name}", "hydra-run", time, size, size)


def ahead(*runs: Artifact, policy: Policy, free: int = 1000) -> tuple[float | None, float | None]:
    def decide(catalogue: Catalogue, now: int) -> Plan:
        return plan(catalogue, [policy], SAFETY, now, local)

    found = forecast(Catalogue(runs), decide, NOW, free)
    return found.full_in, found.full_under_policy


STEADY = [run(day, day + 0.5, 10) for day in range(60)]
"""Ten bytes a day, for sixty days."""


def test_as_things_go_the_disk_is_full_when_growth_has_used_it_up() -> None:
    full_in, _ = ahead(*STEADY, policy=Policy("hydra-run", keep_within=365 * DAY))
    assert full_in == pytest.approx(100)


def test_what_a_policy_takes_at_the_same_rate_never_fills_the_disk() -> None:
    """Each day ten bytes come, and each day ten get older than thirty days and leave."""
    assert ahead(*STEADY, policy=Policy("hydra-run", keep_within=30 * DAY)) == (100, None)


def test_what_could_go_today_is_room_to_come_and_no_rate() -> None:
    old = [replace(each, time=each.time - 300 * DAY, path=each.path + "x") for each in STEADY]
    _, full = ahead(*STEADY[:30], *old, policy=Policy("hydra-run", keep_within=100 * DAY))
    assert full == pytest.approx((1000 + 600) / 10)


def test_no_growth_no_forecast() -> None:
    assert ahead(run(1, 90, 10), policy=Policy("hydra-run", keep_last=1)) == (None, None)


def test_parts_of_a_run_are_no_growth_of_their_own() -> None:
    part = replace(run(0, 0.5, 10), path="outputs/0/part", parent="outputs/0")
    policy = Policy("hydra-run", keep_last=99)
    assert ahead(*STEADY, part, policy=policy) == ahead(*STEADY, policy=policy)
