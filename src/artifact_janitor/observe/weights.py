"""Ask torch itself whether it loads a model file, in a process of its own (S14).

This file is also the program of that process: the user's own interpreter runs it by its path,
where nothing but the standard library and torch need be there. So it imports nothing of ours.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Sequence

NO_TORCH = 69
"""The exit code where the interpreter has no torch: nothing was learnt then."""
REFUSED = 65
_MEMORY = 4 << 30
"""Bytes of memory beyond the model's own that loading may take."""
_PATIENCE = 300.0
"""Seconds that loading may take; the imports of torch alone take up to ten."""


def objection(path: str, required: Collection[str], python: Sequence[str] = ()) -> str | None:
    """Why torch does not load a model with ``weights_only=True``; "" where it does, and None
    where nobody can tell: there is no torch, or no such interpreter."""
    command = [*(python or (sys.executable,)), __file__, path, *required]
    folder = os.path.dirname(path)
    try:
        asked = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
    try:
        said = asked.communicate(timeout=_PATIENCE)[0]
    except subprocess.TimeoutExpired:
        return "torch did not load it within five minutes"
    finally:
        _end(asked)
    if asked.returncode in (0, NO_TORCH):
        return None if asked.returncode else ""
    if asked.returncode == REFUSED:
        return said.decode("utf-8", "replace").strip()[:500] or "torch refuses it"
    return "torch fell over it"


def _environment() -> dict[str, str]:
    """Off the accelerators, which may be busy."""
    return {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}


def _end(process: subprocess.Popen[bytes]) -> None:
    """All of its session: it is our own child, and not waited for yet."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _load(path: str, required: Sequence[str]) -> str:
    """Why a model doesn't load, or "". Runs in the process of its own."""
    import torch

    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - whatever torch raises, it does not load
        said = next(iter(str(error).splitlines()), type(error).__name__)
        return f"torch does not load it with weights_only=True: {said[:300]}"
    if not isinstance(held, dict):
        return "it holds no dict"
    if missing := [key for key in required if key not in held]:
        return f"it lacks {', '.join(missing)}"
    if not isinstance(held.get("state_dict", {}), dict):
        return "its state_dict is no dict"
    return ""


def _main(path: str, *required: str) -> int:
    """The process of its own."""
    import resource

    sys.path.pop(0)  # our package's folder, whose modules are not what torch may mean
    try:
        import torch  # noqa: F401
    except ImportError:
        return NO_TORCH
    size = os.stat(path).st_size
    used = _virtual_memory()
    most = used + 3 * size + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    why = _load(path, required)
    print(why)  # noqa: T201 - this is its answer
    return REFUSED if why else 0


def _virtual_memory() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
