"""What lies in a root, as far as it may be in the way: one walk that only lists and stats."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass, field

from artifact_janitor.state import STATE

_SAMPLES = 5
"""Files that are noted, to be asked for a lease."""


@dataclass(slots=True)
class Contents:
    """Counts, each with an example; paths as in the workspace."""

    files: int = 0
    folders: int = 0
    """With the root itself: each may want a watch."""
    foreign: int = 0
    """Files of other users: only their owner may ask for a lease on them."""
    a_foreign: str = ""
    shut: int = 0
    """Folders that we may not take anything out of."""
    a_shut: str = ""
    unreadable: int = 0
    an_unreadable: str = ""
    newest: int = 0
    """mtime of the newest file, in nanoseconds."""
    the_newest: str = ""
    samples: list[str] = field(default_factory=list)
    """Files that we may ask for a lease."""


def contents(base: str, root: str, others: Collection[str]) -> Contents:
    """`others` are the real paths of roots, which are walked for themselves."""
    found, stack = Contents(), [root]
    device = os.stat(os.path.join(base, root)).st_dev
    while stack:
        folder = stack.pop()
        try:
            with os.scandir(os.path.join(base, folder)) as entries:
                held = _note_folder(found, base, folder)
                for entry in entries:
                    path = f"{folder}/{entry.name}"
                    status = entry.stat(follow_symlinks=False)
                    if not stat.S_ISDIR(status.st_mode):
                        _note_file(found, path, status)
                    elif entry.name != STATE and status.st_dev == device:
                        if held and status.st_uid != os.geteuid():
                            _note_shut(found, path)
                        stack += [path] if f"{base}/{path}" not in others else []
        except OSError:
            found.unreadable += 1
            found.an_unreadable = found.an_unreadable or folder
    return found


def _note_folder(found: Contents, base: str, folder: str) -> bool:
    """To rename a folder into the trash takes the right to write to it, and around it.

    Whether folders in it go by their owner's hand alone, as in /tmp.
    """
    found.folders += 1
    path = os.path.join(base, folder)
    if not os.access(path, os.W_OK | os.X_OK, effective_ids=True):
        _note_shut(found, folder)
        return False
    status = os.stat(path)
    return bool(status.st_mode & stat.S_ISVTX) and os.geteuid() not in (0, status.st_uid)


def _note_shut(found: Contents, folder: str) -> None:
    found.shut += 1
    found.a_shut = found.a_shut or folder


def _note_file(found: Contents, path: str, status: os.stat_result) -> None:
    found.files += 1
    if status.st_mtime_ns > found.newest:
        found.newest, found.the_newest = status.st_mtime_ns, path
    if os.geteuid() not in (0, status.st_uid):
        found.foreign += 1
        found.a_foreign = found.a_foreign or path
    elif stat.S_ISREG(status.st_mode) and len(found.samples) < _SAMPLES:
        found.samples.append(path)
