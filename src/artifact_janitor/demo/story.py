"""Tell the whole story on the demo project: plan, run, why, undo, status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rich.console import Console

from artifact_janitor.demo.project import Demo, build
from artifact_janitor.errors import JanitorError
from artifact_janitor.render.words import line


def tell(folder: Path, screen: Console) -> int:
    """Build the project in `folder` and run the real commands in it. Returns an exit code."""
    title = "A small project, made by real Hydra, W&B and torch"
    screen.print(line((title, "bold"), f"  {folder}"))
    with build(folder, lambda said: screen.print(line(("  · ", "dim"), said))) as demo:
        story = _Story(demo, screen)
        story.chapter("What would go, and why?", "plan")
        story.chapter("An old run that stays: why?", "why", demo.highlights["released"])
        story.chapter("And this one?", "why", demo.highlights["live"])
        story.chapter("Do it.", "run", "--yes")
        story.chapter("How are things now?", "status")
        story.chapter("Second thoughts: take it all back.", "undo")
        story.chapter("What was done?", "history")
    screen.print()
    screen.print(line("The project stays in ", (str(folder), "bold"), ". Look around:"))
    screen.print(line((f"  cd {folder} && janitor plan --kept", "bold cyan")))
    return 0


class _Story:
    """Chapters, each a command that really runs."""

    def __init__(self, demo: Demo, screen: Console) -> None:
        self.demo = demo
        self.screen = screen

    def chapter(self, title: str, *words: str) -> None:
        self.screen.print()
        self.screen.print(line((f"── {title} ", "bold"), ("─" * (76 - len(title)), "dim")))
        self.screen.print(line(("$ ", "dim"), ("janitor " + " ".join(words), "bold cyan")))
        command = [sys.executable, "-m", "artifact_janitor", *words]
        done = subprocess.run(command, cwd=self.demo.folder, check=False)
        if done.returncode:
            raise JanitorError(f"janitor {words[0]} failed with {done.returncode}")
