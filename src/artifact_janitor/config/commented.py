"""The commented config.toml, made from the schema: one place says what a key means."""

from __future__ import annotations

import json
from textwrap import fill

from pydantic.fields import FieldInfo

from artifact_janitor.config.schema import (
    ArchiveTable,
    FolderTable,
    PolicyTable,
    SafetyTable,
    Table,
)

WIDTH = 88
INTRODUCTION = """\
The configuration of Artifact Janitor: what to keep, and where it is. The folder that holds
this file is the workspace.

A line that begins with "#" and no space is a setting with its default, or an example:
remove the "#" and change it. Without a policy nothing is ever removed; janitor plan says
what would go, and why, and changes nothing.

Durations are written "14d", "36h", "90m" (minutes), "2w". A variable of the environment
wins over this file: JANITOR_SAFETY__GRACE=12h."""

EXAMPLES = """\
#[[policy]]
#kind = "wandb-run"
#keep_within = "30d"

#[[policy]]
#kind = "checkpoint"
#keep_last = 3
#keep_daily = 7

#[[policy]]
#kind = "log"
#keep_within = "90d"
"""


def sample() -> str:
    """The text of a config.toml that changes nothing as it stands."""
    head = "\n#\n".join(_prose(paragraph) for paragraph in INTRODUCTION.split("\n\n"))
    tables = (
        _table("[folders]", FolderTable),
        _table("[safety]", SafetyTable),
        _table("[archive]", ArchiveTable),
        _table("#[[policy]]", PolicyTable),
        EXAMPLES,
    )
    return "\n\n".join((head, *tables))


def _table(header: str, table: type[Table]) -> str:
    lines = [_prose(table.__doc__ or ""), header]
    for key, field in table.model_fields.items():
        lines += [_prose(field.description or ""), f"#{key} = {_example(field)}"]
    return "\n".join(lines) + "\n"


def _example(field: FieldInfo) -> str:
    return _toml((field.examples or [field.default])[0])


def _toml(value: object) -> str:
    """For the strings and numbers of the schema, JSON writes the same."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(value[key])}" for key in value) + " }"
    return json.dumps(value)


def _prose(text: str) -> str:
    return fill(" ".join(text.split()), WIDTH, initial_indent="# ", subsequent_indent="# ")
