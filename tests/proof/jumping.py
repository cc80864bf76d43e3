"""A clock that jumps (see jumping.c), and the whole ``janitor`` under it.

A process of its own is told of the clock and forks the commands: each is a janitor that
reads this clock wherever it reads one, and is spared its start.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.busy.fast import NoCompiler, compiled
from tests.real.account import SOURCE, clean_environment
from tests.real.command import Answer
from tests.real.small import Small

SOURCE_OF_IT = Path(__file__).with_name("jumping.c")
_TOLD = struct.Struct("5q")
DAY = 86_400 * 10**9


@dataclass
class Clock:
    """What programs under it read. All lengths in nanoseconds, ahead of the machine's clocks."""

    place: Path
    told: mmap.mmap
    library: Path
    wall: int = 0
    awake: int = 0

    @property
    def environ(self) -> dict[str, str]:
        there = {"JUMPING_CLOCK": str(self.place), "JUMPING_BOOT": str(self._boot)}
        return {"LD_PRELOAD": str(self.library), **there}

    @property
    def _boot(self) -> Path:
        return self.place.with_name("boot")

    @property
    def now(self) -> int:
        return time.time_ns() + self.wall

    @property
    def readings(self) -> int:
        """How often the wall clock was read since it was told something."""
        return int(_TOLD.unpack(self.told[: _TOLD.size])[2])

    def jumps(self, by: int) -> None:
        """Somebody sets it, or a machine that was frozen goes on."""
        self.wall += by
        self.tell()

    def passes(self, length: int) -> None:
        """Time goes by, in which the machine runs or sleeps."""
        self.awake += length
        self.jumps(length)

    def boots(self, after: int = 0) -> None:
        """The machine was off for so long, or its clock was set meanwhile."""
        self._boot.write_text(os.urandom(8).hex())
        self.awake = -time.clock_gettime_ns(time.CLOCK_BOOTTIME) + 60 * 10**9
        self.jumps(after)

    def tell(self, jump: int = 0, at: int = 0) -> None:
        """`jump` comes with the reading number `at` from now on; 0 is none."""
        self.told[: _TOLD.size] = _TOLD.pack(self.wall, self.awake, 0, at, jump)

    def right(self) -> None:
        """As the machine's, which never was off."""
        self.wall = self.awake = 0
        self._boot.write_text("the first boot")
        self.tell()


@dataclass
class Janitor:
    """Its commands, under a clock."""

    clock: Clock
    server: subprocess.Popen[str]

    def __call__(self, work: Small, *args: str, zone: str = "UTC") -> Answer:
        """``janitor ARGS --json``."""
        return Answer(*self._asked(work, [*args, "--json"], zone))

    def said(self, work: Small, *args: str, zone: str = "UTC") -> str:
        """What a person reads."""
        _, said, errors = self._asked(work, args, zone)
        return str(said) + errors

    def _asked(self, work: Small, args: object, zone: str) -> tuple[int, Mapping[str, object], str]:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps([str(work.root), args, zone]) + "\n")
        self.server.stdin.flush()
        code, said, errors = json.loads(self.server.stdout.readline())
        return code, said, errors


@contextmanager
def jumping(place: Path) -> Iterator[Janitor]:
    """A clock that is right for now, and janitors under it. Raises NoCompiler."""
    library, file = place / "jumping.so", place / "clock"
    compiled(SOURCE_OF_IT, library)
    file.write_bytes(bytes(mmap.PAGESIZE))
    with file.open("r+b") as opened:
        clock = Clock(file, mmap.mmap(opened.fileno(), mmap.PAGESIZE), library)
    clock.right()
    root = Path(__file__).parents[2]
    environ = {**clean_environment(place), **clock.environ, "PYTHONPATH": f"{root}:{SOURCE}"}
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        yield Janitor(clock, server)


def _serve() -> None:
    for line in sys.stdin:
        root, args, zone = json.loads(line)
        environ = {"TZ": zone, "COLUMNS": "200"}
        running = Small(Path(root)).start(*args, env=environ.items(), first=time.tzset)
        code = running.wait()
        said = running.output.read_text(errors="surrogateescape")
        told = json.loads(said) if "--json" in args and said.startswith("{") else said
        errors = running.errors.read_text(errors="backslashreplace")
        print(json.dumps([code, told, errors]), flush=True)


if __name__ == "__main__":
    _serve()


__all__ = ["Clock", "Janitor", "NoCompiler", "jumping"]
