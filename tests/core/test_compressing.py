"""What ``then = "compress"`` makes of the facts, by example."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from artifact_janitor.core.compressing import NO_GAIN, estimate
from artifact_janitor.core.model import Artifact, Catalogue, Evidence, Filesystem, Pin, Refusal
from artifact_janitor.core.plan import Plan, Step, plan
from artifact_janitor.core.policy import Disk, Policy, Safety
from artifact_janitor.units import DAY
from tests.core.history import NOW, local

MB = 1_000_000
SAFETY = Safety(grace=DAY, trash_keep=7 * DAY, max_share=0.2)
OLD = Policy("log", keep_within=10 * DAY, then="compress", expire=365 * DAY)


def log(name: str, days: int, size: int = 40 * MB, **more: object) -> Artifact:
    time = NOW - days * DAY
    return Artifact(f"logs/{name}", "log", time, size, size, **more)  # type: ignore[arg-type]


def packed(name: str, days: int, size: int = 4 * MB, **more: object) -> Artifact:
    return log(name, days, size, incompressible="compressed already", **more)


def planned(
    artifacts: Sequence[Artifact],
    policy: Policy = OLD,
    disk: Disk | None = None,
    safety: Safety = SAFETY,
    **facts: object,
) -> Plan:
    catalogue = Catalogue(tuple(artifacts), **facts)  # type: ignore[arg-type]
    return plan(catalogue, [policy], safety, NOW, local, disk)


def done(seen: Plan) -> dict[str, str]:
    return {step.path[5:]: step.do for step in seen.steps}


def kept(seen: Plan) -> dict[str, tuple[str, ...]]:
    return {each.artifact.path[5:]: each.reasons for each in seen.kept}


def test_each_log_has_its_verdict() -> None:
    seen = planned(
        [
            log("young.log", 5),
            log("old.log", 11),
            log("odd.log", 400, incompressible="the file has 2 names (hard links)"),
            packed("young.log.zst", 5),
            packed("old.log.zst", 365),
            packed("expired.log.zst", 366),
            packed("expired.log.1.gz", 366),
            log("futile.log", 20, fingerprint="f"),
            log("changed.log", 20, fingerprint="g"),
            log("unseen.log", 20),
            log("future.log", -1),
        ],
        futile=dict.fromkeys(("logs/futile.log", "logs/changed.log", "logs/unseen.log"), "f"),
    )
    assert done(seen) == {
        "old.log": "compress",
        "changed.log": "compress",
        "unseen.log": "compress",
        "expired.log.zst": "trash",
        "expired.log.1.gz": "trash",
    }
    assert {name: reasons[0] for name, reasons in kept(seen).items()} == {
        "young.log": "younger than 10d",
        "odd.log": "the file has 2 names (hard links)",
        "young.log.zst": "younger than 10d",
        "old.log.zst": "compressed already",
        "futile.log": NO_GAIN,
        "future.log": "its newest file is dated in the future",
    }


def test_what_is_protected_is_neither_compressed_nor_expires() -> None:
    live = (Evidence("live", "pid 42 has it open"),)
    seen = planned(
        [log("live.log", 20, protections=live), log("pinned.log", 20), packed("e.log.zst", 400)],
        pins=(Pin("logs/pinned.log"), Pin("logs/e.log.zst")),
    )
    assert seen.steps == ()
    assert len(seen.kept) == 3


def test_without_expire_nothing_that_is_compressed_ever_goes() -> None:
    policy = Policy("log", keep_within=10 * DAY, then="compress")
    assert planned([packed("a.log.zst", 9000)], policy).steps == ()


def test_a_step_tells_what_it_frees_in_the_end_and_what_it_takes_till_then() -> None:
    (step,) = planned([log("a.log", 20)]).steps
    stays = estimate(log("a.log", 20))
    assert 10 * MB <= stays < 10 * MB + 4096
    assert (step.artifact.bytes, step.artifact.frees) == (40 * MB, 40 * MB - stays)
    assert step.frees_now == -stays


def test_what_is_compressed_is_no_share_that_goes() -> None:
    logs = [log(f"{n}.log", 20) for n in range(30)]
    assert planned(logs).refused == ()
    expired = [packed(f"{n}.log.zst", 400) for n in range(30)]
    seen = planned([*logs, *expired])
    assert [each.code for each in seen.refused] == ["max-share"]
    held = {step.do for step in seen.steps if seen.held_back(step)}
    assert held == {"trash"}, "and the guard holds back what goes alone"


@pytest.mark.parametrize(("code", "kind"), [("clock", ""), ("git", "")])
def test_guards_of_everything_hold_it_back_too(code: str, kind: str) -> None:
    seen = planned([log("a.log", 20)], refusals=(Refusal(code, "why", kind=kind),))
    assert all(seen.held_back(step) for step in seen.steps)


# ------------------------------------------------------------ limits


def limited(size: int) -> Policy:
    return Policy("log", then="compress", max_size=size, expire=365 * DAY)


def test_beyond_max_size_logs_are_compressed_oldest_first_and_no_more_than_it_takes() -> None:
    logs = [log(f"{days}.log", days) for days in (1, 2, 3, 4)]
    seen = planned(logs, limited(95 * MB))  # each gives back 30 of 160
    assert done(seen) == {"4.log": "compress", "3.log": "compress", "2.log": "compress"}
    assert seen.refused == ()


def test_max_size_promises_nothing_of_what_is_compressed() -> None:
    seen = planned([packed("a.log.zst", 3, 40 * MB), log("b.log", 2, 4 * MB)], limited(30 * MB))
    assert done(seen) == {"b.log": "compress"}
    (refusal,) = seen.refused
    assert refusal.code == "max-size"
    assert "compressed or protected" in refusal.message


def test_what_rules_let_go_counts_with_what_stays_of_it() -> None:
    policy = Policy("log", keep_within=10 * DAY, then="compress", max_size=45 * MB)
    seen = planned([log("old.log", 20), log("young.log", 2)], policy)
    assert done(seen) == {"old.log": "compress", "young.log": "compress"}, "50 are too much"
    roomy = Policy("log", keep_within=10 * DAY, then="compress", max_size=51 * MB)
    assert done(planned([log("old.log", 20), log("young.log", 2)], roomy)) == {
        "old.log": "compress"
    }


def test_keep_free_counts_what_a_log_really_gives_back() -> None:
    logs = [log(f"{days}.log", days) for days in (20, 21, 22, 23)]
    disks = (Filesystem(("logs",), 10 * MB, ("logs/.janitor/trash",)),)
    seen = planned(logs, disk=Disk(keep_free=65 * MB), disks=disks)
    assert done(seen) == {"23.log": "compress", "22.log": "compress"}, "30 each"
    (room,) = seen.disk
    assert room.taken == sum(step.artifact.frees for step in seen.steps)


def test_the_plan_is_named_by_what_it_does() -> None:
    def name(then: str) -> str:
        return planned([log("a.log", 20)], Policy("log", keep_within=DAY, then=then)).id

    assert name("trash") != name("compress")


def test_a_step_is_a_plain_value() -> None:
    first, second = planned([log("a.log", 20)]), planned([log("a.log", 20)])
    assert first == second
    assert isinstance(first.steps[0], Step)
