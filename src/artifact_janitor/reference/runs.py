"""A run of a person's own, by Hydra: everything about it lies in ``training/runs/{run_name}/``.

``config_used.yaml``, ``train_nn_model.log``, ``metrics.csv``, Lightning's checkpoints of the
two best epochs and the last one, ``best_model.pt`` (the weights, as soon as they are better),
and at the end ``final_model_{model_type}.pth`` and ``metrics.json``.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.callbacks import ModelCheckpoint
from omegaconf import DictConfig, OmegaConf

from artifact_janitor.errors import JanitorError, UsageError
from artifact_janitor.reference import (
    configs,
    contract,
    material,
    needs,
    published,
    trackers,
    training,
)
from artifact_janitor.reference.material import Material
from artifact_janitor.reference.training import Epoch

log = logging.getLogger("train_nn_model")


def main() -> int:
    """Hydra reads the command line, and ends the program with its own exit code."""
    hydra.main(version_base=None, config_path=str(configs.CONF), config_name="config")(_job)()
    return 0


def _job(told: DictConfig) -> float:
    """Returns the metric, for a sweeper of Hydra's. An error of ours needs no traceback."""
    try:
        return run(told, Path(HydraConfig.get().runtime.output_dir))
    except JanitorError as error:
        needs.tell(error)
        raise SystemExit(error.exit_code) from None


def run(told: DictConfig, folder: Path) -> float:
    """Raises UsageError where the folder holds a run already: nothing is written over."""
    used = folder / "config_used.yaml"
    if used.exists():
        raise UsageError(f"{folder} holds a run already", "choose another run_name", str(folder))
    plain: Any = OmegaConf.to_container(told, resolve=True)
    settings = configs.deciding(plain)
    OmegaConf.save(told, used, resolve=True)
    learnt = material.prepared(settings)
    say(learnt)
    with trackers.loggers(plain["tracking"], plain, folder) as loggers:
        trained = training.train(
            settings,
            learnt,
            plain["machine"]["accelerator"],
            heard=[_say_epoch],
            into=[_checkpoints(folder), *loggers],
            improved=lambda best: published.save(best, folder / "best_model.pt"),
        )
        facts = contract.facts(trained, settings, learnt)
        for logger in loggers:
            logger.log_metrics({training.METRIC: trained.value, **trained.test})
    held = published.content(trained.network, settings, learnt.scaler, facts)
    finish(folder, facts)
    published.save(held, folder / published.file_name(settings.model_type))
    log.info("%s", _summary(facts))
    return trained.value


def finish(folder: Path, facts: dict[str, Any]) -> None:
    """The figures, under the names that people look for."""
    named = {training.METRIC: facts["metric"], **facts}
    with published.whole(folder / "metrics.json") as staged:
        staged.write_text(json.dumps(named, indent=2) + "\n")


def say(learnt: Material) -> None:
    for note in learnt.notes:
        log.info("%s", note)
    for part, counts in learnt.balance().items():
        said = ", ".join(f"{count} {name}" for name, count in counts.items())
        log.info("%s: %s", part, said)


def _say_epoch(epoch: Epoch) -> None:
    log.info("epoch %d of %d: %s %.4f", epoch.number, epoch.of, training.METRIC, epoch.value)


def _summary(facts: dict[str, Any]) -> str:
    return (
        f"{facts['model_type']}: {training.METRIC} {facts['metric']:.4f}; on the test part F1 "
        f"{facts['test_f1_score']:.4f}, the majority class {facts['majority_f1_score']:.4f}"
    )


def _checkpoints(folder: Path) -> ModelCheckpoint:
    return ModelCheckpoint(
        dirpath=folder,
        filename="epoch_{epoch}",
        auto_insert_metric_name=False,
        monitor=training.METRIC,
        mode="max",
        save_top_k=2,
        save_last=True,
    )
