"""Write docs/reference/ from the code: ``python docs/generate.py``, or ``make docs``.

config.md comes from the schema, commands.md from the commands' own signatures, so that a
key, an option or a default is said once. tests/test_docs.py holds the files against this.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.models import ArgumentInfo, OptionInfo

from artifact_janitor.cli.app import COMMANDS, function_of
from artifact_janitor.cli.options import OPTIONS
from artifact_janitor.config.commented import toml
from artifact_janitor.config.schema import PREFIX, Schema
from artifact_janitor.config.table import Table

HERE = Path(__file__).parent / "reference"
WIDTH = 96
MADE = "<!-- Made by docs/generate.py from the code: change that, then `make docs`. -->"

CONFIG = """\
# config.toml

{made}

The folder that holds the file is the workspace, and every path in it is relative to that
folder. `--config PATH` names the file, else `JANITOR_CONFIG`, else it is `./config.toml`.
`janitor init` writes one that fits your project; [config.toml](../../config.toml) is the
whole of it as a commented sample. Without a policy nothing is ever removed.

An unknown key or a value that can't be is an error, and all errors are told at once, each
with its place: `policy[1].keep_lats   unknown key; did you mean keep_last?`

- A duration is `"90s"`, `"90m"` (minutes), `"36h"`, `"14d"` or `"2w"`. Months and years are
  written in days.
- A size is decimal, `"50GB"`, or binary, `"50GiB"`.
- In a path pattern a whole `**` is any folders, `*` and `?` stay within one name, and `[ab]`
  is one of a set.
"""

COMMANDS_PAGE = """\
# The commands

{made}

`janitor COMMAND --help` says the same. What each prints with `--json`: [json.md](json.md).
The variables of the environment: [config.md](config.md#environment).
"""

EXIT_CODES = {
    0: "Done. Steps that were skipped are reported, and are no error.",
    1: "An error: the message says what, where, and what to do.",
    2: "The command line or the configuration asks for something that can't be.",
    3: "Partly done: a step failed, or what `undo` was asked for was purged.",
    4: "Refused: a guard held steps back, the answer was no, or there was no terminal to ask on"
    " and no `--yes`.",
    5: "Another janitor holds the workspace: try again later.",
    10: "`janitor plan --exit-code` and `janitor gitignore check` only: there is something to do.",
}


def pages() -> dict[str, str]:
    """The text of each generated page, by its name in docs/reference/."""
    return {"config.md": config_page(), "commands.md": commands_page()}


# ---------------------------------------------------------------- config.md


def config_page() -> str:
    tables = [_table(name, *found) for name, found in tables_of_schema().items()]
    return "\n".join([CONFIG.format(made=MADE), *tables, _environment()])


def tables_of_schema() -> dict[str, tuple[str, type[Table]]]:
    """Every table that this version acts on: its header as it is written, and its keys."""
    found = {}
    for name, field in Schema.model_fields.items():
        inner = [*get_args(field.annotation), field.annotation]
        for each in inner:
            if isinstance(each, type) and issubclass(each, Table):
                found[name] = (f"[[{name}]]" if len(inner) > 1 else f"[{name}]", each)
    return found


def _table(name: str, header: str, table: type[Table]) -> str:
    keys = [_key(key, field) for key, field in table.model_fields.items()]
    return "\n".join([f"## {header}\n", _prose(table.__doc__ or "") + "\n", *keys, ""])


def _key(key: str, field: FieldInfo) -> str:
    said = [f"`{key}`", *_value(field)]
    text = f"{', '.join(said)}: {field.description or ''}"
    return _listed(text + _inner(field))


def _value(field: FieldInfo) -> Iterator[str]:
    """ "required", "default …", "such as …": as the value is written in the file."""
    default = field.get_default()
    example = (field.examples or [default])[0]
    if field.is_required():
        yield "required"
    elif default is not None:
        yield f"default `{toml(default)}`"
    if example != default:
        yield f"such as `{toml(example)}`"


def _inner(field: FieldInfo) -> str:
    """The keys of a table in a key, where it is one."""
    for each in get_args(field.annotation):
        if isinstance(each, type) and issubclass(each, BaseModel):
            keys = (
                " ".join([f"`{key}`", *_value(inner)]) for key, inner in each.model_fields.items()
            )
            return " Its keys: " + ", ".join(keys) + "."
    return ""


def _environment() -> str:
    tables = tables_of_schema()
    single = ", ".join(f"`[{name}]`" for name, (header, _) in tables.items() if header[1] != "[")
    whole = ", ".join(f"`{PREFIX}{name.upper()}`" for name in tables)
    text = (
        "A variable wins over the file. A value that begins with `[` or `{` is read as JSON. A name"
        f" that begins with `{PREFIX}` and is no setting is an error."
    )
    lines = [
        _listed(f"`{PREFIX}CONFIG`: the file to read, where `--config` names none."),
        _listed(f"`{PREFIX}TABLE__KEY`: a key of {single}, as in `{PREFIX}SAFETY__GRACE=12h`."),
        _listed(f"{whole}: the whole table, as JSON."),
        _listed("`NO_COLOR`: with any value, no colour, as `--no-color`."),
    ]
    return "\n".join(["## Environment\n", _prose(text) + "\n", *lines, ""])


# ---------------------------------------------------------------- commands.md


def commands_page() -> str:
    commands = [_command(name, function_of(name)) for name in COMMANDS]
    return "\n".join([COMMANDS_PAGE.format(made=MADE), *commands, _global(), _codes()])


def _command(name: str, function: Callable[..., int]) -> str:
    own = [*inspect.signature(function, eval_str=True).parameters.values()][1:]
    taken = [_taken(each.annotation, each.default) for each in own]
    usage = " ".join(["janitor", name, *(each.usage for each in taken)])
    lines = [f"## janitor {name}\n", f"`{usage}`\n", _prose(inspect.getdoc(function) or "")]
    return "\n".join([*lines, *([""] if taken else []), *(each.line for each in taken), ""])


def _taken(annotation: object, default: object = None) -> _Taken:
    kind, info = get_args(annotation)
    return _Taken(kind, info, default)


@dataclass(frozen=True, slots=True)
class _Taken:
    """An argument or an option: its type, and what Typer is told of it."""

    kind: object
    info: OptionInfo | ArgumentInfo
    default: object = None

    @property
    def names(self) -> list[str]:
        """Short ones first. In an annotation Typer finds the first of them as `default`."""
        if isinstance(self.info, ArgumentInfo):
            return []
        return sorted((str(self.info.default), *(self.info.param_decls or ())), key=len)

    @property
    def value(self) -> str:
        given: dict[object, str] = {bool: "", int: "N", str: "TEXT"}
        return self.info.metavar or given.get(self.kind, "PATH")

    @property
    def usage(self) -> str:
        words = " ".join([*self.names[-1:], *([self.value] if self.value else [])])
        return f"[{words}]" if self.names else words

    @property
    def line(self) -> str:
        spelt = " ".join(filter(None, (", ".join(self.names), self.value)))
        unsaid = self.default in (None, False, "", inspect.Parameter.empty)
        default = "" if unsaid else f" Default: `{self.default}`."
        return _listed(f"`{spelt}`: {self.info.help}{default}")


def _global() -> str:
    lines = ["## Options of every command\n", "Before the command's name or after it.\n"]
    lines += [_taken(annotation).line for annotation in OPTIONS.values()]
    lines.append(_listed("`-h, --help`: what a command does, and its options."))
    alone = "`--version`, `--install-completion`, `--show-completion`: without a command."
    lines += [_listed(alone), *(_listed(each) for each in _shadowed())]
    return "\n".join([*lines, ""])


def _shadowed() -> Iterator[str]:
    for name in COMMANDS:
        for each in OPTIONS.keys() & inspect.signature(function_of(name)).parameters:
            option = _taken(OPTIONS[each]).names[-1]
            yield f"`janitor {name}` has its own `{option}`: write this one before the name there."


def _codes() -> str:
    lines = [_listed(f"`{code}` {meaning}") for code, meaning in EXIT_CODES.items()]
    return "\n".join(["## Exit codes\n", *lines, ""])


# ---------------------------------------------------------------- text


def _prose(text: str) -> str:
    return fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def _listed(text: str) -> str:
    whole = " ".join(text.split())
    return fill(
        f"- {whole}",
        WIDTH,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    for _name, _text in pages().items():
        (HERE / _name).write_text(_text, encoding="utf-8")
