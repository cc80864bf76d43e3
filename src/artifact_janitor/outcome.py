"""How the steps of a sweep came out, one by one and in sum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from artifact_janitor.core.compressing import COMPRESS
from artifact_janitor.core.expiry import EXPIRE
from artifact_janitor.core.model import Artifact
from artifact_janitor.core.plan import Step
from artifact_janitor.core.policy import ARCHIVE
from artifact_janitor.core.slimming import SLIM
from artifact_janitor.journal import Move

Asks = Callable[[Step], str]
"""Why a step that was planned a while ago would not be planned now; "" where it would."""
SAME = "same"
"""Nothing was changed by a publication, so that there is nothing to take back."""
GIVEN_UP = "interrupted, and given up: it is as it was"
"""Why a step that takes long was skipped in its midst."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one step came out; ``code`` says "guard" or "locked" where that was the cause, and
    `SAME` where all was as it should be already."""

    step: Step
    outcome: Literal["done", "skipped", "failed"]
    why: str = ""
    code: str = ""
    parts: tuple[Outcome, ...] = ()
    """Of a run that was slimmed: how it came out for each of its checkpoints."""

    @property
    def took(self) -> tuple[Artifact, ...]:
        """What is in the trash by it now; units inside these are not named."""
        if self.step.do == SLIM and self.parts:
            return tuple(each.step.artifact for each in self.parts if each.outcome == "done")
        goes = self.step.do in ("trash", ARCHIVE, COMPRESS, EXPIRE)
        return (self.step.artifact,) if self.outcome == "done" and goes else ()


Result = tuple[Outcome, tuple[Move, ...]]
"""How something came out, and the renames that stand."""


@dataclass(frozen=True, slots=True)
class Part:
    """A step, or a part of one, as it stands in the journal."""

    step: Step
    number: int
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """A step that was tried, and how it came out for each part; `at` is since boot."""

    step: Step
    parts: Sequence[Part]
    results: Sequence[Result]
    at: int

    @property
    def renamed(self) -> Iterator[tuple[Part, tuple[Move, ...]]]:
        """The parts with the renames that stand."""
        for part, (_, moves) in zip(self.parts, self.results, strict=True):
            if moves:
                yield part, moves

    @property
    def has_renamed(self) -> bool:
        return any(self.renamed)


def skipped(parts: Sequence[Part], why: str, code: str = "") -> list[Result]:
    """Nothing was done for any of the parts, and why."""
    return [(Outcome(each.step, "skipped", why, code), ()) for each in parts]


def summed(step: Step, parts: Sequence[Outcome]) -> Outcome:
    """How it came out for the run, of which a part may have gone."""
    went = sum(each.outcome == "done" for each in parts)
    odd = [each for each in parts if each.outcome != "done"]
    if not odd:
        return Outcome(step, "done", parts=tuple(parts))
    worst = next((each for each in odd if each.outcome == "failed"), odd[0])
    why = f"{went} of {len(parts)} checkpoints went; {worst.why}" if went else worst.why
    return Outcome(step, worst.outcome, why, worst.code, tuple(parts))
