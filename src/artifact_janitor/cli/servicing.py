"""``janitor service``."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from artifact_janitor.cli.doctoring import settings_or_defaults
from artifact_janitor.cli.options import Asked, one_of
from artifact_janitor.cli.session import Session
from artifact_janitor.render.service import done_lines, of_done, of_standings, standing_lines
from artifact_janitor.service import asking, installing
from artifact_janitor.service.place import Whose

ACTIONS = ("install", "uninstall", "status")


def service_command(
    asked: Asked,
    action: Annotated[
        str,
        one_of(
            ACTIONS, "Write the units and start them; stop and remove them; or say how they stand."
        ),
    ],
    user: Annotated[
        bool,
        typer.Option("--user", help="Your own systemd, not the machine's. Implied but for root."),
    ] = False,
    timer: Annotated[
        bool, typer.Option("--timer", help="Install a sweep each night, and no daemon.")
    ] = False,
) -> int:
    """The janitor as a service of systemd's, for this workspace."""
    session = Session("service", asked)
    whose: Whose = "user" if user or os.geteuid() != 0 else "system"
    settings = session.settings if action == "install" else settings_or_defaults(session)[0]
    if action == "status":
        every: tuple[Whose, ...] = ("user",) if user else ("system", "user")
        found = [each for one in every for each in installing.standing(settings, one)]
        runs = any(map(asking.runs, every))
        session.answer(of_standings(runs, found), standing_lines(runs, found))
        return 0
    if action == "install":
        done = installing.install(settings, whose, timer=timer)
    else:
        done = installing.uninstall(settings, whose)
    session.answer(of_done(action, done), done_lines(action, done))
    return 0
