"""Published models and chosen milestones: what lies in ``models/`` and in ``best_models/``."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from artifact_janitor.observe import modelnames
from artifact_janitor.observe.tree import Entry, Folder

GROUPS = frozenset({"hpo_derived", "manual_runs"})
"""Folders of ``models/`` that hold a folder for each study, or each run."""

_FORMATS = frozenset(
    ".onnx .pkl .pickle .joblib .h5 .hdf5 .keras .gguf .tflite .pb .msgpack .npz .engine .cbm"
    " .ubj .pdparams".split()
)
"""Model files beside those that `modelnames` knows."""
_NOTES = frozenset(
    ".json .yaml .yml .toml .ini .cfg .txt .md .csv .tsv .log .html .png .svg .jpg .pdf".split()
)
"""What is written about a model, and is no part of it."""
_META = "_meta.json"


def is_one(folder: Folder, base: Path) -> bool:
    """Whether a folder of ``models/`` is one published model, with all that belongs to it.

    A folder of nothing but folders only groups models, and so do the two of `GROUPS`.
    """
    above, name = ("", *folder.path.split("/"))[-2:]
    if name in GROUPS or not any(_is_model(path) for path, _ in folder.all_files()):
        return False
    return bool(folder.files) or above in GROUPS


def among(folder: Folder, base: Path) -> dict[str, list[str]]:
    """Model files that lie there by themselves."""
    return {name: [] for name in folder.files if _is_model(name)}


def files(content: Folder | Entry, path: str, skip: Collection[str]) -> dict[str, Entry]:
    """All of a model that must not be lost: whatever is no note; `skip` names units in it.

    Weights come with optimizers, scalers and vocabularies in formats that nobody can list.
    """
    if isinstance(content, Entry):
        return {path: content}
    return {
        f"{folder.path}/{name}": entry
        for folder in _own_folders(content, skip)
        for name, entry in folder.files.items()
        if PurePosixPath(name).suffix.lower() not in _NOTES
    }


def _own_folders(top: Folder, skip: Collection[str]) -> Iterator[Folder]:
    stack = [top]
    while stack:
        folder = stack.pop()
        yield folder
        stack += [each for each in folder.folders.values() if each.path not in skip]


def _is_model(path: str) -> bool:
    name = path.rpartition("/")[2]
    return bool(modelnames.suffix(name)) or PurePosixPath(name).suffix.lower() in _FORMATS


# ---------------------------------------------------------------- milestones


def is_milestone(folder: Folder, base: Path) -> bool:
    """In ``best_models/`` everything is one: somebody put it there."""
    return True


def milestones(folder: Folder, base: Path) -> dict[str, list[str]]:
    """The files of ``best_models/``, each with the ``NAME_meta.json`` that tells of it."""
    found: dict[str, list[str]] = {name: [] for name in sorted(folder.files)}
    for name in [each for each in found if each.endswith(_META)]:
        stem = name.removesuffix(_META)
        told_of = [each for each in found if each.startswith(f"{stem}.")]
        if stem and told_of:
            found[min(told_of, key=len)].append(name)
            del found[name]
    return found
