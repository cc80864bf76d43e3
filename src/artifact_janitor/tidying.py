"""Remove what is of no use any more, and could not be removed when that was known: a disk said
no, or somebody's symlink was in the way. Nothing of it is all that is left of anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from artifact_janitor.apply import compress, trash
from artifact_janitor.apply.archive import store, whose
from artifact_janitor.apply.ground import Ground
from artifact_janitor.compressed import is_home, withdrawn
from artifact_janitor.core.compressing import COMPRESS
from artifact_janitor.core.model import is_within
from artifact_janitor.errors import StepFailed, StepSkipped
from artifact_janitor.journal import Archived, Journal, Step
from artifact_janitor.workplace import Workplace, store_of

RESTORING = "restoring"
"""The folder beside the trash that archives are unpacked in."""
TROUBLE = (StepSkipped, StepFailed)
"""The next start tries again."""


def tidy(place: Workplace) -> None:
    """After all that was interrupted is settled, and while no other janitor is at work: one is
    about to use an empty folder. The lock is held."""
    over = {sweep.id for sweep in place.journal.sweeps() if sweep.ended}
    compressions = place.journal.compressions
    for step in (*compressions.in_vain(), *compressions.left_beside()):
        with suppress(*TROUBLE):
            _withdraw(place, step)
    for state in place.ground.states:
        _remove_staged(place, state, over)
        for made in (compress.FOLDER, RESTORING):
            trash.remove_empty(place.ground, f"{state}/{made}")
    for found in place.journal.archives.in_vain():
        with suppress(*TROUBLE):
            if place.ground.is_at(found.path, found.ino):  # else it may be all there is
                disown(place, found)
    store_of(place.settings).tidy()
    _drop_links(place, over)


def _withdraw(place: Workplace, step: Step) -> None:
    """A compressed log whose log is at its place; not one that a person pinned."""
    made, pins = place.journal.moves(step.id), place.journal.pins()
    if any(is_within(each.source, pin.path) for each in made for pin in pins):
        return
    is_gone = is_home(place.ground, step.path, step.fingerprint) and not withdrawn(place, step)
    if is_gone and step.state == "done":
        place.journal.turn(step.id, "undone")


def _remove_staged(place: Workplace, state: str, over: set[str]) -> None:
    """What was unpacked and did not reach its place, its archive still holds; what was
    compressed in vain, the log itself."""
    for _, path in _staged(place.ground, f"{state}/{RESTORING}", over):
        with suppress(*TROUBLE):
            trash.remove(place.ground, path)
    for sweep, path in _staged(place.ground, f"{state}/{compress.FOLDER}", over):
        steps = (each for each in place.journal.steps(sweep) if str(each.id) == path.split("/")[-1])
        with suppress(*TROUBLE):
            if any(_is_ours(place, step, path) for step in steps):
                trash.remove(place.ground, path)


def _staged(ground: Ground, folder: str, over: set[str]) -> Iterator[tuple[str, str]]:
    """What waits there for sweeps that are over: the sweep, and the path."""
    for sweep in over.intersection(trash.names_in(ground, folder)):
        for name in trash.names_in(ground, f"{folder}/{sweep}"):
            yield sweep, f"{folder}/{sweep}/{name}"


def _is_ours(place: Workplace, step: Step, part: str) -> bool:
    """What is not as it was made may be somebody else's: it was taken from the log's side, and
    its place was taken before it could go back."""
    if not place.journal.moves(step.id):
        return True
    looked = step.fingerprint.partition(" of ")[0]
    return compress.marks(place.ground.stat(part)) == looked


def disown(place: Workplace, found: Archived) -> None:
    """Remove an archive that is of no use, unless another workspace made it, of which this one is
    a copy; where that can't be, the next start tries again."""
    here = store_of(place.settings, found.store)
    is_anothers = whose.is_made_elsewhere(here, found.name, place.settings.workspace)
    if is_anothers or store.discard(here, found.name):
        place.journal.archives.unindex(found.step)


def _drop_links(place: Workplace, over: set[str]) -> None:
    """Links in the trash to what was purged, and the empty folders of those sweeps."""
    lying = (each.trash.partition("/trash/")[2] for each in place.journal.trashed())
    kept = {each.partition("/")[0] for each in lying}
    states = place.ground.states
    for name in {name for each in states for name in trash.names_in(place.ground, f"{each}/trash")}:
        if name in over and name not in kept:
            for step in place.journal.steps(name):
                if step.state == "purged":
                    trash.drop(place.ground, place.journal.moves(step.id)[1:])
            prune_trash(place.journal, place.ground, name)


def prune_trash(journal: Journal, ground: Ground, sweep: str) -> None:
    """Remove empty folders of the trash that were made for a move, or left by one."""
    for step in journal.steps(sweep):
        for move in (*journal.moves(step.id), *journal.moves(step.about or 0)):
            if step.do != COMPRESS:  # its own is cleared already, and lies in no trash
                trash.prune(ground, move.target)
