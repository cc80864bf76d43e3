"""Logs on their way into compressed ones, and back."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from artifact_janitor.sweep import mend
from tests.proof.scene import Build, Scene
from tests.real.small import Small, small, still
from tests.real.snapshot import Snapshot, difference, snapshot
from tests.test_compress import POLICY, WORDS, reads

LOGS = ("logs/a.log", "logs/deep/er/b.log")


def scene(undo: bool, root: Path) -> Scene:
    root.mkdir()
    work = small(root)
    work.configure(POLICY)
    for days, name in enumerate(LOGS, 30):
        work.write(name, WORDS, days=days)
    before = snapshot(root)
    if undo:
        assert len(work.run().outcomes) == len(LOGS)
    args = ("undo",) if undo else ("run", "--yes")
    return Scene(work, args, partial(is_done, work, undo), partial(outcome, work, before, undo))


def is_done(work: Small, undo: bool) -> bool:
    return all(work.there(log) is undo and work.there(f"{log}.zst") is not undo for log in LOGS)


def unsound(work: Small, undo: bool) -> list[str]:
    """What is wrong once the next janitor came by."""
    wrong = [f"left over: {name}" for name in work.leftovers()]
    wrong += [f"half done: {path}" for path in work.root.glob("**/compressing")]
    for name in LOGS:
        here, packed = work.there(name), work.there(f"{name}.zst")
        taken = any(work.root.glob(f".janitor/trash/*/{name}"))
        wrong += [f"lost: {name}"] if here == taken else []
        if packed == here:
            wrong.append(f"{name}: log {here}, compressed {packed}, undo {undo}")
        if packed and reads(work.root / f"{name}.zst") != WORDS.encode():
            wrong.append(f"another content: {name}")
    return wrong


def outcome(work: Small, before: Snapshot, undo: bool) -> list[str]:
    mend(work.settings)
    wrong = unsound(work, undo)
    if not undo:
        again = work.janitor("run", "--yes")
        wrong += [f"again: {again}"] if again.code else []
        wrong += [f"not compressed: {each}" for each in LOGS if work.there(each)]
        wrong += unsound(work, undo)
    undone = work.janitor("undo", "--last", "9")
    wrong += [f"undo: {undone}"] if undone.code else []
    return wrong + difference(still(before), still(snapshot(work.root))) + work.leftovers()


SCENES: dict[str, Build] = {
    "compress": partial(scene, False),
    "undo of compress": partial(scene, True),
}
