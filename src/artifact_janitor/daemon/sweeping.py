"""The threads that have everything else carried out: retention, purges, runs by hand, results.
Each sweep is a program of its own, see `apart`."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, ClassVar

from artifact_janitor import clock
from artifact_janitor.daemon import apart
from artifact_janitor.daemon.hints import Hint, Scope
from artifact_janitor.daemon.shared import Config
from artifact_janitor.daemon.sources import JOBS
from artifact_janitor.daemon.turns import Turns
from artifact_janitor.errors import JanitorError, Locked
from artifact_janitor.units import SECOND

AGAIN = 60.0
"""Seconds after which a sweep that met another janitor at work is tried again."""
MOMENT = 1.0
"""Seconds between two looks whether the end was asked for."""


LONG: tuple[Scope, ...] = ("mend", "retention", "purge", "verify")
"""What may take hours."""
SHORT: tuple[Scope, ...] = ("results", "manual", "gitignore")
"""What takes seconds, and is done beside that."""


class Sweeping(Turns):
    patience = 15.0
    longest: ClassVar[float] = 60.0
    doing = ""
    """What is being done at this moment, and how far it is."""

    def sweep(self, hint: Hint) -> None:
        self.doing, began = hint.scope, clock.read().wall
        try:
            told = self._apart(hint.scope, self.shared.config)
        finally:
            self.doing = ""
        if error := told.get("error"):
            raise Locked(error) if told["code"] == "locked" else JanitorError(error)
        self._say(hint.scope, told)
        is_over = not self._comes_again(hint, told) and not self.shared.ending.is_set()
        if is_over and hint.scope in JOBS:
            self.shared.ran(hint.scope, began)

    def _say(self, scope: Scope, told: Mapping[str, Any]) -> None:
        for each in told.get("found", ()):
            self.shared.said.info(f"after an interruption: {each}")
        for each in told.get("notes", ()):
            self.shared.said.info(f"{scope}: {each}")
        self.shared.said.stands(scope, [f"{scope}: {each}" for each in told.get("held", ())])
        self.shared.swept(scope, told.get("did", ""))

    def _comes_again(self, hint: Hint, told: Mapping[str, Any]) -> bool:
        """Whether something is left of it; what only time brings is planned besides."""
        hints = self.shared.hints
        if at := told.get("again"):
            after = (at - clock.read().wall) / SECOND
            hints.give(hint.scope, "it is time", max(after, MOMENT))
        if told.get("locked"):
            hints.give(hint.scope, hint.why, AGAIN)
        elif told.get("left"):
            hints.give(hint.scope, "the rest of it")
        return bool(told.get("locked") or told.get("left"))

    def _apart(self, scope: Scope, config: Config) -> dict[str, Any]:
        """Have it done. Raises JanitorError where it ended without a word."""
        command = [sys.executable, "-P", "-m", apart.__name__, scope]
        with subprocess.Popen(
            command,
            cwd=config.settings.workspace,
            env=dict(self.shared.source.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the daemon
        ) as begun:
            told: dict[str, Any] | None = None
            with suppress(BrokenPipeError):
                _give(begun, config)
            for line in self._heard(begun, scope):
                said = json.loads(line)
                if "tick" in said:
                    self.doing = f"{scope}, {_far(*said['tick'])}"
                else:
                    told = said
        if told is not None:
            return told
        raise JanitorError(f"it ended without a word ({_how(begun.returncode)})")

    def _heard(self, begun: subprocess.Popen[bytes], scope: Scope) -> Iterator[bytes]:
        """Its lines, as they come. The end is passed on once."""
        assert begun.stdout is not None
        rest, is_told = b"", False
        with selectors.DefaultSelector() as ready:
            ready.register(begun.stdout, selectors.EVENT_READ)
            while True:
                self.alive_at = monotonic()
                if not is_told and (self.shared.ending.is_set() or self._gives_way(scope)):
                    is_told = True
                    _stop(begun)
                if not ready.select(MOMENT / 4):
                    continue
                piece = os.read(begun.stdout.fileno(), 1 << 16)
                if not piece:
                    return
                *lines, rest = (rest + piece).split(b"\n")
                yield from lines

    def _gives_way(self, scope: Scope) -> bool:
        """Whether something that makes room waits for what only reads, for hours maybe."""
        return scope == "verify" and self.shared.hints.is_due(("retention", "purge"))


def _give(begun: subprocess.Popen[bytes], config: Config) -> None:
    assert begun.stdin is not None
    text = config.text
    source = None if text.source is None else str(text.source)
    head = json.dumps({"source": source, "length": len(text.content)})
    begun.stdin.write(head.encode() + b"\n" + text.content)
    begun.stdin.flush()


def _stop(begun: subprocess.Popen[bytes]) -> None:
    assert begun.stdin is not None
    with suppress(OSError):
        os.write(begun.stdin.fileno(), apart.STOP)


def _far(what: str, done: int, total: int) -> str:
    return f"{what}, {100 * done // total} %" if total else what


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
