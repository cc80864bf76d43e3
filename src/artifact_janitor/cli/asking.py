"""``janitor why`` and ``janitor status``."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from artifact_janitor import clock, daemon_file
from artifact_janitor.apply import trash
from artifact_janitor.apply.archive.store import ARCHIVE
from artifact_janitor.cli.options import Asked
from artifact_janitor.cli.session import Session
from artifact_janitor.core.model import is_within
from artifact_janitor.errors import UsageError
from artifact_janitor.handing_over import standings
from artifact_janitor.journal import Step
from artifact_janitor.looking import Look, journalled, look, reading
from artifact_janitor.render import present
from artifact_janitor.render.present import Status
from artifact_janitor.state import State
from artifact_janitor.studying import study_all
from artifact_janitor.workplace import ground_of


def why_command(
    asked: Asked,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A run, or anything in one.")],
) -> int:
    """Why this is kept or would go, with the evidence."""
    session = Session("why", asked)
    place = _place(session, path)
    named = leads_to(session, place)
    around = dict.fromkeys([*_around(place), *(_around(named) if named else ())])
    with session.progress() as tick:
        seen = look(session.settings, clock.read().wall, also=[*around], tick=tick)
    units = _units(seen, place)
    linked = "" if units or named == place else named
    units = units or (_units(seen, linked) if linked else [])
    past = _past(session, place)
    if not units and not past and not os.path.lexists(session.settings.workspace / place):
        raise UsageError(f"there is no {place}", "give a path in the workspace", place)
    answer = present.Why(place, units, seen, past, _is_ours(session, place), linked)
    session.answer(present.of_why(answer), present.why_lines(answer, session.view()))
    return 0


def _place(session: Session, path: Path) -> str:
    """A path in the workspace; an archive, and what lies beside it, may also lie in a store
    elsewhere, or be called by its name. Raises UsageError."""
    with reading(session.settings) as journal:
        indexed = journal.archives.all() if journal else []
    here = os.path.abspath(path)
    for each in indexed:
        file = f"{each.store}/{each.name}{ARCHIVE}"
        if str(path) == each.name or here == str(session.settings.workspace / file):
            return file
    return in_workspace(session, path)


def in_workspace(session: Session, path: Path) -> str:
    """A path as the catalogue names it; its last name may be a link. Raises UsageError."""
    base = session.settings.workspace
    whole = Path.cwd() / path
    real = whole.parent.resolve() / whole.name if whole.name not in ("", "..") else whole.resolve()
    for root in session.settings.folders.roots:
        if is_within(str(real), real_root := os.path.realpath(base / root)):
            return root + str(real)[len(real_root) :]
    if not is_within(str(real), str(base)):
        raise UsageError(f"{path} lies outside the workspace {base}", "", str(path))
    return str(real)[len(str(base)) + 1 :] or "."


def leads_to(session: Session, place: str) -> str:
    """Where a link leads, as a path in the workspace; "" where that is outside, or all of it.
    What is no link leads to itself."""
    whole = session.settings.workspace / place
    if not whole.is_symlink():
        return place
    try:
        found = in_workspace(session, Path(os.path.realpath(whole)))
    except UsageError:
        return ""
    return found if found != "." else ""


def _around(place: str) -> list[str]:
    """The path and all folders above it: one of them may be the unit."""
    names = place.split("/")
    return ["/".join(names[:end]) for end in range(len(names), 0, -1)]


def _units(seen: Look, place: str) -> list[str]:
    """The innermost unit that holds the path, else the units below it, and the archives of what
    is gone from there."""
    known = seen.survey.catalogue.by_path
    inner = next((each for each in _around(place) if each in known), None)
    below = [each for each in known if is_within(each, place)]
    archives = (
        each.path
        for each in seen.survey.catalogue.archives
        if place in (each.path, each.unit, *each.archive.links) or is_within(each.path, place)
    )
    return [inner] if inner else [*below, *archives]


def _past(session: Session, place: str) -> list[Step]:
    """What was done to this path before, newest first."""
    with reading(session.settings) as journal:
        return [step for step in journal.about(place) if step.took] if journal else []


def _is_ours(session: Session, place: str) -> bool:
    return any(is_within(place, root) for root in session.settings.folders.roots)


def status_command(asked: Asked) -> int:
    """What is running, what was done last, what lies in the trash."""
    session = Session("status", asked)
    settings, now = session.settings, clock.read().wall
    with reading(settings) as journal:
        known = journalled(journal, settings, now)
        last = journal.sweeps()[:3] if journal else []
        sweeps = [(each, journal.steps(each.id)) for each in last] if journal else []
        indexed = [each for each in journal.archives.all() if each.digest] if journal else []
        studies = study_all(settings, journal, clock.read())
        jobs = standings(settings, journal)
    disk = shutil.disk_usage(settings.workspace)
    told = daemon_file.read(State(settings.workspace))
    is_unread = daemon_file.is_unread(told, settings.source)
    unread = settings.source.name if settings.source and is_unread else ""
    found = Status(
        settings,
        now,
        disk.total,
        disk.free,
        known,
        sweeps,
        studies,
        indexed,
        jobs,
        told,
        unread,
    )
    notes = [*session.notes(), *trash.said_of_unremoved(ground_of(settings))]
    session.answer(present.of_status(found, notes), present.status_lines(found, notes))
    return 0
