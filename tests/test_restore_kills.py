"""A janitor that is killed while it restores loses nothing, and leaves nothing half (S9, S12)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.kills import evenly, needs_strace, to_prove
from tests.test_archive_kills import MOMENTS, sweep_of_kills, to_restore
from tests.test_recovery import points


@needs_strace
def test_nothing_is_lost_by_a_kill(tmp_path: Path) -> None:
    moments = evenly(points(tmp_path, to_restore), MOMENTS, 6)[::2]
    assert len(moments) > 3
    assert sweep_of_kills(tmp_path, to_restore, moments) == []


@needs_strace
@pytest.mark.proof
def test_nothing_is_lost_by_a_kill_at_any_moment(tmp_path: Path) -> None:
    assert sweep_of_kills(tmp_path, to_restore, to_prove(points(tmp_path, to_restore))) == []
