"""Published models may go where a copy stays; milestones never go (S6)."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.real import training, wandb_runs
from tests.real.command import Answer
from tests.real.small import FREE, Small, done, small, still, why
from tests.real.snapshot import difference, snapshot

ALSO = "".join(
    f'[[policy]]\nkind = "{kind}"\nkeep_within = "7d"\n\n' for kind in ("model", "milestone")
)
RUN = "training/runs/first"
MODEL = "models/manual_runs/first"


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path, ALSO + FREE)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a checkpoint of each name, each a different model; made by torch."""
    run = tmp_path_factory.mktemp("saved") / "run"
    training.torch_run(run, ["model_epoch_1.pt", "best_model.pt", "final_model_mlp.pth"])
    return run


def copied(work: Small, source: Path, path: str, days: float = 90) -> str:
    """A copy of a file or folder, of that age."""
    target = work.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
    aged(work, path, days)
    return path


def aged(work: Small, path: str, days: float) -> None:
    if (work.root / path).is_dir():
        wandb_runs.backdate(work.root / path, days)
    else:
        work.write(path, (work.root / path).read_bytes(), days)


def kinds(plan: Answer) -> dict[str, str]:
    """Kinds by path; every path once."""
    rows = plan.rows("steps", "kept")
    assert len({row["path"] for row in rows}) == len(rows)
    return {row["path"]: row["kind"] for row in rows}


def goes(work: Small) -> set[str]:
    """The outermost units that would go."""
    rows = work.janitor("plan").rows("steps")
    return {row["path"] for row in rows if "in" not in row and row["do"] != "publish"}


# ------------------------------------------------------------ what is a model


LAYOUTS = {
    "hpo_derived/eurusd": "final_model_mlp.pth",
    "hpo_derived/gbpusd": "final_model_mlp.pth final_model_mlp.json",
    "hpo_derived/usdjpy": "a/b/final.pth",
    "manual_runs/first": "model.onnx",
    "bert": "model.safetensors onnx/model.onnx",
    "diffusion": "model_index.json unet/model.safetensors",
    "group/one": "model.pt",
    "group/two": "weights.h5",
}
"""A unit in models/, and the files in it."""


def test_the_units_of_models(work: Small) -> None:
    for folder, names in LAYOUTS.items():
        for name in names.split():
            work.write(f"models/{folder}/{name}")
    work.write("models/manual_runs/README.md")
    for name in ("champion.pt", "scikit.joblib"):
        work.write(f"models/{name}")
    units = (*LAYOUTS, "champion.pt", "scikit.joblib")
    assert kinds(work.janitor("plan")) == {
        **{f"models/{unit}": "model" for unit in units},
        "models/manual_runs/README.md": "unknown",
    }


def test_what_holds_no_model_is_unknown(work: Small) -> None:
    work.write("models/manual_runs/first/notes.md")
    work.write("models/README.md")
    work.write("models/empty.json")
    assert kinds(work.janitor("plan")) == {
        "models/manual_runs": "unknown",
        "models/README.md": "unknown",
        "models/empty.json": "unknown",
    }


def test_no_run_is_looked_for_among_models(work: Small) -> None:
    run = work.hydra(90, "models/manual_runs/first")
    work.write(f"{run}/final_model_mlp.pth", days=90)
    assert kinds(work.janitor("plan")) == {run: "model"}


def test_a_wandb_run_in_a_model_that_was_not_uploaded_keeps_it(work: Small, saved: Path) -> None:
    copied(work, saved, RUN, days=1)
    model = copied(work, saved / "best_model.pt", f"{MODEL}/best_model.pt").rpartition("/")[0]
    assert goes(work) == {MODEL}
    wandb_runs.place(wandb_runs.offline, work.root / model)
    aged(work, model, 90)
    assert goes(work) == set()
    assert "never uploaded" in why(work.janitor("plan"), model)


# ------------------------------------------------------------ S6


def test_the_only_copy_stays(work: Small, saved: Path) -> None:
    copied(work, saved / "final_model_mlp.pth", f"{MODEL}/final_model_mlp.pth")
    single = copied(work, saved / "best_model.pt", "models/single.pt")
    plan = work.janitor("plan")
    assert plan.rows("steps") == []
    assert "holds the only copy of its model final_model_mlp.pth" in why(plan, MODEL)
    assert "the only copy of this model" in why(plan, single)


def test_another_model_of_the_same_size_is_no_copy(work: Small, saved: Path) -> None:
    single = copied(work, saved / "best_model.pt", "models/single.pt")
    content = bytearray((work.root / single).read_bytes())
    content[-100] ^= 1
    work.write("best_models/other.pt", bytes(content))
    plan = work.janitor("plan")
    assert plan.rows("steps") == []
    assert "the only copy of this model" in why(plan, single)


def test_a_model_that_stays_lets_its_run_go(work: Small, saved: Path) -> None:
    """As today: what was published is not lost with the run."""
    run = copied(work, saved, RUN)
    for name in ("best_model.pt", "final_model_mlp.pth"):
        copied(work, saved / name, f"{MODEL}/{name}", days=1)
    assert goes(work) == {run}


def test_a_run_that_stays_lets_a_model_go(work: Small, saved: Path) -> None:
    copied(work, saved, RUN, days=1)
    (work.root / RUN / "final_model_mlp.pth").unlink()  # or it would be published
    aged(work, RUN, 1)
    copied(work, saved / "best_model.pt", f"{MODEL}/best_model.pt")
    work.write(f"{MODEL}/best_model.json", "{}", days=90)
    before = snapshot(work.root)
    assert MODEL in done(work.janitor("run", "--yes"))
    assert not work.there(MODEL)
    assert work.janitor("undo").code == 0
    assert difference(still(before), still(snapshot(work.root))) == []


@pytest.mark.parametrize("older", [RUN, MODEL])
def test_of_two_that_would_go_the_newer_stays(work: Small, saved: Path, older: str) -> None:
    """Neither counts as a copy that survives while it goes itself."""
    copied(work, saved / "best_model.pt", f"{RUN}/best_model.pt")
    copied(work, saved / "best_model.pt", f"{MODEL}/best_model.pt")
    aged(work, older, 95)
    (newer,) = {RUN, MODEL} - {older}
    rows = work.janitor("plan").rows("steps")
    steps = {row["path"]: row["do"] for row in rows if "in" not in row}
    assert steps == {older: "trash"} | ({RUN: "archive"} if newer == RUN else {})
    assert older in done(work.janitor("run", "--yes"))
    assert work.there(f"{newer}/best_model.pt") is (newer == MODEL)
    if newer == MODEL:
        assert "only copy" in why(work.janitor("plan"), newer)


@pytest.mark.parametrize("older", [RUN, MODEL])
def test_hard_links_are_copies_of_each_other(work: Small, saved: Path, older: str) -> None:
    run = copied(work, saved / "best_model.pt", f"{RUN}/best_model.pt")
    (work.root / MODEL).mkdir(parents=True)
    os.link(work.root / run, work.root / MODEL / "final_model_mlp.pth")
    newer = ({RUN, MODEL} - {older}).pop()
    os.utime(work.root / run, ns=(0, (work.root / run).stat().st_mtime_ns))
    work.write(f"{newer}/notes.txt", days=50)
    before = snapshot(work.root)
    assert older in done(work.janitor("run", "--yes"))
    assert (work.root / newer).is_dir() is (newer == MODEL)
    assert work.janitor("undo").code == 0
    assert difference(still(before), still(snapshot(work.root))) == []


def test_a_model_that_goes_does_not_let_a_third_go(work: Small, saved: Path) -> None:
    """Three copies, all old: one of them is archived, and it holds the model."""
    places = [RUN, MODEL, "models/hpo_derived/eurusd"]
    for days, place in enumerate(places, start=90):
        copied(work, saved / "best_model.pt", f"{place}/best_model.pt", days)
    rows = work.janitor("plan").rows("steps")
    steps = {row["path"]: row["do"] for row in rows if "in" not in row}
    assert steps == dict.fromkeys(places[1:], "trash") | {RUN: "archive"}


def test_whatever_is_no_note_must_have_a_copy(work: Small, saved: Path) -> None:
    copied(work, saved, RUN, days=1)
    copied(work, saved / "best_model.pt", f"{MODEL}/best_model.pt")
    work.write(f"{MODEL}/scaler.pkl", b"\x80\x04N.", days=90)
    assert goes(work) == set()
    assert "only copy of its model scaler.pkl" in why(work.janitor("plan"), MODEL)


def test_a_run_of_which_a_mere_checkpoint_is_left_is_no_copy(work: Small, saved: Path) -> None:
    """A checkpoint that is thinned one day is nothing to rely on."""
    copied(work, saved / "best_model.pt", f"{RUN}/model_epoch_1.pt", days=1)
    copied(work, saved / "best_model.pt", f"{MODEL}/best_model.pt")
    assert goes(work) == set()


def test_a_model_that_something_names_stays(work: Small, saved: Path) -> None:
    copied(work, saved, RUN, days=1)
    copied(work, saved / "best_model.pt", f"{MODEL}/best_model.pt")
    work.write("best_models/champion_meta.json", json.dumps({"from": MODEL}))
    assert goes(work) == set()
    assert "best_models/champion_meta.json names it" in why(work.janitor("plan"), MODEL)


def test_a_link_to_a_model_keeps_it(work: Small, saved: Path) -> None:
    copied(work, saved, RUN, days=1)
    model = copied(work, saved / "best_model.pt", f"{MODEL}/best_model.pt")
    (work.root / "best_models").mkdir()
    (work.root / "best_models/now.pt").symlink_to(f"../{model}")
    assert "the link best_models/now.pt points to it" in why(work.janitor("plan"), MODEL)


def test_without_a_policy_no_model_goes(work: Small, saved: Path) -> None:
    work.configure(FREE)
    copied(work, saved, RUN, days=1)
    copied(work, saved / "best_model.pt", f"{MODEL}/best_model.pt")
    assert goes(work) == set()


# ------------------------------------------------------------ milestones


def test_milestones_stay_whatever_a_policy_says(work: Small, saved: Path) -> None:
    copied(work, saved / "best_model.pt", "best_models/champion.pt")
    copied(work, saved / "best_model.pt", "best_models/copy.pt")
    copied(work, saved, "best_models/folder")
    for name in ("champion_meta.json", "orphan_meta.json", "notes.txt"):
        work.write(f"best_models/{name}", "{}", days=90)
    before = snapshot(work.root)
    plan = work.janitor("plan")
    names = ("champion.pt", "copy.pt", "folder", "orphan_meta.json", "notes.txt")
    assert kinds(plan) == {f"best_models/{name}": "milestone" for name in names}
    assert all("never removed" in why(plan, f"best_models/{name}") for name in names)
    assert done(work.janitor("run", "--yes", "--override-guards")) == set()
    assert difference(before, snapshot(work.root)) == []


def test_a_milestone_counts_what_tells_of_it(work: Small) -> None:
    work.write("best_models/champion.pt", "x" * 10_000)
    work.write("best_models/champion_meta.json", "{}")
    (row,) = work.janitor("plan").rows("kept")
    names = ("champion.pt", "champion_meta.json")
    blocks = [(work.root / "best_models" / name).stat().st_blocks for name in names]
    assert row["bytes"] == 512 * sum(blocks)


@pytest.mark.parametrize("folder", [False, True])
def test_a_milestone_is_a_copy_that_lets_a_run_and_a_model_go(
    work: Small, saved: Path, folder: bool
) -> None:
    copied(work, saved / "best_model.pt", f"{RUN}/best_model.pt")
    copied(work, saved / "best_model.pt", f"{MODEL}/best_model.pt")
    where = "best_models/champion/any.bin" if folder else "best_models/champion.pt"
    copied(work, saved / "best_model.pt", where)
    assert goes(work) == {RUN, MODEL}
    seen = work.look().survey.catalogue
    files = [*seen.published, *(file for each in seen.artifacts for file in each.models)]
    assert sorted(file.path for file in files) == sorted(
        [f"{RUN}/best_model.pt", f"{MODEL}/best_model.pt", where]
    ), "each counts once"


def test_a_policy_that_can_do_nothing_is_said(work: Small) -> None:
    assert [note for note in work.settings.notes if "does nothing" in note] == [
        "policy[2] does nothing: no milestone is ever removed"
    ]
