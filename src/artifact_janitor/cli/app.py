"""All commands in the order in which a person meets them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from artifact_janitor import __version__
from artifact_janitor.cli.options import remembers_options, takes_options

COMMANDS = {
    "init": "beginning",
    "plan": "sweeping",
    "run": "sweeping",
    "watch": "watching",
    "undo": "undoing",
    "why": "asking",
    "status": "asking",
    "studies": "studies",
    "retrain": "retraining",
    "models": "models",
    "promote": "promoting",
    "demote": "promoting",
    "du": "space",
    "history": "undoing",
    "pin": "pinning",
    "unpin": "pinning",
    "archive": "archives",
    "archives": "archives",
    "restore": "archives",
    "verify": "archives",
    "gitignore": "gitignore",
    "doctor": "doctoring",
    "service": "servicing",
    "demo": "showing",
}
"""Each command's module beside this one. None is imported before it is asked for: nobody shall
wait for, nor a daemon hold for months, what the other commands need."""


def function_of(name: str) -> Callable[..., int]:
    """What a command calls: it gets an `Asked` first and returns its exit code."""
    module = import_module(f"artifact_janitor.cli.{COMMANDS[name]}")
    return cast(Callable[..., int], getattr(module, f"{name}_command"))


class Commands(TyperGroup):
    """Makes each command when it is asked for."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands: dict[str, Any] = dict.fromkeys(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS and not self.commands[cmd_name]:
            one = typer.Typer(add_completion=False)
            one.command(cmd_name)(takes_options(function_of(cmd_name)))
            self.commands[cmd_name] = typer.main.get_command(one)
        return self.commands.get(cmd_name)


app = typer.Typer(
    name="janitor",
    cls=Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


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
