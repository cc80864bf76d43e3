"""Tell an error: what, where, and what to do."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import typer

from artifact_janitor.errors import ConfigError, JanitorError, UsageError
from artifact_janitor.render import facts
from artifact_janitor.render.lines import console, emit, line
from artifact_janitor.render.words import shown

_USAGE: Any = next(each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException")
"""Typer brings its own copy of this base class, or takes click's, by version."""


_INTERRUPTED = 130
"""What Typer makes of Ctrl-C; our own exit codes don't know it."""


TIDIES_UP = "nothing is half done: the next janitor run tidies up"


def _interrupted() -> JanitorError:
    return JanitorError("interrupted", TIDIES_UP)


def told(command: Callable[[], int | None], argv: Sequence[str]) -> int:
    """The exit code of a command; what it raises is told to whoever asked."""
    as_json = "--json" in argv
    name = next((word for word in argv if not word.startswith("-")), "")
    try:
        code = int(command() or 0)
        return code if code != _INTERRUPTED else tell(_interrupted(), name, as_json=as_json)
    except JanitorError as error:
        return tell(error, name, as_json=as_json)
    except _USAGE as error:
        hint = f"janitor {name} --help" if name else "janitor --help"
        return tell(UsageError(error.format_message(), hint), name, as_json=as_json)
    except (KeyboardInterrupt, EOFError, typer.Abort):
        return tell(_interrupted(), name, as_json=as_json)
    except OSError as error:
        if _is_about_output(error):
            raise
        return tell(_of_a_disk(error), name, as_json=as_json)


def _is_about_output(error: OSError) -> bool:
    """Whether it was met by what prints, which is not to be told about by printing."""
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    module = str(last.tb_frame.f_globals.get("__name__", "")) if last else ""
    return module.partition(".")[0] in ("rich", "typer", "click") or module.startswith(_SPEAKING)


_SPEAKING = "artifact_janitor.render"


def _of_a_disk(error: OSError) -> JanitorError:
    """An error that nobody expected; the name of its file, or where else to look."""
    named = isinstance(error.filename, str | bytes | os.PathLike)
    where = os.fsdecode(error.filename) if named else f"a file or folder in {os.getcwd()}"
    return JanitorError(f"{where}: {error.strerror or error}", TIDIES_UP, where if named else "")


def tell(error: JanitorError, command: str, *, as_json: bool) -> int:
    """One JSON object on stdout, or some lines on stderr."""
    if as_json:
        emit(facts.answer(command, {}, _facts(error)))
        return error.exit_code
    screen = console(stderr=True)
    screen.print(line((shown(error.message), "bold red")), soft_wrap=True)
    arrow = "→ "
    if isinstance(error, ConfigError):
        arrow = ""
        width = max((len(each.where) for each in error.problems), default=0)
        for each in error.problems:
            row = f"  {shown(each.where):<{width}}   {shown(each.what)}"
            screen.print(line(row), soft_wrap=True)
    if error.hint:
        screen.print(line(arrow, shown(error.hint)), soft_wrap=True)
    return error.exit_code


def _facts(error: JanitorError) -> list[dict[str, str]]:
    if isinstance(error, ConfigError):
        return [
            facts.error(error.code, f"{each.where}: {each.what}", error.hint, error.path)
            for each in error.problems
        ]
    return [facts.error(error.code, error.message, error.hint, error.path)]
