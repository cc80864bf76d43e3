"""Tell an error: what, where, and what to do."""

from __future__ import annotations

from artifact_janitor.errors import ConfigError, JanitorError
from artifact_janitor.render import facts
from artifact_janitor.render.words import console, emit, line, shown


def tell(error: JanitorError, command: str, *, as_json: bool) -> None:
    """One JSON object on stdout, or some lines on stderr."""
    if as_json:
        emit(facts.answer(command, {}, _facts(error)))
        return
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


def _facts(error: JanitorError) -> list[dict[str, str]]:
    if isinstance(error, ConfigError):
        return [
            facts.error(error.code, f"{each.where}: {each.what}", error.hint, error.path)
            for each in error.problems
        ]
    return [facts.error(error.code, error.message, error.hint, error.path)]
