"""A trained model on its way under its final name, and back. At no moment is there half a model
under that name, nor none where one was."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from artifact_janitor.errors import StepFailed
from artifact_janitor.observe import weights
from artifact_janitor.sweep import mend
from tests.proof.scene import Build, Scene
from tests.real import models
from tests.real import small as commands
from tests.real.kills import nobody_else
from tests.real.models import FINAL
from tests.real.publications import NO_TORCH, SIDECAR, TARGET, holds, offer, published, trained
from tests.real.small import FREE, Small, small

Phase = Callable[[Small], None]


def to_publish(work: Small) -> None:
    """Where nothing is yet."""


def to_replace(work: Small) -> None:
    published(work, [offer(trained(work), "k1", python=NO_TORCH)])


def to_take_back(work: Small) -> None:
    to_replace(work)
    published(work, [offer(trained(work, "other"), "k2", python=NO_TORCH)])


def scene(phase: Phase, root: Path) -> Scene:
    """No command publishes and does nothing else: its fork calls what the hand-over calls."""
    root.mkdir()
    work = small(root, FREE)
    phase(work)
    trained(work, "other")

    def publishes(_: object) -> int:
        (found,) = published(work, [offer(f".janitor/jobs/0/out/{FINAL}", "k2")])
        if found.why:
            raise StepFailed(found.why, path=TARGET)
        return 0

    def first() -> None:
        nobody_else()
        weights.objection = lambda *_: None  # a process of its own is not what is killed here
        if phase is not to_take_back:
            commands.answer = publishes  # type: ignore[assignment]

    done = partial(holds_now, work, "plain" if phase is to_take_back else "other")
    return Scene(work, ("undo",), done, partial(outcome, work, phase), first)


def holds_now(work: Small, name: str) -> bool:
    return work.there(TARGET, SIDECAR) and holds(work, name)


def torn(work: Small, phase: Phase) -> list[str]:
    """What a reader may not see, the moment after."""
    model = work.root / TARGET
    if not model.exists():
        return [] if phase is to_publish else ["no model under its name"]
    whole = [(models.built() / name / FINAL).read_bytes() for name in ("plain", "other")]
    wrong = [] if model.read_bytes() in whole else ["half a model under its name"]
    return wrong if work.there(SIDECAR) else [*wrong, "a model without a sidecar"]


def unsound(work: Small) -> list[str]:
    """What is wrong once the next janitor came by."""
    wrong = [f"left over: {name}" for name in work.leftovers() if name != "jobs"]
    stands = work.there(TARGET)
    if stands != work.there(SIDECAR):
        wrong.append("one of the two files is there")
    if stands and not (holds(work, "plain") or holds(work, "other")):
        wrong.append("the model and its sidecar don't belong together")
    with closing(work.journal()) as journal:
        known = {move for step in journal.trashed() for move in journal.moves(step.step)}
    strange = {*(f".janitor/trash/{name}" for name in work.trash())} - {x.target for x in known}
    return wrong + [f"in the trash: {name}" for name in sorted(strange)]


def outcome(work: Small, phase: Phase) -> list[str]:
    wrong = torn(work, phase)
    mend(work.settings)
    wrong += unsound(work)
    if phase is to_take_back:
        undone = work.janitor("undo", "pub-2")
        wrong += [f"undo: {undone}"] if undone.code else []
        return wrong + unsound(work) + ([] if holds(work, "plain") else ["not taken back"])
    again = published(work, [offer(f".janitor/jobs/0/out/{FINAL}", "k2", python=NO_TORCH)])[0]
    wrong += [] if again.outcome in ("published", "same") else [f"again: {again}"]
    wrong += unsound(work) + ([] if holds(work, "other") else ["not published"])
    undone = work.janitor("undo")
    wrong += [f"undo: {undone}"] if undone.code else []
    back = holds(work, "plain") if phase is to_replace else not work.there(TARGET)
    return wrong + unsound(work) + ([] if back else ["undo did not bring back what was there"])


SCENES: dict[str, Build] = {
    "publish": partial(scene, to_publish),
    "publish over": partial(scene, to_replace),
    "undo of publish": partial(scene, to_take_back),
}
