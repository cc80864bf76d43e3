"""``janitor gitignore``."""

from __future__ import annotations

import os
from typing import Annotated

from artifact_janitor import clock, gitignoring
from artifact_janitor.cli.options import Asked, one_of
from artifact_janitor.cli.session import Session
from artifact_janitor.core.plan import GITIGNORE
from artifact_janitor.errors import Refused
from artifact_janitor.render import facts
from artifact_janitor.render import gitignore as render
from artifact_janitor.sweep import mend

ACTIONS = ("check", "sync", "diff")
SOMETHING_TO_DO = 10


def gitignore_command(
    asked: Asked,
    action: Annotated[
        str,
        one_of(
            ACTIONS,
            "Say what is not as the policy says, and exit with 10; mend .gitignore; or show"
            " what that would change.",
        ),
    ],
) -> int:
    """Hold .gitignore against the policy; Git itself proves each change before it is written."""
    session = Session(GITIGNORE, asked)
    if action == "sync":
        return _sync(session)
    # a hook commits by an index of its own
    index = os.environ.get("GIT_INDEX_FILE", "")
    found = gitignoring.check(session.settings, os.path.abspath(index) if index else "")
    if action == "diff":
        lines = render.diff_lines(found)
        session.answer(lambda: render.of_checked(found), lines)
        return 0
    session.answer(lambda: render.of_checked(found), render.check_lines(found))
    return SOMETHING_TO_DO if found.findings else 0


def _sync(session: Session) -> int:
    mend(session.settings)
    done = gitignoring.sync(session.settings, clock.read().wall, by_person=True)
    errors = [facts.error(each.code, each.message, each.hint, each.path) for each in done.refusals]
    if not errors and done.state in ("refused", "failed"):
        errors = [facts.error(done.state, done.why)]
    session.answer(lambda: render.of_synced(done), render.sync_lines(done), errors)
    if done.state == "failed":
        return 3
    return Refused.exit_code if done.state == "refused" else 0
