"""``janitor init``."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from artifact_janitor import clock
from artifact_janitor.cli.options import Asked
from artifact_janitor.cli.session import Session
from artifact_janitor.config import Settings, load
from artifact_janitor.config.proposed import proposed, written
from artifact_janitor.errors import JanitorError, UsageError
from artifact_janitor.looking import look
from artifact_janitor.observe.habits import run_folders
from artifact_janitor.render.beginning import Beginning, beginning_lines, of_beginning


def init_command(asked: Asked) -> int:
    """Look at the folder, and write a commented config.toml that fits it."""
    session = Session("init", asked)
    target = Path.cwd() / (asked.config or "config.toml")
    if os.path.lexists(target):
        raise UsageError(f"{target.name} is there already", "janitor plan", str(target))
    bare = load(None, {}, target.parent)
    elsewhere = run_folders(bare.workspace, bare.folders.roots)
    settings, changed = _with_folders(bare, elsewhere)
    now = clock.read().wall
    with session.progress() as tick:
        kinds = {each.kind for each in look(settings, now).survey.catalogue.artifacts}
        settings = replace(settings, policies=proposed(kinds))
        seen = look(settings, now, tick=tick)
    _write(target, written(settings.policies, changed))
    artifacts = seen.survey.catalogue.artifacts
    place = str(settings.workspace)
    found = Beginning(place, artifacts, settings.policies, seen.plan, elsewhere)
    session.answer(of_beginning(found), beginning_lines(found))
    return 0


def _with_folders(
    settings: Settings, elsewhere: dict[str, list[str]]
) -> tuple[Settings, dict[str, tuple[str, ...]]]:
    """The defaults that exist, and what was found beside them."""
    changed = {
        key: (
            *(each for each in getattr(settings.folders, key) if _is_there(settings, each)),
            *more,
        )
        for key, more in elsewhere.items()
    }
    return replace(settings, folders=replace(settings.folders, **changed)), changed


def _is_there(settings: Settings, folder: str) -> bool:
    return (settings.workspace / folder).is_dir()


def _write(target: Path, text: str) -> None:
    """A new file, never over one that is there."""
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        hint = "check the permissions of the folder"
        raise JanitorError(f"{target} can't be written: {error.strerror}", hint) from error
