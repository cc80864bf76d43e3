"""What has to stand in the units of a workspace: its account, its folders, this Python."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import artifact_janitor
from artifact_janitor.config import Settings
from artifact_janitor.executors.local import OURS, UNITS
from artifact_janitor.service.unit import escaped, quoted

Whose = Literal["system", "user"]
"""The machine's systemd, or the one of our account."""

LINGERING = Path("/var/lib/systemd/linger")
"""Holds a file for each account whose systemd runs from boot on: see loginctl(1)."""
PRIVATE = ("/tmp", "/var/tmp")
"""What PrivateTmp= hides."""
NEEDED_BY_ROOT = "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_LEASE CAP_SYS_PTRACE"
"""Without these root can't look into root's own trainings, nor give the owner what it makes."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who owns a workspace."""

    uid: int
    name: str
    is_known: bool = True
    """Whether an account of this machine has the number."""

    @property
    def lingers(self) -> bool:
        """Whether its systemd runs without a login, so that it can be given trainings."""
        return (LINGERING / self.name).exists()


def owner_of(workspace: Path) -> Account:
    uid = workspace.stat().st_uid
    try:
        return Account(uid, pwd.getpwuid(uid).pw_name)
    except KeyError:
        return Account(uid, str(uid), is_known=False)


def writable(settings: Settings) -> list[str]:
    """The folders that the janitor may write to, absolute and real, none inside another.

    The workspace is one of them, as a whole: the trash and the roots must lie on one mount, or
    nothing could be renamed; caches lie anywhere in it, and ``.gitignore`` and MLflow's database
    are replaced or have journals beside them. The others are what leads out of it by a link or
    by name: roots, results, archives. Studies are only ever read.
    """
    base, folders = settings.workspace, settings.folders
    written = [
        *(folder for folder, key in folders.roots.items() if key != "hpo_studies"),
        *folders.hpo_results,
        settings.archive.store,
    ]
    databases = (os.path.dirname(os.path.realpath(base / each)) for each in folders.mlflow_db)
    found = [os.path.realpath(base / each) for each in written]
    return _outermost([os.path.realpath(base), *found, *databases])


def _outermost(paths: Iterable[str]) -> list[str]:
    """Without those that lie in another, in their order."""
    found = [*dict.fromkeys(paths)]
    return [
        each for each in found if not any(_within(each, other) for other in found if other != each)
    ]


def _within(path: str, folder: str) -> bool:
    return os.path.commonpath((path, folder)) == folder


def has_own_units(owner: Account, whose: Whose) -> bool:
    """Whether trainings can run in units of their own: root's, or of the account's systemd."""
    return whose == "user" or owner.uid == 0 or owner.lingers


def values(
    settings: Settings, owner: Account, whose: Whose, words: Iterable[str]
) -> dict[str, list[str]]:
    """The settings of a unit that differ from workspace to workspace; `words` is the command.

    Raises UsageError where a path can't be said to systemd.
    """
    base, places = str(settings.workspace), writable(settings)
    needed = [*places, *_code()]
    found = {
        "Description": [f"Artifact Janitor ({escaped(base)})"],  # no backslash at the end
        "RequiresMountsFor": [" ".join(map(quoted, dict.fromkeys(needed)))],
        "ExecStart": [" ".join(map(quoted, command(settings, words)))],
        "Environment": _environment(owner, whose, os.environ),
        "ReadWritePaths": [" ".join(quoted(each, "-") for each in places)],
        "ReadOnlyPaths": [quoted(f"{base}/.git", "-")],
    }
    found["ExecStart"] = [found["ExecStart"][0].replace('"', '":', 1)]  # "$" is a "$"
    if whose == "system":
        found["User"] = [escaped(owner.name)]
        found["CapabilityBoundingSet"] = [NEEDED_BY_ROOT if owner.uid == 0 else ""]
    if any(_within(each, hidden) for each in needed for hidden in PRIVATE):
        found["PrivateTmp"] = []
    return found


def command(settings: Settings, words: Iterable[str]) -> list[str]:
    """This janitor, on this workspace; nothing is imported from where it is started."""
    assert settings.source is not None
    source = str(settings.workspace / settings.source.name)
    return [sys.executable, "-P", "-m", "artifact_janitor", *words, "--config", source]


def _code() -> list[str]:
    """Where this Python and this package lie."""
    package = os.path.dirname(os.path.realpath(artifact_janitor.__file__))
    return [os.path.realpath(sys.prefix), os.path.realpath(sys.base_prefix), package]


def _environment(owner: Account, whose: Whose, environ: Mapping[str, str]) -> list[str]:
    """The search path of whoever installs it, by which `command = ["python", …]` of a training is
    found; and whose systemd trainings are given to, which is the account's own, or root's."""
    entries = [each for each in environ.get("PATH", "").split(":") if each.startswith("/")]
    found = {"PATH": ":".join(entries)} if entries else {}
    if has_own_units(owner, whose):
        found[UNITS] = "system" if whose == "system" and owner.uid == 0 else "user"
        if (whose, found[UNITS]) == ("system", "user"):
            found["XDG_RUNTIME_DIR"] = f"/run/user/{owner.uid}"
    return [quoted(value, f"{name}=") for name, value in sorted(found.items())]


def unheard(environ: Mapping[str, str]) -> list[str]:
    """Variables that steer the janitor here, and won't in its service."""
    return sorted(name for name in environ if name.startswith(OURS))
