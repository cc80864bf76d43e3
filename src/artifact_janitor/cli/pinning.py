"""``janitor pin`` and ``janitor unpin``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from artifact_janitor import clock
from artifact_janitor.cli.asking import in_workspace, leads_to
from artifact_janitor.cli.options import Asked
from artifact_janitor.cli.session import Session
from artifact_janitor.config.values import OWN_STORE
from artifact_janitor.core.model import Pin, is_within
from artifact_janitor.errors import UsageError
from artifact_janitor.looking import reading
from artifact_janitor.recovery import BY_UNDO
from artifact_janitor.render.lines import line
from artifact_janitor.render.words import shown
from artifact_janitor.state import STATE
from artifact_janitor.workplace import workplace


def pin_command(
    asked: Asked,
    path: Annotated[str, typer.Argument(metavar="PATH", help="A run, or a folder of runs.")],
    note: Annotated[str, typer.Option("--note", help="Why, for those who wonder later.")] = "",
) -> int:
    """Protect a path and all below it from every rule, and what it leads to, if it is a link."""
    session = Session("pin", asked)
    place = _asked_for(session, path)
    if not _is_there(session, place):
        raise UsageError(f"there is no {place}", "give a path in the workspace", place)
    named = leads_to(session, place)
    named = named if named and _is_there(session, named) else ""
    for each in (place, named):
        _must_be_kept(session, each)
    with workplace(session.settings) as workspace:
        for each in dict.fromkeys((named or place, place)):
            workspace.journal.pin(Pin(each, note, clock.read().wall))
    said = {"path": place, "note": note, "names": named if named != place else ""}
    session.answer(said, _pinned_lines(place, named))
    return 0


def _pinned_lines(place: str, named: str) -> Iterator[Text]:
    yield line(("pinned ", "bold"), shown(place))
    if not named:
        yield line("  it leads to nothing in the workspace: the link alone is pinned")
    elif named != place:
        yield line(("pinned ", "bold"), shown(named), ", which it leads to")


def _asked_for(session: Session, path: str) -> str:
    """The place that a person means; "" would be the whole workspace. Raises UsageError."""
    if not path:
        raise UsageError("the path is empty", 'give a path, or "." for the whole workspace')
    return in_workspace(session, Path(path))


def _is_there(session: Session, place: str) -> bool:
    return os.path.lexists(session.settings.workspace / place) or _is_archived(session, place)


def _must_be_kept(session: Session, place: str) -> None:
    """What is in the trash leaves it with its sweep, pinned or not. Raises UsageError."""
    states = (STATE, *(f"{root}/{STATE}" for root in session.settings.folders.roots))
    own = next((each for each in states if place and is_within(place, each)), "")
    if not own or is_within(place, OWN_STORE):
        return
    inner = place[len(own) + 1 :].split("/")
    hint = "pin what it is about: a run, a folder of runs, an archive"
    if inner[0] == "trash":
        hint = f"janitor undo {next(iter(inner[1:]), 'ID')} brings it back, pinned"
    raise UsageError(f"a pin protects nothing in the janitor's own folder: {place}", hint, place)


def _is_archived(session: Session, place: str) -> bool:
    """Whether what is gone from there is in an archive, which a pin keeps, too."""
    with reading(session.settings) as journal:
        indexed = journal.archives.all() if journal else []
    return any(is_within(each.path, place) for each in indexed)


def unpin_command(
    asked: Asked,
    path: Annotated[str, typer.Argument(metavar="PATH", help="What was pinned.")],
    undone: Annotated[bool, typer.Option("--undone", help="Only pins that undo made.")] = False,
) -> int:
    """Take the protection of a pin away, and of all pins below the path."""
    session = Session("unpin", asked)
    place = _asked_for(session, path)
    with workplace(session.settings) as workspace:
        unpinned = workspace.journal.unpin(place, BY_UNDO if undone else "")
        pins = [pin.path for pin in workspace.journal.pins()]
    if not unpinned:
        hint = f"pinned: {', '.join(pins[:5]) or 'none'}"
        raise UsageError(f"{place} is not pinned", hint, place)
    lines = [line(("unpinned ", "bold"), shown(each)) for each in unpinned]
    if (named := leads_to(session, place)) != place and named in pins:
        lines += [line("still pinned ", shown(named), ", which it leads to")]
    session.answer({"path": place, "unpinned": unpinned}, lines)
    return 0
