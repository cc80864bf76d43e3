"""What a run was configured with: the answer of ``history --config``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from artifact_janitor.recall import Recalled, Version
from artifact_janitor.render.lines import line
from artifact_janitor.render.words import moment, plural, shown


def of_recalled(found: Recalled) -> dict[str, Any]:
    """All files as text; bytes that are no UTF-8 stay as lone surrogate escapes."""
    newest, *earlier = found.versions
    return {
        "path": found.run.path,
        "wandb_id": found.run.run_id or None,
        "is_there": found.is_there,
        "main": found.main,
        **_of_version(newest),
        "earlier": [_of_version(each) for each in earlier],
    }


def _of_version(version: Version) -> dict[str, Any]:
    texts = {name: body.decode("utf-8", "surrogateescape") for name, body in version.files.items()}
    files = [{"name": name, "text": text} for name, text in texts.items()]
    return {"seen": moment(version.seen), "files": files}


def beside_lines(found: Recalled, asked: str) -> Iterator[Text]:
    """Where this comes from, and what is kept beside it."""
    seen = moment(found.versions[0].seen)[:10]
    state = "it is still there" if found.is_there else "it is gone"
    yield line((f"{shown(found.run.path)}/{shown(found.main)}", "bold"), f" · {seen}, {state}")
    others = [name for name in found.versions[0].files if name != found.main]
    if others:
        yield line(f"also kept: {', '.join(map(shown, others))}")
    if more := len(found.versions) - 1:
        yield line(f"it was another one before: {plural(more, 'earlier version')}")
    if others or more:
        command = f"janitor history --config {shown(shlex.quote(asked))} --json"
        yield line("All of it: ", (command, "bold"))
