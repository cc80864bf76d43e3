"""A janitor that is killed at any moment loses nothing, and the next one tidies up (S9, S12)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from tests.proof.conftest import Count
from tests.proof.scene import Build
from tests.proof.scenes import SCENES, SHORT
from tests.real.kills import Moment, killed, moments_of, needs_strace, to_prove
from tests.real.small import still
from tests.real.snapshot import difference, snapshot

pytestmark = needs_strace


def points(build: Build, place: Path) -> list[Moment]:
    """All moments of a scene in the order of time: (call, which one of its kind)."""
    scene = build(place)
    try:
        return moments_of(scene.start(), place.with_name("trace"))
    finally:
        scene.end()
        shutil.rmtree(place)


def kills(build: Build, place: Path, moments: Sequence[Moment]) -> list[str]:
    """All that was wrong. A few moments may not come again: how often SQLite unlinks, or a
    module is opened that is imported late, is not always the same."""
    wrong, late = [], []
    for call, k in moments:
        scene = build(place)
        try:
            late += [] if killed(scene.start(), call, k) else [f"{call} {k} never came"]
            wrong += [f"{call} {k}: {each}" for each in scene.wrong()]
        finally:
            scene.end()
            shutil.rmtree(place)
    return wrong if len(late) <= len(moments) / 20 else wrong + late


def telling(every: Sequence[Moment]) -> list[Moment]:
    """The moments of which most can be wrong: one thing was renamed, and the journal does not say
    so; all were but one, and the journal may not say more."""
    renames = renames_of(every)
    first, last = (renames[0] + 1, renames[-1]) if renames else (len(every) // 2, len(every) - 1)
    return [every[at] for at in sorted({first, last})]


def renames_of(every: Sequence[Moment]) -> list[int]:
    return [at for at, (call, _) in enumerate(every) if call in ("rename", "renameat2")]


def swept(name: str, count: Count, place: Path, moments: Iterable[Moment]) -> None:
    moments = [*moments]
    count(f"kill: {name}", len(moments), kills(SCENES[name], place, moments))


@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_lost_by_a_kill(name: str, count: Count, tmp_path: Path) -> None:
    place = tmp_path / "work"
    swept(name, count, place, telling(points(SCENES[name], place)))


@pytest.mark.proof
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("name", SCENES)
def test_nothing_is_lost_by_a_kill_at_any_moment(name: str, count: Count, tmp_path: Path) -> None:
    place = tmp_path / "work"
    swept(name, count, place, to_prove(points(SCENES[name], place)))


def test_undo_knows_what_a_killed_janitor_had_done(tmp_path: Path) -> None:
    """Its units had moved, and only the journal didn't say so yet: that is the last sweep."""
    place, build = tmp_path / "work", SCENES["trash"]
    every = points(build, place)
    journalled = every[renames_of(every)[-1] + 1]
    scene = build(place)
    before = snapshot(place)
    assert killed(scene.start(), *journalled)
    assert scene.done()
    assert scene.work.janitor("undo").code == 0
    assert difference(still(before), still(snapshot(place))) == []


def test_an_archive_whose_source_left_is_kept(count: Count, tmp_path: Path) -> None:
    """It is all there is by then, and the journal does not say so."""
    every = points(SCENES["archive"], tmp_path / "work")
    left = every[renames_of(every)[-1] + 1]
    swept("archive", count, tmp_path / "work", [left])
