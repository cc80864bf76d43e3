"""What every table of the schema is made of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def setting(default: Any, meaning: str, example: object = None) -> Any:
    """A key: its default and an example as written in the file, and what it means."""
    examples = [default if example is None else example]
    if default is None:
        return Field(None, description=meaning, examples=examples)
    return Field(default, validate_default=True, description=meaning, examples=examples)
