"""Follow trainings until their models are in their places, or won't be."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from artifact_janitor import clock, handing_over
from artifact_janitor.cli.session import Session, Tick
from artifact_janitor.core.jobs import Job, Training
from artifact_janitor.handing_over import Standing, standings
from artifact_janitor.looking import reading
from artifact_janitor.outcome import Outcome
from artifact_janitor.render import facts, jobs
from artifact_janitor.render.lines import line
from artifact_janitor.render.words import shown
from artifact_janitor.sweep import hand_over, mend

OFTEN = 0.5
"""Seconds between two looks at a training."""
FAILED = ("failed", "lost", "later", "cancelled")
"""What it says of a job that gave no model, though nothing better came."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A job that was followed, as it stood when it ended."""

    job: Job
    why: str = ""


def waiting(outcomes: Iterable[Outcome]) -> list[str]:
    """The keys of the models whose trainings a sweep began."""
    done = (each.step.handover for each in outcomes if each.outcome == "done")
    return [each.wanted.key for each in done if isinstance(each, Training)]


def follow(session: Session, keys: Sequence[str], *, every: bool = False) -> list[Followed]:
    """Wait for these, and publish what comes of them; with `every` for those too that wait for
    their turn. Ctrl-C ends the waiting, no training."""
    keys = [*keys]
    with session.progress() as tick:
        while keys:
            mine = _newest(session, keys)
            at_work = [each for each in mine if each.job.is_active]
            _tell(tick, at_work)
            if at_work and all(each.job.live in ("RUNNING", "UNKNOWN") for each in at_work):
                time.sleep(OFTEN)
            elif _moved(session, keys, every=every):
                continue
            elif at_work:
                time.sleep(OFTEN)
            else:
                return [Followed(each.job, each.job.why) for each in mine]
    return []


def _newest(session: Session, keys: Sequence[str]) -> list[Standing]:
    """The last attempt at each key."""
    with reading(session.settings) as journal:
        every = {each.job.key: each for each in standings(session.settings, journal)}
    return [every[key] for key in keys if key in every]


def _tell(tick: Tick, mine: Sequence[Standing]) -> None:
    running = [each for each in mine if each.job.live == "RUNNING"]
    for each in running[:1]:
        far = each.progress
        said = f"{shown(each.job.name)}: {jobs.said(each)}"
        tick(said, far.epoch if far else 0, (far.epochs or 0) if far else 0)


def _moved(session: Session, keys: list[str], *, every: bool) -> bool:
    """Let the next sweep come for these alone, or for `every` model; whether it did anything.
    Whose training it began, is among the keys then."""
    settings = session.settings
    mend(settings)
    with reading(settings) as journal:
        sight = handing_over.look(settings, journal, clock.read())
    steps = [each for each in sight.handover.steps if every or each.mark[0] in keys]
    report = hand_over(settings, sight, steps, session.command)
    session.say(line(("note: " + shown(note), "dim")) for note in report.notes)
    keys += [each for each in waiting(report.outcomes) if each not in keys]
    went = any(each.outcome == "done" for each in report.outcomes)
    return went or bool(sight.handover.settled)


def verdict(followed: Sequence[Followed]) -> tuple[int, list[dict[str, str]]]:
    """The exit code, and what a program should know; a model that is rejected is no error."""
    odd = [each for each in followed if each.job.state in FAILED]
    errors = [facts.error(each.job.state, each.why, path=each.job.path) for each in odd]
    return (3 if odd else 0), errors


def of_followed(followed: Sequence[Followed]) -> dict[str, Any]:
    if not followed:
        return {}
    return {"jobs": [jobs.of_standing(Standing(each.job)) for each in followed]}


def followed_lines(followed: Sequence[Followed]) -> Iterator[Text]:
    for each in followed:
        job = each.job
        style = {"published": "bold green"}.get(job.state, "bold yellow")
        what = job.target if job.state == "published" else each.why
        yield line("  ", (job.state, style), f"  {shown(job.name)}   ", (shown(what), "dim"))
        if job.state in FAILED:
            yield line("    → ", (f"see .janitor/jobs/{job.token}/log.txt", "bold"))
