"""Whose an archive is: a store outside the workspace may hold those of several (S7).

A workspace is known by its path and by the inode of its folder. A copy has another inode, one that
was moved on its disk keeps it, and of two that lie at the same path, each in a container of its
own, each has its own.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from artifact_janitor.apply.archive.manifest import Head, Manifest
from artifact_janitor.apply.archive.store import ARCHIVE, Store
from artifact_janitor.core.model import is_within
from artifact_janitor.errors import ArchiveError, StepFailed


def mark(workspace: Path) -> tuple[str, int]:
    """What the manifests of a workspace's archives tell of it: its real path, and its inode."""
    return os.path.realpath(workspace), os.stat(workspace).st_ino


def is_outside(place: Path, workspace: Path) -> bool:
    """Whether others may have archives there, too."""
    return not is_within(os.path.realpath(place), os.path.realpath(workspace))


def other(head: Head, workspace: Path) -> str:
    """The workspace that made an archive, where it is another one that is, or may be, still there;
    "" where this one was moved, and where nobody can tell."""
    path, inode = mark(workspace)
    if head.workspace in ("", path) or _is_gone(head.workspace):
        return ""
    with suppress(OSError):
        there = os.stat(head.workspace)
        was_moved = head.inode == inode != there.st_ino  # and something else is there now
        if was_moved or os.path.samestat(there, os.stat(workspace)):
            return ""
    return head.workspace


def _is_gone(path: str) -> bool:
    """Whether nothing is at a path, and no empty folder is all there is on the way to it: a disk
    that is not mounted leaves one."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        with suppress(OSError):
            around = next(each for each in Path(path).parents if os.path.isdir(each))
            return any(os.scandir(around))
    except OSError:
        pass
    return False


def objection(store: Store, head: Head, workspace: Path) -> str:
    """Why an archive of our index must not go, for all that we know: a copy of a workspace has the
    index of the first one."""
    if not is_outside(store.place, workspace):
        return ""
    if not head.workspace:
        return "its manifest doesn't say which workspace made it"
    if made_by := other(head, workspace):
        return f"it was made by the workspace {made_by}, which is still there"
    return ""


def is_ours(store: Store, head: Head | None, workspace: Path) -> bool:
    """Whether an archive that is in no index is this workspace's for sure."""
    if not is_outside(store.place, workspace):
        return True
    if head is None or head.inode != mark(workspace)[1]:
        return False
    return bool(head.workspace) and not other(head, workspace)


def is_made_here(store: Store, name: str, workspace: Path) -> bool:
    """The same, of one that was not read yet."""
    return is_ours(store, _head(store, name), workspace)


def is_made_elsewhere(store: Store, name: str, workspace: Path) -> bool:
    """Whether an archive stands that another workspace made for sure."""
    head = _head(store, name) if is_outside(store.place, workspace) else None
    return bool(head and other(head, workspace))


def any_made_here(folder: Path, workspace: Path) -> bool:
    """Whether anything below a folder is such an archive."""
    found = folder.rglob(f"*{ARCHIVE}")
    return any(
        is_made_here(Store(each.parent, own=False), each.name.removesuffix(ARCHIVE), workspace)
        for each in found
    )


def _head(store: Store, name: str) -> Head | None:
    with suppress(ArchiveError, StepFailed), store.opened(name) as files:
        return Manifest(files.manifest).head
    return None
