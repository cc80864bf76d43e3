"""How things are said: names that are safe to print, sentences. Nothing here needs rich, which a
daemon that only writes a log does without."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

Row = tuple[str, str, str, str, str]
"""Word, path, size, age, reasons."""


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


DOZEN = 12
"""Lines of one sort that are told one by one."""
_LENGTH = re.compile(r"\d+(?:\.\d+)?( (s|min|h|days?|months?|years?)\b)?")


def first_dozen(sentences: Iterable[str], where: str = "janitor status --json") -> Iterator[str]:
    """ "NAME: what is so", each of them; of many that differ in names and numbers alone the first
    dozen, how many more there are, and `where` they are."""
    counts: Counter[str] = Counter()
    for each in sentences:
        said = each.partition(": ")[2].partition(" → ")[0]
        sort = _LENGTH.sub("…", said) or each
        counts[sort] += 1
        if counts[sort] <= DOZEN:
            yield each
    for sort, count in counts.items():
        if count > DOZEN:
            yield f"… and {count - DOZEN} more: {sort} → {where}"


def moment(ns: int) -> str:
    """ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(ns // 10**9, UTC).isoformat()
