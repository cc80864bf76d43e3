"""Programs that write to a run, each in its own way, and know what they wrote.

One line is an order: what to do, on stdin; the answer says whether it was written.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_BEGIN = """
import ctypes, mmap, os, sys
run = sys.argv[1]
log, new = run + "/train.log", run + "/new.log"
"""
_LOOP = """
for number in sys.stdin:
    try:
        write(f"line {int(number)}\\n")
        print("written", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""
APPENDS = """
held = None
def write(line):
    global held
    held = held or open(log, "a")
    print(line, end="", file=held, flush=True)
"""
"""As the logging of Python does, and Hydra with it."""
BY_PATH = """
def write(line):
    with open(log, "a") as file:
        file.write(line)
"""
"""Holds nothing between two lines, as Lightning with TensorBoard."""
NEW_FILE = """
held = None
def write(line):
    global held
    held = held or open(new, "a")
    print(line, end="", file=held, flush=True)
"""
NEW_FILES = """
def write(line):
    with open(run + "/" + line.strip() + ".log", "w") as file:
        file.write(line)
"""
MAPPED = """
size, memory, end = 1 << 16, None, 0
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
def write(line):
    global memory, end
    if memory is None:
        file = os.open(log, os.O_RDWR)
        end = os.fstat(file).st_size
        os.ftruncate(file, size)
        memory = libc.mmap(None, size, 3, 1, file, ctypes.c_long(0))
        os.close(file)
    ctypes.memmove(memory + end, line.encode(), len(line))
    end += len(line)
"""
"""The descriptor is closed: Python's own mmap would keep one."""
REPLACES = """
def write(line):
    with open(log) as old, open(log + ".tmp", "w") as file:
        file.write(old.read() + line)
    os.replace(log + ".tmp", log)
"""
MAKES = """
def write(line):
    os.makedirs(run, exist_ok=True)
    with open(log, "a") as file:
        file.write(line)
"""
"""Hydra makes the folder of a run that it is told to go on with."""
PROGRAMS = {
    "appends": APPENDS,
    "by path": BY_PATH,
    "a new file": NEW_FILE,
    "new files": NEW_FILES,
    "mapped": MAPPED,
    "replaces": REPLACES,
    "makes its folder": MAKES,
}


@dataclass
class Writer:
    """A program of one of these kinds, in a process of its own."""

    process: subprocess.Popen[str]
    run: Path
    lines: list[str] = field(default_factory=list)
    """What it was told that it had written."""
    refused: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def write(self) -> bool:
        """One line more."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        number = next(self.numbers)
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer == "written":
            self.lines.append(f"line {number}")
        else:
            self.refused.append(answer)
        return answer == "written"

    def lost(self) -> list[str]:
        """What it wrote, and is not there."""
        found = "".join(each.read_text() for each in self.run.glob("*.log")) if self.run else ""
        there = {*found.replace("\0", "").splitlines()}
        return [f"lost: {each} of {self.run.name}" for each in self.lines if each not in there]


@contextmanager
def writer(kind: str, run: Path) -> Iterator[Writer]:
    """It is ready, and has touched nothing yet; it ends with the block."""
    code = _BEGIN + PROGRAMS[kind] + _LOOP
    line = [sys.executable, "-S", "-c", code, str(run)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(line, cwd="/", text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield Writer(process, run)
        finally:
            process.kill()
