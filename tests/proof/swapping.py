"""Folders that change places with symlinks, again and again, while a janitor works in them."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from artifact_janitor.apply.ground import _EXCHANGE, Ground, _renameat2
from tests.real.snapshot import Snapshot, snapshot

OWN = ("trash", "leaving", "restoring", "compressing", "publishing", "archive")
"""Folders that the janitor makes in its own one, some of them in the middle of a step."""
_LOOP = """
import ctypes, os, select, sys
libc, (one, other) = ctypes.CDLL(None), map(os.fsencode, sys.argv[1:])
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    for _ in range(100):
        libc.renameat2(-100, one, -100, other, 2)
"""


@dataclass(frozen=True)
class Swap:
    """A folder, and a symlink that lies elsewhere and leads to what must not be touched."""

    folder: Path
    link: Path
    outside: Path

    def over(self) -> None:

        _renameat2((-100, str(self.folder)), (-100, str(self.link)), _EXCHANGE)

    def end(self) -> None:
        """The folder is at its place again, if it still is anywhere but in the trash."""
        if self.link.is_dir() and not self.link.is_symlink():
            if os.path.lexists(self.folder):
                self.over()
            else:
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                self.link.rename(self.folder)

    def precious(self) -> Snapshot:
        return snapshot(self.outside)

    @contextmanager
    def in_a_loop(self) -> Iterator[None]:
        """By another program, as fast as it can."""
        line = [sys.executable, "-S", "-c", _LOOP, str(self.folder), str(self.link)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(line, **pipes) as process:  # type: ignore[call-overload]
            process.stdout.readline()
            yield

    def at_any_moment(self, chance: random.Random) -> Callable[[], None]:
        """In the janitor's process: each time that it finds its way to a path, perhaps."""

        def first() -> None:
            opened = Ground._opened

            def swapped(*args: object, **named: object) -> object:
                if chance.random() < 0.2:
                    self.over()
                return opened(*args, **named)  # type: ignore[arg-type]

            Ground._opened = swapped  # type: ignore[assignment,method-assign]

        return first


def a_swap(root: Path, chance: random.Random) -> Swap:
    """Of any folder below `root`. Outside lies a copy of what is in it, so that who follows the
    link finds all that it looks for."""
    every = [Path(folder, name) for folder, names, _ in os.walk(root) for name in names]
    inside = [each for each in every if each.name != ".janitor" and not each.is_symlink()]
    own = [root / ".janitor" / name for name in OWN]
    folder = chance.choice([*inside, *own])
    outside, link = root.with_name("outside"), root.with_name("link")
    if folder.is_dir():
        shutil.copytree(folder, outside, symlinks=True)
    else:
        outside.mkdir()
    (outside / "precious.txt").write_text("precious\n")
    link.symlink_to(outside)
    return Swap(folder, link, outside)
