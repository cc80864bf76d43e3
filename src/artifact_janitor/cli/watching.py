"""``janitor watch``."""

from __future__ import annotations

import os
from pathlib import Path

from artifact_janitor.cli.options import Asked
from artifact_janitor.errors import UsageError


def watch_command(asked: Asked) -> int:
    """The daemon, in the foreground: hand studies over at once, all else by the schedule."""
    if asked.as_json or asked.only:
        what = "--json" if asked.as_json else "--only"
        raise UsageError(f"{what} goes with no daemon", "janitor status --json tells of it")
    from artifact_janitor.daemon.loop import to_stderr, watch
    from artifact_janitor.daemon.shared import Source

    return watch(Source(asked.config, {**os.environ}, Path.cwd()), to_stderr)
