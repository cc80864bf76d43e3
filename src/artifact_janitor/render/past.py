"""What was done, as a person and as a program read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from artifact_janitor.core.milestone import STEPS
from artifact_janitor.core.plan import GITIGNORE, PUBLISH
from artifact_janitor.journal import Step, Sweep
from artifact_janitor.outcome import Outcome
from artifact_janitor.render.lines import line
from artifact_janitor.render.text import FIRST, View, outcome_lines
from artifact_janitor.render.words import moment, plural, shown
from artifact_janitor.units import format_duration, format_size


def of_sweep(sweep: Sweep, steps: Iterable[Step]) -> dict[str, Any]:
    return {
        "sweep": sweep.id,
        "command": sweep.command,
        "started": moment(sweep.started),
        "ended": moment(sweep.ended) if sweep.ended else None,
        "steps": [_of_step(number, step) for number, step in enumerate(steps, 1)],
    }


def _of_step(number: int, step: Step) -> dict[str, Any]:
    return {
        "id": f"{step.sweep}.{number}",
        "do": step.do,
        "kind": step.kind,
        "path": step.path,
        "bytes": step.bytes,
        "state": step.state,
        "why": step.why,
        "reasons": [*step.reasons],
    }


def sweep_lines(sweeps: Sequence[dict[str, Any]], now: int, view: View) -> Iterator[Text]:
    if not sweeps:
        yield Text("Nothing was done yet.")
    seen = sweeps if view.all_steps else sweeps[:FIRST]
    width = max((len(sweep["sweep"]) for sweep in seen), default=0)
    for sweep in seen:
        name = f"{sweep['sweep']:<{width}}"
        yield line((name, "bold"), f"  {_ago(sweep, now):>14}  ", _sum(sweep))
    if len(sweeps) > len(seen):
        more = f"… and {len(sweeps) - len(seen)} more ("
        yield line(more, ("janitor history --all", "bold"), ")")
    if seen:
        example = seen[0]["sweep"]
        yield line("\nIts steps: ", (f"janitor history {example}", "bold"))


def _ago(sweep: dict[str, Any], now: int) -> str:
    started = datetime.fromisoformat(sweep["started"]).timestamp()
    return f"{format_duration(max(now - int(started * 10**9), 0))} ago"


def _sum(sweep: dict[str, Any]) -> str:
    steps = sweep["steps"]
    if sweep["command"] == "undo":  # what it unpacked, came back by it
        steps = [each for each in steps if each["do"] == "undo"]
    # their units go to the trash, too
    moved = [each for each in steps if each["do"] not in ("archive", "compress")]
    size = sum(step["bytes"] for step in moved if step["state"] in ("done", "undone", "purged"))
    said = {
        ("trash", "done"): "in the trash",
        ("slim", "done"): "slimmed into the trash",
        ("expire", "done"): "expired, in the trash",
        ("trash", "undone"): "brought back",
        ("expire", "undone"): "brought back",
        ("expire", "purged"): "purged since",
        ("slim", "undone"): "brought back",
        ("trash", "purged"): "purged since",
        ("slim", "purged"): "purged since",
        ("purge", "done"): "left the trash for good",
        ("undo", "done"): "came back",
        ("archive", "done"): "archived",
        ("compress", "done"): "compressed",
        ("compress", "undone"): "compressed no more",
        ("restore", "done"): "restored",
        ("retrain", "done"): "in training",
        ("gitignore", "done"): "written",
        ("gitignore", "undone"): "written, and taken back",
        ("publish", "done"): "published",
        ("publish", "undone"): "published, and taken back",
        ("promote", "done"): "promoted",
        ("promote", "undone"): "promoted, and taken back",
        ("demote", "done"): "chosen no more",
        ("demote", "undone"): "chosen no more, and taken back",
    }
    states = ((step["do"], step["state"]) for step in steps)
    what = Counter(said.get((do, state), state) for do, state in states)
    parts = [f"{plural(count, 'unit')} {words}" for words, count in what.items()]
    open_still = [] if sweep["ended"] else ["interrupted: the next janitor run mends it"]
    return " · ".join([sweep["command"], *parts, format_size(size), *open_still])


def step_lines(sweeps: Sequence[dict[str, Any]], now: int, view: View) -> Iterator[Text]:
    for sweep in sweeps:
        yield line((sweep["sweep"], "bold"), f" · {_ago(sweep, now)} · {_sum(sweep)}")
        for step in sweep["steps"]:
            why = step["why"] or ", ".join(step["reasons"])
            size = format_size(step["bytes"])
            yield line(
                f"  {step['id']:<10} {step['do']:<7} {step['state']:<8} {size:>8}  ",
                shown(step["path"]),
                (f"   {shown(why)}", "dim"),
            )


def undo_lines(outcomes: Sequence[Outcome], view: View) -> Iterator[Text]:
    done = [each for each in outcomes if each.outcome == "done"]
    placed = (PUBLISH, *STEPS)
    taken = [each for each in done if each.code in placed]
    rules = [each for each in done if each.code == GITIGNORE]
    back = [each for each in done if each.code not in (*placed, GITIGNORE)]
    size = sum(each.step.artifact.bytes for each in back)
    if not outcomes:
        yield Text("Nothing to undo: all of it is back already.")
        return
    for each in taken:
        yield line(
            "Taken back: ", (shown(each.step.path), "bold"), "; what was there before returns"
        )
    for each in rules:
        until = ("janitor gitignore sync", "bold")
        yield line((shown(each.step.path), "bold"), " is as it was, and stays so until ", until)
    if back or not (taken or rules):
        yield line((f"{plural(len(back), 'unit')} back", "bold"), f" · {format_size(size)}")
    for each in back if view.all_steps else back[:FIRST]:
        why = (f"   {shown(each.why)}", "dim") if each.why else ""
        yield line("  ", shown(each.step.path), why)
    if len(back) > FIRST and not view.all_steps:
        yield Text(f"  … and {len(back) - FIRST} more")
    yield from outcome_lines(outcomes, view)
    if back:
        yield line(
            "Pinned, so that the next sweep leaves them; to let them go again: ",
            ("janitor unpin . --undone", "bold"),
        )
    if any(each.code == PUBLISH for each in taken):
        yield line("It stays so until ", ("janitor retrain", "bold"), " or a newer model.")
