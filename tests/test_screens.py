"""Screens that stay short: what is alike shares a row."""

from __future__ import annotations

from pathlib import Path

from artifact_janitor.render.words import together, wording
from tests.real import wandb_runs
from tests.real.small import PURGING, small
from tests.real.training import torch_run

BY_F1 = """\
[[policy]]
kind = "checkpoint"
keep_best = { metric = "val_f1", direction = "max", n = 2 }
keep_within = "7d"
"""


def test_sentences_of_one_wording_become_one() -> None:
    said = ["val_f1 0.5 is not in the 3 best", "val_f1 -1e-05 is not in the 3 best"]
    assert wording(said[0]) == wording(said[1])
    assert together(said) == "val_f1 -1e-05 … 0.5 is not in the 3 best"
    assert together(said[:1]) == said[0]
    assert together(["older than 7d", "older than 7d"]) == "older than 7d"


def test_checkpoints_that_differ_in_a_value_share_a_row(tmp_path: Path) -> None:
    work = small(tmp_path, BY_F1)
    names = [f"epoch={n}-val_f1=0.{n}.ckpt" for n in range(1, 7)]
    torch_run(tmp_path / "training/runs/a", ["best_model.pt", *names])
    wandb_runs.backdate(tmp_path / "training/runs/a", 30)
    rows = [row for row in work.said("plan").splitlines() if row.startswith("  trash ")]
    assert len(rows) == 1
    assert "4 checkpoints (epoch=1-val_f1=0.1.ckpt … epoch=4-val_f1=0.4.ckpt)" in rows[0]
    assert "older than 7d, val_f1 0.1 … 0.4 is not in the 2 best" in rows[0]


def test_what_left_the_trash_for_good_is_not_offered_back(tmp_path: Path) -> None:
    work = small(tmp_path)
    work.hydra(30)
    assert "Take it back: janitor undo" in work.said("run", "--yes")
    work.configure(PURGING)
    said = work.said("run", "--yes")
    assert "freed" in said
    assert "Take it back" not in said


def test_everything_that_stays_is_shown_to_who_asks(tmp_path: Path) -> None:
    work = small(tmp_path)
    run = work.hydra(30)
    work.janitor("pin", run)
    assert run not in work.said("plan")
    assert run in work.said("plan", "--kept")
