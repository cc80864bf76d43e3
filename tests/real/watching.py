"""The daemon as a person starts it: ``janitor watch`` in a workspace, with its log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.real import retraining
from tests.real.account import clean_environment
from tests.real.small import Small

WORDS = (sys.executable, "-m", "artifact_janitor", "watch")
PATIENCE = 120.0
"""Seconds; whatever is waited for comes within two on a machine that does nothing else."""


class Watching:
    """A daemon that runs, or did."""

    def __init__(self, work: Small, log: Path, *args: str, **how: Any) -> None:
        self.work = work
        self.log = log
        with log.open("ab") as out:
            self.begun = subprocess.Popen(
                [*WORDS, *args],
                cwd=work.root,
                env={**clean_environment(log.parent), **how.pop("env", {})},
                stdin=how.pop("stdin", subprocess.DEVNULL),
                stdout=out,
                stderr=out,
                start_new_session=True,
                **how,
            )

    @property
    def pid(self) -> int:
        return self.begun.pid

    def said(self) -> list[str]:
        """Its log, without the time of each line."""
        text = self.log.read_text(errors="replace")
        return [line.partition("  ")[2] or line for line in text.splitlines()]

    def says(self, text: str, times: int = 1) -> bool:
        return sum(text in line for line in self.said()) >= times

    def until(self, found: str | Callable[[], object]) -> None:
        """Wait for a line with these words, or for something to be so, while it lives."""
        wanted = (lambda: self.says(found)) if isinstance(found, str) else found
        try:
            retraining.until(lambda: wanted() or self.begun.poll() is not None, PATIENCE)
        finally:
            assert wanted(), "\n".join(self.said())

    def told(self) -> dict[str, Any]:
        """What it tells of itself; nothing as long as there is nothing."""
        try:
            found: dict[str, Any] = json.loads(
                (self.work.root / ".janitor/daemon.json").read_text("ascii")
            )
        except FileNotFoundError:
            return {}
        return found

    def send(self, number: int) -> None:
        self.begun.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its exit code."""
        self.send(number)
        return self.begun.wait(PATIENCE)

    def children(self) -> list[int]:
        """The programs that it started, and that live."""
        found = Path(f"/proc/{self.pid}/task").glob("*/children")
        return [int(pid) for each in found for pid in each.read_text().split()]


@contextmanager
def watching(work: Small, *args: str, **how: Any) -> Iterator[Watching]:
    """It is at work once it wrote of itself; here it ends in any case, as what it trains does."""
    with tempfile.TemporaryDirectory(prefix="watching-") as place:
        found = Watching(work, Path(place, "log"), *args, **how)
        try:
            found.until(lambda: found.told().get("pid") == found.pid)
            yield found
        finally:
            with suppress(ProcessLookupError):
                os.killpg(found.pid, signal.SIGKILL)
            found.begun.wait()
