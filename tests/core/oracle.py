"""What should come out, told a second time: naive, slow, and sharing no code with the core.

It asks of one unit at a time what the contract says of it. Only whole-hour time zones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from fnmatch import fnmatchcase

from artifact_janitor.core.model import Artifact, Catalogue
from artifact_janitor.core.policy import Best, Policy
from artifact_janitor.units import HOUR, SECOND
from tests.core.history import local


def matches(path: str, glob: str) -> bool:
    """Name by name; ``**`` as a whole name stands for any number of folders."""
    return _names_match(path.split("/"), glob.split("/"))


def _names_match(names: list[str], globs: list[str]) -> bool:
    if not globs:
        return not names
    if globs == ["**"]:
        return bool(names)
    if globs[0] == "**":
        return any(_names_match(names[skip:], globs[1:]) for skip in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], globs[0]) and _names_match(names[1:], globs[1:])


def governing(unit: Artifact, policies: Sequence[Policy]) -> int | None:
    """The position of the policy that governs a unit."""
    for position, policy in enumerate(policies):
        if policy.kind == unit.kind and matches(unit.path, policy.path):
            return position
    return None


def _day(unit: Artifact) -> date:
    return local(unit.time // SECOND).date()


PERIOD_OF: dict[str, Callable[[Artifact], object]] = {
    "keep_hourly": lambda unit: unit.time // HOUR,
    "keep_daily": _day,
    "keep_weekly": lambda unit: _day(unit) - timedelta(days=_day(unit).weekday()),
    "keep_monthly": lambda unit: (_day(unit).year, _day(unit).month),
}


def keeping_rules(
    unit: Artifact, units: Iterable[Artifact], policies: Sequence[Policy], now: int
) -> set[str]:
    """The names of the rules that keep a unit; "none" and "future" keep it as well."""
    position = governing(unit, policies)
    if position is None:
        return {"none"}
    if unit.time > now:
        return {"future"}
    rivals = [
        each
        for each in units
        if governing(each, policies) == position and each.time <= now and each.within == unit.within
    ]
    rules = set(_keeping(unit, rivals, policies[position], now))
    held = [each for each in rivals if below(each.path, unit.path) and each is not unit]
    if not rules and any(set(_keeping(each, rivals, policies[position], now)) for each in held):
        return {"holds"}
    return rules


def _keeping(unit: Artifact, rivals: list[Artifact], policy: Policy, now: int) -> Iterable[str]:
    alike = [each for each in rivals if each.series == unit.series]
    newer = [each for each in alike if _newer(each, unit)]
    further = [each for each in alike if _further(each, unit)]
    if policy.keep_last is not None:
        by_step = unit.step is not None and len(further) < policy.keep_last
        if len(newer) < policy.keep_last or by_step:
            yield "keep_last"
    if policy.keep_within is not None and unit.time >= now - policy.keep_within:
        yield "keep_within"
    for rule, period_of in PERIOD_OF.items():
        n, mine = getattr(policy, rule), period_of(unit)
        newer_periods = {period_of(each) for each in newer}
        if n is not None and mine not in newer_periods and len(newer_periods) < n:
            yield rule
    if policy.keep_best is not None and _among_the_best(unit, rivals, policy.keep_best):
        yield "keep_best"
    rules = [policy.keep_last, policy.keep_within, policy.keep_best]
    rules += [getattr(policy, rule) for rule in PERIOD_OF]
    if policy.max_size is not None and all(rule is None for rule in rules):
        yield "max_size"


def _among_the_best(unit: Artifact, rivals: list[Artifact], best: Best) -> bool:
    """Fewer than n whole states are better than the best number of its own."""
    turn = 1 if best.direction == "max" else -1
    numbers = {each.path: _number(each, best.metric) for each in rivals}

    def worth(state: list[Artifact]) -> list[float]:
        return [turn * number for each in state if (number := numbers[each.path]) is not None]

    def state_of(one: Artifact) -> list[Artifact]:
        return [each for each in rivals if _is_of(each, one)]

    mine = worth(state_of(unit))
    if not mine:
        return best.missing == "keep"
    better: list[Artifact] = []
    for each in rivals:
        state = state_of(each)
        if worth(state) and max(worth(state)) > max(mine) and each is state[0]:
            better += [each] if all(other.valid is not False for other in state) else []
    by_itself = numbers[unit.path] is None and best.missing == "keep"
    return by_itself or len(better) < best.n


def _is_of(one: Artifact, other: Artifact) -> bool:
    return one is other or _belong_together(one, other)


def _belong_together(one: Artifact, other: Artifact) -> bool:
    """Files of one folder that were written at one step."""
    if one.step is None or one.step != other.step or not one.series or not other.series:
        return False
    return one.series.split("/")[0] == other.series.split("/")[0]


def _number(unit: Artifact, metric: str) -> float | None:
    """Neither NaN nor an infinity is a number that anyone measured."""
    for name, value in unit.metrics:
        if name == metric and float("-inf") < value < float("inf"):
            return value
    return None


def _newer(one: Artifact, other: Artifact) -> bool:
    if one.time != other.time:
        return one.time > other.time
    if (one.step or 0) != (other.step or 0):
        return (one.step or 0) > (other.step or 0)
    return one.path > other.path


def _further(one: Artifact, other: Artifact) -> bool:
    if one.step is None or other.step is None:
        return False
    return one.step > other.step or (one.step == other.step and _newer(one, other))


def ancestors(unit: Artifact, catalogue: Catalogue) -> list[Artifact]:
    above = [each for each in catalogue.artifacts if each.path == unit.parent]
    return [*above, *(further for each in above for further in ancestors(each, catalogue))]


def parts(unit: Artifact, catalogue: Catalogue) -> list[Artifact]:
    return [each for each in catalogue.artifacts if unit in ancestors(each, catalogue)]


def below(path: str, folder: str) -> bool:
    return (path + "/").startswith(folder + "/")


RUNS = ("hydra-run", "hydra-sweep", "training-run", "wandb-run")
"""What is archived where it may not be lost; all else stays."""


def _own_facts(unit: Artifact, catalogue: Catalogue) -> list[tuple[str, str]]:
    """(fact, the path that says so) of all that protects a unit itself, pins included."""
    own = [(each.fact, each.source) for each in unit.protections]
    for pin in catalogue.pins:
        if below(unit.path, pin.path) or below(pin.path, unit.path):
            own.append(("pinned", ""))
    return own


def _held_facts(unit: Artifact, catalogue: Catalogue) -> set[str]:
    """What protects a unit itself, and what rises to it out of its parts."""
    held = {fact for fact, _ in _own_facts(unit, catalogue)}
    for part in parts(unit, catalogue):
        for fact, source in _own_facts(part, catalogue):
            if not source or not below(source, unit.path):
                held.add(fact)
    return held


def protecting_facts(unit: Artifact, catalogue: Catalogue) -> set[str]:
    """All that protects a unit, but for its being the only copy of something."""
    found = _held_facts(unit, catalogue)
    for above in ancestors(unit, catalogue):
        its_own = unit.kind == "checkpoint" and unit.parent == above.path
        if (above.kind == "hydra-sweep" or its_own) and "live" in _held_facts(above, catalogue):
            found.add("live")
    if unit.kind == "checkpoint" and _stays_when_thinned(unit, catalogue):
        found.add("thinned")
    return found


def _stays_when_thinned(unit: Artifact, catalogue: Catalogue) -> bool:
    if unit.role in ("best", "final") or (unit.role == "last" and unit.valid is not False):
        return True
    beside = [
        each
        for each in catalogue.artifacts
        if each.kind == "checkpoint" and each.within == unit.within
    ]
    alike = [each for each in beside if each.series == unit.series]
    if all(each.valid is False for each in beside):
        return True  # it may well be that we can't read them
    for known in ((True,), (True, None)):
        candidates = [each for each in alike if each.valid in known]
        if unit in candidates and _is_newest(unit, candidates):
            return True
        if _is_of_newest_state(unit, [each for each in beside if each.valid in known]):
            return True
    return False


def _is_newest(unit: Artifact, candidates: list[Artifact]) -> bool:
    by_step = unit.step is not None and not any(_further(each, unit) for each in candidates)
    return by_step or not any(_newer(each, unit) for each in candidates)


def _is_of_newest_state(unit: Artifact, candidates: list[Artifact]) -> bool:
    """A state is what lies in one folder with one step: of each series the newest file. As
    whole as any is one that has as many files."""
    folder = [
        each
        for each in candidates
        if not each.role and each.series and each.step is not None
        if each.series.split("/")[0] == unit.series.split("/")[0]
    ]
    latest = [
        each
        for each in folder
        if not any(
            other.series == each.series and other.step == each.step and _newer(other, each)
            for other in folder
        )
    ]
    sizes = [sum(other.step == each.step for other in latest) for each in latest]
    full = [each for each, size in zip(latest, sizes, strict=True) if size == max(sizes)]
    newest = {each.step for each in full if _is_newest(each, full)}
    return unit in latest and unit.step in newest


def only_copies(going: Iterable[Artifact], catalogue: Catalogue) -> set[str]:
    """Of the units that would go, those that hold a model that is nowhere else."""
    left = {file.path: file.digest for file in catalogue.published}
    left |= {file.path: file.digest for each in catalogue.artifacts for file in each.models}
    stay = set()
    for unit in sorted(going, key=lambda each: (each.time, each.path)):
        inside = {file.path for each in (unit, *parts(unit, catalogue)) for file in each.models}
        others = {digest for path, digest in left.items() if path not in inside}
        mine = {digest for path, digest in left.items() if path in inside}
        if any(digest is not None and (digest == "" or digest not in others) for digest in mine):
            stay.add(unit.path)
        else:
            left = {path: digest for path, digest in left.items() if path not in inside}
    return stay


def decisions(catalogue: Catalogue, policies: Sequence[Policy], now: int) -> dict[str, str]:
    """By path: "keep", "go", or "with" and the unit that takes it along."""
    gone = going_by_rule(catalogue, policies, now)
    return {unit.path: decision(unit, gone, catalogue) for unit in catalogue.artifacts}


def going_by_rule(catalogue: Catalogue, policies: Sequence[Policy], now: int) -> set[str]:
    going = [
        unit
        for unit in catalogue.artifacts
        if not keeping_rules(unit, catalogue.artifacts, policies, now)
        and not protecting_facts(unit, catalogue)
    ]
    last = only_copies(going, catalogue)
    return {unit.path for unit in going if unit.kind in RUNS or unit.path not in last}


def decision(unit: Artifact, gone: set[str], catalogue: Catalogue) -> str:
    above = [each.path for each in ancestors(unit, catalogue) if each.path in gone]
    if above:
        return f"with {above[-1]}"
    return "go" if unit.path in gone else "keep"
