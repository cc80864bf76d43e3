"""Any catalogue that observing could give, and any policies that the configuration allows.

What holds of every real tree holds here: a unit is as new as the newest thing in it and as
big as all of it; only certain kinds nest; the best and final checkpoints of a run are among
its models; a checkpoint's rules count within its run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

from hypothesis import settings
from hypothesis import strategies as st

from artifact_janitor.core.model import (
    KINDS,
    Artifact,
    Catalogue,
    Evidence,
    Kind,
    ModelFile,
    Pin,
    Role,
    Tally,
    Trashed,
)
from artifact_janitor.core.policy import Policy, Safety
from artifact_janitor.units import DAY, HOUR, SECOND
from tests.core.history import HISTORY, NOW

ANY = settings()
MANY = settings(max_examples=3 * ANY.max_examples)

ROOTS: dict[Kind, str] = {
    "hydra-run": "outputs",
    "hydra-sweep": "multirun",
    "wandb-run": "wandb",
    "training-run": "training/runs",
    "log": "logs",
    "unknown": "outputs",
}
INSIDE: dict[Kind, tuple[Kind, ...]] = {
    "hydra-sweep": ("wandb-run", "checkpoint"),
    "hydra-run": ("wandb-run", "hydra-sweep", "hydra-run", "checkpoint"),
    "training-run": ("wandb-run", "hydra-sweep", "hydra-run", "checkpoint"),
}
CONTENTS = ("x", "x", "x", "y", "y", "")
"""Digests: "" is a content of which there is no other copy."""

_HISTORIC = sorted(each.time for each in HISTORY.artifacts)
_times = st.one_of(
    st.sampled_from(_HISTORIC),  # with its days on which clocks change, and its ties
    st.integers(0, 60 * 24).map(lambda hours: NOW - hours * HOUR),
    st.integers(0, 400 * DAY).map(lambda age: NOW - age),
)
_past_or_future = st.one_of(_times, _times, _times, st.integers(1, DAY).map(lambda ns: NOW + ns))
_sizes = st.integers(0, 1000)
_models = st.sampled_from((0, 0, 0, 0, 1, 1, 2))


@dataclass(frozen=True)
class Range:
    """What may happen in a catalogue."""

    future: bool = True
    protections: bool = True
    models: bool = True
    kinds: tuple[Kind, ...] = tuple(ROOTS)
    least: int = 0
    most: int = 12
    inside: tuple[Kind, ...] = ()
    most_inside: int = 3
    free: int = 8
    """How many of ten units have no protection of their own."""


EVERYTHING = Range()
NO_MODELS = Range(models=False)
PLAIN = Range(protections=False, models=False)
"""Rules alone decide."""
CHECKPOINTS = Range(
    kinds=("training-run", "hydra-sweep"), most=3, inside=("checkpoint",), most_inside=7
)
NESTED = Range(kinds=("hydra-run", "hydra-sweep", "training-run"), least=1, most=4)
DEEP = replace(NESTED, kinds=("hydra-run", "training-run"), models=False)
COPIES = replace(NESTED, kinds=("hydra-run", "training-run"), protections=False)


class Builder:
    """Draws units, outermost first, and gives each the size and age of what is in it."""

    def __init__(self, draw: st.DrawFn, allowed: Range) -> None:
        self.draw = draw
        self.allowed = allowed
        self.units: list[Artifact] = []
        self.tops: list[str] = []

    def unit(self, kind: Kind, path: str, parent: str | None, depth: int) -> Artifact:
        """One unit; its parts are drawn first, and are in `units` before it."""
        parts = self._parts(kind, path, depth)
        own = self.draw(_past_or_future if self.allowed.future else _times)
        unit = Artifact(
            path=path,
            kind=kind,
            time=max([own, *(each.time for each in parts)]),
            bytes=self.draw(_sizes) + sum(each.bytes for each in parts),
            parent=parent,
            protections=self._protections(path),
            models=self._models(kind, path, parts),
        )
        if kind == "checkpoint":
            unit = self._checkpoint(unit)
        self.units.append(unit)
        return unit

    def _parts(self, kind: Kind, path: str, depth: int) -> list[Artifact]:
        if kind not in INSIDE or depth == 0:
            return []
        allowed = self.allowed.inside or INSIDE[kind]
        kinds = self.draw(st.lists(st.sampled_from(allowed), max_size=self.allowed.most_inside))
        job = "/job" if kind == "hydra-sweep" else ""
        return [
            self.unit(
                each, f"{path}{job}{number % 2 if job else ''}/{each}-{number}", path, depth - 1
            )
            for number, each in enumerate(kinds)
        ]

    def _protections(self, path: str) -> tuple[Evidence, ...]:
        if not self.allowed.protections or self.draw(st.integers(1, 10)) <= self.allowed.free:
            return ()
        facts = st.sampled_from(("live", "unsynced", "reference"))
        top = "/".join(path.split("/")[:2])
        sources = st.sampled_from(("", "", "models/a.json", f"{path}/a.json", f"{top}/a.json"))
        found = st.builds(Evidence, facts, st.just("so it is"), source=sources)
        return tuple(self.draw(st.lists(found, min_size=1, max_size=2)))

    def _models(self, kind: Kind, path: str, parts: list[Artifact]) -> tuple[ModelFile, ...]:
        if kind not in INSIDE or not self.allowed.models:
            return ()
        names = [f"{path}/model-{n}.pt" for n in range(self.draw(_models))]
        names += [each.path for each in parts if each.role in ("best", "final")]
        return tuple(ModelFile(name, 9, self.draw(st.sampled_from(CONTENTS))) for name in names)

    def _checkpoint(self, unit: Artifact) -> Artifact:
        roles = st.sampled_from(("", "", "", *get_args(Role)))
        return replace(
            unit,
            within=unit.path.rpartition("/")[0],
            role=self.draw(roles),
            step=self.draw(st.none() | st.integers(0, 12)),
            series=self.draw(st.sampled_from(("", "", "r/G#", "r/D#", "s/G#"))),
            valid=self.draw(st.sampled_from((True, True, False, None))),
            models=(),
        )


@st.composite
def catalogues(draw: st.DrawFn, allowed: Range = EVERYTHING) -> Catalogue:
    """Any catalogue, its units in any order."""
    builder = Builder(draw, allowed)
    for number, kind in enumerate(
        draw(
            st.lists(st.sampled_from(allowed.kinds), min_size=allowed.least, max_size=allowed.most)
        )
    ):
        builder.unit(kind, f"{ROOTS[kind]}/{number:02}", None, depth=2)
    published = st.sampled_from(CONTENTS).map(lambda each: ModelFile("models/a.pth", 9, each))
    return Catalogue(
        artifacts=tuple(draw(st.permutations(builder.units))),
        published=tuple(draw(st.lists(published, max_size=1)) if allowed.models else ()),
        pins=draw(_pins(builder.units)) if allowed.protections else (),
    )


def _pins(units: list[Artifact]) -> st.SearchStrategy[tuple[Pin, ...]]:
    """On a unit, on a file in one, or on a folder above some."""
    paths = [each.path for each in units] or ["outputs"]
    places = [*paths, *(f"{each}/notes.txt" for each in paths), "wandb", "training"]
    return st.lists(st.sampled_from(places).map(Pin), max_size=2).map(tuple)


_counts = st.none() | st.integers(1, 5)
_ages = st.none() | st.sampled_from((HOUR, DAY, 30 * DAY, 200 * DAY, SECOND))
_rules = st.fixed_dictionaries(
    {
        "keep_last": _counts,
        "keep_within": _ages,
        "keep_hourly": _counts,
        "keep_daily": _counts,
        "keep_weekly": _counts,
        "keep_monthly": _counts,
    }
).map(lambda rules: rules if any(rules.values()) else {"keep_last": 2})
_few_rules = st.one_of(
    _rules,
    st.integers(1, 3).map(lambda n: {"keep_last": n}),
    st.just({"keep_within": SECOND}),
)
RULES = ("keep_last", "keep_within", "keep_hourly", "keep_daily", "keep_weekly", "keep_monthly")


HARSH = [Policy(kind, keep_within=SECOND) for kind in KINDS]
"""What is not protected goes."""


def policies(kinds: tuple[Kind, ...] = KINDS) -> st.SearchStrategy[list[Policy]]:
    """What a person may write; the first policy that matches governs."""
    paths = st.sampled_from(("**", "**", "**", "outputs/**", "**/*1*", "*/0?/**"))
    one = st.builds(
        lambda kind, path, rules: Policy(kind, path, **rules),
        st.sampled_from(kinds),
        paths,
        _few_rules,
    )
    harsh = st.just([each for each in HARSH if each.kind in kinds])
    last = st.integers(1, 3).map(lambda n: [Policy(kind, keep_last=n) for kind in kinds])
    return st.one_of(st.lists(one, min_size=1, max_size=6), harsh, last)


def one_more_rule(rules: list[Policy]) -> st.SearchStrategy[list[Policy]]:
    """The same policies, one of them with a rule that it didn't have, or a larger number."""

    def grown(position: int, rule: str, more: int) -> list[Policy]:
        policy = rules[position]
        step = more * HOUR if rule == "keep_within" else more
        larger = replace(policy, **{rule: (getattr(policy, rule) or 0) + step})
        return [*rules[:position], larger, *rules[position + 1 :]]

    return st.builds(
        grown, st.integers(0, len(rules) - 1), st.sampled_from(RULES), st.integers(1, 40)
    )


safeties = st.builds(
    Safety,
    grace=st.just(DAY),
    trash_keep=st.integers(0, 30).map(lambda days: days * DAY),
    max_share=st.sampled_from((0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)),
)

tallies = st.dictionaries(
    st.sampled_from(KINDS), st.builds(Tally, st.integers(0, 12), st.integers(0, 3000)), max_size=3
)

trashes = st.lists(
    st.builds(
        Trashed,
        step=st.integers(1, 99),
        path=st.just("outputs/was/here"),
        trash=st.integers(1, 99).map(".janitor/trash/{}".format),
        kind=st.sampled_from(KINDS),
        bytes=_sizes,
        frees=_sizes,
        at=_past_or_future,
        fingerprint=st.just("f"),
    ),
    max_size=5,
    unique_by=(lambda each: each.step, lambda each: each.trash),
).map(tuple)
