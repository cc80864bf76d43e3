"""One root: what is known of its folders, and looking at them again.

The order is what makes this whole: arm the watch, list, compare. What changes after the
arming makes an event; what changed before is in the listing.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator

from artifact_janitor.daemon_file import NO_INSTANCE
from artifact_janitor.mounts import is_remote, mount_of
from artifact_janitor.watch.emitter import Source
from artifact_janitor.watch.kernel import SURROUNDINGS, Watched
from artifact_janitor.watch.told import Root, WatchedRoot
from artifact_janitor.watch.tree import NOTHING, Folder, Listing, enter, listing, whole

COSTLY = 0.01
"""Seconds that a look at one folder may take; with 10,000 files in it, it takes more."""
SHARE = 0.05
"""Of one core: such a folder, and what nobody tells of, gets no more."""


Settled = Callable[[str, int], bool]


class Surroundings(Watched):
    """A folder that a root lies in: what it is called there may come to mean another folder."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


class Look:
    """What one root looks like, and where it has changed since (`found`).

    `settled` says of a folder, see `Watcher`, that it needs no watch of its own; `stopping`
    that there is no time for more.
    """

    def __init__(self, root: Root, settled: Settled, stopping: Callable[[], bool]) -> None:
        self.root = root
        self.top: Folder | None = None
        self.count = 0
        self.polled: set[Folder] = set()
        self.unreadable: set[Folder] = set()
        self.found: dict[str, int] = {}
        """Paths of folders that differ, and the mtime of the newest file in each, ns."""
        self._settled = settled
        self._stopping = stopping
        self._source = Source()
        self._around: dict[str, Surroundings] = {}
        self._identity: tuple[str, int, int] | None = None
        self._is_new = False
        self._silent = ""
        self._why_missing = "not looked at yet"

    # ------------------------------------------------------------ which folder it is

    def use(self, source: Source) -> None:
        """From now on this one is asked for watches; what stood on another is forgotten."""
        self._source = source
        for each in (*self._around.values(), *(self.top.walk() if self.top else ())):
            each.watch = 0

    def check(self) -> bool:
        """Whether the root is another folder than before, or there is one at all now.

        If so, nothing that was known of the old one counts, and all of it is looked at.
        """
        self._guard()
        identity = self._identify()
        if identity == self._identity:
            return False
        self._identity = identity
        self._forget(self.top)
        self.top = None
        if identity is not None:
            kind = mount_of(identity[0])
            name = kind.type if kind else ""
            self._silent = name if is_remote(name) else ""
            self.top = self._new(str(self.root.path), None, identity[2])
            self._is_new = True  # all of it, which nobody wants to have by name
            self.look([self.top])
            self._is_new = False
        return True

    def _identify(self) -> tuple[str, int, int] | None:
        """Where it really is, its device and inode; None where there is none."""
        try:
            real = os.path.realpath(self.root.path, strict=True)
            status = os.stat(real)
            if not os.path.isdir(real):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        except OSError as error:
            self._why_missing = str(error.strerror)
            return None
        return real, status.st_dev, status.st_ino

    def _guard(self) -> None:
        """Watch what the root lies in, by its name and by that of what it leads to."""
        paths: set[str] = set()
        while paths != (now := {_nearest(os.path.dirname(each)) for each in self._places()}):
            paths = now  # once more, since a nearer one may have come before the watch stood
            for path in self._around.keys() - paths:
                self._source.disarm(self._around.pop(path))
            for path in paths:
                self._guard_in(path)

    def _guard_in(self, path: str) -> None:
        """Where that can't be done, the next check tells; one comes every few seconds."""
        around = self._around.setdefault(path, Surroundings(path))
        try:
            fd = enter(path, follow=True)
        except OSError:
            return
        try:
            self._source.arm(around, fd, SURROUNDINGS)
        except OSError:
            pass
        finally:
            os.close(fd)

    def _places(self) -> Iterator[str]:
        yield os.path.abspath(self.root.path)
        yield os.path.realpath(self.root.path)

    # ------------------------------------------------------------ looking

    def find(self, path: str) -> Folder | None:
        """By a path under the root's name, or under that of what it leads to."""
        for base in self._places():
            if path == base or path.startswith(f"{base}/"):
                folder = self.top
                for name in filter(None, path[len(base) :].split("/")):
                    folder = folder.inside.get(name) if folder else None
                return folder
        return None

    def all(self) -> list[Folder]:
        return list(self.top.walk()) if self.top else []

    def to_poll(self) -> list[Folder]:
        """Of which nobody tells; settled ones wait for the next full look."""
        return [each for each in self.polled | self.unreadable if not each.whole]

    def look(self, folders: Iterable[Folder]) -> None:
        """Look at these, and at what is new in them."""
        todo = list(folders)[::-1]
        told: set[Folder] = set()
        while todo and not self._stopping():
            folder = todo.pop()
            if folder.is_there:
                todo += self._look_at(folder, told)

    def look_at_all(self) -> None:
        """Everything, and ask of every folder anew whether it is settled."""
        for folder in self.all():
            if self._stopping():
                return
            if folder.is_there:
                self._ask(folder)
                self.look([folder])

    def _ask(self, folder: Folder) -> None:
        is_settled = folder is not self.top and self._is_settled(folder.path)
        if folder.whole and not is_settled:
            folder.whole, folder.mark = False, None
        elif is_settled and not folder.whole:
            self._settle(folder)

    def _settle(self, folder: Folder) -> None:
        """From now on it is looked at as a whole, and without a watch.

        Its mark is taken before the last look at each of its folders: what changes between
        the two makes the mark wrong, so that the next full look finds it.
        """
        try:
            seen = self._listed(folder, whole)
        except OSError:
            return
        if not self._is_settled(folder.path, seen.newest):
            return
        self.look(folder.walk())
        for each in folder.inside.values():
            self._forget(each)
        folder.inside = NOTHING
        self._release(folder)
        folder.whole, folder.mark = True, seen.mark

    def _look_at(self, folder: Folder, told: set[Folder]) -> list[Folder]:
        """What is to be looked at next."""
        try:
            seen = self._listed(folder, whole if folder.whole else listing)
        except OSError as error:
            return self._lost(folder, error, told)
        self.unreadable.discard(folder)
        is_new, differs = folder.mark is None, folder.mark != seen.mark
        if differs:
            self._note(folder, seen.newest)
            folder.mark = seen.mark
        if not folder.whole:
            return self._compare(folder, seen)
        if (is_new and self._is_settled(folder.path, seen.newest)) or not differs:
            return []
        # it lives: each of its folders is watched, until it is found settled
        folder.whole, folder.mark = False, None
        return [folder]

    def _listed(self, folder: Folder, read: Callable[..., Listing]) -> Listing:
        """Raises OSError, also where the folder is another one by now."""
        assert self._identity is not None
        began = time.monotonic()
        fd = enter(folder.path, follow=folder is self.top)
        try:
            status = os.fstat(fd)
            is_same = self._silent or status.st_ino == folder.inode
            if status.st_dev != self._identity[1] or not is_same:
                raise FileNotFoundError(errno.ENOENT, "it is another folder now")
            if read is listing:
                self._arm(folder, fd)
            return read(fd, self._identity[1], by_inode=not self._silent)
        finally:
            os.close(fd)
            if (took := time.monotonic() - began) > COSTLY:
                folder.rest = began + took / SHARE

    def _arm(self, folder: Folder, fd: int) -> None:
        if not self._silent and self._source.arm(folder, fd):
            self.polled.discard(folder)
        else:
            self.polled.add(folder)

    def _compare(self, folder: Folder, seen: Listing) -> list[Folder]:
        """Take over which folders are in it, and return the new ones."""
        known, new = {}, []
        for name, inner in folder.inside.items():
            if seen.folders.get(name) == inner.inode:
                known[name] = inner
            else:
                self._forget(inner)
        for name, inode in seen.folders.items():
            if name not in known:
                new.append(self._new(name, folder, inode))
        for each in new:
            each.whole = self._is_settled(each.path)
        folder.inside = known | {each.name: each for each in new} or NOTHING
        return new

    def _lost(self, folder: Folder, error: OSError, told: set[Folder]) -> list[Folder]:
        """It went, or may not be read. What it lies in knows more, and is asked once."""
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            self.unreadable.add(folder)
            if folder.mark != -1:
                folder.mark = -1
                self._note(folder, 0)
            return []
        if folder.around is None or folder.around in told:
            return []
        told.add(folder.around)
        return [folder.around]

    def _note(self, folder: Folder, newest: int) -> None:
        if not self._is_new:
            self.found[folder.path] = newest

    def _is_settled(self, path: str, newest: int = 0) -> bool:
        try:
            return self._settled(path, newest)
        except Exception:  # noqa: BLE001 - whoever can't say so is watched
            return False

    def _new(self, name: str, around: Folder | None, inode: int) -> Folder:
        self.count += 1
        return Folder(name, around, inode)

    def _forget(self, folder: Folder | None) -> None:
        for each in [*folder.walk()] if folder else ():
            self.count -= 1
            each.is_there = False
            self._release(each)

    def _release(self, folder: Folder) -> None:
        self._source.disarm(folder)
        self.polled.discard(folder)
        self.unreadable.discard(folder)

    # ------------------------------------------------------------ saying

    def state(self, every: float) -> WatchedRoot:
        """`every`: seconds from one look at what is polled to the next."""
        name, path = self.root.name, self.root.path
        if self.top is None:
            return WatchedRoot(name, path, "missing", self._why_missing, 0)
        why = []
        if self._silent:
            why.append(f"{self._silent}: others may change it without this machine's knowing")
        elif self._source.mode == "polling":
            why.append(NO_INSTANCE)
        elif self.polled:
            why.append(f"no watch to be had for {len(self.polled)} of {self.count} folders")
        if self.polled:
            why.append(f"looked at every {every:.0f} s")
        if self.unreadable:
            count, example = len(self.unreadable), next(iter(self.unreadable)).path
            some = "a folder" if count == 1 else f"{count} folders"
            why.append(f"{some} can't be read: {os.path.relpath(example, path)}")
        mode = "polling" if self.polled else self._source.mode
        return WatchedRoot(name, path, mode, "; ".join(why), self.count)


def _nearest(path: str) -> str:
    """The folder itself, or the next one around it that is there."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path
