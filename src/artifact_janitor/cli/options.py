"""The options that every command takes, before its name or after it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from artifact_janitor.core.model import KINDS

PANEL = "Options of every command"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the global options say."""

    config: Path | None = None
    as_json: bool = False
    quiet: bool = False
    color: bool = True
    only: tuple[str, ...] = ()


def _kinds(text: str | None) -> tuple[str, ...]:
    kinds = tuple(kind.strip() for kind in (text or "").split(",") if kind.strip())
    for kind in kinds:
        if kind not in KINDS:
            raise typer.BadParameter(f"{kind!r} is no kind; there are {', '.join(KINDS)}")
    return kinds


def _complete_kinds(incomplete: str) -> list[str]:
    done, comma, begun = incomplete.rpartition(",")
    return [done + comma + kind for kind in KINDS if kind.startswith(begun)]


def one_of(words: Sequence[str], meaning: str) -> Any:
    """The argument of a command that does one of several things."""

    def known(text: str) -> str:
        if text not in words:
            raise typer.BadParameter(f"{text!r} is none of {', '.join(words)}")
        return text

    return typer.Argument(metavar="|".join(words), callback=known, help=meaning)


OPTIONS: dict[str, Any] = {
    "config": Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="PATH",
            help="The config.toml to use; its folder is the workspace.",
            rich_help_panel=PANEL,
        ),
    ],
    "as_json": Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout.", rich_help_panel=PANEL)
    ],
    "quiet": Annotated[
        bool, typer.Option("--quiet", "-q", help="Errors only.", rich_help_panel=PANEL)
    ],
    "no_color": Annotated[
        bool, typer.Option("--no-color", help="As NO_COLOR=1.", rich_help_panel=PANEL)
    ],
    "only": Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="KIND,…",
            help="Look at these kinds alone.",
            autocompletion=_complete_kinds,
            rich_help_panel=PANEL,
        ),
    ],
}


def asked_by(values: dict[str, Any], before: Asked) -> Asked:
    """The options given here, over those given before the command's name."""
    return replace(
        before,
        config=values.get("config") or before.config,
        as_json=values["as_json"] or before.as_json,
        quiet=values["quiet"] or before.quiet,
        color=before.color and not values["no_color"],
        only=_kinds(values["only"]) or before.only,
    )


def takes_options(function: Callable[..., int]) -> Callable[..., None]:
    """Give a command the global options; it gets an `Asked` first and returns its exit code.

    An option that the command itself has under the same name is the command's: the global
    one can then stand before the command's name only.
    """
    own = [*inspect.signature(function, eval_str=True).parameters.values()][1:]
    shared = OPTIONS.keys() - {each.name for each in own}

    def command(context: typer.Context, **values: Any) -> None:
        given = {name: values.pop(name) for name in shared}
        context.obj = asked_by(given, context.obj or Asked())
        raise typer.Exit(function(context.obj, **values))

    return _signed(command, function, own)


def remembers_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give the program itself the global options, for those who write them first."""

    def callback(context: typer.Context, **values: Any) -> None:
        context.obj = asked_by({name: values.pop(name) for name in OPTIONS}, Asked())
        function(**values)

    own = [*inspect.signature(function, eval_str=True).parameters.values()]
    return _signed(callback, function, own)


def _signed(
    wrapper: Callable[..., None], function: Callable[..., Any], own: list[inspect.Parameter]
) -> Callable[..., None]:
    """The wrapper, looking like the function with the global options added."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("context", keyword, annotation=typer.Context)]
    parameters += [each.replace(kind=keyword) for each in own]
    taken = {each.name for each in own}
    for name, annotation in OPTIONS.items():
        if name in taken:
            continue
        default = None if name in ("config", "only") else False
        parameters.append(inspect.Parameter(name, keyword, annotation=annotation, default=default))
    wrapper.__name__ = function.__name__
    wrapper.__doc__ = function.__doc__
    wrapper.__annotations__ = {each.name: each.annotation for each in parameters}
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return wrapper
