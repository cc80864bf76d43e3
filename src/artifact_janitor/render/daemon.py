"""What the daemon logs of a sweep, and what ``janitor status`` says of the daemon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from artifact_janitor.core.plan import Step
from artifact_janitor.outcome import Outcome
from artifact_janitor.render.jobs import name_of
from artifact_janitor.render.words import plural, shown
from artifact_janitor.sweep import Report
from artifact_janitor.units import format_size

FEW = 3
"""Steps of one sort that a line names; of more it tells how many they are."""


def swept(report: Report) -> str:
    """One line of what a sweep changed; "" where it changed nothing."""
    done = [each.step for each in report.outcomes if each.outcome == "done"]
    done.sort(key=lambda each: each.do)
    parts = [_sort(do, [*steps]) for do, steps in groupby(done, key=lambda each: each.do)]
    back = f" (take it back: janitor undo {report.sweep})" if _returns(done) else ""
    return " · ".join(parts) + back if parts else ""


def _sort(do: str, steps: Sequence[Step]) -> str:
    if len(steps) <= FEW:
        return f"{do} {', '.join(shown(name_of(each)) for each in steps)}"
    frees = sum(each.artifact.frees for each in steps)
    return f"{do} {plural(len(steps), 'unit')} ({format_size(frees)})"


def _returns(done: Sequence[Step]) -> bool:
    return any(each.do not in ("purge", "retrain") for each in done)


def odd(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What did not go as planned, guards summed up; not what an end came before."""
    for why in sorted({each.why for each in outcomes if each.code == "guard"}):
        count = sum(each.why == why for each in outcomes)
        yield f"{plural(count, 'unit')} {shown(why)}"
    for each in outcomes:
        if each.outcome != "done" and each.code != "guard" and not each.why.startswith(ENDED):
            yield f"{each.step.do} {shown(name_of(each.step))} {each.outcome}: {shown(each.why)}"


ENDED = "interrupted"
"""How the reason of a step begins that a person's wish to end came before."""
