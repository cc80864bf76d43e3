"""What Git tracks: Git itself is asked, its index is never guessed at."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_SETTINGS = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false")
"""Root may ask in a user's repository, and no program named by that repository is run."""


class GitUnknown(Exception):
    """There is a repository, but Git can't say what it tracks."""


def tracked(workspace: Path) -> list[str]:
    """Paths below the workspace that Git tracks; none where there is no repository.

    Raises GitUnknown where there is a repository and Git fails or is missing.
    """
    if not _in_repository(workspace):
        return []
    try:
        done = subprocess.run(
            ["git", *_SETTINGS, "-C", os.fspath(workspace), "ls-files", "-z"],
            capture_output=True,
            check=True,
            env=_environment(),
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise GitUnknown("there is a Git repository, but no git command") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise GitUnknown(said[0] if said else f"git exited with {error.returncode}") from None
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def _in_repository(workspace: Path) -> bool:
    return any(os.path.lexists(folder / ".git") for folder in (workspace, *workspace.parents))


def _environment() -> dict[str, str]:
    """Without GIT_DIR and the like, which a hook that runs us would have set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
