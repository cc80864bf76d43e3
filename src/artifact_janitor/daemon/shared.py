"""What the daemon's threads share."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from artifact_janitor import clock
from artifact_janitor.config import Settings, Text, settings_of, text_of
from artifact_janitor.daemon.hints import Hints
from artifact_janitor.daemon.presence import Presence
from artifact_janitor.daemon.said import Said
from artifact_janitor.errors import ConfigError, JanitorError, Problem
from artifact_janitor.workplace import workplace

NOTHING = "nothing to do"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the settings come from, the same each time they are read."""

    path: Path | None
    environ: Mapping[str, str]
    cwd: Path

    def read(self) -> Config:
        """Raises ConfigError with everything that is wrong."""
        text = text_of(self.path, self.environ, self.cwd)
        return Config(settings_of(text, self.environ, self.cwd), text)

    def read_again(self, before: Config) -> Config:
        """Raises ConfigError also where the file is gone: without it no policy would be left."""
        found, source = self.read(), before.text.source
        if source is not None and found.text.source is None:
            raise ConfigError(source.name, [Problem("file", "is gone")])
        return found


@dataclass(frozen=True, slots=True)
class Config:
    """The settings in force, and the text that they were read from."""

    settings: Settings
    text: Text


@dataclass(frozen=True, slots=True)
class Last:
    """The last sweep: when it was, in nanoseconds, over what, and what it did."""

    at: int = 0
    scope: str = ""
    did: str = ""


@dataclass
class Shared:
    """One daemon at work. Threads read `config` once for each sweep: a reload replaces it."""

    source: Source
    config: Config
    presence: Presence
    said: Said
    hints: Hints = field(default_factory=Hints)
    ending: threading.Event = field(default_factory=threading.Event)
    last: Last = field(default_factory=Last)

    @property
    def settings(self) -> Settings:
        return self.config.settings

    def ran(self, job: str, at: int) -> None:
        """A job of the schedule was done that began then: what was due before is not missing.
        Where that can't be written down it runs once more, after the next start."""
        with suppress(JanitorError, OSError), workplace(self.settings) as place:
            place.journal.schedule.ran(job, at)

    def swept(self, scope: str, did: str) -> None:
        """One line for a sweep that changed something, and none for any other."""
        self.last = Last(clock.read().wall, scope, did or NOTHING)
        if did:
            self.said.info(f"{scope}: {did}")
