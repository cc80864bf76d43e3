"""Make a job's folder, and submit it: what to train, a private copy of the study, a place for
what comes of it. The last file makes it a job; a folder without it was never begun.
"""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from artifact_janitor.apply import trash
from artifact_janitor.apply.ground import Ground
from artifact_janitor.core.jobs import ADOPTED, Job
from artifact_janitor.core.study import Trial
from artifact_janitor.core.trainer import Retrain
from artifact_janitor.core.wanted import seed_of
from artifact_janitor.errors import StepFailed
from artifact_janitor.executors import EXIT, OUT, REQUEST, RESULT, Executor, Spec
from artifact_janitor.regular import open_regular
from artifact_janitor.state import STATE, no_link
from artifact_janitor.units import SECOND

JOBS = f"{STATE}/jobs"
"""The folder of all jobs, in the workspace."""
SCHEMA = 1
_CLONE = 0x40049409
"""The ioctl that lets two files share their blocks: FICLONE."""
_PYTHONS = ("python", "python3")
_CALLED = """
import importlib, json, os, sys
name, request, out = sys.argv[1:]
sys.argv[1:] = ["--request", request, "--out", out]
module, _, path = name.partition(":")
found = importlib.import_module(module)
for part in path.split("."):
    found = getattr(found, part)
with open(request, encoding="ascii") as file:
    said = found(json.load(file), out)
result = os.path.join(out, "result.json")
if isinstance(said, dict) and not os.path.lexists(result):
    with open(result, "w", encoding="utf-8") as file:
        json.dump(said, file)
"""
"""Calls a function of the user's in a Python of the user's, which need not know us."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done for a job. `snapshot` writes the private copy of the study to a path
    that doesn't exist yet; `adopts` is the trial's own model file, absolute."""

    job: Job
    trial: Trial
    directions: Sequence[str]
    row: Retrain
    snapshot: Callable[[Path], None]
    objective: tuple[int, str]
    """Which value counts, from 1 on, and what it is called."""
    suffix: str = ".db"
    """Of the copy: ".log" where the study is a journal."""
    adopts: Path | None = None


def submit(ground: Ground, executor: Executor, order: Order, now: int) -> None:
    """Begin a job that the journal knows. Raises StepSkipped and StepFailed."""
    folder = folder_of(ground.workspace, order.job.token)
    no_link(folder.parent)
    if (handle := executor.find(order.job.token)) is not None:
        executor.resume(handle)
        return
    discard(ground, order.job.token)
    try:
        _prepare(ground, folder, order, now)
        executor.submit(_spec(ground.workspace, folder, order))
    except OSError as error:
        raise StepFailed(f"the job can't be prepared: {error.strerror or error}") from error


def discard(ground: Ground, token: str) -> None:
    """Remove a folder that never became a job."""
    path = f"{JOBS}/{token}"
    if ground.has(path):
        trash.remove(ground, path)


def folder_of(workspace: Path, token: str) -> Path:
    return workspace / JOBS / token


def snapshot_of(workspace: Path, token: str) -> Path:
    """The private copy of its study that a job was given."""
    found = folder_of(workspace, token).glob("snapshot.*")
    names = sorted(each for each in found if each.suffix in (".db", ".log"))
    return names[0] if names else folder_of(workspace, token) / "snapshot.db"


def _prepare(ground: Ground, folder: Path, order: Order, now: int) -> None:
    with ground.folder(f"{JOBS}/{order.job.token}/{OUT}", make=True):
        pass
    with ground.folder(f"{JOBS}/{order.job.token}") as fd:
        copy = folder / f"snapshot{order.suffix}"
        order.snapshot(copy)
        _durable(fd, copy.name)
        _write(fd, REQUEST, _request(folder, copy, order, now))
        if order.adopts:
            with ground.folder(f"{JOBS}/{order.job.token}/{OUT}") as out:
                _adopt(out, order)
            ended = datetime.fromtimestamp(now / SECOND, UTC).isoformat()
            word = {"code": 0, "signal": None, "ended": ended, "reason": "exit", "why": ""}
            _write(fd, EXIT, word)
        os.fsync(fd)


def _spec(workspace: Path, folder: Path, order: Order) -> Spec:
    words = [] if order.adopts else argv(order.row, folder / REQUEST, folder / OUT)
    return Spec(order.job.token, folder, words, workspace, order.row.deadline / SECOND)


def argv(row: Retrain, request: Path, out: Path) -> list[str]:
    """The command's words with what they stand for, or a call of the function."""
    if not row.command:
        return [*python_of(row), "-c", _CALLED, row.function or "", str(request), str(out)]
    known = {"{request}": str(request), "{out}": str(out)}
    words = [re.sub(r"\{request\}|\{out\}", lambda m: known[m[0]], each) for each in row.command]
    if row.python and words[0] in _PYTHONS:
        words[0] = row.python
    return words


def python_of(row: Retrain) -> tuple[str, ...]:
    """The user's Python: the one that is configured, or that their PATH knows."""
    return (row.python or next(filter(shutil.which, _PYTHONS), _PYTHONS[-1]),)


def _request(folder: Path, copy: Path, order: Order, now: int) -> dict[str, object]:
    job, trial = order.job, order.trial
    end = datetime.fromtimestamp((now + order.row.deadline) / SECOND, UTC)
    return {
        "schema": SCHEMA,
        "key": job.key,
        "study": job.study,
        "study_path": job.path,
        "model_type": job.model_type,
        "directions": [*order.directions],
        "objective": {"number": order.objective[0], "name": order.objective[1]},
        "mode": job.mode,
        "trial": {
            "number": trial.number,
            "values": [*trial.values],
            "params": {**trial.params},
            "user_attrs": {**trial.user_attrs},
            "seed": seed_of(trial),
        },
        "snapshot": str(copy),
        "deadline": end.isoformat(timespec="seconds"),
        "out": str(folder / OUT),
    }


def _adopt(out: int, order: Order) -> None:
    """The trial's own model, where the file system can do so without taking room."""
    assert order.adopts is not None
    name = f"final_model_{order.job.model_type}.pth"
    source = os.fdopen(open_regular(order.adopts), "rb")
    with source, os.fdopen(_new(out, name), "wb") as copy:
        _cloned_or_copied(source.fileno(), copy.fileno())
        os.fsync(copy.fileno())
    result = {
        "metric": order.job.value,
        "seed": seed_of(order.trial),
        "epochs": None,
        "data_sha256": "",
        "git_commit": "",
        "adopted": order.trial.user_attrs.get(ADOPTED),
    }
    _write(out, RESULT, result)


def _cloned_or_copied(source: int, copy: int) -> None:
    try:
        fcntl.ioctl(copy, _CLONE, source)
        return
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL):
            raise
    size, room = os.fstat(source).st_size, os.fstatvfs(copy)
    if size > room.f_bavail * room.f_frsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with os.fdopen(os.dup(source), "rb") as reader, os.fdopen(os.dup(copy), "wb") as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)


def _new(folder: int, name: str) -> int:
    """A new file in an open folder, for the folder's owner."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, 0o600, dir_fd=folder)
    owner = os.fstat(folder)
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(fd, owner.st_uid, owner.st_gid)
    return fd


def _write(folder: int, name: str, content: object) -> None:
    with os.fdopen(_new(folder, name), "w", encoding="ascii") as file:
        json.dump(_plain(content), file, indent=1, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())


def _plain(found: object) -> object:
    """As JSON can say it: what is not finite becomes text."""
    match found:
        case float() if not math.isfinite(found):
            return repr(found)
        case dict():
            return {str(key): _plain(each) for key, each in found.items()}
        case list() | tuple():
            return [_plain(each) for each in found]
    return found


def _durable(folder: int, name: str) -> None:
    """What another library wrote in an open folder."""
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        owner = os.fstat(folder)
        if os.geteuid() == 0 and owner.st_uid != 0:
            os.fchown(fd, owner.st_uid, owner.st_gid)
        os.fsync(fd)
    finally:
        os.close(fd)
