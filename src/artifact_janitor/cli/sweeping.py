"""``janitor plan`` and ``janitor run``."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.prompt import Confirm

from artifact_janitor import clock
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
from artifact_janitor.core.plan import OVERRIDABLE
from artifact_janitor.errors import Locked, Refused
from artifact_janitor.execution import Options
from artifact_janitor.looking import Look, look, with_gitignore, with_studies
from artifact_janitor.modesty import stand_back
from artifact_janitor.render import facts, text
from artifact_janitor.sweep import LONG, Report, mend, run

SOMETHING_TO_DO = 10


def plan_command(
    asked: Asked,
    every_step: Annotated[bool, typer.Option("--all", help="Show every step.")] = False,
    kept: Annotated[bool, typer.Option("--kept", help="Show everything that stays.")] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 10 when there is something to do.")
    ] = False,
) -> int:
    """Show what would be done, with a reason for everything. Changes nothing."""
    session = Session("plan", asked)
    seen = _look(session)
    view = session.view(all_steps=every_step, all_kept=kept)
    notes = [*session.notes(), *seen.notes]
    lines = text.plan_lines(seen.plan, view, notes)
    session.answer(lambda: facts.of_plan(seen.plan, notes), lines)
    return SOMETHING_TO_DO if exit_code and seen.plan.steps else 0


def run_command(
    asked: Asked,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    override: Annotated[
        bool, typer.Option("--override-guards", help="Do what a guard holds back. Implies --yes.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the trainings until their models are in place.")
    ] = False,
) -> int:
    """Plan, ask, carry out, report."""
    session = Session("run", asked)
    recovered = mend(session.settings)
    seen = _look(session, leases=not (yes or override))
    by_person = override or (not yes and _agreed(session, seen))
    options = Options(by_person)
    if any(step.do in LONG for step in seen.plan.steps):
        stand_back()
    with session.progress() as tick, ends_after_a_step() as stop:
        report = run(session.settings, seen, options, recovered, tick, stop)
    followed = follow(session, waiting(report.outcomes), every=True) if wait else []
    return _told(session, report, followed)


def _look(session: Session, *, leases: bool = True) -> Look:
    with session.progress() as tick:
        now = clock.read().wall
        seen = look(session.settings, now, session.asked.only, tick=tick, leases=leases)
        seen = with_studies(session.settings, seen, session.asked.only)
        return with_gitignore(session.settings, seen, session.asked.only)


def _agreed(session: Session, seen: Look) -> bool:
    """Ask a person, who sees the plan first. Raises Refused where the answer is no.

    Their yes is the yes that the guards ask for.
    """
    plan = seen.plan
    if not plan.steps:
        return False
    if not session.is_interactive:
        raise Refused("there is no terminal to ask on", "janitor run --yes")
    session.say(text.plan_lines(plan, session.view(), [*session.notes(), *seen.notes]))
    guarded = any(each.code in OVERRIDABLE for each in plan.refused)
    what = "Do it all the same, guards included?" if guarded else "Do it?"
    if not Confirm.ask(f"\n{what}", default=False, console=session.screen):
        raise Refused("nothing was changed")
    return True


@contextmanager
def ends_after_a_step() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C or SIGTERM ends after the current step, the second at once."""
    asked: list[int] = []

    def note(number: int, _frame: object) -> None:
        asked.append(number)
        signal.signal(number, before[signal.Signals(number)])

    both = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, note) for number in both}
    try:
        yield lambda: bool(asked)
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _told(session: Session, report: Report, followed: Sequence[Followed]) -> int:
    lines = text.report_lines(report, session.view(), session.settings.safety.trash_keep)
    code, errors = _verdict(report)
    worse, more = verdict(followed)
    notes = [*session.notes(), *report.notes]
    session.answer(
        lambda: facts.of_report(report, notes) | of_followed(followed),
        (*lines, *followed_lines(followed)),
        [*errors, *more],
    )
    return code or worse


def _verdict(report: Report) -> tuple[int, list[dict[str, str]]]:
    """The exit code, and what a program should know about it."""
    failed = [each for each in report.outcomes if each.outcome == "failed"]
    if failed:
        return 3, [facts.error("failed", each.why, path=each.step.path) for each in failed]
    for code, kind in (("locked", Locked), ("guard", Refused)):
        if held := {each.why for each in report.outcomes if each.code == code}:
            hint = "janitor run --override-guards" if code == "guard" else "try again later"
            return kind.exit_code, [facts.error(code, why, hint) for why in sorted(held)]
    return 0, []
