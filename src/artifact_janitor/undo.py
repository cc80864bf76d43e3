"""Take back what a sweep or a step did (S10)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from artifact_janitor import clock, gitignored
from artifact_janitor.apply import trash
from artifact_janitor.archived import named
from artifact_janitor.compressed import retire
from artifact_janitor.core.compressing import COMPRESS, SUFFIX
from artifact_janitor.core.milestone import RULE, STEPS
from artifact_janitor.core.model import Artifact, Pin
from artifact_janitor.core.plan import GITIGNORE, PUBLISH, Step
from artifact_janitor.errors import ArchiveError, Locked, StepFailed, StepSkipped, UsageError
from artifact_janitor.journal import Intent, Journal, Move, Sweep
from artifact_janitor.journal import Step as Done
from artifact_janitor.outcome import Outcome
from artifact_janitor.promoting import take_back
from artifact_janitor.publishing import unpublish
from artifact_janitor.recovery import BY_UNDO, recover
from artifact_janitor.restoring import restore_in
from artifact_janitor.workplace import Workplace

Tick = Callable[[str, int, int], None]
"""What is being done, how many are done, of how many."""


def undo(
    place: Workplace,
    names: Iterable[str],
    tick: Tick = lambda _what, _done, _total: None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[str, list[Outcome]]:
    """Bring back what the named steps took (see `chosen`), newest first, and pin it; `stop` is
    asked before each.

    Returns the name of this undo in the history, and what came of each step.
    """
    recover(place, clock.read().wall)
    steps = [step for step in chosen(place.journal, names) if step.state in ("done", "purged")]
    if not steps:
        return "", []
    now = clock.read().wall
    sweep = place.journal.begin(f"undo-{steps[0].sweep}", "undo", now, by_person=True)
    with place.state.sweep(sweep):
        outcomes = []
        for step in steps:
            outcomes.append(_not_begun(step) if stop() else _one(place, sweep, step))
            tick("bringing back", len(outcomes), len(steps))
        place.finish(sweep)
    return sweep, outcomes


def _not_begun(step: Done) -> Outcome:
    shown = Step("undo", _artifact(step), (f"taken by {step.sweep}",))
    return Outcome(shown, "skipped", "interrupted before it began")


def _artifact(step: Done) -> Artifact:
    return Artifact(step.path, step.kind, step.at, step.bytes, step.frees)


_PLACED = (PUBLISH, *STEPS)
"""Steps by which files took a place."""


def last(journal: Journal, count: int = 1) -> list[str]:
    """The newest sweeps that took something which can still come back or was purged."""
    others = (sweep for sweep in journal.sweeps() if sweep.command not in ("undo", RULE))
    took = (sweep for sweep in others if _taken(journal, sweep))
    return [sweep.id for sweep, _ in zip(took, range(count), strict=False)]


def _taken(journal: Journal, sweep: Sweep) -> bool:
    states = ("done", "purged")
    return any(each.state in states for each in _undoable(journal, journal.steps(sweep.id)))


def _undoable(journal: Journal, steps: Iterable[Done]) -> list[Done]:
    """Those that took something, published, promoted, or wrote ``.gitignore``; what went for
    another one comes back with that."""
    found: dict[int, Done] = {}
    for step in steps:
        about = journal.publications.that_replaced(step.id)
        if about and about.state != "failed":
            step = journal.step(about.step)
        if step.took or step.do in (*_PLACED, GITIGNORE):
            found[step.id] = step
    return [*found.values()]


def chosen(journal: Journal, names: Iterable[str]) -> list[Done]:
    """The trashed units that these names mean, newest first.

    A name is a sweep's (or the start of one), or "SWEEP.N", its Nth step as `history`
    counts them. Raises UsageError for a name that means nothing, or several sweeps.
    """
    found: dict[int, Done] = {}
    for name in names:
        sweep, _, number = name.partition(".")
        steps = journal.steps(_named(journal, sweep).id)
        if number:
            steps = _numbered(steps, name, number)
        found |= {step.id: step for step in _undoable(journal, steps)}
    return [found[number] for number in sorted(found, reverse=True)]


def _named(journal: Journal, name: str) -> Sweep:
    sweeps = journal.sweeps()
    exact = [sweep for sweep in sweeps if sweep.id == name]
    close = exact or [sweep for sweep in sweeps if name and sweep.id.startswith(name)]
    if len(close) == 1:
        return close[0]
    if close:
        many = ", ".join(sweep.id for sweep in close[:5])
        raise UsageError(f"{name!r} means several sweeps: {many}", "write one of them in full")
    raise UsageError(f"there is no sweep {name!r}", "janitor history lists them")


def _numbered(steps: list[Done], name: str, number: str) -> list[Done]:
    if not number.isdecimal() or not 1 <= int(number) <= len(steps):
        raise UsageError(f"there is no step {name!r}", "janitor history lists them")
    step = steps[int(number) - 1]
    if step.do != COMPRESS:
        return [step]
    return [each for each in steps if each.took and each.path == step.path]


def _one(place: Workplace, sweep: str, step: Done) -> Outcome:
    journal, now = place.journal, clock.read().wall
    artifact = _artifact(step)
    if step.do in _PLACED:
        shown = Step("undo", artifact, (f"{step.do} of {step.sweep}",))
        return _one_publication(place, sweep, step, shown)
    if step.do == GITIGNORE:
        return _one_gitignore(place, sweep, step, artifact)
    shown = Step("undo", artifact, (f"taken by {step.sweep}",))
    intent = Intent("undo", step.kind, step.path, step.bytes, about=step.id)
    (number,) = journal.intend(sweep, [intent], now)
    try:
        why = _bring_back(place, sweep, step)
    except (ArchiveError, StepFailed, StepSkipped) as error:
        why = error.in_full
        journal.settle(number, "failed", why, now)
        return Outcome(shown, "failed", why)
    journal.settle(number, "done", why, now)
    return Outcome(shown, "done", why)


def _one_publication(place: Workplace, sweep: str, step: Done, shown: Step) -> Outcome:
    try:
        (unpublish if step.do == PUBLISH else take_back)(place, sweep, step)
    except (StepFailed, StepSkipped) as error:
        why = error.in_full
        return Outcome(shown, "failed", why)
    return Outcome(shown, "done", code=step.do)


def _one_gitignore(place: Workplace, sweep: str, step: Done, artifact: Artifact) -> Outcome:
    shown = Step("undo", artifact, (f"written by {step.sweep}",))
    try:
        gitignored.undo(place, sweep, step)
    except (StepFailed, StepSkipped, Locked) as error:
        return Outcome(shown, "failed", error.in_full)
    return Outcome(shown, "done", code=GITIGNORE)


def _bring_back(place: Workplace, sweep: str, step: Done) -> str:
    """Says what is left of what it was compressed to, if anything is."""
    journal = place.journal
    if step.state == "purged":
        _unpack(place, sweep, step)
        return ""
    if later := _around(place, step):
        raise StepFailed(f"{later.path} lies in the trash itself", f"janitor undo {later.sweep}")
    with place.state.step():
        moves = journal.moves(step.id)
        with _by_hand(moves):
            if not trash.holds(place.ground, moves):
                raise StepFailed("not in the trash any more", "somebody took it out")
            trash.put_back(place.ground, moves)
        journal.turn(step.id, "undone")
        journal.pin(Pin(step.path, f"{BY_UNDO} {step.sweep}", clock.read().wall))
        return retire(place, sweep, step)


@contextmanager
def _by_hand(moves: Sequence[Move]) -> Iterator[None]:
    """Where there is no way back, as its folder is on another disk by now, or none of the
    configured ones any more, a person must know where it lies."""
    try:
        yield
    except (StepFailed, StepSkipped) as error:
        if moves and not error.hint:
            error.hint = f"it lies in {moves[0].target}; copy it back from there by hand"
        raise


def _unpack(place: Workplace, sweep: str, step: Done) -> None:
    """What left the trash for good may have been archived in the same sweep."""
    journal, compressed = place.journal, step.path + SUFFIX
    if journal.compressions.before(step) and place.ground.has(compressed):
        raise StepFailed("purged, but still there compressed", f"zstdcat {compressed}")
    made = [each for each in journal.archives.all() if each.path == step.path and each.digest]
    mine = next((each for each in made if journal.step(each.step).sweep == step.sweep), None)
    if mine is None:
        raise StepFailed("purged: it left the trash for good")
    restore_in(place, sweep, named(place.settings, journal, mine.name))
    journal.turn(step.id, "undone")
    journal.pin(Pin(step.path, f"{BY_UNDO} {step.sweep}", clock.read().wall))


def _around(place: Workplace, step: Done) -> Done | None:
    """A folder around this unit that went to the trash after it, and left its place empty."""
    later = (each for each in place.journal.trashed_around(step.path) if each.id > step.id)
    return next((each for each in later if not place.ground.has(each.path)), None)
