"""One finding, and what all checks look at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from artifact_janitor import daemon_file
from artifact_janitor.checkup.contents import Contents, contents
from artifact_janitor.config import Settings
from artifact_janitor.errors import JanitorError, Problem
from artifact_janitor.journal import Journal
from artifact_janitor.observe.liveness import Activity, activity
from artifact_janitor.state import STATE, State

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Found:
    """``problem``: the janitor can't do its work; ``warning``: it can, and something may bite.
    ``hint`` is what to type, or to do."""

    state: Level
    what: str
    hint: str = ""
    path: str = ""


def ok(what: str, path: str = "") -> Found:
    return Found("ok", what, "", path)


def warning(what: str, hint: str, path: str = "") -> Found:
    return Found("warning", what, hint, path)


def problem(what: str, hint: str, path: str = "") -> Found:
    return Found("problem", what, hint, path)


def some(count: int, thing: str) -> str:
    """ "1 file", "2 files"."""
    return f"{count} {thing}" + ("" if count == 1 else "s")


@dataclass(frozen=True)
class Place:
    """A workspace that is looked over; `now` in nanoseconds.

    ``mistakes`` are those of a config.toml that can't be used: the settings are the defaults
    then. ``journal`` is None where there is none, or where ``unreadable`` says why not.
    """

    settings: Settings
    now: int
    environ: Mapping[str, str]
    mistakes: tuple[Problem, ...] = ()
    journal: Journal | None = None
    unreadable: JanitorError | None = None

    @property
    def base(self) -> str:
        return str(self.settings.workspace)

    @cached_property
    def state(self) -> State:
        return State(self.settings.workspace)

    @cached_property
    def roots(self) -> list[str]:
        """The folders that policies take from, as far as they are there."""
        roots = self.settings.folders.retention
        return [each for each in roots if os.path.isdir(os.path.join(self.base, each))]

    @cached_property
    def grounds(self) -> dict[str, str]:
        """Real paths of all places where something may be changed, by name."""
        names = [".", *([STATE] if self.state.folder.is_dir() else []), *self.roots]
        return {name: os.path.realpath(os.path.join(self.base, name)) for name in names}

    @cached_property
    def contents(self) -> dict[str, Contents]:
        """What lies in each root: one walk serves several checks."""
        others = {self.grounds[root] for root in self.roots}
        return {root: contents(self.base, root, others) for root in self.roots}

    @cached_property
    def studies(self) -> dict[str, Contents]:
        """The same of the studies' folders, in which nothing is ever changed."""
        roots = self.settings.folders.hpo_studies
        there = [each for each in roots if os.path.isdir(os.path.join(self.base, each))]
        return {root: contents(self.base, root, ()) for root in there}

    @cached_property
    def daemon(self) -> dict[str, Any] | None:
        """What the daemon of this workspace tells of itself; None where there is none."""
        return daemon_file.read(self.state)

    @cached_property
    def activity(self) -> Activity:
        return activity()
