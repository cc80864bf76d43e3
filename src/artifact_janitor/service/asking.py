"""What systemd is asked and told, by ``systemctl``."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from artifact_janitor.errors import JanitorError
from artifact_janitor.service.place import Whose

PATIENCE = 180.0
"""Seconds that systemd may take to start or stop a service; its unit allows it less."""
_ASKED = (
    *("ActiveState", "SubState", "UnitFileState", "MainPID", "StatusText", "Result"),
    *("ActiveEnterTimestamp", "InactiveEnterTimestamp"),
)


def runs(whose: Whose) -> bool:
    """Whether there is a systemd to talk to: the machine's, or our account's."""
    if whose == "system":
        return Path("/run/systemd/system").is_dir()  # as sd_booted(3)
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    return bool(own) and Path(own, "systemd/private").exists()


def folder(whose: Whose) -> Path:
    """Where units lie that a person, or we, wrote."""
    if whose == "system":
        return Path("/etc/systemd/system")
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home, "systemd/user")


def line(whose: Whose, words: Sequence[str]) -> str:
    """The command as a person types it; a unit's name of ours needs no quotes."""
    return " ".join(["systemctl", *(["--user"] if whose == "user" else []), *words])


def tell(whose: Whose, words: Sequence[str]) -> None:
    """Raises JanitorError where systemd says no."""
    done = _called(whose, words)
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit {done.returncode}"
        hint = f"{'journalctl --user' if whose == 'user' else 'journalctl'} -e -u {words[-1]}"
        raise JanitorError(f"{line(whose, words)}: {said}", hint)


def state(whose: Whose, unit: str) -> dict[str, str]:
    """How a unit stands, in systemd's words; nothing where it can't be asked."""
    done = _called(whose, ["show", "--timestamp=unix", f"--property={','.join(_ASKED)}", unit])
    pairs = (each.partition("=") for each in done.stdout.splitlines())
    return {name: value for name, found, value in pairs if found} if not done.returncode else {}


def due(whose: Whose, timer: str) -> int | None:
    """When a timer elapses next, in nanoseconds; None where nobody can tell."""
    done = _called(whose, ["list-timers", "--all", "--output=json", timer])
    try:
        return int(json.loads(done.stdout)[0]["next"]) * 1000 or None
    except (ValueError, LookupError, TypeError):
        return None


def _called(whose: Whose, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["systemctl", f"--{whose}", "--no-ask-password", "--no-pager", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JanitorError(f"systemctl can't be asked: {error}") from error
