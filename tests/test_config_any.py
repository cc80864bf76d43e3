"""Whatever the input, it loads or is a ConfigError."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_janitor.config import load
from artifact_janitor.config.checks import TABLES
from artifact_janitor.config.schema import Schema
from artifact_janitor.errors import ConfigError, Problem

_words = st.sampled_from(
    [*Schema.model_fields, *(key for table in TABLES.values() for key in table.model_fields)]
)
_leaves = (
    st.sampled_from(
        ["log", "hydra-run", "trash", "archive", "14d", "9GB", "logs/**", "outputs", "..", "."]
    )
    | st.text(max_size=8)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.dates(date(1, 1, 1))
)
_values = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_words | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(value[key])}" for key in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str | bool):
        return json.dumps(value)
    return str(value)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("any")
    (folder / "outputs").mkdir()
    (folder / "logs").symlink_to("outputs")
    return folder


def _loads_or_says_why(folder: Path, environ: Mapping[str, str]) -> None:
    problems: tuple[Problem, ...] = (Problem("nowhere", "all is well"),)
    try:
        load(None, environ, folder)
    except ConfigError as error:
        problems = error.problems
    assert problems
    for problem in problems:
        assert problem.where
        assert len(problem.what) < 400
        assert (problem.where + problem.what).isprintable()


@given(st.dictionaries(_words | st.text(max_size=4), _values, max_size=5))
def test_any_tables_load_or_say_why(place: Path, tables: dict[str, object]) -> None:
    text = "\n".join(f"{json.dumps(key)} = {_toml(tables[key])}" for key in tables)
    (place / "config.toml").write_text(text)
    _loads_or_says_why(place, {})


@given(st.lists(st.dictionaries(_words, _values, max_size=4), max_size=3))
def test_any_policies_load_or_say_why(place: Path, policies: list[dict[str, object]]) -> None:
    (place / "config.toml").write_text(f"policy = {_toml(policies)}")
    _loads_or_says_why(place, {})


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_load_or_say_why(place: Path, content: bytes) -> None:
    (place / "config.toml").write_bytes(content)
    _loads_or_says_why(place, {})


@given(
    st.dictionaries(
        st.builds("JANITOR_{}__{}".format, _words, _words).map(str.upper)
        | _words.map(lambda word: f"JANITOR_{word.upper()}")
        | st.text(max_size=5).map(lambda text: f"JANITOR_{text}"),
        st.text(max_size=5) | _values.map(lambda value: json.dumps(value, default=str)),
        max_size=4,
    )
)
def test_any_environment_loads_or_says_why(place: Path, environ: dict[str, str]) -> None:
    (place / "config.toml").write_text("")
    _loads_or_says_why(place, environ)


def test_layers_that_are_too_deep_together_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("archive" + ".a" * 3000 + ".b = 1")
    for depth in range(900, 1010, 2):
        nested = '{"a":' * depth + "1" + "}" * depth
        _loads_or_says_why(tmp_path, {"JANITOR_ARCHIVE": nested})
