"""``janitor gitignore check`` beside ``git status``, in a repository of 100,000 files."""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from beside import JANITOR, Target, Work, in_turn, table

FOLDER = 200
"""Files in one folder."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000, help="in the repository")
    parser.add_argument("--times", type=int, default=5, help="rounds that count")
    parser.add_argument("--where", help="the folder in which the repository is made")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.where) as made:
        root = Path(made, "project")
        build(root, asked.files)
        status = Work("`git status`", ["git", "status", "--porcelain"])
        check = Work("`janitor gitignore check`", [*JANITOR, "gitignore", "check"])
        works = [status, check]
        in_turn(works, root, asked.times)
        table(f"check: {asked.files:,} files", works, [Target(check, status, 0, 2.0)])


def build(root: Path, files: int) -> None:
    """Four in five are tracked sources, the others lie in ignored runs."""
    for number in range(files):
        folder = number // FOLDER
        area = f"outputs/day/{folder}" if folder % 5 == 4 else f"src/p{folder // 20}/m{folder}"
        if number % FOLDER == 0:
            os.makedirs(root / area)
        (root / area / f"{number}.py").touch()
    (root / "config.toml").write_text("")
    (root / ".gitignore").write_text("*.pyc\n.venv/\n*.swp\n/build/\n")
    person = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (
        ["git", "init", "-q"],
        [*JANITOR, "gitignore", "sync"],
        ["git", "add", "."],
        ["git", *person, "commit", "-qm", "all"],
    ):
        subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
