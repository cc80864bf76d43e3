"""What a run was configured with: which files say so, and their exact bytes.

They are small, and outlive the run in the journal. Only regular files are read, never
through a symlink; what is larger than `LARGEST`, or no text, is no configuration.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from artifact_janitor.core.model import Artifact, is_within, upward
from artifact_janitor.journal import Config, ConfigFile
from artifact_janitor.journal.configs import digest_of
from artifact_janitor.observe import wandb_log
from artifact_janitor.regular import open_regular

RUNS = ("hydra-run", "hydra-sweep", "wandb-run", "training-run")
"""The kinds that are configured."""
LARGEST = 1_000_000
"""Bytes of a file."""
FIRST_PART = 16 << 20
"""Bytes of a W&B log that are read of a run that stays. Of one that leaves all are."""
FROM_LOG = "config.json"
"""What W&B's transaction log says, where no ``files/config.yaml`` was written: an offline
run has none. It is ours in form, theirs in content."""

_HYDRA = ("config.yaml", "overrides.yaml", "hydra.yaml")
_BESIDE_HYDRA = ("multirun.yaml", "config_used.yaml")
_WANDB = ("config.yaml", "wandb-metadata.json")
_FROM_SERVER = "files/config.yaml"
_TRAINING = (
    *("hparams.yaml", "args.yaml", "config.yaml", "config.yml", "config.json", "config.toml"),
    "config_used.yaml",
)
_DEPTH = 3
"""Folders below a training run that are looked into: Lightning's is two below."""

MAIN = (
    *("multirun.yaml", ".hydra/config.yaml", "config_used.yaml", _FROM_SERVER, FROM_LOG),
    *_TRAINING,
)
"""Which file says best what a run was configured with: the first of these that it has."""

_ABSENT = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EINVAL)
"""Nothing is there, or no regular file: a link, a pipe, a folder."""


@dataclass(frozen=True, slots=True)
class Run:
    """Whose configuration is asked for; ``run_id`` is W&B's, or ""."""

    path: str
    kind: str
    run_id: str = ""


@dataclass(slots=True)
class Read:
    """Configurations as they were found: those that are new, and the contents that were read.

    ``unread`` says by run why a file of it could not be read.
    """

    configs: list[Config] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


def runs_of(artifacts: Iterable[Artifact], run_ids: Mapping[str, str]) -> list[Run]:
    """The runs among some units, and their checkpoints, which are no place for a config."""
    kinds = (*RUNS, "checkpoint")
    return [
        Run(each.path, each.kind, run_ids.get(each.path, ""))
        for each in artifacts
        if each.kind in kinds
    ]


def main_of(names: Iterable[str], within: str = "") -> str | None:
    """The name of the main file among some, or among those in the folder `within`."""
    inside = [name for name in names if is_within(name, within)]
    if within in inside:
        return within
    return min(inside, key=lambda name: _rank(name[len(within) :].strip("/")), default=None)


def _rank(name: str) -> tuple[int, int, str]:
    """The order in which files say what the run was; the same in a folder comes later."""
    endings = (at for at, end in enumerate(MAIN) if f"/{name}".endswith(f"/{end}"))
    return name.count("/") - (".hydra/" in name), next(endings, len(MAIN)), name


# ---------------------------------------------------------------- which files


class Place(NamedTuple):
    """Where a file of a configuration would be, and its name among the others."""

    path: str
    name: str


def places(runs: Iterable[Run], folders: Iterable[str]) -> dict[Run, list[Place]]:
    """What may be the configuration of each run; `folders` are all there are in them.

    A folder belongs to the innermost run around it: a W&B run in a Hydra run has its own.
    """
    owners = {each.path: each for each in runs}
    found: dict[Run, list[Place]] = {each: [] for each in owners.values() if each.kind in RUNS}
    copies: dict[Run, str] = {}
    for folder in folders:
        around = [owners[each] for each in upward(folder) if each in owners]
        if around and around[0] in found:
            found[around[0]] += _in(around[0], folder)
        elif len(around) > 1 and around[0].path == folder:
            copies[around[1]] = max(folder, copies.get(around[1], ""), key=_natural)
    for run, places in found.items():
        if run.kind == "wandb-run" and run.run_id:
            places.append(Place(f"{run.path}/run-{run.run_id}.wandb", FROM_LOG))
        elif run.kind == "training-run" and run in copies:
            places.append(Place(f"{copies[run]}/config.json", "config.json"))
    return found


def _natural(folder: str) -> tuple[int, str]:
    """checkpoint-10 comes after checkpoint-2. Hugging Face writes the model's config into
    each, and at the run's end beside them."""
    return len(folder), folder


def _in(run: Run, folder: str) -> Iterator[Place]:
    """The files of one folder that would belong to the configuration of the run."""
    name, depth = folder.rpartition("/")[2], folder.count("/") - run.path.count("/")
    names: tuple[str, ...] = ()
    if run.kind == "wandb-run":
        names = _WANDB if depth == 1 and name == "files" else ()
    elif run.kind == "training-run":
        names = _TRAINING if depth <= _DEPTH else ()
    elif depth == 0:
        names = _BESIDE_HYDRA
    elif name == ".hydra" and (depth == 1 or run.kind == "hydra-sweep"):
        names = _HYDRA
        if depth > 1:  # a job's, which has no unit of its own
            yield _place(run, f"{folder.removesuffix('/.hydra')}/config_used.yaml")
    for each in names:
        yield _place(run, f"{folder}/{each}")


def _place(run: Run, path: str) -> Place:
    return Place(path, path[len(run.path) + 1 :])


# ---------------------------------------------------------------- what is in them


def read(
    base: Path,
    found: Mapping[Run, Iterable[Place]],
    known: Callable[[str], Config | None],
    now: int,
    *,
    whole: bool = False,
) -> Read:
    """Read what is not `known` yet. `whole`: W&B's logs, which may be long, to their end."""
    seen = Read()
    for run, there in found.items():
        before = known(run.path)
        reader = _Reader(base, run, before, seen.bodies, None if whole else FIRST_PART)
        try:
            files = tuple(sorted(reader.files(there), key=lambda each: each.name))
        except OSError as error:
            seen.unread[run.path] = f"{error.filename}: {error.strerror}"
            continue
        if files and (before is None or files != before.files):
            seen.configs.append(_config(run, files, before, now))
    return seen


def _config(run: Run, files: tuple[ConfigFile, ...], before: Config | None, now: int) -> Config:
    """What was only written anew, with the same content, is no other configuration."""
    if before is not None and _contents(files) == _contents(before.files):
        return replace(before, files=files)
    return Config(run.path, now, run.kind, run.run_id, files)


def _contents(files: Iterable[ConfigFile]) -> list[tuple[str, str]]:
    return [(each.name, each.digest) for each in files]


class _Reader:
    """Reads the files of one run; contents go to `bodies`."""

    def __init__(
        self,
        base: Path,
        run: Run,
        before: Config | None,
        bodies: dict[str, bytes],
        limit: int | None,
    ) -> None:
        self.base = os.fspath(base)
        self.run = run
        self.known = {each.name: each for each in before.files} if before else {}
        self.bodies = bodies
        self.limit = limit

    def files(self, places: Iterable[Place]) -> Iterator[ConfigFile]:
        """Raises OSError where one is there and can't be read."""
        names: set[str] = set()
        for path, name in places:
            is_log = path.endswith(".wandb")
            if name in names or (is_log and _FROM_SERVER in names):
                continue
            try:
                fd = open_regular(f"{self.base}/{path}")
            except OSError as error:
                if error.errno in _ABSENT:
                    continue
                error.filename = path
                raise
            with os.fdopen(fd, "rb", -1 if is_log else 0) as opened:
                file = self._file(opened, name, is_log=is_log)
            if file:
                names.add(name)
                yield file

    def _file(self, opened: BinaryIO, name: str, *, is_log: bool) -> ConfigFile | None:
        status = os.fstat(opened.fileno())
        mark = f"{status.st_ino}.{status.st_size}.{status.st_mtime_ns}"
        before = self.known.get(name)
        if before and before.mark == mark:
            return before  # and all of it, if it is a log
        if is_log and self.limit is not None and status.st_size > self.limit:
            mark += ".cut"
            if before and before.mark == mark:
                return before
        body = self._content(opened, status.st_size, is_log=is_log)
        if body is None or len(body) > LARGEST or b"\0" in body:
            return None
        digest = digest_of(body)
        self.bodies[digest] = body
        return ConfigFile(name, digest, mark)

    def _content(self, opened: BinaryIO, size: int, *, is_log: bool) -> bytes | None:
        if not is_log:
            return opened.read() if size <= LARGEST else None
        config = wandb_log.config(opened, self.limit)
        return None if config is None else _as_json(config)


def _as_json(config: dict[str, Any]) -> bytes | None:
    """None where it would be too large, or is nested too deeply: few bytes of a log may say what
    takes very many with its indentation."""
    text, size = list[str](), 0
    try:
        for piece in json.JSONEncoder(indent=2).iterencode(config):
            text.append(piece)
            size += len(piece)
            if size > LARGEST:
                return None
    except RecursionError:
        return None
    return "".join(text).encode() + b"\n"
