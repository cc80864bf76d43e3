"""All commands in the order in which a person meets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from artifact_janitor import __version__
from artifact_janitor.cli.archives import (
    archive_command,
    archives_command,
    restore_command,
    verify_command,
)
from artifact_janitor.cli.asking import status_command, why_command
from artifact_janitor.cli.beginning import init_command
from artifact_janitor.cli.doctoring import doctor_command
from artifact_janitor.cli.options import remembers_options, takes_options
from artifact_janitor.cli.pinning import pin_command, unpin_command
from artifact_janitor.cli.retraining import retrain_command
from artifact_janitor.cli.servicing import service_command
from artifact_janitor.cli.showing import demo_command
from artifact_janitor.cli.space import du_command
from artifact_janitor.cli.studies import studies_command
from artifact_janitor.cli.sweeping import plan_command, run_command
from artifact_janitor.cli.undoing import history_command, undo_command
from artifact_janitor.cli.watching import watch_command

COMMANDS: dict[str, Callable[..., int]] = {
    "init": init_command,
    "plan": plan_command,
    "run": run_command,
    "watch": watch_command,
    "undo": undo_command,
    "why": why_command,
    "status": status_command,
    "studies": studies_command,
    "retrain": retrain_command,
    "du": du_command,
    "history": history_command,
    "pin": pin_command,
    "unpin": unpin_command,
    "archive": archive_command,
    "archives": archives_command,
    "restore": restore_command,
    "verify": verify_command,
    "doctor": doctor_command,
    "service": service_command,
    "demo": demo_command,
}

app = typer.Typer(
    name="janitor",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for _name, _function in COMMANDS.items():
    app.command(_name)(takes_options(_function))


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"janitor {__version__}")
        raise typer.Exit


@app.callback()
@remembers_options
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Keeps the folders that machine learning leaves behind in order, and loses nothing."""
