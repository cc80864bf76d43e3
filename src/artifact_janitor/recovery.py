"""Finish or roll back what a killed janitor left (S12).

Each rename is atomic, so of every journalled move either the old or the new place holds
the thing. A step of several moves that stopped in the middle is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator

from artifact_janitor.apply import trash
from artifact_janitor.apply.ground import Ground
from artifact_janitor.core.model import Pin
from artifact_janitor.errors import StepFailed, StepSkipped
from artifact_janitor.journal import Journal, State, Step
from artifact_janitor.state import STATE
from artifact_janitor.workplace import Workplace

BY_UNDO = "brought back by undo"
"""How the note of each pin begins that an undo made."""


def recover(place: Workplace, now: int) -> list[str]:
    """Settle all open steps of sweeps whose janitor is gone; says what was found."""
    journal, state, ground = place.journal, place.state, place.ground
    found = []
    for sweep in journal.sweeps():
        if not sweep.ended and state.is_dead(sweep.id):
            with state.step():
                found += [*_settle(journal, ground, sweep.id, now)]
                _tidy(journal, ground, sweep.id)
                journal.end(sweep.id, now)
    for name in state.held():
        if state.is_dead(name):
            state.forget(name)
    trashes = [STATE, *(f"{root}/{STATE}" for root in ground.roots)]
    with state.step():
        return [*found, *trash.finish_purges(ground, trashes)]


def _settle(journal: Journal, ground: Ground, sweep: str, now: int) -> Iterator[str]:
    for step in journal.steps(sweep):
        if step.took and step.state in ("intended", "done"):
            yield from _settle_trash(journal, ground, step, now)
        elif step.do == "undo" and step.state in ("intended", "done"):
            yield from _settle_undo(journal, ground, step, now)
        elif step.do == "purge" and step.state == "intended":
            yield from _settle_purge(journal, ground, step, now)


def _tidy(journal: Journal, ground: Ground, sweep: str) -> None:
    """Remove empty folders of the trash that were made for a move, or left by one."""
    for step in journal.steps(sweep):
        for move in (*journal.moves(step.id), *journal.moves(step.about or 0)):
            trash.prune(ground, move.target)


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
    except (StepSkipped, StepFailed) as error:
        state: State = "done" if trash.holds(ground, moves) else "failed"
        journal.settle(step.id, state, f"interrupted, and {error}", now)
        yield f"{step.path} was interrupted half-way: {error}"
        return
    journal.settle(step.id, "skipped", "interrupted", now)
    yield f"{step.path} is where it was"


def _settle_undo(journal: Journal, ground: Ground, step: Step, now: int) -> Iterator[str]:
    try:
        trash.put_back(ground, journal.moves(step.about or 0))
    except (StepSkipped, StepFailed) as error:
        journal.settle(step.id, "failed", f"interrupted, and {error}", now)
        yield f"{step.path} did not come back: {error}"
        return
    if step.about is not None:
        journal.pin(Pin(step.path, BY_UNDO, now))
        journal.turn(step.about, "undone")
    journal.settle(step.id, "done", "finished after an interruption", now)
    yield f"{step.path} is back"


def _settle_purge(journal: Journal, ground: Ground, step: Step, now: int) -> Iterator[str]:
    """What was taken out of the trash is removed by `finish_purges`; the rest stays in it."""
    moves = journal.moves(step.about or 0)
    still_there = trash.holds(ground, moves)
    if not still_there and step.about is not None:
        journal.turn(step.about, "purged")
        trash.drop(ground, moves[1:])
    state: State = "skipped" if still_there else "done"
    journal.settle(step.id, state, "interrupted" if still_there else "finished later", now)
    yield f"{step.path} {'stays in the trash' if still_there else 'was purged'}"
