"""A janitor that is killed while it publishes, or takes that back, leaves a whole model (S12).

At no moment is there half a model under its final name, nor none where one was.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from artifact_janitor.observe import weights
from artifact_janitor.sweep import mend
from tests.real import models
from tests.real import small as commands
from tests.real.kills import Moment, evenly, killed, moments_of, needs_strace, nobody_else, to_prove
from tests.real.models import FINAL
from tests.real.publications import NO_TORCH, SIDECAR, TARGET, holds, offer, published, trained
from tests.real.small import FREE, Small, small

MOMENTS = ("renameat2", "fsync", "unlinkat", "mkdirat", "pwrite64", "write", "rmdir")
Phase = Callable[[Small], None]


def to_publish(work: Small) -> None:
    """Where nothing is yet."""


def to_replace(work: Small) -> None:
    published(work, [offer(trained(work), "k1", python=NO_TORCH)])


def to_take_back(work: Small) -> None:
    to_replace(work)
    published(work, [offer(trained(work, "other"), "k2", python=NO_TORCH)])


PHASES = (to_publish, to_replace, to_take_back)


def workspace(root: Path, phase: Phase) -> Small:
    root.mkdir()
    work = small(root, FREE)
    phase(work)
    trained(work, "other")
    return work


def start(work: Small, phase: Phase) -> commands.Running:
    """In a fork, which waits for a tracer before it begins."""

    def publishes(_: object) -> int:
        return int(published(work, [offer(f".janitor/jobs/0/out/{FINAL}", "k2")])[0].why != "")

    def first() -> None:
        nobody_else()
        weights.objection = lambda *_: None  # a process of its own is not what is killed here
        if phase is not to_take_back:
            commands.answer = publishes  # type: ignore[assignment]

    return work.start("undo", traced=True, first=first)


def points(root: Path, phase: Phase) -> list[Moment]:
    work = workspace(root / "baseline", phase)
    return moments_of(start(work, phase), root / "trace")


def torn(work: Small, phase: Phase) -> list[str]:
    """What a reader may not see, the moment after the kill."""
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
    known = {move for step in work.journal().trashed() for move in work.journal().moves(step.step)}
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


def some(every: list[Moment], count: int) -> list[Moment]:
    """Every rename and what follows it; of what makes things durable, a few."""
    before = [("", 0), *every]
    near = [
        point
        for point, previous in zip(every, before, strict=False)
        if "renameat2" in (point[0], previous[0])
    ]
    near += [point for point in every if point[0] == "pwrite64"][-9:]  # it is written down
    near += evenly(every, MOMENTS[1:], count)
    return sorted({*near}, key=every.index)


def sweep_of_kills(root: Path, phase: Phase, moments: Iterable[Moment]) -> list[str]:
    wrong = []
    for call, k in moments:
        work = workspace(root / f"{call}-{k}", phase)
        assert killed(start(work, phase), call, k), f"{call} {k} never came"
        wrong += [f"{call} {k}: {each}" for each in outcome(work, phase)]
        shutil.rmtree(work.root)
    return wrong


@needs_strace
@pytest.mark.parametrize("phase", PHASES)
def test_a_model_is_whole_whenever_the_janitor_is_killed(phase: Phase, tmp_path: Path) -> None:
    moments = some(points(tmp_path, phase), 5)
    assert len([call for call, _ in moments if call == "renameat2"]) >= 2
    assert sweep_of_kills(tmp_path, phase, moments) == []


@needs_strace
@pytest.mark.proof
@pytest.mark.parametrize("phase", PHASES)
def test_a_model_is_whole_at_any_moment(phase: Phase, tmp_path: Path) -> None:
    assert sweep_of_kills(tmp_path, phase, to_prove(points(tmp_path, phase))) == []
