"""A config.toml in a folder, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from artifact_janitor.config import Settings, load
from artifact_janitor.errors import ConfigError


def settings(folder: Path, text: str = "", environ: Mapping[str, str] | None = None) -> Settings:
    (folder / "config.toml").write_text(text)
    return load(None, environ or {}, folder)


def wrong(
    folder: Path, text: str = "", environ: Mapping[str, str] | None = None
) -> list[tuple[str, str]]:
    """Every problem, with its place. The text must have one."""
    with pytest.raises(ConfigError) as error:
        settings(folder, text, environ)
    assert error.value.exit_code == 2
    return [(problem.where, problem.what) for problem in error.value.problems]
