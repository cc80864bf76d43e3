"""Caches: what programs make anew when it is gone, known by the names of their folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from artifact_janitor.core.model import CACHES, Evidence
from artifact_janitor.observe.tree import Folder

_COMPILED = frozenset({".pyc", ".pyo", ".nbi", ".nbc"})
"""What Python and Numba leave in ``__pycache__``."""


def is_named(folder: Folder) -> bool:
    return folder.path.rpartition("/")[2] in CACHES


def doubts(folder: Folder) -> Iterator[Evidence]:
    """What a ``__pycache__`` holds that no compiler put there (S7).

    A ``.cache`` may hold anything: its name is all there is to go by. W&B keeps what is
    still to be uploaded in one where it was told to (S3).
    """
    if folder.path.rpartition("/")[2] == "__pycache__" and (name := _foreign(folder)):
        yield Evidence("unproven", f"holds {name}, which no compiler makes")
    for inner in folder.walk():
        if inner.path.endswith("/artifacts/staging") and any(True for _ in inner.all_files()):
            yield Evidence("unsynced", f"holds what W&B may still have to upload: {inner.path}")


def _foreign(folder: Folder) -> str:
    """The first thing in it that is no compiled file, or ""."""
    strange = [*folder.folders, *folder.links, *folder.others]
    strange += [name for name in folder.files if PurePosixPath(name).suffix not in _COMPILED]
    return min(strange, default="")
