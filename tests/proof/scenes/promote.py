"""A model on its way to a milestone, and back. At no moment is there half a milestone, or one of
which nothing is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from artifact_janitor.sweep import mend
from tests.proof.scene import Build, Scene
from tests.real import models
from tests.real.milestones import MODEL, error, promoted, workspace
from tests.real.models import FINAL
from tests.real.publications import digest
from tests.real.small import Small

Phase = Callable[[Small], tuple[str, ...]]
NAME = "champion"
PROMOTE = ("promote", MODEL, "--name", NAME)
MILESTONE, META = f"best_models/{NAME}.pt", f"best_models/{NAME}_meta.json"


def to_promote(work: Small) -> tuple[str, ...]:
    return PROMOTE


def to_demote(work: Small) -> tuple[str, ...]:
    promoted(work, *PROMOTE[1:])
    return ("demote", NAME)


def to_take_back(work: Small) -> tuple[str, ...]:
    promoted(work, *PROMOTE[1:])
    return ("undo",)


def scene(phase: Phase, root: Path) -> Scene:
    root.mkdir()
    work = workspace(root)
    args = phase(work)

    def done() -> bool:
        return state(work) == BEFORE_AND_AFTER[phase][1]

    return Scene(work, args, done, partial(outcome, work, phase, args))


def state(work: Small) -> str:
    """What stands under the two names: "", "chosen", "demoted", or what is wrong with it."""
    there = work.there(MILESTONE), work.there(META)
    if there != (True, True):
        return {(False, False): "", (False, True): "told of only"}.get(there, "not told of")
    try:
        told = json.loads((work.root / META).read_bytes())
    except ValueError:
        return "half told of"
    if told["sha256"] != digest(work.root / MILESTONE):
        return "half a milestone"
    return "chosen" if told["chosen"] else "demoted"


BEFORE_AND_AFTER = {
    to_promote: ("", "chosen"),
    to_demote: ("chosen", "demoted"),
    to_take_back: ("chosen", ""),
}
ON_THE_WAY = {to_promote: "told of only", to_take_back: "told of only"}
"""What a reader may see besides: the sidecar comes first, and goes last."""


def outcome(work: Small, phase: Phase, args: tuple[str, ...]) -> list[str]:
    may_be = BEFORE_AND_AFTER[phase]
    seen = state(work)
    wrong = [] if seen in (*may_be, ON_THE_WAY.get(phase)) else [f"seen: {seen}"]
    mend(work.settings)
    seen = state(work)
    wrong += [] if seen in may_be else [f"after the next start: {seen}"]
    wrong += [f"left over: {name}" for name in work.leftovers()]
    wrong += strange(work)
    again = work.janitor(*args)
    wrong += [f"again: {error(again)}"] if again.code else []
    wrong += [] if state(work) == may_be[1] else [f"again: {state(work)}"]
    undone = work.janitor("undo", "--last", "9")
    wrong += [f"undo: {error(undone)}"] if undone.code else []
    wrong += [] if state(work) == "" else [f"undo: {state(work)}"]
    source = (models.built() / "plain" / FINAL).read_bytes()
    wrong += [] if (work.root / MODEL).read_bytes() == source else ["the source"]
    return wrong + [f"left over: {name}" for name in work.leftovers()] + strange(work)


def strange(work: Small) -> list[str]:
    """What lies in the trash and nobody knows of."""
    with closing(work.journal()) as journal:
        known = {move.target for step in journal.trashed() for move in journal.moves(step.step)}
    lying = {f".janitor/trash/{name}" for name in work.trash()}
    return [f"in the trash: {name}" for name in sorted(lying ^ known)]


SCENES: dict[str, Build] = {
    "promote": partial(scene, to_promote),
    "demote": partial(scene, to_demote),
    "undo of promote": partial(scene, to_take_back),
}
