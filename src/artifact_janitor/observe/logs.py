"""Application logs: text files with a log's name, one unit each, where no run holds them."""

from __future__ import annotations

import re
from pathlib import Path

from artifact_janitor.observe.reading import head

_NAME = re.compile(
    r".*\.(?:log|out|err)(?:[.\-_][\d\-_T:]+)?(?P<packed>\.(?:gz|bz2|xz|zst))?", re.DOTALL
)
"""``app.log``, rotated ``app.log.3`` and ``app.log.2026-08-01``, packed ``app.log.2.gz``."""

_PACKED = {".gz": b"\x1f\x8b", ".bz2": b"BZh", ".xz": b"\xfd7zXZ\0", ".zst": b"\x28\xb5\x2f\xfd"}


def is_log(name: str, path: Path) -> bool:
    """By name, and by a look at the first bytes: a database's ``000003.log`` is no text."""
    match = _NAME.fullmatch(name)
    if match is None:
        return False
    start = head(path, 1024)
    packed = match["packed"]
    return start.startswith(_PACKED[packed]) if packed else b"\0" not in start
