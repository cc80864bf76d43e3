"""The fast calendar for programs (see clock.c), and the same calendar for us, who are outside."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")
BEGIN = 1_792_760_400
"""What the calendar says first, in seconds: Friday, 23 October 2026, 15:00 in Berlin. In the
second night clocks are set back there."""
ZONE = "Europe/Berlin"


class NoCompiler(RuntimeError):
    """A clock of our own takes a C compiler and glibc."""


@dataclass(frozen=True)
class Calendar:
    """`rate` seconds of the calendar pass in one of the machine's."""

    rate: int
    library: Path
    began: int
    """The machine's wall clock then, in nanoseconds."""
    boot: int
    """And the time since boot."""

    @property
    def environ(self) -> dict[str, str]:
        start = f"{self.began} {BEGIN * 10**9} {self.boot} {self.rate}"
        return {"LD_PRELOAD": str(self.library), "FAST_CLOCK": start, "TZ": ZONE}

    def hours(self) -> float:
        """Since the beginning."""
        return (time.time_ns() - self.began) * self.rate / 3600e9

    def takes(self, hours: float) -> float:
        """The machine's seconds that so many hours take."""
        return hours * 3600 / self.rate


def compiled(source: Path, library: Path) -> None:
    """What LD_PRELOAD takes. Raises NoCompiler."""
    cc = shutil.which("cc")
    command = [cc or "cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    if cc is None or subprocess.run(command, capture_output=True).returncode:
        raise NoCompiler("no C compiler here, or a C library that is not glibc")


def calendar(rate: int, place: Path) -> Calendar:
    """One that begins now. Raises NoCompiler."""
    library = place / "clock.so"
    compiled(SOURCE, library)
    probe = ["python3", "-c", "import time; print(time.time())"]
    found = Calendar(rate, library, time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))
    said = subprocess.run(probe, env={**os.environ, **found.environ}, capture_output=True)
    if said.returncode or abs(float(said.stdout) - BEGIN) > 3600 * rate:
        raise NoCompiler(f"the calendar is not believed: {said}")
    return found
