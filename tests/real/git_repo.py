"""Workspaces in real repositories, and what real Git says of paths in them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.real.small import Small

IDENTITY = {
    "GIT_AUTHOR_NAME": "A Person",
    "GIT_AUTHOR_EMAIL": "person@example.org",
    "GIT_COMMITTER_NAME": "A Person",
    "GIT_COMMITTER_EMAIL": "person@example.org",
}


def git(where: Path, *args: str, given: bytes = b"", **env: str) -> bytes:
    """What a Git command of a person's prints; whoever runs the tests has no say in it."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    fixed = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", *args],
        cwd=where,
        env=mine | fixed | IDENTITY | env,
        input=given,
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, 1), (args, done.stderr.decode(errors="replace"))
    return done.stdout


def ignored(where: Path, paths: Iterable[str], **env: str) -> dict[str, bool]:
    """By the rules alone, be a path tracked or not: a match that starts with "!" is kept."""
    paths = [*paths]
    given = b"\0".join(os.fsencode(each) for each in paths)
    options = ("check-ignore", "-z", "-v", "-n", "--no-index", "--stdin")
    fields = git(where, *options, given=given, **env).split(b"\0")
    said = {os.fsdecode(path): rule for rule, path in zip(fields[2::4], fields[3::4], strict=False)}
    return {each: bool(said[each]) and not said[each].startswith(b"!") for each in said}


@dataclass(frozen=True)
class Repo(Small):
    """A workspace in a repository."""

    def git(self, *args: str, **env: str) -> str:
        return os.fsdecode(git(self.root, *args, **env))

    def rules(self, text: str | bytes, folder: str = "") -> None:
        self.write(f"{folder}.gitignore", text)

    def has(self, *paths: str) -> None:
        for each in paths:
            self.write(each)

    def ignores(self, *paths: str, **env: str) -> set[str]:
        return {path for path, yes in ignored(self.root, paths, **env).items() if yes}

    @property
    def text(self) -> bytes:
        return (self.root / ".gitignore").read_bytes()

    def sync(self) -> int:
        return self.janitor("gitignore", "sync").code

    def finds(self) -> list[dict[str, object]]:
        """What ``check`` says; the exit code agrees with it."""
        answer = self.janitor("gitignore", "check")
        assert answer.code == (10 if answer.facts["findings"] else 0), answer
        found: list[dict[str, object]] = answer.facts["findings"]
        return found


def repo(root: Path, config: str = "", *options: str) -> Repo:
    root.mkdir(parents=True, exist_ok=True)
    found = Repo(root)
    found.configure(config)
    git(root, "init", "-q", "-b", "main", *options)
    return found
