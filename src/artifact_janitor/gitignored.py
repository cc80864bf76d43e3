"""What was done to ``.gitignore``, in the journal: written, taken back, and mended after a kill.

The file is replaced at once, so that it is either what was there before or what was written:
which of both, its content tells. What was there before is kept in the journal for good.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass

from artifact_janitor import clock
from artifact_janitor.apply import gitignore as file
from artifact_janitor.apply.gitignore import Found, NoRules
from artifact_janitor.core.gitignore import FILE
from artifact_janitor.core.plan import GITIGNORE
from artifact_janitor.errors import StepFailed, StepSkipped
from artifact_janitor.journal import Intent, Journal, Step
from artifact_janitor.journal.configs import digest_of
from artifact_janitor.workplace import Workplace


@dataclass(frozen=True, slots=True)
class Marks:
    """What the journal says of one change: digests of both contents, "" for no file, and the
    mtime that the file had, in nanoseconds."""

    was: str
    now: str
    mtime: int = 0

    def written(self) -> str:
        return json.dumps(asdict(self))


def marks_of(step: Step) -> Marks:
    return Marks(**json.loads(step.fingerprint))


def _digest(content: bytes | None) -> str:
    return "" if content is None else digest_of(content)


def name_of(before: bytes | None, after: str | None) -> str:
    """A sweep's name: the same change of the same file has the same."""
    return _digest(f"{_digest(before)} {after}".encode("utf-8", "surrogateescape"))[:4]


def last(journal: Journal | None) -> Step | None:
    """The newest change that stood."""
    steps = journal.of(GITIGNORE) if journal else []
    return next((each for each in steps if each.state in ("done", "undone")), None)


def write(
    place: Workplace, sweep: str, before: Found, content: bytes | None, reasons: tuple[str, ...]
) -> None:
    """Journalled before and after. The lock is held. Raises StepSkipped, StepFailed."""
    marks = Marks(_digest(before.content), _digest(content), before.looks.mtime)
    bodies = {} if before.content is None else {marks.was: before.content}
    intent = Intent(GITIGNORE, "gitignore", FILE, fingerprint=marks.written(), reasons=reasons)
    (number,) = place.journal.intend(sweep, [intent], clock.read().wall, (), bodies)
    _tried(place, sweep, number, before, content)


def _tried(
    place: Workplace,
    sweep: str,
    number: int,
    before: Found,
    content: bytes | None,
    mtime: int | None = None,
) -> None:
    try:
        file.replace(place.ground, sweep, before, content, mtime)
    except (StepSkipped, StepFailed) as error:
        said = "skipped" if isinstance(error, StepSkipped) else "failed"
        place.journal.settle(number, said, error.in_full, clock.read().wall)  # type: ignore[arg-type]
        raise
    place.journal.settle(number, "done", "", clock.read().wall)


def undo(place: Workplace, sweep: str, step: Step) -> None:
    """Bring back the file that a step replaced. Raises StepSkipped, StepFailed."""
    with place.state.step():
        marks, before = marks_of(step), file.read(place.ground)
        if _digest(before.content) != marks.now:
            hint = f"what it held before: git log -p {FILE}"
            raise StepFailed(f"{FILE} was changed since it was written", hint)
        content = place.journal.configs.content(marks.was) if marks.was else None
        intent = Intent("undo", "gitignore", FILE, about=step.id)
        (number,) = place.journal.intend(sweep, [intent], clock.read().wall)
        _tried(place, sweep, number, before, content, marks.mtime or None)
        place.journal.turn(step.id, "undone")


def recover(place: Workplace, sweep: str, now: int) -> Iterator[str]:
    """Settle what a killed janitor was about to write or to take back. The lock is held.
    Raises OutOfReach where the file can't be read."""
    for step in place.journal.steps(sweep):
        if step.kind != "gitignore" or step.state not in ("intended", "done"):
            continue
        meant = step if step.about is None else place.journal.step(step.about)
        marks = marks_of(meant)
        there: str | None = None
        with suppress(NoRules):
            there = _digest(file.read(place.ground).content)
        arrived = there == (marks.now if step.about is None else marks.was)
        if step.about is not None and (arrived or step.state == "done"):
            place.journal.turn(step.about, "undone")
        if step.state == "done":
            continue
        place.journal.settle(step.id, "done" if arrived else "skipped", "interrupted", now)
        if arrived:
            yield f"{FILE} {'was written' if step.about is None else 'is back'}"
