"""What was compressed, and what becomes of it when its original comes back, or the janitor was
killed half-way.

The compressed file goes only where the original is at its place; else it may be all that is
left of it. And it goes only as it was made: what somebody wrote to or replaced stays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from artifact_janitor import clock
from artifact_janitor.apply import compress, trash
from artifact_janitor.apply.ground import Ground
from artifact_janitor.core.compressing import COMPRESS
from artifact_janitor.core.model import is_within
from artifact_janitor.errors import StepFailed, StepSkipped
from artifact_janitor.journal import Intent, Step
from artifact_janitor.observe import recheck
from artifact_janitor.observe.examine import in_trash
from artifact_janitor.workplace import Workplace

INTERRUPTED = "finished after an interruption"


def looks(made: str, original: int) -> str:
    """What the journal says of a compressed file: its marks, and its original's inode."""
    return f"{made} of {original}"


def is_home(ground: Ground, path: str, looked: str) -> bool:
    """Whether the very file that was compressed, and no later one, is at its place."""
    ino = looked.partition(" of ")[2]
    return bool(ino) and ground.is_at(path, int(ino))


def withdrawn(place: Workplace, step: Step) -> str:
    """Take away what a step compressed in vain, as long as the original is where it was; says
    what stays, if anything does. Where the disk says no, the next start tries again. The lock is
    held."""
    why = ""
    for move in place.journal.moves(step.id):
        looked = step.fingerprint.partition(" of ")[0]
        try:
            if not compress.withdraw(place.ground, move, looked):
                why = f"{move.source} was changed meanwhile, and stays"
            if not place.ground.has(move.target):
                place.journal.compressions.withdrawn(step.id)
        except (StepSkipped, StepFailed) as error:
            return f"{move.source} stays: {error}"
    return why


def recover(place: Workplace, sweep: str, now: int) -> Iterator[str]:
    """Settle what was to be compressed, after all that concerns the trash."""
    journal, ground = place.journal, place.ground
    for step in journal.steps(sweep):
        if step.do != COMPRESS or step.state != "intended":
            continue
        stands = any(ground.is_at(each.source, each.ino) for each in journal.moves(step.id))
        if stands and not is_home(ground, step.path, step.fingerprint):
            journal.settle(step.id, "done", INTERRUPTED, now)
            yield f"{step.path} was compressed"
            continue
        why = withdrawn(place, step)
        journal.settle(step.id, "skipped", ": ".join(filter(None, ("interrupted", why))), now)
        yield f"{step.path} was not compressed"
    try:
        compress.clear(ground, sweep)
    except (StepFailed, StepSkipped) as error:
        yield error.message


def retire(place: Workplace, sweep: str, taken: Step, *, again: bool = False) -> str:
    """The original that this step took is back: what it was compressed to goes to the trash;
    says what stays, if anything does. The lock is held. With `again` a janitor that was killed
    may have begun with it, or even be done."""
    made = place.journal.compressions.before(taken)
    for move in place.journal.moves(made.id) if made else ():
        looked = made.fingerprint.partition(" of ")[0] if made else ""
        if not place.ground.has(move.source):
            continue
        if compress.marks(place.ground.stat(move.source)) != looked:
            return f"{move.source} was changed since, and stays beside it"
        if any(is_within(move.source, pin.path) for pin in place.journal.pins()):
            return f"{move.source} is pinned, and stays beside it"
        try:
            begun = _begun(place, sweep, move.source) if again else None
            _to_trash(place, sweep, move.source, taken, begun)
        except (StepSkipped, StepFailed) as error:
            return f"{move.source} stays beside it: {error}"
    if made:
        place.journal.turn(made.id, "undone")
    return ""


def _begun(place: Workplace, sweep: str, path: str) -> int | None:
    steps = place.journal.steps(sweep)
    return next((each.id for each in steps if each.took and each.path == path), None)


def _to_trash(
    place: Workplace, sweep: str, path: str, taken: Step, number: int | None = None
) -> None:
    journal, ground, now = place.journal, place.ground, clock.read().wall
    if number is None:
        content = recheck.read(place.settings.workspace, path)
        size = ground.stat(path).st_blocks * 512
        moves = trash.moves_for(ground, sweep, [path])
        why = (f"{taken.path} is back",)
        seen = in_trash(content)
        intent = Intent("trash", taken.kind, path, size, size, seen, why, moves=moves)
        (number,) = journal.intend(sweep, [intent], now)
    with ground.parent(path) as (folder, _):
        before = os.fstat(folder).st_mtime_ns
        done = trash.carry_out(ground, journal.moves(number))
        trash.set_mtime(folder, before)
    journal.settle(number, "done", "", now, done)
