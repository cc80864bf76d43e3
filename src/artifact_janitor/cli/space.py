"""``janitor du``."""

from __future__ import annotations

import os
import shutil
from typing import Annotated

import typer

from artifact_janitor import clock
from artifact_janitor.cli.options import Asked
from artifact_janitor.cli.session import Session
from artifact_janitor.core.forecast import forecast
from artifact_janitor.core.plan import plan
from artifact_janitor.looking import look
from artifact_janitor.observe.wandb_outside import outside
from artifact_janitor.render.space import of_space, space_lines, space_of


def du_command(
    asked: Asked,
    every: Annotated[bool, typer.Option("--all", help="List every run.")] = False,
) -> int:
    """Where the space went, what could be freed, and when the disk is full."""
    session = Session("du", asked)
    settings, now = session.settings, clock.read().wall
    with session.progress() as tick:
        seen = look(settings, now, asked.only, tick=tick)
    free = shutil.disk_usage(settings.workspace).free
    catalogue = seen.survey.catalogue
    ahead = forecast(
        catalogue,
        lambda facts, at: plan(facts, settings.policies, settings.safety, at, clock.local),
        now,
        free,
    )
    trash = sum(each.bytes for each in catalogue.trash)
    beyond = outside(settings.workspace, os.environ)
    space = space_of(seen.plan, trash, free, ahead, beyond)
    session.answer(of_space(space), space_lines(space, every=every))
    return 0
