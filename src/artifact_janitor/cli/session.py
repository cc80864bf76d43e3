"""What a command needs: the settings, and a way to answer in text or JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from artifact_janitor.cli.options import Asked
from artifact_janitor.config import Settings, load
from artifact_janitor.observe.liveness import ignore_lease_breaks
from artifact_janitor.render import facts
from artifact_janitor.render.lines import console, emit, line
from artifact_janitor.render.text import View
from artifact_janitor.render.words import shown

Tick = Callable[[str, int, int], None]


class Session:
    """One command that was asked for."""

    def __init__(self, command: str, asked: Asked) -> None:
        self.command = command
        self.asked = asked
        ignore_lease_breaks()

    @cached_property
    def settings(self) -> Settings:
        """Raises ConfigError with everything that is wrong."""
        return load(self.asked.config, os.environ, Path.cwd())

    @cached_property
    def screen(self) -> Console:
        return console(color=self.asked.color)

    def notes(self) -> list[str]:
        """What a person should know about the settings themselves."""
        notes = [*self.settings.notes]
        if not self.settings.policies:
            where = "config.toml has no policy" if self.settings.source else "no config.toml here"
            notes.append(f"{where}: without a policy nothing ever goes")
        return notes

    def view(self, *, all_steps: bool = False, all_kept: bool = False) -> View:
        return View(self.screen.width, all_steps, all_kept)

    def say(self, lines: Iterable[Text]) -> None:
        """Print for a person, unless a program or silence was asked for."""
        if not self.asked.as_json and not self.asked.quiet:
            for each in lines:
                self.screen.print(each, soft_wrap=True)

    def answer(
        self,
        found: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        lines: Iterable[Text],
        errors: Iterable[dict[str, str]] = (),
    ) -> None:
        """The command's result: one JSON object, or these lines.

        `found` may be a call that makes it: a plan's can be large, and most read the lines.
        """
        if self.asked.as_json:
            emit(facts.answer(self.command, found() if callable(found) else found, errors))
        else:
            self.say(lines)
            for each in errors if self.asked.quiet else ():
                self._complain(each)

    def _complain(self, error: Mapping[str, str]) -> None:
        """What went wrong is told to those who want to hear of nothing else, too."""
        path = f"{shown(error['path'])}: " if error["path"] else ""
        screen = console(color=self.asked.color, stderr=True)
        screen.print(line(path, shown(error["message"])), soft_wrap=True)

    @property
    def is_interactive(self) -> bool:
        return sys.stdin.isatty() and sys.stdout.isatty() and not self.asked.as_json

    @contextmanager
    def progress(self) -> Iterator[Tick]:
        """A progress bar on a terminal for what takes over a second; silence elsewhere."""
        if self.asked.quiet or self.asked.as_json or not sys.stderr.isatty():
            yield lambda _what, _done, _total: None
            return
        from artifact_janitor.render.progress import bar

        with bar(console(color=self.asked.color, stderr=True)) as tick:
            yield tick
