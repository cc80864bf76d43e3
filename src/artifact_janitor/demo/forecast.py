"""The demo's study: prices, a search by the reference project, and a model that forecasts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from artifact_janitor.errors import JanitorError

PRICES = "prices.csv"
REFERENCE = "artifact_janitor.reference"
SEARCH = (
    *("python", "-m", f"{REFERENCE}.run_hpo", "--study-name", "eurusd", "--models", "mlp,lstm"),
    *("--trials", "3", "--keep-models", "none", f"series.csv={PRICES}", "training.epochs=4"),
)
FORECAST = (
    *("python", "-m", f"{REFERENCE}.predict"),
    *("models/hpo_derived/eurusd/final_model_lstm.pth", PRICES),
)

GENERATE = """\
import csv, sys
from datetime import UTC, datetime
from artifact_janitor.reference.series import generated
from artifact_janitor.reference.settings import SeriesSettings
series = generated(SeriesSettings(rows=1500))
with open(sys.argv[1], "w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(("timestamp", "close"))
    for time, price in zip(series.times, series.prices):
        rows.writerow((datetime.fromtimestamp(time / 1e6, UTC).isoformat(), f"{price:.5f}"))
"""

RETRAIN = """
[[retrain]]            # what becomes of a finished study: its best trial, trained again
studies = "*"
command = ["python", "-m", "artifact_janitor.reference.train_nn_model",
           "--request", "{{request}}", "--out", "{{out}}"]
python = {python}
"""


def prepare(folder: Path) -> None:
    """Prices with a known signal, and what config.toml says of studies."""
    command = [sys.executable, "-c", GENERATE, PRICES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise JanitorError("the demo's prices could not be made", done.stderr.strip()[-800:])
    with (folder / "config.toml").open("a", encoding="utf-8") as file:
        file.write(RETRAIN.format(python=json.dumps(sys.executable)))
