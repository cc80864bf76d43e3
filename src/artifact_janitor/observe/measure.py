"""Size, age and obstacles of a unit, from the sums in its tree."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from artifact_janitor.core.model import Evidence, is_within, upward
from artifact_janitor.observe.tree import Entry, Folder

Inode = tuple[int, int]


class Shared(NamedTuple):
    """One name of a file that has several; ``bytes`` are allocated."""

    path: str
    dev: int
    ino: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Size:
    """Allocated bytes without what has several names; ``frees`` is what the disk gets back,
    such files included where all their names are in the unit."""

    time: int
    bytes: int
    frees: int
    files: int


def size_of(content: Folder | Entry, beside: Iterable[Entry] = ()) -> Size:
    """`beside` are files that belong to a unit that is a file itself."""
    if isinstance(content, Entry):
        parts = (content, *beside)
        alone = sum(each.bytes for each in parts if each.nlink == 1)
        return Size(max(each.mtime for each in parts), alone, alone, len(parts))
    total = files = newest = 0
    inside: Counter[Entry] = Counter()
    for folder in content.walk():
        files += len(folder.files)
        newest = max(newest, folder.newest)
        total += folder.bytes + folder.entry.bytes + _of_no_files(folder)
        inside.update(folder.files[name] for name in folder.shared)
    freed = sum(entry.bytes for entry, names in inside.items() if names == entry.nlink)
    newest = newest or max(folder.entry.mtime for folder in content.walk())
    return Size(newest, total, total + freed, files)


def _of_no_files(folder: Folder) -> int:
    links = sum(entry.bytes for entry in folder.link_entries.values())
    return links + sum(entry.bytes for entry in folder.others.values())


def shared(content: Folder | Entry, path: str) -> Iterator[Shared]:
    """The names of files in a unit that have other names too, there or elsewhere."""
    if isinstance(content, Entry):
        found = [(path, content)] if content.nlink > 1 else []
    else:
        found = [
            (f"{folder.path}/{name}", folder.files[name])
            for folder in content.walk()
            for name in folder.shared
        ]
    return (Shared(name, entry.dev, entry.ino, entry.bytes) for name, entry in found)


class HardLinks:
    """Who counts a file with several names: the first of its paths that we know."""

    def __init__(self, names: Iterable[Shared]) -> None:
        owner: dict[Inode, Shared] = {}
        for each in names:
            inode = (each.dev, each.ino)
            owner[inode] = min(each, owner.get(inode, each))
        self.counted: Counter[str] = Counter()
        """Bytes that a unit counts beyond its own, by path of whatever holds them."""
        for each in owner.values():
            self.counted.update(dict.fromkeys(upward(each.path), each.bytes))


def obstacles(content: Folder | Entry) -> Iterator[Evidence]:
    """What makes a folder untouchable by what it holds (S1, S7); see also `mounted`."""
    if isinstance(content, Entry):
        return
    for folder in content.walk():
        if folder.trouble:
            yield Evidence("unreadable", f"{folder.path}: {folder.trouble}")
        if ".git" in folder.folders or ".git" in folder.files or ".git" in folder.links:
            yield Evidence("git", f"holds a Git repository: {folder.path}/.git")


def mounts_below(base: Path, root: str, mounts: Iterable[str]) -> dict[str, str]:
    """Mount points below a root: their paths in the workspace, and where they really are.

    The kernel names them by real paths, and a root may be a symlink; "" is the workspace.
    """
    real = os.path.realpath(base / root)
    inside = {mount[len(real) + 1 :]: mount for mount in mounts if is_within(mount, real)}
    return {f"{root}/{place}".strip("/"): mount for place, mount in inside.items()}


def mounted(path: str, mounts: dict[str, str]) -> Iterator[Evidence]:
    """The filesystems that are mounted in a unit, or on it (S1)."""
    for place, mount in mounts.items():
        if is_within(place, path):
            yield Evidence("mount", f"a filesystem is mounted in it, at {mount}")
