"""``.gitignore`` and the policy, as a person and as a program read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.text import Text

from artifact_janitor.core.gitignore import FILE
from artifact_janitor.core.gitignore_proof import Finding
from artifact_janitor.gitignoring import Checked, Synced
from artifact_janitor.render.lines import line
from artifact_janitor.render.words import plural, shown

NO_GIT = "No Git repository here: there is nothing to hold."


def of_checked(found: Checked) -> dict[str, Any]:
    return {
        "git": found.sight is not None,
        "findings": [_of_finding(each) for each in found.findings],
        "diff": found.sight.diff if found.sight else [],
        "paths": found.paths,
    }


def _of_finding(each: Finding) -> dict[str, Any]:
    return {
        "code": each.code,
        "path": each.path,
        "what": each.what,
        "hint": each.hint,
        "file": each.file,
        "line": each.line,
        "rule": each.rule,
        "more": each.more,
    }


def of_synced(done: Synced) -> dict[str, Any]:
    return {
        "state": done.state,
        "why": done.why,
        "sweep": done.sweep,
        "refused": [
            {"code": each.code, "path": each.path, "message": each.message, "hint": each.hint}
            for each in done.refusals
        ],
        "diff": [*done.diff],
    }


def check_lines(found: Checked) -> Iterator[Text]:
    if found.sight is None:
        yield Text(NO_GIT)
        return
    if not found.findings:
        yield line((f"{FILE} says what the policy says", "bold"), f" · {found.paths} paths asked")
    for each in found.findings:
        yield from _finding_lines(each)


def _finding_lines(each: Finding) -> Iterator[Text]:
    rule = f"{shown(each.rule)} " if each.file and each.rule else ""
    more = f" (and {plural(each.more, 'other path')})" if each.more else ""
    yield line((shown(each.where), "bold"), f"  {rule}{shown(each.what)}{more}")
    yield line("  → ", (shown(each.hint), "bold"))


def diff_lines(found: Checked) -> Iterator[Text]:
    if found.sight is None:
        yield Text(NO_GIT)
        return
    conflicts = [each for each in found.findings if each.code not in ("drift", "large", "tracked")]
    for each in conflicts:
        yield from _finding_lines(each)
    made = found.sight.change
    if made is not None and made.is_none:
        yield line((f"{FILE} says what the policy says", "bold"))
    yield from _diff(found.sight.diff)


def _diff(diff: Iterable[str]) -> Iterator[Text]:
    return (line((shown(text), _style(text))) for text in diff)


def _style(text: str) -> str:
    return {"+": "green", "-": "red", "@": "cyan"}.get(text[:1], "")


def sync_lines(done: Synced) -> Iterator[Text]:
    match done.state:
        case "none":
            yield Text(NO_GIT)
        case "nothing":
            yield line((f"{FILE} says what the policy says", "bold"), ": nothing to do")
        case "done":
            more, less = (sum(each.startswith(sign) for each in done.diff[2:]) for sign in "+-")
            counts = f" · {plural(more, 'new line')}, {less} gone"
            yield line((f"Wrote {FILE}", "bold"), counts)
            yield line("Take it back: ", (f"janitor undo {done.sweep}", "bold"))
        case _:
            yield line(("Nothing was written", "bold yellow"))
            for each in done.refusals:
                yield line("  ", shown(each.message))
                yield line("    → ", (shown(each.hint), "bold")) if each.hint else Text()
            if not done.refusals:
                yield line("  ", shown(done.why))
            yield from _diff(done.diff)
