"""Trainings as facts: what is wanted of a study, and what became of each attempt."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from artifact_janitor.core.trainer import Retrain
from artifact_janitor.units import MINUTE

Mode = Literal["adopt", "replay", "refit"]
MODES: tuple[Mode, ...] = ("adopt", "replay", "refit")
"""How a model comes of a trial: its own file, its seed again, or a training anew."""
ADOPTED = "janitor:model"
"""User attribute of a trial: the model file that it left."""
SEEDS = ("janitor:seed", "seed")
"""User attributes of a trial, of which the first that is there is the seed it used."""

JobState = Literal[
    "intended",
    "submitted",
    "published",
    "rejected",
    "failed",
    "lost",
    "later",
    "cancelled",
    "superseded",
    "undone",
]
ACTIVE: tuple[JobState, ...] = ("intended", "submitted")
"""States in which a job is not over, as far as the journal knows."""
FAILURES: tuple[JobState, ...] = ("failed", "lost")
ATTEMPTS = 3
"""How often a model is tried before a person is asked."""
BACKOFF = (MINUTE, 10 * MINUTE)
"""How long after the first failure, and after the second."""
LATER = (5 * MINUTE, 15 * MINUTE, 60 * MINUTE)
"""How long after a trainer asked for it the first, the second and any later time."""

GONE = "GONE"
"""What is said of a job whose folder is no more."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A study with a best trial, and the model that should come of it.

    ``path`` is the file, and `target` where its model belongs, relative to the workspace;
    ``since`` when it was finished, and `first_seen` when the janitor first saw it. What has a
    `question` waits for a person. `by_person` says that one asked for it now.
    """

    path: str
    study: str
    model_type: str
    target: str
    key: str
    trial: int
    value: float
    is_finished: bool
    why: str
    """Why it counts as finished, or what it is waiting for."""
    since: int
    first_seen: int
    row: Retrain | None
    """What governs it."""
    question: str = ""
    adopts: str = ""
    """The file that the trial left, where it is a model as it should be."""
    not_adopted: str = ""
    """Why the file that it names is none."""
    has_seed: bool = False
    by_person: bool = False

    @property
    def name(self) -> str:
        """As people call it: the folder of its model, and what is trained."""
        return f"{self.target.split('/')[-2]}/{self.model_type}" if self.model_type else self.study


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt, as the journal has it, and what is seen of it now.

    ``target`` is where its model belongs, relative to the workspace; `live` the executor's word,
    or `GONE`, "" where nobody asked. Times in nanoseconds.
    """

    id: int
    key: str
    attempt: int
    token: str
    path: str
    study: str
    model_type: str
    target: str
    mode: Mode
    trial: int
    value: float
    by_person: bool
    state: JobState
    submitted: int
    ended: int = 0
    next_try: int = 0
    why: str = ""
    live: str = ""
    live_why: str = ""
    metric: float | None = None
    """What the training reached, by its own word."""

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def occupies(self) -> bool:
        """Whether it takes a place among the trainings at once: also while it is ended."""
        return self.live == "RUNNING" or (self.is_active and self.live in ("", "PENDING"))

    @property
    def name(self) -> str:
        """As people call it."""
        return f"{self.target.split('/')[-2]}/{self.model_type}"


@dataclass(frozen=True, slots=True)
class Training:
    """Train the model of a study: its `attempt`-th try. One that was journalled, and never
    began, is begun again as `job`."""

    wanted: Wanted
    mode: Mode
    attempt: int
    job: Job | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """Verify what a job made, and put it in its place."""

    job: Job


def token_of(key: str, attempt: int) -> str:
    """The name of one attempt, and of its folder."""
    return sha256(f"{key}{attempt}".encode()).hexdigest()[:16]
