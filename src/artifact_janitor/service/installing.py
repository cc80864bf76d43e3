"""Write the units of a workspace, remove them, and say how they stand.

A unit that we didn't write, or that was edited since, is never touched. Nothing of the
workspace is: its journal, its trainings and what they made stay as they are.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path

from artifact_janitor.config import Settings
from artifact_janitor.errors import JanitorError, Refused, UsageError
from artifact_janitor.executors.local import identity
from artifact_janitor.service import asking, place, unit
from artifact_janitor.service.place import Whose

DAEMON, SWEEP = "janitor", "janitor-run"
"""What the units of the daemon and of single sweeps are called, before the "@"."""
_WORDS = {DAEMON: ("watch",), SWEEP: ("run", "--yes")}
_LONGEST = 60
"""Characters of a unit's own part of its name."""
_MINE = re.compile(r"(?:janitor|janitor-run)@(?P<name>.+)\.(?:service|timer)")


@dataclass(frozen=True, slots=True)
class Standing:
    """A unit of ours: where it lies, whether it is as it would be written now, and how systemd
    says that it stands; that is empty where it can't be asked. `due`: when a timer is, in
    nanoseconds."""

    name: str
    file: Path
    whose: Whose
    edited: bool
    outdated: bool
    state: dict[str, str] = field(default_factory=dict)
    due: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What was written and removed, and what is left to type where systemd doesn't run."""

    whose: Whose
    units: tuple[str, ...] = ()
    written: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()
    to_type: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def install(settings: Settings, whose: Whose, *, timer: bool) -> Done:
    """Write the daemon's unit, or with `timer` those of a nightly sweep; the others go. Start it
    where systemd runs. Writes nothing where all is as it should be.

    Raises UsageError, Refused and JanitorError.
    """
    _check(settings, whose)
    wanted = texts(settings, whose, timer=timer)
    others = [each for each in mine(settings, whose) if each.name not in wanted]
    folder = asking.folder(whose)
    for each in (*(folder / name for name in wanted), *(other.file for other in others)):
        _must_be_ours(each, settings)
    written = tuple(folder / name for name, text in wanted.items() if _write(folder / name, text))
    *_, main = wanted  # the timer, where there is one
    words = [["daemon-reload"], ["enable", main], ["restart" if written else "start", main]]
    gone = _stop(whose, others)
    return Done(
        whose,
        tuple(wanted),
        written,
        tuple(each.file for each in others),
        (*gone, *_told(whose, words)),
        tuple(_notes(settings, whose)),
    )


def uninstall(settings: Settings, whose: Whose) -> Done:
    """Stop the units of this workspace, and remove them. Raises Refused and JanitorError."""
    found = mine(settings, whose)
    for each in found:
        _must_be_ours(each.file, settings)
    to_type = _stop(whose, found)
    if found:
        to_type = (*to_type, *_told(whose, [["daemon-reload"]]))
    names = tuple(each.name for each in found)
    return Done(whose, names, (), tuple(each.file for each in found), to_type)


def standing(settings: Settings, whose: Whose) -> list[Standing]:
    """The units of this workspace, each with what systemd says of it."""
    found = mine(settings, whose)
    return [_asked(each) for each in found] if asking.runs(whose) else found


def _asked(each: Standing) -> Standing:
    due = asking.due(each.whose, each.name) if each.name.endswith(".timer") else None
    return replace(each, state=asking.state(each.whose, each.name), due=due)


def texts(settings: Settings, whose: Whose, *, timer: bool) -> dict[str, str]:
    """The units as they would be written now, by their names; the one to start comes last."""
    owner, name = place.owner_of(settings.workspace), name_of(settings.workspace, whose)
    program = SWEEP if timer else DAEMON
    folder = resources.files(__package__) / "units"
    template = (folder / ("user" if whose == "user" else "") / f"{program}@.service").read_text()
    if not place.has_own_units(owner, whose):
        template = unit.shared(template)
    values = place.values(settings, owner, whose, _WORDS[program])
    text = unit.filled(template, values)
    if whose == "system" and owner.uid != 0 and place.has_own_units(owner, whose):
        needs = f"Wants=user@{owner.uid}.service\nAfter=user@{owner.uid}.service\n"
        text = text.replace("\n[Service]\n", f"{needs}\n[Service]\n", 1)
    found = {f"{program}@{name}.service": text}
    if timer:
        clock = (folder / f"{program}@.timer").read_text()
        found[f"{program}@{name}.timer"] = unit.filled(
            clock, {"Description": values["Description"]}
        )
    return {each: unit.sealed(text, str(settings.workspace)) for each, text in found.items()}


def name_of(workspace: Path, whose: Whose) -> str:
    """The unit's own part of its name: the one it has; else the workspace's, as far as it can be,
    and made different where another workspace has it already."""
    if (has := next(_own(workspace, whose), None)) is not None:
        return has[1]
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", workspace.name).strip("-.")[:_LONGEST] or "workspace"
    mark = hashlib.sha256(os.fsencode(workspace)).hexdigest()[:8]
    if plain == workspace.name and _is_free(plain, workspace, whose):
        return plain
    return f"{plain}-{mark}"


def _is_free(name: str, workspace: Path, whose: Whose) -> bool:
    folder = asking.folder(whose)
    paths = [folder / f"{DAEMON}@{name}.service", folder / f"{SWEEP}@{name}.service"]
    seals = [_seal(path) for path in paths if os.path.lexists(path)]
    return all(seal is None or seal.workspace == str(workspace) for seal in seals)


def mine(settings: Settings, whose: Whose) -> list[Standing]:
    """The units of this workspace, by what their seals say, whatever they are called."""
    found = []
    for file, _, seal in _own(settings.workspace, whose):
        now = _texts_or_none(settings, whose, timer=file.name.startswith(f"{SWEEP}@"))
        differs = bool(now) and _fixed(now.get(file.name)) != _fixed(_text(file))
        outdated = differs and not seal.edited
        found.append(Standing(file.name, file, whose, seal.edited, outdated))
    return found


def _fixed(text: str | None) -> str:
    """What doesn't change from shell to shell: all but the search path, and the seal over it."""
    return re.sub(r'^(Environment="PATH=|Written=).*\n', "", text or "", flags=re.MULTILINE)


def _own(workspace: Path, whose: Whose) -> Iterator[tuple[Path, str, unit.Sealed]]:
    """The units that bear a workspace's seal, each with its own part of its name."""
    folder = asking.folder(whose)
    for name in sorted(os.listdir(folder)) if folder.is_dir() else []:
        match, seal = _MINE.fullmatch(name), _seal(folder / name)
        if match and seal and seal.workspace == str(workspace):
            yield folder / name, match["name"], seal


def _texts_or_none(settings: Settings, whose: Whose, *, timer: bool) -> dict[str, str]:
    """Nothing where none could be written now: without a config.toml, or with a bad one; nor by
    us, whose Python may be another."""
    may = whose == "user" or os.geteuid() == 0
    try:
        return texts(settings, whose, timer=timer) if settings.source and may else {}
    except (UsageError, OSError):
        return {}


def _seal(path: Path) -> unit.Sealed | None:
    text = _text(path)
    return unit.read(text) if text is not None else None


def _text(path: Path) -> str | None:
    """None for what is no file of text, a link that masks a unit for one."""
    try:
        return None if path.is_symlink() else path.read_text("utf-8")
    except (OSError, ValueError):
        return None


def _check(settings: Settings, whose: Whose) -> None:
    if settings.source is None:
        raise UsageError("there is no config.toml here for a service to read", "janitor init")
    owner = place.owner_of(settings.workspace)
    if whose == "user" and owner.uid != os.geteuid():
        what = f"the workspace belongs to {owner.name}, whose systemd is not ours"
        raise UsageError(what, f"as {owner.name}: janitor service install --user")
    if whose == "system" and not owner.is_known:
        what = f"the workspace belongs to the number {owner.uid}, which no account here has"
        raise UsageError(what, "chown it, or make an account", str(settings.workspace))
    if whose == "system":
        _check_python(settings, owner)


def _check_python(settings: Settings, owner: place.Account) -> None:
    """Root's own Python may lie where nobody else may enter."""
    command = [sys.executable, "-P", "-c", "import artifact_janitor"]
    account = identity(settings.workspace.stat())
    try:
        done = subprocess.run(command, cwd="/", capture_output=True, check=False, **account)
        why = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        failed = bool(done.returncode)
    except OSError as error:
        failed, why = True, error.strerror or str(error)
    if failed:
        what = f"{owner.name} can't run {sys.executable}: {why}"
        raise UsageError(what, "install the janitor where the owner of the workspace may read it")


def _must_be_ours(path: Path, settings: Settings) -> None:
    if not os.path.lexists(path):
        return
    seal = _seal(path)
    if seal is None or seal.workspace != str(settings.workspace):
        raise Refused("the janitor didn't write this unit", "move it away, then again", str(path))
    if seal.edited:
        hint = f"put your lines in a drop-in (systemctl edit {path.name}), and remove this file"
        raise Refused("this unit was edited since the janitor wrote it", hint, str(path))


def _write(path: Path, text: str) -> bool:
    """Whether anything had to be written: all of it at once, and durable."""
    if _text(path) == text:
        return False
    draft = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, 0o644), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError as error:
        raise JanitorError(f"{path} can't be written: {error.strerror}", "", str(path)) from error
    return True


def _stop(whose: Whose, units: list[Standing]) -> tuple[str, ...]:
    """Stop and remove; a service before its timer would be started again by it."""
    ordered = sorted(units, key=lambda each: each.name.endswith(".service"))
    told = _told(whose, [["disable", "--now", each.name] for each in ordered])
    for each in units:
        try:
            each.file.unlink(missing_ok=True)
        except OSError as error:
            what = f"{each.file} can't be removed: {error.strerror}"
            raise JanitorError(what, "", str(each.file)) from error
    return told


def _told(whose: Whose, commands: list[list[str]]) -> tuple[str, ...]:
    """Tell systemd, or return what a person has to type where it doesn't run."""
    if not asking.runs(whose):
        return tuple(asking.line(whose, words) for words in commands)
    for words in commands:
        asking.tell(whose, words)
    return ()


def _notes(settings: Settings, whose: Whose) -> Iterator[str]:
    """What a person should know of it."""
    owner = place.owner_of(settings.workspace)
    if not place.has_own_units(owner, whose):
        yield (
            f"trainings run in the service itself, to which less is forbidden for that: "
            f"{owner.name}'s systemd doesn't run without a login. To give each training a unit of "
            f"its own: loginctl enable-linger {owner.name}, and install it again"
        )
    if whose == "user" and not owner.lingers:
        yield f"it ends when {owner.name} logs out, but for: loginctl enable-linger {owner.name}"
    if names := place.unheard(os.environ):
        yield f"set here, and not in the service: {', '.join(names)}"
