"""``janitor watch``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from artifact_janitor.cli.options import Asked
from artifact_janitor.errors import UsageError


def watch_command(
    asked: Asked,
    log_file: Annotated[
        Path | None,
        typer.Option("--log-file", metavar="PATH", help="Say everything there, too."),
    ] = None,
) -> int:
    """The daemon, in the foreground: hand studies over at once, all else by the schedule."""
    if asked.as_json or asked.only:
        what = "--json" if asked.as_json else "--only"
        raise UsageError(f"{what} goes with no daemon", "janitor status --json tells of it")
    from artifact_janitor import logs
    from artifact_janitor.daemon.loop import watch
    from artifact_janitor.daemon.shared import Source

    log = logs.set_up(os.environ, color=asked.color, file=log_file)
    return watch(Source(asked.config, {**os.environ}, Path.cwd()), log)
