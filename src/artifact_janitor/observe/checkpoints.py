"""Checkpoints and models of a training run: where they are, which step, which role, whether whole.

Layouts (measured, see the tests): Lightning ``epoch=3-step=400.ckpt``, ``last.ckpt``;
Hugging Face Trainer ``checkpoint-N/`` with ``trainer_state.json``; Accelerate
``checkpoint_N/`` with ``random_states_*.pkl``; timm ``*.pth.tar``; Ultralytics
``weights/*.pt``; plain torch by its usual names. Symlinks are never checkpoints.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from artifact_janitor.core.model import Role
from artifact_janitor.observe import checkpoint_folders, modelfile, modelnames
from artifact_janitor.observe.reading import head
from artifact_janitor.observe.tensorboard import is_events
from artifact_janitor.observe.tree import Entry, Folder

_POINTERS = ("last_checkpoint", "latest")
"""Text files that name the checkpoint beside them to resume from: detectron2's and MMEngine's, and
DeepSpeed's."""
_NAME = 4 << 10
"""Bytes of such a file: a path."""
_HEAD = 8 << 10
"""Bytes of a Lightning checkpoint's pickle that hold its version and step."""


@dataclass(frozen=True, slots=True)
class Found:
    """One checkpoint: a file, or the folder that Trainer or Accelerate made of it."""

    path: str
    """Relative to the workspace."""
    folder: Folder | None
    """The folder where the checkpoint is one, else None."""
    entry: Entry
    step: int | None
    """Training step, or epoch where only that is known."""
    role: Role
    valid: bool | None
    """See `modelfile.is_whole`."""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> str:
        return self.path.rpartition("/")[0]


def find(run: Folder, base: Path, skip: Container[str] = ()) -> list[Found]:
    """All checkpoints of one run, sorted by path; `skip` names folders not to enter.

    What the trainer's own state calls best is best, whatever the file is called. Damaged
    or unreadable files never raise: they are found, with ``valid`` False or None.
    """
    found = [*_all(run, base, skip)]
    told = _told_roles(run, base, found, skip)
    return sorted(
        (replace(one, role=_stronger(one.role, told.get(one.path, ""))) for one in found),
        key=lambda one: one.path,
    )


def models(
    run: Folder, found: Sequence[Found], skip: Container[str] = ()
) -> list[tuple[str, Entry]]:
    """The files that are best or final models of this run (S6), sorted by path.

    Beside the best and final files among `found`: the weights in a best checkpoint folder,
    and what ``save_model`` or ``save_pretrained`` left at the run's root or in a folder
    called best or final.
    """
    kept: dict[str, Entry] = {}
    for one in found:
        if one.role in ("best", "final"):
            kept |= _model_files(one)
    for folder in _plain_folders(run, skip):
        if folder is run or modelnames.role(_name(folder)) in ("best", "final"):
            kept |= {
                f"{folder.path}/{name}": entry
                for name, entry in folder.files.items()
                if modelnames.is_weights(name)
            }
    return sorted(kept.items())


def _model_files(one: Found) -> dict[str, Entry]:
    if one.folder is None:
        return {one.path: one.entry}
    return dict(checkpoint_folders.weights(one.folder)) or dict(one.folder.all_files())


def looks_like_run(folder: Folder) -> bool:
    """Whether this folder is the top of a training run, by names alone.

    It needs the marks of one framework; a project that merely has a ``checkpoints/`` among
    its code is none.
    """
    if not {".git", "pyproject.toml", "setup.py"}.isdisjoint({*folder.files, *folder.folders}):
        return False
    return any(marks(folder) for marks in _MARKS)


def holds_checkpoint(folder: Folder) -> bool:
    """Whether anything in this tree is called like a checkpoint or a model."""
    return any(
        modelnames.suffix(name) == ".ckpt"
        or modelnames.is_checkpoint(name)
        or modelnames.is_weights(name)
        for inner in folder.walk()
        for name in inner.files
    )


def _is_lightning_run(folder: Folder) -> bool:
    names = {*folder.files, *folder.folders}
    return (
        re.fullmatch(r"version_[0-9]+", _name(folder)) is not None
        and "hparams.yaml" in folder.files
        and ("checkpoints" in names or "metrics.csv" in names or any(map(is_events, names)))
    )


def _is_trainer_run(folder: Folder) -> bool:
    return any(
        checkpoint_folders.STATE in child.files and checkpoint_folders.is_one(child)
        for child in folder.folders.values()
    )


def _is_timm_run(folder: Folder) -> bool:
    beside = not {"args.yaml", "summary.csv"}.isdisjoint(folder.files)
    return beside and "last.pth.tar" in folder.files


def _is_ultralytics_run(folder: Folder) -> bool:
    return "args.yaml" in folder.files and _has_checkpoints(folder.folders.get("weights"))


def _keeps_checkpoints_apart(folder: Folder) -> bool:
    return _has_checkpoints(folder.folders.get("checkpoints"))


_MARKS: tuple[Callable[[Folder], bool], ...] = (
    _is_lightning_run,
    _is_trainer_run,
    _is_timm_run,
    _is_ultralytics_run,
    _keeps_checkpoints_apart,
)


def _has_checkpoints(folder: Folder | None) -> bool:
    return folder is not None and (
        any(map(modelnames.is_checkpoint, folder.files))
        or any(map(checkpoint_folders.is_one, folder.folders.values()))
    )


def _plain_folders(run: Folder, skip: Container[str]) -> Iterator[Folder]:
    """The run's folders, but for other units and for what is a checkpoint as a whole."""
    stack = [run]
    while stack:
        folder = stack.pop()
        yield folder
        stack.extend(
            child
            for child in folder.folders.values()
            if child.path not in skip and not checkpoint_folders.is_one(child)
        )


def _all(run: Folder, base: Path, skip: Container[str]) -> Iterator[Found]:
    for folder in _plain_folders(run, skip):
        for child in folder.folders.values():
            if child.path not in skip and checkpoint_folders.is_one(child):
                yield _folder(run, folder, child, base)
        for name in modelnames.suffixed(folder.files):
            if (one := _file(run, folder, name, folder.files[name], base)) is not None:
                yield one


def _folder(run: Folder, parent: Folder, folder: Folder, base: Path) -> Found:
    name, valid = _name(folder), checkpoint_folders.is_whole(folder, base)
    role = _named_role(run, parent, name)
    return Found(folder.path, folder, folder.entry, modelnames.step(name), role, valid)


def _file(run: Folder, folder: Folder, name: str, entry: Entry, base: Path) -> Found | None:
    """The file as a checkpoint, or None where neither its name nor its content is proof."""
    named = modelnames.is_checkpoint(name)
    if not named and modelnames.suffix(name) != ".ckpt":
        return None
    path = f"{folder.path}/{name}"
    told = _lightning_step(base / path) if modelnames.suffix(name) == ".ckpt" else None
    if not named and told is None:
        return None
    step = modelnames.step(name) if told is None or modelnames.counts_steps(name) else told
    role = _named_role(run, folder, name)
    return Found(path, None, entry, step, role, modelfile.is_whole(base / path))


def _named_role(run: Folder, parent: Folder, name: str) -> Role:
    """By its own name, or by its folder's: ``best/epoch=3.ckpt``."""
    above = "" if parent is run else modelnames.role(_name(parent))
    return _stronger(modelnames.role(name), above)


def _stronger(one: Role, other: Role) -> Role:
    return min(one, other, key=("best", "final", "last", "").index)


def _told_roles(
    run: Folder, base: Path, found: Sequence[Found], skip: Container[str]
) -> dict[str, Role]:
    """What the run's states, links and pointers call best, final or last, by path.

    A recorded path may be relative to some other working directory, or name a place from
    where the run was moved: only its last part counts, beside its witness if there is one
    of that name, else anywhere in the run.
    """
    roles: dict[str, Role] = {}
    for parent, name, role in _testimony(run, base, found, skip):
        same = [one.path for one in found if one.name == name]
        for path in [path for path in same if path == f"{parent}/{name}"] or same:
            roles[path] = _stronger(roles.get(path, ""), role)
    return roles


def _testimony(
    run: Folder, base: Path, found: Sequence[Found], skip: Container[str]
) -> Iterator[tuple[str, str, Role]]:
    """(folder of the witness, name of the checkpoint, its role) for every witness."""
    for folder in _plain_folders(run, skip):
        if checkpoint_folders.STATE in folder.files:
            yield from _all_best(folder.path, _trainer_best(base / folder.path))
        for link, target in folder.links.items():
            if (role := modelnames.role(link)) in ("best", "final"):
                yield from ((folder.path, name, role) for name in _last_parts(target))
        for pointer in (each for each in _POINTERS if each in folder.files):
            said = os.fsdecode(head(base / folder.path / pointer, _NAME)).strip()
            yield from ((folder.path, name, "last") for name in _last_parts(said))
    for parent in {one.parent for one in found}:
        beside = [one for one in found if one.parent == parent and one.valid]
        for one in _newest([one for one in beside if one.folder is not None]):
            yield from _all_best(parent, _trainer_best(base / one.path))
        for one in _newest([one for one in beside if one.name.endswith(".ckpt")]):
            yield from _all_best(parent, _lightning_best(base / one.path))


def _all_best(parent: str, names: Iterable[str]) -> Iterator[tuple[str, str, Role]]:
    return ((parent, name, "best") for name in names)


def _newest(valid: Sequence[Found]) -> list[Found]:
    """By step and by mtime: a copy disorders the one, a restart the other."""
    if not valid:
        return []
    by_step = max(valid, key=lambda one: (-1 if one.step is None else one.step, _time(one)))
    by_time = max(valid, key=_time)
    return [by_step] if by_step is by_time else [by_step, by_time]


def _time(one: Found) -> int:
    if one.folder is None:
        return one.entry.mtime
    return max((entry.mtime for _, entry in one.folder.all_files()), default=one.entry.mtime)


def _trainer_best(folder: Path) -> set[str]:
    """The name in ``best_model_checkpoint``, if there is a readable state that has one."""
    try:
        state = modelfile.read_json(folder / checkpoint_folders.STATE)
    except (ValueError, OSError):
        return set()
    path = state.get("best_model_checkpoint") if isinstance(state, dict) else None
    return _last_parts(path) if isinstance(path, str) else set()


def _lightning_step(path: Path) -> int | None:
    """``global_step`` of a Lightning checkpoint; None where Lightning did not write it."""
    told = [*modelfile.constants(path, _HEAD)]
    if "pytorch-lightning_version" not in told:
        return None
    steps = (value for key, value in pairwise(told) if key == "global_step")
    return next((value for value in steps if isinstance(value, int)), None)


def _lightning_best(path: Path) -> Iterator[str]:
    """The names of the best checkpoints in the state of every ModelCheckpoint.

    Without a monitor ``best_model_path`` is merely the newest, and nothing to go by. The
    state puts ``monitor`` before ``best_model_path``.
    """
    monitor: object = modelfile.OPAQUE
    for key, value in pairwise(modelfile.constants(path)):
        if key == "monitor":
            monitor = value
        elif key == "best_model_path":
            if monitor is not None and isinstance(value, str):
                yield from _last_parts(value)
            monitor = modelfile.OPAQUE


def _last_parts(path: str) -> set[str]:
    """Its last part, taken as a path of this system and as one of Windows."""
    return {path.rstrip("/").rpartition("/")[2], re.split(r"[/\\]", path.rstrip("/\\"))[-1]}


def _name(folder: Folder) -> str:
    return folder.path.rpartition("/")[2]
