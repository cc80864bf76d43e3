"""What a row of the table says, and whether it still fits the code."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCE = "src/artifact_janitor"
"""Where the files of the table are, in the repository."""


@dataclass(frozen=True)
class Break:
    """One thing that is broken on purpose: in `file` the text `old` becomes `new`.

    `name` says in plain words what the janitor does then. One of the `tests` must fail: files
    in ``tests/``, or tests in them as pytest names them.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def path(self) -> str:
        return f"{SOURCE}/{self.file}"

    def broken(self, text: str) -> str:
        """The file's text with the break. Raises ValueError where the table is stale."""
        if (found := text.count(self.old)) != 1:
            raise ValueError(f"{self.file} holds {found} times, not once: {self.old!r}")
        broken = text.replace(self.old, self.new)
        try:
            ast.parse(broken)
        except SyntaxError as error:
            raise ValueError(f"{self.file} can't be compiled with it: {error}") from error
        return broken


def missing(test: str, repository: Path) -> bool:
    """Whether a named test isn't there any more."""
    file, _, name = test.partition("::")
    known = _functions(repository / "tests" / file)
    return not known or (bool(name) and name.partition("[")[0] not in known)


@cache
def _functions(file: Path) -> frozenset[str]:
    if not file.exists():
        return frozenset()
    tree = ast.parse(file.read_text())
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef))
