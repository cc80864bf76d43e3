"""Small workspaces within a second: copies of one run that real Hydra made, W&B runs likewise,
and the ``janitor`` command in a fork of this process, which spares it its start.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from artifact_janitor.cli.app import COMMANDS, function_of
from artifact_janitor.cli.main import answer
from artifact_janitor.config import Settings, load
from artifact_janitor.core.slimming import SLIMMABLE
from artifact_janitor.execution import Options
from artifact_janitor.journal import Journal, open_journal
from artifact_janitor.looking import Look, look
from artifact_janitor.state import State
from artifact_janitor.sweep import Report, mend, run
from tests.real import hydra_runs, training, wandb_runs
from tests.real.account import Account, clean_environment
from tests.real.command import Answer
from tests.real.snapshot import Snapshot

KINDS = ("hydra-run", "wandb-run", "training-run", "checkpoint", "log", "cache")
CONFIG = "".join(f'[[policy]]\nkind = "{kind}"\nkeep_within = "7d"\n\n' for kind in KINDS)
FREE = CONFIG + "[safety]\nmax_share = 1.0\n"
"""What is older than a week goes, and no share of a kind is too much."""
PURGING = FREE + 'trash_keep = "0s"\n'
"""The same, and what is in the trash leaves it with the next sweep."""
SLIMMING = "".join(
    f'[[policy]]\nkind = "{kind}"\nkeep_within = "7d"\nthen = "slim"\n\n' for kind in SLIMMABLE
)
SLIMMING += "[safety]\nmax_share = 1.0\n"
"""Runs older than a week lose their bulk."""
EPOCHS = tuple(f"model_epoch_{epoch}.pt" for epoch in (1, 2, 9, 10))


for _name in COMMANDS:  # imported once here, not in each fork
    function_of(_name)


@cache
def _shelf() -> tempfile.TemporaryDirectory[str]:
    """For what the session shares; it goes with the session."""
    return tempfile.TemporaryDirectory(prefix="small-shelf-")


@cache
def hydra_run() -> Path:
    """A run of the real program, made by real Hydra."""
    project = Path(_shelf().name, "project")
    hydra_runs.write_program(project)
    return hydra_runs.run(project, "outputs/template")


@cache
def training_run() -> Path:
    """A best model and four epochs, saved by real torch."""
    run = Path(_shelf().name, "training")
    training.torch_run(run, [*EPOCHS, "best_model.pt"])
    return run


@dataclass(frozen=True)
class Small:
    """A workspace at `root`; paths are relative to it."""

    root: Path

    # -- building

    def configure(self, text: str = FREE) -> None:
        (self.root / "config.toml").write_text(text)

    def hydra(self, days: float, path: str = "") -> str:
        """A Hydra run that ended `days` ago."""
        when = datetime.now() - timedelta(days=days)
        path = path or f"outputs/{when:%Y-%m-%d/%H-%M-%S}"
        shutil.copytree(hydra_run(), self.root / path)
        wandb_runs.backdate(self.root / path, days)
        return path

    def training(self, days: float, path: str = "training/runs/a") -> list[str]:
        """A training run that ended `days` ago; the three checkpoints that are its bulk."""
        shutil.copytree(training_run(), self.root / path)
        wandb_runs.backdate(self.root / path, days)
        return [f"{path}/{name}" for name in EPOCHS[:3]]

    def wandb(self, days: float) -> str:
        """A W&B run that was synced in full `days` ago, with the links that W&B left.

        Not with the log of the command that synced it, which is a unit of its own.
        """
        run = wandb_runs.place(wandb_runs.synced, self.root)
        for log in run.parent.glob("debug-cli.*.log"):
            log.unlink()
        wandb_runs.backdate(self.root / "wandb", days)
        return f"wandb/{run.name}"

    def write(self, path: str, content: str | bytes = "text\n", days: float = 0) -> Path:
        """A file; a negative age is in the future."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        moment = time.time() - days * 86_400
        os.utime(file, (moment, moment))
        return file

    def handed_to(self, uid: int) -> None:
        """All of it belongs to this user, who may enter it."""
        self._may_be_entered()
        Account(uid, sys.executable).owns(self.root)

    def _may_be_entered(self) -> None:
        """Another pytest that starts meanwhile closes the folder that all share."""
        for folder in (self.root, *self.root.parents):
            if not folder.stat().st_mode & 0o001:
                folder.chmod(0o711)

    # -- the command

    def janitor(self, *args: str, **how: object) -> Answer:
        """``janitor ARGS --json``, in the workspace."""
        return self.start(*args, "--json", **how).answer()  # type: ignore[arg-type]

    def said(self, *args: str) -> str:
        """What the command prints for a person where no terminal is."""
        process = self.start(*args)
        process.wait()
        return process.output.read_text(errors="surrogateescape")

    def start(
        self,
        *args: str,
        uid: int | None = None,
        traced: bool = False,
        env: Iterable[tuple[str, str]] = (),
        first: Callable[[], None] = lambda: None,
    ) -> Running:
        """Begin a command in a fork; `first` is called in it, `traced` waits for a tracer."""
        place = Path(tempfile.mkdtemp(dir=_shelf().name))
        if uid is not None:
            self._may_be_entered()
        pid = os.fork()
        if pid:
            return Running(pid, place / "out", place / "err")
        code = 99  # the fork fell over, which no test expects
        try:
            _redirect(place)
            os.chdir(self.root)
            os.environ.clear()
            os.environ.update({**clean_environment(place), **dict(env)})
            if uid is not None:
                _warm_up()
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            first()
            while traced and not _is_traced():
                time.sleep(0.002)
            code = answer(args)
        except BaseException:  # noqa: BLE001 - nothing may get out of the fork
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    # -- the same as calls

    @property
    def settings(self) -> Settings:
        return load(None, {}, self.root)

    def look(self) -> Look:
        return look(self.settings, time.time_ns())

    def run(self, seen: Look | None = None, **how: object) -> Report:
        """A whole sweep, or the rest of one: what happens after the plan was made."""
        recovered = mend(self.settings)
        stop = how.pop("stop", lambda: False)
        options = Options(**how)  # type: ignore[arg-type]
        return run(self.settings, seen or self.look(), options, recovered, stop=stop)  # type: ignore[arg-type]

    def journal(self) -> Journal:
        """For tests that look into it, or edit it as a stand-in for time or for damage."""
        State(self.root).prepare()
        journal = open_journal(State(self.root).journal, create=True)
        assert journal is not None
        return journal

    # -- what there is

    def there(self, *paths: str) -> bool:
        return all(os.path.lexists(self.root / path) for path in paths)

    def trash(self) -> list[str]:
        """Everything in the trash that is no folder, and its empty folders."""
        return [
            os.path.relpath(os.path.join(folder, name), top)
            for top in self.root.glob("**/.janitor/trash")
            for folder, folders, files in os.walk(top)
            for name in [*files, *(each for each in folders if _is_leaf(folder, each))]
        ]

    def leftovers(self) -> list[str]:
        """What lies in the janitor's folder beyond its journal, lock and trash."""
        known = {".gitignore", "journal.db", "journal.db-wal", "journal.db-shm", "lock"}
        known |= {"handover.lock", "daemon.lock"}
        own, folders = self.root / ".janitor", {"trash", "leaving", "sweeps", "reserve"}
        if not own.exists():
            return []
        found = [name for name in os.listdir(own) if name not in known | folders]
        inside = [path for name in ("leaving", "sweeps") for path in (own / name).glob("*")]
        return found + [str(path.relative_to(own)) for path in inside]


def _is_leaf(folder: str, name: str) -> bool:
    path = os.path.join(folder, name)
    return os.path.islink(path) or not os.listdir(path)


@dataclass(frozen=True)
class Running:
    """A command in a fork."""

    pid: int
    output: Path
    errors: Path

    def wait(self) -> int:
        """Its exit code; minus the signal's number where one ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def answer(self) -> Answer:
        code = self.wait()
        try:
            said = json.loads(self.output.read_text("ascii"))
        except ValueError:
            said = {}
        return Answer(code, said, self.errors.read_text(errors="backslashreplace"))


def small(root: Path, config: str = FREE) -> Small:
    """A new workspace in a folder that exists."""
    found = Small(root)
    found.configure(config)
    return found


def still(seen: Snapshot) -> Snapshot:
    """Without the mtimes of folders, and without the configuration, which tests change."""
    return {
        path: mark._replace(mtime_ns=0) if mark.type == "d" else mark
        for path, mark in seen.items()
        if path != b"config.toml"
    }


def done(answer: Answer) -> set[str]:
    """The paths of the steps that were carried out."""
    return {row["path"] for row in answer.rows("steps") if row["outcome"] == "done"}


def why(answer: Answer, path: str) -> str:
    """All that a plan or report says of one path."""
    rows = [row for row in answer.rows("steps", "kept") if row["path"] == path]
    return " · ".join(
        part for row in rows for part in (*row["reasons"], row.get("why", "")) if part
    )


def _redirect(place: Path) -> None:
    for fd, path in ((0, os.devnull), (1, place / "out"), (2, place / "err")):
        flags = os.O_RDONLY if fd == 0 else os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(path, flags, 0o666), fd)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def _warm_up() -> None:
    """Import all that is imported late: another user may not be able to read it any more."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        for args in (["plan"], ["plan", "--json"], ["no such command"]):
            answer(args)


def _is_traced() -> bool:
    return "TracerPid:\t0\n" not in Path("/proc/self/status").read_text()
