"""A disk that says no, at any call: nothing is lost, nothing half stands, and the command says so
(S9, S12)."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.proof.conftest import Count
from tests.proof.scene import Build
from tests.proof.scenes import SCENES
from tests.real.faults import (
    CHANGES,
    READS,
    Fault,
    Undisturbed,
    judged,
    met,
    undisturbed,
    unheard,
    untold,
)
from tests.real.kills import needs_strace, to_prove

pytestmark = needs_strace
FAULTS = [
    Fault(errno.EIO),
    Fault(errno.EIO, "for good"),
    Fault(errno.ENOSPC),
    Fault(errno.ENOSPC, "this call for good"),
    Fault(errno.ENOSPC, "for good"),
    Fault(errno.EINTR),
    Fault(errno.EACCES),
    Fault(errno.EACCES, "this call for good"),
    Fault(errno.EROFS),
    Fault(errno.EROFS, "for good"),
]
SOME = {
    "compress": (FAULTS[0], ["fsync", "write"]),
    "publish over": (FAULTS[0], ["fsync", "renameat2"]),
    "undo": (FAULTS[6], ["renameat2"]),
}
"""What the short sweep tries, at the last call of each kind."""


def calm(build: Build, place: Path, calls: Sequence[str]) -> Undisturbed:
    scene = build(place)
    try:
        return undisturbed(scene, place.with_name("trace"), calls)
    finally:
        scene.end()
        shutil.rmtree(place)


def tries(
    build: Build, place: Path, fault: Fault, before: Undisturbed, points: Sequence[int]
) -> tuple[int, list[str]]:
    """How many of these faults were met, and what was wrong then. What could not be read once
    may only look changed, or gone; whatever changes nothing for it need not say what the disk
    said."""
    came, wrong = 0, []
    number = 0 if before.reads else fault.number
    for at in points:
        scene = build(place)
        try:
            fails = fault.of(before.every, at)
            hit, answer = met(scene, place.with_name("trace"), fails)
            found = untold(scene, before.answer, answer, number) + unheard(hit, answer)
            found += judged(scene)
            came += bool(hit)
            wrong += [f"{fault} at {hit[:1]}: {each}" for each in found]
        finally:
            scene.end()
            shutil.rmtree(place)
    return came, wrong


def swept(name: str, fault: Fault, calls: Sequence[str], place: Path) -> tuple[int, list[str]]:
    """All calls; with PROOF_EVERY=N each fault tries others."""
    before = calm(SCENES[name], place, calls)
    shift = FAULTS.index(fault) + [*SCENES].index(name)
    ours = before.ours[shift:] + before.ours[:shift]
    return tries(SCENES[name], place, fault, before, to_prove(ours))


@pytest.mark.parametrize("name", SOME)
def test_nothing_is_lost_by_an_error(name: str, count: Count, tmp_path: Path) -> None:
    fault, calls = SOME[name]
    before = calm(SCENES[name], tmp_path / "work", CHANGES)
    last = {before.every[at][0]: at for at in before.ours}
    points = [last[call] for call in calls]
    came, wrong = tries(SCENES[name], tmp_path / "work", fault, before, points)
    assert came == len(points)
    count(f"{fault}: {name}", came, wrong)


@pytest.mark.proof
@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("name", SCENES)
def test_nothing_is_lost_by_an_error_anywhere(
    name: str, fault: Fault, count: Count, tmp_path: Path
) -> None:
    count(f"{fault}: {name}", *swept(name, fault, CHANGES, tmp_path / "work"))


@pytest.mark.proof
@pytest.mark.parametrize("name", SCENES)
def test_what_cannot_be_read_is_not_taken_for_gone(name: str, count: Count, tmp_path: Path) -> None:
    count(f"EIO of reads: {name}", *swept(name, FAULTS[0], READS, tmp_path / "work"))


@pytest.mark.proof
@pytest.mark.parametrize("name", SCENES)
def test_a_disk_that_lies_about_fsync(name: str, count: Count, tmp_path: Path) -> None:
    """As long as the machine goes on, nobody can tell."""
    before = calm(SCENES[name], tmp_path / "work", CHANGES)
    scene = SCENES[name](tmp_path / "work")
    lies = dict.fromkeys(("fsync", "fdatasync"), "retval=0:when=1+")
    try:
        hit, answer = met(scene, tmp_path / "trace", lies)
        wrong = untold(scene, before.answer, answer, 0) + judged(scene)
        wrong += [] if answer.code == 0 else [f"failed: {answer}"]
    finally:
        scene.end()
    count(f"a lie: {name}", len(hit), wrong)
