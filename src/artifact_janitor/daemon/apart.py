"""A sweep in a program of its own: what it takes in memory is given back, it forks its workers
from one thread, and no study is opened beside the daemon that reads it.

On its first descriptor comes the configuration as the daemon has it, then ``stop``: end after
the current step. Where that descriptor ends so does the daemon, and with it this. What it has
to say goes to the second, one JSON object a line.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from artifact_janitor import clock, gitignoring, handing_over, looking, sweep
from artifact_janitor.apply.archive.store import NOT_MOUNTED
from artifact_janitor.archived import archives, read_longest_ago, trouble_of
from artifact_janitor.config import Settings, Text, settings_of
from artifact_janitor.core.model import Refusal
from artifact_janitor.errors import JanitorError, hinted
from artifact_janitor.execution import Options
from artifact_janitor.looking import Look, Tick
from artifact_janitor.modesty import stand_back
from artifact_janitor.observe.liveness import ignore_lease_breaks
from artifact_janitor.render import daemon as render
from artifact_janitor.render.words import shown
from artifact_janitor.state import State
from artifact_janitor.sweep import Report, mend

OFTEN = 1.0
"""Seconds between two words about how far it is."""
STOP = b"stop\n"
WATCH = Options(command="watch", tells=False)
"""Nobody says yes: the guards hold back what they hold back."""

Told = dict[str, Any]


def main(scope: str) -> int:
    """Sweep, and say how it went."""
    out = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # whatever else prints shall not be taken for our words
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # the daemon passes on what concerns us
    ignore_lease_breaks()
    State.may_make = False
    stand_back()
    told: Told
    try:
        settings = _given()
        told = SWEEPS[scope](settings, _Progress(out), _ends())
    except JanitorError as error:
        told = {"error": error.in_full, "code": error.code}
    except OSError as error:
        name = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        told = {"error": f"{name}{error.strerror or error}", "code": "error"}
    out.write(json.dumps(told) + "\n")
    out.flush()
    return 0


def _given() -> Settings:
    """The settings that the daemon goes by, whatever is in the file by now."""
    if not (line := sys.stdin.buffer.readline()):
        raise SystemExit(1)
    head = json.loads(line)
    content = sys.stdin.buffer.read(head["length"])
    source = Path(head["source"]) if head["source"] is not None else None
    return settings_of(Text(source, content), os.environ, Path.cwd())


def _ends() -> Callable[[], bool]:
    """Whether the daemon asked for the end; where the daemon is gone, this ends at once."""
    asked = threading.Event()

    def listen() -> None:
        if os.read(0, len(STOP)):
            asked.set()
            os.read(0, 1)
        os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    return asked.is_set


class _Progress:
    """Says how far the sweep is, now and then."""

    def __init__(self, out: Any) -> None:
        self._out = out
        self._at = -OFTEN

    def __call__(self, what: str, done: int, total: int) -> None:
        if monotonic() - self._at >= OFTEN:
            self._at = monotonic()
            self._out.write(json.dumps({"tick": [what, done, total]}) + "\n")
            self._out.flush()


def _mended(settings: Settings, _tick: Tick, _stop: Callable[[], bool]) -> Told:
    return {"found": mend(settings)}


def _retention(settings: Settings, tick: Tick, stop: Callable[[], bool]) -> Told:
    """All that policies ask for, and what leaves the trash."""
    found = mend(settings)
    seen = looking.look(settings, clock.read().wall, tick=tick, leases=False)
    return _carried_out(settings, seen, found, tick, stop)


def _purge(settings: Settings, tick: Tick, stop: Callable[[], bool]) -> Told:
    """What leaves the trash alone."""
    return _retention(replace(settings, policies=()), tick, stop)


def _manual(settings: Settings, tick: Tick, stop: Callable[[], bool]) -> Told:
    """The models of runs by hand that are over."""
    found = mend(settings)
    seen, later = looking.look_at_manual_runs(settings)
    return _carried_out(settings, seen, found, tick, stop) | {"again": later}


def _results(settings: Settings, _tick: Tick, stop: Callable[[], bool]) -> Told:
    """What becomes known of models that were published, or rejected."""
    with looking.reading(settings) as journal:
        sight = handing_over.look(settings, journal, clock.read())
    report = sweep.hand_over(settings, sight, (), WATCH.command, stop)
    with looking.reading(settings) as journal:
        left = [each.job.next_try for each in journal.jobs.untold()] if journal else []
    now, names = clock.read().wall, sorted({*map(shown, report.told)})
    return {
        "did": ", ".join(names),
        "notes": [*report.notes],
        "again": min((at for at in left if at > now), default=None),
        "locked": any(at <= now for at in left),
    }


def _verify(settings: Settings, tick: Tick, stop: Callable[[], bool]) -> Told:
    """Archives are read back."""
    with looking.reading(settings) as journal:
        every = archives(settings, journal)
    held, left = [], read_longest_ago(every)
    while left and not stop():
        each = left.pop(0)
        if why := trouble_of(settings, each, tick):
            held.append(
                f"{shown(why)}: {NOT_MOUNTED}"
                if each.is_away
                else f"{shown(each.name)}: {why} → janitor verify"
            )
    return {"held": [*dict.fromkeys(held)], "left": len(left)}


def _gitignore(settings: Settings, _tick: Tick, _stop: Callable[[], bool]) -> Told:
    """The block of ``.gitignore``; without a config.toml nothing is ever changed."""
    if settings.source is None:
        return {}
    made = gitignoring.sync(settings, clock.read().wall, WATCH.command, by_person=False)
    held = [*map(_said, made.refusals)] or [made.why] * (made.state in ("refused", "failed"))
    return {"did": made.why if made.state == "done" else "", "held": held}


def _carried_out(
    settings: Settings, seen: Look, found: list[str], tick: Tick, stop: Callable[[], bool]
) -> Told:
    report = sweep.run(settings, seen, WATCH, found, tick, stop)
    return _told(report) | {"held": [*render.odd(report.outcomes), *_refused(seen)]}


def _told(report: Report) -> Told:
    return {
        "did": render.swept(report),
        "found": [*report.recovered],
        "locked": any(each.code == "locked" for each in report.outcomes),
    }


def _refused(seen: Look) -> list[str]:
    return [*map(_said, seen.plan.refused)]


def _said(refusal: Refusal) -> str:
    return hinted(refusal.message, refusal.hint)


SWEEPS: dict[str, Callable[[Settings, Tick, Callable[[], bool]], Told]] = {
    "mend": _mended,
    "retention": _retention,
    "purge": _purge,
    "results": _results,
    "manual": _manual,
    "verify": _verify,
    "gitignore": _gitignore,
}

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
