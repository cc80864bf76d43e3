"""The commented config.toml, made from the schema: one place says what a key means."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from textwrap import fill

from pydantic.fields import FieldInfo

from artifact_janitor.config.schedule import ScheduleTable
from artifact_janitor.config.schema import (
    ArchiveTable,
    DiskTable,
    FolderTable,
    PolicyTable,
    RetrainTable,
    SafetyTable,
)
from artifact_janitor.config.table import Table

WIDTH = 88
INTRODUCTION = """\
The configuration of Artifact Janitor: what to keep, and where it is. The folder that holds
this file is the workspace.

A line that begins with "#" and no space is a setting with its default, or an example:
remove the "#" and change it. Without a policy nothing is ever removed; janitor plan says
what would go, and why, and changes nothing.

Durations are written "14d", "36h", "90m" (minutes), "2w", sizes "50GB", "500MB", "2TiB". A
variable of the environment wins over this file: JANITOR_SAFETY__GRACE=12h."""

WANDB = """\
#[[policy]]
#kind = "wandb-run"
#keep_within = "30d"
"""
WANDB_KEYS = ("unsynced", "uploaded_before")
"""They stand in the example of this kind, because they mean nothing to others."""

FUNCTION_KEYS = ("function",)
"""They stand in an example of their own, because they take the place of others."""

EXAMPLES = """\
#[[policy]]
#kind = "checkpoint"
#keep_last = 3
#keep_daily = 7

#[[policy]]
#kind = "log"
#keep_within = "30d"
#then = "compress"
"""


def sample() -> str:
    """The text of a config.toml that changes nothing as it stands."""
    head = "\n#\n".join(_prose(paragraph) for paragraph in INTRODUCTION.split("\n\n"))
    tables = (
        _table("[folders]", FolderTable),
        _table("[safety]", SafetyTable),
        _table("[disk]", DiskTable),
        _table("[archive]", ArchiveTable),
        _table("#[[policy]]", PolicyTable, WANDB_KEYS),
        WANDB + "\n".join(_keys(PolicyTable, WANDB_KEYS)) + "\n\n" + EXAMPLES,
        _table("#[[retrain]]", RetrainTable, FUNCTION_KEYS),
        "#[[retrain]]\n" + "\n".join(_keys(RetrainTable, FUNCTION_KEYS)) + "\n",
        _table("[schedule]", ScheduleTable),
    )
    return "\n\n".join((head, *tables))


def _table(header: str, table: type[Table], without: Iterable[str] = ()) -> str:
    keys = [key for key in table.model_fields if key not in without]
    return "\n".join((_prose(table.__doc__ or ""), header, *_keys(table, keys))) + "\n"


def _keys(table: type[Table], keys: Iterable[str]) -> Iterator[str]:
    for key in keys:
        field = table.model_fields[key]
        yield from (_prose(field.description or ""), f"#{key} = {_example(field)}")


def _example(field: FieldInfo) -> str:
    return toml((field.examples or [field.default])[0])


def toml(value: object) -> str:
    """For the strings, numbers and switches of the schema, JSON writes the same."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(value[key])}" for key in value) + " }"
    return json.dumps(value)


def _prose(text: str) -> str:
    return fill(" ".join(text.split()), WIDTH, initial_indent="# ", subsequent_indent="# ")
