"""``janitor archive``, ``archives``, ``restore`` and ``verify``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Annotated

import typer

from artifact_janitor import clock
from artifact_janitor.apply.archive.manifest import Manifest
from artifact_janitor.apply.archive.store import NOT_MOUNTED
from artifact_janitor.archived import (
    Kept,
    archives,
    named,
    read_longest_ago,
    trouble_of,
    with_others,
)
from artifact_janitor.archiving import Archiving
from artifact_janitor.cli.asking import in_workspace
from artifact_janitor.cli.options import Asked
from artifact_janitor.cli.session import Session
from artifact_janitor.cli.sweeping import ends_after_a_step
from artifact_janitor.core.model import Artifact, is_within
from artifact_janitor.core.plan import Step
from artifact_janitor.core.policy import ARCHIVE, NEVER_ARCHIVED
from artifact_janitor.errors import ArchiveError, Refused, StepFailed, UsageError
from artifact_janitor.execution import Options
from artifact_janitor.looking import Look, look, reading
from artifact_janitor.modesty import stand_back
from artifact_janitor.outcome import Outcome
from artifact_janitor.render import archives as render
from artifact_janitor.render import facts
from artifact_janitor.restoring import restore
from artifact_janitor.sweep import mend
from artifact_janitor.workplace import Workplace, workplace

MAY_BE_ARCHIVED = ("unsynced", "only-copy")
"""What holds a unit back from the trash, but not from a verified archive that a person asks
for (S3, S6): both are about losing what is in it."""


def archive_command(
    asked: Asked,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Runs, or folders of runs.")],
    note: Annotated[str, typer.Option("--note", help="Why, for those who wonder later.")] = "",
    urgent: Annotated[
        bool, typer.Option("--urgent", help="Don't stand back behind other programs.")
    ] = False,
) -> int:
    """Move runs into archives, each read back before its run goes to the trash."""
    session = Session("archive", asked)
    settings = session.settings
    places = [in_workspace(session, path) for path in paths]
    mend(settings)
    if not urgent:
        stand_back()
    with session.progress() as tick:
        seen = look(settings, clock.read().wall, also=_around_and_below(session, places), tick=tick)
    reason = f"by hand: {note}" if note else "by hand"
    steps = [
        Step(ARCHIVE, unit, (reason,), (*seen.survey.catalogue.below(unit.path),))
        for unit in _units(seen, places)
    ]
    for step in steps:
        _must_be_allowed(seen, step)
    with workplace(settings) as place, session.progress() as tick, ends_after_a_step() as stop:
        sweep = place.journal.begin(_name(steps), ARCHIVE, clock.read().wall, by_person=True)
        with place.state.sweep(sweep):
            archiving = Archiving(place, seen.survey, sweep, Options(True, ARCHIVE), tick)
            outcomes = [*archiving.of(seen.plan, steps, stop)]
            place.finish(sweep)
        sizes = _sizes(place, outcomes)
    return _told(session, sweep, outcomes, sizes)


def _around_and_below(session: Session, places: Iterable[str]) -> list[str]:
    """The units to be examined are known only after a look; a first one is cheap."""
    seen = look(session.settings, clock.read().wall)
    return [
        each
        for each in seen.survey.catalogue.by_path
        if any(is_within(each, place) or is_within(place, each) for place in places)
    ]


def _units(seen: Look, places: list[str]) -> list[Artifact]:
    """The units at these paths, or the outermost below them. Raises UsageError."""
    catalogue = seen.survey.catalogue
    found: dict[str, Artifact] = {}
    for place in places:
        here = (
            [catalogue.by_path[place]]
            if place in catalogue.by_path
            else [
                each
                for each in catalogue.artifacts
                if is_within(each.path, place) and each.parent is None
            ]
        )
        if not here:
            around = [
                each.path
                for each in catalogue.artifacts
                if is_within(place, each.path) and each.kind != "unknown"
            ]
            hint = f"it is a part of {around[-1]}" if around else "janitor du --all lists the units"
            raise UsageError(f"{place} is no unit, and holds none", hint, place)
        known = {each.path: each for each in here if each.kind != "unknown"}
        if not known:
            hint = f"janitor why {here[0].path}"
            raise UsageError(f"{place} is not known to be a run, nor to hold one", hint, place)
        found |= known
    inner = (path for path in found for other in found if path != other and is_within(path, other))
    for path in {*inner}:
        del found[path]
    return [*found.values()]


def _must_be_allowed(seen: Look, step: Step) -> None:
    """Raises Refused for what not even a person's hand may take."""
    if why := NEVER_ARCHIVED.get(step.artifact.kind):
        raise Refused(f"{step.path} is not archived: {why}", path=step.path)
    held = seen.plan.held_back(step, by_person=True)
    if held:
        raise Refused(held.message, held.hint, step.path)
    kept = next((each for each in seen.plan.kept if each.artifact.path == step.path), None)
    for each in kept.protections if kept else ():
        if each.fact not in MAY_BE_ARCHIVED:
            raise Refused(f"{step.path} stays: {each.why}", each.hint, step.path)
    if step.path not in seen.survey.contents:
        raise Refused(f"{step.path} can't be read in full", "janitor why shows more", step.path)


def _name(steps: Iterable[Step]) -> str:
    """The same units in the same state have the same name."""
    marks = "\0".join(f"{each.path} {each.artifact.fingerprint}" for each in steps)
    return blake2b(os.fsencode(marks), digest_size=2).hexdigest()


def _sizes(place: Workplace, outcomes: Iterable[Outcome]) -> tuple[int, int]:
    done = {each.step.path: each.step.artifact.bytes for each in outcomes if each.outcome == "done"}
    made = {each.path: each.bytes for each in place.journal.archives.all()}
    return sum(done.values()), sum(made.get(path, 0) for path in done)


def _told(session: Session, sweep: str, outcomes: list[Outcome], sizes: tuple[int, int]) -> int:
    odd = [each for each in outcomes if each.outcome != "done"]
    errors = [facts.error(each.code or each.outcome, each.why, path=each.step.path) for each in odd]
    found = {"sweep": sweep, "steps": facts.of_outcomes(outcomes), "bytes": sizes[1]}
    session.answer(found, render.archived_lines(sweep, outcomes, sizes, session.view()), errors)
    return 3 if odd else 0


def archives_command(
    asked: Asked,
    name: Annotated[
        str | None, typer.Argument(metavar="[ARCHIVE]", help="Show this one, member by member.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show every archive.")] = False,
) -> int:
    """What was archived, when and why, how big it is and from where.

    In a store outside the project that others use too, theirs are counted; --all lists them.
    """
    session = Session("archives", asked)
    with reading(session.settings) as journal:
        if name is not None:
            return _one(session, named(session.settings, journal, name))
        found = with_others(session.settings, journal)
    listed = [each for each in found if every or not each.is_others]
    view, others = session.view(all_steps=every), len(found) - len(listed)
    lines = render.archives_lines(listed, others, clock.read().wall, view)
    told = {"archives": [render.of_kept(each) for each in listed], "others": others}
    session.answer(told, lines)
    return 0


def _one(session: Session, kept: Kept) -> int:
    if kept.is_away:
        raise StepFailed(kept.trouble, NOT_MOUNTED, kept.name)
    if kept.trouble:
        raise ArchiveError(kept.trouble, "janitor verify", kept.name)
    with kept.store.opened(kept.name) as files:
        members = Manifest(files.manifest).members()
        if session.asked.as_json:
            rows = [render.of_member(each) for each in members]
            session.answer({"archives": [render.of_kept(kept) | {"members": rows}]}, ())
        else:
            session.say(render.kept_lines(kept, members))
    return 0


def restore_command(
    asked: Asked,
    name: Annotated[
        str, typer.Argument(metavar="ARCHIVE", help="Its name or the end of it, a run, or a file.")
    ],
    members: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MEMBER]…", help="Only these files or folders of it."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Here, not at the old place.")
    ] = None,
) -> int:
    """Bring an archive back; never over anything that is there."""
    session = Session("restore", asked)
    with reading(session.settings) as journal:
        kept = named(session.settings, journal, name)
    with workplace(session.settings) as place, session.progress() as tick:
        back = restore(place, kept, members or (), to, tick)
    session.answer(render.of_restored(back), render.restored_lines(back, pinned=to is None))
    return 0


def verify_command(
    asked: Asked,
    name: Annotated[str | None, typer.Argument(metavar="[ARCHIVE]", help="Only this one.")] = None,
) -> int:
    """Read archives in full, and compare every byte; what was read longest ago comes first."""
    session = Session("verify", asked)
    with reading(session.settings) as journal:
        if name is not None:
            every = [named(session.settings, journal, name)]
        else:
            every = archives(session.settings, journal)
    with session.progress() as tick:
        found = [
            (each, trouble_of(session.settings, each, tick)) for each in read_longest_ago(every)
        ]
    bad = [(kept, why) for kept, why in found if why]
    errors = [
        facts.error("archive", f"{kept.name}: {why}", NOT_MOUNTED if kept.is_away else "")
        for kept, why in bad
    ]
    rows = [render.of_kept(kept) | {"trouble": why} for kept, why in found]
    session.answer({"archives": rows}, render.verified_lines(found), errors)
    return 3 if bad else 0
