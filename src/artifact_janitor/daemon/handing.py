"""The thread that sweeps the handover: studies, trainings, publications. It is quick: whatever
takes long is a job of its own, or for the other thread."""

from __future__ import annotations

from time import monotonic, thread_time
from typing import ClassVar

from artifact_janitor import clock, handing_over, trainings
from artifact_janitor.config import Settings
from artifact_janitor.core.study import ACTIVE, MOMENT, SETTLING
from artifact_janitor.core.trainer import DEFAULT
from artifact_janitor.daemon.hints import Hint
from artifact_janitor.daemon.shared import Shared
from artifact_janitor.daemon.turns import Turns
from artifact_janitor.errors import JournalDamaged
from artifact_janitor.handing_over import Sight, executor_of
from artifact_janitor.looking import reading
from artifact_janitor.observe.optuna_files import Known
from artifact_janitor.render import daemon as render
from artifact_janitor.state import State
from artifact_janitor.studying import Seen
from artifact_janitor.sweep import hand_over, mend
from artifact_janitor.units import SECOND
from artifact_janitor.watch.studies import StudyPolls
from artifact_janitor.workplace import workplace

OFTEN = 0.25
"""Seconds between two looks at what tells without a word: databases, and jobs that run."""
REST = 4.0
"""After a sweep comes a rest of so many times the processor's time that it took, however often a
study changes."""
BRIEF, LONG = 0.05, 5.0
"""The shortest and the longest rest, in seconds."""
ONE_BY_ONE = 20.0
"""Seconds between two looks at studies whose optimizers may be gone without a word."""
MEND = 60.0
"""Seconds between two looks for what a killed janitor left."""
MARGIN = 0.05
"""Seconds after a moment that a study settles at, so that it is over by then."""


class Handing(Turns):
    patience = OFTEN
    longest: ClassVar[float] = 900.0

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared, "studies", ("handover",))
        self._jobs: dict[str, str] = {}
        """Trainings that go on, and how they stood."""
        self._polls = StudyPolls()
        self._known: Known = {}
        self._mend_due = 0.0

    def sweep(self, hint: Hint) -> None:
        used, settings = thread_time(), self.shared.settings
        is_mended = self._mend(settings)
        try:
            with reading(settings) as journal:
                sight = handing_over.look(settings, journal, clock.read(), known=self._known)
        except JournalDamaged:
            self._mend_due = 0.0  # whoever mends rebuilds it
            raise
        steps, stop = sight.handover.steps, self.shared.ending.is_set
        report = hand_over(settings, sight, steps, "watch", stop, by_person=False)
        settled = (f"{each.job.name}: {each.state}" for each in sight.handover.settled)
        did = " · ".join(filter(None, (*settled, render.swept(report))))
        self.shared.said.stands("studies", sight.unreadable)
        odd = render.odd(report.outcomes)
        self.shared.said.stands("handover", [*odd, *sight.troubles])
        self.shared.said.stands("waiting", sight.waiting, "INFO")
        self.shared.swept("handover", did)
        self._plan_ahead(settings, sight)
        if did or is_mended:
            self._ask_for_results(settings)
        rest = REST * (thread_time() - used)
        self.shared.hints.rest("handover", min(max(rest, BRIEF), LONG))
        if did:
            self.shared.hints.give("handover", "what the last sweep did")

    def _mend(self, settings: Settings) -> bool:
        """At the start, and now and then: what a killed janitor left of publications and of
        trainings. Whoever carries out a long step holds the lock that mending takes, so it is
        taken only where there is something. Whether it was looked for."""
        if monotonic() < self._mend_due:
            return False
        state = State(settings.workspace)
        with workplace(settings) as place:
            found = trainings.recover(place, executor_of(settings))
            dead = any(not each.ended and state.is_dead(each.id) for each in place.journal.sweeps())
        for each in [*found, *(mend(settings) if dead else ())]:
            self.shared.said.info(f"after an interruption: {each}")
        self._mend_due = monotonic() + MEND
        return True

    def _plan_ahead(self, settings: Settings, sight: Sight) -> None:
        """When time alone, or a job, leads to the next sweep."""
        files = {each.standing.study.path for each in sight.studies.seen}
        files |= {each.path for each in sight.studies.broken}
        self._polls.update(settings.workspace / each for each in files)
        executor = executor_of(settings)
        handles = [executor.find(job.token) for job in sight.handover.jobs if job.is_active]
        self._jobs = {each.token: executor.status(each).state for each in handles if each}
        now = clock.read().wall
        moments = [at for each in sight.studies.seen for at in _moments(each, now)]
        moments += [job.next_try for job in sight.handover.jobs if job.next_try > now]
        if moments:
            after = (min(moments) - now) / SECOND + MARGIN
            self.shared.hints.give("handover", "it is time", after)

    def _ask_for_results(self, settings: Settings) -> None:
        """Of what was published: now, or when it is tried again."""
        with reading(settings) as journal:
            untold = journal.jobs.untold() if journal else []
        if untold:
            wait = min(each.job.next_try for each in untold) - clock.read().wall
            self.shared.hints.give("results", "a model", max(wait / SECOND, 0.0))

    def between(self) -> None:
        if changed := self._polls.changed():
            self.shared.hints.give("handover", f"{min(changed)} changed")
        executor = executor_of(self.shared.settings)
        for token, before in self._jobs.items():
            handle = executor.find(token)
            if handle is None or executor.status(handle).state != before:
                self.shared.hints.give("handover", "a training")
                self._jobs = {}
                break


def _moments(seen: Seen, now: int) -> list[int]:
    """When a study may stand otherwise though nobody touches it, in nanoseconds."""
    standing = seen.standing
    if standing.state not in (ACTIVE, SETTLING):
        return []
    rules = (seen.governed or DEFAULT).rules
    ends = [standing.since + each for each in (MOMENT, rules.quiet)]
    return [now + int(ONE_BY_ONE * SECOND), *(each for each in ends if each > now)]
