"""A ``.gitignore`` and the policy in, a ``.gitignore`` out: one marked block in it is ours.

Outside the block nothing changes, not a byte. A block that somebody edited, doubled or cut in
half is left alone, and said. Text is decoded with ``surrogateescape``; lines end where Git ends
them, at a newline.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from artifact_janitor.core.gitignore_rules import Rule

FORMAT = 1
FILE = ".gitignore"
_BEGIN = "# >>> artifact-janitor"
_END = "# <<< artifact-janitor <<<"
_HEAD = re.compile(rf"{_BEGIN} ([0-9]+) ([0-9a-f]{{16}}) >>>")
_MARKS = (_BEGIN, _END[:-4])
_NOTE = (
    "# Written by `janitor gitignore sync` from config.toml: change [gitignore] there, not these"
    " lines."
)
_BOM = "\ufeff"
_UTF16 = ("\udcff\udcfe", "\udcfe\udcff")


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why the file is left alone: at which line, and what to do."""

    what: str
    hint: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Our lines in a file: the first, and the one after the last, counted from 0."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a file; None where there is none, or shall be none."""

    old: str | None
    new: str | None

    @property
    def is_none(self) -> bool:
        return self.old == self.new

    def diff(self) -> list[str]:
        """As ``diff -u`` writes it, without line ends."""
        old, new = ([*_lines(each)] if each is not None else [] for each in (self.old, self.new))
        names = (f"a/{FILE}", f"b/{FILE}")
        return [each.rstrip("\r\n") for each in difflib.unified_diff(old, new, *names)]


def change(text: str | None, rules: Sequence[Rule]) -> Change | Flaw:
    """The file as it is, None where there is none, and as the policy wants it."""
    found = block_of(text or "")
    if isinstance(found, Flaw):
        return found
    lines = [*_lines(text or "")]
    eol = _line_end(text or "")
    ours = _block(rules, eol)
    if found is not None:
        lines[found.start : found.stop] = ours
    elif ours:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += eol
        lines += ours
    if text is None and not ours:
        return Change(None, None)
    return Change(text, "".join(lines))


def block_of(text: str) -> Block | Flaw | None:
    """Where our block is, or why nobody can tell; None where there is none."""
    if text.startswith(_UTF16):
        return Flaw(
            "it is written in UTF-16, which Git can't read",
            f"iconv -f UTF-16 -t UTF-8 {FILE} > new && mv new {FILE}",
        )
    lines = [each.strip("\r\n").removeprefix(_BOM) for each in _lines(text)]
    if clash := next((n for n, each in enumerate(lines, 1) if each.startswith("<<<<<<< ")), 0):
        return Flaw("it holds the marks of a merge that is not over", "finish the merge", clash)
    begins = [n for n, each in enumerate(lines) if each.strip().startswith(_BEGIN)]
    ends = [n for n, each in enumerate(lines) if each.strip().startswith(_END[:-4])]
    if not begins and not ends:
        return None
    if len(begins) > 1 or len(ends) > 1:
        again = (begins if len(begins) > 1 else ends)[1]
        return Flaw("the janitor's block is in it twice", _REMOVE, again + 1)
    if len(begins) + len(ends) < 2 or ends[0] < begins[0]:
        half = (begins or ends)[0]
        return Flaw("only half of the janitor's block is in it", _REMOVE, half + 1)
    return _sound(lines, begins[0], ends[0])


_REMOVE = (
    "move lines of your own out of the block, remove the rest of it with both marks, and run"
    " janitor gitignore sync"
)


def _sound(lines: Sequence[str], start: int, end: int) -> Block | Flaw:
    head = _HEAD.fullmatch(lines[start])
    if head and int(head[1]) > FORMAT:
        newer = f"its block has format {head[1]}, this version knows {FORMAT}"
        return Flaw(newer, "update artifact-janitor", start + 1)
    if not head or lines[end] != _END or _digest(lines[start + 1 : end]) != head[2]:
        return Flaw("the janitor's block was edited", _REMOVE, start + 1)
    return Block(start, end + 1)


def as_it_should_be(text: str, rules: Sequence[Rule]) -> Change:
    """What would become of a file whose block is not as it was: only to be shown."""
    lines = [*_lines(text)]
    marks = [n for n, each in enumerate(lines) if each.lstrip(_BOM + " ").startswith(_MARKS)]
    start, stop = (marks[0], marks[-1] + 1) if marks else (len(lines), len(lines))
    lines[start:stop] = _block(rules, _line_end(text))
    return Change(text, "".join(lines))


def without_block(text: str) -> str:
    """The person's own rules, each on its line: ours are blank."""
    found = block_of(text)
    if not isinstance(found, Block):
        return text
    lines = [*_lines(text)]
    lines[found.start : found.stop] = ["\n"] * (found.stop - found.start)
    return "".join(lines)


def ours(text: str | None) -> list[str]:
    """The rules in our block, none where there is no sound one."""
    found = block_of(text or "")
    if not isinstance(found, Block):
        return []
    lines = [each.rstrip("\r\n") for each in _lines(text or "")]
    return [each for each in lines[found.start : found.stop] if not each.startswith("#")]


def lines_before(change: Change) -> Callable[[int], int]:
    """Where a line of the new file is in the one that is there, counted from 1; 0 for ours."""
    old, new = (block_of(each or "") for each in (change.old, change.new))
    if not isinstance(new, Block):
        return lambda line: line
    start, stop = new.start, new.stop
    more = stop - start - (old.stop - old.start if isinstance(old, Block) else 0)
    return lambda line: line if line <= start else line - more if line > stop else 0


def lines_of(rules: Sequence[Rule]) -> list[str]:
    """What stands in the file. Of equal lines the last one counts."""
    texts = [each.text for each in rules if each.means != "wish"]
    return [*dict.fromkeys(reversed(texts))][::-1]


def _block(rules: Sequence[Rule], eol: str) -> list[str]:
    body = lines_of(rules)
    if not body:
        return []
    inner = [_NOTE, *body]
    head = f"{_BEGIN} {FORMAT} {_digest(inner)} >>>"
    return [each + eol for each in (head, *inner, _END)]


def _digest(lines: Sequence[str]) -> str:
    joined = "\n".join(lines).encode("utf-8", "surrogateescape")
    return sha256(joined).hexdigest()[:16]


def _lines(text: str) -> Iterator[str]:
    """With their ends; `str.splitlines` knows ends that Git doesn't."""
    *whole, rest = text.split("\n")
    yield from (f"{each}\n" for each in whole)
    if rest:
        yield rest


def _line_end(text: str) -> str:
    """What most lines end with."""
    return "\r\n" if 2 * text.count("\r\n") > text.count("\n") else "\n"
