"""One real search, and all that follows from it: replay, models, predictions, going on."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch

from artifact_janitor.errors import JanitorError, UsageError
from artifact_janitor.observe.modelfile import is_whole
from artifact_janitor.reference import (
    contract,
    material,
    needs,
    predict,
    published,
    run_hpo,
    series,
    studies,
    train_nn_model,
    training,
)
from artifact_janitor.reference.search import Search, Turn
from artifact_janitor.reference.settings import SeriesSettings, checked, with_params

SMALL = ("series.rows=1200", "windows.window=12", "windows.lookback=12", "training.epochs=6")
STATES = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a search over two model types has ended."""
    folder = tmp_path_factory.mktemp("search")
    asked = ["--study-name", "fx", "--models", "mlp,lstm", "--trials", "3", *SMALL]
    with contextlib.chdir(folder):
        assert run_hpo.main(asked) == 0
        yield folder


def study(name: str, db: str = "fx") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///hpo_studies/{db}.db")


def request_for(trial: optuna.trial.FrozenTrial, model_type: str, path: Path) -> dict[str, Any]:
    """What the janitor would write; `path` gets it."""
    told = {
        "schema": 1,
        "study": f"fx_{model_type}",
        "model_type": model_type,
        "directions": ["maximize"],
        "trial": {
            "number": trial.number,
            "values": trial.values,
            "params": trial.params,
            "user_attrs": trial.user_attrs,
            "seed": trial.user_attrs.get("seed"),
        },
        "snapshot": None,
        "deadline": None,
    }
    path.write_text(json.dumps(told))
    return told


@pytest.mark.parametrize("model_type", ["mlp", "lstm"])
def test_a_study_says_what_it_is_and_that_it_is_over(workspace: Path, model_type: str) -> None:
    searched = study(f"fx_{model_type}")
    attrs = searched.user_attrs
    assert attrs["model_type"] == model_type
    assert (attrs["janitor:target"], attrs["janitor:finished"]) == (3, 3)
    assert searched.direction.name == "MAXIMIZE"
    for trial in searched.get_trials(states=STATES):
        recorded = checked(trial.user_attrs["config"], "trial")
        assert recorded.seed == trial.user_attrs["seed"] == trial.number
        assert with_params(recorded, trial.params) == recorded
        assert trial.user_attrs["data_sha256"] == attrs["data_sha256"]
    assert len({repr(trial.params) for trial in searched.trials}) == 3


@pytest.mark.parametrize("model_type", ["mlp", "lstm"])
def test_the_seed_gives_the_very_same_model(
    workspace: Path, tmp_path: Path, model_type: str
) -> None:
    best = study(f"fx_{model_type}").best_trial
    left = Path(best.user_attrs["janitor:model"])
    assert left.parent == Path(f"training/runs/fx_{model_type}/trial_{best.number}")
    assert left.name == f"epoch_{best.user_attrs['best_epoch']}.pt"
    told = request_for(best, model_type, tmp_path / "request.json")
    out = tmp_path / "staging"
    assert contract.main(["--request", str(tmp_path / "request.json"), "--out", str(out)]) == 0
    final = f"final_model_{model_type}.pth"
    assert {each.name for each in out.iterdir()} == {final, "result.json", "progress.jsonl"}
    assert (out / final).read_bytes() == left.read_bytes()

    result = json.loads((out / "result.json").read_text())
    assert abs(result["metric"] - best.value) < 1e-6
    assert result["params"] == best.params
    assert result["seed"] == best.user_attrs["seed"]
    assert result["data_sha256"] == best.user_attrs["data_sha256"]
    assert result["test_f1_score"] > result["majority_f1_score"] + 0.1

    lines = [json.loads(line) for line in (out / "progress.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [*range(1, result["epochs"] + 1)]
    assert max(line["value"] for line in lines) == lines[-1]["best"] == result["metric"]

    told["trial"]["seed"] += 1  # and another seed gives another
    (tmp_path / "request.json").write_text(json.dumps(told))
    assert contract.main(["--request", str(tmp_path / "request.json"), "--out", str(out)]) == 0
    one, other = (torch.load(each, weights_only=True) for each in (out / final, left))
    assert repr(one["state_dict"]) != repr(other["state_dict"])
    assert one["meta"]["seed"] == other["meta"]["seed"] + 1


def test_a_published_model_holds_plain_values_and_tensors(workspace: Path) -> None:
    best = study("fx_lstm").best_trial
    path = Path(best.user_attrs["janitor:model"])
    held = torch.load(path, weights_only=True)
    assert held.keys() == {"format", "state_dict", "config", "scalers", "meta"}
    assert held["format"] == published.FORMAT
    assert held["scalers"]["features"].keys() == {"kind", "params", "state"}
    assert held["meta"]["metric"] == best.value
    assert held["meta"]["classes"] == ["down", "up"]
    assert held["config"] == best.user_attrs["config"]
    assert is_whole(path)


def test_what_a_request_must_not_say(workspace: Path, tmp_path: Path) -> None:
    best = study("fx_mlp").best_trial
    told = request_for(best, "mlp", tmp_path / "request.json")
    place, out = tmp_path / "request.json", tmp_path / "out"

    def refused(why: str, *words: str, **changed: Any) -> None:
        trial = told["trial"] | changed.pop("trial", {})
        place.write_text(json.dumps(told | {"trial": trial} | changed))
        with pytest.raises(JanitorError, match=why):
            contract.main(["--request", str(place), "--out", str(out), *words])
        assert not out.exists()

    params = best.params
    refused("nothing here is called 'width'", trial={"params": params | {"width": 3}})
    refused("would become 8", trial={"params": params | {"hidden": "8"}})
    refused("1 problem", trial={"params": params | {"lr": -1}})
    refused("a lstm is asked for", model_type="lstm")
    refused("is no request", schema=2)
    refused("is no request", trial={"params": None})
    attrs = best.user_attrs
    refused("prices have changed", trial={"user_attrs": attrs | {"data_sha256": "00"}})
    refused("they stay as they are", "windows.horizon=2")
    place.write_text("{")
    with pytest.raises(UsageError, match="is no request"):
        contract.read(place)
    with pytest.raises(UsageError, match="No such file"):
        contract.read(tmp_path / "missing.json")


def test_a_trial_of_another_search_brings_params_alone(workspace: Path, tmp_path: Path) -> None:
    trial = study("fx_mlp").best_trial
    told = request_for(trial, "transformer", tmp_path / "request.json")
    told["trial"] |= {"params": {"lr": 0.002, "heads": 2}, "user_attrs": {}, "seed": None}
    (tmp_path / "request.json").write_text(json.dumps(told))
    words = ["--request", str(tmp_path / "request.json"), "--out", str(tmp_path / "out")]
    assert contract.main([*words, *SMALL, "training.epochs=2", "seed=5"]) == 0
    loaded = published.load(tmp_path / "out/final_model_transformer.pth")
    assert loaded.settings.training.lr == 0.002
    assert loaded.settings.model_dump()["model"]["heads"] == 2
    assert (loaded.settings.seed, loaded.settings.windows.window) == (5, 12)


def test_no_memory_and_no_room_mean_later(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """torch's own words, from allocations that no address space could hold."""
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 60)
    assert contract.passes(raised.value)
    assert contract.passes(torch.OutOfMemoryError("CUDA out of memory"))
    assert contract.passes(MemoryError())
    assert not contract.passes(RuntimeError("size mismatch"))
    assert not contract.passes(FileNotFoundError(2, "No such file"))
    assert contract.passes(OSError(errno.ENOSPC, "No space left on device"))
    words = ["--request", str(tmp_path / "request.json"), "--out", str(tmp_path / "out")]
    huge = request_for(study("fx_mlp").best_trial, "mlp", tmp_path / "request.json")
    huge["trial"] |= {"params": {"hidden": 1 << 40}, "user_attrs": {}}
    (tmp_path / "request.json").write_text(json.dumps(huge))
    assert contract.main([*words, *SMALL]) == contract.RETRY_LATER
    assert "not now" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_a_hopeless_trial_is_pruned_and_a_diverging_one_fails(workspace: Path) -> None:
    base = checked(study("fx_mlp").user_attrs["config"], "study")
    learnt = material.prepared(base)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=3)
    other = optuna.create_study(direction="maximize", pruner=pruner, study_name="other")
    good = dict.fromkeys(range(1, 7), 0.99)
    done = optuna.trial.create_trial(value=0.99, intermediate_values=good)
    other.add_trial(done)
    search = Search(other, base, 2, Turn(Path("unused")), "none")
    other.optimize(lambda trial: search.value(trial, learnt, "cpu"), n_trials=1)
    assert other.trials[1].state == optuna.trial.TrialState.PRUNED
    assert max(other.trials[1].intermediate_values) == 3  # when the pruner has warmed up
    with pytest.raises(training.Diverged):
        training.train(with_params(base, {"lr": 1e30}), learnt, "cpu")


def test_the_model_is_that_of_the_best_epoch(workspace: Path) -> None:
    told = study("fx_mlp").user_attrs["config"]
    longer = told["training"] | {"epochs": 60, "patience": 3, "lr": 0.01}
    settings = checked(told | {"training": longer, "seed": 11}, "test")
    learnt = material.prepared(settings)
    heard: list[training.Epoch] = []
    trained = training.train(settings, learnt, "cpu", [heard.append])
    assert torch.initial_seed() == 11  # so that the first weights depend on it too
    assert trained.value == max(epoch.value for epoch in heard)
    assert heard[trained.best_epoch - 1].value == trained.value
    assert trained.epochs == len(heard) == trained.best_epoch + 3
    part = learnt.parts["validation"]
    windows, labels = part.__getitems__(range(len(part)))
    with torch.no_grad():
        guessed = trained.network(windows).argmax(1)
    assert training.f1_score(guessed, labels, 2) == pytest.approx(trained.value, abs=1e-6)


def write_csv(path: Path, rows: int, **settings: Any) -> None:
    made = series.generated(SeriesSettings(rows=rows, **settings))
    times = (datetime.fromtimestamp(time / 1e6, UTC).isoformat() for time in made.times.tolist())
    lines = [f"{when},{price!r}\n" for when, price in zip(times, made.prices.tolist(), strict=True)]
    path.write_text("".join(["time,close\n", *lines]))


def test_a_published_model_predicts(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = study("fx_lstm").best_trial.user_attrs["janitor:model"]
    write_csv(tmp_path / "new.csv", 800, seed=9)
    assert predict.main([model, str(tmp_path / "new.csv")]) == 0
    header, *rows = (line.split(",") for line in capsys.readouterr().out.splitlines())
    assert header == ["timestamp", "p_down", "p_up"]
    assert len(rows) == 800 - 12 - 12 + 1
    assert all(abs(float(down) + float(up) - 1) < 1e-5 for _, down, up in rows)
    prices = series.generated(SeriesSettings(rows=800, seed=9)).prices
    asked = rows[:-1]  # the last one is about the future
    right = sum(
        (float(up) > 0.5) == (prices[row + 1] > prices[row])
        for row, (_, _, up) in enumerate(asked, 800 - len(rows))
    )
    assert right / len(asked) > 0.65
    assert rows[-1][0] == (tmp_path / "new.csv").read_text().splitlines()[-1].partition(",")[0]


def test_a_bad_model_or_file_is_one_clear_error(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = Path(study("fx_lstm").best_trial.user_attrs["janitor:model"])
    write_csv(tmp_path / "new.csv", 20)
    half, other, odd, evil = (tmp_path / name for name in ("h.pth", "o.pth", "d.pth", "e.pth"))
    half.write_bytes(good.read_bytes()[:-900])
    torch.save({"state_dict": {}}, other)
    held = torch.load(good, weights_only=True)
    torch.save(held | {"state_dict": {}}, odd)
    torch.save(Path("x"), evil)

    def said(*words: Any) -> str:
        assert needs.told(lambda: predict.main([str(word) for word in words])) != 0
        out, err = capsys.readouterr()
        assert out == ""
        assert "Traceback" not in err
        return err

    for model, why in (
        (half, "no published model"),
        (other, "its format"),
        (odd, "fit together"),
        (evil, "more than tensors"),
        (tmp_path / "missing.pth", "No such file"),
        (tmp_path / "new.csv", "no published model"),
    ):
        assert why in said(model, tmp_path / "new.csv")
        assert model.name in said(model, tmp_path / "new.csv")
    assert "20 rows are too few" in said(good, tmp_path / "new.csv")
    assert "no column x" in said(good, tmp_path / "new.csv", "--price-column", "x")


def test_a_search_goes_on_but_not_with_something_else(workspace: Path) -> None:
    asked = ["--study-name", "fx", "--models", "lstm", "--trials"]
    assert run_hpo.main([*asked, "3", *SMALL]) == 0
    assert len(study("fx_lstm").trials) == 3
    assert run_hpo.main([*asked, "4", *SMALL]) == 0
    searched = study("fx_lstm")
    attrs = searched.user_attrs
    assert (len(searched.trials), attrs["janitor:target"], attrs["janitor:finished"]) == (4, 4, 4)
    with pytest.raises(UsageError, match=r"another training.epochs, windows.horizon"):
        run_hpo.main([*asked, "5", *SMALL, "training.epochs=7", "windows.horizon=2"])
    for words in (["--study-name", "../x"], ["--models", "svm"], ["--trials", "0"], ["model=mlp"]):
        with pytest.raises(UsageError):
            run_hpo.main(words)
    with run_hpo.others(["--help"], 1):
        pass
    with pytest.raises(JanitorError, match="a process"), run_hpo.others(["--models", "svm"], 1):
        pass
    with pytest.raises(UsageError, match="nonsense"):
        run_hpo.main(["--study-name", "new", "nonsense=1"])


def test_a_growing_file_leaves_a_study_as_it_was(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    prices = tmp_path / "prices.csv"
    write_csv(prices, 500)
    asked = ["--study-name", "eur", "series.csv=prices.csv", *SMALL, "training.epochs=1"]
    assert run_hpo.main([*asked, "--trials", "1"]) == 0
    write_csv(prices, 650)
    assert run_hpo.main([*asked, "--trials", "2", "--models", "mlp,lstm"]) == 0
    trials = [*study("eur_mlp", "eur").trials, *study("eur_lstm", "eur").trials]
    assert len(trials) == 4
    assert len({trial.user_attrs["data_sha256"] for trial in trials}) == 1
    assert not list(tmp_path.glob("training/runs/*/*/.saving-*"))
    request_for(trials[0], "mlp", tmp_path / "request.json")
    assert contract.main(["--request", "request.json", "--out", "out"]) == 0
    assert json.loads(Path("out/result.json").read_text())["metric"] == trials[0].value
    write_csv(prices, 650, seed=1)
    with pytest.raises(UsageError, match="other prices"):
        run_hpo.main([*asked, "--trials", "3"])


def test_a_run_of_ones_own_leaves_everything_in_its_folder(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Hydra, Lightning, W&B offline and MLflow, all real."""
    monkeypatch.chdir(tmp_path)
    for what in ("CACHE", "CONFIG", "DATA"):
        monkeypatch.setenv(f"WANDB_{what}_DIR", str(tmp_path / ".cache"))
    monkeypatch.setenv("WANDB_SILENT", "true")
    quiet = ["hydra/job_logging=none", "hydra/hydra_logging=none"]
    report = ["tracking.wandb=offline", "tracking.mlflow=sqlite:///mlflow.db"]
    words = ["train_nn_model", "run_name=mine", "windows.classes=3", *SMALL, *quiet]
    monkeypatch.setattr(sys, "argv", [*words, *report, "training.epochs=3"])
    assert train_nn_model.main() == 0
    run = tmp_path / "training/runs/mine"
    names = {each.name for each in run.iterdir()}
    assert names >= {"config_used.yaml", "metrics.csv", "metrics.json", "best_model.pt"}
    assert names >= {"final_model_mlp.pth", "last.ckpt"}
    final = torch.load(run / "final_model_mlp.pth", weights_only=True)
    best = torch.load(run / "best_model.pt", weights_only=True)
    assert all(torch.equal(best[name], final["state_dict"][name]) for name in best)
    assert final["meta"]["classes"] == ["down", "flat", "up"]
    figures = json.loads((run / "metrics.json").read_text())
    assert figures["validation_f1_score"] == final["meta"]["metric"]
    assert len(list(tmp_path.glob("wandb/offline-run-*/*.wandb"))) == 1
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as db:
        kept = dict(db.execute("SELECT key, value FROM latest_metrics"))
    assert kept["validation_f1_score"] == pytest.approx(figures["metric"])

    before = (run / "final_model_mlp.pth").read_bytes()
    with pytest.raises(SystemExit) as ended:
        train_nn_model.main()
    assert ended.value.code == 2
    assert (run / "final_model_mlp.pth").read_bytes() == before


COUNTS = "SELECT state, count(*) FROM trials GROUP BY state"


def counts(db: Path) -> dict[str, int]:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as connection:
            return dict(connection.execute(COUNTS))
    except sqlite3.OperationalError:  # not there yet, or locked
        return {}


def test_trials_of_the_dead_are_given_up(workspace: Path, tmp_path: Path) -> None:
    """Also of those who died before their first heartbeat, for which Optuna waits for ever."""
    base = checked(study("fx_mlp").user_attrs["config"], "study")
    held = studies.storage(tmp_path / "dead.db", heartbeat=1)
    left = optuna.create_study(storage=held, study_name="dead_mlp")
    alive, dead, heartless = left.ask(), left.ask(), left.ask()
    held.record_heartbeat(dead._trial_id)
    time.sleep(5)
    held.record_heartbeat(alive._trial_id)
    search = Search(left, base, 3, Turn(tmp_path), "none")
    assert not search.step(material.prepared(base), "cpu")
    states = [trial.state.name for trial in left.trials]
    assert [states[each.number] for each in (alive, dead, heartless)] == ["RUNNING", "FAIL", "FAIL"]
    assert not search.finished()


def waiting_for(path: Path) -> int:
    """How many processes wait for a lock on a folder, as the kernel tells it."""
    place = f":{path.stat().st_ino} "
    lines = Path("/proc/locks").read_text().splitlines()
    return sum("-> FLOCK" in line and place in line for line in lines)


def test_a_killed_process_costs_a_trial_and_no_more(workspace: Path, tmp_path: Path) -> None:
    """Two processes share a study; one is killed in mid-trial; the other goes on to the target."""
    asked = ["--study-name", "fx", "--trials", "3", "--heartbeat", "2", *SMALL]
    longer = ["training.epochs=30", "training.patience=30"]
    command = [sys.executable, "-m", "artifact_janitor.reference.run_hpo", *asked, *longer]
    db = tmp_path / "hpo_studies/fx.db"
    db.parent.mkdir()
    with (
        Turn(db.parent).taken() as let_go,
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as doomed,
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as other,
    ):
        while (
            waiting_for(db.parent) < 2
        ):  # so that neither has done everything before the other is up
            assert doomed.poll() is other.poll() is None
            time.sleep(0.05)
        let_go()
        while True:
            os.kill(doomed.pid, signal.SIGSTOP)
            if counts(db).get("RUNNING") == 2:  # one of them is of the one that stands still
                break
            os.kill(doomed.pid, signal.SIGCONT)
            assert doomed.poll() is None, "the study ended before it could be killed"
            time.sleep(0.05)
        doomed.kill()
        said, _ = other.communicate(timeout=500)
    assert other.returncode == 0
    assert sum(counts(db).values()) == 3
    assert counts(db)["FAIL"] >= 1  # more on a machine so busy that hearts stand still
    assert "RUNNING" not in counts(db)
    assert b"fx_mlp: " in said.splitlines()[-1]
    assert {name.partition("-")[0] for name in os.listdir(db.parent)} == {"fx.db"}
    with contextlib.chdir(tmp_path):
        attrs = study("fx_mlp").user_attrs
    assert attrs["janitor:finished"] == attrs["janitor:target"] == 3
