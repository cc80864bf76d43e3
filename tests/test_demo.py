"""The demo project: what `janitor demo` shows is real, dated, and leaves nothing running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from artifact_janitor import config
from artifact_janitor.demo import project, timeline
from artifact_janitor.demo.project import Demo
from artifact_janitor.errors import JanitorError, UsageError

LONG_ENOUGH = timedelta(days=2)
"""No run of the demo lasted longer."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo") / "project"
    with project.build(folder, lambda _: None) as built:
        yield built


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    project.write_sources(folder)
    return folder


def hydra_runs(demo: Demo) -> list[Path]:
    return sorted(path.parent.parent for path in demo.folder.glob("outputs/*/*/.hydra/hydra.yaml"))


def mtimes(top: Path) -> list[datetime]:
    files = [path for path in top.rglob("*") if path.is_symlink() or path.is_file()]
    return [datetime.fromtimestamp(path.lstat().st_mtime) for path in files]


def assert_dated(top: Path, start: datetime) -> None:
    """All files are from the time that the folder's name says."""
    for moment in mtimes(top):
        assert start <= moment <= start + LONG_ENOUGH


def test_hydra_ran_in_folders_that_bear_the_time_of_their_files(demo: Demo) -> None:
    runs = hydra_runs(demo)
    assert len(runs) == len(timeline.EXPERIMENTS)
    for run in runs:
        assert f"output_dir: {run}" in (run / ".hydra/hydra.yaml").read_text()
        assert_dated(run, datetime.strptime(f"{run.parent.name} {run.name}", "%Y-%m-%d %H-%M-%S"))


def test_sweeps_hold_their_jobs(demo: Demo) -> None:
    sweeps = [path.parent for path in demo.folder.glob("multirun/*/*/multirun.yaml")]
    jobs = [len(list(sweep.glob("*/.hydra"))) for sweep in sorted(sweeps)]
    assert jobs == [choices.count(",") + 1 for _, choices in timeline.SWEEPS]


def test_wandb_recorded_runs_that_were_never_uploaded(demo: Demo) -> None:
    logs = sorted(demo.folder.rglob("wandb/offline-run-*/run-*.wandb"))
    assert [path.parent.relative_to(demo.folder).parts[0] for path in logs] == [
        "outputs",
        "wandb",
        "wandb",
    ]
    for log in logs:
        assert log.read_bytes()[:4] == b":W&B"
        assert not log.with_name(log.name + ".synced").exists()
        stamp = log.parent.name.split("-")[2]
        assert_dated(log.parent, datetime.strptime(stamp, "%Y%m%d_%H%M%S"))


def test_wandbs_links_name_the_newest_run(demo: Demo) -> None:
    newest = max(demo.folder.glob("wandb/offline-run-*"))
    assert os.readlink(demo.folder / "wandb/latest-run") == newest.name
    assert (demo.folder / "wandb/debug.log").exists()


def test_checkpoints_are_torchs_and_one_was_cut_short(demo: Demo) -> None:
    checkpoints = list(demo.folder.glob("training/runs/*/*.pt*"))
    broken = [path for path in checkpoints if not zipfile.is_zipfile(path)]
    assert len(checkpoints) > 30
    assert all(path.stat().st_size > 1_000_000 for path in checkpoints)
    assert [path.relative_to(demo.folder).as_posix() for path in broken] == [
        "training/runs/crashed/epoch_6.pt"
    ]


def test_the_fine_tuned_run_went_on_from_the_checkpoint_that_its_config_names(demo: Demo) -> None:
    import torch

    used = (demo.folder / "training/runs/finetuned/config_used.yaml").read_text()
    named = demo.highlights["resumed from"]
    assert f"resume: {named}\n" in used
    before = torch.load(demo.folder / named, weights_only=True)["model"]
    after = torch.load(demo.folder / "training/runs/finetuned/epoch_1.pt", weights_only=True)
    moved = (after["model"]["0.weight"] - before["0.weight"]).abs().max()
    assert 0 < moved < 0.01  # one small step away


def test_the_release_names_its_run_and_holds_its_weights(demo: Demo) -> None:
    told = json.loads((demo.folder / "best_models/released_meta.json").read_text())
    weights = demo.folder / told["run"] / "models/weights.pt"
    assert told["run"] == demo.highlights["released"]
    assert (demo.folder / "best_models/released.pt").read_bytes() == weights.read_bytes()


KINDS = {"hydra-run", "hydra-sweep", "wandb-run", "training-run", "checkpoint", "log"}


def test_its_config_is_valid_and_governs_every_kind_in_it(demo: Demo) -> None:
    settings = config.load(None, {}, demo.folder)
    assert settings.notes == ()
    assert {policy.kind for policy in settings.policies} == KINDS


def test_every_highlight_is_there(demo: Demo) -> None:
    assert [path for path in demo.highlights.values() if not (demo.folder / path).exists()] == []
    favourite = (demo.folder / "outputs/favourite").resolve()
    assert favourite == (demo.folder / demo.highlights["favourite"]).resolve()


@pytest.fixture(scope="module")
def plan(demo: Demo) -> dict[str, Any]:
    janitor = Path(sys.executable).with_name("janitor")
    said = subprocess.check_output([janitor, "plan", "--json"], cwd=demo.folder)
    found: dict[str, Any] = json.loads(said)["data"]
    return found


def test_the_policies_bite_and_no_guard_stops_them(plan: dict[str, Any]) -> None:
    kinds = {step["kind"] for step in plan["steps"]}
    assert kinds == KINDS - {"wandb-run"} | {"model"}, "a run by hand is published"
    assert plan["refused"] == []


def test_every_highlight_has_its_story(demo: Demo, plan: dict[str, Any]) -> None:
    kept = {each["path"]: " ".join(each["reasons"]) for each in plan["kept"]}
    archived = {each["path"]: each for each in plan["steps"] if each["do"] == "archive"}
    stories = {
        "released": "best_models/released_meta.json names it",
        "favourite": "outputs/favourite",
        "holds an upload to come": "never uploaded",
        "not uploaded": "never uploaded",
        "resumed from": "conf/finetune.yaml",
        "live": f"pid {demo.live_pid}",
    }
    into_archives = {"killed while saving": "leaves with", "only copy": "only copy"}
    assert set(stories) | set(into_archives) | {"old"} == set(demo.highlights)
    for name, story in into_archives.items():
        assert story in " ".join(archived[demo.highlights[name]]["reasons"])
    for name, story in stories.items():
        assert story in kept[demo.highlights[name]]
    assert demo.highlights["old"] in {step["path"] for step in plan["steps"]}


def test_git_has_the_sources_and_nothing_is_left_over(demo: Demo) -> None:
    def git(*arguments: str) -> str:
        return subprocess.check_output(["git", *arguments], cwd=demo.folder, text=True)

    assert git("status", "--porcelain") == ""
    assert {"conf/finetune.yaml", "best_models/released_meta.json"} <= set(git("ls-files").split())


def test_nothing_in_the_roots_is_from_today(demo: Demo) -> None:
    today = datetime.combine(datetime.now().date(), datetime.min.time())
    for root in ("outputs", "multirun", "wandb", "training", "logs", "models", "best_models"):
        found = mtimes(demo.folder / root)
        late = [moment for moment in found if moment >= today]
        assert found
        # but for what a person or W&B made just now: a sidecar and links
        assert len(late) <= {"outputs": 1, "wandb": 3, "best_models": 1}.get(root, 0)


def test_the_live_run_is_alive_silent_and_holds_its_log(demo: Demo) -> None:
    log = demo.folder / demo.highlights["live"] / "train.log"
    descriptors = Path(f"/proc/{demo.live_pid}/fd")
    assert log.resolve() in {path.resolve() for path in descriptors.iterdir()}
    assert max(mtimes(log.parent)) < datetime.now() - timedelta(days=7)


def test_the_live_run_ends_with_the_demo(sources: Path) -> None:
    run = timeline.live_run(datetime.now(), wait=60)
    with project.running(sources, run) as live:
        project.await_waiting(sources, live)
        assert live.poll() is None
    assert live.returncode == -signal.SIGTERM


def test_the_live_run_ends_with_a_demo_that_is_interrupted(sources: Path) -> None:
    seen = []

    def interrupted() -> None:
        with project.running(sources, timeline.live_run(datetime.now(), wait=60)) as live:
            seen.append(live)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert seen[0].returncode == -signal.SIGTERM


def test_the_live_run_ends_by_itself(sources: Path) -> None:
    run = timeline.live_run(datetime.now(), wait=1)
    with project.running(sources, run) as live:
        assert live.wait(timeout=60) == 0
    assert (sources / run.folder / "final_model_mlp.pth").exists()


def test_a_run_that_fails_ends_the_demo_with_what_it_said(sources: Path) -> None:
    now = datetime.now()
    bad = timeline.Run("outputs/x", now, timedelta(), ("hydra.run.dir=outputs/x", "epochz=1"))
    with project.rehearsal(sources, [bad]) as wait, pytest.raises(JanitorError) as raised:
        wait()
    assert "epochz" in raised.value.hint


def test_the_same_run_gives_the_same_bytes(sources: Path) -> None:
    now = datetime.now()
    runs = [
        timeline.Run(name, now, timedelta(), (f"hydra.run.dir={name}", "seed=7"))
        for name in ("outputs/a", "outputs/b")
    ]
    with project.rehearsal(sources, runs) as wait:
        wait()
    first, second = ((sources / run.folder / "models/weights.pt").read_bytes() for run in runs)
    assert first == second


def test_all_runs_started_in_the_past_and_at_different_times() -> None:
    now = datetime.now()
    runs = [*timeline.experiments(now), *timeline.sweeps(now), *timeline.long_runs(now)]
    assert len({run.start for run in runs}) == len(runs)
    assert all(run.start + run.lasted < now - timedelta(days=1) for run in runs)


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("mine\n")
    with pytest.raises(UsageError, match="not empty"), project.build(tmp_path, print):
        pass
    with pytest.raises(UsageError, match="not empty"), project.build(mine, print):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_what_is_missing_is_named_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "NEEDS", ("json", "not_there_either"))
    folder = tmp_path / "new"
    needs = pytest.raises(UsageError, match="needs not_there_either")
    with needs as raised, project.build(folder, print):
        pass
    assert raised.value.hint == "pip install 'artifact-janitor[demo]'"
    assert not folder.exists()
