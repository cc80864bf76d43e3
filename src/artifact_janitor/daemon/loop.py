"""The daemon: one thread hands studies over, one has everything else done, and this one looks
after both, after signals, and after the workspace itself."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from time import monotonic
from typing import Any

from artifact_janitor import __version__, clock, daemon_file
from artifact_janitor.daemon.handing import Handing
from artifact_janitor.daemon.presence import Ease, Presence
from artifact_janitor.daemon.said import Log, Said
from artifact_janitor.daemon.shared import Shared, Source
from artifact_janitor.daemon.signals import END, RELOAD, Signals, signals
from artifact_janitor.daemon.sweeping import Sweeping
from artifact_janitor.errors import ConfigError, JanitorError
from artifact_janitor.observe.liveness import ignore_lease_breaks
from artifact_janitor.state import State

TURN = 1.0
"""Seconds between two looks at everything."""
TOLD = 60.0
"""Seconds after which it tells of itself though nothing changed."""
POLL = 2.0


def watch(source: Source, log: Log) -> int:
    """Watch a workspace until a signal ends it. Raises ConfigError, and Locked where another
    daemon does."""
    ignore_lease_breaks()
    config = source.read()
    state = State(config.settings.workspace)
    state.prepare()
    presence = Presence(state)
    presence.hold()
    State.may_make = False
    os.chdir("/")  # so that the workspace's disk can be unmounted
    try:
        with signals() as told:
            _Loop(Shared(source, config, presence, Said(log)), told).run()
    finally:
        with suppress(OSError):
            (state.folder / daemon_file.NAME).unlink(missing_ok=True)
        presence.let_go()
    return 0


class _Loop:
    def __init__(self, shared: Shared, told: Signals) -> None:
        self.shared = shared
        self.signals = told
        self.handing = Handing(shared)
        self.sweeping = Sweeping(shared)
        self.ease = Ease(shared.presence.state)
        self.since = clock.read()
        self.config_error = ""
        self._written: tuple[float, dict[str, Any]] = (0.0, {})

    def run(self) -> None:
        self.shared.said.info(f"watches {self.shared.settings.workspace}")
        self._begin()
        for each in (self.handing, self.sweeping):
            each.start()
        while not self.shared.ending.is_set():
            for number in self.signals.wait(TURN):
                self._heard(number)
            self._look_around()
        self._end()

    def _begin(self) -> None:
        """Everything that may be due."""
        for scope in ("mend", "handover", "manual"):
            self.shared.hints.give(scope, "start")

    def _heard(self, number: int) -> None:
        if number in END:
            doing = self.sweeping.doing
            step = f" after the current step ({doing}); once more ends it at once" if doing else ""
            self.shared.said.info(f"ends{step}")
            self.shared.ending.set()
            self.shared.hints.end()
        elif number == RELOAD:
            self.reload()

    def reload(self) -> None:
        """The new configuration, if it can be used; else the one before stays."""
        try:
            config = self.shared.source.read()
        except ConfigError as error:
            problems = [f"{each.where}: {each.what}" for each in error.problems]
            self.config_error = "; ".join(problems)
            text = f"{error.message}; the configuration before stays: {self.config_error}"
            self.shared.said.stands("config", [text], "ERROR")
            return
        self.config_error = ""
        self.shared.config = config
        self.shared.said.over("config", "the configuration is sound again")
        self.shared.said.info("read the configuration")
        self._begin()

    def _look_around(self) -> None:
        presence = self.shared.presence
        if presence.is_here():
            self.ease.look(self.shared.hints.relax)
            self.shared.hints.give("handover", "poll", POLL)
        elif presence.lock is not None and not presence.is_bare():
            self._left()
        elif presence.is_bare() or presence.is_back():
            self._returned()
        self._tell()

    def _left(self) -> None:
        """Its disk was unmounted, or it was moved away."""
        where = self.shared.settings.workspace
        self.shared.presence.let_go()
        self.shared.hints.clear()
        what = f"{where} is gone: was its disk unmounted? Nothing is done until it is back"
        self.shared.said.stands("workspace", [what], "ERROR")

    def _returned(self) -> None:
        presence = self.shared.presence
        try:
            if presence.is_bare():
                self.shared.said.info(f"{presence.state.folder} was removed: begins anew")
                presence.let_go()
                presence.state.prepare()
            presence.hold()
        except (JanitorError, OSError) as error:
            self.shared.said.stands("workspace", [str(error)], "ERROR")
            return
        self.shared.said.over("workspace", f"{self.shared.settings.workspace} is back")
        self.reload()

    def _tell(self) -> None:
        """What status and doctor read."""
        told = self._told()
        at, before = self._written
        if told == before and monotonic() - at < TOLD:
            return
        self._written = monotonic(), told
        if self.shared.presence.is_here():
            with suppress(OSError, JanitorError):
                whole = told | {"rss": daemon_file.rss(os.getpid())}
                daemon_file.write(self.shared.presence.state, whole)

    def _told(self) -> dict[str, Any]:
        last, source = self.shared.last, self.shared.config.text.source
        return {
            "pid": os.getpid(),
            "boot": self.since.boot,
            "since": self.since.wall,
            "version": __version__,
            "config": source.name if source else "",
            "config_error": self.config_error,
            "last": {"at": last.at, "scope": last.scope, "did": last.did},
            "doing": self.sweeping.doing.partition(",")[0],
            "stands": self.shared.said.all(),
            "next": [],
            "watch": [],
            "canary": {"age_s": None},
            "overflows": 0,
            "unit": "",
        }

    def _end(self) -> None:
        self.handing.thread.join()
        self.sweeping.thread.join()
        self.shared.said.info("ended")


def to_stderr(level: str, text: str) -> None:
    """A log line, as long as there is no other log."""
    prefix = "" if level == "INFO" else f"{level.lower()}: "
    sys.stderr.write(f"{prefix}{text}\n")
    sys.stderr.flush()
