"""Checks of the studies' files: how they are written, and on what."""

from __future__ import annotations

import os
from collections.abc import Iterator

from artifact_janitor import wal
from artifact_janitor.checkup.check import Found, Place, ok, problem, some, warning
from artifact_janitor.checkup.ground import given_to, is_remote, may, reader
from artifact_janitor.core.model import upward
from artifact_janitor.mounts import mount_of
from artifact_janitor.observe import optuna_files
from artifact_janitor.observe.reading import head
from artifact_janitor.observe.sqlite import MAGIC

UNREAD = "can't be read"


def studies(place: Place) -> Iterator[Found]:
    """A log that is written ahead is shared through memory: other hosts don't see it."""
    modes: dict[str, list[str]] = {}
    for root in place.studies:
        for each in optuna_files.found(place.settings.workspace, root):
            if isinstance(each, str):
                modes.setdefault(_mode(place, each), []).append(each)
            elif each.kind == "link":
                yield warning(f"{each.path}: {each.why}", each.hint, each.path)
    for path in modes.get(UNREAD, ()):
        what = f"{path} can't be read by {reader(place)}: its studies are never trained"
        yield warning(what, given_to(place, path), path)
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
    if not _may_read(place, path):
        return UNREAD
    start = head(place.settings.workspace / path, wal.HEADER)
    if not start.startswith(MAGIC):
        return "journal storage" if path.endswith(".log") else "unknown"
    return "WAL" if wal.is_used(start) else "rollback journal"


def _may_read(place: Place, path: str) -> bool:
    """Whoever asks may; where that is root, the daemon, which runs as the workspace's owner."""
    if os.geteuid() != 0:
        return os.access(os.path.join(place.base, path), os.R_OK, effective_ids=True)
    owner = os.stat(place.base)
    around = {each: os.stat(os.path.join(place.base, each)) for each in upward(path)}
    return owner.st_uid == 0 or all(
        may(status, owner, 0o4 if each == path else 0o5) for each, status in around.items()
    )


def _remote(place: Place, path: str) -> str:
    """The type of a filesystem that other hosts may write to; fuseblk is a disk of this one."""
    mount = mount_of(os.path.realpath(os.path.join(place.base, path)))
    return mount.type if mount and is_remote(mount) and mount.type != "fuseblk" else ""
