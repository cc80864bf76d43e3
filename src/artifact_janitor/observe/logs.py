"""Application logs: text files with a log's name, one unit each, where no run holds them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from artifact_janitor.core.compressing import BLOCK, PACKED, SUFFIX
from artifact_janitor.observe.reading import head
from artifact_janitor.observe.tree import Entry, Folder

_NAME = re.compile(
    r".*\.(?:log|out|err)(?:[.\-_][\d\-_T:]+)?(?P<packed>\.(?:gz|bz2|xz|zst))?", re.DOTALL
)
"""``app.log``, rotated ``app.log.3`` and ``app.log.2026-08-01``, packed ``app.log.2.gz``."""

_OF_WANDB = re.compile(r"debug(?!-sync).*\.log(?:\.zst)?", re.DOTALL)
_LONGEST = 255
"""Bytes in a name."""
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


def incompressible(name: str, content: Folder | Entry, around: Folder | None) -> str:
    """Why a log is not to be compressed, or ""; `around` is the folder that it lies in."""
    if isinstance(content, Folder):
        return "TensorBoard reads event files as they are"
    if name.endswith(PACKED):
        return "compressed already"
    if content.nlink > 1:
        return f"the file has {content.nlink} names (hard links)"
    if content.bytes <= BLOCK:
        return "too small for compression to free anything" if content.size else "empty"
    if len(os.fsencode(name + SUFFIX)) > _LONGEST:
        return f"its name is too long for {SUFFIX}"
    taken = around is not None and _is_in(around, name + SUFFIX)
    return f"{name}{SUFFIX} is there already" if taken else ""


def _is_in(folder: Folder, name: str) -> bool:
    return any(name in names for names in (folder.files, folder.folders, folder.links)) or (
        name in folder.others
    )
