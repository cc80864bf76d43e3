"""Which units the policies keep, and why: policies and facts in, verdicts out.

A unit is kept if any ``keep_`` rule of its policy keeps it. Rules rank all the units that
one policy governs; a checkpoint's rules count within its run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from artifact_janitor.core.model import Artifact
from artifact_janitor.core.policy import Policy
from artifact_janitor.units import duration_literal

LocalTime = Callable[[float], datetime]
"""Seconds since the epoch → an aware datetime in the person's own time zone."""

OLDEST = 946_684_800 * 10**9
"""2000-01-01, older than any tool whose runs we know. A clock that was never set, and
archives without dates, say 1970 or 1980."""

PERIODS: tuple[tuple[str, str, Callable[[datetime], str]], ...] = (
    ("keep_hourly", "hour", lambda when: when.strftime("%Y-%m-%d %H:00 %z")),
    ("keep_daily", "day", lambda when: when.strftime("%Y-%m-%d")),
    ("keep_weekly", "week", lambda when: when.strftime("%G-W%V")),
    ("keep_monthly", "month", lambda when: when.strftime("%Y-%m")),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What its policy says of one unit; ``policy`` is None where none governs it."""

    artifact: Artifact
    policy: Policy | None
    kept: bool
    reasons: tuple[str, ...]


def judge(
    artifacts: Iterable[Artifact], policies: Sequence[Policy], now: int, local: LocalTime
) -> dict[str, Verdict]:
    """One verdict for each unit, by path. The order of `artifacts` doesn't matter."""
    verdicts = {}
    groups: dict[tuple[Policy, str], list[Artifact]] = defaultdict(list)
    for artifact in artifacts:
        policy = governing(artifact, policies)
        if policy is None:
            verdicts[artifact.path] = Verdict(artifact, None, True, (_ungoverned(artifact),))
        elif why := _misdated(artifact, now):
            verdicts[artifact.path] = Verdict(artifact, policy, True, (why,))
        else:
            groups[policy, artifact.within].append(artifact)
    for (policy, _), group in groups.items():
        verdicts |= {verdict.artifact.path: verdict for verdict in _rank(group, policy, now, local)}
    return verdicts


def governing(artifact: Artifact, policies: Sequence[Policy]) -> Policy | None:
    """The first policy that matches a unit governs it."""
    return next((policy for policy in policies if policy.governs(artifact)), None)


def _misdated(artifact: Artifact, now: int) -> str:
    """Why no age can be told from its date (S7), or ""."""
    if artifact.time > now:
        return "its newest file is dated in the future"
    if artifact.time < OLDEST:
        return "its newest file is dated before the year 2000: that is no date"
    return ""


def _ungoverned(artifact: Artifact) -> str:
    if artifact.kind == "unknown":
        return "no layout explains it"
    return f"no policy for {artifact.kind} here"


def _rank(group: list[Artifact], policy: Policy, now: int, local: LocalTime) -> Iterator[Verdict]:
    rules = [*_last(group, policy), *_within(group, policy, now), *_periods(group, policy, local)]
    for artifact in group:
        keeps = tuple(rule.keeps[artifact.path] for rule in rules if artifact.path in rule.keeps)
        yield Verdict(artifact, policy, bool(keeps), keeps or tuple(rule.goes for rule in rules))


@dataclass(frozen=True, slots=True)
class _Rule:
    """What one rule keeps (path → why), and what it says of all that it doesn't keep."""

    keeps: dict[str, str]
    goes: str


def newest_first(group: Iterable[Artifact]) -> list[Artifact]:
    """By time, then by training step; the path settles ties."""
    return sorted(group, key=lambda each: (each.time, each.step or 0, each.path), reverse=True)


def furthest_first(group: Iterable[Artifact]) -> list[Artifact]:
    """By training step, then by time, of those whose step is known.

    After a copy all mtimes may be equal or shuffled, and a resumed run may count anew:
    each order alone has deleted good checkpoints elsewhere, so callers honour both.
    """
    stepped = (each for each in group if each.step is not None)
    return sorted(stepped, key=lambda each: (each.step or 0, each.time, each.path), reverse=True)


def _last(group: list[Artifact], policy: Policy) -> Iterator[_Rule]:
    n = policy.keep_last
    if n is not None:
        newest = {
            each.path for order in (newest_first, furthest_first) for each in order(group)[:n]
        }
        some = "the newest" if n == 1 else f"in the {n} newest"
        yield _Rule(dict.fromkeys(newest, some), f"not {some}")


def _within(group: list[Artifact], policy: Policy, now: int) -> Iterator[_Rule]:
    age = policy.keep_within
    if age is not None:
        young = [each.path for each in group if now - each.time <= age]
        limit = duration_literal(age)
        yield _Rule(dict.fromkeys(young, f"younger than {limit}"), f"older than {limit}")


def _periods(group: list[Artifact], policy: Policy, local: LocalTime) -> Iterator[_Rule]:
    for name, unit, period_of in PERIODS:
        n: int | None = getattr(policy, name)
        if n is not None:
            newest: dict[str, Artifact] = {}
            for each in newest_first(group):
                newest.setdefault(period_of(local(each.time // 10**9)), each)
            keeps = {each.path: f"newest of {label}" for label, each in list(newest.items())[:n]}
            yield _Rule(keeps, f"not the newest of one of the last {n} {unit}s with runs")
