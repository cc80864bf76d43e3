"""Where hints come from: changes below the roots, and the schedule."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from artifact_janitor import clock
from artifact_janitor.config.folders import WATCHED
from artifact_janitor.core.model import is_within
from artifact_janitor.core.schedule import jitter
from artifact_janitor.daemon.hints import Scope
from artifact_janitor.daemon.shared import Shared
from artifact_janitor.observe import manual_runs
from artifact_janitor.scheduling import Clockwork
from artifact_janitor.units import DAY
from artifact_janitor.watch import Change, Counters, Root, WatchedRoot, Watcher
from artifact_janitor.workplace import workplace

HANDED = ("hpo_studies", "multirun")
"""The folders whose changes may finish a study."""
CANARY = "canary"
"""The file by which the watcher proves that its view is current."""
JOBS: tuple[Scope, ...] = ("retention", "purge", "verify", "gitignore")
"""What the schedule has swept; its job ``resync`` looks at all roots anew."""


class Sources:
    """Those of one configuration. Hints are given from threads of their own."""

    def __init__(self, shared: Shared) -> None:
        """Raises JanitorError where the journal can't be written to."""
        self._shared = shared
        self._settings = shared.settings
        self._studies = [*self._places(HANDED)]
        self._canary = shared.presence.state.folder / CANARY
        roots = [Root(path, name) for path, name in self._places(WATCHED)]
        self._watcher = Watcher(roots, self._is_settled, self._changed, canary=self._canary)
        self._clockwork = self._scheduled()

    def start(self) -> None:
        self._watcher.start()
        self._clockwork.start()

    def stop(self) -> None:
        self._clockwork.stop()
        self._watcher.stop()
        with suppress(OSError):
            self._canary.unlink(missing_ok=True)

    def next(self) -> list[tuple[str, int]]:
        """What the schedule does next, and when, in nanoseconds."""
        return self._clockwork.next()

    def watched(self) -> tuple[WatchedRoot, ...]:
        return self._watcher.state()

    def counters(self) -> Counters:
        return self._watcher.counters()

    def _places(self, names: Iterable[str]) -> Iterator[tuple[Path, str]]:
        for name in names:
            for folder in getattr(self._settings.folders, name):
                yield self._settings.workspace / folder, name

    # ---------------------------------------------------------------- changes

    def _is_settled(self, folder: str, newest: int) -> bool:
        """Whether a folder needs no watch of its own: nothing came, went or was written there for
        long. Where it is after all, the next resync sees it."""
        if any(is_within(folder, str(path)) for path, name in self._studies if name == HANDED[0]):
            return False
        try:
            newest = newest or os.stat(folder).st_mtime_ns
        except OSError:
            return False
        return time.time_ns() - newest > max(self._settings.safety.grace, DAY)

    def _changed(self, change: Change) -> None:
        hints = self._shared.hints
        if change.everything:
            hints.give("handover", "all was looked at")
            self._may_be_published("all was looked at")
            return
        for folder in change.folders:
            if any(is_within(str(folder), str(path)) for path, _ in self._studies):
                hints.give("handover", f"{folder} changed")
            elif _has_final_model(folder):
                self._may_be_published(f"{folder} changed")

    def _may_be_published(self, why: str) -> None:
        """Of runs by hand, where that is wanted."""
        if manual_runs.is_wanted(self._settings.workspace, self._settings.folders):
            self._shared.hints.give("manual", why)

    # ---------------------------------------------------------------- the schedule

    def _scheduled(self) -> Clockwork:
        schedule = self._settings.schedule
        names = [*schedule.jobs]
        with workplace(self._settings) as place:
            place.journal.schedule.begin(names, clock.read().wall)
            last = {name: place.journal.schedule.last(name) for name in names}
        late = jitter(os.fsencode(self._settings.workspace))
        return Clockwork(schedule, last.get, self._ring, jitter_s=late)

    def _ring(self, job: str) -> None:
        """A job is due. It counts as done when its sweep is."""
        for scope in JOBS:
            if job == scope:
                self._shared.hints.give(scope, "schedule")
        if job == "resync":
            self._watcher.resync()  # which says that all was looked at
            self._shared.ran(job, clock.read().wall)


def _has_final_model(folder: Path) -> bool:
    with suppress(OSError):
        return any(map(manual_runs.is_final_model, os.listdir(folder)))
    return False
