"""Results of a study, as JSON and as plots: a program that runs in a process of its own.

Only here are Optuna and matplotlib imported. It reads a private copy of the study, and writes
into the folder that it is told; what becomes of the files is not its business.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

MISSING = 69
"""The exit code where an extra is not installed; the answer says what is missing."""


def serve(main: Callable[[dict[str, Any]], dict[str, Any]], needs: Sequence[str]) -> int:
    """An order on stdin, an answer on stdout, both JSON; the exit code."""
    missing = [name for name in needs if find_spec(name) is None]
    answer: dict[str, Any] = {"missing": missing}
    if not missing:
        try:
            answer = main(json.load(sys.stdin))
        except Exception as error:  # noqa: BLE001 - whatever a library raises becomes a note
            said = next(iter(str(error).splitlines()), "")
            answer = {"error": f"{type(error).__name__}: {said[:300]}"}
    print(json.dumps(answer))  # noqa: T201 - this is its answer
    return MISSING if missing else 0
