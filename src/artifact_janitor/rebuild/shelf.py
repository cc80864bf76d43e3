"""Archives that no row explains: each whole one comes back into the index, by its manifest; in a
store outside the workspace those alone that this workspace made.

Whether its bytes are right is for ``janitor verify`` to say: here only its manifest is read.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import get_args

from artifact_janitor.apply.archive import whose
from artifact_janitor.apply.archive.manifest import Head, Manifest
from artifact_janitor.apply.archive.store import ARCHIVE, Store
from artifact_janitor.core.expiry import EXPIRE
from artifact_janitor.core.model import Kind
from artifact_janitor.core.policy import ARCHIVE as DO
from artifact_janitor.errors import ArchiveError, StepFailed
from artifact_janitor.journal.purges import REBUILT
from artifact_janitor.journal.salvage import Salvaged
from artifact_janitor.journal.values import ArchiveRow, StepRow
from artifact_janitor.rebuild.mending import next_step

WHY = "found in the store when the journal was rebuilt"
Read = tuple[Head, int, int, str]
"""The first line of a manifest, bytes of the archive, its members, and the manifest's digest."""


def add(found: Salvaged, stores: Mapping[str, Store], workspace: Path) -> list[str]:
    """Add rows for all that stand, and no row explains; the names of what was found."""
    known = {(os.fsdecode(each.store), each.name) for each in found.rows["archive"]}
    names = []
    for place, store in stores.items():
        try:
            there = store.names()
        except StepFailed:
            found.partial.add("archive")
            continue
        for name in there:
            if (place, name) in known or not whose.is_made_here(store, name, workspace):
                continue
            if read := _read(store, name):
                _note(found, place, name, read)
                names.append(name)
    _expired(found, workspace, known)
    return names


def _read(store: Store, name: str) -> Read | None:
    with suppress(ArchiveError, StepFailed), store.opened(name) as files:
        manifest = Manifest(files.manifest)
        members = sum(1 for _ in manifest.members())
        size, end = os.fstat(files.archive.fileno()).st_size, manifest.end
        if end and end.archive_bytes == size and manifest.head.kind in get_args(Kind):
            return manifest.head, store.size(name), members, manifest.digest
    return None


def _note(found: Salvaged, place: str, name: str, read: Read) -> int:
    """Of the step that made it, where that is known, or of one that says so; its number."""
    head, size, members, digest = read
    indexed = {each.step for each in found.rows["archive"]}
    mine = (
        each.id
        for each in found.rows["step"]
        if each.do == DO and os.fsdecode(each.path) == head.unit and each.id not in indexed
        if each.state == "done"
    )
    number = next(mine, 0)
    if not number:
        number = next_step(found)
        row = (number, REBUILT, DO, head.kind, os.fsencode(head.unit), head.bytes, 0, "")
        found.rows["step"].append(StepRow(*row, f'["{WHY}"]', None, "done", "", head.made))
    index = ArchiveRow(number, os.fsencode(place), name, 0, size, members, digest, 0)
    found.rows["archive"].append(index)
    return number


def _expired(found: Salvaged, workspace: Path, known: set[tuple[str, str]]) -> None:
    """What lies in the trash of a store would be in no index if it came back."""
    targets: defaultdict[int, list[str]] = defaultdict(list)
    for each in found.rows["move"]:
        targets[each.step].append(os.fsdecode(each.target))
    for at, step in enumerate(found.rows["step"]):
        place, _, name = os.fsdecode(step.path).removesuffix(ARCHIVE).rpartition("/")
        if step.do != EXPIRE or step.about is not None or (place, name) in known:
            continue
        for target in targets[step.id][:1]:
            folder = target.rpartition("/")[0]
            if read := _read(Store(workspace / folder, own=False), name):
                number = _note(found, place, name, read)
                found.rows["step"][at] = step._replace(about=number)
