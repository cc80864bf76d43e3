"""A folder that changes places with a symlink in mid-step leads nobody out of the roots (S1)."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tests.proof.conftest import Count
from tests.proof.scene import Scene
from tests.proof.scenes import SCENES
from tests.proof.swapping import Swap, a_swap
from tests.real.command import Answer
from tests.real.snapshot import difference

KINDS = (
    *("trash", "slim", "compress", "archive", "restore", "purge", "undo", "expire"),
    *("publish", "publish over", "promote"),
)
ENDS = {0, 1, 3, 5}
TRIALS = 3


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
        before = swap.precious()
        answer = carried_out(scene, swap, None if in_a_loop else chance)
        wrong = [] if answer.code in ENDS and "Traceback" not in answer.stderr else [f"{answer}"]
        swap.end()
        wrong += [f"outside: {each}" for each in difference(before, swap.precious())]
        swap.link.unlink(missing_ok=True)
        wrong += scene.wrong()
        wrong += [f"outside: {each}" for each in difference(before, swap.precious())]
        where = swap.folder.relative_to(place / "work")
        return [f"{name}, {where}: {each}" for each in wrong]
    finally:
        scene.end()
        shutil.rmtree(place)


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
