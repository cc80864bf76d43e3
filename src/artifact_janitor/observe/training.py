"""Training runs: folders of ``training/runs/``, and proven ones among the logs."""

from __future__ import annotations

from pathlib import Path

from artifact_janitor.observe import checkpoints, tensorboard
from artifact_janitor.observe.tree import Folder


def is_run(folder: Folder, base: Path) -> bool:
    """Below ``training/runs/`` each folder with files of its own is a run once it holds a
    checkpoint, or the event files of a run that didn't come that far; a folder of nothing
    but folders only groups runs, unless they are its parts.
    """
    if not (checkpoints.holds_checkpoint(folder) or tensorboard.wrote_in(folder, base)):
        return False
    apart = not PARTS.isdisjoint(folder.folders)
    return bool(folder.files) or apart or checkpoints.looks_like_run(folder)


PARTS = frozenset({"checkpoints", "checkpoint", "ckpt", "ckpts", "weights", "models", "logs"})
"""Folders that are parts of a run, never runs themselves."""


def is_proven_run(folder: Folder, base: Path) -> bool:
    """Anywhere else a run needs the marks that a training framework leaves."""
    return checkpoints.looks_like_run(folder)
