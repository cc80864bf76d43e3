"""The power fails while a run is archived, or right after: nothing is lost (S9, S12).

The janitor is killed as it makes a call, and the filesystem forgets what was not brought to
the disk by then. What is there when it is mounted anew is all that a power cut would leave.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.proof.scenes.archive import (
    UNITS,
    after_archive,
    indexed,
    to_archive,
    unsound,
    workspace,
)
from tests.real.disks import MAKE, cut_power, disk, needs_root
from tests.real.kills import Moment, killed_at, needs_strace, points_of, to_prove
from tests.real.small import FREE, Small, still
from tests.real.snapshot import difference, snapshot

pytestmark = [needs_root, needs_strace]


@pytest.fixture(params=MAKE)
def on_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    with disk(request.param, tmp_path / "disk") as place:
        yield place


def points(root: Path) -> list[Moment]:
    work = workspace(root / "baseline")
    return points_of(work, to_archive(work), root / "trace")


def durable(root: Path) -> Small:
    """A workspace with all its runs on the disk."""
    work = workspace(root)
    subprocess.run(["sync", "-f", str(root)], check=True)
    return work


def power_cuts(place: Path, moments: Iterable[Moment]) -> list[str]:
    wrong = []
    for call, k in moments:
        work = durable(place / f"{call}-{k}")
        before = snapshot(work.root)
        killed_at(work, to_archive(work), call, k)
        cut_power(place)
        wrong += [f"{call} {k}: {each}" for each in after_archive(work, before)]
        shutil.rmtree(work.root)
    return wrong


def test_nothing_is_lost_when_the_power_fails(on_disk: Path) -> None:
    """Around the renames; `make proof` tries every call."""
    every = points(on_disk)
    renames = [at for at, (call, _) in enumerate(every) if call == "renameat2"]
    near = [every[at + 1] for at in (renames[2], renames[-1])]
    assert power_cuts(on_disk, near) == []


@pytest.mark.proof
def test_nothing_is_lost_whenever_the_power_fails(on_disk: Path) -> None:
    every = points(on_disk)
    assert len(every) > 200
    assert power_cuts(on_disk, to_prove(every)) == []


def test_what_is_done_is_durable(on_disk: Path) -> None:
    """The moment the command says so: the archives stand, and the runs are in the trash."""
    work = durable(on_disk / "work")
    before = snapshot(work.root)
    assert work.janitor("archive", *UNITS).code == 0
    cut_power(on_disk)
    assert not any(work.there(unit) for unit in UNITS)
    assert unsound(work, before) == []
    assert work.janitor("verify").code == 0
    assert {each.path for each in indexed(work)} == {*UNITS}
    assert work.janitor("undo").code == 0
    assert difference(still(before), still(snapshot(work.root))) == []


def test_a_store_that_lost_its_power_holds_all_that_was_done(on_disk: Path, tmp_path: Path) -> None:
    """On a disk of its own, which nobody syncs for other reasons."""
    work = workspace(tmp_path / "work")
    work.configure(f"{FREE}\n[archive]\nstore = '{on_disk}'\n")
    assert work.janitor("archive", *UNITS).code == 0
    cut_power(on_disk)
    assert not any(work.there(unit) for unit in UNITS)
    answer = work.janitor("verify")
    assert (answer.code, len(answer.rows("archives"))) == (0, len(UNITS))
