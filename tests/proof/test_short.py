"""A disk that does a part of each write or read loses nothing: the rest is asked for."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proof.conftest import Count
from tests.proof.scene import Scene
from tests.proof.scenes import SCENES
from tests.real.account import clean_environment
from tests.real.command import Answer
from tests.real.kills import to_prove
from tests.real.short import Kind, NoCompiler, environ, library

FEW = [("restore", "writes")]
COMMANDS = [each for each in SCENES if not each.startswith(("recovery of", "publish"))]
"""The other scenes are calls in a fork, and no programs."""
WRITERS = ["archive", "restore", "compress", "promote", "gitignore"]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return library(tmp_path_factory.mktemp("short"))
    except NoCompiler as error:
        pytest.skip(str(error))


def ran(scene: Scene, env: dict[str, str], home: Path) -> Answer:
    """The command, as a program of its own."""
    line = [sys.executable, "-m", "artifact_janitor", *scene.args, "--json"]
    done = subprocess.run(
        line, cwd=scene.work.root, env={**clean_environment(home), **env}, capture_output=True
    )
    said = json.loads(done.stdout) if done.stdout else {}
    return Answer(done.returncode, said, done.stderr.decode(errors="backslashreplace"))


def cut(name: str, kind: Kind, k: int, short: Path, place: Path) -> tuple[int, list[str]]:
    """How many reads or writes came, and what is wrong then."""
    count = place.with_name("count")
    count.unlink(missing_ok=True)
    scene = SCENES[name](place)
    try:
        answer = ran(scene, environ(short, kind, k, place, count), place.parent)
        wrong = [] if answer.code == 0 and scene.done() else [f"not done: {answer}"]
        wrong += scene.wrong()
    finally:
        scene.end()
        shutil.rmtree(place)
    came = max(map(int, count.read_text().split()))
    return came, [f"{kind} {k}: {each}" for each in wrong]


@pytest.mark.parametrize(("name", "kind"), FEW)
def test_the_rest_is_asked_for(
    name: str, kind: Kind, count: Count, short: Path, tmp_path: Path
) -> None:
    came, wrong = cut(name, kind, 0, short, tmp_path / "work")
    assert came > 10
    count(f"short {kind}: {name}", came, wrong)


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["writes", "reads"])
@pytest.mark.parametrize("name", COMMANDS)
def test_the_rest_is_asked_for_everywhere(
    name: str, kind: Kind, count: Count, short: Path, tmp_path: Path
) -> None:
    came, wrong = cut(name, kind, 0, short, tmp_path / "work")
    assert came > 0
    count(f"short {kind}: {name}", came, wrong)


@pytest.mark.proof
@pytest.mark.parametrize("name", WRITERS)
def test_the_rest_of_any_single_write_is_asked_for(
    name: str, count: Count, short: Path, tmp_path: Path
) -> None:
    came, wrong = cut(name, "writes", 10**9, short, tmp_path / "work")
    tried = to_prove([("write", k) for k in range(1, came + 1)])
    for _, k in tried:
        wrong += cut(name, "writes", k, short, tmp_path / "work")[1]
    count(f"a short write: {name}", len(tried), wrong)
