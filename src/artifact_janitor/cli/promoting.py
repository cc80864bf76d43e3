"""``janitor promote`` and ``janitor demote``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from artifact_janitor import clock
from artifact_janitor.apply.retrain import python_of
from artifact_janitor.choosing import Promoted, Wish, demote, is_milestone
from artifact_janitor.cli.asking import in_workspace
from artifact_janitor.cli.options import Asked
from artifact_janitor.cli.session import Session
from artifact_janitor.config import Settings
from artifact_janitor.core.milestone import RULE, SUFFIX, is_chosen, meta_of
from artifact_janitor.core.model import is_within
from artifact_janitor.core.trainer import DEFAULT
from artifact_janitor.errors import JanitorError, UsageError
from artifact_janitor.gitignoring import sync
from artifact_janitor.looking import glance
from artifact_janitor.observe.origins import origin_of
from artifact_janitor.observe.survey import Survey
from artifact_janitor.promoting import promote
from artifact_janitor.render.lines import line
from artifact_janitor.render.words import shown
from artifact_janitor.state import STATE
from artifact_janitor.sweep import mend
from artifact_janitor.units import format_size
from artifact_janitor.workplace import workplace

FEW = 5
"""Models of a folder that an error names."""


def promote_command(
    asked: Asked,
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="A published model, or one in a run.", readable=False),
    ],
    name: Annotated[
        str, typer.Option("--name", help="What the milestone is called; else by its run.")
    ] = "",
    note: Annotated[str, typer.Option("--note", help="Why, for those who wonder later.")] = "",
) -> int:
    """Choose a model as a milestone: a verified copy in best_models/, which Git keeps."""
    session = Session("promote", asked)
    settings = session.settings
    source = _source(session, model)
    mend(settings)
    seen = glance(settings, clock.read().wall)
    if (settings.workspace / source).is_dir():
        raise UsageError(f"{source} is a folder", _in_folder(seen, source), source)
    ids = {path: each for whole in seen.wholes.values() for path, each in whole.run_ids.items()}
    origin = origin_of(settings.workspace, seen.catalogue, ids, settings.folders.training, source)
    python = python_of((*settings.retrain, DEFAULT)[0])
    wish = Wish(source, name, note, origin, seen.catalogue.published, python)
    with workplace(settings) as place:
        found = promote(place, wish)
    return _told(session, found, source)


def demote_command(
    asked: Asked,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, or its path.")],
) -> int:
    """Let Git ignore a milestone again; its file stays, and so does what it names."""
    session = Session("demote", asked)
    mend(session.settings)
    path = _milestone(session, name)
    with workplace(session.settings) as place:
        found = demote(place, path)
    return _told(session, found, path)


def _source(session: Session, model: Path) -> str:
    """The path of a model as the catalogue names it; a link to one in the workspace stands for
    what it leads to. Raises UsageError."""
    place = in_workspace(session, model)
    file = session.settings.workspace / place
    if not os.path.lexists(file):
        raise UsageError(f"there is no {place}", "janitor models lists what there is", place)
    if file.is_symlink():
        real = Path(os.path.realpath(file))
        if not real.exists():
            raise UsageError(f"{place} is a link that leads nowhere", "", place)
        place = in_workspace(session, real)
    if is_within(place, STATE):
        hint = "janitor undo or janitor restore brings it back first"
        raise UsageError(f"{place} lies in the janitor's own folder", hint, place)
    return place


def _in_folder(seen: Survey, folder: str) -> str:
    inside = sorted(path for path in seen.weights if is_within(path, folder))
    more = f" and {len(inside) - FEW} more" if len(inside) > FEW else ""
    few = ", ".join(inside[:FEW]) + more
    return f"name a model in it: {few}" if inside else "name a model"


def _milestone(session: Session, name: str) -> str:
    """The path of a milestone that is meant by its name, or by its path."""
    (folder,) = session.settings.folders.best_models
    if "/" not in name:
        return f"{folder}/{name.removesuffix(SUFFIX)}{SUFFIX}"
    place = in_workspace(session, Path(name))
    if not is_milestone(place, folder):
        raise UsageError(f"{place} is no milestone", "janitor models lists them", place)
    return place


def follow(settings: Settings) -> tuple[str, tuple[str, ...]]:
    """Let ``.gitignore`` follow what is chosen now: what came of it in a word, and what a person
    should know. The milestone stands, whatever Git says."""
    if settings.source is None:
        return "none", ("no config.toml here: .gitignore is left alone",)
    try:
        found = sync(settings, clock.read().wall, RULE, by_person=False)
    except JanitorError as error:
        return "failed", (f".gitignore is left alone: {error.in_full}",)
    if found.state == "none":
        return "none", ("no Git repository here, so there is no rule to write",)
    if found.state in ("refused", "failed"):
        hint = next((each.hint for each in found.refusals), "")
        return found.state, (": ".join(filter(None, (found.why, hint))),)
    return found.state, ()


_SAID = {
    "promoted": "promoted",
    "chosen": "chosen again",
    "demoted": "chosen no more",
}


def _told(session: Session, found: Promoted, source: str) -> int:
    state, notes = follow(session.settings)
    found = replace(found, notes=(*found.notes, *notes))
    session.answer(_of(found, source, state), _lines(found, source, state))
    return 0


def _of(found: Promoted, source: str, state: str) -> dict[str, Any]:
    return {
        "gitignore": state,
        "outcome": found.outcome,
        "path": found.path,
        "meta_path": meta_of(found.path),
        "source": source,
        "meta": {**found.told},
        "sweep": found.sweep,
        "notes": [*found.notes],
    }


def _lines(found: Promoted, source: str, state: str) -> Iterator[Text]:
    path = (shown(found.path), "bold")
    if found.outcome == "same":
        is_same = found.path != source
        what = f" is a milestone already: {shown(source)} is the same model" if is_same else ""
        yield line(path, what or " is so already", "; it is left as it is")
    else:
        size = found.told.get("bytes")
        of = f" · {format_size(size)}" if isinstance(size, int) else ""
        yield line((_SAID[found.outcome], "bold"), " ", path, of, *_from(found))
    if state == "done":
        yield line((f"  .gitignore follows: Git {_GIT[is_chosen(found.told)]} it", "dim"))
    for note in found.notes:
        yield line(("  note: " + shown(note), "dim"))
    if found.sweep:
        yield line("Take it back: ", (f"janitor undo {found.sweep}", "bold"))


_GIT = {True: "keeps", False: "ignores"}


def _from(found: Promoted) -> Iterator[str]:
    metric = found.told.get("metric")
    if isinstance(metric, dict) and isinstance(metric.get("value"), float):
        yield f" · {shown(str(metric.get('name', 'metric')))} {metric['value']:.4g}"
    source = found.told.get("source")
    if found.outcome == "promoted" and isinstance(source, str):
        yield f" · from {shown(source)}"
