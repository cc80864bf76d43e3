"""``janitor models``."""

from __future__ import annotations

from typing import Annotated

import typer

from artifact_janitor import clock
from artifact_janitor.cli.options import Asked
from artifact_janitor.cli.session import Session
from artifact_janitor.lineage import lineage
from artifact_janitor.looking import glance, reading
from artifact_janitor.render.models import model_lines, of_models


def models_command(
    asked: Asked,
    every: Annotated[bool, typer.Option("--all", help="List every model.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every model in full, and compare it.")
    ] = False,
) -> int:
    """Every model and where it comes from: study, trial, run, model, milestone."""
    session = Session("models", asked)
    settings, now = session.settings, clock.read().wall
    with session.progress() as tick:
        seen = glance(settings, now)
        with reading(settings) as journal:
            found = lineage(settings, seen, journal, tick, in_full=verify)
    lines = model_lines(found, now, session.view().width, every=every)
    session.answer(lambda: of_models(found), lines)
    return 0
