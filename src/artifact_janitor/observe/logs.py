"""Application logs: text files with a log's name, one unit each, where no run holds them."""

from __future__ import annotations

import re
from pathlib import Path

from artifact_janitor.observe.reading import head
from artifact_janitor.observe.tree import Folder

_NAME = re.compile(
    r".*\.(?:log|out|err)(?:[.\-_][\d\-_T:]+)?(?P<packed>\.(?:gz|bz2|xz|zst))?", re.DOTALL
)
"""``app.log``, rotated ``app.log.3`` and ``app.log.2026-08-01``, packed ``app.log.2.gz``."""

_OF_WANDB = re.compile(r"debug(?!-sync).*\.log", re.DOTALL)
_PACKED = {".gz": b"\x1f\x8b", ".bz2": b"BZh", ".xz": b"\xfd7zXZ\0", ".zst": b"\x28\xb5\x2f\xfd"}


def among(folder: Folder, base: Path) -> dict[str, list[str]]:
    """The files of a folder that are logs."""
    return {name: [] for name in folder.files if is_log(name, base / folder.path / name)}


def left_by_wandb(folder: Folder, base: Path) -> dict[str, list[str]]:
    """What W&B's old clients and its command line left in ``wandb/`` itself.

    Logs of ``wandb sync`` are evidence of upload, and no mere logs.
    """
    names = among(folder, base)
    return {name: [] for name in names if _OF_WANDB.fullmatch(name)}


def is_log(name: str, path: Path) -> bool:
    """By name, and by a look at the first bytes: a database's ``000003.log`` is no text."""
    match = _NAME.fullmatch(name)
    if match is None:
        return False
    start = head(path, 1024)
    packed = match["packed"]
    return start.startswith(_PACKED[packed]) if packed else b"\0" not in start
