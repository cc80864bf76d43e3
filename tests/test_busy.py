"""Days of a busy project in minutes: nothing is missed, touched, lost, or done twice.

The whole of it is a program, too: ``python -m tests.busy.replay``; see docs/benchmarks.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.busy.fast import NoCompiler
from tests.busy.people import acts, one_day
from tests.busy.replay import Found, replayed

ROOM = 4096
"""KiB that the daemon may grow by between its first third and its end."""


def well(place: Path, *how: object) -> Found:
    try:
        found = replayed(place, *how)  # type: ignore[arg-type]
    except NoCompiler as missing:
        pytest.skip(str(missing))
    assert {name: each for name, each in found.wrong.items() if each} == {}
    return found


def test_a_day_with_three_kills(tmp_path: Path) -> None:
    found = well(tmp_path, one_day(), 1, 4800, 3)
    assert found.figures["trainings"]["published"] >= 2
    assert sum(found.figures["kills"].values()) == 3


@pytest.mark.proof
def test_ten_days(tmp_path: Path) -> None:
    found = well(tmp_path, acts(10, 1), 10, 720)
    for warm, late, _ in found.figures["daemon"].values():
        assert late <= warm + ROOM
    assert found.figures["trainings"]["published"] >= 20


@pytest.mark.proof
def test_ten_days_with_a_hundred_kills(tmp_path: Path) -> None:
    found = well(tmp_path, acts(10, 2), 10, 720, 100, 2)
    assert sum(found.figures["kills"].values()) == 100
