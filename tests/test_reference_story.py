"""The whole way with the reference project: a search over two model types, and two models."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.real.small import Small

SEARCH = "--study-name eurusd --models mlp,lstm --trials 3 --keep-models none"
SIZE = "series.rows=1500 training.epochs=4"
RETRAIN = f"""
[[retrain]]
command = ["python", "-m", "artifact_janitor.reference.train_nn_model",
           "--request", "{{request}}", "--out", "{{out}}"]
python = {json.dumps(sys.executable)}
"""
UNSEEN = """\
import csv, sys
from artifact_janitor.reference.series import generated
from artifact_janitor.reference.settings import SeriesSettings
series = generated(SeriesSettings(rows=1200, seed=99))
rows = csv.writer(sys.stdout)
rows.writerow(("timestamp", "close"))
rows.writerows((int(time) // 1_000_000, price) for time, price in zip(series.times, series.prices))
"""
"""The same signal, in other prices than those that it was trained on."""
TYPES = ("mlp", "lstm")


def program(name: str, *args: str) -> list[str]:
    return [sys.executable, "-m", f"artifact_janitor.reference.{name}", *args]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """After the search, and a sweep that waited for both models."""
    work = Small(tmp_path_factory.mktemp("forex"))
    work.configure(RETRAIN)
    search = program("run_hpo", *SEARCH.split(), *SIZE.split())
    subprocess.run(search, cwd=work.root, check=True, capture_output=True)
    answer = work.janitor("run", "--yes", "--wait")
    assert (answer.code, [each for each in answer.facts["notes"] if "results" in each]) == (0, [])
    assert {job["state"] for job in answer.facts["jobs"]} == {"published"}
    return work


def model(work: Small, model_type: str) -> Path:
    return work.root / f"models/hpo_derived/eurusd/final_model_{model_type}.pth"


def sidecar(work: Small, model_type: str) -> Any:
    return json.loads(model(work, model_type).with_suffix(".json").read_text())


@pytest.mark.parametrize("model_type", TYPES)
def test_it_loads_without_a_pickle_that_could_run(work: Small, model_type: str) -> None:
    import torch

    held = torch.load(model(work, model_type), weights_only=True)
    assert {"format", "state_dict", "config", "scalers", "meta"} <= held.keys()


@pytest.mark.parametrize("model_type", TYPES)
def test_its_sidecar_is_true(work: Small, model_type: str) -> None:
    import optuna

    storage = f"sqlite:///{work.root}/hpo_studies/eurusd.db"
    best = optuna.load_study(study_name=f"eurusd_{model_type}", storage=storage).best_trial
    told = sidecar(work, model_type)
    assert told["sha256"] == hashlib.sha256(model(work, model_type).read_bytes()).hexdigest()
    assert (told["trial"], told["params"]) == (best.number, best.params)
    assert (told["mode"], told["seed"]) == ("replay", best.user_attrs["seed"])
    assert told["metric"]["value"] == pytest.approx(best.value, abs=1e-6)
    assert told["data_sha256"] == best.user_attrs["data_sha256"]


@pytest.mark.parametrize("model_type", TYPES)
def test_it_beats_the_majority_on_prices_that_it_never_saw(work: Small, model_type: str) -> None:
    """At best 74.7 % can be guessed right."""
    prices = work.root / "unseen.csv"
    prices.write_bytes(subprocess.check_output([sys.executable, "-c", UNSEEN], cwd=work.root))
    said = subprocess.check_output(
        program("predict", str(model(work, model_type)), str(prices)), cwd=work.root, text=True
    )
    rises = list(rising(prices))
    guesses = [float(row["p_up"]) > 0.5 for row in csv.DictReader(io.StringIO(said))]
    known = rises[len(rises) - len(guesses) + 1 :]  # what comes after the last row nobody knows
    right = sum(a == b for a, b in zip(guesses, known, strict=False)) / len(known)
    majority = max(sum(known), len(known) - sum(known)) / len(known)
    assert right > majority + 0.05


def rising(prices: Path) -> Iterator[bool]:
    """Of each row but the first: is it higher than the one before?"""
    with prices.open() as file:
        closes = [float(row["close"]) for row in csv.DictReader(file)]
    yield from (after > before for before, after in pairwise(closes))


def test_results_of_both_are_there(work: Small) -> None:
    both = json.loads((work.root / "hpo_results/hpo_combined_results.json").read_text())
    assert {each["model_type"] for each in both["model_types"]} == {*TYPES}
