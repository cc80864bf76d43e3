"""What a run was configured with, by whatever name a person remembers of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from artifact_janitor import clock
from artifact_janitor.config import Settings
from artifact_janitor.core.model import is_within, upward
from artifact_janitor.errors import Unknown
from artifact_janitor.journal import Config, Journal
from artifact_janitor.looking import Tick, look, reading
from artifact_janitor.observe import configs, tree
from artifact_janitor.observe.configs import Run
from artifact_janitor.observe.tree import Folder, entry_of

NEAREST = 5
"""How many names an error suggests."""


@dataclass(frozen=True, slots=True)
class Version:
    """The files of a configuration, by name, as they were `seen`; in nanoseconds."""

    seen: int
    files: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Recalled:
    """A run that was found; ``main`` names the file that was meant, ``versions`` are newest
    first, and there is one at least."""

    run: Run
    main: str
    is_there: bool
    versions: Sequence[Version]


def recall(
    settings: Settings, asked: str, named: Sequence[str], tick: Tick | None = None
) -> Recalled:
    """The configuration of the run that is `asked` for: by a path, that of a thing in it, the
    end of its path, or W&B's ID. `named` are the paths in the workspace that it may mean.

    Raises Unknown where no run, or more than one, bears the name.
    """
    with reading(settings) as journal:
        paths = journal.configs.paths() if journal else []
        known = [Run(path, "", run_id) for path, run_id in paths]
    units: list[Run] = []
    meant = None
    if not any(os.path.lexists(settings.workspace / path) for path in named):
        meant = _around(named, known)
    if meant is None:
        units = _there(settings, tick)
        there = [each for each in units if each.kind in configs.RUNS]
        known = [*{each.path: each for each in (*known, *there)}.values()]
        meant = _around(named, known) or _one(asked, known)
    run, within = meant
    inside = [each for each in units if is_within(each.path, run.path)]
    return _recalled(settings, run, within, inside)


def _there(settings: Settings, tick: Tick | None) -> list[Run]:
    """All runs and checkpoints that there are; what a look reads, it also writes down."""
    seen = look(settings, clock.read().wall, tick=tick).survey
    ids = {path: each for whole in seen.wholes.values() for path, each in whole.run_ids.items()}
    return configs.runs_of(seen.catalogue.artifacts, ids)


Meant = tuple[Run, str]
"""A run, and the path in it that was named, "" for the run itself."""


def _around(named: Iterable[str], known: Iterable[Run]) -> Meant | None:
    """The innermost run that one of these paths lies in."""
    by_path = {each.path: each for each in known}
    for path in named:
        for above in upward(path):
            if above in by_path:
                return by_path[above], path[len(above) + 1 :]
    return None


def _one(asked: str, known: Sequence[Run]) -> Meant:
    """The run with this ID, or whose path ends so. Raises Unknown unless there is just one."""
    by_id = [(each, "") for each in known if asked and each.run_id == asked]
    found = by_id or _ending(asked, known)
    if len(found) == 1:
        return found[0]
    if not found:
        near = _near(asked, known)
        hint = f"nearest: {', '.join(near)}" if near else "janitor why . lists the runs"
        raise Unknown(f"no run was ever seen that is called {asked}", hint, asked)
    paths = sorted(each.path for each, _ in found)
    more = f" and {len(paths) - NEAREST} more" if len(paths) > NEAREST else ""
    hint = f"write more of its path: {', '.join(paths[:NEAREST])}{more}"
    raise Unknown(f"{asked} is the name of {len(paths)} runs", hint, asked)


def _ending(asked: str, known: Iterable[Run]) -> list[Meant]:
    """The runs whose path ends with these names, or with the first of them."""
    names = [name for name in asked.split("/") if name not in ("", ".")]
    for end in range(len(names), 0, -1):
        tail, within = "/" + "/".join(names[:end]), "/".join(names[end:])
        if found := [(each, within) for each in known if f"/{each.path}".endswith(tail)]:
            return found
    return []


def _near(asked: str, known: Iterable[Run]) -> list[str]:
    """Paths that look like what was asked for, in whole or in their last name."""
    names: dict[str, str] = {}
    for each in known:
        names |= {each.path.rpartition("/")[2]: each.path, each.path: each.path}
        if each.run_id:
            names[each.run_id] = each.path
    near = get_close_matches(asked, names, NEAREST, 0.5)
    return [*dict.fromkeys(names[each] for each in near)]


def _recalled(settings: Settings, run: Run, within: str, inside: Sequence[Run]) -> Recalled:
    """`inside` are the runs and checkpoints in it, itself included, as far as it is there."""
    with reading(settings) as journal:
        kept = journal.configs.of(run.path) if journal else []
        versions = [Version(each.seen, _files(journal, each)) for each in kept if journal]
    now = _now(settings, run, inside) if inside else None
    if now and (not versions or versions[0].files != now.files):
        versions = [now, *versions]
    names = [*versions[0].files] if versions else []
    main = configs.main_of(names, within) or configs.main_of(names)
    if main is None:
        what = f"nothing is known of what {run.path} was configured with"
        raise Unknown(what, "it left no file of Hydra, W&B or its trainer that says so", run.path)
    return Recalled(run, main, bool(inside), versions)


def _files(journal: Journal, config: Config) -> dict[str, bytes]:
    return {each.name: journal.configs.content(each.digest) for each in config.files}


def _now(settings: Settings, run: Run, inside: Sequence[Run]) -> Version | None:
    """As it is in the run's own place; None where nothing can be read there any more."""
    root = next(each for each in settings.folders.retention if is_within(run.path, each))
    try:
        top = Folder(run.path, entry_of(os.lstat(settings.workspace / run.path)))
    except OSError:
        return None
    tree.fill(settings.workspace, root, top)
    found = configs.places(inside, (each.path for each in top.walk()))
    now = clock.read().wall
    asked = {each: there for each, there in found.items() if each.path == run.path}
    seen = configs.read(settings.workspace, asked, lambda _: None, now, whole=True)
    for config in seen.configs:
        return Version(now, {each.name: seen.bodies[each.digest] for each in config.files})
    return None
