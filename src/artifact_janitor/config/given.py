"""What the person gave: config.toml and the environment, read but not yet judged."""

from __future__ import annotations

import json
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from artifact_janitor import regular
from artifact_janitor.config.said import said
from artifact_janitor.config.schema import PREFIX, Schema
from artifact_janitor.config.table import Table
from artifact_janitor.config.values import meant
from artifact_janitor.errors import ConfigError, Problem

LARGEST = 1_000_000
"""Bytes. No configuration is larger; what is, is some other file."""

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Given:
    """Both layers as they are, and which variable put what into the environment's."""

    file: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, object] = field(default_factory=dict)
    variables: Mapping[Place, str] = field(default_factory=dict)
    wrong: tuple[Problem, ...] = ()
    """What could not even be read out of the environment."""

    def validated(self) -> Schema:
        """Raises pydantic.ValidationError with everything that the schema refuses."""
        layers: dict[str, Any] = {"environment": self.environment, "file": self.file}
        return Schema(**layers)

    @property
    def folders(self) -> dict[str, object]:
        """The folders that the person named; the environment wins."""
        return self.table("folders")

    def table(self, name: str) -> dict[str, object]:
        """All keys of a table, from both layers."""
        layers = [layer.get(name) for layer in (self.file, self.environment)]
        return {key: each[key] for each in layers if isinstance(each, dict) for key in each}

    @property
    def policies(self) -> list[dict[str, object]]:
        return self.rows("policy")

    def rows(self, name: str) -> list[dict[str, object]]:
        """Of a list of tables. Whatever stands in the place of one and is none counts as an
        empty one."""
        given = self.environment.get(name, self.file.get(name, []))
        listed = given if isinstance(given, list) else []
        return [row if isinstance(row, dict) else {} for row in listed]

    def place(self, where: Place) -> str:
        """As a person would write it: ``policy[1].keep_last``, or the variable's name."""
        for end in range(len(where), 0, -1):
            if variable := self.variables.get(where[:end]):
                return variable + _path(where[end:])
        return _path(where).removeprefix(".")


def _path(where: Place) -> str:
    """Dotted, counted from 1, names quoted where TOML quotes them."""
    return "".join(f"[{step + 1}]" if isinstance(step, int) else "." + _key(step) for step in where)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name) else said(name)


def content_of(source: Path, shown: str) -> bytes:
    """All of the file. Raises ConfigError with one problem, `shown` being the file's name."""
    try:
        return _content(source)
    except OSError as error:
        wrong = Problem("file", f"can't be read: {error.strerror or error}")
        raise ConfigError(shown, [wrong]) from None


def tables(content: bytes, shown: str) -> dict[str, object]:
    """The file's tables. Raises ConfigError with one problem, `shown` being the file's name."""
    try:
        return tomllib.loads(content.removeprefix(b"\xef\xbb\xbf").decode())
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        wrong = Problem(f"line {line}", "is no UTF-8 text: save the file as UTF-8")
    except (ValueError, RecursionError) as error:
        wrong = _syntax(error)
    raise ConfigError(shown, [wrong]) from None


def _content(source: Path) -> bytes:
    status = source.stat()
    if stat.S_ISDIR(status.st_mode):
        raise OSError(f"it is a folder; name the file in it: {source / 'config.toml'}")
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is no regular file")
    if status.st_size > LARGEST:
        raise OSError(f"it holds more than {LARGEST // 1_000_000} MB, which no configuration does")
    return regular.content(source, LARGEST)


def _syntax(error: Exception) -> Problem:
    """tomllib gives the place within its message only: "… (at line 3, column 5)"."""
    if isinstance(error, RecursionError):
        return Problem("file", "is nested too deeply")
    match = re.fullmatch(r"(.*) \(at (.*)\)", str(error), re.DOTALL)
    if not match:  # Python's own limit on the digits of a number
        return Problem("file", "holds a number that is too large")
    what, where = match.groups()
    return Problem(where, f"is no TOML: {what}")


def read(file: Mapping[str, object], environ: Mapping[str, str]) -> Given:
    """The file's tables and the settings in variables like ``JANITOR_SAFETY__GRACE``.

    A value that begins like a JSON list or object is read as one. Variables that are no
    settings are wrong, because a slip in a name would keep less than the person asked for.
    """
    tree: dict[str, object] = {}
    variables: dict[Place, str] = {}
    wrong: list[Problem] = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name != PREFIX + "CONFIG":
            try:
                where = _settle(name)
                _put(tree, where, _value(environ[name]))
                variables[where] = name
            except ValueError as error:
                wrong.append(Problem(_key(name), str(error)))
    return Given(file, tree, variables, tuple(wrong))


def _settle(name: str) -> tuple[str, ...]:
    """Where a variable belongs. Raises ValueError where nothing has this name."""
    where = tuple(name.removeprefix(PREFIX).lower().split("__"))
    known = list(_variables())
    if name in known:
        return where
    guess = meant(name.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in known])
    advice = f"did you mean {PREFIX}{guess}?" if guess else "unset it"
    raise ValueError(f"is no setting; {advice}")


def _variables() -> Iterator[str]:
    for table, table_field in Schema.model_fields.items():
        yield f"{PREFIX}{table}".upper()
        kind = table_field.annotation
        if isinstance(kind, type) and issubclass(kind, Table):
            yield from (f"{PREFIX}{table}__{key}".upper() for key in kind.model_fields)


def _value(text: str) -> object:
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"is no JSON: {error}") from None


def _put(tree: dict[str, object], where: tuple[str, ...], value: object) -> None:
    """Raises ValueError where another variable already gave the table around it as text."""
    for step in where[:-1]:
        inner = tree.setdefault(step, {})
        if not isinstance(inner, dict):
            raise ValueError(f"contradicts {PREFIX}{step.upper()}; unset one of them")
        tree = inner
    tree[where[-1]] = value
