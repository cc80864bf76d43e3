"""Checks of the daemon: whether one runs, and whether it does what the files here say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from artifact_janitor import __version__, daemon_file
from artifact_janitor.checkup.check import Found, Place, ok, some, warning
from artifact_janitor.units import MINUTE, format_duration, format_size

SILENT = 10 * MINUTE
"""It tells of itself every minute, even where nothing happens."""


def daemon(place: Place) -> Iterator[Found]:
    """It is asked nothing: what it tells of itself counts as long as it holds its lock."""
    told = place.daemon
    if told is None:
        yield ok("none runs: janitor watch looks all the time, janitor run once")
        return
    doubts = [*_of_program(place, told), *_of_config(place, told), *_of_sweeps(told)]
    yield from doubts
    if not doubts:
        since = told.get("since") or place.now
        size = format_size(told.get("rss", 0))
        unit = f", as {told['unit']}" if told.get("unit") else ""
        yield ok(f"pid {told.get('pid')} for {format_duration(place.now - since)}, {size}{unit}")


def _of_program(place: Place, told: Mapping[str, Any]) -> Iterator[Found]:
    version, again = told.get("version"), _typed(told, "restart", "kill {pid}; janitor watch")
    if version and version != __version__:
        what = f"pid {told.get('pid')} runs version {version}, and {__version__} is installed"
        yield warning(what, again)
    silent = place.now - daemon_file.written(place.state)
    if silent > SILENT:
        what = f"pid {told.get('pid')} has told nothing of itself for {format_duration(silent)}"
        yield warning(f"{what}: does it hang?", again)


def _of_config(place: Place, told: Mapping[str, Any]) -> Iterator[Found]:
    hint = _typed(told, "reload", "kill -HUP {pid}")
    if error := told.get("config_error"):
        what = f"it goes by an older configuration, as this one can't be used: {error}"
        yield warning(what, f"mend {told.get('config') or 'config.toml'}, then: {hint}")
    elif daemon_file.is_unread(told, place.settings.source):
        yield warning("it goes by an older configuration, and has not read this one", hint)


def _of_sweeps(told: Mapping[str, Any]) -> Iterator[Found]:
    """What it found odd, as far as that goes on; of its configuration it is told above."""
    if (stands := [*told.get("stands", ())]) and not told.get("config_error"):
        more = f" (and {some(len(stands) - 1, 'thing')} more)" if len(stands) > 1 else ""
        yield warning(f"its last sweeps say: {stands[0]}{more}", "janitor status")


def _typed(told: Mapping[str, Any], verb: str, plain: str) -> str:
    """As systemd does it, where the daemon is a unit of it."""
    unit = told.get("unit")
    return f"systemctl {verb} {unit}" if unit else plain.format(pid=told.get("pid"))
