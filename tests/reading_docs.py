"""The documentation as the tests read it: pages, blocks of code, commands, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
WRITTEN = [page for page in PAGES if page.name not in ("commands.md", "benchmarks.md")]
"""By hand, for users: the others are made from the code, or hold figures."""

_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"(?:^|[&|;] *|\* +)((?:[A-Z_]+=\S+ +)*)(?:\S*/)?janitor(?= |$)([^&|;#>]*)")
"""As typed, after `&&`, or in a line of a crontab; with variables before it."""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and its text, as it stands in the page."""

    page: Path
    language: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    for _, language, text in _BLOCK.findall(page.read_text()):
        yield Block(page, language, dedent(text))


def prose(page: Path) -> str:
    """What is no block of code."""
    return _BLOCK.sub("", page.read_text())


@dataclass(frozen=True)
class Command:
    """``janitor`` as it is typed: the words after it, and the variables before it."""

    words: tuple[str, ...]
    variables: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((*self.variables, "janitor", *self.words))


def commands(page: Path) -> set[Command]:
    """All that a page tells people to type, in blocks and in the text."""
    spans = _SPAN.findall(prose(page))
    lines = [line for block in blocks(page) for line in _typed(block)]
    return {command for text in (*lines, *spans) for command in _in(text)}


def _typed(block: Block) -> list[str]:
    """Where a prompt stands in a block, the other lines are answers."""
    lines = block.text.splitlines()
    prompted = [line[2:] for line in lines if line.startswith("$ ")]
    return [] if block.language == "toml" else prompted or lines


def _in(text: str) -> Iterator[Command]:
    for variables, words in _COMMAND.findall(text):
        plain = words.translate(str.maketrans("", "", "[]…"))  # janitor undo [ID]
        yield Command(tuple(shlex.split(plain)), tuple(variables.split()))


# ---------------------------------------------------------------- screens

LEFT_OUT = "…"
"""Alone on a line: lines of the real screen that the page leaves out."""


@dataclass(frozen=True)
class Screen:
    """A command that a page shows at a prompt, and what it answers."""

    page: Path
    command: str
    shown: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page.stem}: {self.command}"


def screens(page: Path) -> list[Screen]:
    """Those in blocks of the language ``console``, in order."""
    found: list[Screen] = []
    for block in blocks(page):
        if block.language == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, *shown = part.rstrip().splitlines()
                found.append(Screen(page, command, tuple(shown)))
    return found


_SAME = (
    (r"\b\d+ (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)( \d{4})?\b|\b\d\d:\d\d\b", "DAY"),
    (r"\(python[^)]*\)", "(python)"),
    (r"\b[0-9a-f]{4}\b|\d+(\.\d+)?", "0"),
    (r"\b0 ([kMGT]?B)\b", "SIZE"),
    (r"\b0 (s|min|h|days?)\b", "TIME"),
    (r"\s+", " "),
)
"""What may differ from one time to the next: dates, names of sweeps, numbers, sizes, ages."""


def plain(line: str) -> str:
    for what, word in _SAME:
        line = re.sub(what, word, line)
    return line.strip()


def differences(shown: tuple[str, ...], real: list[str]) -> str:
    """Where the page shows what the program doesn't say; "" where it doesn't."""
    try:
        aligned(shown, real)
    except LookupError as error:
        return str(error)
    return ""


def aligned(shown: tuple[str, ...], real: list[str]) -> list[tuple[str, str]]:
    """Each line that the page shows, and the real line that it stands for.

    Lines follow each other on the page as they do on the screen, but where it says that
    some are left out. Raises LookupError with the first line that isn't there.
    """
    found: list[tuple[str, str]] = []
    at, free = 0, False
    for part in _parts(shown):
        if part is None:
            free = True
            continue
        starts = range(at, len(real) - len(part) + 1) if free else [at]
        start = next((each for each in starts if _same(part, real[each:])), None)
        if start is None:
            raise LookupError("not on the real screen: " + "\n".join(part))
        at, free = start + len(part), False
        found += zip(part, real[start:at], strict=True)
    if not free and any(line.strip() for line in real[at:]):
        raise LookupError(f"the real screen goes on: {real[at]}")
    return found


def _parts(shown: tuple[str, ...]) -> Iterator[list[str] | None]:
    """Lines that follow each other; None where some are left out."""
    part: list[str] = []
    for line in shown:
        if line.strip() == LEFT_OUT:
            if part:
                yield part
            part = []
            yield None
        else:
            part.append(line)
    if part:
        yield part


def _same(part: list[str], real: list[str]) -> bool:
    return [plain(line) for line in part] == [plain(line) for line in real[: len(part)]]
