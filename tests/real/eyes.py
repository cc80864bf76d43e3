"""Who believes what a watcher says, and nothing else: what he knows must come to be the truth.

As a program: `python -m tests.real.eyes ROOT… ` watches until it is asked something on stdin.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from artifact_janitor.watch import Change, Root, Watcher

GENEROUS = 60.0
"""Seconds that a test waits for what should take a part of one."""
NEVER = 3600.0
QUICK = {"settle": 0.05, "at_most": 0.4, "resync": NEVER, "poll": NEVER}
"""With neither full looks nor polls that could make up for a missed event."""

Inventory = dict[str, tuple[int, int, int]]


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def truth(roots: Iterable[Path]) -> Inventory:
    """Every entry below the roots, by path: inode, size and mtime; of folders the inode alone."""
    found: Inventory = {}
    for root in roots:
        for folder, names, _ in os.walk(root):
            if ".janitor" in names:
                names.remove(".janitor")
            found |= _inside(folder)
    return found


def _inside(folder: str) -> Inventory:
    found: Inventory = {}
    try:
        for each in os.scandir(folder):
            try:
                status = each.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            is_folder = stat.S_ISDIR(status.st_mode)
            if not is_folder or each.name != ".janitor":
                # who only reads a database writes to its -shm: nobody wants to know
                mtime = 0 if each.name.endswith("-shm") else status.st_mtime_ns
                more = (0, 0) if is_folder else (status.st_size, mtime)
                found[each.path] = (status.st_ino, *more)
    except OSError:
        pass  # it went; the folder around it will be told of
    return found


class Eyes:
    """Knows of each folder what was in it when it was last told of."""

    def __init__(self, *roots: Path) -> None:
        self.roots = roots
        self.known: Inventory = {}
        self.told: list[Change] = []
        self._more = threading.Condition()

    def __call__(self, change: Change) -> None:
        with self._more:
            self.told.append(change)
            if change.everything:
                self.known = truth(self.roots)
            for folder in sorted(map(str, change.folders)):
                self._look(folder)
            self._more.notify_all()

    def _look(self, folder: str) -> None:
        """Its own entries; what is below a folder that is new must be told of by itself."""
        now = _inside(folder)
        before = [path for path in self.known if os.path.dirname(path) == folder]
        for path in before:
            if path not in now or now[path][0] != self.known[path][0]:
                below = [each for each in self.known if each.startswith(f"{path}/")]
                for each in (path, *below):
                    del self.known[each]
        self.known |= now

    def see(self, *, within: float = GENEROUS) -> bool:
        """Whether all that is there comes to be known."""
        return self.until(lambda: self.known == truth(self.roots), within=within)

    def until(self, is_so: Callable[[], bool], *, within: float = GENEROUS) -> bool:
        end, wait = time.monotonic() + within, 0.02
        with self._more:
            while not (so := is_so()) and time.monotonic() < end:
                self._more.wait(wait)
                wait = min(0.5, wait * 1.5)
        return so

    def difference(self) -> set[str]:
        real = truth(self.roots)
        return {path for path in {*real, *self.known} if real.get(path) != self.known.get(path)}


def nothing_is_settled(path: str, newest: int) -> bool:
    return False


@contextmanager
def watching(
    *roots: Path,
    settled: Callable[[str, int], bool] = nothing_is_settled,
    changed: Callable[[Change], None] | None = None,
    **options: Any,
) -> Iterator[tuple[Watcher, Eyes]]:
    """A watcher that has had its first look, and eyes that believe it."""
    eyes = Eyes(*roots)
    named = [Root(root, root.name) for root in roots]
    watcher = Watcher(named, settled, changed or eyes, **{**QUICK, **options})
    watcher.start()
    try:
        assert changed or eyes.until(lambda: bool(eyes.told))
        yield watcher, eyes
    finally:
        watcher.stop()
    assert changed or watcher.counters().failures == 0


# ------------------------------------------------------------ as a program


def stands_at(watcher: Watcher, state: str) -> Callable[[], bool]:
    return lambda: all(f"{each.mode} {each.folders}" == state for each in watcher.state())


def main(roots: list[str]) -> None:
    """One answer a line, as JSON, for each line on stdin. It also notes what it opens."""
    opened: set[str] = set()

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(args[0], str | bytes):
            opened.add(os.fsdecode(args[0]))

    with watching(*map(Path, roots), poll=0.2) as (watcher, eyes):
        sys.addaudithook(audit)
        for question in sys.stdin:
            asked = question.strip()
            if asked == "see":
                print(json.dumps(eyes.see() or [*eyes.difference()]), flush=True)
            elif asked.startswith("until "):
                is_so = stands_at(watcher, asked.removeprefix("until "))
                print(json.dumps(eyes.until(is_so)), flush=True)
            elif asked == "opened":
                files = [each for each in opened if os.path.isfile(each)]
                ours = [each for each in files if each.startswith(tuple(roots))]
                print(json.dumps(ours), flush=True)
            else:
                state = [(each.mode, each.why, each.folders) for each in watcher.state()]
                counters = watcher.counters()
                print(json.dumps([state, counters.watches, counters.overflows]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
