"""Tell the whole story on the demo project: plan, run, why, undo, status, and a study."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from artifact_janitor.demo.forecast import FORECAST, PRICES, SEARCH, prepare
from artifact_janitor.demo.project import Demo, build, environment
from artifact_janitor.errors import JanitorError
from artifact_janitor.render.lines import line


def tell(folder: Path, screen: Console) -> int:
    """Build the project in `folder` and run the real commands in it. Returns an exit code."""
    title = "A small project, made by real Hydra, W&B, Optuna and torch"
    screen.print(line((title, "bold"), f"  {folder}"))
    with build(folder, lambda said: screen.print(line(("  · ", "dim"), said))) as demo:
        story = _Story(demo, screen)
        story.janitor("What would go, and why?", "plan")
        story.janitor("An old run that stays: why?", "why", demo.highlights["released"])
        story.janitor("And this one?", "why", demo.highlights["live"])
        story.janitor("Do it.", "run", "--yes")
        story.janitor("How are things now?", "status")
        story.janitor("Second thoughts: take it all back.", "undo")
        story.janitor("What was done?", "history")
        prepare(folder)
        story.chapter(f"A study: which settings forecast {PRICES} best?", SEARCH)
        story.janitor("Is it finished?", "studies")
        story.janitor("Then train its best trials again, and publish.", "run", "--yes", "--wait")
        story.chapter("How likely is a fall, or a rise, in the next hour?", FORECAST, last=4)
    screen.print()
    screen.print(line("The project stays in ", (str(folder), "bold"), ". Look around:"))
    screen.print(line((f"  cd {folder} && janitor plan --kept", "bold cyan")))
    return 0


class _Story:
    """Chapters, each a command that really runs."""

    def __init__(self, demo: Demo, screen: Console) -> None:
        self.demo = demo
        self.screen = screen

    def janitor(self, title: str, *words: str) -> None:
        self.chapter(title, ("janitor", *words))

    def chapter(self, title: str, command: Sequence[str], last: int = 0) -> None:
        """`last` is how many lines of what it prints are shown; 0 for all."""
        pipe = f" | tail -n {last}" if last else ""
        self.screen.print()
        self.screen.print(line((f"── {title} ", "bold"), ("─" * (76 - len(title)), "dim")))
        self.screen.print(line(("$ ", "dim"), (" ".join(command) + pipe, "bold cyan")))
        program = ["-m", "artifact_janitor"] if command[0] == "janitor" else []
        done = subprocess.run(
            [sys.executable, *program, *command[1:]],
            cwd=self.demo.folder,
            env=environment(self.demo.folder),
            stdout=subprocess.PIPE if last else None,
            text=True,
            check=False,
        )
        if done.returncode:
            raise JanitorError(f"{' '.join(command[:3])} … failed with {done.returncode}")
        for said in (done.stdout or "").splitlines()[-last:]:
            self.screen.print(line(said))
