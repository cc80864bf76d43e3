"""The hook, installed by the real pre-commit: what is too large doesn't get in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reading_docs import ROOT
from tests.real.account import clean_environment
from tests.real.git_repo import IDENTITY, Repo, repo

BIN = Path(sys.executable).parent
LARGE = 200 * 10**6
LOCAL = """\
repos:
- repo: local
  hooks:
  - id: janitor-gitignore
    name: janitor
    entry: {entry}
    language: system
    pass_filenames: false
    always_run: true
"""
FROM_CLONE = """\
repos:
- repo: {clone}
  rev: {rev}
  hooks:
  - id: janitor-gitignore
"""


def environment(home: Path) -> dict[str, str]:
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "PRE_COMMIT_HOME": str(home / "pre-commit")}
    return {**clean_environment(home), **IDENTITY, **quiet}


def commits(work: Repo, home: Path, *paths: str) -> tuple[int, str]:
    """``git add -f`` and ``git commit`` as a person types them; the hook runs in between."""
    env = environment(home)
    subprocess.run(["git", "add", "-f", *paths], cwd=work.root, env=env, check=True)
    done = subprocess.run(
        ["git", "commit", "-m", "a change"],
        cwd=work.root,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def hooked(tmp_path: Path, config: str) -> Repo:
    work = repo(tmp_path / "project")
    work.write(".pre-commit-config.yaml", config)
    assert work.sync() == 0
    install = [str(BIN / "pre-commit"), "install"]
    env = environment(tmp_path)
    subprocess.run(install, cwd=work.root, env=env, check=True, capture_output=True)
    return work


def blocks_what_is_large(work: Repo, home: Path) -> None:
    code, said = commits(work, home, ".gitignore", "config.toml", ".pre-commit-config.yaml")
    assert code == 0, said
    work.write("best_models/champion_meta.json", '{"metric": 0.7}\n')
    code, said = commits(work, home, "best_models/champion_meta.json")
    assert code == 0, said
    work.write("training/runs/a/checkpoint_9.pt", b"")
    os.truncate(work.root / "training/runs/a/checkpoint_9.pt", LARGE)
    code, said = commits(work, home, "training/runs/a/checkpoint_9.pt")
    assert code != 0
    assert "training/runs/a/checkpoint_9.pt" in said
    assert "200 MB" in said
    assert "champion_meta.json" in work.git("ls-tree", "-r", "--name-only", "HEAD")
    assert "checkpoint_9.pt" not in work.git("ls-tree", "-r", "--name-only", "HEAD")


def test_a_hook_of_ones_own(tmp_path: Path) -> None:
    """With the janitor that is installed already: pre-commit needs no environment for it."""
    work = hooked(tmp_path, LOCAL.format(entry=f"{BIN}/janitor gitignore check"))
    blocks_what_is_large(work, tmp_path)


@pytest.mark.proof
def test_the_hook_from_a_clone(tmp_path: Path) -> None:
    """pre-commit makes an environment for it, from the package registry."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    rev = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=clone, check=True, capture_output=True, text=True
    )
    work = hooked(tmp_path, FROM_CLONE.format(clone=clone, rev=rev.stdout.strip()))
    blocks_what_is_large(work, tmp_path)


def test_the_hook_is_the_command() -> None:
    said = (ROOT / ".pre-commit-hooks.yaml").read_text()
    assert "id: janitor-gitignore" in said
    assert "entry: janitor gitignore check" in said
    assert "pass_filenames: false" in said
