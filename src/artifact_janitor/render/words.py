"""How things are said: names that are safe to print, rows of a table, sentences."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

WIDE = 118
"""From this many columns on, a row and its reasons share a line."""

PIPED = 10_000
"""Nothing is cut or wrapped where no person is looking."""


def console(*, color: bool = True, stderr: bool = False) -> Console:
    """A console that takes no markup from file names, and respects NO_COLOR."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        file=stream,
        width=None if stream.isatty() else PIPED,
        no_color=True if not color or "NO_COLOR" in os.environ else None,
        markup=False,
        highlight=False,
        emoji=False,
    )


def emit(text: str) -> None:
    """Print for a program."""
    print(text)


def emit_bytes(content: bytes) -> None:
    """Print exactly these bytes, whatever the encoding of the terminal."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def shown(path: str) -> str:
    """A path as it can be printed: bytes that are no text, and controls, are escaped."""
    return "".join(char if char.isprintable() else _escaped(char) for char in path)


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


def plural(count: int, word: str) -> str:
    """ "1 unit", "2 units", "no units", "2 studies"."""
    many = f"{word[:-1]}ies" if re.search("[^aeiou]y$", word) else f"{word}s"
    return f"{count or 'no'} {word if count == 1 else many}"


_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


def wording(sentence: str) -> str:
    """A sentence without its numbers."""
    return _NUMBER.sub("#", sentence)


def together(sentences: Sequence[str]) -> str:
    """Sentences of one wording as one: "val_f1 0.4 … 0.6 is not in the 3 best"."""
    columns = zip(*(_NUMBER.split(each) for each in sentences), strict=True)
    return "".join(_span(column) for column in columns)


def _span(parts: Sequence[str]) -> str:
    """The parts in one place of several sentences: from the least to the largest number."""
    if len({*parts}) == 1:
        return parts[0]
    return f"{min(parts, key=float)} … {max(parts, key=float)}"


def line(*parts: str | tuple[str, str]) -> Text:
    """One line from plain and styled parts."""
    return Text.assemble(*parts)


Row = tuple[str, str, str, str, str]
"""Word, path, size, age, reasons."""


def table(rows: Iterable[Row], width: int) -> Iterable[Text]:
    """Rows in columns; the reasons get a line of their own where it is narrow."""
    rows = [*rows]
    first = max((len(row[0]) for row in rows), default=0)
    second = min(max((len(shown(row[1])) for row in rows), default=0), max(width - 40, 24))
    for word, path, size, age, reasons in rows:
        place = _shortened(shown(path), second)
        head = f"  {word:<{first}}  {place:<{second}}  {size:>7}  {age:>9}"
        styled = Text(head)
        styled.stylize("bold", 2, 2 + first)
        if width >= WIDE:
            yield Text.assemble(styled, "   ", (shown(reasons), "dim"))
        else:
            yield styled
            yield Text(f"  {'':<{first}}  {shown(reasons)}", style="dim")


def _shortened(path: str, width: int) -> str:
    """The end of a path tells more than its middle."""
    if len(path) <= width:
        return path
    keep = width - 1
    return path[: keep // 3] + "…" + path[-(keep - keep // 3) :]
