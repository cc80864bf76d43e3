"""Checkpoints: found, ordered, told apart, and checked, in what the real trainers wrote."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from artifact_janitor.observe import checkpoints, modelfile, tree
from artifact_janitor.observe.checkpoints import Found
from tests.real import training

BUILT = {
    "lightning": ("lightning", {"save_last": True, "monitors": ["x"]}),
    "linked": ("lightning", {"save_last": "link", "monitors": ["x"]}),
    "two": ("lightning", {"save_last": True, "monitors": ["x", "y"]}),
    "unmonitored": ("lightning", {"save_last": True, "monitors": [None]}),
    "hf": ("hf", {"save_model": True, "save_total_limit": None}),
    "hf_limited": ("hf", {"save_model": False, "save_total_limit": 2}),
    "shards": ("hf_shards", {}),
    "accelerate": ("accelerate", {"count": 3}),
    "torch": ("torch", {"names": [*training.TORCH_NAMES, "step_9.safetensors"]}),
    "timm": ("timm", {"epochs": 11, "best": 9, "history": 3}),
    "ultralytics": ("ultralytics", {"epochs": 3, "best": 1}),
}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of each run, made by one interpreter."""
    base = tmp_path_factory.mktemp("built")
    orders = [(how, base / name, options) for name, (how, options) in BUILT.items()]
    training.together(orders)
    return base


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A run of one's own to damage; mtimes stay, and recorded paths name the original."""

    def copied(name: str) -> Path:
        shutil.copytree(built / name, tmp_path / name, symlinks=True)
        return tmp_path / name

    return copied


def find(run: Path, *skip: str) -> list[Found]:
    return checkpoints.find(tree.read(run.parent, run.name), run.parent, skip)


def models(run: Path, *skip: str) -> list[str]:
    folder = tree.read(run.parent, run.name)
    found = checkpoints.find(folder, run.parent, skip)
    return [path for path, _ in checkpoints.models(folder, found, skip)]


def roles(run: Path) -> dict[str, str]:
    """name → role, for those that have one."""
    return {one.name: one.role for one in find(run) if one.role}


def validity(run: Path) -> dict[str, bool | None]:
    return {one.name: one.valid for one in find(run)}


def test_files_that_are_no_checkpoints_are_not_found(copy: Callable[[str], Path]) -> None:
    run = copy("torch")
    for name in ("dataset.pt", "embeddings.pth", "scaler.pt", "vocab.bin", "model_1.pt"):
        shutil.copy(run / "best_model.pt", run / name)
    assert {one.name for one in find(run)} == {*training.TORCH_NAMES, "step_9.safetensors"}


# Lightning


def test_lightning_best_comes_from_the_callbacks_own_state(built: Path) -> None:
    assert roles(built / "lightning") == {"epoch=2-step=6.ckpt": "best", "last.ckpt": "last"}


def test_lightning_steps_come_from_the_name_or_the_state(built: Path) -> None:
    steps = {one.name: one.step for one in find(built / "lightning")}
    assert steps == {"epoch=2-step=6.ckpt": 6, "epoch=3-step=8.ckpt": 8, "last.ckpt": 8}


def test_every_monitor_has_its_best(built: Path) -> None:
    best = [name for name, role in roles(built / "two").items() if role == "best"]
    assert best == ["epoch=1-step=4-v1.ckpt", "epoch=2-step=6.ckpt"]


def test_without_a_monitor_nothing_is_best(built: Path) -> None:
    assert roles(built / "unmonitored") == {"last.ckpt": "last"}


def test_a_symlink_is_no_checkpoint(built: Path) -> None:
    run = built / "linked"
    assert (run / "version_0/checkpoints/last.ckpt").is_symlink()
    assert roles(run) == {"epoch=2-step=6.ckpt": "best"}
    assert "last.ckpt" not in validity(run)


def test_the_newest_checkpoint_that_is_whole_has_the_word(copy: Callable[[str], Path]) -> None:
    """Epoch 3 and the last one are cut off: what epoch 2 says of itself still stands."""
    run = copy("lightning")
    for name in ("epoch=3-step=8.ckpt", "last.ckpt"):
        cut(run / "version_0/checkpoints" / name)
    assert roles(run)["epoch=2-step=6.ckpt"] == "best"
    assert validity(run) == {
        "epoch=2-step=6.ckpt": True,
        "epoch=3-step=8.ckpt": False,
        "last.ckpt": False,
    }


def test_best_is_found_beside_its_witness_first(copy: Callable[[str], Path]) -> None:
    """Two versions hold a file of the same name; each state speaks of its own folder."""
    run = copy("lightning")
    other = run / "version_1/checkpoints"
    shutil.copytree(run / "version_0/checkpoints", other)
    for name in ("epoch=3-step=8.ckpt", "last.ckpt"):
        (other / name).unlink()
    cut(other / "epoch=2-step=6.ckpt")  # holds no state, and nobody calls it best
    best = [one.path for one in find(run) if one.role == "best"]
    assert best == ["lightning/version_0/checkpoints/epoch=2-step=6.ckpt"]


def test_best_is_found_where_it_was_moved(copy: Callable[[str], Path], built: Path) -> None:
    run = copy("lightning")
    (run / "kept").mkdir()
    (run / "version_0/checkpoints/epoch=2-step=6.ckpt").unlink()
    shutil.copy(built / "torch/best_model.pt", run / "kept/epoch=2-step=6.ckpt")  # says nothing
    assert models(run) == ["lightning/kept/epoch=2-step=6.ckpt"]


def test_an_odd_ckpt_needs_lightnings_word(copy: Callable[[str], Path], built: Path) -> None:
    run = copy("lightning")
    folder = run / "version_0/checkpoints"
    (folder / "last.ckpt").rename(folder / "0.123.ckpt")
    shutil.copy(built / "torch/best_model.pt", folder / "pretrained.ckpt")
    steps = {one.name: one.step for one in find(run)}
    assert steps["0.123.ckpt"] == 8
    assert "pretrained.ckpt" not in steps


# Hugging Face and Accelerate


def test_trainer_checkpoints_are_ordered_by_number(built: Path) -> None:
    found = find(built / "hf")
    assert sorted(one.step for one in found if one.step) == [2, 4, 6, 8, 10, 12]
    assert all(one.valid and one.folder and one.path == one.folder.path for one in found)
    assert [one.path for one in found] == sorted(one.path for one in found)


def test_trainer_best_and_the_saved_model(built: Path) -> None:
    assert roles(built / "hf") == {"checkpoint-4": "best"}
    assert models(built / "hf") == ["hf/checkpoint-4/model.safetensors", "hf/model.safetensors"]
    assert roles(built / "hf_limited") == {"checkpoint-4": "best"}
    assert sorted(validity(built / "hf_limited")) == ["checkpoint-12", "checkpoint-4"]


def test_the_runs_own_state_names_the_best_too(copy: Callable[[str], Path]) -> None:
    run = copy("hf")
    for state in run.glob("checkpoint-*/trainer_state.json"):
        state.unlink()
    assert roles(run) == {"checkpoint-4": "best"}
    (run / "trainer_state.json").unlink()
    assert roles(run) == {}


def test_a_damaged_state_has_no_word(copy: Callable[[str], Path]) -> None:
    """At step 2 the best was checkpoint-2; what came later can't be read."""
    run = copy("hf")
    (run / "trainer_state.json").unlink()
    for step in (4, 6, 8, 10, 12):
        cut(run / f"checkpoint-{step}/trainer_state.json")
    assert roles(run) == {"checkpoint-2": "best"}


def test_the_highest_step_and_the_newest_file_both_have_the_word(
    copy: Callable[[str], Path],
) -> None:
    """After a restart from step 0 the numbers mislead, and after a copy the times do."""
    run = copy("hf")
    (run / "trainer_state.json").unlink()
    for path in (run / "checkpoint-2").iterdir():
        os.utime(path, (4e9, 4e9))
    assert roles(run) == {"checkpoint-2": "best", "checkpoint-4": "best"}


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("name", "damage", "valid"),
    [
        ("model.safetensors", Path.unlink, False),
        ("model.safetensors", cut, False),
        ("model.safetensors", lambda path: os.truncate(path, 0), False),
        ("optimizer.pt", cut, False),
        ("trainer_state.json", Path.unlink, False),
        ("trainer_state.json", cut, False),
        ("trainer_state.json", lambda path: os.truncate(path, 0), False),
        ("trainer_state.json", lambda path: os.truncate(path, modelfile.JSON_LIMIT + 1), None),
        ("trainer_state.json", lambda path: path.write_text("[" * 100_000), False),
        ("trainer_state.json", lambda path: path.write_text("[]"), False),
        ("README.md", Path.touch, True),
    ],
)
def test_a_trainer_checkpoint_is_checked_as_a_whole(
    copy: Callable[[str], Path], name: str, damage: Callable[[Path], object], valid: bool | None
) -> None:
    run = copy("hf")
    damage(run / "checkpoint-12" / name)
    assert validity(run)["checkpoint-12"] is valid
    assert validity(run)["checkpoint-10"] is True


def test_all_shards_must_be_there(copy: Callable[[str], Path], built: Path) -> None:
    run = copy("hf")
    checkpoint = run / "checkpoint-12"
    (checkpoint / "model.safetensors").unlink()
    shutil.copytree(built / "shards", checkpoint, dirs_exist_ok=True)
    assert validity(run)["checkpoint-12"] is True
    next(checkpoint.glob("model-00003-of-*")).unlink()
    assert validity(run)["checkpoint-12"] is False


def test_weights_in_an_unknown_format_are_unknown(copy: Callable[[str], Path]) -> None:
    run = copy("hf")
    (run / "checkpoint-12/pytorch_model_fsdp_0").mkdir()
    (run / "checkpoint-12/model.safetensors").rename(
        run / "checkpoint-12/pytorch_model_fsdp_0/__0_0.distcp"
    )
    assert validity(run)["checkpoint-12"] is None


def test_a_folder_that_was_not_read_in_full_is_unknown(built: Path) -> None:
    folder = tree.read(built, "hf")
    folder.folders["checkpoint-12"].trouble = "Permission denied"
    valid = {one.name: one.valid for one in checkpoints.find(folder, built)}
    assert (valid["checkpoint-12"], valid["checkpoint-10"]) == (None, True)


def test_a_numbered_folder_without_a_state_is_only_a_folder(copy: Callable[[str], Path]) -> None:
    run = copy("torch")
    (run / "step_3").mkdir()
    (run / "model_epoch_9.pt").rename(run / "step_3/model_epoch_9.pt")
    assert "torch/step_3/model_epoch_9.pt" in {one.path for one in find(run)}
    assert "step_3" not in validity(run)


def test_accelerate_checkpoints(copy: Callable[[str], Path]) -> None:
    run = copy("accelerate")
    assert [(one.name, one.step, one.valid) for one in find(run)] == [
        (f"checkpoint_{number}", number, True) for number in range(3)
    ]
    (run / "checkpoints/checkpoint_2/random_states_0.pkl").unlink()
    (run / "checkpoints/checkpoint_1").rename(run / "checkpoints/epoch_1")
    assert validity(run) == {"checkpoint_0": True, "epoch_1": True, "checkpoint_2": False}


def test_a_run_among_numbered_folders_is_no_checkpoint(copy: Callable[[str], Path]) -> None:
    """An output folder called step_1, with Trainer's state and checkpoints in it."""
    run = copy("hf")
    (run.parent / "outer").mkdir()
    run.rename(run.parent / "outer/step_1")
    assert roles(run.parent / "outer") == {"checkpoint-4": "best"}


# timm, Ultralytics, plain torch


def test_timm(built: Path) -> None:
    run = built / "timm"
    assert roles(run) == {"last.pth.tar": "last", "model_best.pth.tar": "best"}
    inodes = {one.name: one.entry.ino for one in find(run)}
    assert inodes["model_best.pth.tar"] == inodes["checkpoint-9.pth.tar"]
    steps = sorted(one.step for one in find(run) if one.step is not None)
    assert steps == [8, 9, 10]


def test_ultralytics(built: Path) -> None:
    run = built / "ultralytics"
    assert roles(run) == {"best.pt": "best", "last.pt": "last"}
    assert models(run) == ["ultralytics/weights/best.pt"]


def test_plain_torch(built: Path) -> None:
    run = built / "torch"
    assert roles(run) == {"best_model.pt": "best", "final_model_mlp.pth": "final"}
    assert models(run) == ["torch/best_model.pt", "torch/final_model_mlp.pth"]
    steps = sorted((one.step, one.name) for one in find(run) if one.step is not None)
    assert [step for step, _ in steps] == [1, 2, 9, 9, 10]
    assert set(validity(run).values()) == {True}


def test_a_folder_called_best_makes_its_checkpoints_best(copy: Callable[[str], Path]) -> None:
    run = copy("torch")
    (run / "final").mkdir()
    (run / "model_epoch_10.pt").rename(run / "final/model_epoch_10.pt")
    shutil.copy(run / "step_9.safetensors", run / "final/model.safetensors")
    assert roles(run)["model_epoch_10.pt"] == "final"
    assert "torch/final/model.safetensors" in models(run)


def test_a_link_called_best_says_what_is_best(copy: Callable[[str], Path]) -> None:
    run = copy("torch")
    (run / "best_model.pt").unlink()
    (run / "best_model.pt").symlink_to("model_epoch_9.pt")
    assert roles(run) == {"final_model_mlp.pth": "final", "model_epoch_9.pt": "best"}


@pytest.mark.parametrize("pointer", ["last_checkpoint", "latest"])
@pytest.mark.parametrize("said", ["{name}", "{name}\n", "/moved/run/{name}", "C:\\run\\{name}"])
def test_a_text_beside_them_says_what_to_resume_from(
    copy: Callable[[str], Path], pointer: str, said: str
) -> None:
    """As detectron2 writes it, and MMEngine, with the whole path. These can't be run here."""
    run = copy("torch")
    (run / pointer).write_text(said.format(name="model_epoch_2.pt"))
    assert roles(run)["model_epoch_2.pt"] == "last"
    (run / pointer).write_bytes(b"best_model.pt\0\xff" * 999)
    assert "last" not in roles(run).values()
    (run / pointer).write_text("best_model.pt")
    assert roles(run)["best_model.pt"] == "best"
    (run / pointer).unlink()
    os.mkfifo(run / pointer)
    assert "last" not in roles(run).values()


def test_names_need_not_be_utf8(copy: Callable[[str], Path]) -> None:
    run = copy("torch")
    for name in (b"caf\xe9_epoch_7.pt", b"best_\xff.pt"):
        os.rename(run / "best_model.pt", os.path.join(os.fsencode(run), name))
        shutil.copy(run / "final_model_mlp.pth", run / "best_model.pt")
    found = {os.fsencode(one.name): one for one in find(run)}
    assert found[b"caf\xe9_epoch_7.pt"].step == 7
    assert (found[b"best_\xff.pt"].role, found[b"best_\xff.pt"].valid) == ("best", True)


def test_other_units_are_not_entered(copy: Callable[[str], Path]) -> None:
    run = copy("hf")
    shutil.copytree(run / "checkpoint-4", run / "nested/checkpoint-99")
    shutil.copytree(run / "checkpoint-4", run / "best/inner")
    assert "checkpoint-99" in validity(run)
    assert "checkpoint-99" not in {one.name for one in find(run, "hf/nested")}
    assert "hf/best/inner/model.safetensors" not in models(run, "hf/best")


# What can't be read


def test_what_takes_a_files_place_is_not_followed(copy: Callable[[str], Path]) -> None:
    """The tree was read, and then the files were swapped for a link and a pipe."""
    run = copy("torch")
    folder = tree.read(run.parent, run.name)
    (run / "model_epoch_1.pt").unlink()
    (run / "model_epoch_1.pt").symlink_to("best_model.pt")
    (run / "model_epoch_2.pt").unlink()
    os.mkfifo(run / "model_epoch_2.pt")
    (run / "model_epoch_9.pt").unlink()
    valid = {one.name: one.valid for one in checkpoints.find(folder, run.parent)}
    swapped = ["model_epoch_1.pt", "model_epoch_2.pt", "model_epoch_9.pt"]
    assert [valid[name] for name in swapped] == [None] * 3


def test_what_we_may_not_read_is_unknown(copy: Callable[[str], Path]) -> None:
    run = copy("hf")
    (run / "model_epoch_1.pt").write_bytes(b"PK")
    folder = tree.read(run.parent, run.name)
    for path in [*run.rglob("*.*")]:
        path.chmod(0)
    ours = os.geteuid()
    os.seteuid(12345 if ours == 0 else ours)
    try:
        found = checkpoints.find(folder, run.parent)
    finally:
        os.seteuid(ours)
    assert len(found) == 7
    assert {one.valid for one in found} == {None}


# Runs by their names


@pytest.mark.parametrize(
    ("name", "top"),
    [
        ("lightning", "version_0"),
        ("linked", "version_0"),
        ("hf", ""),
        ("accelerate", ""),
        ("timm", ""),
        ("ultralytics", ""),
    ],
)
def test_a_run_is_known_by_its_marks(built: Path, name: str, top: str) -> None:
    folder = tree.read(built, name)
    proven = [inner.path for inner in folder.walk() if checkpoints.looks_like_run(inner)]
    assert proven == [f"{name}/{top}".rstrip("/")]


def test_a_lightning_run_needs_no_checkpoints(copy: Callable[[str], Path]) -> None:
    run = copy("lightning")
    shutil.rmtree(run / "version_0/checkpoints")
    assert checkpoints.looks_like_run(tree.read(run, "version_0"))
    for name in ("hparams.yaml", "metrics.csv"):
        (run / "version_0" / name).unlink()
    assert not checkpoints.looks_like_run(tree.read(run, "version_0"))
