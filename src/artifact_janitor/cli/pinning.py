"""``janitor pin`` and ``janitor unpin``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from artifact_janitor import clock
from artifact_janitor.cli.asking import in_workspace
from artifact_janitor.cli.options import Asked
from artifact_janitor.cli.session import Session
from artifact_janitor.core.model import Pin, is_within
from artifact_janitor.errors import UsageError
from artifact_janitor.looking import reading
from artifact_janitor.recovery import BY_UNDO
from artifact_janitor.render.lines import line
from artifact_janitor.render.words import shown
from artifact_janitor.workplace import workplace


def pin_command(
    asked: Asked,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A run, or a folder of runs.")],
    note: Annotated[str, typer.Option("--note", help="Why, for those who wonder later.")] = "",
) -> int:
    """Protect a path and all below it from every rule."""
    session = Session("pin", asked)
    place = in_workspace(session, path)
    if not (os.path.lexists(session.settings.workspace / place) or _is_archived(session, place)):
        raise UsageError(f"there is no {place}", "give a path in the workspace", place)
    with workplace(session.settings) as workspace:
        workspace.journal.pin(Pin(place, note, clock.read().wall))
    session.answer({"path": place, "note": note}, [line(("pinned ", "bold"), shown(place))])
    return 0


def _is_archived(session: Session, place: str) -> bool:
    """Whether what is gone from there is in an archive, which a pin keeps, too."""
    with reading(session.settings) as journal:
        indexed = journal.archives.all() if journal else []
    return any(is_within(each.path, place) for each in indexed)


def unpin_command(
    asked: Asked,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="What was pinned.")],
    undone: Annotated[bool, typer.Option("--undone", help="Only pins that undo made.")] = False,
) -> int:
    """Take the protection of a pin away, and of all pins below the path."""
    session = Session("unpin", asked)
    place = in_workspace(session, path)
    with workplace(session.settings) as workspace:
        unpinned = workspace.journal.unpin(place, BY_UNDO if undone else "")
        pins = [pin.path for pin in workspace.journal.pins()]
    if not unpinned:
        hint = f"pinned: {', '.join(pins[:5]) or 'none'}"
        raise UsageError(f"{place} is not pinned", hint, place)
    lines = [line(("unpinned ", "bold"), shown(each)) for each in unpinned]
    session.answer({"path": place, "unpinned": unpinned}, lines)
    return 0
