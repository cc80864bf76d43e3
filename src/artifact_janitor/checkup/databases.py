"""Checks of the studies' files: how they are written, and on what."""

from __future__ import annotations

import os
from collections.abc import Iterator

from artifact_janitor import wal
from artifact_janitor.checkup.check import Found, Place, ok, problem, some
from artifact_janitor.checkup.ground import is_remote
from artifact_janitor.mounts import mount_of
from artifact_janitor.observe import optuna_files
from artifact_janitor.observe.reading import head
from artifact_janitor.observe.sqlite import MAGIC


def studies(place: Place) -> Iterator[Found]:
    """A log that is written ahead is shared through memory: other hosts don't see it."""
    modes: dict[str, list[str]] = {}
    for root in place.settings.folders.hpo_studies:
        for path in optuna_files.files(place.settings.workspace, root):
            modes.setdefault(_mode(place, path), []).append(path)
    remote = [(path, kind) for path in modes.get("WAL", ()) if (kind := _remote(place, path))]
    for path, kind in remote:
        what = f"{path} is in WAL mode on {kind}: with optimizers on two hosts it is ruined"
        hint = f'when no optimizer has it open: sqlite3 {path} "PRAGMA journal_mode=DELETE"'
        yield problem(what, hint, path)
    if not remote:
        told = [f"{len(paths)} {mode}" for mode, paths in sorted(modes.items())]
        count = sum(map(len, modes.values()))
        yield ok(f"{some(count, 'file')}: {', '.join(told)}" if count else "none here")


def _mode(place: Place, path: str) -> str:
    """As a database's header says it; nothing else of it is read."""
    start = head(place.settings.workspace / path, wal.HEADER)
    if not start.startswith(MAGIC):
        return "journal storage" if path.endswith(".log") else "unknown"
    return "WAL" if wal.is_used(start) else "rollback journal"


def _remote(place: Place, path: str) -> str:
    """The type of a filesystem that other hosts may write to; fuseblk is a disk of this one."""
    mount = mount_of(os.path.realpath(os.path.join(place.base, path)))
    return mount.type if mount and is_remote(mount) and mount.type != "fuseblk" else ""
