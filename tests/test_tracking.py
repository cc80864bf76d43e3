"""A published model is logged in MLflow once, where MLflow is used."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from artifact_janitor import tracking
from artifact_janitor.results import ask
from tests.real import mlflow_runs
from tests.real.publications import SIDECAR, TARGET, one
from tests.real.small import Small, small

PLOTS = "hpo_results/eurusd/mlp_visualizations"
STORES = ["sqlite", "file"]


@pytest.fixture
def work(tmp_path: Path) -> Small:
    work = small(tmp_path, "")
    metric = {"name": "validation_f1_score", "value": 0.61, "best": 0.62}
    told = {
        "study": "eurusd_mlp",
        "params": {"lr": 0.1, "a$b": None, "long": "x" * 999},
        "metric": metric,
        "mode": "refit",
    }
    assert one(work, told=told).outcome == "published"
    work.write(f"{PLOTS}/edf.png", b"\x89PNG")
    return work


def project(work: Small, store: str) -> mlflow_runs.Project:
    if store == "sqlite":
        return mlflow_runs.Project.with_database(work.root)
    found = mlflow_runs.Project(work.root, store="file")
    found.run(1, deleted=False)
    return found


def logged(found: mlflow_runs.Project) -> list[dict[str, Any]]:
    """The runs that are ours, with what MLflow shows of them."""
    runs = [found.all_of(each) for each in found.known()]
    names = ("metrics", "params", "tags", "files", "status")
    told = [dict(zip(names, each, strict=True)) for each in runs]
    return [each for each in told if "janitor.key" in each["tags"]]


@pytest.mark.parametrize("store", STORES)
def test_a_model_is_logged_once_with_its_sidecar_and_plots(work: Small, store: str) -> None:
    found = project(work, store)
    for _ in range(2):
        assert tracking.log(work.settings, TARGET, PLOTS) == ""
    (run,) = logged(found)
    assert sorted(run["files"]) == [
        "final_model_mlp.json",
        "final_model_mlp.pth",
        "visualizations",
    ]
    told = json.loads((work.root / SIDECAR).read_text())
    assert run["tags"]["janitor.key"] == told["key"]
    assert run["tags"]["janitor.sha256"] == told["sha256"]
    assert run["metrics"] == {"validation_f1_score": [[0, 0.61]]}
    assert run["params"]["lr"] == "0.1"
    assert run["status"] == "FINISHED"
    assert list((work.root / "mlruns").rglob("final_model_mlp.pth")), "within the workspace"


def test_what_was_interrupted_is_completed(work: Small) -> None:
    """Killed after the run was made: it is found again by its key."""
    found = project(work, "sqlite")
    order = tracking._order(work.settings, tracking.uri_of(work.settings), TARGET, "")
    ask(tracking.PROGRAM, order | {"artifacts": [], "sha256": ""}, work.root)
    assert logged(found)[0]["files"] == []
    assert tracking.log(work.settings, TARGET) == ""
    (run,) = logged(found)
    assert sorted(run["files"]) == ["final_model_mlp.json", "final_model_mlp.pth"]


def test_two_at_once_log_it_once(work: Small) -> None:
    """As where the first one's janitor was killed, and the next one came at once."""
    found = project(work, "sqlite")
    with ThreadPoolExecutor(2) as both:
        asked = [both.submit(tracking.log, work.settings, TARGET) for _ in range(2)]
        assert [each.result() for each in asked] == ["", ""]
    assert len(logged(found)) == 1


def test_where_no_mlflow_is_used_nothing_is_logged(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    work.write("mlflow.db", b"")
    (work.root / "mlruns").mkdir()
    assert tracking.log(work.settings, TARGET) == ""
    assert not any((work.root / "mlruns").iterdir())


def test_a_failure_there_is_a_note(work: Small) -> None:
    work.write("mlflow.db", b"SQLite format 3\0" + bytes(200))
    note = tracking.log(work.settings, TARGET)
    assert note.startswith(f"MLflow: {TARGET} was published, and not logged: ")
    (work.root / SIDECAR).write_text("{}")
    note = tracking.log(work.settings, TARGET)
    assert "not logged" in note
