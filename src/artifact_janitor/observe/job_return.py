"""What a Hydra job returned: the end of ``job_return.pickle``, read and never unpickled.

`PickleJobInfoCallback` writes a ``JobReturn``, whose last two attributes are its status
(COMPLETED = 1, FAILED = 2) and its return value (measured with Hydra 1.3, Python 3.11). They
stand at the very end, so that nothing in the job's configuration can be taken for them.
"""

from __future__ import annotations

import os
import pickletools
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from artifact_janitor.regular import open_regular

LIMIT = 1 << 20
"""Bytes of the file; Hydra's own configuration takes about 12 kB of it."""

Operation = tuple[str, object]


def return_value(path: Path) -> float | None:
    """The number that the job returned; None where it failed, or returned something else.

    Raises OSError where the file can't be read, ValueError where it is damaged or larger
    than `LIMIT`.
    """
    fd = open_regular(path)
    with os.fdopen(fd, "rb") as file:
        if os.fstat(fd).st_size > LIMIT:
            raise ValueError("too large")
        pickled = file.read(LIMIT)
    match [*deque(_operations(pickled), maxlen=12)]:
        case [
            (_, "status"),
            _,  # the module
            (_, "JobStatus"),
            ("STACK_GLOBAL", _),
            ("BININT1", 1),
            ("TUPLE1", _),
            ("REDUCE", _),
            (_, "_return_value"),
            ("BINFLOAT" | "BININT" | "BININT1" | "BININT2" | "LONG1", int() | float() as value),
            ("SETITEMS", _),
            ("BUILD", _),
            ("STOP", _),
        ]:
            return value
    return None


_PUTS = frozenset({"MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"})
_GETS = frozenset({"BINGET", "LONG_BINGET", "GET"})


def _operations(pickled: bytes) -> Iterator[Operation]:
    """Follows the memo, since a text that comes again is only pointed at."""
    memo: dict[object, object] = {}
    pushed: object = None
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name in _PUTS:
            memo[len(memo) if argument is None else argument] = pushed
        elif opcode.name != "FRAME":
            pushed = memo.get(argument) if opcode.name in _GETS else argument
            yield opcode.name, pushed
