"""Checks of the units that `janitor service` wrote for this workspace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from artifact_janitor.checkup.check import Found, Place, ok, problem, warning
from artifact_janitor.service import asking, installing
from artifact_janitor.service.installing import SWEEP, Standing


def units(place: Place) -> Iterator[Found]:
    """Systemd is asked only where it runs: the machine's, and that of whoever asks."""
    found = [each for whose in ("system", "user") for each in _of(place, whose)]
    doubts = [doubt for each in found for doubt in (*_of_file(each), *_of_state(each))]
    yield from doubts
    if not found:
        yield ok("none installed: janitor service install has one start with the machine")
    elif not doubts:
        yield ok(" · ".join(_said(found)))


def _of(place: Place, whose: str) -> Sequence[Standing]:
    return installing.standing(place.settings, "system" if whose == "system" else "user")


def _said(found: Sequence[Standing]) -> Iterator[str]:
    for each in found:
        if not each.state:
            yield f"{each.name}: installed; no systemd runs here"
        elif _is_main(each):
            yield f"{each.name}: {each.state.get('ActiveState')}, {each.state.get('UnitFileState')}"


def _is_main(standing: Standing) -> bool:
    """The one that systemd starts: a single sweep is started by its timer."""
    return not (standing.name.startswith(f"{SWEEP}@") and standing.name.endswith(".service"))


def _of_file(standing: Standing) -> Iterator[Found]:
    path, name = str(standing.file), standing.name
    if standing.edited:
        hint = f"{_line(standing, 'edit')}, which makes a drop-in; then remove {path}, and "
        what = f"{name} was edited since it was written: it is never brought up to date"
        yield warning(what, hint + _install(standing), path)
    if standing.outdated:
        what = f"{name} is not as it would be written now, for this configuration"
        yield warning(what, _install(standing), path)


def _of_state(standing: Standing) -> Iterator[Found]:
    """`ActiveState`, `UnitFileState` and `Result` are systemd's words."""
    state, name, path = standing.state, standing.name, str(standing.file)
    if not state:
        return
    active = state.get("ActiveState", "")
    if active == "failed":
        log = "journalctl --user" if standing.whose == "user" else "journalctl"
        what = f"{name} failed: {state.get('Result', '')}"
        yield problem(what, f"{log} -e -u {name}; then {_line(standing, 'restart')}", path)
    elif _is_main(standing) and active == "inactive":
        yield warning(f"{name} is installed, and doesn't run", _line(standing, "start"), path)
    if _is_main(standing) and state.get("UnitFileState") != "enabled":
        what = f"{name} is {state.get('UnitFileState')}: it doesn't start with the machine"
        yield warning(what, _line(standing, "enable"), path)


def _line(standing: Standing, verb: str) -> str:
    return asking.line(standing.whose, [verb, standing.name])


def _install(standing: Standing) -> str:
    user = " --user" if standing.whose == "user" else ""
    timer = " --timer" if standing.name.startswith(f"{SWEEP}@") else ""
    return f"janitor service install{user}{timer}"
