"""What Git tracks: Git itself is asked, its index is never guessed at."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

_SETTINGS = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false")
"""Root may ask in a user's repository, and no program named by that repository is run."""


_MISUSED = 129
"""What Git exits with where it doesn't know an option."""

PATIENCE = 300.0
"""Seconds that an answer may take: Git waits for ever where its index is a pipe."""


class GitUnknown(Exception):
    """There is a repository, but Git can't say what it tracks."""


def tracked(workspace: Path) -> list[str]:
    """Paths below the workspace that Git tracks, in submodules as well; none where there is no
    repository.

    Raises GitUnknown where there is a repository and Git fails or is missing.
    """
    if not in_repository(workspace):
        return []
    ask = (*_SETTINGS, "-C", os.fspath(workspace), "ls-files", "-z")
    done = _asked(*ask, "--recurse-submodules")
    if done.returncode == _MISUSED:  # before Git 2.11
        done = _asked(*ask)
    if done.returncode:
        raise GitUnknown(_said(done))
    return _names(done)


def naming(workspace: Path, texts: Iterable[str], suffixes: Iterable[str]) -> list[str]:
    """The files of the repository around the workspace that Git tracks, and that hold one of the
    texts: as paths from the workspace (``../conf/a.yaml``), by these endings of their names.

    Git itself reads through them: there may be very many. Raises GitUnknown.
    """
    if os.path.lexists(workspace / ".git") or not in_repository(workspace):
        return []
    asked = [word for text in texts for word in ("-e", text)]
    places = [f":(top,icase)*{each}" for each in sorted(suffixes)]
    how = (*_SETTINGS, "-c", "grep.fullName=false", "-C", os.fspath(workspace))
    search = ("grep", "-z", "-l", "--no-color", "--text", "--fixed-strings")
    done = _asked(*how, *search, *asked, "--", *places, ":(top,icase)*.env.*", ":(exclude).")
    if done.returncode not in (0, 1):
        raise GitUnknown(_said(done))
    return _names(done)


def _names(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def head(workspace: Path) -> str:
    """The commit that is checked out, or "" where there is none, or nobody can tell."""
    if not in_repository(workspace):
        return ""
    try:
        done = _asked(*_SETTINGS, "-C", os.fspath(workspace), "rev-parse", "--verify", "-q", "HEAD")
    except GitUnknown:
        return ""
    return done.stdout.decode("ascii", "replace").strip()


def is_ignored(workspace: Path, path: str) -> bool:
    """Whether Git would leave a path in the workspace alone. Raises GitUnknown."""
    where = ("-C", os.fspath(workspace), "check-ignore", "--quiet", "--", path)
    done = _asked(*_SETTINGS, *where)
    if done.returncode not in (0, 1):
        raise GitUnknown(_said(done))
    return done.returncode == 0


def distrust(workspace: Path) -> str:
    """Why Git refuses this repository to whoever runs us, or "": it belongs to another user.

    We ask with ``safe.directory=*``; a person's own commands fail.
    """
    done = _asked("-C", os.fspath(workspace), "rev-parse", "--git-dir")
    return _said(done) if done.returncode else ""


def command(*args: str) -> list[str]:
    """A Git command that only reads, and starts nothing that a repository names."""
    return ["git", *_SETTINGS, *args]


def _asked(*args: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *args],
            capture_output=True,
            check=False,
            env=environment(),
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise GitUnknown(f"git did not answer within {PATIENCE / 60:.0f} minutes") from None
    except FileNotFoundError:
        raise GitUnknown("there is a Git repository, but no git command") from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return complaint(done.stderr, done.returncode)


def complaint(errors: bytes, code: int) -> str:
    """Why a command failed, in Git's own words."""
    said = errors.decode(errors="replace").strip().splitlines()
    return said[0] if said else f"git exited with {code}"


def in_repository(workspace: Path) -> bool:
    return any(os.path.lexists(folder / ".git") for folder in (workspace, *workspace.parents))


def environment() -> dict[str, str]:
    """Without GIT_DIR and the like, which a hook that runs us would have set; with a person's
    choice of settings, which decide what is ignored."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith("GIT_CONFIG")
    }
    return kept | {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
