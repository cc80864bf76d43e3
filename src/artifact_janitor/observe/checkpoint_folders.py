"""Checkpoints that are folders: which folders are one, and whether one is complete.

Hugging Face's Trainer makes ``checkpoint-N/`` and writes ``trainer_state.json`` in it last;
Accelerate makes ``checkpoint_N/`` (or what its caller names) and writes
``random_states_*.pkl`` last; Lightning's sharded strategies make ``….ckpt/``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from artifact_janitor.observe import modelfile, modelnames
from artifact_janitor.observe.tree import Entry, Folder

STATE = "trainer_state.json"
_INDEX = ".index.json"
_NUMBERED = re.compile(r"(checkpoint|ckpt|epoch|step|iter)[-_]?[0-9]{1,18}")
_RANDOM_STATE = re.compile(r"random_states_[0-9]+\.pkl")
_BEGUN = frozenset({"training_args.bin", "optimizer.pt", "optimizer.bin", "scheduler.bin"})
"""Proof that Trainer or Accelerate began to write: then their last file must be there."""


def is_one(folder: Folder) -> bool:
    """Whether this folder is a checkpoint as a whole, by names alone.

    A folder that itself holds numbered folders is a run, and a ``checkpoint-N`` without a
    model file is nobody's.
    """
    name = folder.path.rpartition("/")[2]
    if name.endswith(".ckpt"):
        return any(inner.files for inner in folder.walk())
    if not _NUMBERED.fullmatch(name) or any(map(_NUMBERED.fullmatch, folder.folders)):
        return False
    if STATE in folder.files or _has_random_state(folder):
        return True
    return name.startswith("checkpoint") and any(True for _ in _parts(folder))


def weights(folder: Folder) -> Iterator[tuple[str, Entry]]:
    """The model files in a checkpoint folder: not the optimizer, the random state, ….

    Frameworks on Accelerate put each model in a folder of its own (``unet/``).
    """
    for path, entry in _parts(folder):
        if not modelnames.is_state(path.rpartition("/")[2]):
            yield path, entry


def is_whole(folder: Folder, base: Path) -> bool | None:
    """Whether a checkpoint folder is complete; None where that can't be told.

    True needs the file that its framework writes last (a ``trainer_state.json`` must
    parse), a whole weights file, every other model file whole, and all shards that an
    index names. None for weights in no known format, and what can't be read.
    """
    if any(inner.trouble for inner in folder.walk()):
        return None
    checks = [_ended(folder, base), _has_shards(folder, base)]
    checks += [modelfile.is_whole(base / path) for path, _ in _parts(folder)]
    if not any(True for _ in weights(folder)):
        checks.append(None if _holds_unknown(folder) else False)
    return _all_of(checks)


def _holds_unknown(folder: Folder) -> bool:
    """Whether weights may lie in it that we don't know: links, folders, ``.distcp``."""
    below = any(inner.files or inner.links for inner in folder.folders.values())
    return bool(folder.links) or below or any(name.endswith(".distcp") for name in folder.files)


def _all_of(checks: Iterable[bool | None]) -> bool | None:
    """False beats unknown, unknown beats True."""
    seen = set(checks)
    return False if False in seen else None if None in seen else True


def _parts(folder: Folder) -> Iterator[tuple[str, Entry]]:
    """All files of the checkpoint that are in a model format."""
    for path, entry in folder.all_files():
        name = path.rpartition("/")[2]
        if modelnames.suffix(name) or _RANDOM_STATE.fullmatch(name):
            yield path, entry


def _has_random_state(folder: Folder) -> bool:
    return any(map(_RANDOM_STATE.fullmatch, folder.files))


def _ended(folder: Folder, base: Path) -> bool | None:
    if STATE in folder.files:
        return _is_object(base / folder.path / STATE)
    if _has_random_state(folder):
        return True
    return None if _BEGUN.isdisjoint(folder.files) else False


def _is_object(path: Path) -> bool | None:
    try:
        return isinstance(modelfile.read_json(path), dict)
    except ValueError:
        return False
    except OSError:
        return None


def _has_shards(folder: Folder, base: Path) -> bool | None:
    indexes = [name for name in folder.files if name.endswith(_INDEX)]
    present = {*folder.files, *folder.links}
    return _all_of(_names_only(base / folder.path / name, present) for name in indexes)


def _names_only(index: Path, present: Collection[str]) -> bool | None:
    """Whether an index (``{"weight_map": {tensor: file}}``) names only files that are there."""
    try:
        document = modelfile.read_json(index)
        shards = document["weight_map"].values() if isinstance(document, dict) else [None]
        return all(shard in present for shard in shards)
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
    except OSError:
        return None
