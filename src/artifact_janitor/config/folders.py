"""Whether the folders can be what they are said to be: checks against the disk (S1).

A root may be a symlink, but none that leads to the workspace, around it, into Git's or the
janitor's own folder, or to where another root already is: a unit would appear twice.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from artifact_janitor.config.given import Given
from artifact_janitor.config.said import said
from artifact_janitor.config.schema import FolderTable
from artifact_janitor.config.values import one_folder, some_folders, store_place
from artifact_janitor.core.model import is_within
from artifact_janitor.errors import Problem

SEVERAL = ("training", "outputs", "multirun", "wandb", "logs", "mlruns")
"""Each of these may be several folders, or none; every other is exactly one."""

ROOTS = (*SEVERAL, "models", "hpo_studies", "best_models")
"""The folders that are looked at: whatever lies in one of them is a unit, or a part of one."""

NEVER_TAKEN = ("hpo_studies", "best_models")
"""Roots that nothing is ever removed from."""

WATCHED = ("hpo_studies", "multirun", "training")
"""Roots in which a change leads to anything: all else goes by age, and by the schedule."""

FILES = ("mlflow_db",)
"""What is a file among them."""


@dataclass(frozen=True, slots=True)
class Named:
    """One folder as it is configured; ``given`` is False for a default."""

    key: str
    folder: str
    given: bool


def named(given: Given) -> list[Named]:
    """All folders whose names are fit to be looked at; the others are the schema's to report."""
    found = []
    for key, field in FolderTable.model_fields.items():
        read = some_folders if key in SEVERAL else one_folder
        try:
            folders = read(given.folders.get(key, field.default))
        except ValueError:
            continue
        found += [Named(key, folder, key in given.folders) for folder in folders]
    return found


def folder_problems(given: Given, workspace: Path) -> Iterator[Problem]:
    """Everything that is wrong with the folders, beyond their names."""
    folders = named(given)
    real = {}
    for each in folders:
        place = given.place(("folders", each.key))
        if what := _missing(each, workspace) or _astray(each, workspace):
            yield Problem(place, f"{said(each.folder)}{what}")
        elif (workspace / each.folder).exists():
            real[each] = os.path.realpath(workspace / each.folder)
    for first, second in combinations(folders, 2):
        blame_first = first.given and not second.given
        blamed, other = (first, second) if blame_first else (second, first)
        if what := _same(blamed, other) or _meeting(blamed, other, real):
            yield Problem(given.place(("folders", blamed.key)), f"{said(blamed.folder)}{what}")


def store_problems(given: Given, workspace: Path) -> Iterator[Problem]:
    """Archives among the runs would be taken for runs, or go with them."""
    try:
        store = store_place(given.table("archive").get("store"))
    except ValueError:
        return  # there is none, or it is the schema's to report
    place = os.path.realpath(workspace / store)
    for each in named(given):
        root = os.path.realpath(workspace / each.folder)
        if each.key in ROOTS and (_inside(place, root) or _inside(root, place)):
            what = f"{said(store)} and {said(each.folder)} are in one another"
            where = given.place(("archive", "store"))
            yield Problem(where, f"{what}: archives need a folder apart from the runs")


def _missing(each: Named, workspace: Path) -> str:
    """Looked at name by name, so that a dangling link on the way is not taken for absence."""
    steps, what = each.folder.split("/"), "file" if each.key in FILES else "folder"
    for end in range(1, len(steps) + 1):
        path = workspace.joinpath(*steps[:end])
        is_right = stat.S_ISREG if what == "file" and end == len(steps) else stat.S_ISDIR
        try:
            if not is_right(path.stat().st_mode):
                return f" is no {what}: name another one"
        except FileNotFoundError:
            if path.is_symlink():
                return f" leads nowhere: there is no {said(os.readlink(path))}"
            return f": no such {what}: create it, or remove the line" if each.given else ""
        except OSError as error:
            return f" can't be looked at: {error.strerror}"
    return ""


def _astray(each: Named, workspace: Path) -> str:
    """Where a folder really is; `workspace` is resolved."""
    real = os.path.realpath(workspace / each.folder)
    if _inside(str(workspace), real):
        return " leads to the workspace itself, or to a folder around it"
    for own in (".git", ".janitor"):
        place = os.path.realpath(workspace / own)
        if _inside(real, place) or _inside(place, real):
            return f" and {own} are in one another: name another folder"
    return ""


def _same(blamed: Named, other: Named) -> str:
    if blamed.folder != other.folder:
        return ""
    again = "named twice" if blamed.key == other.key else f"folders.{other.key} as well"
    return f" is {again}: a folder can be only one thing"


def _meeting(blamed: Named, other: Named, real: dict[Named, str]) -> str:
    """Folders that only links bring together; `real` knows those that exist and are sound."""
    if blamed not in real or other not in real:
        return ""
    mine, its = real[blamed], real[other]
    if mine == its:
        return f" and {said(other.folder)} are the same place, {said(mine)}"
    by_name = is_within(blamed.folder, other.folder) or is_within(other.folder, blamed.folder)
    looked_at = {blamed.key, other.key} & set(ROOTS)
    if looked_at and not by_name and (_inside(mine, its) or _inside(its, mine)):
        return f" and {said(other.folder)} are in one another through a link"
    return ""


def _inside(path: str, folder: str) -> bool:
    """Like `is_within`, for absolute paths; everything is inside "/"."""
    return os.path.commonpath((path, folder)) == folder
