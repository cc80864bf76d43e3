"""What the daemon tells of itself: to systemd, and in ``daemon.json`` to status and doctor."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from artifact_janitor import __version__, clock, daemon_file, notify
from artifact_janitor.config import Text
from artifact_janitor.daemon.shared import Shared
from artifact_janitor.daemon.sources import Sources
from artifact_janitor.errors import JanitorError
from artifact_janitor.watch import Counters

OFTEN = 60.0
"""Seconds after which it is written though nothing changed but ages."""


class Telling:
    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._since = clock.read()
        self._unit = _unit()
        self._watchdog = notify.watchdog_s()
        self._lived = float("-inf")
        self._written = float("-inf")
        self._before: tuple[object, ...] = ()
        self._known: tuple[tuple[int, ...], Text] | None = None
        """The configuration's file when it was last looked at, and what is in force."""
        self.sources: Sources | None = None
        self.config_error = ""
        self.doing = ""

    @property
    def status(self) -> str:
        """One line."""
        if stands := self._shared.said.all():
            return stands[0]
        last = self._shared.last
        return f"{self.doing} now" if self.doing else f"{last.scope}: {last.did}".strip(": ")

    def live(self) -> None:
        """All threads are well."""
        if self._watchdog and monotonic() - self._lived >= self._watchdog / 4:
            self._lived = monotonic()
            notify.alive()

    def turn(self) -> None:
        """Write what changed. On a full disk, or one that can't be written to, it is left."""
        self._look_at_config()
        news = self._news()
        if news == self._before and monotonic() - self._written < OFTEN:
            return
        if news != self._before:
            notify.status(self.status)
        self._written, self._before = monotonic(), news
        if self._shared.presence.is_here():
            with suppress(OSError, JanitorError):
                daemon_file.write(self._shared.presence.state, self._told())

    def withdraw(self) -> None:
        """It ends."""
        if self._shared.presence.is_here():
            with suppress(OSError):
                (self._shared.presence.state.folder / daemon_file.NAME).unlink(missing_ok=True)

    def _look_at_config(self) -> None:
        """Say it once where the file says something else than what is in force."""
        text = self._shared.config.text
        source = text.source or self._shared.settings.workspace / "config.toml"
        mark = (_mark(source), text)
        if mark == self._known:
            return
        self._known = mark
        there, known = daemon_file.digest_of(source), daemon_file.digest(text.content)
        changed = there not in ("", known)
        if self.config_error and there == known:
            self.config_error = ""
            self._shared.said.over("config", f"{source.name} is again as it was read")
        how = f"systemctl reload {self._unit}" if self._unit else f"kill -HUP {os.getpid()}"
        told = [f"{source.name} changed; to have it read: {how}"] if changed else []
        self._shared.said.stands("unread", told)

    def _news(self) -> tuple[object, ...]:
        """Another one whenever there is something to tell."""
        watched = self.sources.watched() if self.sources else ()
        now = (self._shared.last, self._shared.config.text, self.doing, self.config_error)
        return (*now, *self._shared.said.all(), *((each.path, each.mode) for each in watched))

    def _told(self) -> dict[str, Any]:
        last, text, sources = self._shared.last, self._shared.config.text, self.sources
        watched = sources.watched() if sources else ()
        counters = sources.counters() if sources else Counters()
        return {
            "pid": os.getpid(),
            "boot": self._since.boot,
            "since": self._since.wall,
            "version": __version__,
            "unit": self._unit,
            "config": text.source.name if text.source else "",
            "config_sha256": daemon_file.digest(text.content),
            "config_error": self.config_error,
            "last": {"at": last.at, "scope": last.scope, "did": last.did},
            "doing": self.doing,
            "stands": self._shared.said.all(),
            "next": [{"job": job, "at": at} for job, at in (sources.next() if sources else ())],
            "watch": [
                {"name": each.name, "path": str(each.path), "mode": each.mode}
                | {"why": each.why, "folders": each.folders}
                for each in watched
            ],
            "overflows": counters.overflows,
            "canary": {"age_s": counters.canary_age},
            "rss": daemon_file.rss(os.getpid()),
        }


def _mark(path: Path) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return (0,)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _unit() -> str:
    """The name of the systemd service that this is the main program of, or ""."""
    if "INVOCATION_ID" not in os.environ:
        return ""
    try:
        groups = Path("/proc/self/cgroup").read_text("ascii", errors="replace").splitlines()
    except OSError:
        return ""
    names = (each.rpartition("/")[2] for each in groups)
    return next((each for each in names if each.endswith(".service")), "")
