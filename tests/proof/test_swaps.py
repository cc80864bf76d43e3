"""A folder that changes places with a symlink in mid-step leads nobody out of the roots (S1)."""

from __future__ import annotations

import os
import random
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from artifact_janitor.apply import trash
from artifact_janitor.apply.ground import Ground
from artifact_janitor.core.model import is_within
from tests.proof.conftest import Count
from tests.proof.scene import Scene
from tests.proof.scenes import SCENES
from tests.proof.swapping import Swap, a_swap
from tests.real.command import Answer
from tests.real.small import small
from tests.real.snapshot import difference

KINDS = (
    *("trash", "slim", "compress", "archive", "restore", "purge", "undo", "expire"),
    *("publish", "publish over", "promote"),
)
ENDS = {0, 1, 2, 3, 4, 5, 99}
KNOWN = {"archive", "jobs", "publishing"}
"""An exchanged model that found no way into the trash, nor back, is kept where it waits."""
TRIALS = 20


def carried_out(scene: Scene, swap: Swap, chance: random.Random | None) -> Answer:
    """With the folder that goes there and back in the janitor's own process, by `chance`, or
    in another one."""

    def first() -> None:
        scene.first()
        if chance:
            swap.at_any_moment(chance)()

    start = lambda: scene.work.start(*scene.args, "--json", first=first).answer()  # noqa: E731
    if chance:
        return start()
    with swap.in_a_loop():
        return start()


def trial(name: str, place: Path, chance: random.Random, *, in_a_loop: bool) -> list[str]:
    place.mkdir()
    scene = SCENES[name](place / "work")
    try:
        swap = a_swap(place / "work", chance)
        before, contents = swap.precious(), held(place / "work", name)
        answer = carried_out(scene, swap, None if in_a_loop else chance)
        wrong = [] if answer.code in ENDS and fell_not(answer) else [f"{answer}"]
        swap.end()
        wrong += [f"outside: {each}" for each in difference(before, swap.precious())]
        swap.link.unlink(missing_ok=True)
        for _ in range(2):  # the next janitors
            again = scene.work.janitor("run", "--yes")
            wrong += [] if again.code in (0, 4) and fell_not(again) else [f"again: {again}"]
        wrong += [f"lost: {each}" for each in contents.keys() - held(place / "work", "").keys()]
        wrong += [f"outside: {each}" for each in difference(before, swap.precious())]
        wrong += [f"left over: {each}" for each in scene.work.leftovers() if each not in KNOWN]
        where = swap.folder.relative_to(place / "work")
        return [f"{name}, {where}: {each}" for each in wrong]
    finally:
        scene.end()
        shutil.rmtree(place)


def held(root: Path, name: str) -> dict[str, Path]:
    """All contents of files, by digest, but those of the janitor's journal and of what the
    command is asked to remove for good."""
    gone = {"purge": ".janitor/trash", "expire": ".janitor/archive"}.get(name)
    found = {}
    for folder, _, names in os.walk(root):
        path = os.path.relpath(folder, root)
        if path == ".janitor" or (gone and is_within(path, gone)):
            continue
        for each in names:
            file = Path(folder, each)
            if file.is_file() and not file.is_symlink():
                found[sha256(file.read_bytes()).hexdigest()] = file
    return found


def fell_not(answer: Answer) -> bool:
    """A scene that is no command of its own tells errors by an exception."""
    return "Traceback" not in answer.stderr or "\nartifact_janitor.errors." in answer.stderr


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """The same for all who run this test."""
    return random.Random(request.node.name)


@pytest.mark.proof
@pytest.mark.parametrize("in_a_loop", [False, True], ids=["at its calls", "in a loop"])
@pytest.mark.parametrize("name", KINDS)
def test_a_swapped_folder_leads_nowhere(
    name: str, in_a_loop: bool, chance: random.Random, count: Count, tmp_path: Path
) -> None:
    wrong = [
        line
        for _ in range(TRIALS)
        for line in trial(name, tmp_path / "place", chance, in_a_loop=in_a_loop)
    ]
    count(f"swap{' in a loop' * in_a_loop}: {name}", TRIALS, wrong)


def test_a_folder_above_a_root_leads_nowhere(count: Count, tmp_path: Path) -> None:
    """The way to a root was resolved once; a link on it that came later is not followed."""
    (tmp_path / "work" / "training" / "runs" / "a").mkdir(parents=True)
    (tmp_path / "outside" / "runs" / "a").mkdir(parents=True)
    ground = Ground(tmp_path / "work", ["training/runs"])
    assert ground.has("training/runs/a")
    (tmp_path / "work" / "training").rename(tmp_path / "aside")
    (tmp_path / "work" / "training").symlink_to(tmp_path / "outside")
    count("a root that is reached by a link", 1, ["followed"] * ground.has("training/runs/a"))


def test_what_was_taken_instead_and_can_not_go_back_is_found_by_undo(
    count: Count, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody puts another folder there right before the rename, and one more after it."""
    (tmp_path / "work").mkdir()
    work = small(tmp_path / "work")
    run = work.root / work.hydra(30, "outputs/day/run")
    seen, rename = work.look(), trash.rename

    def late(source: tuple[int, str], target: tuple[int, str]) -> None:
        if run.exists() and not (tmp_path / "first").exists():
            run.rename(tmp_path / "first")
            work.write("outputs/day/run/second.txt")
            rename(source, target)
            work.write("outputs/day/run/third.txt")
        else:
            rename(source, target)

    monkeypatch.setattr(trash, "rename", late)
    (outcome,) = work.run(seen).outcomes
    wrong = [] if outcome.outcome == "failed" and "in the trash" in outcome.why else [outcome.why]
    run.rename(tmp_path / "third")
    undone = work.janitor("undo", "--last", "1")
    wrong += [f"{undone}"] if undone.code else []
    places = (tmp_path / "first/train.log", run / "second.txt", tmp_path / "third/third.txt")
    count("taken instead", 1, wrong + [f"lost: {each}" for each in places if not each.exists()])
