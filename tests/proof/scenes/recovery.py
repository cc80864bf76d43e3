"""The next janitor, who finishes what a killed one began, and is killed itself."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from artifact_janitor.sweep import mend
from tests.proof.scene import Build, Scene
from tests.proof.scenes import archive, compress, expire, promote, publish, together, trash
from tests.real import small as commands
from tests.real.kills import Moment, killed, moments_of

INTERRUPTED: dict[str, Build] = {
    "trash": trash.SCENES["trash"],
    "undo": trash.SCENES["undo"],
    "archive": archive.SCENES["archive"],
    "expire": expire.SCENES["expire"],
    "publish over": publish.SCENES["publish over"],
    "promote": promote.SCENES["promote"],
    "compress": compress.SCENES["compress"],
    "restore": archive.SCENES["restore"],
    "purge": trash.SCENES["purge"],
    "everything at once": together.SCENES["everything at once"],
}


@cache
def after_a_rename(name: str, place: Path) -> Moment:
    """The moment after one of its renames, about the middle one: on the disk it is done, and the
    journal doesn't say so yet."""
    scene = INTERRUPTED[name](place)
    every = moments_of(scene.start(), place.with_name("trace-to-recover"))
    renames = [at for at, (call, _) in enumerate(every) if call == "renameat2"]
    commands.shutil.rmtree(place)
    return every[renames[len(renames) // 2] + 1]


def scene(name: str, root: Path) -> Scene:
    moment = after_a_rename(name, root)
    begun = INTERRUPTED[name](root)
    assert killed(begun.start(), *moment)

    def mends(_: object) -> int:
        return int(mend(begun.work.settings) is None)

    def first() -> None:
        begun.first()
        commands.answer = mends  # type: ignore[assignment]

    return replace(begun, first=first, done=lambda: True)


SCENES: dict[str, Build] = {f"recovery of {name}": partial(scene, name) for name in INTERRUPTED}
