"""One training from settings to weights, by Lightning: the same for a run, a trial, a replay.

``validation_f1_score`` is the mean over the classes of their F1 (macro), over all samples of
the validation part after an epoch. The model is the one of the best epoch; the test part is
looked at once, with that model.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from torch import nn
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from artifact_janitor.errors import JanitorError
from artifact_janitor.reference import models
from artifact_janitor.reference.material import Material, Samples, loader
from artifact_janitor.reference.settings import Settings
from artifact_janitor.reference.windows import FEATURES

METRIC = "validation_f1_score"
EVALUATE_AT_ONCE = 4096
"""Samples; without gradients they take little memory."""


class Diverged(JanitorError):
    """No epoch ended with a finite loss."""


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to; the first is number 1."""

    number: int
    of: int
    value: float
    """Of validation_f1_score; not a number where the loss wasn't finite."""
    loss: float


@dataclass(frozen=True)
class Trained:
    network: nn.Module
    """On the CPU, with the weights of the best epoch."""
    value: float
    best_epoch: int
    epochs: int
    accelerator: str
    test: dict[str, float]
    """F1 and accuracy of the model and of a guess that always says the majority class."""


Weights = dict[str, torch.Tensor]
"""A network's state dict, on the CPU."""
Listener = Callable[[Epoch], None]
"""Is told of each epoch; what it raises ends the training."""


class Classifier(pl.LightningModule):
    """A network, with its loss, its optimizer, and its score over a whole epoch."""

    def __init__(self, network: nn.Module, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        self.classes = settings.windows.classes
        self._seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def training_step(self, batch: Any, _: int) -> torch.Tensor:
        windows, labels = batch
        loss = nn.functional.cross_entropy(self.network(windows), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(labels))
        return loss

    def validation_step(self, batch: Any, _: int) -> None:
        windows, labels = batch
        self._seen.append((self.network(windows), labels))

    def on_validation_epoch_end(self) -> None:
        scores, labels = (torch.cat(each) for each in zip(*self._seen, strict=True))
        self._seen.clear()
        loss = nn.functional.cross_entropy(scores, labels)
        finite = bool(torch.isfinite(loss))
        self.log("validation_loss", loss)
        self.log(METRIC, f1_score(scores.argmax(1), labels, self.classes) if finite else math.nan)

    def configure_optimizers(self) -> Any:
        told = self.settings.training
        return torch.optim.AdamW(self.parameters(), lr=told.lr, weight_decay=told.weight_decay)


class BestWeights(Callback):
    """Keeps the weights of the best epoch, the first of those that are equal."""

    def __init__(self, heard: Sequence[Listener], improved: Callable[[Weights], None]) -> None:
        self.best = Epoch(0, 0, -math.inf, math.inf)
        self.weights: Weights = {}
        self.heard, self.improved = heard, improved

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        told = {name: float(trainer.callback_metrics[name]) for name in (METRIC, "validation_loss")}
        epoch = Epoch(trainer.current_epoch + 1, trainer.max_epochs, *told.values())
        if epoch.value > self.best.value:
            self.best = epoch
            state = pl_module.network.state_dict()
            self.weights = {name: each.detach().cpu().clone() for name, each in state.items()}
            self.improved(self.weights)
        for listener in self.heard:
            listener(epoch)


def train(
    settings: Settings,
    material: Material,
    accelerator: str = "auto",
    heard: Sequence[Listener] = (),
    into: Sequence[Any] = (),
    improved: Callable[[Weights], None] = lambda _: None,
) -> Trained:
    """Raises `Diverged`, and what a listener raises.

    `into` holds more of Lightning's callbacks and loggers, none of which may touch the
    weights; `improved` gets the weights whenever they are better than before.
    """
    torch.set_num_threads(settings.training.threads)
    torch.manual_seed(settings.seed)  # no other chance is asked
    told = settings.windows
    network = models.build(settings.model, told.window, len(FEATURES), told.classes)
    best = BestWeights(heard, improved)
    trainer = _trainer(settings, accelerator, best, into)
    shuffle = torch.Generator().manual_seed(settings.seed)
    size, parts = settings.training.batch_size, material.parts
    trainer.fit(
        Classifier(network, settings),
        loader(parts["train"], size, shuffle),
        loader(parts["validation"], EVALUATE_AT_ONCE),
    )
    if not best.weights:
        raise Diverged("no epoch ended with a finite loss", "try a smaller learning rate")
    network = network.cpu()
    network.load_state_dict(best.weights)
    return Trained(
        network.eval(),
        best.best.value,
        best.best.number,
        trainer.current_epoch,
        str(trainer.strategy.root_device.type),
        evaluated(network, material),
    )


def _trainer(settings: Settings, accelerator: str, best: BestWeights, into: Sequence[Any]) -> Any:
    _hush()
    stopping = EarlyStopping(
        METRIC, mode="max", patience=settings.training.patience, check_finite=True
    )
    return pl.Trainer(
        max_epochs=settings.training.epochs,
        accelerator=accelerator,
        devices=1,
        deterministic="warn",
        gradient_clip_val=1.0,
        callbacks=[best, stopping, *(each for each in into if isinstance(each, Callback))],
        logger=[each for each in into if not isinstance(each, Callback)] or False,
        enable_checkpointing=any(isinstance(each, pl.callbacks.Checkpoint) for each in into),
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
    )


_NOISE = (
    ".*does not have many workers.*",  # the samples are in memory
    ".*GPU available but not used.*",
    ".*smaller than the logging interval.*",  # epochs are what is logged
    ".*exists and is not empty.*",  # the run's folder: config_used.yaml is there
    ".*isinstance.treespec, LeafSpec.*",  # Lightning's own use of torch
)


def _hush() -> None:
    """Lightning's advice that is for other projects than this one."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for about in _NOISE:
        warnings.filterwarnings("ignore", about)


def f1_score(guessed: torch.Tensor, labels: torch.Tensor, classes: int) -> float:
    return float(multiclass_f1_score(guessed, labels, num_classes=classes, average="macro"))


@torch.no_grad()
def evaluated(network: nn.Module, material: Material) -> dict[str, float]:
    """On the test part: the model, beside a guess that always says the majority class."""
    samples, classes = material.parts["test"], len(material.names)
    network.eval()
    guessed = torch.cat([network(each).argmax(1) for each, _ in loader(samples, EVALUATE_AT_ONCE)])
    return {
        **_scores("test", guessed, samples, classes),
        **_scores("majority", torch.full_like(guessed, material.majority()), samples, classes),
    }


def _scores(what: str, guessed: torch.Tensor, samples: Samples, classes: int) -> dict[str, float]:
    labels = samples.classes()
    accuracy = multiclass_accuracy(guessed, labels, num_classes=classes, average="micro")
    return {
        f"{what}_f1_score": f1_score(guessed, labels, classes),
        f"{what}_accuracy": float(accuracy),
    }
