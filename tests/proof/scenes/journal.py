"""A damaged journal on its way aside, and a new one into its place: at every moment there is the
damaged one as it was, or the new one whole."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from artifact_janitor.sweep import mend
from tests.proof.scene import Build, Scene
from tests.proof.scenes import trash
from tests.real.small import Small, still
from tests.real.snapshot import Snapshot, difference, snapshot

ASIDE = ".janitor/journal.db.damaged-*"


def scene(root: Path) -> Scene:
    """Its first page is gone; all it told of is in the trash, but for a pin."""
    work, units = trash.workspace(root, trash.to_undo, odd=False)
    before = snapshot(root)
    work.run()
    assert work.janitor("pin", "outputs", "--note", "mine").code == 0
    journal = root / ".janitor/journal.db"
    content = bytes(4096) + journal.read_bytes()[4096:]
    journal.write_bytes(content)
    done = partial(is_done, work, content)
    return Scene(work, ("run", "--yes"), done, partial(outcome, work, units, before, content))


def is_done(work: Small, content: bytes) -> bool:
    begins = (work.root / ".janitor/journal.db").read_bytes()[:6] == b"SQLite"
    return begins and [each.read_bytes() for each in set_aside(work)] == [content]


def set_aside(work: Small) -> list[Path]:
    found = sorted(work.root.glob(ASIDE))
    return [each for each in found if not each.name.endswith(("-wal", "-shm"))]


def outcome(work: Small, units: list[str], before: Snapshot, content: bytes) -> list[str]:
    """Let the next janitors come: what is wrong then."""
    mend(work.settings)
    wrong = [] if is_done(work, content) else ["it is not set aside, once and as it was"]
    left = (name for name in work.leftovers() if ".damaged-" not in name)
    wrong += [f"left over: {name}" for name in left]
    pins = {row["path"] for row in work.janitor("status").facts["pins"]}
    wrong += [] if "outputs" in pins else ["the pin is forgotten"]
    wrong += [f"not in the trash: {unit}" for unit in units if not trash.in_trash(work, unit)]
    undone = work.janitor("undo", "--last", "9")
    wrong += [f"undo: {undone}"] if undone.code else []
    return wrong + difference(still(before), still(snapshot(work.root))) + work.trash()


SCENES: dict[str, Build] = {"rebuild of the journal": scene}
