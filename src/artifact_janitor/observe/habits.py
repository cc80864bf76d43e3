"""Where a project keeps its runs: the folders at its top that hold proven ones."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

from artifact_janitor.core.model import Kind
from artifact_janitor.observe import kinds, tree

KEYS: dict[Kind, str] = {
    "training-run": "training",
    "hydra-run": "outputs",
    "hydra-sweep": "multirun",
    "wandb-run": "wandb",
}
"""The key in ``[folders]`` for a folder that mostly holds one kind."""

_NEVER = frozenset({"venv", "env", "node_modules", "site-packages"})


def run_folders(base: Path, known: Collection[str]) -> dict[str, list[str]]:
    """Folders at the top of the workspace that hold runs and are not among `known`, by key."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(os.listdir(base)):
        if any(_overlap(name, each) for each in known) or not _may_hold_runs(base, name):
            continue
        if key := _key(base, name):
            found[key].append(name)
    return dict(found)


def _may_hold_runs(base: Path, name: str) -> bool:
    if name.startswith(".") or name in _NEVER or not name.isprintable():
        return False
    return (base / name).is_dir() and not (base / name).is_symlink()


def _overlap(name: str, folder: str) -> bool:
    return folder == name or folder.startswith(name + "/")


def _key(base: Path, name: str) -> str:
    """The key for what the folder mostly holds, or ""."""
    try:
        units = kinds.find(tree.read(base, name), base, "proven")
    except OSError:
        return ""
    counted = [unit.kind for unit in units if unit.kind in KEYS and unit.parent is None]
    return KEYS[max(set(counted), key=counted.count)] if counted else ""
