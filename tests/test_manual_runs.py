"""The final model of a training run that a person started is published when the run is over."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from artifact_janitor import manual_runs
from tests.real import models
from tests.real.models import FINAL
from tests.real.publications import NO_TORCH, digest, holds
from tests.real.small import FREE, Small, done, small, why

RUN = "training/runs/first"
PLACE = f"models/manual_runs/first/{FINAL}"


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    """With the folder that asks for it. Torch, which takes seconds, has its test elsewhere."""
    monkeypatch.setattr(manual_runs, "python_of", lambda _: NO_TORCH)
    (tmp_path / "models/manual_runs").mkdir(parents=True)
    return small(tmp_path, "")


def train(work: Small, name: str = "plain", run: str = RUN, days: float = 2) -> None:
    """What a training of `days` ago left."""
    content = (models.built() / name / FINAL).read_bytes()
    work.write(f"{run}/{FINAL}", content, days)
    work.write(f"{run}/checkpoint_1.pt", content[:500], days)
    work.write(f"{run}/config_used.yaml", "model: mlp\n", days)
    work.write(f"{run}/metrics.json", '{"val_f1": 0.5, "nan": NaN, "name": "x"}', days)


def publishes(work: Small) -> list[str]:
    rows = work.janitor("plan").rows("steps")
    return [row["path"] for row in rows if row["do"] == "publish"]


def test_a_run_that_is_over_is_published_once(work: Small) -> None:
    train(work)
    plan = work.janitor("plan")
    assert publishes(work) == [PLACE]
    (row,) = plan.rows("steps")
    assert (row["run"], row["model_type"]) == (RUN, "mlp")
    assert "training/runs/first finished 2 days ago with final_model_mlp.pth" in why(plan, PLACE)
    assert work.janitor("run", "--yes").code == 0
    assert holds(work, "plain", PLACE)
    told = json.loads((work.root / PLACE).with_suffix(".json").read_text())
    assert (told["run"], told["model_type"]) == ("manual:first", "mlp")
    assert told["config"]["sha256"] == digest(work.root / RUN / "config_used.yaml")
    assert told["metrics"] == {"val_f1": 0.5}
    assert publishes(work) == []
    assert work.there(f"{RUN}/{FINAL}")
    os.utime(work.root / RUN / FINAL, ns=(1, (work.root / RUN / FINAL).stat().st_mtime_ns - 9))
    assert done(work.janitor("run", "--yes")) == {PLACE}, "touched, but the same"
    assert work.janitor("history").said["data"]["sweeps"][0]["steps"][0]["state"] == "skipped"
    assert publishes(work) == []


def test_a_newer_final_model_supersedes(work: Small) -> None:
    train(work, days=4)
    work.janitor("run", "--yes")
    train(work, "other", days=2)
    assert work.janitor("run", "--yes").code == 0
    assert holds(work, "other", PLACE)
    assert work.janitor("undo").code == 0
    assert holds(work, "plain", PLACE)
    assert publishes(work) == [], "what was undone stays undone"
    train(work, "scaled", days=1.5)
    assert publishes(work) == [PLACE], "another content is another thing"


@pytest.mark.parametrize("days", [0, 0.9, 8.1, 400, -1])
def test_what_may_still_run_and_what_ended_long_ago_stays(work: Small, days: float) -> None:
    train(work, days=days)
    assert publishes(work) == []


def test_nothing_is_published_where_no_folder_waits_for_it(work: Small, tmp_path: Path) -> None:
    train(work)
    (work.root / "models/manual_runs").rmdir()
    assert publishes(work) == []
    (work.root / "elsewhere").mkdir()
    (work.root / "models/manual_runs").symlink_to(work.root / "elsewhere")
    assert publishes(work) == []
    assert work.janitor("run", "--yes").code == 0
    assert not any((work.root / "elsewhere").iterdir())


def test_a_run_that_somebody_writes_to_waits(work: Small) -> None:
    train(work)
    with (work.root / RUN / "checkpoint_1.pt").open("ab"):
        assert publishes(work) == []
    seen = work.look()
    from artifact_janitor.looking import with_studies

    seen = with_studies(work.settings, seen)
    with (work.root / RUN / FINAL).open("ab"):
        report = work.run(seen)
        assert [each.outcome for each in report.outcomes] == ["skipped"]
        assert "open" in report.outcomes[0].why
    assert not work.there(PLACE)
    assert publishes(work) == [PLACE], "the next sweep tries again"


def test_what_is_no_safe_model_is_rejected_once_and_said(work: Small) -> None:
    train(work, "trap")
    train(work, "numpy", run="training/runs/second")
    answer = work.janitor("run", "--yes")
    assert answer.code == 0
    rows = answer.rows("steps")
    assert {row["outcome"] for row in rows} == {"skipped"}
    assert all("REJECTED: it names" in row["why"] for row in rows)
    assert publishes(work) == []
    assert not (models.built() / "sprung").exists()
    train(work, "plain", days=1.5)
    assert publishes(work) == [PLACE]


def test_any_dict_of_tensors_is_a_model_of_a_manual_run(work: Small) -> None:
    train(work, "missing")
    assert done(work.janitor("run", "--yes")) == {PLACE}
    assert holds(work, "missing", PLACE)


def test_it_never_fills_a_disk(work: Small) -> None:
    work.configure('[disk]\nkeep_free = "900000TB"\n')
    train(work)
    answer = work.janitor("run", "--yes")
    assert answer.code == 0, "as it was asked for"
    assert "stay free" in answer.rows("steps")[0]["why"]
    assert not work.there(PLACE)
    assert publishes(work) == [PLACE]


def test_runs_of_one_name_do_not_meet(work: Small) -> None:
    for run in ("a/b", "a b", "a_b", "caf\udce9"):
        train(work, run=f"training/runs/{run}")
    assert work.janitor("run", "--yes").code == 0
    places = sorted((work.root / "models/manual_runs").iterdir())
    assert len(places) == 4
    assert all((place / FINAL).is_file() for place in places)
    assert publishes(work) == []


def test_a_link_or_pipe_in_a_run_is_no_final_model(work: Small) -> None:
    train(work)
    (work.root / RUN / FINAL).unlink()
    (work.root / RUN / FINAL).symlink_to(models.built() / "plain" / FINAL)
    assert publishes(work) == []
    (work.root / RUN / FINAL).unlink()
    os.mkfifo(work.root / RUN / FINAL)
    assert publishes(work) == []


def test_a_published_model_lets_its_run_go(work: Small) -> None:
    """S6 knows the copy, and the sidecar does not protect the run by naming it."""
    train(work, days=7.5)
    shutil.rmtree(work.root / "models/manual_runs")
    work.configure(FREE)
    plan = work.janitor("plan")
    assert RUN not in {row["path"] for row in plan.rows("steps") if row["do"] == "trash"}
    (work.root / "models/manual_runs").mkdir(parents=True)
    assert PLACE in done(work.janitor("run", "--yes", "--only", "model"))
    plan = work.janitor("plan")
    assert RUN in {row["path"] for row in plan.rows("steps") if row["do"] == "trash"}, why(
        plan, RUN
    )
