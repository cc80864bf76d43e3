"""A workspace as nasty as real ones are, made by the real tools, and what must become of it.

`build` makes it, hazard by hazard; each hazard (see ``hazards/``) says of each unit that it
makes whether the unit must stay or go under the most aggressive policies that are legal
(`CONFIG`). `Nasty.handed_to` then gives it to an account and starts what is alive in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from tests.real import hydra_runs
from tests.real.account import Account, clean_environment

KINDS = (
    *("hydra-run", "hydra-sweep", "wandb-run", "training-run", "checkpoint", "log"),
    *("cache", "study", "milestone"),
)
CONFIG = (
    "".join(f'[[policy]]\nkind = "{kind}"\nkeep_last = 1\nthen = "trash"\n\n' for kind in KINDS)
    + "[safety]\nmax_share = 1.0\n"
)
NO_GRACE = CONFIG + 'grace = "1s"\n'
"""The same, but a file's age protects nothing: what lives must be seen by other signs."""
DAY = 24 * 3600 * 10**9

Outcome = Literal["goes", "stays", "kept by rule"]


@dataclass(frozen=True)
class Fate:
    """What must become of one path, and why. `path` is relative to the workspace."""

    path: str
    kind: str
    outcome: Outcome
    why: str
    root_only: bool = False
    """It goes only where root tidies up; an ordinary user can't know enough of it."""


@dataclass
class Nasty:
    """The workspace while it is built, and afterwards the record of what it holds."""

    root: Path
    fates: list[Fate] = field(default_factory=list)
    tracked: list[str] = field(default_factory=list)
    """Paths that Git tracks, ignored or not."""
    live: list[Callable[[Nasty], subprocess.Popen[bytes] | None]] = field(default_factory=list)
    """What happens once the account is known: programs that start, files that change hands."""
    volatile: set[str] = field(default_factory=set)
    """Paths in which a live program goes on writing; in them only names are compared."""
    along: set[str] = field(default_factory=set)
    """Links that go and come back with the run that they name."""
    who: Account | None = None
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _now: datetime = field(default_factory=datetime.now)
    _dated: set[str] = field(default_factory=set)

    # -- what hazards say ------------------------------------------------------------

    def goes(self, path: str, kind: str, why: str, *, root_only: bool = False) -> None:
        self.fates.append(Fate(path, kind, "goes", why, root_only))

    def stays(self, path: str, kind: str, why: str) -> None:
        self.fates.append(Fate(path, kind, "stays", why))

    def kept(self, path: str, kind: str, why: str) -> None:
        self.fates.append(Fate(path, kind, "kept by rule", why))

    # -- what hazards build with -----------------------------------------------------

    def dated(self, folder: str, days: float) -> str:
        """A new ``folder/YYYY-MM-DD/HH-MM-SS`` as Hydra names a run of `days` ago."""
        day = self._now - timedelta(days=days)
        path = f"{folder}/{day:%Y-%m-%d/%H-%M-%S}"
        if path in self._dated:
            raise ValueError(f"two hazards want {folder} of {days} days ago; choose another day")
        self._dated.add(path)
        return path

    def hydra(self, days: float, *overrides: str, end: str = "well", to: str = "outputs") -> str:
        """A real Hydra run; call `backdate` when the folder is as it shall be."""
        run = self.dated(to, days)
        hydra_runs.run(self.root, run, *overrides, end=end)
        return run

    def old_hydra(self, days: float, *overrides: str, end: str = "well") -> str:
        """A real Hydra run that ended `days` ago."""
        run = self.hydra(days, *overrides, end=end)
        self.backdate(run, days)
        return run

    def write(self, path: str, content: str | bytes = "text\n") -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def backdate(self, path: str, days: float) -> None:
        """Shift the mtimes of all names at and below `path`, links themselves included."""
        for name in self.names(path):
            mtime = os.lstat(name).st_mtime_ns - int(days * DAY)
            os.utime(name, ns=(mtime, mtime), follow_symlinks=False)

    def names(self, path: str) -> Iterator[str]:
        """All names at and below `path`."""
        top = str(self.root / path)
        yield top
        if os.path.isdir(top):
            for folder, folders, files in os.walk(top):
                yield from (os.path.join(folder, name) for name in folders + files)

    # -- what must become of it ------------------------------------------------------

    @property
    def protected(self) -> dict[str, str]:
        """Path → why it must stay, for the account that the workspace belongs to."""
        return {each.path: each.why for each in self.fates if self._outcome(each) == "stays"}

    @property
    def eligible(self) -> set[str]:
        """The paths that must go."""
        return {each.path for each in self.fates if self._outcome(each) == "goes"}

    @property
    def kept_by_rule(self) -> set[str]:
        """The paths that ``keep_last = 1`` keeps."""
        return {each.path for each in self.fates if each.outcome == "kept by rule"}

    def _outcome(self, fate: Fate) -> Outcome:
        assert self.who is not None, "what must stay depends on who tidies up: handed_to()"
        return "stays" if fate.root_only and not self.who.is_root else fate.outcome

    # -- whose it is -----------------------------------------------------------------

    def handed_to(self, who: Account) -> None:
        """Give all files to the account, then let its programs run."""
        self.who = who
        who.owns(self.root)
        for start in self.live:
            process = start(self)
            if process is not None:
                self.processes.append(process)

    def copy(self) -> Nasty:
        """The record for one more copy of the files, which lives a life of its own."""
        return replace(self, fates=[*self.fates], volatile={*self.volatile}, processes=[])

    def stop(self) -> None:
        """End what `handed_to` started; closing stdin is the sign for most of it."""
        for process in self.processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in self.processes:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def git(self, *args: str) -> None:
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        env = {**clean_environment(self.root.parent), "GIT_CONFIG_GLOBAL": os.devnull}
        subprocess.run(["git", *identity, *args], cwd=self.root, env=env, check=True)


HandOut = Callable[[Account], AbstractContextManager[Nasty]]
"""Gives a fresh workspace to an account; at the end of the block all in it is stopped."""


def build(root: Path) -> Nasty:
    """Make the whole workspace at `root`, which must not exist; takes a quarter of a minute."""
    from tests.real import hazards

    root.mkdir(parents=True)
    nasty = Nasty(root)
    hydra_runs.write_program(root)
    nasty.write("config.toml", CONFIG)
    nasty.write("no_grace.toml", NO_GRACE)
    nasty.git("init", "--quiet")
    with ThreadPoolExecutor(4) as several:
        for made in [several.submit(hazard, nasty) for hazard in hazards.ALL]:
            made.result()
    nasty.git("add", "--force", "train.py", "config", *nasty.tracked)
    nasty.git("commit", "--quiet", "--message=Where we are")
    return nasty


def put_back(pristine: Path, root: Path) -> None:
    """A fresh, faithful copy of a built workspace, in the place where it was built.

    The same place, because Hydra, W&B and trainers wrote it into their files.
    """
    remove(root)
    subprocess.run(["cp", "--archive", pristine, root], check=True)


def remove(root: Path) -> None:
    """All of it, even what its owner may not read."""
    if root.exists():
        subprocess.run(["chmod", "--recursive", "u+rwX", root], check=True)
        shutil.rmtree(root)
