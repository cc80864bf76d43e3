"""``janitor studies``."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated

import typer
from rich.text import Text

from artifact_janitor import clock
from artifact_janitor.cli.options import Asked
from artifact_janitor.cli.session import Session
from artifact_janitor.core.study import Broken
from artifact_janitor.errors import Unknown
from artifact_janitor.looking import reading
from artifact_janitor.render.studies import (
    broken_lines,
    detail_lines,
    of_studies,
    study_lines,
)
from artifact_janitor.studying import Seen, Studies, remember, stem_of, study_all

NEAREST = 5


def studies_command(
    asked: Asked,
    study: Annotated[
        str | None,
        typer.Argument(metavar="[STUDY]", help="Its name, its file, or FILE/MODEL_TYPE."),
    ] = None,
) -> int:
    """Optuna's studies: which are finished, and why; with STUDY one in detail."""
    session = Session("studies", asked)
    found = look_at_studies(session)
    remember(session.settings, found)
    if study is None:
        session.answer(lambda: of_studies(found), study_lines(found))
        return 0
    chosen = meant(found, study)
    few = Studies(
        tuple(each for each in chosen if isinstance(each, Seen)),
        tuple(each for each in chosen if isinstance(each, Broken)),
        found.now,
    )
    lines = (row for each in chosen for row in _lines(each, found.now))
    session.answer(lambda: of_studies(few), lines)
    return 0


def look_at_studies(session: Session) -> Studies:
    with reading(session.settings) as journal:
        return study_all(session.settings, journal, clock.read())


def _lines(each: Seen | Broken, now: int) -> Iterator[Text]:
    return broken_lines(each) if isinstance(each, Broken) else detail_lines(each, now)


def meant(found: Studies, asked: str) -> list[Seen | Broken]:
    """The studies that bear this name: all of a file where it names that. Raises Unknown."""
    names: dict[str, list[Seen | Broken]] = {}
    for seen in found.seen:
        study = seen.standing.study
        for name in dict.fromkeys((seen.label, study.name, study.path, stem_of(study.path))):
            names.setdefault(name, []).append(seen)
    for broken in found.broken:
        for name in dict.fromkeys((broken.path, stem_of(broken.path))):
            names.setdefault(name, []).append(broken)
    if asked in names:
        return names[asked]
    near = get_close_matches(asked, names, NEAREST, 0.4)
    hint = f"nearest: {', '.join(near)}" if near else "janitor studies lists them"
    raise Unknown(f"there is no study {asked}", hint, asked)
