"""One workspace with a file of every sort that the janitor reads, made by the real tools.

It is made once a session, and copied for each trial to where it was made: MLflow writes down
whole paths.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from artifact_janitor.executors import Spec
from artifact_janitor.executors.local import Local
from tests.real import (
    hydra_runs,
    mlflow_runs,
    models,
    publications,
    studies,
    training,
    wandb_runs,
    zoo,
)
from tests.real.git_repo import git
from tests.real.retraining import until
from tests.real.small import Small, small

_PICKLED = "+hydra.callbacks.saved._target_=hydra.experimental.callbacks.PickleJobInfoCallback"
_BEST = 'keep_best = { metric = "%s", direction = "max", n = 1, missing = "ignore" }\n'
_KINDS = {
    "hydra-run": _BEST % "return_value",
    "hydra-sweep": 'then = "archive"\n',
    "wandb-run": "",
    "training-run": _BEST % "val_f1",
    "checkpoint": _BEST % "val_f1",
    "mlflow-run": "",
    "log": "",
    "cache": "",
}
CONFIG = "".join(
    f'[[policy]]\nkind = "{kind}"\nkeep_within = "7d"\n{more}\n' for kind, more in _KINDS.items()
)
CONFIG += "[safety]\nmax_share = 1.0\n"
"""What is older than a week goes; nearly every reader is asked for what it knows."""
_SWEEPER = """\
hydra:
  sweeper:
    storage: sqlite:///hpo_studies/4.9.0.db
    study_name: ties
    n_trials: 4
  runtime:
    output_dir: /somewhere/multirun/optuna/0
"""
_CURVES = "from torch.utils.tensorboard import SummaryWriter as W; w = W({!r}); "
_CURVES += "w.add_scalar('loss', 1.0, 0); w.close()"
_SAFE = "import torch; from safetensors.torch import save_file; "
_SAFE += "save_file({{'a': torch.rand(40), 'b': torch.rand(7)}}, {!r}, {{'format': 'pt'}})"


@dataclass(frozen=True)
class Gallery:
    """The workspace as it was made, to be copied only, and where its copies come to lie."""

    shelf: Path
    root: Path

    def hung(self) -> Small:
        """A copy in the one place: times, links and modes as they are."""
        shutil.rmtree(self.root, ignore_errors=True)
        subprocess.run(["cp", "-a", "--reflink=auto", self.shelf, self.root], check=True)
        return Small(self.root)


@cache
def gallery(*, whole: bool = True) -> Gallery:
    """The smaller one spares what takes long to make."""
    folder = Path(tempfile.mkdtemp(prefix="gallery-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return made(folder, whole=whole)


def made(folder: Path, *, whole: bool) -> Gallery:
    root = folder / "around" / "work"
    root.mkdir(parents=True)
    work = small(root, CONFIG)
    git(root, "init", "-q")
    _runs(work)
    _studies(work, whole=whole)
    if whole:
        _of_mlflow(work)
        _by_torch(work)
    wandb_runs.backdate(root, 40)
    _by_us(work)
    root.rename(folder / "shelf")
    return Gallery(folder / "shelf", root)


def _runs(work: Small) -> None:
    hydra_runs.write_program(work.root)
    hydra_runs.run(work.root, "outputs/a", _PICKLED)
    for name in ("outputs/b", "outputs/named", "outputs/stored", "outputs/goes"):
        shutil.copytree(work.root / "outputs/a", work.root / name)
        (work.root / name / ".hydra/job_return.pickle").unlink()
    hydra_runs.sweep(work.root, "multirun/m")
    work.wandb(40)
    wandb_runs.place(wandb_runs.online, work.root)
    work.training(40, "training/runs/a")
    work.write("training/runs/a/metrics.csv", "epoch,val_f1\n1,0.5\n2,0.75\n")
    work.write("training/runs/a/best_model_meta.json", '{"val_f1": 0.8, "note": "é"}')
    work.write("logs/app.log", "a line\n" * 300)
    work.write("best_models/b_meta.json", '{"run": "outputs/named", "chosen": true}')
    work.write("best_models/b.pt", b"a model")


def _studies(work: Small, *, whole: bool) -> None:
    place = work.root / "hpo_studies"
    place.mkdir()
    for version in zoo.OLD if whole else zoo.OLD[-1:]:
        zoo.restored(version, place)
    shutil.copyfile(place / f"{zoo.OLD[-1]}.db", place / "logged.db")
    _with_log(place / "logged.db")
    _killed(place / "hot.db", place / f"{zoo.OLD[-1]}.db")
    studies.finished(place / "journal.log", "s_mlp", mode="journal")
    optuna_sweep = work.root / "multirun/optuna"
    work.write("multirun/optuna/0/.hydra/hydra.yaml", _SWEEPER)
    here = Path(__file__).parent.parent / "real/optuna_sweep/optimization_results.yaml"
    shutil.copyfile(here, optuna_sweep / "optimization_results.yaml")


def _with_log(path: Path) -> None:
    """A database whose writer was killed: with its -wal, and without the -shm."""
    copy = path.with_suffix(".copy")
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("UPDATE studies SET study_name = 'logged' WHERE study_name = 'ties'")
        db.commit()
        shutil.copyfile(path, copy)
        shutil.copyfile(f"{path}-wal", f"{copy}-wal")
    os.replace(copy, path)
    os.replace(f"{copy}-wal", f"{path}-wal")


def _killed(path: Path, source: Path) -> None:
    """A database in rollback mode whose writer was killed: its -journal is hot."""
    copy = path.with_suffix(".copy")
    shutil.copyfile(source, copy)
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN")
        db.execute("UPDATE trials SET state = 'FAIL'")
        shutil.copyfile(f"{copy}-journal", f"{path}-journal")
        shutil.copyfile(copy, path)
        db.execute("ROLLBACK")
    copy.unlink()


def _published(work: Small) -> None:
    """A model that training left, beside its result, in place with its sidecar."""
    folder = work.root / "training/runs/a"
    shutil.copyfile(models.built() / "plain" / models.FINAL, folder / models.FINAL)
    models.result(folder)
    assert publications.one(work).outcome == "published"


def _of_mlflow(work: Small) -> None:
    """Two stores: the database at the top, and a folder of the old form."""
    mlflow_runs.Project.with_database(work.root).run(40)
    old = mlflow_runs.Project(work.root, "file")
    parent = old.run(40).rpartition("/")[2]
    old.run(40, deleted=False, parent=parent)


def _by_torch(work: Small) -> None:
    """Event files, Lightning's and Hugging Face's checkpoints, safetensors."""
    _python(_CURVES.format(str(work.root / "logs/curves")))
    _python(_SAFE.format(str(work.root / "training/runs/a/checkpoint_1.safetensors")))
    training.lightning_run(work.root / "training/runs/lightning")
    training.hf_run(work.root / "training/runs/hf")


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=300)


def _by_us(work: Small) -> None:
    """A published model, an archive, the block in .gitignore, a pin, a job that is over."""
    _published(work)
    wandb_runs.backdate(work.root / "training", 40)
    assert work.janitor("archive", "outputs/stored").code == 0
    assert work.janitor("gitignore", "sync").code == 0
    git(work.root, "add", "-f", "config", "best_models/b_meta.json")
    assert work.janitor("pin", "outputs/b", "--note", "mine").code == 0
    folder = work.root / ".janitor/jobs/t1"
    folder.mkdir(parents=True, mode=0o700)
    jobs = Local(folder.parent)
    handle = jobs.submit(Spec("t1", folder, ["true"], work.root, 60.0))
    until(lambda: jobs.status(handle).is_over)
