"""Real training runs, written by the real tools: Lightning, Trainer, Accelerate, torch.

Importing those takes seconds, so that one process can build many runs: `together`.
timm and Ultralytics need torchvision, which this environment does not have: their runs
are written with the real torch.save and real hard links, under the names and in the order
of their own sources (timm's CheckpointSaver, Ultralytics' BaseTrainer.save_model).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.real import started

PROJECT = Path(__file__).parents[2]
TORCH_NAMES = (
    *(f"model_epoch_{epoch}.pt" for epoch in (1, 2, 9, 10)),
    "best_model.pt",
    "final_model_mlp.pth",
)
Order = tuple[str, Path, dict[str, Any]]
"""What to build, where, and with which options: the builder's own arguments."""


def together(orders: Sequence[Order]) -> None:
    """Build several runs in one interpreter: ``("lightning", path, {"save_last": "link"})``."""
    asked = json.dumps([[name, str(path), options] for name, path, options in orders])
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    code, said = started.run(("torch",), ["-m", "tests.real.training", asked], PROJECT, env)
    assert code == 0, said


def lightning_run(
    path: Path, save_last: bool | str = True, monitors: Sequence[str | None] = ("x",)
) -> None:
    """``path/version_0`` with hparams, metrics.csv, tfevents; 6 epochs, of which the third is
    best and two are kept for each monitor (None: the newest two); `save_last` may be "link".
    """
    together([("lightning", path, {"save_last": save_last, "monitors": monitors})])


def hf_run(path: Path, save_model: bool = True, save_total_limit: int | None = None) -> None:
    """checkpoint-2, 4, … 12, of which checkpoint-4 is best, and the model at the root."""
    options = {"save_model": save_model, "save_total_limit": save_total_limit}
    together([("hf", path, options)])


def accelerate_run(path: Path, count: int = 3) -> None:
    """``checkpoints/checkpoint_0`` and so on, as automatic naming makes them."""
    together([("accelerate", path, {"count": count})])


def torch_run(path: Path, names: Sequence[str] = TORCH_NAMES) -> None:
    """A plain torch.save for each name, in this order, each a different model."""
    together([("torch", path, {"names": names})])


def timm_run(path: Path, epochs: int = 11, best: int = 9, history: int = 3) -> None:
    """args.yaml, summary.csv, last.pth.tar and its hard links, as CheckpointSaver makes them."""
    together([("timm", path, {"epochs": epochs, "best": best, "history": history})])


def ultralytics_run(path: Path, epochs: int = 3, best: int = 1) -> None:
    """args.yaml, results.csv, ``weights/`` with last.pt, best.pt and epochN.pt."""
    together([("ultralytics", path, {"epochs": epochs, "best": best})])


def killed_save(path: Path) -> None:
    """What SIGKILL in the middle of a real torch.save leaves under the final name."""
    program = "import sys, torch; torch.save({'w': torch.rand(60_000_000)}, sys.argv[1])"
    with subprocess.Popen([sys.executable, "-c", program, str(path)]) as saving:
        while not (path.exists() and path.stat().st_size > 1 << 20):
            assert saving.poll() is None, "the save ended before it could be killed"
            time.sleep(0.0005)
        saving.send_signal(signal.SIGKILL)
    assert saving.returncode == -signal.SIGKILL
    assert path.stat().st_size < 240_000_000


def _lightning(path: Path, save_last: bool | str, monitors: Sequence[str | None]) -> None:
    """Validation losses are scripted, so that the best epoch is known: 2 (the third)."""
    import lightning
    import torch
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

    class Model(lightning.LightningModule):
        def __init__(self, width: int = 4) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(width, 1)

        def training_step(self, batch: Any) -> Any:
            return self.layer(batch).mean()

        def validation_step(self, _: Any) -> None:
            self.log("x", [0.9, 0.5, 0.1, 0.4, 0.6, 0.7][self.current_epoch])
            self.log("y", [0.9, 0.1, 0.5, 0.4, 0.6, 0.7][self.current_epoch])

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters())

    rows = torch.utils.data.DataLoader(torch.rand(8, 4), batch_size=4)
    keep = [ModelCheckpoint(**_rule(monitor, save_last)) for monitor in monitors]
    where = {"save_dir": path, "name": "", "version": 0}
    trainer = lightning.Trainer(
        max_epochs=6,
        accelerator="cpu",
        logger=[TensorBoardLogger(**where), CSVLogger(**where)],
        callbacks=keep,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    trainer.fit(Model(), rows, rows)


def _rule(monitor: str | None, save_last: bool | str) -> dict[str, Any]:
    if monitor is None:
        return {"monitor": None, "save_top_k": 1, "save_last": save_last}
    return {"monitor": monitor, "mode": "min", "save_top_k": 2, "save_last": save_last}


def _hf(path: Path, save_model: bool, save_total_limit: int | None) -> None:
    """The evaluation loss is scripted: checkpoint-4 is best."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

    class Scripted(Trainer):
        def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
            steps = self.state.global_step
            metrics = {"eval_loss": float(abs(steps - 4)), "epoch": float(self.state.epoch or 0)}
            self.log(metrics)
            return metrics

    config = BertConfig(
        vocab_size=16,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=8,
    )
    row = {"input_ids": torch.arange(4), "labels": torch.tensor(1)}
    arguments = TrainingArguments(
        output_dir=str(path),
        use_cpu=True,
        max_steps=12,
        save_steps=2,
        eval_steps=2,
        eval_strategy="steps",
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        save_total_limit=save_total_limit,
        report_to=[],
        disable_tqdm=True,
    )
    model = BertForSequenceClassification(config)
    trainer = Scripted(model, arguments, train_dataset=[row] * 16, eval_dataset=[row])
    trainer.train()
    if save_model:
        trainer.save_model()
        trainer.save_state()


def _hf_shards(path: Path) -> None:
    """One model in several shards and their index."""
    from transformers import BertConfig, BertModel

    config = BertConfig(vocab_size=512, hidden_size=32, num_hidden_layers=2, num_attention_heads=2)
    BertModel(config).save_pretrained(path, max_shard_size="100KB")


def _accelerate(path: Path, count: int) -> None:
    import torch
    from accelerate import Accelerator
    from accelerate.utils import ProjectConfiguration

    naming = ProjectConfiguration(project_dir=str(path), automatic_checkpoint_naming=True)
    accelerator = Accelerator(cpu=True, project_config=naming)
    model = torch.nn.Linear(4, 1)
    accelerator.prepare(model, torch.optim.AdamW(model.parameters()))
    for _ in range(count):
        accelerator.save_state()


def _torch(path: Path, names: Sequence[str]) -> None:
    for name in names:
        _save(path / name)


def _legacy(path: Path) -> None:
    """torch's format before 1.6: pickles one after the other, and no end record."""
    import torch

    torch.save({"w": torch.ones(9)}, path, _use_new_zipfile_serialization=False)


def _trap(path: Path, springs: str) -> None:
    """A file that makes the folder `springs` when it is unpickled."""
    import torch

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (springs,)

    torch.save({"best_model_path": Trap()}, path)


def _timm(path: Path, epochs: int, best: int, history: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    (path / "args.yaml").write_text("model: resnet18\n")
    (path / "summary.csv").write_text("epoch,train_loss,eval_top1\n")
    for epoch in range(epochs):
        _save(path / "tmp.pth.tar", epoch=epoch)
        (path / "tmp.pth.tar").replace(path / "last.pth.tar")
        (path / f"checkpoint-{epoch}.pth.tar").hardlink_to(path / "last.pth.tar")
        if epoch == best:
            (path / "model_best.pth.tar").hardlink_to(path / "last.pth.tar")
        ranked = sorted(range(epoch + 1), key=lambda each: abs(each - best))
        for worse in ranked[history:]:
            (path / f"checkpoint-{worse}.pth.tar").unlink(missing_ok=True)


def _ultralytics(path: Path, epochs: int, best: int) -> None:
    weights = path / "weights"
    weights.mkdir(parents=True)
    (path / "args.yaml").write_text("task: detect\nmodel: yolo11n.pt\n")
    (path / "results.csv").write_text("epoch,metrics/mAP50(B)\n")
    for epoch in range(epochs):
        _save(weights / "last.pt", epoch=epoch)
        content = (weights / "last.pt").read_bytes()
        (weights / f"epoch{epoch}.pt").write_bytes(content)
        if epoch == best:
            (weights / "best.pt").write_bytes(content)


def _save(path: Path, **more: object) -> None:
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    model = torch.nn.Linear(8, 8)
    if path.suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(model.state_dict(), path)
    else:
        torch.save({**more, "state_dict": model.state_dict()}, path)


BUILDERS = {
    "lightning": _lightning,
    "hf": _hf,
    "hf_shards": _hf_shards,
    "accelerate": _accelerate,
    "torch": _torch,
    "legacy": _legacy,
    "trap": _trap,
    "timm": _timm,
    "ultralytics": _ultralytics,
}

if __name__ == "__main__":
    for each, folder, arguments in json.loads(sys.argv[1]):
        BUILDERS[each](Path(folder), **arguments)
