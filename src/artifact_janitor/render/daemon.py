"""What the daemon logs of a sweep, and what ``janitor status`` says of the daemon.

What it told of itself may be of another version, or anybody's: each value is taken only where it
is what it should be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from artifact_janitor.core.plan import Step
from artifact_janitor.outcome import SAME, Outcome
from artifact_janitor.render.jobs import name_of
from artifact_janitor.render.words import moment, plural, shown
from artifact_janitor.sweep import Report
from artifact_janitor.units import DAY, SECOND, format_duration, format_size, format_when

FEW = 3
"""Steps of one sort that a line names; of more it tells how many they are."""


def swept(report: Report) -> str:
    """One line of what a sweep changed; "" where it changed nothing."""
    done = sorted((each for each in report.outcomes if each.outcome == "done"), key=_verb)
    parts = [_sort(do, [each.step for each in of]) for do, of in groupby(done, key=_verb)]
    back = f" (take it back: janitor undo {report.sweep})" if _returns(done) else ""
    return " · ".join(parts) + back if parts else ""


def _verb(outcome: Outcome) -> str:
    return "published already:" if outcome.code == SAME else outcome.step.do


def _sort(do: str, steps: Sequence[Step]) -> str:
    if len(steps) <= FEW:
        return f"{do} {', '.join(shown(name_of(each)) for each in steps)}"
    frees = sum(each.artifact.frees for each in steps)
    return f"{do} {plural(len(steps), 'unit')}" + (f" ({format_size(frees)})" if frees else "")


def _returns(done: Sequence[Outcome]) -> bool:
    return any(each.code != SAME and each.step.do not in ("purge", "retrain") for each in done)


def odd(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What did not go as planned; not what a guard holds back, which the plan says, nor what an
    end came before."""
    for each in outcomes:
        if each.outcome != "done" and each.code != "guard" and not each.why.startswith(ENDED):
            yield f"{each.step.do} {shown(name_of(each.step))} {each.outcome}: {shown(each.why)}"


ENDED = "interrupted"
"""How the reason of a step begins that a person's wish to end came before."""


# ---------------------------------------------------------------- of the daemon itself

Told = Mapping[str, Any]
"""What ``daemon_file`` read."""

RELOADED = "{} changed since the daemon read it: {}"


def of_daemon(told: Told | None, changed: str) -> dict[str, Any] | None:
    """For programs; `changed` names a configuration that the daemon doesn't go by yet."""
    if told is None:
        return None
    last = _table(told, "last")
    at = _number(last, "at")
    return {
        "pid": _number(told, "pid"),
        "since": moment(_number(told, "since")),
        "rss": _number(told, "rss"),
        "version": _text(told, "version"),
        "unit": _text(told, "unit"),
        "config_error": _text(told, "config_error"),
        "config_changed": bool(changed),
        "doing": _text(told, "doing"),
        "last": {"at": moment(at), "scope": _text(last, "scope"), "did": _text(last, "did")}
        if at
        else None,
        "next": [{"job": job, "at": moment(when)} for job, when in _next(told)],
        "watch": [
            {key: _text(each, key) for key in ("name", "path", "mode", "why")}
            for each in _rows(told, "watch")
        ],
        "stands": _texts(told),
    }


def head(told: Told | None, now: int) -> str:
    """In a few words, whether there is one and how it does."""
    if told is None:
        return "no daemon"
    since, rss = _number(told, "since"), _number(told, "rss")
    size = f", {format_size(rss)}" if rss else ""
    up = f" up {format_duration(max(now - since, 0))}" if since else ""
    parts = [f"daemon{up} (pid {_number(told, 'pid')}{size})"]
    if doing := _text(told, "doing"):
        parts.append(f"{shown(doing)} now")
    last = _table(told, "last")
    if at := _number(last, "at"):
        parts.append(f"last sweep {format_duration(max(now - at, 0))} ago, {_text(last, 'did')}")
    return " · ".join(map(shown, parts))


def rows(told: Told | None, now: int) -> Iterator[tuple[str, str]]:
    """What comes next, and which folders it does not hear from, or not from all that is in them;
    each with its label."""
    if told is None:
        return
    if coming := _next(told):
        yield "next", " · ".join(f"{shown(job)} {_coming(at, now)}" for job, at in coming)
    for each in _rows(told, "watch"):
        mode, why = _text(each, "mode"), shown(_text(each, "why"))
        if mode in _MODES or (mode == "inotify" and why):
            how = f"{_MODES.get(mode, '')}{': ' if why else ''}{why}"
            yield "watch", f"{shown(_text(each, 'path'))}{how}"


_MODES = {
    "polling": " is polled",
    "watchdog": " is watched by the system's own means",
}


def attention(told: Told | None, changed: str) -> Iterator[str]:
    """What a person should see to."""
    if told is None:
        return
    unit, pid = _text(told, "unit"), _number(told, "pid")
    if changed:
        how = f"systemctl reload {unit}" if unit else f"kill -HUP {pid}"
        yield RELOADED.format(changed, how)
    yield from _texts(told)


def _coming(at: int, now: int) -> str:
    """ "03:00", "Sun 05:00" within a week, "6 Dec" after that."""
    if not now <= at < now + 6 * DAY:
        return format_when(at, now)
    when = datetime.fromtimestamp(at / SECOND)
    day = "" if when.date() == datetime.fromtimestamp(now / SECOND).date() else f"{when:%a} "
    return f"{day}{when:%H:%M}"


def _next(told: Told) -> list[tuple[str, int]]:
    found = ((_text(each, "job"), _number(each, "at")) for each in _rows(told, "next"))
    return sorted(found, key=lambda each: each[1])


def _rows(told: Told, key: str) -> list[Told]:
    found = told.get(key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _table(told: Told, key: str) -> Told:
    found = told.get(key)
    return found if isinstance(found, dict) else {}


def _texts(told: Told) -> list[str]:
    found = told.get("stands")
    return [str(each) for each in found] if isinstance(found, list) else []


def _text(told: Told, key: str) -> str:
    found = told.get(key)
    return found if isinstance(found, str) else ""


def _number(told: Told, key: str) -> int:
    found = told.get(key)
    return found if isinstance(found, int) and 0 <= found < 1 << 62 else 0
