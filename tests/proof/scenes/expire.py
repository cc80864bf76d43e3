"""Archives on their way into the trash, back from it, and out of it for good."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import cache, partial
from pathlib import Path

from artifact_janitor.apply.archive.store import IN_ORDER
from artifact_janitor.sweep import mend
from tests.proof.scene import Build, Scene, shelf
from tests.proof.scenes.archive import UNITS
from tests.real.small import Small, small
from tests.real.snapshot import difference, snapshot
from tests.test_expire import EXPIRING, archived

Phase = Callable[[Small], tuple[str, ...]]


def to_expire(work: Small) -> tuple[str, ...]:
    return "run", "--yes"


def to_undo_it(work: Small) -> tuple[str, ...]:
    assert work.janitor("run", "--yes").code == 0
    return ("undo",)


def to_purge_it(work: Small) -> tuple[str, ...]:
    assert work.janitor("run", "--yes").code == 0
    work.configure(EXPIRING + 'trash_keep = "0s"\n')
    return "run", "--yes"


@cache
def template() -> Path:
    """A workspace with two old archives."""
    work = small(shelf("expire"), EXPIRING)
    archived(work, *(work.hydra(30, unit) for unit in UNITS))
    return work.root


def scene(phase: Phase, root: Path) -> Scene:
    shutil.copytree(template(), root, symlinks=True)
    work = Small(root)
    args = phase(work)
    return Scene(work, args, partial(is_done, work, phase), partial(outcome, work, phase))


def parts(work: Small, name: str, place: str) -> set[str]:
    return {each for each in IN_ORDER for _ in work.root.glob(f".janitor/{place}/{name}{each}")}


def places(work: Small, name: str) -> tuple[set[str], set[str]]:
    """What of an archive is in the store, and in the trash."""
    return parts(work, name, "archive"), parts(work, name, "trash/*/.janitor/archive")


def names() -> list[str]:
    return sorted(indexed(Small(template())))


def indexed(work: Small) -> set[str]:
    with closing(work.journal()) as journal:
        return {each.name for each in journal.archives.all()}


def is_done(work: Small, phase: Phase) -> bool:
    whole = {*IN_ORDER}
    wanted = {to_expire: (set(), whole), to_undo_it: (whole, set()), to_purge_it: (set(), set())}
    return all(places(work, name) == wanted[phase] for name in names())


def unsound(work: Small, names: Iterable[str], phase: Phase) -> list[str]:
    """Each archive is whole in one place, and in the index only where it is in the store."""
    wrong = [f"left over: {name}" for name in work.leftovers() if name != "archive"]
    index = indexed(work)
    with closing(work.journal()) as journal:
        waiting = {each.path for each in journal.trashed()}
    for name in names:
        here, there = places(work, name)
        whole = {*IN_ORDER}
        gone = phase is to_purge_it and not here and not there
        if (here, there) not in ((whole, set()), (set(), whole)) and not gone:
            wrong.append(f"{name} is here {sorted(here)} and there {sorted(there)}")
        wrong += [f"the index says otherwise of {name}"] if (name in index) != bool(here) else []
        in_trash = any(f"/{name}." in path for path in waiting)
        wrong += [f"the trash says otherwise of {name}"] if in_trash != bool(there) else []
    return wrong


def outcome(work: Small, phase: Phase) -> list[str]:
    """Let the next janitors come: what is wrong then."""
    mend(work.settings)
    wrong = unsound(work, names(), phase)
    work.configure(EXPIRING)
    if phase is to_expire:
        again = work.janitor("run", "--yes")
        wrong += [f"again: {again}"] if again.code else []
        wrong += ["did not expire"] if indexed(work) else []
    undone = work.janitor("undo", "--last", "9")
    if phase is to_purge_it:
        return wrong + work.trash()
    wrong += [f"undo: {undone}"] if undone.code not in (0, 3) else []
    before = snapshot(template() / ".janitor" / "archive")
    wrong += difference(before, snapshot(work.root / ".janitor" / "archive"))
    wrong += ["damaged"] if work.janitor("verify").code else []
    wrong += ["not in the index"] if indexed(work) != {*names()} else []
    return wrong + work.trash()


SCENES: dict[str, Build] = {
    "expire": partial(scene, to_expire),
    "undo of expire": partial(scene, to_undo_it),
    "purge of expired": partial(scene, to_purge_it),
}
