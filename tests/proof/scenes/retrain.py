"""A finished study on its way to a training, and to a published model: no key is trained twice,
and no half is published."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from functools import cache, partial
from hashlib import sha256
from pathlib import Path

from artifact_janitor import announcing
from artifact_janitor.executors import Handle
from tests.proof.scene import Build, Scene, shelf
from tests.real.kills import nobody_else
from tests.real.retraining import (
    executor,
    over,
    place,
    quiet,
    rows,
    set_back,
    trained,
    trains,
    until,
)
from tests.real.small import Small

MODEL = "models/hpo_derived/eurusd/final_model_mlp.pth"
Phase = Callable[[Small], None]


def to_submit(work: Small) -> None:
    """The study is finished, and nothing was trained yet."""


def to_publish(work: Small) -> None:
    """Its model is trained, and waits."""
    assert work.janitor("run", "--yes").code == 0
    over(work)


def wanted(root: Path) -> Small:
    """A finished study to be trained, in a workspace in which a janitor was before."""
    root.mkdir()
    work = Small(root)
    work.configure("")
    assert work.janitor("run", "--yes").code == 0
    place(work)
    trains(work)
    return work


@cache
def pristine(phase: Phase, root: Path) -> Path:
    """Built once for a place, which jobs know."""
    template = shelf("retrain") / "pristine"
    phase(wanted(root))
    shutil.move(root, template)
    return template


def scene(phase: Phase, root: Path) -> Scene:
    shutil.copytree(pristine(phase, root), root)
    work = Small(root)
    done = partial(is_done, work, "published" if phase is to_publish else "submitted")
    return Scene(work, ("run", "--yes"), done, partial(outcome, work), alone, partial(quiet, work))


def is_done(work: Small, state: str) -> bool:
    return states_of(work) in ([state], ["published"])


def without_results() -> None:
    """A process of its own, which takes seconds: no janitor here is killed in it."""
    announcing.report = lambda *_, **__: []


def alone() -> None:
    nobody_else()
    without_results()


def begun(work: Small) -> list[Handle]:
    """All jobs on the disk, whatever the journal knows of them."""
    folder = work.root / ".janitor" / "jobs"
    names = os.listdir(folder) if folder.exists() else []
    return [each for name in names if (each := executor(work).find(name))]


def states_of(work: Small) -> list[str]:
    return [job.state for job in rows(work)]


def outcome(work: Small) -> list[str]:
    """Let the next janitors come: what is wrong then."""
    wrong = []
    for _ in range(3):
        if {*states_of(work)} == {"later"}:
            set_back(work, "next_try = 0")  # as if a while had passed
        until(lambda: not any(executor(work).status(e).state == "RUNNING" for e in begun(work)))
        if states_of(work)[-1:] == ["failed"]:  # the training met the full disk: a person asks
            work.janitor("retrain", "eurusd/mlp", first=without_results)
            over(work)
        found = work.janitor("run", "--yes", first=without_results)
        wrong += [f"run again: {found}"] if found.code else []
        if "published" in states_of(work):
            break
    wrong += [] if len(trained(work)) == 1 else [f"trained {len(trained(work))} times"]
    states = states_of(work)
    known = [state for state in states if state not in ("later", "failed")]
    wrong += [] if known == ["published"] else [f"states {states}"]
    wrong += [f"left to do: {row}" for row in work.janitor("plan").rows("steps")]
    wrong += [f"left over: {name}" for name in work.leftovers() if name != "jobs"]
    folders = {*os.listdir(work.root / ".janitor" / "jobs")}
    wrong += [f"folder {each}" for each in folders - {job.token for job in rows(work)}]
    return wrong + unpublished(work)


def unpublished(work: Small) -> list[str]:
    model = work.root / MODEL
    if not model.exists():
        return ["no model"]
    digest = sha256(model.read_bytes()).hexdigest()
    told = json.loads(model.with_suffix(".json").read_text())["sha256"]
    whole = model.read_bytes() == (work.root / "model.pth").read_bytes()
    return [] if whole and told == digest else ["half a model"]


SCENES: dict[str, Build] = {
    "retrain": partial(scene, to_submit),
    "hand over": partial(scene, to_publish),
}
