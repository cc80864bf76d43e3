"""A value as an error names it."""

from __future__ import annotations

from artifact_janitor.units import quoted

MOST = 1_000_000_000
"""The largest number that a counting rule takes."""


def said(value: object) -> str:
    """A value as an error names it: short, on one line, in the words of TOML."""
    match value:
        case str():
            return quoted(value)
        case dict():
            return "a table"
        case list():
            return "a list"
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case int() if abs(value) > MOST**4:
            return "a huge number"
    return str(value)
