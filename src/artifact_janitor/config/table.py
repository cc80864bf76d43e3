"""What every table of config.toml is made of: a key with its meaning, default and example."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from artifact_janitor.config import values


def setting(default: Any, meaning: str, example: object = None) -> Any:
    """A key: its default and an example as written in the file, and what it means."""
    examples = [default if example is None else example]
    if default is None:
        return Field(None, description=meaning, examples=examples)
    return Field(default, validate_default=True, description=meaning, examples=examples)


Duration = Annotated[int, PlainValidator(values.duration)]
Count = Annotated[int | None, PlainValidator(values.count)]
Size = Annotated[int | None, PlainValidator(values.size)]
Folder = Annotated[tuple[str, ...], PlainValidator(values.one_folder)]
Folders = Annotated[tuple[str, ...], PlainValidator(values.some_folders)]


class Table(BaseModel):
    """A table of the file: its docstring is the comment above it in the sample."""

    model_config = ConfigDict(extra="forbid", frozen=True)
