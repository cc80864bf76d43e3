"""What a name alone says: the table of names that trainers give, and of those that they don't."""

from __future__ import annotations

from pathlib import Path

import pytest

from artifact_janitor.observe import checkpoints, modelnames, tree
from artifact_janitor.observe.tree import Folder


@pytest.mark.parametrize(
    ("name", "step", "role"),
    [
        ("epoch=3-step=400.ckpt", 400, ""),
        ("last-v1.ckpt", None, "last"),
        ("best-epoch=03-val_loss=0.12.ckpt", 3, "best"),
        ("checkpoint-10.pth.tar", 10, ""),
        ("model_best.pth.tar", None, "best"),
        ("recovery-2-100.pth.tar", 2, ""),
        ("epoch12.pt", 12, ""),
        ("checkpoint0099.pth", 99, ""),
        ("ckpt-100.pt", 100, ""),
        ("resnet50_epoch_7.pth", 7, ""),
        ("lora_global_step_500.safetensors", 500, ""),
        ("BestModel.pt", None, "best"),
        ("bestmodel.pt", None, "best"),
        ("final_model_mlp.pth", None, "final"),
        ("finalmodel.pt", None, "final"),
        ("latest.pt", None, "last"),
        ("last_model.pt", None, "last"),
        ("checkpoint.pth", None, ""),
        ("pytorch_model_epoch_2.bin", 2, ""),
        ("model_step_" + "9" * 30 + "_epoch_4.pt", 4, ""),
    ],
)
def test_a_checkpoint_is_known_by_its_name(name: str, step: int | None, role: str) -> None:
    assert modelnames.is_checkpoint(name)
    assert (modelnames.step(name), modelnames.role(name)) == (step, role)


@pytest.mark.parametrize(
    "name",
    [
        "dataset.pt",
        "embeddings.pth",
        "embeddings_epoch_3.pt",
        "scaler.pt",
        "best_scaler.pt",
        "vocab.bin",
        "train_epoch_0.bin",
        "epoch_3.bin",
        "model.pt",
        "model_1.pt",
        "model_fold_2.pth",
        "last_hidden_layer.pt",
        "blast_net.pt",
        "tmp.pth.tar",
        "optimizer_epoch_3.pt",
        "epoch_3.txt",
        "best.json",
        "sd-v1-4.ckpt",
        "checkpoint",
    ],
)
def test_what_no_trainer_would_call_a_checkpoint_is_none(name: str) -> None:
    assert not modelnames.is_checkpoint(name)


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("netG_epoch_3.pth", "netG_epoch_#.pth"),
        ("NetEpoch12.pt", "NetEpoch#.pt"),
        ("ckpt_step_20_rank3.pt", "ckpt_step_#_rank3.pt"),
        ("ep1-ba100-rank0.pt", "ep#-ba#-rank0.pt"),
        ("fold0_epoch9.pt", "fold0_epoch#.pt"),
        ("fold0.ckpt", "fold0.ckpt"),
        ("0.123.ckpt", "#.ckpt"),
        ("mnist-07.ckpt", "mnist-#.ckpt"),
        ("model_step30-00001-of-00002.pt", "model_step#-00001-of-00002.pt"),
        ("epoch=3-step=400-v1.ckpt", "epoch=#-step=#.ckpt"),
        ("epoch=3-val_f1=0.61.ckpt", "epoch=#-val_f#.ckpt"),
        ("model_epoch_10_acc_91.pt", "model_epoch_#_acc_#.pt"),
        ("resnet50_epoch_7.pth", "resnet50_epoch_#.pth"),
        ("checkpoint_1_1000.pt", "checkpoint_#.pt"),
        ("recovery-2-100.pth.tar", "recovery-#.pth.tar"),
        ("ckpt_20260801_epoch3.pt", "ckpt_#_epoch#.pt"),
        ("2026-08-01/epoch_3.pt", "#/epoch_#.pt"),
        ("epoch_3/fold1/step_7.pt", "epoch_#/fold1/step_#.pt"),
        ("checkpoint-500", "checkpoint-#"),
        ("epoch=0-val/f1=0.61.ckpt", "epoch=#-val/f#.ckpt"),
    ],
)
def test_a_series_is_a_name_without_its_progress(name: str, series: str) -> None:
    assert modelnames.series(name) == series


def folder_of(tmp_path: Path, *names: str) -> Folder:
    for name in names:
        (tmp_path / "some" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "some" / name).touch()
    return tree.read(tmp_path, "some")


@pytest.mark.parametrize(
    "names",
    [
        ["model_epoch_1.pt", "best.pt"],
        ["weights/best.pt"],
        ["checkpoints/sam_vit_h.pth"],
        ["checkpoints/epoch=3.ckpt", "pyproject.toml"],
        ["weights/best.pt", "args.yaml", ".git/HEAD"],
        ["checkpoint-4/model.safetensors"],
        ["last.pth.tar"],
        ["hparams.yaml", "metrics.csv"],
    ],
)
def test_what_is_not_proven_is_no_run(tmp_path: Path, names: list[str]) -> None:
    assert not checkpoints.looks_like_run(folder_of(tmp_path, *names))


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("a/b/epoch=3.ckpt", True),
        ("0.123.ckpt", True),
        ("model.safetensors", True),
        ("logs/events.out.tfevents.1795294266.vm.10469.0", False),
        ("dataset.pt", False),
        ("vocab.bin", False),
        ("metrics.csv", False),
    ],
)
def test_a_tree_that_holds_a_checkpoint(tmp_path: Path, name: str, holds: bool) -> None:
    assert checkpoints.holds_checkpoint(folder_of(tmp_path, name)) is holds
