"""``janitor history --config RUN``."""

from __future__ import annotations

from pathlib import Path

from artifact_janitor.cli.asking import in_workspace
from artifact_janitor.cli.session import Session
from artifact_janitor.errors import UsageError
from artifact_janitor.recall import recall
from artifact_janitor.render.lines import console, emit_bytes
from artifact_janitor.render.recalled import beside_lines, of_recalled


def tell_config(session: Session, asked: str) -> int:
    """The main file's exact bytes on stdout, and nothing else; the rest is told on stderr."""
    with session.progress() as tick:
        found = recall(session.settings, asked, _named(session, asked), tick)
    if session.asked.as_json:
        session.answer(of_recalled(found), ())
        return 0
    emit_bytes(found.versions[0].files[found.main])
    if not session.asked.quiet:
        screen = console(color=session.asked.color, stderr=True)
        for each in beside_lines(found, asked):
            screen.print(each, soft_wrap=True)
    return 0


def _named(session: Session, asked: str) -> list[str]:
    """What it may mean as a path: from where we are, and from the workspace."""
    found = []
    for start in (Path.cwd(), session.settings.workspace):
        try:
            found.append(in_workspace(session, start / asked))
        except UsageError:
            continue  # it lies outside, so it is no path of a run here
    return [*dict.fromkeys(found)]
