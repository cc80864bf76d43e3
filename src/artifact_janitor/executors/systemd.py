"""Jobs in units of systemd's, which no restart of the janitor's own unit ends.

What a job is and how it stands is on the disk, as with `local`, so that either executor knows
the jobs of the other: this one begins them elsewhere, and knows better how one was lost.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from artifact_janitor.errors import StepFailed
from artifact_janitor.executors import ENVIRONMENT, Handle, Spec, Status, cookie_of
from artifact_janitor.executors.local import (
    START,
    UNITS,
    Local,
    begun,
    environment,
    runner_of,
    write,
)
from artifact_janitor.executors.runner import LINGER

Whose = Literal["system", "user"]
"""The manager that is asked: the machine's, or the one of our account."""

_SPARE = 60
"""Seconds beyond its deadline after which a runner that hangs is ended."""
_FATES = {
    "oom-kill": "the kernel ran out of memory, and ended it",
    "timeout": "its runner hung, and was ended after its deadline",
    "signal": "a signal ended its runner",
    "core-dump": "its runner crashed",
    "exit-code": "its runner failed",
}
"""What systemd calls the end of a unit (``Result=``), in words."""


def asked_for(environ: Mapping[str, str]) -> Whose | None:
    """Whose systemd our own unit says that trainings are given to; None where it says nothing,
    or we are in none."""
    found = environ.get(UNITS)
    return "system" if found == "system" else "user" if found == "user" else None


class Systemd(Local):
    """The jobs in one folder, `jobs`, each in a transient unit of `whose` manager."""

    def __init__(self, jobs: Path, whose: Whose) -> None:
        super().__init__(jobs)
        self.whose = whose

    def status(self, handle: Handle) -> Status:
        found = super().status(handle)
        if found.state != "LOST":
            return found
        return replace(found, why=self._fate(handle) or found.why)

    def bury(self, handle: Handle) -> None:
        super().bury(handle)
        with suppress(OSError, StepFailed):
            self._systemctl("reset-failed", unit_of(handle.folder))

    def _begin(self, spec: Spec, lock: int) -> None:
        """The runner takes the lock itself, and says so: until then this waits. Who comes
        between finds the unit's name taken. Raises StepFailed."""
        surroundings = environment(os.environ, spec.folder.stat().st_uid)
        write(spec.folder / ENVIRONMENT, surroundings)
        fcntl.flock(lock, fcntl.LOCK_UN)
        asked = _called(["systemd-run", f"--{self.whose}", *_words(spec)])
        if asked.returncode and begun(spec.folder) is False:
            (spec.folder / ENVIRONMENT).unlink(missing_ok=True)
            raise StepFailed(f"the job can't be started: {_why(asked, self.whose)}")

    def _fate(self, handle: Handle) -> str:
        """What systemd says of a runner that said nothing; "" where it doesn't know either."""
        try:
            unit = unit_of(handle.folder)
            result = self._systemctl("show", "--property=Result", "--value", unit)
        except (OSError, StepFailed):
            return ""
        return _FATES.get(result.strip(), "")

    def _systemctl(self, *words: str) -> str:
        done = _called(["systemctl", f"--{self.whose}", *words])
        return "" if done.returncode else done.stdout


def unit_of(folder: Path) -> str:
    """The unit of a job, which no other on the machine bears. Raises OSError where it is gone."""
    return f"janitor-job-{cookie_of(folder)}.service"


def _words(spec: Spec) -> list[str]:
    """The unit as ``systemd-run`` takes it. A trainer that the kernel kills for its memory leaves
    its runner, which says so; systemd's own limit is for a runner that hangs."""
    longest = spec.deadline + spec.term + LINGER + _SPARE
    owner = spec.folder.stat().st_uid
    program, *words = runner_of(spec.folder)
    return [
        *("--quiet", "--no-ask-password", f"--unit={unit_of(spec.folder)}"),
        *(f"--description=Training {spec.token}", "--service-type=notify"),
        *(f"--uid={owner}",) * (owner != os.geteuid()),
        "--working-directory=/",
        *("--property=OOMPolicy=continue", f"--property=RuntimeMaxSec={longest:.0f}s"),
        f"--property=TimeoutStopSec={spec.term:.0f}s",
        *("--", program, *(word.replace("$", "$$") for word in words)),
    ]


def _called(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Raises StepFailed where it can't be called, or hangs."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=START,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise StepFailed(f"{command[0]} can't be asked: {error}") from error


def _why(asked: subprocess.CompletedProcess[str], whose: Whose) -> str:
    said = asked.stderr.strip().rpartition("\n")[2] or f"exit {asked.returncode}"
    if whose == "user" and "connect to bus" in said:
        return f"{said}; your manager doesn't run: loginctl enable-linger"
    return f"{said} ({UNITS}={whose})"
