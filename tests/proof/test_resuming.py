"""Real programs that go on with a run, or begin another, while a janitor takes the old one."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from artifact_janitor.apply import trash
from tests.proof.conftest import Count
from tests.proof.moments import Meeting, Moment, slowly
from tests.proof.test_races import CHECKED, RENAMED
from tests.real import hydra_runs, wandb_runs
from tests.real.account import myself
from tests.real.command import Answer
from tests.real.small import Small, done, small

RUN = "outputs/day/run"
_SAVES = """
import sys, torch
torch.save({"epoch": 11, "weights": torch.ones(1000)}, sys.argv[1])
"""


@pytest.fixture
def work(tmp_path: Path) -> Small:
    (tmp_path / "work").mkdir()
    found = small(tmp_path / "work")
    hydra_runs.write_program(found.root)
    return found


@contextmanager
def trains(work: Small) -> Iterator[None]:
    """Hydra goes on in the same folder."""
    process = hydra_runs.live(myself(work.root.parent), work.root, RUN)
    yield
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait() == 0


@contextmanager
def saves(work: Small) -> Iterator[None]:
    """Torch writes a checkpoint, under its final name and in one go, as a resumed run does."""
    file = str(work.root / RUN / "last.ckpt")
    subprocess.run([sys.executable, "-c", _SAVES, file], check=True, cwd="/")
    yield


def meanwhile(
    work: Small, moment: Moment, program: Callable[[Small], object]
) -> tuple[Answer, list[str]]:
    """What a sweep said, and what was there when it was over and the program still ran."""
    meeting = Meeting(moment)

    def first() -> None:
        slowly()
        meeting.first()

    running = work.start("run", "--yes", "--json", first=first)
    assert meeting.reached()
    with program(work):  # type: ignore[attr-defined]
        meeting.go_on()
        assert not meeting.reached()
        answer = running.answer()
        there = sorted(os.listdir(work.root / RUN)) if work.there(RUN) else []
    return answer, there


@pytest.mark.proof
@pytest.mark.parametrize("program", [trains, saves])
def test_a_run_that_is_resumed_before_its_rename_stays(
    work: Small, program: Callable[[Small], object], count: Count
) -> None:
    work.hydra(30, RUN)
    answer, there = meanwhile(work, CHECKED, program)
    wrong = [f"went: {each}" for each in done(answer)] + work.trash()
    wrong += [] if "metrics.json" in there and "train.log" in there else [f"there: {there}"]
    if program is saves:
        saved = zipfile.is_zipfile(work.root / RUN / "last.ckpt")
        wrong += [] if saved else ["the checkpoint is lost"]
    else:
        log = (work.root / RUN / "train.log").read_text()
        wrong += [] if log.count("training with") == 2 else [log]
    count("a real program before the rename", 1, wrong)


@pytest.mark.proof
def test_a_run_that_is_resumed_after_its_rename_begins_anew(work: Small, count: Count) -> None:
    """Hydra makes the folder; undo waits until somebody moves that away."""
    work.hydra(30, RUN)
    old = (work.root / RUN / "train.log").read_text()
    answer, there = meanwhile(work, RENAMED, trains)
    wrong = [] if done(answer) == {RUN} and "train.log" in there else [f"{answer} {there}"]
    wrong += [] if work.janitor("undo").code == 3 else ["undo wrote over it"]
    new = (work.root / RUN).rename(work.root.parent / "new")
    wrong += [] if work.janitor("undo").code == 0 else ["undo did not bring it back"]
    logs = [(place / "train.log").read_text() for place in (work.root / RUN, new)]
    wrong += [] if logs[0] == old and "training with" in logs[1] else [f"{logs}"]
    count("a real program after the rename", 1, wrong)


@pytest.mark.proof
@pytest.mark.parametrize("after", [False, True])
def test_a_wandb_run_that_begins_between_two_renames_keeps_its_links(
    work: Small, after: bool, count: Count
) -> None:
    """The old run's links leave with it, and ``latest-run`` names another one by then."""
    old = work.wandb(30)
    wrong = []
    meeting = Meeting(Moment(trash, "_there", after=after))
    running = work.start("run", "--yes", "--json", first=meeting.first)
    assert meeting.reached()
    with wandb_runs.live(work.root) as new:
        meeting.go_on()
        assert not meeting.reached()
        answer = running.answer()
        wrong += [] if answer.code in (0, 3) else [f"{answer}"]
        wrong += [] if new.run.is_dir() else ["the new run went"]
        new.finish()
    undone = work.janitor("undo", "--last", "9")
    wrong += [] if undone.code == 0 and work.there(old) else [f"undo: {undone}"]
    latest = os.path.realpath(work.root / "wandb" / "latest-run")
    wrong += [] if latest == str(new.run) else [f"latest-run names {latest}"]
    count("a W&B run in mid-step", 1, wrong)
