"""The daemon: one thread hands studies over, two have everything else done, and this one looks
after them, after signals, and after the workspace itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from artifact_janitor import notify
from artifact_janitor.daemon.handing import Handing
from artifact_janitor.daemon.hints import Scope
from artifact_janitor.daemon.presence import Ease, Presence
from artifact_janitor.daemon.room import LowDisk, Rules
from artifact_janitor.daemon.said import Log, Said
from artifact_janitor.daemon.shared import Shared, Source
from artifact_janitor.daemon.signals import END, RELOAD, Signals, signals
from artifact_janitor.daemon.sources import Sources
from artifact_janitor.daemon.sweeping import LONG, SHORT, Sweeping
from artifact_janitor.daemon.telling import Telling
from artifact_janitor.errors import ConfigError, JanitorError
from artifact_janitor.observe.liveness import ignore_lease_breaks
from artifact_janitor.state import State

TURN = 1.0
"""Seconds between two looks at everything."""
NO_THREAD = "can't start new thread"
"""What Python says where there is no memory for one, or no more tasks are allowed."""
AT_START: tuple[Scope, ...] = ("mend", "handover", "gitignore")
"""What may be due besides what the schedule missed; the watcher says more once it saw it all."""


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
    shared = Shared(source, config, presence, Said(log))
    telling = Telling(shared)
    try:
        with signals() as heard:
            _Loop(shared, heard, telling).run()
    except RuntimeError as error:
        if str(error) != NO_THREAD:
            raise
        hint = "raise its limits: ulimit -v, ulimit -u, or MemoryMax= and TasksMax= of its unit"
        raise JanitorError("no thread can be started", hint) from error
    finally:
        telling.withdraw()
        presence.let_go()
    return 0


class _Loop:
    def __init__(self, shared: Shared, heard: Signals, telling: Telling) -> None:
        self.shared = shared
        self.heard = heard
        self.telling = telling
        self.sweeping = [
            Sweeping(shared, "long sweeps", LONG),
            Sweeping(shared, "short sweeps", SHORT),
        ]
        self.threads = [Handing(shared), *self.sweeping]
        self.ease = Ease(shared.presence.state)
        self.low, self.rules = LowDisk(), Rules()
        self.sources: Sources | None = None
        self.is_on_terminal = os.isatty(sys.stdin.fileno()) if sys.stdin else False

    def run(self) -> None:
        self.shared.said.info(f"watches {self.shared.settings.workspace}")
        self._begin(AT_START)
        for each in self.threads:
            each.start()
        notify.ready(self.telling.status)
        while not self.shared.ending.is_set():
            for number in self.heard.wait(TURN):
                self._hear(number)
            self._turn()
        self._end()

    # ---------------------------------------------------------------- signals

    def _hear(self, number: int) -> None:
        if number in END or (number == RELOAD and self._is_hung_up()):
            doing = self._doing()
            text = "ends"
            if doing:
                text += f" after the current step ({doing}); a second signal ends it at once"
            self.shared.said.info(text)
            notify.stopping(text)
            self.shared.ending.set()
            self.shared.hints.end()
        elif number == RELOAD:
            notify.reloading()
            self.reload()
            notify.ready(self.telling.status)

    def _is_hung_up(self) -> bool:
        """The terminal that it was started on was closed."""
        return self.is_on_terminal and not os.isatty(sys.stdin.fileno())

    def reload(self) -> None:
        """The new configuration, if it can be used; else the one before stays."""
        shared = self.shared
        try:
            config = shared.source.read_again(shared.config)
        except ConfigError as error:
            problems = "; ".join(f"{each.where}: {each.what}" for each in error.problems)
            self.telling.config_error = f"{error.message}: {problems}"
            text = f"{error.message}; the configuration before stays in force: {problems}"
            shared.said.stands("config", [text], "ERROR")
            return
        self.telling.config_error = ""
        shared.said.over("config", "the configuration can be used again")
        shared.said.info("read the configuration")
        shared.config = config
        self._begin(AT_START[1:])

    # ---------------------------------------------------------------- all that comes with time

    def _turn(self) -> None:
        """Whatever goes wrong here is said, and tried again."""
        try:
            self._look_around()
            self._retell()
        except (JanitorError, OSError) as error:
            self.shared.said.stands("loop", [str(error)], "ERROR")
        else:
            self.shared.said.over("loop", "works again")

    def _look_around(self) -> None:
        presence = self.shared.presence
        if presence.is_here():
            self.shared.said.stands("disk", self.ease.look(self.shared.hints.relax))
            if self.sources is None:
                self._open_sources()
            if self.low.asks(self.shared.settings):
                self.shared.hints.give("retention", "the disk is filling up")
            if self.rules.changed(self.shared.settings.workspace):
                self.shared.hints.give("gitignore", "the file changed")
        elif presence.is_bare() or presence.is_back():
            self._return()
        elif presence.lock is not None:
            self._leave()

    def _begin(self, scopes: Sequence[Scope]) -> None:
        """With this configuration: what changes, what is scheduled, and what may be due."""
        self._stop_sources()
        for scope in scopes:
            self.shared.hints.give(scope, "start")
        self._open_sources()

    def _open_sources(self) -> None:
        """Where that fails it is tried again with every turn."""
        try:
            sources = Sources(self.shared)
        except (JanitorError, OSError) as error:
            why = error.in_full if isinstance(error, JanitorError) else str(error)
            self.shared.said.stands("sources", [f"changes are not seen: {why}"], "ERROR")
            return
        self.shared.said.over("sources", "changes are seen again")
        sources.start()
        self.sources = self.telling.sources = sources

    def _stop_sources(self) -> None:
        if self.sources is not None:
            self.sources.stop()
        self.sources = self.telling.sources = None

    def _leave(self) -> None:
        """Its disk was unmounted, or it was moved away."""
        where = self.shared.settings.workspace
        self.shared.presence.let_go()
        self.shared.hints.clear()
        self._stop_sources()
        what = f"{where} is gone: was its disk unmounted? Nothing is done until it is back"
        self.shared.said.stands("workspace", [what], "ERROR")

    def _return(self) -> None:
        presence = self.shared.presence
        try:
            if presence.is_bare():
                self.shared.said.info(f"{presence.missing()} was removed: it is made anew")
                presence.make()
            presence.hold()
        except (JanitorError, OSError) as error:
            self.shared.said.stands("workspace", [str(error)], "ERROR")
            return
        self.shared.said.over("workspace", f"{self.shared.settings.workspace} is back")
        self.shared.hints.give("mend", "it is back")
        self.reload()

    def _retell(self) -> None:
        self.telling.doing = self._doing().partition(",")[0]
        self.telling.turn()
        if all(each.is_well() for each in self.threads):
            self.telling.live()

    def _doing(self) -> str:
        """What is carried out at this moment: the longest of it."""
        return next((each.doing for each in self.sweeping if each.doing), "")

    def _end(self) -> None:
        self._stop_sources()
        for each in self.threads:
            each.thread.join()
        self.shared.said.info("ended")
