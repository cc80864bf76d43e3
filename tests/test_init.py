"""`janitor init`: folders of different habits get a config that loads and harms nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from artifact_janitor.config import load
from artifact_janitor.units import DAY
from tests.real import studies, training, wandb_runs
from tests.real.small import Small
from tests.real.snapshot import snapshot


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return Small(tmp_path)


def old(work: Small, path: str, days: float = 90) -> None:
    wandb_runs.backdate(work.root / path, days)


def hydra_project(work: Small) -> None:
    for n in range(25):
        work.hydra(40 + n)


def lightning_in_its_default_folder(work: Small) -> None:
    training.lightning_run(work.root / "lightning_logs/version_0")
    old(work, "lightning_logs")


def template_with_runs_below_logs(work: Small) -> None:
    for n in range(22):
        work.hydra(200 + n, f"logs/train/runs/2026-01-{n + 1:02}_10-00-00")
    work.write("logs/train/console.log", days=90)


def ultralytics(work: Small) -> None:
    training.ultralytics_run(work.root / "runs/detect/train", epochs=6)
    old(work, "runs")


def plain_scripts(work: Small) -> None:
    training.torch_run(work.root / "training/runs/first")
    old(work, "training")


def hugging_face_results(work: Small) -> None:
    """One run that is the folder itself: nothing here is a folder of runs."""
    training.hf_run(work.root / "results")
    old(work, "results")


def offline_wandb(work: Small) -> None:
    wandb_runs.place(wandb_runs.offline, work.root)
    old(work, "wandb")


def not_machine_learning(work: Small) -> None:
    work.write("src/main.py", "print(1)\n", days=400)
    work.write("data/checkpoint_1.pt", "no model\n", days=400)


def in_git(work: Small) -> None:
    run = work.hydra(99)
    work.write("keep.txt")
    for args in (["init", "-q"], ["add", "-f", run]):
        subprocess.run(["git", "-C", work.root, *args], check=True)


def studies_and_what_came_of_them(work: Small) -> None:
    studies.finished(work.root / "hpo_studies/eurusd.db")
    studies.finished(work.root / "hpo_studies/gbpusd.log", mode="journal")
    for name in ("champion.pt", "runner_up.pt"):
        work.write(f"best_models/{name}", days=90)
        work.write(f"best_models/{name[:-3]}_meta.json", "{}", days=90)
    work.write("models/hpo_derived/eurusd/final_model_mlp.pth", days=90)


def scripts_with_caches(work: Small) -> None:
    for folder in ("src/pkg", "tests"):
        source = work.write(f"{folder}/module.py", "x = 1\n", days=90)
        subprocess.run([sys.executable, "-m", "compileall", "-q", source], check=True)
        old(work, f"{folder}/__pycache__")
    work.write(".cache/huggingface/blob", "x" * 100_000, days=90)
    old(work, ".cache")


def curves_in_the_logs(work: Small) -> None:
    program = "from torch.utils.tensorboard import SummaryWriter as W; W('logs/fit').close()"
    subprocess.run([sys.executable, "-c", program], cwd=work.root, check=True)
    old(work, "logs")


def nothing(_work: Small) -> None:
    pass


HABITS: list[Callable[[Small], None]] = [
    hydra_project,
    lightning_in_its_default_folder,
    template_with_runs_below_logs,
    ultralytics,
    plain_scripts,
    hugging_face_results,
    offline_wandb,
    not_machine_learning,
    in_git,
    studies_and_what_came_of_them,
    scripts_with_caches,
    curves_in_the_logs,
    nothing,
]


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.__name__)
def test_the_config_loads_and_nothing_was_changed(
    work: Small, habit: Callable[[Small], None]
) -> None:
    habit(work)
    before = snapshot(work.root)
    assert work.janitor("init").code == 0
    load(work.root / "config.toml", {}, work.root)
    after = snapshot(work.root)
    assert {path for path in after if path not in before} == {b"config.toml"}
    assert {path: mark for path, mark in after.items() if path in before and path != b""} == {
        path: mark for path, mark in before.items() if path != b""
    }


def proposed(work: Small) -> dict[str, dict[str, int]]:
    return {row["kind"]: row for row in work.janitor("init").facts["policies"]}


def test_a_policy_for_each_kind_that_is_there(work: Small) -> None:
    hydra_project(work)
    work.write("logs/app.log", days=90)
    assert proposed(work).keys() == {"hydra-run", "log"}


def test_it_says_what_the_plan_then_says(work: Small) -> None:
    hydra_project(work)
    frees = proposed(work)["hydra-run"]["frees"]
    planned = work.janitor("plan")
    assert frees == sum(row["frees"] for row in planned.rows("steps")) > 0


def test_only_caches_get_a_policy_of_the_kinds_that_are_no_runs(work: Small) -> None:
    studies_and_what_came_of_them(work)
    scripts_with_caches(work)
    found = work.janitor("init")
    assert found.facts["units"] == {"study": 2, "milestone": 2, "model": 1, "cache": 3}
    assert [row["kind"] for row in found.facts["policies"]] == ["cache"]
    (policy,) = load(work.root / "config.toml", {}, work.root).policies
    assert (policy.kind, policy.keep_within) == ("cache", 30 * DAY)
    assert {row["kind"] for row in work.janitor("plan").rows("steps")} == {"cache"}


def test_it_counts_them_in_words(work: Small) -> None:
    studies_and_what_came_of_them(work)
    scripts_with_caches(work)
    curves_in_the_logs(work)
    assert "1 log, 2 studies, 1 model, 2 milestones, 3 caches" in work.said("init")


def test_a_folder_of_models_is_none_of_runs(work: Small) -> None:
    """It has a key of its own, and can't be a second one."""
    training.ultralytics_run(work.root / "models/detect/train")
    old(work, "models")
    assert work.janitor("init").facts["folders"] == {}
    load(work.root / "config.toml", {}, work.root)


@pytest.mark.parametrize(
    ("habit", "key", "folder"),
    [
        (lightning_in_its_default_folder, "training", "lightning_logs"),
        (ultralytics, "training", "runs"),
    ],
)
def test_runs_in_other_folders_are_found(
    work: Small, habit: Callable[[Small], None], key: str, folder: str
) -> None:
    habit(work)
    assert work.janitor("init").facts["folders"] == {key: [folder]}
    settings = load(work.root / "config.toml", {}, work.root)
    assert settings.folders.roots[folder] == key
    kinds = {row["kind"] for row in work.janitor("plan").rows("steps", "kept")}
    assert "training-run" in kinds


def test_defaults_that_are_there_stay_beside_what_was_found(work: Small) -> None:
    plain_scripts(work)
    lightning_in_its_default_folder(work)
    work.janitor("init")
    settings = load(work.root / "config.toml", {}, work.root)
    assert settings.folders.training == ("training/runs", "lightning_logs")


@pytest.mark.parametrize("habit", [not_machine_learning, hugging_face_results, nothing])
def test_nothing_is_proposed_where_no_run_is_proven(
    work: Small, habit: Callable[[Small], None]
) -> None:
    habit(work)
    found = work.janitor("init").facts
    assert (found["folders"], found["policies"]) == ({}, [])


def test_no_proposal_takes_what_is_protected(work: Small) -> None:
    offline_wandb(work)
    in_git(work)
    work.janitor("init")
    assert [row["path"] for row in work.janitor("plan").rows("steps")] == [".gitignore"]


def test_a_config_that_is_there_is_never_written_over(work: Small) -> None:
    work.write("config.toml", "# mine\n")
    found = work.janitor("init")
    assert found.code == 2
    assert found.said["errors"][0]["hint"] == "janitor plan"
    assert (work.root / "config.toml").read_text() == "# mine\n"


def test_nor_a_link_that_leads_nowhere(work: Small) -> None:
    os.symlink("elsewhere.toml", work.root / "config.toml")
    assert work.janitor("init").code == 2
    assert not (work.root / "elsewhere.toml").exists()


def test_what_a_person_sees(work: Small) -> None:
    hydra_project(work)
    said = work.said("init")
    assert "25 Hydra runs" in said
    assert "Wrote config.toml" in said
    assert "would free" in said
    assert said.rstrip().endswith("janitor plan")
