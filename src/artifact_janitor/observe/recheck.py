"""Look again at one unit, immediately before it goes and right after (S2, S11)."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from artifact_janitor.core.model import Artifact, Catalogue, is_within
from artifact_janitor.core.plan import Step
from artifact_janitor.core.slimming import SLIM
from artifact_janitor.journal import Move
from artifact_janitor.observe import liveness, tree
from artifact_janitor.observe.examine import fingerprint_of
from artifact_janitor.observe.liveness import Moment, in_use
from artifact_janitor.observe.survey import Survey
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
    if changed := _changed(artifact, before, content):
        return changed
    for link in artifact.links:
        if not _names(moment.base, link, artifact.path):
            return f"{link} names something else since the plan was made"
    alive = liveness.live(content, artifact.path, moment)
    return alive.why if alive else ""


def regret(
    survey: Survey, step: Step, renamed: Sequence[tuple[Artifact, Sequence[Move]]], moment: Moment
) -> str:
    """What happened until the renames, after `objection` had been asked of the unit, or "".

    No program finds what was renamed by its name any more: what was written to it meanwhile is
    in it, and whoever still writes holds it open. Raises OSError where an archive is gone.
    """
    moment, contents = replace(moment, leases=False), survey.contents
    if step.stored:
        moves = chain.from_iterable(moves for _, moves in renamed)
        held = (in_use(read(moment.base, each.target), moment.activity) for each in moves)
        return next((f"live: {who}" for who in held if who), "")
    if who := in_use(before := contents[step.path], moment.activity):
        return f"live: {who}"
    found = (
        _late(part, contents.get(part.path, before), moves[0].target, moment)
        for part, moves in renamed
    )
    first, slims = renamed[0][0], step.do == SLIM
    late = next(filter(None, found), "")
    return late or life_around(first, survey.catalogue, moment, slims=slims)


def _late(artifact: Artifact, before: Folder | Entry, moved: str, moment: Moment) -> str:
    with suppress(OSError):  # then somebody took it out of the trash, and has it
        content = read(moment.base, moved)
        if changed := _changed(artifact, before, content):
            return changed
        alive = liveness.live(content, moved, moment)
        return alive.why if alive else ""
    return ""


def _changed(artifact: Artifact, before: Folder | Entry, content: Folder | Entry) -> str:
    if fingerprint_of(content) == artifact.fingerprint:
        return ""
    return f"changed since the plan was made ({_difference(before, content)})"


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


def is_it(content: Folder | Entry, move: Move) -> bool:
    """Whether a rename is of the very file or folder that was looked at."""
    entry = content.entry if isinstance(content, Folder) else content
    return (entry.dev, entry.ino) == (move.dev, move.ino)


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
