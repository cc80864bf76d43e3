"""Look again at one unit, immediately before it goes (S2, S11)."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from artifact_janitor.core.model import Artifact, Catalogue, is_within
from artifact_janitor.observe import liveness, tree
from artifact_janitor.observe.examine import fingerprint_of
from artifact_janitor.observe.liveness import Moment
from artifact_janitor.observe.tree import Entry, Folder
from artifact_janitor.state import STATE


def objection(artifact: Artifact, before: Folder | Entry, moment: Moment) -> str:
    """Why the unit may not go after all, or "": it changed, or something uses it."""
    try:
        content = read(moment.base, artifact.path)
    except OSError as error:
        return f"gone or out of reach since the plan was made ({error.strerror})"
    if os.path.lexists(moment.base / artifact.path / STATE):
        return "a janitor's own state lies in it now"
    if fingerprint_of(content) != artifact.fingerprint:
        return f"changed since the plan was made ({_difference(before, content)})"
    for link in artifact.links:
        if not _names(moment.base, link, artifact.path):
            return f"{link} names something else since the plan was made"
    alive = liveness.live(content, artifact.path, moment)
    return alive.why if alive else ""


def life_around(
    artifact: Artifact, catalogue: Catalogue, moment: Moment, *, slims: bool = False
) -> str:
    """Whether what the unit is a part of came to life: a checkpoint's run, a sweep; where it
    `slims` the unit, which takes checkpoints, whatever is around it."""
    for whole in islice(catalogue.up_from(artifact), 1, None):
        is_part = whole == artifact.parent and artifact.kind == "checkpoint"
        if slims or is_part or catalogue.by_path[whole].kind == "hydra-sweep":
            with suppress(OSError):  # then it is gone, and its parts with it
                content = read(moment.base, whole)
                if alive := liveness.live(content, whole, moment, may_shrink=True):
                    return f"part of {whole}: {alive.why}"
    return ""


def _names(base: Path, link: str, path: str) -> bool:
    """Whether a symlink still leads to or into `path`, by its text."""
    try:
        target = os.readlink(base / link)
    except OSError:
        return False
    return is_within(posixpath.normpath(posixpath.join(posixpath.dirname(link), target)), path)


def read(base: Path, path: str) -> Folder | Entry:
    """What is at a path now. Raises OSError where nothing is."""
    status = os.lstat(base / path)
    return tree.read(base, path) if stat.S_ISDIR(status.st_mode) else tree.entry_of(status)


def _difference(before: Folder | Entry, after: Folder | Entry) -> str:
    """The first thing that is not as it was, as a person would say it."""
    old, new = dict(_contents(before)), dict(_contents(after))
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            return f"{name} is gone"
        if name not in old:
            return f"{name} is new"
        if _marks(old[name]) != _marks(new[name]):
            return f"{name} {_change(old[name], new[name])}"
    return "it was replaced"


def _contents(content: Folder | Entry) -> Iterator[tuple[str, Entry]]:
    if isinstance(content, Entry):
        yield "it", content
        return
    for folder in content.walk():
        for name, entry in {**folder.files, **folder.link_entries, **folder.others}.items():
            yield f"{folder.path}/{name}"[len(content.path) + 1 :], entry


def _marks(entry: Entry) -> tuple[int, int, int]:
    return entry.ino, entry.size, entry.mtime


def _change(old: Entry, new: Entry) -> str:
    if old.ino != new.ino:
        return "was replaced"
    if old.size != new.size:
        return "grew" if new.size > old.size else "shrank"
    return "was written to"
