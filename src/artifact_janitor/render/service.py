"""What became of the units of a workspace, and how they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from artifact_janitor import clock
from artifact_janitor.render.lines import line
from artifact_janitor.render.words import shown
from artifact_janitor.service.installing import Done, Standing
from artifact_janitor.units import SECOND, format_when


def of_done(action: str, done: Done) -> dict[str, Any]:
    return {
        "action": action,
        "whose": done.whose,
        "names": [*done.units],
        "written": [*map(str, done.written)],
        "removed": [*map(str, done.removed)],
        "to_type": [*done.to_type],
        "notes": [*done.notes],
    }


def done_lines(action: str, done: Done) -> Iterator[Text]:
    for word, files in (("wrote", done.written), ("removed", done.removed)):
        for each in files:
            yield line((f"{word} ", "bold"), _place(each))
    if not done.written and not done.removed:
        what = "Everything is as it should be" if action == "install" else "Nothing is installed"
        yield line((what, "bold"), f" ({done.whose})" if not done.units else "")
    for note in done.notes:
        yield line((f"note: {shown(note)}", "dim"))
    if done.to_type:
        yield line("No systemd runs here. Where it does:")
        yield from (line("  ", (command, "bold")) for command in done.to_type)
    elif action == "install":
        yield line("How it is: ", ("janitor service status", "bold"))


def of_standings(runs: bool, found: Sequence[Standing]) -> dict[str, Any]:
    return {
        "systemd": runs,
        "units": [
            {
                "unit": each.name,
                "whose": each.whose,
                "file": str(each.file),
                "edited": each.edited,
                "outdated": each.outdated,
                "active": each.state.get("ActiveState", ""),
                "sub": each.state.get("SubState", ""),
                "enabled": each.state.get("UnitFileState", ""),
                "pid": int(each.state.get("MainPID") or 0) or None,
                "since": _since(each),
                "says": each.state.get("StatusText", ""),
                "next": each.due,
            }
            for each in found
        ],
    }


def standing_lines(runs: bool, found: Sequence[Standing]) -> Iterator[Text]:
    if not found:
        yield line(("Not installed", "bold"))
        yield line("Next: ", ("janitor service install", "bold"))
    for each in found:
        yield line((each.name, "bold"), "  ", _how(each))
        yield line(("  " + _place(each.file), "dim"))
        if says := each.state.get("StatusText"):
            yield line("  ", shown(says))
        if each.edited:
            yield line(("  edited since it was written: it is left alone", "yellow"))
        elif each.outdated:
            yield line(("  not what would be written now: ", "yellow"), "janitor service install")


def _how(each: Standing) -> str:
    state = each.state
    if not state:
        return "written; no systemd runs here that can be asked"
    words = [state.get("ActiveState", "unknown")]
    if (sub := state.get("SubState")) and sub != words[0]:
        words.append(f"({sub})")
    now = clock.read().wall
    if since := _since(each):
        words.append(f"since {format_when(since, now)}")
    if pid := int(state.get("MainPID") or 0):
        words.append(f"· pid {pid}")
    if state.get("UnitFileState") not in ("enabled", "static"):
        words.append("· not started at boot")
    if each.due:
        words.append(f"· next {format_when(each.due, now)}")
    return " ".join(words)


def _since(each: Standing) -> int | None:
    """When it came into the state it is in, in nanoseconds."""
    active = each.state.get("ActiveState") in ("active", "reloading")
    key = "ActiveEnterTimestamp" if active else "InactiveEnterTimestamp"
    return _moment(each.state.get(key, ""))


def _moment(text: str) -> int | None:
    """``@1766000000``, as ``--timestamp=unix`` says it."""
    return int(text[1:]) * SECOND if text[:1] == "@" and text[1:].isdecimal() else None


def _place(path: Path) -> str:
    return shown(str(path))
