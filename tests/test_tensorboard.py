"""Folders of TensorBoard's event files, and the logs that W&B leaves beside its runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.real import wandb_runs
from tests.real.command import Answer
from tests.real.small import FREE, Small, done, small, still, why
from tests.real.snapshot import difference, snapshot
from tests.test_memory import known

AT_ONCE = (
    '[[policy]]\nkind = "{kind}"\nkeep_within = "1s"\n\n[safety]\nmax_share = 1.0\ngrace = "1s"\n'
)
_WRITER = """
import sys, time
from torch.utils.tensorboard import SummaryWriter
writer = SummaryWriter(sys.argv[1])
writer.add_scalar("loss", 1.0, 0)
writer.flush()
if sys.argv[2:]:
    time.sleep(1.5)
    print("written", flush=True)
    sys.stdin.read()
writer.close()
"""
_LIGHTNING = """
import sys, lightning, torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
class Model(lightning.LightningModule):
    def __init__(self, width=4):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(width, 1)
    def training_step(self, batch):
        self.log("loss", loss := self.layer(batch).mean())
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)
where = {"save_dir": sys.argv[1], "name": "lightning_logs", "version": 0}
lightning.Trainer(max_epochs=1, accelerator="cpu", enable_checkpointing=False,
    enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1,
    logger=[TensorBoardLogger(**where), CSVLogger(**where)],
).fit(Model(), torch.utils.data.DataLoader(torch.rand(8, 4), batch_size=4))
"""


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path)


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that a real SummaryWriter wrote."""
    folder = tmp_path_factory.mktemp("curves") / "run"
    subprocess.run([sys.executable, "-c", _WRITER, str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def lightning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Lightning leaves of a run without checkpoints: ``lightning_logs/version_0``."""
    folder = tmp_path_factory.mktemp("lightning")
    command = [sys.executable, "-c", _LIGHTNING, str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder / "lightning_logs"


def put(work: Small, source: Path, path: str, days: float = 30) -> str:
    shutil.copytree(source, work.root / path)
    wandb_runs.backdate(work.root / path, days)
    return path


def kinds(plan: Answer) -> dict[str, str]:
    rows = plan.rows("steps", "kept")
    assert len({row["path"] for row in rows}) == len(rows)
    return {row["path"]: row["kind"] for row in rows}


def events(folder: Path) -> Path:
    return next(folder.rglob("events.out.tfevents.*"))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("training/runs/short", "training-run"),
        ("training/runs/group/short", "training-run"),
        ("logs/short", "log"),
        ("logs/fit/2026-01-01", "log"),
        ("outputs/tb", "log"),
        ("wandb/tb", "log"),
    ],
)
def test_there_and_back(work: Small, curves: Path, path: str, kind: str) -> None:
    put(work, curves, path)
    before = snapshot(work.root)
    answer = work.janitor("run", "--yes")
    assert kinds(answer) == {path: kind}
    assert done(answer) == {path}
    assert work.janitor("undo").code == 0
    assert difference(still(before), still(snapshot(work.root))) == []


def test_a_lightning_run_without_a_checkpoint(work: Small, lightning: Path) -> None:
    """Lightning's own marks prove a run, in the logs too."""
    assert {"hparams.yaml", "metrics.csv"} < {each.name for each in lightning.rglob("*")}
    put(work, lightning, "training/runs/lightning_logs")
    put(work, lightning, "logs/lightning_logs")
    assert kinds(work.janitor("plan")) == {
        "training/runs/lightning_logs/version_0": "training-run",
        "logs/lightning_logs/version_0": "training-run",
    }


def test_what_lightning_logged_without_hyperparameters_is_a_log(
    work: Small, lightning: Path
) -> None:
    put(work, lightning, "logs/lightning_logs")
    (work.root / "logs/lightning_logs/version_0/hparams.yaml").unlink()
    assert kinds(work.janitor("plan")) == {"logs/lightning_logs/version_0": "log"}


def test_a_run_around_event_files_claims_them(work: Small, curves: Path) -> None:
    run = work.hydra(30)
    put(work, curves, f"{run}/tb")
    assert kinds(work.janitor("plan")) == {run: "hydra-run"}


def test_the_writers_of_one_run_are_one_log_and_apart_they_are_two(
    work: Small, curves: Path
) -> None:
    """``add_scalars`` makes folders below its own; Keras makes two beside each other."""
    put(work, curves, "logs/one")
    put(work, curves, "logs/one/loss_train")
    put(work, curves, "logs/keras/train")
    put(work, curves, "logs/keras/validation")
    found = {"logs/one": "log", "logs/keras/train": "log", "logs/keras/validation": "log"}
    assert kinds(work.janitor("plan")) == found


@pytest.mark.parametrize("name", ["model.pt", "predictions.npy", "notes.txt", "sub/weights.h5"])
def test_anything_else_beside_them_is_kept(work: Small, curves: Path, name: str) -> None:
    folder = put(work, curves, "logs/exp")
    work.write(f"{folder}/{name}", days=30)
    plan = work.janitor("plan")
    assert plan.rows("steps") == []
    assert "log" not in kinds(plan).values()


DAMAGE = {
    "empty": b"",
    "by another program": b"not from TensorBoard, by no means at all\n",
    "another row of records": b"\x05" + b"\0" * 7 + b"\xea\xb2\x04\x3ehello\0\0\0\0",
    "half a header": None,
}


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("root", ["training/runs", "logs"])
def test_a_name_alone_is_no_proof(
    work: Small, curves: Path, root: str, content: bytes | None
) -> None:
    folder = put(work, curves, f"{root}/exp")
    file = events(work.root / folder)
    file.write_bytes(file.read_bytes()[:11] if content is None else content)
    wandb_runs.backdate(work.root / folder, 30)
    assert kinds(work.janitor("plan")) == {f"{root}/exp": "unknown"}


@pytest.mark.parametrize("place", [3, 9, 30])
def test_each_part_of_the_first_record_counts(work: Small, curves: Path, place: int) -> None:
    """The length, its checksum, and what the record says."""
    folder = put(work, curves, "logs/exp")
    file = events(work.root / folder)
    content = bytearray(file.read_bytes())
    content[place] ^= 0x40
    file.write_bytes(content)
    wandb_runs.backdate(work.root / folder, 30)
    assert kinds(work.janitor("plan")) == {"logs/exp": "unknown"}


# ------------------------------------------------------------ who writes


@contextmanager
def writing(folder: Path) -> Iterator[int]:
    """The pid of a program that trains, and holds no file open between its writes."""
    command = [sys.executable, "-c", _WRITER, str(folder), "wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        yield writer.pid
        writer.communicate()


@pytest.mark.parametrize(
    ("path", "kind"), [("training/runs/live", "training-run"), ("logs/live", "log")]
)
def test_a_writer_that_lives_keeps_it(work: Small, path: str, kind: str) -> None:
    """Past any grace, and with nothing open: its name in the file is all that tells."""
    work.configure(AT_ONCE.format(kind=kind))
    with writing(work.root / path) as pid:
        opened = [each.resolve() for each in Path(f"/proc/{pid}/fd").iterdir()]
        assert not any(each.is_relative_to(work.root) for each in opened)
        plan = work.janitor("run", "--yes")
        assert done(plan) == set()
        assert f"names pid {pid}, and that process is still running" in why(plan, path)
    work.configure(AT_ONCE.format(kind=kind).replace('grace = "1s"', 'grace = "0s"'))
    file = events(work.root / path)
    assert file.exists()
    wandb_runs.backdate(work.root / path, 1)
    assert done(work.janitor("run", "--yes")) == {path}


# ------------------------------------------------------------ W&B's own logs


def test_stray_logs_of_wandb_are_logs(work: Small) -> None:
    names = ["debug.log", "debug-internal.log", "debug-cli.ada.log"]
    for name in names:
        work.write(f"wandb/{name}", days=30)
    before = snapshot(work.root)
    answer = work.janitor("run", "--yes")
    assert kinds(answer) == {f"wandb/{name}": "log" for name in names}
    assert done(answer) == set(kinds(answer))
    work.janitor("undo")
    assert difference(still(before), still(snapshot(work.root))) == []


def test_those_of_the_real_client(work: Small) -> None:
    """`wandb sync` leaves one; what it logs of the upload is evidence, and stays."""
    work.configure('[[policy]]\nkind = "log"\nkeep_within = "7d"\n')
    run = f"wandb/{wandb_runs.place(wandb_runs.synced, work.root).name}"
    wandb_runs.backdate(work.root / "wandb", 30)
    answer = work.janitor("run", "--yes")
    (log,) = done(answer)
    assert log.startswith("wandb/debug-cli.")
    assert kinds(answer)["wandb/logs"] == "unknown"
    assert (work.root / "wandb/debug.log").is_symlink()
    work.configure(FREE)
    assert done(work.janitor("run", "--yes")) == {run}


@pytest.mark.parametrize(
    "path",
    [
        "wandb/debug-sync.20261121.log",
        "wandb/notes.log",
        "wandb/broken-run/debug.log",
        "outputs/debug.log",
    ],
)
def test_other_files_there_are_unknown(work: Small, path: str) -> None:
    work.write(path, days=30)
    assert set(kinds(work.janitor("plan")).values()) == {"unknown"}


def test_a_second_look_that_remembers_the_run_beside_it_agrees(work: Small) -> None:
    """Then its folder is listed, as the root is, and is none all the same."""
    run = work.root / work.wandb(30)
    (work.root / "wandb/group").mkdir()
    run.rename(work.root / "wandb/group" / run.name)
    work.write("wandb/group/debug.log", days=30)
    work.configure("")
    work.journal().close()
    first, second = (kinds(work.janitor("plan")) for _ in range(2))
    assert f"wandb/group/{run.name}" in known(work)
    assert first == second
    assert second["wandb/group/debug.log"] == "unknown"


def test_what_is_no_text_is_no_log(work: Small) -> None:
    work.write("wandb/debug.log", b"\0\1\2", days=30)
    assert kinds(work.janitor("plan")) == {"wandb/debug.log": "unknown"}
