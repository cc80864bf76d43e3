"""Trains a small network to guess the next price: the one program of the demo project.

It is copied into that project and run there, never imported: an ordinary Hydra program
with plain torch checkpoints, and with W&B where a run asks for it.
"""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

log = logging.getLogger("train")

WINDOW = 32
"""How many prices the network sees."""


def prices(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A random walk, cut into windows, and the price that follows each window."""
    walk = torch.randn(1024, generator=torch.Generator().manual_seed(seed)).cumsum(0)
    windows = walk.unfold(0, WINDOW + 1, 4)
    windows = windows - windows[:, :1]
    return windows[:, :WINDOW], windows[:, WINDOW:]


def network(hidden: int) -> torch.nn.Sequential:
    return torch.nn.Sequential(
        torch.nn.Linear(WINDOW, hidden),
        torch.nn.ReLU(),
        torch.nn.Linear(hidden, hidden),
        torch.nn.ReLU(),
        torch.nn.Linear(hidden, 1),
    )


class Training:
    """One run: the network, its optimizer, and the folder that gets the results."""

    def __init__(self, cfg: DictConfig, folder: Path) -> None:
        torch.manual_seed(cfg.seed)
        self.cfg, self.folder = cfg, folder
        self.inputs, self.targets = prices(cfg.seed)
        self.model = network(cfg.hidden)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=cfg.lr)
        self.losses: list[float] = []
        if cfg.resume:
            state = torch.load(cfg.resume, weights_only=True)
            self.model.load_state_dict(state["model"])

    def epoch(self) -> float:
        """One pass over the prices; its loss."""
        self.optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(self.model(self.inputs), self.targets)
        loss.backward()
        self.optimizer.step()
        self.losses.append(float(loss))
        return self.losses[-1]

    def save_checkpoint(self) -> None:
        """What it takes to go on from here, and a copy of the best weights so far."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save(state, self.folder / f"epoch_{len(self.losses)}.pt")
        if self.losses[-1] == min(self.losses):
            torch.save(self.model.state_dict(), self.folder / "best_model.pt")

    def save_result(self) -> None:
        """The weights at the end: a final model for a long run, else one of many."""
        if self.cfg.keep_checkpoints:
            result = {"model": self.model.state_dict(), "config": OmegaConf.to_container(self.cfg)}
            torch.save(result, self.folder / "final_model_mlp.pth")
        else:
            (self.folder / "models").mkdir(exist_ok=True)
            torch.save(self.model.state_dict(), self.folder / "models" / "weights.pt")
        metrics = {"val_loss": round(min(self.losses), 6), "epochs": len(self.losses)}
        (self.folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


def tracker(cfg: DictConfig) -> Any:
    """The W&B run that this run reports to, if it asks for one."""
    if cfg.wandb.dir is None:
        return None
    import wandb

    quiet = wandb.Settings(silent=True, console="off")
    wanted = {"project": "prices", "mode": "offline", "settings": quiet}
    return wandb.init(dir=cfg.wandb.dir, id=cfg.wandb.id, **wanted)


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg: DictConfig) -> None:
    torch.set_num_threads(1)
    folder = Path(HydraConfig.get().runtime.output_dir)
    OmegaConf.save(cfg, folder / "config_used.yaml")
    training, run = Training(cfg, folder), tracker(cfg)
    for number in range(1, cfg.epochs + 1):
        if cfg.wait and number == cfg.epochs:
            log.info("waiting for fresh prices")
            time.sleep(cfg.wait)
        loss = training.epoch()
        log.info("epoch %d of %d: loss %.4f", number, cfg.epochs, loss)
        if cfg.keep_checkpoints:
            training.save_checkpoint()
        if run is not None:
            run.log({"loss": loss})
    training.save_result()
    if run is not None:
        run.finish()


if __name__ == "__main__":
    main()
