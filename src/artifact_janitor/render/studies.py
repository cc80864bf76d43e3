"""Studies and how they stand: the answers of ``janitor studies``, and their lines in status."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from artifact_janitor.core.study import (
    ACTIVE,
    EMPTY,
    FINISHED,
    INCOMPLETE,
    SETTLING,
    UNREADABLE,
    Broken,
    Study,
    Trial,
)
from artifact_janitor.render.lines import line
from artifact_janitor.render.words import moment, plural, shown
from artifact_janitor.studying import Seen, Studies
from artifact_janitor.units import format_duration

STYLES = {FINISHED: "bold green", ACTIVE: "bold", UNREADABLE: "bold red", INCOMPLETE: "yellow"}
ORDER = (FINISHED, ACTIVE, SETTLING, INCOMPLETE, EMPTY, UNREADABLE)
FEW = 5
"""Studies that ``janitor status`` names."""
LONGEST = 60
"""Letters of a study's name on a line."""


# ---------------------------------------------------------------- for programs


def of_studies(found: Studies) -> dict[str, Any]:
    return {
        "studies": [of_study(each) for each in found.seen],
        "unreadable_studies": [_of_broken(each) for each in found.broken],
    }


def of_study(seen: Seen) -> dict[str, Any]:
    standing, study = seen.standing, seen.standing.study
    return {
        "name": study.name,
        "path": study.path,
        "model_type": seen.model_type,
        "place": seen.place,
        "state": standing.state,
        "by": standing.by,
        "why": standing.why,
        "since": moment(standing.since),
        "directions": [*study.directions],
        "trials": {**study.counts},
        "finished_trials": study.over,
        "target": study.target,
        "best": _of_best(standing.best, standing.value),
        "question": question(seen),
        "notes": [*standing.notes],
        "next": coming(seen),
    }


def _of_best(best: Trial | None, value: float | None) -> dict[str, Any] | None:
    if best is None or value is None:
        return None
    return {
        "trial": best.number,
        "value": _number(value),
        "values": [_number(each) for each in best.values],
        "params": _plain(best.params),
    }


def _number(value: float) -> float | str:
    """Infinity is no JSON: it is written as a word."""
    return value if math.isfinite(value) else str(value)


def _plain(value: object) -> object:
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return {key: _plain(value[key]) for key in value} if isinstance(value, dict) else value


def _of_broken(broken: Broken) -> dict[str, str]:
    return {
        "path": broken.path,
        "kind": broken.kind,
        "why": broken.why,
        "hint": broken.hint,
    }


# ---------------------------------------------------------------- in words


def question(seen: Seen) -> str:
    """What a person must decide before anything can be trained."""
    if seen.standing.question:
        return seen.standing.question
    if seen.model_type is None:
        return (
            "which model type is it? Set the study's user attribute model_type,"
            " or model_type in [[retrain]]"
        )
    return ""


def coming(seen: Seen) -> str:
    """What would happen next."""
    state = seen.standing.state
    if state != FINISHED:
        return {
            INCOMPLETE: "nothing is trained from it; go on with it, or mark it as finished",
            EMPTY: "nothing",
            ACTIVE: "the next look",
        }.get(state, "the next look, when it has been quiet long enough")
    if asked := question(seen):
        return f"a person decides: {asked}"
    if seen.governed is None:
        return "nothing: no [[retrain]] governs it"
    return "its best trial is trained, if it was not: janitor run"


def study_lines(found: Studies) -> Iterator[Text]:
    """All studies, a line each."""
    if not found.seen and not found.broken:
        yield line("No studies here: no database or journal of Optuna's in the studies' folder.")
        return
    yield line((plural(len(found.seen), "study"), "bold"), _summary(found))
    yield Text()
    yield from _rows(found, found.seen, found.broken)
    for each in found.seen:
        if each.standing.state == FINISHED and (asked := question(each)):
            yield line(("question  ", "yellow"), f"{_short(each.label)}: {shown(asked)}")
    yield line("Next: ", ("janitor studies STUDY", "bold"), " for one of them in detail")


def _summary(found: Studies) -> str:
    states = [each.standing.state for each in found.seen]
    counts = [f"{states.count(state)} {state}" for state in ORDER if state in states]
    if found.broken:
        counts.append(f"{plural(len(found.broken), 'file')} unreadable")
    return "".join(f" · {each}" for each in counts)


def _rows(found: Studies, seen: Sequence[Seen], broken: Sequence[Broken]) -> Iterator[Text]:
    names = [_short(each.label) for each in seen] + [_short(each.path) for each in broken]
    wide = max(map(len, names))
    trials = max((len(progress(each.standing.study)) for each in seen), default=0)
    bests = [_best(each) for each in seen]
    best = max(map(len, bests), default=0)
    for each, name, value in zip(seen, names, bests, strict=False):
        standing = each.standing
        done = progress(standing.study)
        ago = format_duration(max(found.now - standing.since, 0))
        yield Text.assemble(
            f"  {name:<{wide}}  ",
            (f"{standing.state:<10}", STYLES.get(standing.state, "")),
            f"  {done:>{trials}}  {value:<{best}}  {ago:>8}  ",
            (shown(standing.why), "dim"),
        )
    for trouble, name in zip(broken, names[len(seen) :], strict=True):
        hint = f" → {shown(trouble.hint)}" if trouble.hint else ""
        yield Text.assemble(
            f"  {name:<{wide}}  ",
            (f"{UNREADABLE:<10}", STYLES[UNREADABLE]),
            f"  {shown(trouble.why)}",
            (hint, "bold"),
        )


def _short(name: str) -> str:
    """A study may be called by 600 letters."""
    plain = shown(name)
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"


def progress(study: Study) -> str:
    """Finished trials, of how many, where the study says so."""
    return f"{study.over}/{study.target}" if study.target is not None else str(study.over)


def _best(seen: Seen) -> str:
    best, value = seen.standing.best, seen.standing.value
    if best is None or value is None:
        return f"{len(seen.standing.study.directions)} objectives" if _several(seen) else ""
    return f"best {value:.4g} (#{best.number})"


def _several(seen: Seen) -> bool:
    return len(seen.standing.study.directions) > 1


def detail_lines(seen: Seen, now: int) -> Iterator[Text]:
    """One study: how it stands and why, its trials, its best, what comes next."""
    standing, study = seen.standing, seen.standing.study
    yield Text.assemble(
        (_short(seen.label), "bold"), " · ", (standing.state, STYLES.get(standing.state, ""))
    )
    ago = format_duration(max(now - standing.since, 0))
    yield _labelled("why", standing.why)
    yield _labelled("since", f"{ago} ago")
    yield _labelled("study", f"{_short(study.name)} in {shown(study.path)}")
    yield _labelled("model", seen.model_type or "not known")
    counts = [f"{count} {state}" for state, count in sorted(study.counts.items())]
    target = f", of {study.target}" if study.target is not None else ""
    yield _labelled("trials", f"{', '.join(counts) or 'none'}; {study.over} finished{target}")
    names = study.metrics or ("",) * len(study.directions)
    wanted = zip(study.directions, names, strict=False)
    yield _labelled("wants", ", ".join(f"{way} {name}".strip() for way, name in wanted))
    yield from _best_lines(seen)
    for note in (*standing.notes, *filter(None, (question(seen),))):
        yield Text.assemble(("  attention  ", "yellow"), shown(note))
    yield _labelled("next", coming(seen))


def _best_lines(seen: Seen) -> Iterator[Text]:
    best, value = seen.standing.best, seen.standing.value
    if best is None or value is None:
        return
    yield _labelled("best", f"{value!r}, trial {best.number}")
    for name, chosen in best.params.items():
        yield _labelled("", f"{_short(name)} = {_short(repr(chosen))}")


def broken_lines(broken: Broken) -> Iterator[Text]:
    yield Text.assemble((_short(broken.path), "bold"), " · ", (UNREADABLE, STYLES[UNREADABLE]))
    yield _labelled("why", broken.why)
    if broken.hint:
        yield _labelled("→", broken.hint)


def _labelled(label: str, what: str) -> Text:
    return line(f"  {label:<10} ", shown(what))


def status_rows(found: Studies) -> Iterator[Text]:
    """For ``janitor status``: the studies that something happens to, first."""
    ranked = sorted(found.seen, key=lambda each: ORDER.index(each.standing.state))
    if not ranked and not found.broken:
        return
    first = ranked[:FEW]
    few = [*_rows(found, first, found.broken[: max(FEW - len(first), 1)])]
    left = len(found.seen) + len(found.broken) - len(few)
    for number, row in enumerate(few):
        yield Text.assemble(f"{'' if number else 'studies':<9}", row)
    if left:
        yield line(f"{'':<11}… and {left} more (janitor studies)")
