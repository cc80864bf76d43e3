"""A janitor that is killed at any moment loses nothing, and the next one tidies up (S9, S12)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.proof.conftest import Count
from tests.proof.scene import Build
from tests.proof.scenes import SCENES
from tests.real.kills import CALLS, Moment, killed, moments_of, needs_strace, to_prove

pytestmark = needs_strace
each_scene = pytest.mark.parametrize("name", SCENES)


def points(build: Build, place: Path) -> list[Moment]:
    """All moments of a scene in the order of time: (call, which one of its kind)."""
    scene = build(place)
    try:
        return moments_of(scene.start(), place.with_name("trace"))
    finally:
        scene.end()
        shutil.rmtree(place)


def kills(build: Build, place: Path, moments: Iterable[Moment]) -> list[str]:
    wrong = []
    for call, k in moments:
        scene = build(place)
        try:
            came = killed(scene.start(), call, k)
            wrong += [f"{call} {k}: {each}" for each in scene.wrong()]
            wrong += [] if came else [f"{call} {k} never came"]
        finally:
            scene.end()
            shutil.rmtree(place)
    return wrong


def some(every: list[Moment]) -> list[Moment]:
    """Half of the renames, what follows the others, and one of each other call."""
    renames = [at for at, (call, _) in enumerate(every) if call == "renameat2"]
    near = [every[min(at + number % 2, len(every) - 1)] for number, at in enumerate(renames)]
    others = ([each for each in every if each[0] == call] for call in CALLS)
    return sorted({*near, *(mine[len(mine) // 2] for mine in others if mine)}, key=every.index)


@each_scene
def test_nothing_is_lost_by_a_kill(name: str, count: Count, tmp_path: Path) -> None:
    moments = some(points(SCENES[name], tmp_path / "work"))
    assert len(moments) > 5
    count(f"kill: {name}", len(moments), kills(SCENES[name], tmp_path / "work", moments))


@pytest.mark.proof
@each_scene
def test_nothing_is_lost_by_a_kill_at_any_moment(name: str, count: Count, tmp_path: Path) -> None:
    moments = to_prove(points(SCENES[name], tmp_path / "work"))
    count(f"kill: {name}", len(moments), kills(SCENES[name], tmp_path / "work", moments))
