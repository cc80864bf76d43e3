"""Real W&B run folders in every state, made by the real client in processes of its own.

Each state is a function that takes the folder of the project, trains there, and returns
the run's folder. A run takes one to three seconds, so `place` makes each state once per
session and hands out copies with times and links kept; a folder takes one copy of a state.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.real.wandb_stub import WandbStub

_TRAIN = """
import os, sys, wandb
mode, saved = sys.argv[1:]
# what it does every 15 s, it does often here, so that no test waits for it
often = wandb.Settings(x_disable_stats=True, x_transaction_log_flush_interval=0.05,
                       ignore_globs=["ignored.*"])
run = wandb.init(project="demo", mode=mode, settings=often)
if saved == "own.txt":
    open(os.path.join(run.dir, saved), "w").close()
elif saved:
    run.save(saved, policy="end")
for step in range(3):
    run.log({"loss": 1 / (step + 1)})
run.log({"text": "x" * 70_000})  # spans three blocks of the log
print("logged " + os.path.dirname(run.dir), flush=True)
order = sys.stdin.readline()
run.log({"late": 1})
if order == "fail\\n":
    sys.exit(3)
run.finish()
"""


# ---------------------------------------------------------------- states


def offline(folder: Path) -> Path:
    """Finished, exit 0, never synced."""
    with _training(folder, "offline") as live:
        return live.finish()


def failed(folder: Path) -> Path:
    """Offline, ended with exit code 3."""
    with _training(folder, "offline") as live:
        live.go_on("fail")
        assert live.process.wait(timeout=60) == 3
        return live.run


def synced(folder: Path) -> Path:
    """Offline, then synced by `wandb sync`; everything arrived."""
    run = offline(folder)
    with WandbStub() as stub:
        sync(run, stub)
    return run


def sync_refused(folder: Path) -> Path:
    """Offline, then synced while every PUT was answered with 403: `.synced` is there."""
    run = offline(folder)
    with WandbStub(refuse=True) as stub:
        sync(run, stub)
    return run


def synced_in_mid_run(folder: Path) -> Path:
    """Synced, and went on after that: `.synced` is older than the log."""
    with _training(folder, "offline") as live, WandbStub() as stub:
        live.settle()
        sync(live.run, stub)
        return live.finish()


def grew_while_syncing(folder: Path) -> Path:
    """Went on while it was being synced: `.synced` is newer, and yet the tail is missing."""
    with _training(folder, "offline") as live, WandbStub(hang=True) as stub:
        live.settle()
        syncing = _wandb_sync(live.run, stub)
        assert stub.waiting.wait(timeout=30)
        run = live.finish()
        stub.release()
        assert syncing.wait(timeout=30) == 0
    return run


def killed(folder: Path) -> Path:
    """Offline, SIGKILL in mid-run: no exit record."""
    with _training(folder, "offline") as live:
        live.settle()
        return live.kill(core=False)


def killed_and_synced(folder: Path) -> Path:
    """Killed, then synced: all that is there arrived, but the run never ended."""
    run = killed(folder)
    with WandbStub() as stub:
        sync(run, stub)
    return run


def online(folder: Path) -> Path:
    """Online, everything arrived."""
    with WandbStub() as stub, _training(folder, "online", stub) as live:
        return live.finish()


def online_saved(folder: Path) -> Path:
    """Online, with a `run.save`d file: a symlink with an absolute target in files/."""
    return _saving("model.txt", folder)


def online_ignored(folder: Path) -> Path:
    """Online, with a `run.save`d file that W&B was told not to upload (`ignore_globs`)."""
    return _saving("ignored.txt", folder)


def online_own(folder: Path) -> Path:
    """Online, with a file that the trainer wrote to `run.dir` itself: W&B leaves it there."""
    return _saving("own.txt", folder)


def _saving(name: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("weights\n")
    with WandbStub() as stub, _training(folder, "online", stub, saved=name) as live:
        return live.finish()


def online_refused(folder: Path) -> Path:
    """Online, exit 0, and every PUT was answered with 403."""
    with WandbStub(refuse=True) as stub, _training(folder, "online", stub) as live:
        return live.finish()


def online_refused_then_synced(folder: Path) -> Path:
    """The rescue of `online_refused`: `wandb sync` when the server accepts again."""
    run = online_refused(folder)
    with WandbStub() as stub:
        sync(run, stub)
    return run


def online_killed(folder: Path) -> Path:
    """Online, SIGKILL in mid-run: no exit record."""
    with WandbStub() as stub, _training(folder, "online", stub) as live:
        live.settle()
        return live.kill(core=False)


def online_hung(folder: Path) -> Path:
    """Online, killed while it hung in finish(): an exit record, but the files are here."""
    with WandbStub(hang=True) as stub, _training(folder, "online", stub) as live:
        live.go_on()
        assert stub.waiting.wait(timeout=30)
        live.settle()
        return live.kill()


# ---------------------------------------------------------------- live runs


@dataclass(slots=True)
class Live:
    """A run that goes on: it has logged something and waits for an order."""

    process: subprocess.Popen[str]
    run: Path

    @property
    def core(self) -> list[int]:
        """The pids of wandb-core, which holds the log open."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for children in threads for pid in children.read_text().split()]

    def settle(self) -> None:
        """Wait until all that it logged so far is on the disk."""
        log = next(self.run.glob("run-*.wandb"))
        before = -1
        while before < log.stat().st_size:  # nothing came in several of its intervals
            before = log.stat().st_size
            time.sleep(0.3)

    def go_on(self, order: str = "finish") -> None:
        """Let it log once more and end; don't wait for that."""
        assert self.process.stdin is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()

    def finish(self) -> Path:
        """Let it log once more and end in peace."""
        self.go_on()
        assert self.process.wait(timeout=60) == 0
        return self.run

    def kill(self, *, core: bool = True) -> Path:
        """SIGKILL the trainer and, as the end of a container does, wandb-core with it.

        Without `core` it is left to notice by itself, as it does when only the trainer dies.
        """
        pids = self.core if self.process.poll() is None else []
        self.process.kill()
        for pid in pids if core else ():
            os.kill(pid, signal.SIGKILL)
        self.process.wait(timeout=60)
        _wait_until(lambda: not any(map(_alive, pids)))
        return self.run


@contextmanager
def live(folder: Path) -> Iterator[Live]:
    """An offline run that is still going on; it is killed at the end of the block."""
    with _training(folder, "offline") as run:
        yield run


@contextmanager
def _training(
    folder: Path, mode: str, stub: WandbStub | None = None, saved: str = ""
) -> Iterator[Live]:
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", _TRAIN, mode, saved],
        cwd=folder,
        env=environ(stub),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        run = Live(process, _announced(process))
        try:
            yield run
        finally:
            run.kill()


def _announced(process: subprocess.Popen[str]) -> Path:
    """The run's folder, which the trainer prints when it has logged something."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("logged "):
            return Path(line.removeprefix("logged ").rstrip("\n"))
    raise AssertionError(f"the run ended with {process.wait()} before it logged anything")


def _alive(pid: int) -> bool:
    """Whether it runs; a zombie that nobody reaps here has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wait_until(done: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


# ---------------------------------------------------------------- the client


def sync(run: Path, stub: WandbStub) -> None:
    """`wandb sync RUN`, typed in the folder of the project; it ends with 0 even when refused."""
    assert _wandb_sync(run, stub).wait(timeout=60) == 0


def _wandb_sync(run: Path, stub: WandbStub) -> subprocess.Popen[bytes]:
    project = run.parent.parent
    command = ["sync", "--include-online", "--include-synced", str(run.relative_to(project))]
    return subprocess.Popen(
        [sys.executable, "-m", "wandb", *command],
        cwd=project,
        env=environ(stub),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def environ(stub: WandbStub | None = None) -> dict[str, str]:
    """This environment without W&B's settings, and with a home of its own."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("WANDB_")}
    home = f"{_shelf().name}/home"
    os.makedirs(f"{home}/tmp", exist_ok=True)
    own = {
        "HOME": home,
        "TMPDIR": f"{home}/tmp",  # where a killed wandb-core leaves its socket
        "WANDB_CACHE_DIR": f"{home}/cache",
        "WANDB_CONFIG_DIR": f"{home}/config",
        "WANDB_DATA_DIR": f"{home}/share",
        "WANDB_ERROR_REPORTING": "false",
    }
    return kept | own | (stub.environ if stub else {})


@cache
def _shelf() -> tempfile.TemporaryDirectory[str]:
    """For what the session shares; it goes with the session."""
    return tempfile.TemporaryDirectory(prefix="wandb-shelf-")


# ---------------------------------------------------------------- copies, and time


@cache
def _template(state: Callable[[Path], Path]) -> Path:
    return state(Path(_shelf().name, state.__name__))


def place(state: Callable[[Path], Path], folder: Path) -> Path:
    """A copy of the state's run, with all that W&B left beside it, in folder/wandb.

    Times and links are kept, as by ``cp -a``. What links into the run, and its log of
    `wandb sync`, are copied too. A second state in the same folder adds to the first,
    and takes over ``latest-run``, as a newer run does.
    """
    template = _template(state)
    target = folder / "wandb"
    for link in target.glob("*"):
        if link.is_symlink():
            link.unlink()
    shutil.copytree(template.parent, target, symlinks=True, dirs_exist_ok=True)
    return target / template.name


def backdate(path: Path, days: float) -> None:
    """Shift every mtime in the tree into the past: the order between them stays."""
    shift = int(days * 86_400 * 1e9)
    below = (Path(top, name) for top, *both in os.walk(path) for names in both for name in names)
    for each in [*below, path]:
        status = os.lstat(each)
        times = (status.st_atime_ns - shift, status.st_mtime_ns - shift)
        os.utime(each, ns=times, follow_symlinks=False)
