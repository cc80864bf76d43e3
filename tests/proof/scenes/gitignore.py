"""``.gitignore`` brought in line with the policies, and put back: at no moment is there half a
file under its name, nor none."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

from artifact_janitor.sweep import mend
from tests.proof.scene import Build, Scene
from tests.real.git_repo import Repo, repo

MINE = b"*.pyc\n!x.tmp"


def scene(undo: bool, root: Path) -> Scene:
    work = repo(root)
    work.rules(MINE)
    work.has("outputs/a.txt")
    work.sync()
    new = work.text
    if not undo:
        work.janitor("undo")
        assert work.text == MINE
    args = ("undo",) if undo else ("gitignore", "sync")
    wanted = MINE if undo else new
    return Scene(work, args, lambda: work.text == wanted, partial(outcome, work, new, args))


def outcome(work: Repo, new: bytes, args: tuple[str, ...]) -> list[str]:
    seen = work.text
    wrong = [] if seen in (MINE, new) else [f"seen: {seen!r}"]
    mend(work.settings)
    wrong += [] if work.text == seen else ["it changed with the next start"]
    wrong += [f"left over: {name}" for name in work.leftovers()]
    with closing(work.journal()) as journal:
        sweeps = journal.sweeps()
        states = {each.state for sweep in sweeps for each in journal.steps(sweep.id)}
    wrong += [] if all(sweep.ended for sweep in sweeps) else ["a sweep is open"]
    wrong += [f"states {states}"] if not states <= {"done", "undone", "skipped", "failed"} else []
    again = work.janitor("gitignore", "sync")
    wrong += [f"again: {again}"] if again.code else []
    wrong += [] if work.text == new else [f"again: {work.text!r}"]
    return wrong + [f"left over: {name}" for name in work.leftovers()]


SCENES: dict[str, Build] = {
    "gitignore": partial(scene, False),
    "undo of gitignore": partial(scene, True),
}
