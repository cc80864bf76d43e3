"""Which units the policies keep, and why: policies and facts in, verdicts out.

A unit is kept if any ``keep_`` rule of its policy keeps it. Rules rank all the units that
one policy governs; a checkpoint's rules count within its run.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from math import isfinite

from artifact_janitor.core.model import Artifact
from artifact_janitor.core.policy import Best, Policy
from artifact_janitor.units import duration_literal, format_size

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
    firm: bool = False
    """Whether it is kept for want of a date (S7), or because it can't be compressed, which no
    limit may overrule."""
    yields: bool = False
    """Whether a rule kept it, and a limit did not."""


def judge(
    artifacts: Iterable[Artifact], policies: Sequence[Policy], now: int, local: LocalTime
) -> dict[str, Verdict]:
    """One verdict for each unit, by path. The order of `artifacts` doesn't matter."""
    verdicts = {}
    groups: dict[tuple[Policy, str], list[Artifact]] = defaultdict(list)
    of_kind: defaultdict[str, list[Policy]] = defaultdict(list)
    for each in policies:
        of_kind[each.kind].append(each)
    for artifact in artifacts:
        policy = governing(artifact, of_kind[artifact.kind])
        if policy is None:
            verdicts[artifact.path] = Verdict(artifact, None, True, (_ungoverned(artifact),))
        elif why := misdated(artifact, now):
            verdicts[artifact.path] = Verdict(artifact, policy, True, (why,), firm=True)
        else:
            groups[policy, artifact.within].append(artifact)
    for (policy, _), group in groups.items():
        verdicts |= {verdict.artifact.path: verdict for verdict in _rank(group, policy, now, local)}
    return verdicts | dict(_holders(verdicts))


def _holders(verdicts: Mapping[str, Verdict]) -> Iterator[tuple[str, Verdict]]:
    """What holds a unit that the same policy keeps, and would take it along: a run in a run may
    be the best of all, and its place is not to be spent on what goes."""
    inside = (each for each in verdicts.values() if each.artifact.parent)
    for kept in sorted(
        (each for each in inside if each.policy and each.kept),
        key=lambda each: each.artifact.path,
    ):
        path = kept.artifact.path
        above = verdicts.get(kept.artifact.parent or "")
        while above is not None:
            if above.policy is kept.policy and not above.kept:
                reasons = (f"holds {path}: {', '.join(kept.reasons)}",)
                yield above.artifact.path, replace(above, kept=True, reasons=reasons)
            above = verdicts.get(above.artifact.parent or "")


def governing(artifact: Artifact, policies: Sequence[Policy]) -> Policy | None:
    """The first policy that matches a unit governs it."""
    for policy in policies:
        if policy.governs(artifact):
            return policy
    return None


def misdated(artifact: Artifact, now: int) -> str:
    """Why no age can be told from its date (S7), or ""."""
    if artifact.time > now:
        return "its newest file is dated in the future"
    if artifact.time < OLDEST:
        return "its newest file is dated before the year 2000: that is no date"
    return ""


def _ungoverned(artifact: Artifact) -> str:
    if artifact.kind == "unknown":
        return next(
            (e.why for e in artifact.evidence if e.fact == "layout"), "no layout explains it"
        )
    return f"no policy for {artifact.kind} here"


def _rank(group: list[Artifact], policy: Policy, now: int, local: LocalTime) -> Iterator[Verdict]:
    rules = [
        *_last(group, policy),
        *_within(group, policy, now),
        *_periods(group, policy, local),
        *_best(group, policy),
    ]
    if policy.max_size is not None and not policy.has_rules:
        everything = f"nothing but max_size {format_size(policy.max_size)} limits it"
        rules.append(_Rule({each.path: everything for each in group}, ""))
    for artifact in group:
        path = artifact.path
        keeps = tuple(rule.keeps[path] for rule in rules if path in rule.keeps)
        goes = tuple(rule.each_goes.get(path, rule.goes) for rule in rules)
        yield Verdict(artifact, policy, bool(keeps), keeps or goes)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What one rule keeps (path → why), and what it says of all that it doesn't keep."""

    keeps: dict[str, str]
    goes: str
    each_goes: Mapping[str, str] = field(default_factory=dict)
    """Where it says more of one (path → why)."""


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


def in_series(group: Iterable[Artifact]) -> list[list[Artifact]]:
    """What is ranked by progress, each for itself: two networks that are trained together, the
    ranks of one, the folds of a validation. What is no checkpoint is all of one series. In a
    folder with one series ``last.ckpt`` is of it, whatever it is called."""
    every = [*group]
    counted: defaultdict[str, set[str]] = defaultdict(set)
    for each in every:
        if not each.role:
            counted[_folder(each)].add(each.series)
    found: defaultdict[str, list[Artifact]] = defaultdict(list)
    for each in every:
        beside = counted[_folder(each)] if each.role == "last" else ()
        found[next(iter(beside)) if len(beside) == 1 else each.series].append(each)
    return [*found.values()]


def _folder(artifact: Artifact) -> str:
    return artifact.series.rpartition("/")[0]


Moment = tuple[str, int | None]


def moment(artifact: Artifact) -> Moment:
    """What is alike in it was written at one step of one training, and is one state of it."""
    if artifact.step is None or not artifact.series:
        return artifact.path, None
    return _folder(artifact), artifact.step


def _last(group: list[Artifact], policy: Policy) -> Iterator[_Rule]:
    n = policy.keep_last
    if n is not None:
        newest = {
            each.path
            for series in in_series(group)
            for order in (newest_first, furthest_first)
            for each in order(series)[:n]
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
            keeps: dict[str, str] = {}
            for series in in_series(group):
                newest: dict[str, Artifact] = {}
                for each in newest_first(series):
                    newest.setdefault(period_of(local(each.time // 10**9)), each)
                last = islice(newest.items(), n)
                keeps |= {each.path: f"newest of {label}" for label, each in last}
            yield _Rule(keeps, f"not the newest of one of the last {n} {unit}s with runs")


def _best(group: list[Artifact], policy: Policy) -> Iterator[_Rule]:
    """By value alone: equals stay or go together, however many they are.

    The files of one moment have one place, by the best of their values, and stay with it. A
    damaged checkpoint takes no place from a whole one.
    """
    best = policy.keep_best
    if best is None:
        return
    values = {each.path: value for each in group if (value := _value(each, best)) is not None}
    towards = -1 if best.direction == "max" else 1
    won = _won(group, {path: towards * value for path, value in values.items()}, best.n)
    some = "the best" if best.n == 1 else f"in the {best.n} best"
    number = _written(values.values())
    said = {path: f"{best.metric} {number[value]} is" for path, value in values.items()}
    none = f"no {best.metric} found"
    keeps = {}
    for each in group:
        path, at = each.path, moment(each)
        if at in won:
            is_it = path in values and towards * values[path] == won[at]
            keeps[path] = f"{said[path] if is_it else 'its step is'} {some}"
        elif best.missing == "keep" and path not in values:
            keeps[path] = none
    yield _Rule(keeps, none, {path: f"{what} not {some}" for path, what in said.items()})


def _won(group: list[Artifact], values: Mapping[str, float], n: int) -> dict[Moment, float]:
    """The moments that are among the `n` best by the best of their values; less is better."""
    first: dict[Moment, float] = {}
    for each in group:
        if each.path in values:
            value, at = values[each.path], moment(each)
            first[at] = min(value, first.get(at, value))
    damaged = {moment(each) for each in group if each.valid is False}
    rivals = sorted(value for at, value in first.items() if at not in damaged)
    return {at: value for at, value in first.items() if bisect_left(rivals, value) < n}


def _value(artifact: Artifact, best: Best) -> float | None:
    """Its metric, None where it has none; NaN and infinities are no measurements (S7)."""
    value = dict(artifact.metrics).get(best.metric)
    return value if value is not None and isfinite(value) else None


def _written(values: Iterable[float]) -> dict[float, str]:
    """Six digits, but all of them where different values would read the same."""
    short = {value: f"{value:.6g}" for value in values}
    times = Counter(short.values())
    return {value: text if times[text] == 1 else repr(value) for value, text in short.items()}
