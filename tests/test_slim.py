"""``then = "slim"`` on what the real tools left: the run stays, its bulk goes to the trash."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from artifact_janitor import state
from tests.real import hydra_runs, training, wandb_runs
from tests.real.command import Answer
from tests.real.small import SLIMMING, Small, done, small, why
from tests.real.snapshot import difference, snapshot

PURGING = SLIMMING + 'trash_keep = "0s"\n'
EPOCHS = [f"model_epoch_{n}.pt" for n in (1, 2, 9, 10)]
PLAIN, LIGHTNING, LINKED = "training/runs/plain", "training/runs/li", "training/runs/linked"
TRAINER, TIMM = "training/runs/trainer", "training/runs/timm"
SWEEP = "multirun/2026-08-01/10-00-00"
SEVERAL = "training/runs/several"
IN_SEVERAL = (
    *(f"gan/net{which}_epoch_{n}.pth" for which in "GD" for n in (1, 2, 3)),
    *(f"fsdp/ckpt_step_{n}_rank{rank}.pt" for n in (10, 20) for rank in (0, 1)),
    *(f"cut/ckpt_step_{n}_rank{rank}.pt" for n in (10, 20, 30) for rank in (0, 1)),
    *("kf/fold0_epoch1.pt", "kf/fold0_epoch2.pt", "kf/fold1_epoch1.pt", "kf/fold1_epoch2.pt"),
    "kf/fold1_epoch3.pt",
    *(f"shards/model_step{n}-0000{part}-of-00002.pt" for n in (10, 20) for part in (1, 2)),
    *(f"ema/{which}_epoch_{n}.pt" for which in ("model", "ema") for n in (1, 2)),
)
"""Of the newest state of each there is more than one file."""
MADE: dict[str, tuple[str, dict[str, object]]] = {
    PLAIN: ("torch", {"names": [*EPOCHS, "best_model.pt", "final_model_mlp.pth"]}),
    SEVERAL: ("torch", {"names": [*IN_SEVERAL]}),
    LIGHTNING: ("lightning", {"save_last": True, "monitors": ["x", None]}),
    LINKED: ("lightning", {"save_last": "link", "monitors": ["x"]}),
    TRAINER: ("hf", {"save_model": True, "save_total_limit": None}),
    TIMM: ("timm", {"epochs": 11, "best": 9, "history": 3}),
    f"{SWEEP}/0/checkpoints": ("torch", {"names": EPOCHS}),
    f"{SWEEP}/1/checkpoints": ("torch", {"names": ["best_model.pt", *EPOCHS]}),
}
"""Trained in one interpreter, because importing the tools takes longer than training."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every run as its tool left it; the sweep is one of real Hydra."""
    root = tmp_path_factory.mktemp("trained")
    hydra_runs.write_program(root)
    hydra_runs.sweep(root, SWEEP)
    training.together([(tool, root / path, how) for path, (tool, how) in MADE.items()])
    return root


Bring = Callable[..., Small]


@pytest.fixture
def bring(tmp_path: Path, trained: Path) -> Bring:
    """A workspace with these runs, which ended so many days ago."""

    def brought(*runs: str, days: float = 60) -> Small:
        for path in runs:
            shutil.copytree(trained / path, tmp_path / path, symlinks=True)
            relink(trained / path, tmp_path / path)
            wandb_runs.backdate(tmp_path / path, days)
        return small(tmp_path, SLIMMING)

    return brought


def relink(source: Path, target: Path) -> None:
    """Hard links, which a copy makes files of their own."""
    first: dict[int, Path] = {}
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_file() and not path.is_symlink() and path.stat().st_nlink > 1:
            if path.stat().st_ino in first:
                copy.unlink()
                os.link(first[path.stat().st_ino], copy)
            first.setdefault(path.stat().st_ino, copy)


def left_of(work: Small, run: str) -> set[str]:
    """The checkpoints that a run still holds, by name in it."""
    found = set()
    for path in (work.root / run).rglob("*"):
        name = path.relative_to(work.root / run)
        is_one = name.suffix in (".pt", ".pth", ".ckpt", ".tar") or _is_folder(name)
        if is_one and not _is_folder(name.parent):
            found.add(name.as_posix())
    return found


def _is_folder(name: Path) -> bool:
    return name.name.startswith("checkpoint-") and not name.suffix


def rows(answer: Answer, run: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The row of a slimmed run, and those of the checkpoints that leave it."""
    found = answer.rows("steps")
    (whole,) = (row for row in found if row["path"] == run)
    return whole, [row for row in found if row.get("in") == run]


def size(paths: Iterable[Path]) -> int:
    return sum(path.lstat().st_blocks * 512 for path in paths)


# ------------------------------------------------------------ what goes and what stays


def test_a_plain_run_keeps_best_final_and_newest(bring: Bring) -> None:
    work = bring(PLAIN)
    work.write(f"{PLAIN}/train.log", days=60)
    gone = [work.root / PLAIN / name for name in EPOCHS[:3]]
    frees = size(gone)
    plan = work.janitor("plan")
    whole, parts = rows(plan, PLAIN)
    assert (whole["do"], whole["kind"], whole["frees"]) == ("slim", "training-run", frees)
    assert whole["frees_now"] == 0
    whole_size = size([work.root / PLAIN, *(work.root / PLAIN).rglob("*")])
    assert whole["bytes"] == whole_size
    assert {row["path"] for row in parts} == {f"{PLAIN}/{name}" for name in EPOCHS[:3]}
    assert {(row["do"], row["kind"], row["bytes"]) for row in parts} == {("slim", "checkpoint", 0)}
    report = work.janitor("run", "--yes")
    assert report.code == 0, report
    assert left_of(work, PLAIN) == {"model_epoch_10.pt", "best_model.pt", "final_model_mlp.pth"}
    assert work.there(f"{PLAIN}/train.log")
    assert size(path for path in (work.root / ".janitor/trash").rglob("*.pt")) == frees


def test_lightning_keeps_the_best_and_the_last(bring: Bring) -> None:
    """Two monitors: top two by x, and the newest; of those the second best leaves."""
    work = bring(LIGHTNING)
    assert work.janitor("run", "--yes").code == 0
    left = {name.rpartition("/")[2] for name in left_of(work, LIGHTNING)}
    assert {"epoch=2-step=6.ckpt", "last.ckpt"} <= left
    assert "epoch=3-step=8.ckpt" not in left
    version = f"{LIGHTNING}/version_0"
    assert work.there(f"{version}/hparams.yaml", f"{version}/metrics.csv")
    assert list((work.root / version).glob("events.out.tfevents.*"))


def test_checkpoints_of_several_files_stay_whole(bring: Bring) -> None:
    """Two networks, the ranks of one, folds that ended at different epochs, a model in shards;
    and of such a state one file is cut short."""
    work = bring(SEVERAL)
    cut = work.root / SEVERAL / "cut/ckpt_step_30_rank1.pt"
    os.truncate(cut, cut.stat().st_size // 2)
    copied = time.time() - 60 * 86_400
    for path in (work.root / SEVERAL).rglob("*.pt*"):
        os.utime(path, (copied, copied))
    report = work.janitor("run", "--yes")
    assert report.code == 0, report
    assert left_of(work, SEVERAL) == {
        *("gan/netG_epoch_3.pth", "gan/netD_epoch_3.pth"),
        *("fsdp/ckpt_step_20_rank0.pt", "fsdp/ckpt_step_20_rank1.pt"),
        *("cut/ckpt_step_20_rank0.pt", "cut/ckpt_step_20_rank1.pt", "cut/ckpt_step_30_rank0.pt"),
        *("kf/fold0_epoch2.pt", "kf/fold1_epoch2.pt", "kf/fold1_epoch3.pt"),
        *("shards/model_step20-00001-of-00002.pt", "shards/model_step20-00002-of-00002.pt"),
        *("ema/model_epoch_2.pt", "ema/ema_epoch_2.pt"),
    }


def test_the_target_of_a_link_stays(bring: Bring) -> None:
    """``save_last="link"``: last.ckpt is a symlink to the second best."""
    work = bring(LINKED)
    before = snapshot(work.root)
    report = work.janitor("run", "--yes")
    assert (report.code, report.rows("steps")) == (0, [])
    assert "nothing left to slim" in why(report, f"{LINKED}/version_0")
    assert difference(before, snapshot(work.root)) == []


def test_the_trainer_keeps_its_best_and_its_newest(bring: Bring) -> None:
    work = bring(TRAINER)
    assert work.janitor("run", "--yes").code == 0
    assert left_of(work, TRAINER) == {"checkpoint-4", "checkpoint-12"}
    assert work.there(f"{TRAINER}/model.safetensors", f"{TRAINER}/trainer_state.json")


def test_hard_links_give_nothing_back(bring: Bring) -> None:
    """timm's best is a second name of a checkpoint: the bytes stay, and the plan knows."""
    work = bring(TIMM)
    (best,) = (work.root / TIMM).glob("model_best*")
    assert best.stat().st_nlink > 1
    report = work.janitor("run", "--yes")
    whole, parts = rows(report, TIMM)
    assert [row["path"] for row in parts] == [f"{TIMM}/checkpoint-9.pth.tar"]
    assert (whole["frees"], whole["outcome"]) == (0, "done")
    assert (best.stat().st_nlink, best.exists()) == (2, True)


def test_each_job_of_a_sweep_keeps_its_own(bring: Bring) -> None:
    work = bring(SWEEP)
    before = snapshot(work.root)
    report = work.janitor("run", "--yes")
    assert report.code == 0, report
    whole, parts = rows(report, SWEEP)
    assert (whole["kind"], len(parts)) == ("hydra-sweep", 6)
    assert left_of(work, SWEEP) == {
        "0/checkpoints/model_epoch_10.pt",
        "1/checkpoints/best_model.pt",
        "1/checkpoints/model_epoch_10.pt",
    }
    assert work.there(f"{SWEEP}/multirun.yaml", f"{SWEEP}/0/.hydra/hydra.yaml")
    assert work.janitor("undo").code == 0
    assert difference(before, snapshot(work.root)) == []


def test_a_run_inside_a_hydra_run_is_slimmed_with_it(bring: Bring, trained: Path) -> None:
    work = bring()
    outer = work.hydra(60)
    shutil.copytree(trained / TRAINER, work.root / outer / "hf")
    wandb_runs.backdate(work.root / outer, 60)
    assert done(work.janitor("run", "--yes")) >= {outer}
    assert left_of(work, f"{outer}/hf") == {"checkpoint-4", "checkpoint-12"}
    assert work.there(f"{outer}/.hydra/hydra.yaml", f"{outer}/train.log")


def test_the_newest_checkpoint_is_damaged(bring: Bring) -> None:
    """A save that was killed: the newest that can be read stays."""
    work = bring(PLAIN)
    training.killed_save(work.root / PLAIN / "model_epoch_11.pt")
    wandb_runs.backdate(work.root / PLAIN, 60)
    assert work.janitor("run", "--yes").code == 0
    assert left_of(work, PLAIN) == {"model_epoch_10.pt", "best_model.pt", "final_model_mlp.pth"}


def test_where_every_checkpoint_is_damaged_all_stay(bring: Bring) -> None:
    work = bring()
    run = work.root / "training/runs/broken"
    run.mkdir(parents=True)
    training.killed_save(run / "model_epoch_1.pt")
    shutil.copyfile(run / "model_epoch_1.pt", run / "model_epoch_2.pt")
    wandb_runs.backdate(run, 60)
    report = work.janitor("run", "--yes")
    assert report.rows("steps") == []
    assert "known to be whole" in why(report, "training/runs/broken/model_epoch_1.pt")


def test_what_a_checkpoint_policy_calls_best_stays(bring: Bring) -> None:
    """Whether that policy is asked for or not; its other rules don't count."""
    work = bring(PLAIN)
    (work.root / PLAIN / "best_model.pt").unlink()
    for n, f1 in enumerate((0.5, 0.9, 0.1, 0.2)):
        (work.root / PLAIN / EPOCHS[n]).rename(work.root / PLAIN / f"epoch={n}-f1={f1}.ckpt")
    best = '[[policy]]\nkind = "checkpoint"\nkeep_last = 9\nkeep_best = '
    best += '{ metric = "f1", direction = "max" }\n'
    work.configure(best + SLIMMING)
    wandb_runs.backdate(work.root / PLAIN, 60)
    gone = {f"{PLAIN}/epoch=0-f1=0.5.ckpt", f"{PLAIN}/epoch=2-f1=0.1.ckpt"}
    for only in ((), ("--only", "training-run")):
        _, parts = rows(work.janitor("plan", *only), PLAIN)
        assert {row["path"] for row in parts} == gone


# ------------------------------------------------------------ what is protected


def test_a_live_trainer_keeps_all_of_its_run(bring: Bring) -> None:
    work = bring(PLAIN)
    with subprocess.Popen(["sleep", "60"], cwd=work.root / PLAIN) as trainer:
        report = work.janitor("run", "--yes")
        trainer.kill()
    assert (report.code, report.rows("steps")) == (0, [])
    assert "live" in why(report, PLAIN)


def test_a_trainer_that_begins_after_the_plan_keeps_all(bring: Bring) -> None:
    work = bring(PLAIN)
    seen, before = work.look(), snapshot(work.root)
    with subprocess.Popen(["sleep", "60"], cwd=work.root / PLAIN) as trainer:
        (outcome,) = work.run(seen).outcomes
        trainer.kill()
    assert (outcome.outcome, "sleep" in outcome.why) == ("skipped", True)
    assert difference(before, snapshot(work.root)) == []


def test_a_run_inside_a_run_that_comes_to_life_is_left(bring: Bring, trained: Path) -> None:
    """The program may work with any checkpoint in it, though it is a unit of its own."""
    work = bring()
    outer, inner = work.hydra(60, "outputs/a"), work.hydra(60, "outputs/a/inner")
    shutil.copytree(trained / PLAIN, work.root / inner / "checkpoints")
    wandb_runs.backdate(work.root / outer, 60)
    work.configure('[[policy]]\nkind = "hydra-run"\npath = "outputs/*"\nkeep_last = 9\n' + SLIMMING)
    seen = work.look()
    assert [step.path for step in seen.plan.steps] == [inner]
    with subprocess.Popen(["sleep", "60"], cwd=work.root / outer) as trainer:
        (outcome,) = work.run(seen).outcomes
        assert f"part of {outer}" in outcome.why
        assert f"part of {outer}, which is live" in why(work.janitor("plan"), inner)
        trainer.kill()
    assert done(work.janitor("run", "--yes")) >= {inner}


@pytest.mark.parametrize("pinned", ["/model_epoch_1.pt", "/train.log", ""])
def test_a_run_with_a_pin_is_not_slimmed(bring: Bring, pinned: str) -> None:
    work = bring(PLAIN)
    work.write(f"{PLAIN}/train.log", days=60)
    seen = work.look()
    assert work.janitor("pin", PLAIN + pinned).code == 0
    assert work.janitor("plan").rows("steps") == []
    (outcome,) = work.run(seen).outcomes
    assert (outcome.outcome, outcome.why) == ("skipped", "pinned since the plan was made")
    assert len(left_of(work, PLAIN)) == 6


def test_a_run_that_holds_an_unsynced_one_is_not_slimmed(bring: Bring) -> None:
    work = bring(PLAIN)
    run = wandb_runs.place(wandb_runs.offline, work.root / PLAIN)
    wandb_runs.backdate(work.root / PLAIN, 60)
    plan = work.janitor("plan")
    assert plan.rows("steps") == []
    assert run.name in why(plan, PLAIN)


# ------------------------------------------------------------ undo, purge, history


@pytest.mark.parametrize("run", [PLAIN, LIGHTNING, TRAINER, TIMM])
def test_undo_brings_all_back_and_pins_it(bring: Bring, run: str) -> None:
    work = bring(run)
    before = snapshot(work.root)
    gone = done(work.janitor("run", "--yes"))
    assert difference(before, snapshot(work.root))
    undone = work.janitor("undo")
    assert undone.code == 0, undone
    assert {row["path"] for row in undone.facts["steps"]} < gone
    assert difference(before, snapshot(work.root)) == []
    assert work.trash() + work.leftovers() == []
    assert work.janitor("run", "--yes").rows("steps") == []
    assert work.janitor("unpin", ".", "--undone").code == 0
    assert done(work.janitor("run", "--yes")) == gone


def test_names_that_are_no_text_are_slimmed_and_undone_like_others(bring: Bring) -> None:
    work = bring()
    run = "training/runs/caf\udce9\n\x1b[1m"
    bulk = work.training(60, run)
    before = snapshot(work.root)
    assert done(work.janitor("run", "--yes")) == {run, *bulk}
    assert "caf\\xe9\\n" in work.said("why", bulk[0])
    assert work.janitor("undo").code == 0
    assert difference(before, snapshot(work.root)) == []


def test_one_checkpoint_comes_back_by_its_number(bring: Bring) -> None:
    work = bring(PLAIN)
    sweep = work.janitor("run", "--yes").facts["sweep"]
    steps = work.janitor("history", sweep).facts["sweeps"][0]["steps"]
    assert [(step["do"], step["kind"], step["state"]) for step in steps] == [
        ("slim", "checkpoint", "done")
    ] * 3
    assert work.janitor("undo", f"{sweep}.2").code == 0
    assert [work.there(step["path"]) for step in steps] == [False, True, False]
    assert work.janitor("undo", sweep).code == 0
    assert len(left_of(work, PLAIN)) == 6


def test_a_second_sweep_has_nothing_to_do(bring: Bring) -> None:
    work = bring(PLAIN, TRAINER)
    work.janitor("run", "--yes")
    again = work.janitor("run", "--yes")
    assert (again.code, again.rows("steps")) == (0, [])
    assert "nothing left to slim" in why(again, PLAIN)


def test_what_was_slimmed_away_is_purged_like_any(bring: Bring) -> None:
    work = bring(PLAIN)
    work.configure(PURGING)
    sweep = work.janitor("run", "--yes").facts["sweep"]
    purged = work.janitor("run", "--yes")
    assert [(row["do"], row["outcome"]) for row in purged.rows("steps")] == [("purge", "done")] * 3
    assert work.trash() + work.leftovers() == []
    assert work.janitor("undo", sweep).code == 3


def test_a_checkpoint_waits_for_its_run(bring: Bring) -> None:
    """Slimmed first, trashed later: the run comes back first."""
    work = bring(PLAIN)
    before = snapshot(work.root / PLAIN)
    slimmed = work.janitor("run", "--yes").facts["sweep"]
    (work.root / "models").mkdir()
    for name in ("best_model.pt", "final_model_mlp.pth"):
        shutil.copy(work.root / PLAIN / name, work.root / "models" / name)
    work.configure(SLIMMING.replace('"slim"', '"trash"'))
    trashed = work.janitor("run", "--yes").facts["sweep"]
    assert not work.there(PLAIN)
    assert f"janitor undo {trashed}" in str(work.janitor("undo", slimmed).said["errors"])
    assert work.janitor("undo", slimmed, trashed).code == 0
    assert difference(before, snapshot(work.root / PLAIN)) == []


# ------------------------------------------------------------ partly, and all at once


def test_what_changed_since_the_plan_keeps_the_whole_run(bring: Bring) -> None:
    work = bring(PLAIN)
    work.write(f"{PLAIN}/train.log", days=60)
    seen = work.look()
    work.write(f"{PLAIN}/train.log", "more than before\n", days=60)
    (outcome,) = work.run(seen).outcomes
    assert outcome.outcome == "skipped"
    assert "train.log grew" in outcome.why
    assert len(left_of(work, PLAIN)) == 6


def test_a_best_model_that_went_since_the_plan_keeps_the_others(bring: Bring) -> None:
    work = bring(PLAIN)
    seen = work.look()
    (work.root / PLAIN / "best_model.pt").unlink()
    (outcome,) = work.run(seen).outcomes
    assert "best_model.pt is gone" in outcome.why
    assert len(left_of(work, PLAIN)) == 5


def test_a_program_that_opens_one_in_between_gets_all_back(
    bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artifact_janitor.observe import recheck

    work = bring(PLAIN)
    before = snapshot(work.root)
    monkeypatch.setattr(recheck, "in_use", lambda *_: "pid 1 (train.py) has it open")
    report = work.run()
    (outcome,) = report.outcomes
    assert (outcome.outcome, outcome.why) == (
        "skipped",
        "live: pid 1 (train.py) has it open; put back at once",
    )
    assert outcome.took == ()
    assert difference(before, snapshot(work.root)) == []
    assert work.trash() == []


def test_what_cannot_be_put_back_can_be_undone(
    bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artifact_janitor.observe import recheck

    work = bring(PLAIN)
    again = work.root / PLAIN / EPOCHS[0]

    def busy(*_: object) -> str:
        again.write_text("written anew\n")
        return "pid 1 (train.py) has it open"

    monkeypatch.setattr(recheck, "in_use", busy)
    report = work.run()
    (outcome,) = report.outcomes
    assert outcome.outcome == "failed"
    assert "in the trash" in outcome.why
    assert [part.outcome for part in outcome.parts] == ["failed", "skipped", "skipped"]
    assert work.there(f"{PLAIN}/{EPOCHS[1]}")
    monkeypatch.undo()
    again.unlink()
    assert work.janitor("undo", report.sweep).code == 0
    assert again.stat().st_size > 100


def test_a_part_that_cannot_go_stays_and_is_said(bring: Bring) -> None:
    """Something of somebody's lies in its place in the trash."""
    work = bring(PLAIN)
    seen = work.look()
    theirs = work.write(f".janitor/trash/{seen.plan.id}/{PLAIN}/{EPOCHS[1]}", "somebody's\n")
    report = work.run(seen)
    (outcome,) = report.outcomes
    assert outcome.outcome == "failed"
    assert outcome.why.startswith("2 of 3 checkpoints went; ")
    assert "is there already" in outcome.why
    assert [part.outcome for part in outcome.parts] == ["done", "failed", "done"]
    assert theirs.read_text() == "somebody's\n"
    assert left_of(work, PLAIN) == {EPOCHS[1], EPOCHS[3], "best_model.pt", "final_model_mlp.pth"}
    assert work.janitor("undo").code == 0
    assert len(left_of(work, PLAIN)) == 6


def test_the_report_tells_the_bytes_that_went(bring: Bring) -> None:
    work = bring(PLAIN)
    work.journal().close()
    seen = work.look()
    work.write(f".janitor/trash/{seen.plan.id}/{PLAIN}/{EPOCHS[1]}", "somebody's\n")
    frees = size(work.root / PLAIN / name for name in (EPOCHS[0], EPOCHS[2]))
    report = work.janitor("run", "--yes")
    assert report.code == 3
    whole, parts = rows(report, PLAIN)
    assert (whole["outcome"], whole["frees"]) == ("failed", frees)
    assert [row["outcome"] for row in parts] == ["done", "failed", "done"]
    assert work.janitor("status").facts["trash"]["frees"] == frees


def test_one_that_was_exchanged_in_the_middle_stops_the_rest(
    bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artifact_janitor.apply import trash

    work = bring(PLAIN)
    carry_out, calls = trash.carry_out, []

    def exchanging(*args: object) -> object:
        if calls:
            second = work.root / PLAIN / EPOCHS[1]
            work.write("another", "another\n").rename(second)
        calls.append(args)
        return carry_out(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(trash, "carry_out", exchanging)
    (outcome,) = work.run().outcomes
    assert outcome.outcome == "skipped"
    assert "newest write 0 s ago" in outcome.why
    assert "put back at once" in outcome.why
    assert {part.outcome for part in outcome.parts} == {"skipped"}
    assert work.there(f"{PLAIN}/{EPOCHS[0]}")
    assert (work.root / PLAIN / EPOCHS[1]).read_text() == "another\n"
    assert len(calls) == 2


def test_two_janitors_at_once_take_each_once(bring: Bring) -> None:
    work = bring(PLAIN, TRAINER, SWEEP)
    before = snapshot(work.root)
    both = [work.start("run", "--yes", "--json") for _ in range(2)]
    answers = [each.answer() for each in both]
    took = [done(each) for each in answers]
    assert {each.code for each in answers} == {0}, [each.said["errors"] for each in answers]
    assert not took[0] & took[1]
    assert work.trash()
    assert all(work.janitor("undo").code == 0 for _ in range(2))
    assert difference(before, snapshot(work.root)) == []


def test_while_another_janitor_works_nothing_is_moved(
    bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = bring(PLAIN)
    before, holder = snapshot(work.root), []

    def take() -> bool:
        holder.append((work.root / ".janitor" / "lock").open("r+"))
        fcntl.flock(holder[0], fcntl.LOCK_EX)
        return False

    monkeypatch.setattr(state, "PATIENCE", 0.1)
    (outcome,) = work.run(stop=take).outcomes
    holder[0].close()
    assert (outcome.outcome, outcome.code) == ("skipped", "locked")
    assert [part.code for part in outcome.parts] == ["locked"] * 3
    assert difference(before, snapshot(work.root)) == []


# ------------------------------------------------------------ guards, words


def test_the_guard_counts_checkpoints_even_of_one_kind_only(bring: Bring) -> None:
    work = bring(PLAIN, TRAINER)
    work.configure(SLIMMING.partition("[safety]")[0])
    for only in ((), ("--only", "training-run")):
        held = work.janitor("run", "--yes", *only)
        assert (held.code, done(held)) == (4, set())
        assert "checkpoint units" in held.said["errors"][0]["message"]
    assert len(done(work.janitor("run", "--override-guards"))) == 9


def test_what_was_slimmed_away_today_counts_for_the_guard(bring: Bring, trained: Path) -> None:
    """Nine checkpoints would be exempt, if three had not gone today."""
    work = bring(PLAIN)
    work.configure(SLIMMING.partition("[safety]")[0])
    assert len(done(work.janitor("run", "--yes"))) == 4
    shutil.copytree(trained / TRAINER, work.root / TRAINER)
    wandb_runs.backdate(work.root / TRAINER, 60)
    held = work.janitor("run", "--yes")
    assert (held.code, done(held)) == (4, set())
    assert "3 gone in the last 24 hours included" in held.said["errors"][0]["message"]


def test_only_names_the_kinds_of_runs(bring: Bring) -> None:
    work = bring(PLAIN, SWEEP)
    assert PLAIN not in done(work.janitor("run", "--yes", "--only", "hydra-sweep"))
    assert work.janitor("plan", "--only", "checkpoint").rows("steps") == []
    plan = work.janitor("plan", "--only", "training-run")
    assert {row["path"] for row in plan.rows("steps") if "in" not in row} == {PLAIN}


def test_what_is_not_asked_for_takes_nothing_from_a_run(bring: Bring) -> None:
    """A checkpoint policy that isn't asked for only says what is best."""
    work = bring(PLAIN)
    keep = '[[policy]]\nkind = "checkpoint"\nkeep_last = 1\n[[policy]]\nkind = "training-run"\n'
    work.configure(keep + "keep_last = 1\n")
    (run,) = work.janitor("plan", "--only", "training-run").rows("kept")
    assert run["bytes"] == size([work.root / PLAIN, *(work.root / PLAIN).rglob("*")])


def test_why_tells_the_truth_of_a_run_and_its_checkpoints(bring: Bring) -> None:
    work = bring(PLAIN)
    names = ("", "/" + EPOCHS[0], "/best_model.pt")
    run, first, best = (work.said("why", PLAIN + name) for name in names)
    assert "would be slimmed" in run
    assert "3 intermediate checkpoints; best_model.pt" in run
    assert "would go (slim)" in first
    assert f"{PLAIN} is slimmed" in first
    assert "kept" in best
    assert "the best checkpoint of its run" in best
    assert f"would go otherwise: {PLAIN} is slimmed: older than 7d" in best
    (row,) = work.janitor("why", PLAIN).facts["units"]
    assert row["frees"] == size(work.root / PLAIN / name for name in EPOCHS[:3])
    work.janitor("run", "--yes")
    assert "is in the trash" in work.said("why", f"{PLAIN}/{EPOCHS[0]}")
    assert "nothing left to slim" in work.said("why", PLAIN)


def test_the_screens(bring: Bring) -> None:
    work = bring(PLAIN)
    plan = work.said("plan")
    frees = size(work.root / PLAIN / name for name in EPOCHS[:3])
    assert "· 3 of 7 units go · frees 12 kB ·" in plan
    assert frees == 12_288
    stay = "best_model.pt, final_model_mlp.pth, model_epoch_10.pt stay"
    assert f"slim  {PLAIN}    12 kB    60 days   older than 7d, 3 intermediate " in plan
    assert f"checkpoints; {stay}" in plan
    assert "3 units in the trash · 12 kB free when it is purged" in work.said("run", "--yes")
    assert "3 units slimmed into the trash" in work.said("history")


@pytest.mark.parametrize("kind", ["wandb-run", "checkpoint", "log", "model"])
def test_what_holds_no_checkpoints_cannot_be_slimmed(tmp_path: Path, kind: str) -> None:
    work = small(tmp_path, f'[[policy]]\nkind = "{kind}"\nkeep_last = 1\nthen = "slim"\n')
    answer = work.janitor("plan")
    assert answer.code == 2
    assert "hydra-run, hydra-sweep, training-run" in str(answer.said["errors"])
    assert 'write "trash"' in str(answer.said["errors"])


# ------------------------------------------------------------ slow


def test_a_real_trainer_that_writes_on_keeps_its_run(bring: Bring) -> None:
    """It holds its log open, and nothing else; its files are old."""
    work = bring(PLAIN)
    log = work.write(f"{PLAIN}/train.log", days=60)
    program = "import sys, time; log = open(sys.argv[1], 'a'); print(flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(log)], stdout=subprocess.PIPE
    ) as trainer:
        assert trainer.stdout
        trainer.stdout.readline()
        report = work.janitor("run", "--yes")
        trainer.kill()
    assert report.rows("steps") == []
    assert len(left_of(work, PLAIN)) == 6
