"""``janitor undo`` and ``janitor history``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any

import typer
from rich.text import Text

from artifact_janitor import clock
from artifact_janitor.cli.options import Asked
from artifact_janitor.cli.promoting import follow
from artifact_janitor.cli.recalling import tell_config
from artifact_janitor.cli.session import Session
from artifact_janitor.cli.sweeping import ends_after_a_step
from artifact_janitor.core.milestone import STEPS
from artifact_janitor.errors import UsageError
from artifact_janitor.journal import Journal, Sweep
from artifact_janitor.looking import reading
from artifact_janitor.render import facts, past
from artifact_janitor.render.lines import line
from artifact_janitor.render.words import shown
from artifact_janitor.sweep import mend
from artifact_janitor.undo import chosen, last, undo
from artifact_janitor.workplace import workplace


def _complete_sweeps(incomplete: str) -> list[str]:
    """The sweeps of the workspace in the current folder."""
    with reading(Session("undo", Asked()).settings) as journal:
        sweeps = journal.sweeps() if journal else []
    return [sweep.id for sweep in sweeps if sweep.id.startswith(incomplete)]


def undo_command(
    asked: Asked,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]…",
            help="A sweep (7f3a) or a step of it (7f3a.2); without one the last sweep.",
            autocompletion=_complete_sweeps,
        ),
    ] = None,
    count: Annotated[
        int, typer.Option("--last", metavar="N", min=1, help="Undo the last N sweeps.")
    ] = 1,
) -> int:
    """Take back what a sweep or a step did."""
    session = Session("undo", asked)
    mend(session.settings)  # what a killed janitor had done by then can be undone
    with reading(session.settings) as journal:
        meant = names or (last(journal, count) if journal else [])
        if not meant:
            session.answer({"sweep": "", "steps": []}, [Text("Nothing to undo.")])
            return 0
        if journal is None:
            raise UsageError(f"there is no sweep {meant[0]!r}", "nothing was done here yet")
        chosen(journal, meant)
    with (
        workplace(session.settings) as place,
        session.progress() as tick,
        ends_after_a_step() as stop,
    ):
        sweep, outcomes = undo(place, meant, tick, stop)
    failed = [each for each in outcomes if each.outcome == "failed"]
    errors = [facts.error("failed", each.why, path=each.step.path) for each in failed]
    found = {"sweep": sweep, "steps": facts.of_outcomes(outcomes)}
    milestones = any(each.code in STEPS for each in outcomes)
    notes = follow(session.settings)[1] if milestones else ()
    said = (line(("  note: " + shown(note), "dim")) for note in notes)
    session.answer(found, chain(past.undo_lines(outcomes, session.view()), said), errors)
    return 3 if failed else 0


def history_command(
    asked: Asked,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]", help="Show the steps of this sweep.", autocompletion=_complete_sweeps
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show every sweep.")] = False,
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            metavar="RUN",
            help="Print what a run was configured with, long after it went: by its path, the end"
            " of that (11-00-00), or W&B's ID. The config.toml to use is named before the"
            " command here: janitor --config PATH history.",
        ),
    ] = None,
) -> int:
    """What was done, newest first; or what a run was configured with."""
    session = Session("history", asked)
    if config is not None:
        if name is not None:
            raise UsageError("name a sweep or a run, not both", "janitor history --config RUN")
        return tell_config(session, config)
    with reading(session.settings) as journal:
        sweeps = _named(journal.sweeps() if journal else [], name)
        found = [_facts(journal, each) for each in sweeps] if journal else []
    view = session.view(all_steps=every or name is not None)
    session.answer({"sweeps": found}, _lines(found, name, view))
    return 0


def _named(sweeps: list[Sweep], name: str | None) -> list[Sweep]:
    if name is None:
        return sweeps
    found = [sweep for sweep in sweeps if sweep.id.startswith(name)]
    if not found:
        raise UsageError(f"there is no sweep {name!r}", "janitor history lists them")
    return found


def _facts(journal: Journal, sweep: Sweep) -> dict[str, Any]:
    return past.of_sweep(sweep, journal.steps(sweep.id))


def _lines(found: list[dict[str, Any]], name: str | None, view: Any) -> Iterator[Text]:
    now = clock.read().wall
    if name is None:
        yield from past.sweep_lines(found, now, view)
    else:
        yield from past.step_lines(found, now, view)
