"""Days of a busy project in minutes: nothing is missed, touched, lost, or done twice.

The whole of it is a program, too: ``python -m tests.busy.replay``; see docs/benchmarks.md.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.busy.fast import NoCompiler
from tests.busy.ledger import Ledger, account, books, twice
from tests.busy.people import acts, one_day
from tests.busy.replay import Found, replayed
from tests.real.small import Small, small

ROOM = {"rss": 4096, "files": 4, "threads": 2}
"""What the daemon may grow by between its first third and its end: KiB, open files, threads."""


def well(place: Path, *how: object) -> Found:
    try:
        found = replayed(place, *how)  # type: ignore[arg-type]
    except NoCompiler as missing:
        pytest.skip(str(missing))
    assert {name: each for name, each in found.wrong.items() if each} == {}
    return found


def test_the_judge_sees_what_is_lost_touched_or_done_twice(tmp_path: Path) -> None:
    work, run, live = small(tmp_path), "outputs/day/run", "outputs/day/live"
    work.hydra(30, run)
    work.hydra(0, live)
    ledger = Ledger(work.root)
    ledger.finished(run)
    ledger.begun(live)
    ledger.look()
    assert work.janitor("run", "--yes").code == 0
    ledger.look()
    assert (judged(work, ledger), ledger.touched) == ([], [])
    (work.root / live / "config_used.yaml").rename(work.root / live / "other.log")
    ledger.look()
    assert ledger.touched == [f"{live}/config_used.yaml of {live}, which is live"]
    log = next(work.root.glob(".janitor/trash/*/outputs/day/run/config_used.yaml"))
    log.write_text("other\n")
    assert judged(work, ledger) == [f"{run}/config_used.yaml"]
    with closing(work.journal()) as journal:
        kept = books(work, journal, {}, 0)
    assert twice(kept) == []
    kept.steps.append(kept.steps[0])
    assert twice(kept) == [f"{run} 2 times"]


def judged(work: Small, ledger: Ledger) -> list[str]:
    with closing(work.journal()) as journal:
        return account(ledger, books(work, journal, {}, 0))[1]


@pytest.mark.proof
def test_a_day_with_three_kills(tmp_path: Path) -> None:
    found = well(tmp_path, one_day(), 1, 4800, 3)
    assert found.figures["trainings"]["published"] == 1
    assert sum(found.figures["kills"].values()) == 3


@pytest.mark.proof
def test_ten_days(tmp_path: Path) -> None:
    found = well(tmp_path, acts(10, 1), 10, 720)
    for name, (warm, late, _) in found.figures["daemon"].items():
        assert late <= warm + ROOM[name], name
    assert found.figures["trainings"]["published"] == 10


@pytest.mark.proof
def test_ten_days_with_a_hundred_kills(tmp_path: Path) -> None:
    found = well(tmp_path, acts(10, 2), 10, 720, 100, 2)
    assert sum(found.figures["kills"].values()) == 100
