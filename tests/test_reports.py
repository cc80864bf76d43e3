"""Results of a study: true, readable by any JSON reader, and worth looking at."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from artifact_janitor import results
from artifact_janitor.errors import StepFailed
from artifact_janitor.results import Reported
from artifact_janitor.workplace import workplace
from tests.real import reported
from tests.real.publications import digest
from tests.real.small import Small, small

PROJECT = Path(__file__).parents[1]
PLOTTED = ("rich_mlp", "two_goals", "single", "failed", "empty", "odd")
EVERY = {
    "optimization_history.png",
    "parameter_importance.png",
    "slice.png",
    "parallel_coordinates.png",
    "edf.png",
    "timeline.png",
}


def program(*args: str, **how: Any) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *args], cwd=PROJECT, env=env, capture_output=True, timeout=500, **how
    )


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In a folder whose name needs care in a URI."""
    path = tmp_path_factory.mktemp("studies") / "a % folder" / "eurusd.db"
    path.parent.mkdir()
    done = program("-m", "tests.real.reported", str(path))
    assert done.returncode == 0, done.stderr.decode()
    return path


@pytest.fixture(scope="module")
def told(database: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """All studies in one execution: the folder, and the answer."""
    out, before = tmp_path_factory.mktemp("out"), digest(database)
    asked = [
        {"study": name, "model_type": name, "study_path": "x.db", "plots": name in PLOTTED}
        for name in reported.NAMES
    ]
    order = {"snapshot": str(database), "out": str(out), "studies": asked}
    done = program("-m", "artifact_janitor.reports", input=json.dumps(order).encode())
    assert done.returncode == 0, done.stderr.decode()
    assert digest(database) == before
    assert [each.name for each in database.parent.iterdir()] == [database.name]
    return out, json.loads(done.stdout)


def facts(told: tuple[Path, Any], name: str) -> dict[str, Any]:
    def never(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    text = (told[0] / f"hpo_results_{name}.json").read_text("ascii")
    found: dict[str, Any] = json.loads(text, parse_constant=never)
    return found


def of_optuna(database: Path, name: str, what: str) -> Any:
    """What Optuna itself says, for comparison."""
    code = f"""
import json, sys, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
storage = optuna.storages.RDBStorage("sqlite:///" + sys.argv[1])
study = optuna.load_study(study_name={name!r}, storage=storage)
print(json.dumps({what}))
"""
    done = program("-c", code, str(database))
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_a_study_is_told_in_full(told: tuple[Path, Any], database: Path) -> None:
    found = facts(told, "rich_mlp")
    best = "[study.best_trial.number, study.best_value, study.best_params]"
    number, value, params = of_optuna(database, "rich_mlp", best)
    (trial,) = found["best"]
    assert (trial["number"], trial["values"], trial["params"]) == (number, [value], params)
    assert trial["user_attrs"] == {"seed": number}
    assert found["directions"] == ["maximize"]
    assert found["metric_names"] == ["validation_f1_score"]
    assert found["counts"] == {"trials": 40, "COMPLETE": 34, "PRUNED": 6}
    assert [each["number"] for each in found["trials"]] == [*range(40)]
    assert found["trials"][7]["values"] == ["-inf"]
    assert found["trials"][5]["state"] == "PRUNED"
    assert isinstance(found["trials"][5]["last_value"], float)
    assert found["durations"]["trials"] == 40
    assert found["search_space"]["learning_rate"] == {
        "type": "float",
        "low": 1e-5,
        "high": 1e-1,
        "step": None,
        "log": True,
    }
    assert found["search_space"]["optimizer"]["choices"] == ["adamw", "sgd", None]
    assert any("momentum" not in each["params"] for each in found["trials"])


def test_importance_names_its_evaluator_and_asks_for_what_is_better(
    told: tuple[Path, Any], database: Path
) -> None:
    """As Optuna's own default does, which knows what is maximized."""
    found = facts(told, "rich_mlp")["importance"]
    assert found["evaluator"] == "PedAnovaImportanceEvaluator"
    (scores,) = found["objectives"]
    its = of_optuna(database, "rich_mlp", "optuna.importance.get_param_importances(study)")
    assert scores == pytest.approx(its)


def test_of_several_objectives_all_that_no_other_beats(
    told: tuple[Path, Any], database: Path
) -> None:
    found = facts(told, "two_goals")
    best = of_optuna(database, "two_goals", "sorted(t.number for t in study.best_trials)")
    assert [each["number"] for each in found["best"]] == best
    assert len(found["importance"]["objectives"]) == 2


@pytest.mark.parametrize("name", ["bound_lstm", "named_bounds"])
def test_what_is_infeasible_is_not_the_best(told: tuple[Path, Any], name: str) -> None:
    found = facts(told, name)
    (best,) = found["best"]
    assert best["values"][0] >= 0.3
    good = [each["values"][0] for each in found["trials"] if each["feasible"]]
    assert best["values"][0] == min(good)
    assert any(not each["feasible"] for each in found["trials"])


@pytest.mark.parametrize(("name", "best"), [("single", 1), ("failed", 0), ("empty", 0)])
def test_a_study_that_says_little_is_told_all_the_same(
    told: tuple[Path, Any], name: str, best: int
) -> None:
    found = facts(told, name)
    assert len(found["best"]) == best
    assert found["importance"]["objectives"] == []
    assert found["importance"]["why"] == "fewer than two complete trials"


def test_all_model_types_of_an_execution_together(told: tuple[Path, Any]) -> None:
    found = json.loads((told[0] / "hpo_combined_results.json").read_text())
    assert not found["comparable"], "one of them has two objectives"
    assert [each["model_type"] for each in found["model_types"]] == [*reported.NAMES]
    assert all("trials" not in each for each in found["model_types"])


def size(path: Path) -> tuple[int, int]:
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def test_every_plot_is_drawn_and_large_enough_to_read(told: tuple[Path, Any]) -> None:
    for name in ("rich_mlp", "two_goals", "odd"):
        folder = told[0] / f"{name}_visualizations"
        assert {each.name for each in folder.iterdir()} == EVERY
        for each in folder.iterdir():
            width, height = size(each)
            assert 650 <= width <= 2600
            assert 300 <= height <= 2600
            assert 8_000 < each.stat().st_size < 900_000
            assert results.ours(each.read_bytes()[:2048])


def test_what_has_nothing_to_show_is_not_drawn_and_said(told: tuple[Path, Any]) -> None:
    folder, answer = told
    drawn = {each.name for each in (folder / "failed_visualizations").iterdir()}
    assert drawn == {"timeline.png"}
    assert not [*(folder / "empty_visualizations").iterdir()]
    assert "edf: no complete trial" in answer["notes"]


def test_no_state_of_pyplot_is_made() -> None:
    code = (
        "import sys, artifact_janitor.reports.plots; assert 'matplotlib.pyplot' not in sys.modules"
    )
    done = program("-c", code)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.proof
def test_ten_thousand_trials_are_told(tmp_path: Path) -> None:
    path, out = tmp_path / "large.db", tmp_path / "out"
    out.mkdir()
    assert program("-m", "tests.real.reported", str(path), "10000").returncode == 0
    asked = [{"study": "large_mlp", "model_type": "mlp"}]
    order = {"snapshot": str(path), "out": str(out), "studies": asked}
    done = program("-m", "artifact_janitor.reports", input=json.dumps(order).encode())
    assert done.returncode == 0, done.stderr.decode()
    assert {each.name for each in (out / "mlp_visualizations").iterdir()} == EVERY
    assert len(json.loads((out / "hpo_results_mlp.json").read_text())["trials"]) == 10_000


# ------------------------------------------------------------ brought to their place


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path, "")


ASKED = (
    Reported("rich_mlp", "hpo_studies/eurusd.db", "mlp", 3),
    Reported("single", "hpo_studies/eurusd.db", "lstm"),
)


def report(work: Small, database: Path, sweep: str = "rep") -> list[str]:
    with workplace(work.settings) as place:
        name = place.journal.begin(sweep, "run", 1, by_person=False)
        with place.state.sweep(name):
            try:
                return results.report(place, name, database, "eurusd", ASKED)
            except StepFailed as failed:
                return [failed.message]


def test_results_are_written_beside_each_other_and_the_newest_on_top(
    work: Small, database: Path
) -> None:
    """And belong to whom the workspace belongs to."""
    if os.geteuid() == 0:
        os.chown(work.root, 65534, 65534)
    assert report(work, database) == []
    top = work.root / "hpo_results"
    assert {each.stat().st_uid for each in top.rglob("*")} == {work.root.stat().st_uid}
    names = ["hpo_combined_results.json", "hpo_results_mlp.json"]
    names += [f"mlp_visualizations/{each}" for each in sorted(EVERY)]
    for name in names:
        assert digest(top / "eurusd" / name) == digest(top / name)
    found = sorted(str(p.relative_to(top)) for p in top.rglob("*") if p.is_file())
    assert found == sorted([*names, *(f"eurusd/{name}" for name in names)])
    told = json.loads((top / "hpo_results_mlp.json").read_text())
    assert told["best"][0]["number"] == 3, "the trial that was chosen, whatever Optuna says"
    assert work.leftovers() == []
    (top / "mlp_visualizations/edf.png").unlink()
    assert report(work, database) == []
    assert size(top / "mlp_visualizations/edf.png") > (0, 0)


def test_what_somebody_else_wrote_stays(work: Small, database: Path, tmp_path: Path) -> None:
    mine = work.write("hpo_results/hpo_results_mlp.json", '{"my": "own"}')
    plot = work.write("hpo_results/eurusd/mlp_visualizations/edf.png", b"\x89PNG mine")
    aside = tmp_path / "aside"
    aside.mkdir()
    (work.root / "hpo_results/mlp_visualizations").symlink_to(aside)
    notes = report(work, database)
    assert mine.read_text() == '{"my": "own"}'
    assert plot.read_bytes() == b"\x89PNG mine"
    assert not any(aside.iterdir())
    assert "hpo_results/hpo_results_mlp.json is not the janitor's own" in " ".join(notes)
    assert (work.root / "hpo_results/eurusd/hpo_results_mlp.json").exists()


def test_without_the_extra_a_note_says_what_to_type(
    work: Small, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT / "src"))
    monkeypatch.setattr(results.sys, "executable", str(bare / "bin/python"))
    (note,) = report(work, database)
    assert "optuna and matplotlib: pip install 'artifact-janitor[optuna]'" in note
    assert work.leftovers() == []


def test_what_goes_wrong_is_a_note(
    work: Small, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (note,) = report(work, tmp_path / "nothing.db")
    assert note.startswith("no results were written: ")
    assert not (tmp_path / "nothing.db").exists(), "Optuna makes what it does not find"
    monkeypatch.setattr(results, "PATIENCE", 0.01)
    (note,) = report(work, database, "late")
    assert "longer than" in note
    assert work.leftovers() == []
    assert not work.there("hpo_results/eurusd")
