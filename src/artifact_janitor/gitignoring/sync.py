"""Write the block, as a step of a sweep or by itself; never in the middle of a merge."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from artifact_janitor import gitignored
from artifact_janitor.apply import gitignore as file
from artifact_janitor.config import Settings
from artifact_janitor.core.gitignore import FILE
from artifact_janitor.core.gitignore_proof import Finding
from artifact_janitor.core.model import Artifact, Refusal
from artifact_janitor.core.plan import GITIGNORE, Step
from artifact_janitor.errors import Locked, StepFailed, StepSkipped
from artifact_janitor.gitignoring.check import drift, refusals
from artifact_janitor.gitignoring.look import GitTrouble, Sight, look
from artifact_janitor.gitignoring.prove import Proof, prove
from artifact_janitor.journal import Journal
from artifact_janitor.observe import liveness
from artifact_janitor.outcome import Outcome
from artifact_janitor.state import State
from artifact_janitor.workplace import Workplace, workplace

UNDONE = "taken back by janitor undo, and left so"


@dataclass(frozen=True, slots=True)
class Synced:
    """What came of a sync: "nothing" where all is in line, "none" where there is no Git."""

    state: Literal["none", "nothing", "done", "refused", "failed"]
    why: str = ""
    sweep: str = ""
    refusals: tuple[Refusal, ...] = ()
    diff: tuple[str, ...] = ()


def planned(
    settings: Settings, journal: Journal | None, now: int
) -> tuple[Step | None, list[Refusal]]:
    """The step of a sweep that nobody asked for by name, if there is one, and what forbids it.
    Without a config.toml nothing is ever changed. Changes nothing."""
    if settings.source is None:
        return None, []
    try:
        sight = look(settings)
        if sight is None:
            return None, []
        # a first plan makes no folder, not even for the proof: it comes with the run
        has_own = State(settings.workspace).folder.is_dir()
        proof = prove(settings, sight) if sight.drifts and has_own else Proof()
    except GitTrouble as error:
        return None, [Refusal("gitignore", error.message, error.hint, "gitignore", FILE)]
    held = [*_held(sight, proof, journal if sight.drifts else None)]
    if held or not sight.change or not sight.drifts:
        return None, held
    artifact = Artifact(FILE, "gitignore", sight.found.looks.mtime or now)
    return Step(GITIGNORE, artifact, (drift(sight.change),)), []


def _held(sight: Sight, proof: Proof, journal: Journal | None) -> Iterable[Refusal]:
    """What forbids a change; with a `journal` also that a person took the last one back."""
    found = [_refusal(each) for each in refusals(sight, proof)]
    yield from found
    if sight.drifts and (what := sight.repo.underway):
        yield Refusal("gitignore", f"{FILE} waits: Git is in the middle of {what}", "", "gitignore")
    last = gitignored.last(journal)
    if last and last.state == "undone" and not found:
        hint = "janitor gitignore sync"
        yield Refusal("gitignore", f"{FILE}: {UNDONE}", hint, "gitignore", FILE)


def _refusal(finding: Finding) -> Refusal:
    more = f" (and {finding.more} more)" if finding.more else ""
    rule = f" {finding.rule}" if finding.rule else ""
    said = f"{finding.where}:{rule} {finding.what}{more}"
    return Refusal("gitignore", said, finding.hint, "gitignore", finding.path)


def sync(settings: Settings, now: int, command: str = GITIGNORE, *, by_person: bool) -> Synced:
    """Bring the file in line, in a sweep of its own; `now` in nanoseconds.

    What a person took back stays so unless a person asks. Raises GitTrouble, Locked, and
    JanitorError where the workspace's own folder can't be used.
    """
    sight = look(settings)
    if sight is None:
        return Synced("none")
    if sight.change and not sight.drifts:
        return Synced("nothing")
    if held := [*_held(sight, prove(settings, sight), None)]:
        return _refused(held, sight)
    with workplace(settings) as place:
        if not by_person and (held := [*_held(sight, Proof(), place.journal)]):
            return _refused(held, sight)
        sweep = place.journal.begin(_name(sight), command, now, by_person=by_person)
        with place.state.sweep(sweep):
            step = Step(GITIGNORE, Artifact(FILE, "gitignore", now), _reasons(sight))
            outcome = carry_out(place, sweep, step)
            place.finish(sweep)
    if outcome.code == "locked":
        raise Locked(outcome.why)
    if outcome.outcome != "done":
        is_failed = outcome.outcome == "failed"
        return Synced("failed" if is_failed else "refused", outcome.why, sweep)
    return Synced("done", ", ".join(step.reasons), sweep, diff=tuple(sight.diff))


def _refused(held: list[Refusal], sight: Sight) -> Synced:
    diff = tuple(sight.diff) if sight.flaw else ()
    return Synced("refused", held[0].message, refusals=tuple(held), diff=diff)


def _reasons(sight: Sight) -> tuple[str, ...]:
    return (drift(sight.change),) if sight.change else ()


def _name(sight: Sight) -> str:
    """The same change of the same file has the same name."""
    content = sight.change.new if sight.change else ""
    return gitignored.name_of(sight.found.content, content)


def carry_out(place: Workplace, sweep: str, step: Step) -> Outcome:
    """Look once more, under the lock, and write what is proven then."""
    try:
        with place.state.step():
            return _written(place, sweep, step)
    except Locked as error:
        return Outcome(step, "skipped", error.message, "locked")
    except (StepSkipped, GitTrouble) as error:
        return Outcome(step, "skipped", error.in_full)
    except StepFailed as error:
        return Outcome(step, "failed", error.in_full)


def _written(place: Workplace, sweep: str, step: Step) -> Outcome:
    settings = place.settings
    sight = look(settings)
    if sight is None or (sight.change and not sight.drifts):
        return Outcome(step, "done", "somebody else did it meanwhile")
    if held := [*_held(sight, prove(settings, sight), None)]:
        raise StepSkipped(held[0].message, held[0].hint)
    assert sight.change is not None
    if why := file.why_not(place.ground, sight.found) or _in_use(place):
        raise StepSkipped(why)
    new = sight.change.new
    content = None if new is None else new.encode("utf-8", "surrogateescape")
    gitignored.write(place, sweep, sight.found, content, step.reasons)
    return Outcome(step, "done")


def _in_use(place: Workplace) -> str:
    with place.ground.parent(FILE) as (folder, name):
        busy = liveness.lease(name, folder) == errno.EAGAIN
    return f"{FILE} is open for writing" if busy else ""
