"""A small real workspace in which a janitor is about to do one kind of step.

Every sweep of kills, power cuts and faults interrupts the same scenes, and asks the same of them
afterwards.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.real.kills import nobody_else
from tests.real.small import Running, Small


@dataclass(frozen=True)
class Scene:
    """A workspace, the command that is interrupted in it, and the judge."""

    work: Small
    args: tuple[str, ...]
    done: Callable[[], bool]
    """Whether all that the command is asked for stands on the disk: what its 0 would say. Asked
    before the judge is."""
    wrong: Callable[[], list[str]]
    """What is lost, half, or left over, at whatever moment the command ended. The judge lets the
    next janitors come by, and looks for what was there in the beginning."""
    first: Callable[[], None] = nobody_else
    """What is called in the command's process before it begins."""
    end: Callable[[], None] = lambda: None
    """Ends what is still running."""

    def start(self) -> Running:
        """The command, in a process that waits for its tracer."""
        return self.work.start(*self.args, traced=True, first=self.first)


Build = Callable[[Path], Scene]
"""Makes a scene in a folder that doesn't exist yet. Sweeps build each at the same place, so that
two scenes of a kind differ in nothing."""


def shelf(what: str) -> Path:
    """A folder for what is built once and copied for each scene; it goes with the session."""
    folder = Path(tempfile.mkdtemp(prefix=f"{what}-shelf-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
