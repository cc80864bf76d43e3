"""What there is of a workspace's ``.gitignore``, and what the policy makes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from artifact_janitor.apply import gitignore as file
from artifact_janitor.apply.gitignore import Found
from artifact_janitor.config import Settings
from artifact_janitor.core.gitignore import FILE, Change, Flaw, as_it_should_be, change
from artifact_janitor.core.gitignore_rules import (
    MODELS_TOO,
    WEIGHTS,
    Places,
    Rule,
    escaped,
    rules,
)
from artifact_janitor.errors import JanitorError, StepSkipped
from artifact_janitor.observe import git_rules as git
from artifact_janitor.observe.git import GitUnknown, distrust
from artifact_janitor.observe.git_rules import Repository
from artifact_janitor.regular import open_regular
from artifact_janitor.workplace import ground_of

MANY = 100
"""Tracked models in one folder: more than that are a data set, and no milestones."""
_LARGEST_META = 1 << 20
"""Bytes of what is said of a milestone."""


class GitTrouble(JanitorError):
    """There is a repository, and Git can't be asked about it."""

    code = "git"


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of a workspace: its file, the policy, and what would become of the file.

    There is a ``change`` unless a ``flaw`` of the file forbids one.
    """

    repo: Repository
    found: Found
    rules: tuple[Rule, ...]
    change: Change | None
    flaw: Flaw | None = None
    tracked: frozenset[str] = frozenset()
    """Models that Git tracks, and that nobody calls anything but chosen."""
    large: tuple[tuple[str, int], ...] = ()
    """What is about to be committed, and is too large, with its bytes."""

    @property
    def diff(self) -> list[str]:
        """What a sync would change, or what is wrong with a block that it leaves alone."""
        if self.change is None and self.flaw and self.flaw.line and self.found.content:
            text = self.found.content.decode("utf-8", "surrogateescape")
            return as_it_should_be(text, self.rules).diff()
        return self.change.diff() if self.change else []

    @property
    def drifts(self) -> bool:
        return self.change is not None and not self.change.is_none


def look(settings: Settings, index: str = "") -> Sight | None:
    """None where there is no repository. `index` is the one of a hook, if it has one.

    Raises GitTrouble where Git can't be asked.
    """
    try:
        repo = git.repository(settings.workspace)
        if repo is None:
            return None
        large = _large(repo, settings.gitignore.max_size, index)
        models = _models(repo, settings.folders.for_git)
        tracked = frozenset(models) - {path for path, _ in large}
    except GitUnknown as error:
        raise trouble(settings, str(error)) from error
    chosen, others = _chosen(settings, tracked)
    tracked -= others
    policy = tuple(rules(settings.gitignore, settings.folders.for_git, chosen))
    try:
        found = file.read(ground_of(settings))
    except StepSkipped as error:
        flaw = Flaw(error.message.removeprefix(f"{FILE} "), error.hint)
        return Sight(repo, Found(), policy, None, flaw, tracked, large)
    text = None if found.content is None else found.content.decode("utf-8", "surrogateescape")
    made = change(text, policy)
    if isinstance(made, Flaw):
        return Sight(repo, found, policy, None, made, tracked, large)
    return Sight(repo, found, policy, made, None, tracked, large)


def _models(repo: Repository, places: Places) -> list[str]:
    """The tracked ones. What may be anything else counts only where models are."""
    folders = (places.models, places.best_models)
    inside = (f":(icase,glob){escaped(each)}/**/{end}" for each in folders for end in MODELS_TOO)
    return git.listed(repo, "--", *(f":(icase){each}" for each in WEIGHTS), *inside)


def trouble(settings: Settings, why: str) -> GitTrouble:
    place = settings.workspace
    hint = "git status says what is wrong"
    with suppress(GitUnknown):
        if "dubious ownership" in distrust(place):
            hint = f"git config --global --add safe.directory {place}"
    return GitTrouble(f"Git can't be asked about {place}: {why}", hint, str(place))


def _large(repo: Repository, most: int, index: str) -> tuple[tuple[str, int], ...]:
    sizes = git.staged(repo, index)
    return tuple((path, size) for path, size in sorted(sizes.items()) if size > most)


def _chosen(settings: Settings, tracked: Iterable[str]) -> tuple[set[str], set[str]]:
    """Milestones: what Git tracks, or its own ``_meta.json`` calls chosen; and what that says is
    none."""
    by_folder: dict[str, list[str]] = {}
    for path in tracked:
        by_folder.setdefault(path.rpartition("/")[0], []).append(path)
    few = {path for paths in by_folder.values() if len(paths) <= MANY for path in paths}
    (folder,) = settings.folders.best_models
    said = dict(_said(settings.workspace, folder))
    others = {path for path, yes in said.items() if not yes}
    chosen = (few | {path for path, yes in said.items() if yes}) - others
    return {path for path in chosen if path.isprintable()}, others


def _said(workspace: Path, folder: str) -> Iterator[tuple[str, bool]]:
    """Milestones by path, and whether they are ``chosen``, as far as that is said."""
    ending = "_meta.json"
    with suppress(OSError):
        for name in sorted(os.listdir(workspace / folder)):
            yes = _meta(workspace / folder / name) if name.endswith(ending) else None
            if isinstance(yes, bool):
                yield f"{folder}/{name.removesuffix(ending)}.pt", yes


def _meta(path: Path) -> object:
    try:
        with os.fdopen(open_regular(path), "rb") as meta:
            return json.loads(meta.read(_LARGEST_META)).get("chosen")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
