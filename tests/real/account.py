"""Who does something: the account that owns a workspace and runs programs in it.

Tests that run as root repeat themselves as an ordinary user. That user needs an
interpreter: the one of the virtual environment may lie in a home that only root can
enter, so a system interpreter of the same version, shown the same packages, stands in.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ORDINARY = 12345
"""A uid that nobody on the machine has: no home, no groups, no rights."""
SOURCE = Path(__file__).parents[2] / "src"
PACKAGES = sysconfig.get_path("purelib")


class NoInterpreter(RuntimeError):
    """No Python that this account may run sees our packages."""


@dataclass(frozen=True)
class Account:
    """One user, with the Python to run and the environment to run it in."""

    uid: int
    python: str
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_root(self) -> bool:
        return self.uid == 0

    def popen(self, args: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a program as this user; the caller ends it."""
        return subprocess.Popen(args, **self._identity(), **{"env": self.env, **options})

    def run(self, args: Sequence[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        """Run a program as this user to its end."""
        options = {"env": self.env, "timeout": 120, **options}
        return subprocess.run(args, capture_output=True, **self._identity(), **options)

    def owns(self, root: Path) -> None:
        """Give the tree to this user, links themselves and not what they name."""
        for folder, names, files in os.walk(root):
            for name in ["", *names, *files]:
                os.lchown(os.path.join(folder, name).rstrip("/"), self.uid, self.uid)

    def _identity(self) -> dict[str, Any]:
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.uid, "extra_groups": []}


def account(uid: int, home: Path) -> Account:
    """The account `uid`, with `home` as its home; raises NoInterpreter."""
    env = clean_environment(home)
    for python in (sys.executable, f"/usr/bin/python{sysconfig.get_python_version()}"):
        shown = env if python == sys.executable else {**env, "PYTHONPATH": f"{SOURCE}:{PACKAGES}"}
        who = Account(uid, python, shown)
        if _can_import(who):
            return who
    raise NoInterpreter(f"uid {uid} may run no Python {sysconfig.get_python_version()} here")


def myself(home: Path) -> Account:
    """Whoever runs the tests, in a clean environment."""
    return Account(os.geteuid(), sys.executable, clean_environment(home))


def clean_environment(home: Path) -> dict[str, str]:
    """Ours without what would steer the janitor, Git, W&B or Hydra, and with its own home."""
    steering = ("JANITOR_", "GIT_", "WANDB_", "HYDRA_", "XDG_", "PYTHON", "COV_", "NO_COLOR")
    env = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
    return {**env, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


def _can_import(who: Account) -> bool:
    try:
        found = who.run([who.python, "-c", "import artifact_janitor, hydra"], cwd="/")
    except OSError:
        return False
    return found.returncode == 0
