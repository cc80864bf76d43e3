"""``janitor retrain``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.text import Text

from artifact_janitor import clock, handing_over
from artifact_janitor.cli.following import (
    Followed,
    follow,
    followed_lines,
    of_followed,
    verdict,
    waiting,
)
from artifact_janitor.cli.options import Asked
from artifact_janitor.cli.session import Session
from artifact_janitor.cli.studies import look_at_studies, meant
from artifact_janitor.cli.sweeping import ends_after_a_step
from artifact_janitor.core.handover import Handover
from artifact_janitor.core.jobs import Job
from artifact_janitor.core.plan import Step
from artifact_janitor.core.trainer import MODES
from artifact_janitor.core.wanted import Asked as Wish
from artifact_janitor.errors import Refused, UsageError
from artifact_janitor.looking import reading
from artifact_janitor.outcome import Outcome
from artifact_janitor.render import facts
from artifact_janitor.render.jobs import name_of
from artifact_janitor.render.lines import line
from artifact_janitor.render.words import shown
from artifact_janitor.studying import Seen
from artifact_janitor.sweep import hand_over, mend
from artifact_janitor.trainings import cancel
from artifact_janitor.workplace import workplace


def retrain_command(
    asked: Asked,
    study: Annotated[
        str, typer.Argument(metavar="STUDY", help="Its name, its file, or FILE/MODEL_TYPE.")
    ],
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the training until its model is in place.")
    ] = False,
    mode: Annotated[
        str, typer.Option("--mode", metavar="MODE", help="auto, adopt, replay or refit.")
    ] = "",
    stop: Annotated[bool, typer.Option("--cancel", help="End its training.")] = False,
) -> int:
    """Train the best trial of a study now, whatever became of it before."""
    session = Session("retrain", asked)
    if mode and mode not in MODES:
        raise UsageError(f"{mode!r} is no mode", f"write one of {', '.join(MODES)}")
    if stop and (wait or mode):
        raise UsageError("--cancel goes with no other option", "janitor retrain STUDY --cancel")
    mend(session.settings)
    chosen = [each for each in meant(look_at_studies(session), study) if isinstance(each, Seen)]
    if not chosen:
        raise UsageError(f"{study} can't be read", f"janitor studies {study}", study)
    if stop:
        return _cancelled(session, chosen)
    outcomes: list[Outcome] = []
    keys: list[str] = []
    for each in chosen:
        found, key = _begun(session, each, mode, wait=wait)
        outcomes += found
        keys += [key] if key else []
    followed = follow(session, keys) if wait else []
    return _told(session, outcomes, followed)


def _begun(session: Session, seen: Seen, mode: str, *, wait: bool) -> tuple[list[Outcome], str]:
    """Train one study; what was done, and the key of its model. Raises Refused."""
    settings, identity = session.settings, seen.standing.study
    wish = Wish(identity.path, identity.name, mode)
    with reading(settings) as journal:
        sight = handing_over.look(settings, journal, clock.read(), wish)
    mine = _steps(sight.handover, wish)
    if running := _at_work(sight.handover, wish):
        if not wait and not mine:
            raise Refused(
                f"{running.name} is in training already", f"janitor retrain {seen.label} --wait"
            )
        if not mine:
            return [], running.key
    if not mine:
        raise _refused(sight.handover, seen)
    with ends_after_a_step() as stop:
        report = hand_over(settings, sight, mine, session.command, stop)
    begun = waiting(report.outcomes)
    return [*report.outcomes], begun[0] if begun else ""


def _steps(found: Handover, wish: Wish) -> list[Step]:
    return [each for each in found.steps if each.about == (wish.path, wish.study)]


def _at_work(found: Handover, wish: Wish) -> Job | None:
    mine = (job for job in found.jobs if (job.path, job.study) == (wish.path, wish.study))
    return next((job for job in mine if job.is_active), None)


def _refused(found: Handover, seen: Seen) -> Refused:
    """Why nothing is trained even though a person asks for it."""
    study = seen.standing.study
    said = next(
        (each for each in found.said if (each.path, each.name) == (study.path, study.name)), None
    )
    if said:
        return Refused(f"{said.study}: {said.text}", said.hint, study.path)
    hint = f"janitor studies {seen.label}"
    return Refused(f"{seen.label} has nothing to train: {seen.standing.why}", hint, study.path)


def _cancelled(session: Session, chosen: Sequence[Seen]) -> int:
    """End the trainings of these studies."""
    with workplace(session.settings) as place:
        names = {each.known_by for each in chosen}
        ended = cancel(place, handing_over.executor_of(place.settings), names)
    if not ended:
        raise Refused(f"{chosen[0].label} is not in training", "janitor status")
    lines = [line(("cancelled", "bold"), f"  {shown(each.name)}") for each in ended]
    session.answer({"cancelled": [each.token for each in ended]}, lines)
    return 0


def _told(session: Session, outcomes: Sequence[Outcome], followed: Sequence[Followed]) -> int:
    odd = [each for each in outcomes if each.outcome != "done"]
    errors = [facts.error(each.code or each.outcome, each.why, path=each.step.path) for each in odd]
    worse, more = verdict(followed)
    found = {"steps": facts.of_outcomes(outcomes), **of_followed(followed)}
    session.answer(found, _lines(outcomes, followed), [*errors, *more])
    return 3 if odd else worse


def _lines(outcomes: Sequence[Outcome], followed: Sequence[Followed]) -> Iterator[Text]:
    for each in outcomes:
        what = each.why or ", ".join(each.step.reasons)
        word = "in training" if each.outcome == "done" else each.outcome
        yield line("  ", (word, "bold"), f"  {shown(name_of(each.step))}   ", (shown(what), "dim"))
    yield from followed_lines(followed)
    if not followed and any(each.outcome == "done" for each in outcomes):
        yield line("Next: ", ("janitor status", "bold"), ", then ", ("janitor run", "bold"))
