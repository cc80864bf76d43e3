"""What ``doctor`` found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from artifact_janitor.checkup import Check
from artifact_janitor.render import facts
from artifact_janitor.render.lines import line
from artifact_janitor.render.words import plural, shown

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def of_checks(checks: Sequence[Check]) -> dict[str, Any]:
    return {
        "checks": [
            {
                "name": each.name,
                "state": each.found.state,
                "what": each.found.what,
                "hint": each.found.hint,
                "path": each.found.path,
            }
            for each in checks
        ]
    }


def problems(checks: Sequence[Check]) -> list[dict[str, str]]:
    """What keeps the janitor from its work."""
    return [
        facts.error("problem", f"{each.name}: {found.what}", found.hint, found.path)
        for each in checks
        if (found := each.found).state == "problem"
    ]


def check_lines(checks: Sequence[Check]) -> Iterator[Text]:
    width = max(len(each.name) for each in checks)
    for each in checks:
        found = each.found
        yield line(
            (f"{found.state:<8}", _STYLES[found.state]),
            f" {each.name:<{width}}  {shown(found.what)}",
        )
        if found.hint:
            yield line(" " * (width + 11), "→ ", (shown(found.hint), "bold"))
    counts = Counter(each.found.state for each in checks)
    told = [plural(counts[state], state) for state in ("problem", "warning") if counts[state]]
    yield line((" · ".join(told) or "Nothing stands in the way.", "bold"))
