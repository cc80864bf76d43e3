"""``janitor doctor``."""

from __future__ import annotations

import os
from pathlib import Path

from artifact_janitor import clock
from artifact_janitor.checkup import checkup
from artifact_janitor.cli.options import Asked
from artifact_janitor.cli.session import Session
from artifact_janitor.config import Settings, defaults
from artifact_janitor.errors import ConfigError, Problem
from artifact_janitor.render.doctor import check_lines, of_checks, problems


def doctor_command(asked: Asked) -> int:
    """Everything that could bite: what was found, and what mends it. Changes nothing."""
    session = Session("doctor", asked)
    settings, mistakes = settings_or_defaults(session)
    checks = checkup(settings, clock.read().wall, os.environ, mistakes)
    found = problems(checks)
    session.answer(of_checks(checks), check_lines(checks), found)
    return 1 if found else 0


def settings_or_defaults(session: Session) -> tuple[Settings, tuple[Problem, ...]]:
    """The defaults, and what is wrong, where the configuration can't be used."""
    try:
        return session.settings, ()
    except ConfigError as error:
        where = defaults(session.asked.config, os.environ, Path.cwd())
        return where, error.problems
