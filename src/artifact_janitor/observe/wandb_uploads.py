"""What W&B's own logs say about an upload: did everything arrive?

wandb-core logs one JSON object a line: to ``logs/debug-internal.log`` in the run's folder
while the run is online, and to ``wandb/logs/debug-sync.DATE.TIME.log`` for `wandb sync`,
where ``sync_path`` names the run. The last request of a complete upload carries
``"complete":true`` and the exit code, and is sent after all files; that it arrived says
the line ``request sent … 200 OK``. A file that was refused is an ERROR before it; one that
was never sent (``ignore_globs``, or written to ``run.dir`` by hand) is missing in the sum
of ``uploaded_len``.

Measured with 0.25, 0.28 and 0.31 (online), and 0.31 (sync). 0.22 logs neither of the two
lines, and `wandb sync` up to 0.28 keeps no log: unknown, so not proven.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from artifact_janitor.regular import open_regular

_LONGEST = 1024 * 1024
"""Bytes of a line; a longer one is not wandb-core's."""

_HARMLESS = (
    # a diff of the code that could not be made, and so never was a file of the run
    "error generating diff",
    "error getting latest commit",
    "git repo not found",
    "handleCodeSave: program",
    # what the server can do
    "featurechecker:",
    "runupserter: server does not expand metric globs",
    # slow, but it says so when it gives up
    "runwork: taking a long time",
    "sender: taking a long time",
    # a step that the run itself went back on: it is not in the transaction log either
    "handler: ignoring partial history record",
)
"""How the errors and warnings begin that no data was lost by; all others count."""


@dataclass(slots=True)
class Upload:
    """One attempt to upload a run."""

    began: datetime | None = None
    exit_code: int | None = None
    """The code that was sent with the end of the run, once that arrived."""
    read_to_end: bool = False
    """`wandb sync` only: whether it read the transaction log to its end."""
    ended: datetime | None = None
    files: int = 0
    """Uploads of files that it reported; a file may count several times."""
    tried: bool = False
    """Whether it sent anything at all."""
    trouble: str = ""
    """The first thing in the log that speaks against a complete upload."""
    _sent: int | None = None

    def note(self, line: dict[str, Any]) -> None:
        """Take in the next line of the log."""
        self.began = self.began or _time(line)
        message = str(line.get("msg"))
        if line.get("level") not in ("INFO", "DEBUG") and not message.startswith(_HARMLESS):
            self.trouble = self.trouble or _trouble(line)
        if message == "filestream: sending request":
            self.tried = True
            self.exit_code, self._sent = None, _end_of_run(line)
            self.files += _number(line.get("uploaded_len")) or 0
        elif message == "filestream: request sent" and line.get("status") == "200 OK":
            self.exit_code, self.ended = self._sent, _time(line)
        elif message == "runsync: done reading":
            self.read_to_end = True


def online(log: Path) -> Upload:
    """The upload by the run itself, from its ``debug-internal.log``. Raises OSError."""
    with os.fdopen(open_regular(log), "rb") as file:
        return _read(file).get("", Upload())


def synced(log: Path) -> dict[str, Upload]:
    """The uploads by one `wandb sync`, under FOLDER/run-ID.wandb. Raises OSError."""
    with os.fdopen(open_regular(log), "rb") as file:
        status = os.fstat(file.fileno())
    return _synced(str(log), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _synced(log: str, *_identity: int) -> dict[str, Upload]:
    """One log serves many runs. It only ever grows: the same size is the same content."""
    with os.fdopen(open_regular(log), "rb") as file:
        return _read(file)


def _read(file: BinaryIO) -> dict[str, Upload]:
    """Every upload that the log tells of; none of them where a line can't be read."""
    uploads: dict[str, Upload] = {}
    for line in _lines(file):
        if line is None:
            return {key: Upload(trouble="W&B's log of it is damaged") for key in ["", *uploads]}
        key = "/".join(PurePosixPath(str(line.get("sync_path", ""))).parts[-2:])
        uploads.setdefault(key, Upload()).note(line)
    return uploads


def _lines(file: BinaryIO) -> Iterator[dict[str, Any] | None]:
    """The log's objects; None for what isn't one."""
    while text := file.readline(_LONGEST):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        yield line if isinstance(line, dict) else None


def _end_of_run(line: dict[str, Any]) -> int | None:
    """The exit code in a request that ends the run; None for all other requests."""
    return _number(line.get("exit_code")) if line.get("complete") is True else None


def _number(value: object) -> int | None:
    return value if type(value) is int else None


def _time(line: dict[str, Any]) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(line.get("time")))
    except ValueError:
        return None
    return time if time.tzinfo else None


def _trouble(line: dict[str, Any]) -> str:
    if line.get("msg") == "api: HTTP error":
        return _plain(f"upload was refused: {line.get('status')} on {line.get('method')}")
    if str(line.get("msg")).startswith("runsync: no exit record"):
        return "it was read before the run had ended"
    return _plain(f"W&B logged {line.get('level')}: {line.get('msg')}")


def _plain(text: str) -> str:
    """For a person's terminal: one short line, without control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:120])
