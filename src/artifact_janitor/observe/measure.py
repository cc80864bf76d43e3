"""Size, age and obstacles of a unit, from its tree."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from artifact_janitor.core.model import Evidence, is_within
from artifact_janitor.observe.tree import Entry, Folder

Inode = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Size:
    """Allocated bytes, each inode once; ``frees`` is what the disk would get back."""

    time: int
    bytes: int
    frees: int
    files: int


class HardLinks:
    """Who counts a file with several names: the first of its paths that we know."""

    def __init__(self, trees: Iterable[Folder]) -> None:
        self.owner: dict[Inode, str] = {}
        for tree in trees:
            for path, entry in tree.all_files():
                if entry.nlink > 1:
                    inode = (entry.dev, entry.ino)
                    self.owner[inode] = min(path, self.owner.get(inode, path))

    def counts(self, path: str, entry: Entry) -> bool:
        return entry.nlink == 1 or self.owner.get((entry.dev, entry.ino)) == path


def size_of(content: Folder | Entry, path: str, links: HardLinks) -> Size:
    if isinstance(content, Entry):
        counted = content.bytes if links.counts(path, content) else 0
        return Size(content.mtime, counted, content.bytes if content.nlink == 1 else 0, 1)
    total = freed = files = newest = 0
    shared: Counter[Entry] = Counter()
    for name, entry in content.all_files():
        files, newest = files + 1, max(newest, entry.mtime)
        total += entry.bytes if links.counts(name, entry) else 0
        if entry.nlink == 1:
            freed += entry.bytes
        else:
            shared[entry] += 1
    freed += sum(entry.bytes for entry, names in shared.items() if names == entry.nlink)
    rest = sum(entry.bytes for entry in _not_files(content))
    newest = newest or max(folder.entry.mtime for folder in content.walk())
    return Size(newest, total + rest, freed + rest, files)


def _not_files(content: Folder) -> Iterator[Entry]:
    for folder in content.walk():
        yield folder.entry
        yield from folder.link_entries.values()
        yield from folder.others.values()


@lru_cache(maxsize=1024)
def _real(folder: Path) -> str:
    """Where a folder is: the kernel names mount points so, and a root may be a symlink."""
    return os.path.realpath(folder)


def obstacles(content: Folder | Entry, base: Path, mounts: Iterable[str]) -> Iterator[Evidence]:
    """What makes a folder untouchable by what it holds (S1, S7)."""
    if isinstance(content, Entry):
        return
    above, _, name = content.path.rpartition("/")
    here = f"{_real(base / above)}/{name}"
    for mount in mounts:
        if is_within(mount, here):
            yield Evidence("mount", f"a filesystem is mounted in it, at {mount}")
    for folder in content.walk():
        if folder.trouble:
            yield Evidence("unreadable", f"{folder.path}: {folder.trouble}")
        if ".git" in folder.folders or ".git" in folder.files or ".git" in folder.links:
            yield Evidence("git", f"holds a Git repository: {folder.path}/.git")
