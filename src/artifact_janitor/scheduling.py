"""The clock of the daemon: rings when a job is due, and once for each that was missed.

APScheduler waits and wakes; when a job is due says `core.schedule`, by what the wall clock and
the zone are at that moment. Both may change while it waits, and a machine that sleeps stops
its timer, so it wakes several times a minute and looks anew.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from artifact_janitor import clock
from artifact_janitor.core.schedule import Schedule, believed, fires_after
from artifact_janitor.units import SECOND

AT_MOST = 20.0
"""Seconds that it waits without a look at the clock."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class Clockwork:
    """Rings for each job of the schedule that is switched on.

    `last` tells when a job last ran, in nanoseconds, or None; a job that never ran is not
    missed. `ring` is called with a job's name from the clockwork's own thread, and must return
    soon. `jitter_s` is how late every job is; see `core.schedule.jitter`.
    """

    def __init__(
        self,
        schedule: Schedule,
        last: Callable[[str], int | None],
        ring: Callable[[str], None],
        *,
        jitter_s: int = 0,
    ) -> None:
        now = clock.read().wall
        self._jobs = schedule.jobs
        self._last = {name: believed(last(name) or now, now) for name in self._jobs}
        self._ring = ring
        self._delay = jitter_s * SECOND
        self._scheduler = _Scheduler(self._aim)
        for name in self._jobs:
            self._scheduler.add_job(
                self._rings,
                _Trigger(self, name),
                [name],
                id=name,
                misfire_grace_time=None,  # late is better than never
                coalesce=True,
            )

    def start(self) -> None:
        """What was missed rings at once."""
        self._scheduler.start()

    def stop(self) -> None:
        """Ends its thread. Not to be called from within `ring`."""
        if self._scheduler.running:
            self._scheduler.shutdown()

    def next(self) -> list[tuple[str, int]]:
        """The jobs and when each rings next, in nanoseconds, the next one first."""
        fires = ((name, self.fires(name)) for name in self._jobs)
        return sorted(
            ((name, at) for name, at in fires if at is not None), key=lambda each: each[1]
        )

    def fires(self, name: str, since: int = 0) -> int | None:
        """When a job rings next, counted from its last time, or from `since` if that is later."""
        last = max(self._last[name], since)
        return fires_after(self._jobs[name], last, clock.offset, self._delay)

    def _rings(self, name: str) -> None:
        self._last[name] = clock.read().wall
        self._ring(name)

    def _aim(self) -> None:
        """Set each job to when it is due, as the clock and the zone are now."""
        clock.follow_zone()
        now = clock.read().wall
        for job in self._scheduler.get_jobs():
            self._last[job.id] = believed(self._last[job.id], now)
            at = _moment(self.fires(job.id))
            if job.next_run_time != at:
                job.modify(next_run_time=at)


class _Trigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """One job's time, as APScheduler asks for it: several missed times are one."""

    def __init__(self, clockwork: Clockwork, name: str) -> None:
        self._clockwork = clockwork
        self._name = name

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        since = (now - _EPOCH) // timedelta(microseconds=1) * 1000 if previous else 0
        return _moment(self._clockwork.fires(self._name, since))


class _Scheduler(BackgroundScheduler):  # type: ignore[misc]
    """Looks at the clock whenever it wakes, and wakes often; rings in its own thread."""

    def __init__(self, aim: Callable[[], None]) -> None:
        super().__init__(timezone=UTC, executors={"default": DebugExecutor()})
        self._aim = aim

    def _process_jobs(self) -> float:
        self._aim()
        wait: float | None = super()._process_jobs()
        return AT_MOST if wait is None else min(wait, AT_MOST)


def _moment(at: int | None) -> datetime:
    if at is None:
        return _NEVER
    return _EPOCH + timedelta(microseconds=at // 1000)
