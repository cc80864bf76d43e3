"""Where a run reports to: a CSV file always, W&B and MLflow where the settings say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, MLFlowLogger, WandbLogger

from artifact_janitor.errors import UsageError
from artifact_janitor.reference import needs


@contextmanager
def loggers(told: dict[str, Any], config: dict[str, Any], folder: Path) -> Iterator[list[Any]]:
    """Lightning's loggers, each told the whole configuration; W&B's run ends with the block.

    Raises UsageError where the settings name something that isn't there.
    """
    name = str(config["run_name"])
    found: list[Any] = [CSVLogger(folder, name="", version="")]
    if told["wandb"] is not None:
        found.append(_wandb(str(told["wandb"]), str(told["project"]), name))
    if told["mlflow"] is not None:
        needs.require("mlflow")
        uri = str(told["mlflow"])
        found.append(MLFlowLogger(str(told["project"]), run_name=name, tracking_uri=uri))
    for logger in found[1:]:
        logger.log_hyperparams(config)
    exit_code = 1
    try:
        yield found
        exit_code = 0
    finally:
        for logger in found:
            if isinstance(logger, WandbLogger):
                logger.experiment.finish(exit_code=exit_code)


def _wandb(mode: str, project: str, name: str) -> WandbLogger:
    if mode not in ("offline", "online"):
        raise UsageError(f'tracking.wandb: "{mode}"', "offline, online or null")
    needs.require("wandb")
    return WandbLogger(name=name, project=project, save_dir=".", offline=mode == "offline")
