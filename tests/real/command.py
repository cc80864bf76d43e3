"""Drive the ``janitor`` command as a person or a program does: as a subprocess."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.real.account import Account


@dataclass(frozen=True)
class Answer:
    """What the command said. ``said`` is the whole JSON object; {} where there was none."""

    code: int
    said: dict[str, Any]
    stderr: str

    @property
    def facts(self) -> dict[str, Any]:
        """The object's ``data``."""
        found: dict[str, Any] = self.said.get("data") or {}
        return found

    def rows(self, *lists: str) -> list[dict[str, Any]]:
        return [row for name in lists for row in self.facts.get(name, ())]

    def __str__(self) -> str:
        """For a failed assertion: what a person needs to see first."""
        return f"exit {self.code}, errors {self.said.get('errors')}\n{self.stderr[-3000:]}"


def janitor(who: Account, root: Path, *args: str, config: str = "config.toml") -> Answer:
    """``janitor ARGS --json`` on the workspace, by this account."""
    done = who.run(line(who, root, *args, config=config), cwd=root)
    try:
        said = json.loads(done.stdout.decode("ascii"))
    except ValueError:
        said = {}
    return Answer(done.returncode, said, done.stderr.decode(errors="backslashreplace"))


def line(who: Account, root: Path, *args: str, config: str = "config.toml") -> list[str]:
    """The command line that `janitor` runs."""
    return [who.python, "-m", "artifact_janitor", "--config", str(root / config), *args, "--json"]
