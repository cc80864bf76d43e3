"""Finish or roll back what a killed janitor left (S12).

Each rename is atomic, so of every journalled move either the old or the new place holds
the thing. A step of several moves that stopped in the middle is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from artifact_janitor import clock, compressed, gitignored
from artifact_janitor.apply import copies, publish, trash
from artifact_janitor.apply.archive import store
from artifact_janitor.apply.ground import Ground
from artifact_janitor.core.milestone import DEMOTE, PROMOTE
from artifact_janitor.core.model import Pin, is_within
from artifact_janitor.core.plan import PUBLISH, RETRAIN
from artifact_janitor.errors import DiskFailed, OutOfReach, StepFailed, StepSkipped
from artifact_janitor.journal import Archived, Journal, Move, Publication, State, Step
from artifact_janitor.state import STATE
from artifact_janitor.tidying import RESTORING, disown, prune_trash, tidy
from artifact_janitor.workplace import Workplace, store_of

BY_UNDO = "brought back by undo"
"""How the note of each pin begins that an undo made."""
BY_RESTORE = "restored by"
"""The same of what came back from an archive."""

WAITS = (OutOfReach, DiskFailed)
"""What a disk may say now, and no more the next time: what was begun waits for that."""


def recover(place: Workplace, now: int) -> list[str]:
    """Settle all open steps of sweeps whose janitor is gone; says what was found, and what has
    to wait because its disk says nothing."""
    journal, state, ground = place.journal, place.state, place.ground
    found, waiting = [], set()
    for sweep in journal.sweeps():
        if not sweep.ended and state.is_dead(sweep.id):
            try:
                with state.step():
                    found += [*_settled(place, sweep.id, now)]
            except WAITS as error:
                waiting.add(sweep.id)
                found.append(f"{sweep.id} was interrupted, and waits: {error}")
    state.clear()
    for name in state.held():
        state.forget(name)
    copies.clear(
        ground, lambda name: name not in waiting and state.is_dead(name), stranded(journal)
    )
    with state.step():
        if not state.held():  # a living janitor is about to use an empty folder
            tidy(place)
        trash.finish_purges(ground, ground.states)
        return found


def _settled(place: Workplace, sweep: str, now: int) -> Iterator[str]:
    """All of one sweep, which is over then. Raises what is in `WAITS`."""
    yield from _settle_publications(place, sweep, now)
    yield from _settle(place, sweep, now)
    yield from _settle_archives(place, sweep, now)
    yield from compressed.recover(place, sweep, now)
    yield from gitignored.recover(place, sweep, now)
    prune_trash(place.journal, place.ground, sweep)
    place.finish(sweep)


def _settle(place: Workplace, sweep: str, now: int) -> Iterator[str]:
    journal, ground = place.journal, place.ground
    for step in journal.steps(sweep):
        if journal.publications.of(step.id) or journal.publications.that_replaced(step.id):
            continue  # these are settled together
        if step.kind == "gitignore":
            continue  # see `gitignored`
        if step.took and step.state in ("intended", "done"):
            yield from _settle_trash(journal, ground, step, now)
        elif step.do == "undo" and step.state in ("intended", "done"):
            yield from _settle_undo(place, step, now)
        elif step.do == "restore" and step.state == "intended":
            yield from _settle_restore(journal, ground, step, now)
        elif step.do == "purge" and step.state in ("intended", "done"):
            yield from _settle_purge(journal, ground, step, now)
        elif step.do == RETRAIN and step.state == "intended":
            _settle_retrain(journal, step, now)


def _settle_publications(place: Workplace, sweep: str, now: int) -> Iterator[str]:
    """What takes a place, and what leaves it for that, or neither. Nothing was renamed before
    the copy was verified, so what was begun is finished."""
    journal, ground = place.journal, place.ground
    for step in journal.steps(sweep):
        found = journal.publications.of(step.id)
        if found is None or step.state != "intended":
            continue
        leaving = journal.moves(found.replaced) if found.replaced else []
        changes = publish.changes(journal.moves(step.id), leaving)
        try:
            is_done = publish.settle(ground, changes)
        except WAITS:
            raise
        except (StepSkipped, StepFailed) as error:
            settle_both(place, found, "failed", f"interrupted, and {error}")
            yield f"{step.path} was interrupted half-way: {error}"
            continue
        if not is_done:
            publish.unmake(ground, step.path)
            settle_both(place, found, "skipped", "interrupted")
            yield f"{step.path} is as it was"
        elif step.do == "undo":
            unpublished(place, found, now)
            yield f"{step.path} is back"
        else:
            settle_both(place, found, "done", "finished after an interruption")
            if step.do == PUBLISH:
                journal.unpin(step.path, BY_UNDO)
            yield f"{step.path} {_CAME[step.do]}"


_CAME = {PUBLISH: "was published", PROMOTE: "was promoted", DEMOTE: "is chosen no more"}


def settle_both(
    place: Workplace, found: Publication, state: State, why: str, moves: Sequence[Move] = ()
) -> None:
    """A publication, and the step that takes a model to the trash for it: what lies there is
    in the trash, whatever became of the other. The publication last: as long as it is open,
    the next start looks at both. `moves` as `Journal.settle` takes them."""
    journal, now = place.journal, clock.read().wall
    if found.replaced is not None:
        try:
            is_gone = trash.arrived(place.ground, journal.moves(found.replaced))
        except OutOfReach:  # for a moment: it was seen there when it was moved
            is_gone = state == "done"
        journal.settle(found.replaced, "done" if is_gone else state, why, now)
    journal.settle(found.step, state, why, now, moves)


def stranded(journal: Journal) -> set[int]:
    """Models, by their inodes, that were to go to the trash for others, and are not known to
    lie there: they may be among the copies that wait, and these are not to be removed."""
    replaced = (each.replaced for each in journal.publications.all() if each.replaced)
    there = ("done", "undone", "purged")
    steps = (each for each in replaced if journal.step(each).state not in there)
    return {move.ino for step in steps for move in journal.moves(step)}


def unpublished(place: Workplace, undo: Publication, now: int) -> None:
    """A publication was taken back by the step of `undo`: its own step says so from now on,
    and so does that of the model which returned."""
    journal = place.journal
    published = journal.publications.of(journal.step(undo.step).about or 0)
    if published is not None:
        journal.turn(published.step, "undone")
        if published.replaced is not None:
            journal.turn(published.replaced, "undone")
            if journal.step(undo.step).kind == "model":  # no policy takes a milestone
                journal.pin(Pin(published.path, BY_UNDO, now))
        for move in journal.moves(undo.step):
            trash.prune(place.ground, move.source)
    publish.unmake(place.ground, undo.path)
    settle_both(place, undo, "done", "")


def _settle_trash(journal: Journal, ground: Ground, step: Step, now: int) -> Iterator[str]:
    """As long as the unit is in the trash its step is "done", so that undo can find it."""
    moves = journal.moves(step.id)
    if moves and all(ground.has(move.target) for move in moves):
        if step.state != "done":
            journal.settle(step.id, "done", "finished after an interruption", now)
            yield f"{step.path} had reached the trash"
        return
    try:
        if trash.holds(ground, moves):
            trash.put_back(ground, moves)
    except WAITS:
        raise
    except (StepSkipped, StepFailed) as error:
        state: State = "done" if trash.holds(ground, moves) else "failed"
        journal.settle(step.id, state, f"interrupted, and {error}", now)
        yield f"{step.path} was interrupted half-way: {error}"
        return
    journal.settle(step.id, "skipped", "interrupted", now)
    yield f"{step.path} is where it was"


def _settle_retrain(journal: Journal, step: Step, now: int) -> None:
    """What became of the training itself is settled before; see `handing_over`."""
    begun = any(
        job.key == step.fingerprint and job.submitted >= step.at for job in journal.jobs.all()
    )
    state: State = "done" if begun else "skipped"
    journal.settle(step.id, state, "" if begun else "interrupted", now)


def _settle_archives(place: Workplace, sweep: str, now: int) -> Iterator[str]:
    """After all that concerns the trash. An archive whose source is still where it was goes;
    else it may be all there is, and stays: it was read back before it got its name."""
    journal = place.journal
    for step in journal.steps(sweep):
        found = journal.archives.of(step.id) if step.do == "archive" else None
        if step.state != "intended" or step.do != "archive":
            continue
        gone = found and not place.ground.is_at(found.path, found.ino)
        if found and gone and _indexed(place, found, now):
            journal.settle(step.id, "done", "finished after an interruption", now)
            yield f"{step.path} was archived as {found.name}"
            continue
        if found:
            disown(place, found)
        journal.settle(step.id, "skipped", "interrupted", now)
        yield f"{step.path} was not archived"


def _indexed(place: Workplace, archived: Archived, now: int) -> bool:
    """Whether the archive stands; one that got its name and no more is put into the index."""
    if archived.digest:
        return True
    made = store.made(store_of(place.settings, archived.store), archived.name)
    if made is not None:
        place.journal.archives.index(archived.step, made.bytes, made.members, made.digest, now)
    return made is not None


def _settle_restore(journal: Journal, ground: Ground, step: Step, now: int) -> Iterator[str]:
    """What reached its place was whole. What did not goes: the archive still holds it."""
    back = []
    for move in journal.moves(step.id):
        here, front, source, target = _on_ground(ground, move)
        names = ground.names_of(move.source) if front else [source]
        staging, _, _ = target.partition(f"/{step.sweep}/")
        staged = f"{staging}/{step.sweep}"
        if here.has(source) and not here.has(target):
            back.append(move.source)
            if is_within(source.removeprefix(f"{front}/"), step.path):
                for name in names:
                    journal.pin(Pin(name, BY_RESTORE, now))
        else:
            for name in names:
                journal.unpin(name, f"{BY_RESTORE} {step.sweep}")
        if here.has(staged) and f"/{RESTORING}/{step.sweep}/" in f"/{target}":
            trash.remove(here, staged)
            trash.prune(here, staged)
    state: State = "done" if back else "failed"
    journal.settle(step.id, state, "interrupted", now)
    yield f"{step.path}: {', '.join(back) or 'nothing of it'} came back from its archive"


def _on_ground(ground: Ground, move: Move) -> tuple[Ground, str, str, str]:
    """A move as its ground knows it; what was restored elsewhere has absolute paths."""
    top, found, _ = move.target.partition(f"/{STATE}/{RESTORING}/")
    if not (found and move.target.startswith("/")):
        return ground, "", move.source, move.target
    above, _, name = top.rpartition("/")
    cut = len(above) + 1
    return Ground(Path(above or "/"), [name]), name, move.source[cut:], move.target[cut:]


def _settle_undo(place: Workplace, step: Step, now: int) -> Iterator[str]:
    journal = place.journal
    try:
        trash.put_back(place.ground, journal.moves(step.about or 0))
    except WAITS:
        raise
    except (StepSkipped, StepFailed) as error:
        journal.settle(step.id, "failed", f"interrupted, and {error}", now)
        yield f"{step.path} did not come back: {error}"
        return
    if step.about is not None:
        journal.pin(Pin(step.path, BY_UNDO, now))
        journal.turn(step.about, "undone")
    taken = journal.step(step.about) if step.about is not None else None
    why = compressed.retire(place, step.sweep, taken, again=True) if taken else ""
    said = "; ".join(filter(None, ("finished after an interruption", why)))
    journal.settle(step.id, "done", said, now)
    yield "; ".join(filter(None, (f"{step.path} is back", why)))


def _settle_purge(journal: Journal, ground: Ground, step: Step, now: int) -> Iterator[str]:
    """What was taken out of the trash is removed by `finish_purges`; the rest stays in it, even
    where the journal knows more than a disk that lost its power."""
    moves = journal.moves(step.about or 0)
    still_there = trash.holds(ground, moves)
    if step.state == "done" and not still_there:
        return
    if step.about is not None:
        journal.turn(step.about, "done" if still_there else "purged")
    if not still_there:
        trash.drop(ground, moves[1:])
    state: State = "skipped" if still_there else "done"
    journal.settle(step.id, state, "interrupted" if still_there else "finished later", now)
    yield f"{step.path} {'stays in the trash' if still_there else 'was purged'}"
