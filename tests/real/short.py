"""Programs whose reads or writes are cut short (see short.c)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Literal

SOURCE = Path(__file__).with_name("short.c")
Kind = Literal["reads", "writes"]


class NoCompiler(RuntimeError):
    """Short writes take a C compiler and glibc."""


def library(place: Path) -> Path:
    """Raises NoCompiler."""
    found = place / "short.so"
    cc = shutil.which("cc")
    command = [cc or "cc", "-O2", "-shared", "-fPIC", "-o", str(found), str(SOURCE)]
    if cc is None or subprocess.run(command, capture_output=True).returncode:
        raise NoCompiler("no C compiler here, or a C library that is not glibc")
    return found


def environ(library: Path, kind: Kind, k: int, place: Path, count: Path) -> dict[str, str]:
    """Cut the Kth read or write below `place` in half, or all with 0; how many came is added
    to `count`."""
    order = {"SHORT": f"{kind} {k} {place}", "SHORT_COUNT": str(count)}
    return {"LD_PRELOAD": str(library), **order}
