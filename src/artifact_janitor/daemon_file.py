"""What the daemon tells of itself in ``.janitor/daemon.json``, for ``status`` and ``doctor``.

It counts only as long as the daemon's lock is held: the kernel knows whether it lives.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from artifact_janitor.regular import content, open_regular
from artifact_janitor.state import DAEMON, State, no_link

NAME = "daemon.json"
FORMAT = 1
LARGEST = 1 << 20
"""Bytes; a larger one is none of ours, and no configuration."""
NO_INSTANCE = "no inotify instance to be had"
"""Why a root is polled: ``doctor`` names another limit then."""


def write(state: State, told: Mapping[str, Any]) -> None:
    """Put it in its place, whole. Raises OSError and JanitorError."""
    path = state.folder / NAME
    fresh = path.with_suffix(".new")
    no_link(fresh)
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(fresh, flags, 0o600)
    with os.fdopen(fd, "w", encoding="ascii") as file:
        json.dump({"format": FORMAT, **told}, file)
    state.own(fresh)
    os.rename(fresh, path)


def read(state: State) -> dict[str, Any] | None:
    """What the daemon of a workspace told last, with ``rss`` as it is now; None where there is
    no daemon. One that told nothing yet, or nothing of ours, gives what its lock says."""
    try:
        who = state.holder(DAEMON)
    except OSError:
        return None
    if not who:
        return None
    told = _told(state.folder / NAME)
    pid = who.removeprefix("pid ")
    if str(told.get("pid")) != pid:
        told = {"pid": int(pid)} if pid.isdecimal() else {}
    return told | {"rss": rss(told.get("pid", 0)) or told.get("rss", 0)}


def written(state: State) -> int:
    """When the daemon last told of itself, in nanoseconds; 0 where it did not yet."""
    try:
        return os.lstat(state.folder / NAME).st_mtime_ns
    except OSError:
        return 0


def digest(text: bytes) -> str:
    """Tells one text of a configuration from another."""
    return sha256(text).hexdigest()


def digest_of(source: Path) -> str:
    """The same for the file of a configuration; "" where it can't be read."""
    try:
        return digest(content(source, LARGEST))
    except OSError:
        return ""


def is_unread(told: Mapping[str, Any] | None, source: Path | None) -> bool:
    """Whether the daemon goes by another text than what is in the configuration now."""
    known = (told or {}).get("config_sha256")
    if not isinstance(known, str) or source is None:
        return False
    return digest_of(source) not in ("", known)


def _told(path: Path) -> dict[str, Any]:
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            found: Any = json.loads(file.read(LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("format") == FORMAT else {}


def rss(pid: int) -> int:
    """Bytes of memory that a process has in use; 0 where nobody can tell."""
    try:
        text = Path(f"/proc/{pid}/status").read_text("ascii", errors="replace")
    except OSError:
        return 0
    line = next((each for each in text.splitlines() if each.startswith("VmRSS:")), "")
    return int(line.split()[1]) * 1024 if line else 0
