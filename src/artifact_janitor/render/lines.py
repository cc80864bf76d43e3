"""Where and how text is printed: the console, lines of plain and styled parts, rows of a table."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from artifact_janitor.render.words import Row, shown

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


def line(*parts: str | tuple[str, str]) -> Text:
    """One line from plain and styled parts."""
    return Text.assemble(*parts)


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
