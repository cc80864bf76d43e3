"""Each reader of files that others wrote, as a person's data reaches it: a path in, facts out.

A reader may raise what its docstring says, and nothing else.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path

from artifact_janitor.apply.archive.check import check
from artifact_janitor.apply.archive.contents import contents
from artifact_janitor.apply.archive.manifest import Manifest
from artifact_janitor.apply.archive.store import Store, made
from artifact_janitor.config import load
from artifact_janitor.core.policy import Best
from artifact_janitor.core.study import Broken, Study
from artifact_janitor.errors import ArchiveError, ConfigError, StepFailed, StepSkipped
from artifact_janitor.executors import Handle
from artifact_janitor.executors.local import Local, spec_of
from artifact_janitor.mlflow_records import UnknownSchema, of_database
from artifact_janitor.observe import (
    checkpoints,
    configs,
    hydra,
    jobs,
    manual_runs,
    metrics,
    mlflow_files,
    modelfile,
    optuna_files,
    optuna_sweeps,
    origins,
    references,
    studies,
    study_copy,
    tensorboard,
    trained,
    tree,
    wandb,
    wandb_outside,
)
from artifact_janitor.observe.kinds import Unit
from artifact_janitor.observe.liveness import Activity
from artifact_janitor.observe.opcodes import Flawed
from artifact_janitor.observe.sqlite import Unreadable, reading

Reader = Callable[[Path, str], Iterator[str]]
"""Reads the file at a path in the workspace, and says what is wrong with what it found."""


def unit_of(path: str) -> str:
    """The folder of the run that a file lies in."""
    parts = path.split("/")
    return "/".join(parts[: 3 if parts[0] == "training" else 2])


def _configured(base: Path, path: str, kind: str, run_id: str = "") -> None:
    run = configs.Run(path, kind, run_id)
    folders = [each.path for each in tree.read(base, path).walk()]
    configs.read(base, configs.places([run], folders), lambda _: None, 0, whole=True)


def of_wandb(base: Path, path: str) -> Iterator[str]:
    """Whatever is damaged in the log, or gone from it, is no proof any more."""
    top = tree.read(base, "wandb")
    run = top.folders[path.split("/")[1]]
    wandb.is_run(run, base)
    found = wandb.upload(run, base)
    wandb.writer_pid(run, base)
    wandb.companions(top, run)
    wandb_outside.waiting(base, [run.path], "/tmp/staging")
    _configured(base, run.path, "wandb-run", wandb.run_id(run) or "")
    if path.endswith(".wandb") and found.fact == "uploaded":
        yield f"counts as uploaded: {found.why}"


def of_hydra(base: Path, path: str) -> Iterator[str]:
    run = tree.read(base, unit_of(path))
    hydra.is_run(run, base)
    hydra.is_sweep(run, base)
    optuna_sweeps.done(base, ["multirun"])
    _configured(base, run.path, "hydra-run")
    yield from ()


_BESTS = [Best("return_value", "max", 1, "ignore"), Best("val_f1", "max", 1, "ignore")]


def of_metrics(base: Path, path: str) -> Iterator[str]:
    run = tree.read(base, unit_of(path))
    for best in _BESTS:
        value = metrics.value_of(Unit("training-run", run.path, run), base, best)
        if not (value is None or abs(value) < 1e309):
            yield f"a metric of {value}"


def of_models(base: Path, path: str) -> Iterator[str]:
    """What is cut off is never whole: it would pass for the newest valid checkpoint (S6)."""
    modelfile.is_whole(base / path)
    [*modelfile.constants(base / path)]
    checkpoints.find(tree.read(base, unit_of(path)), base)
    with suppress(Flawed):
        trained.read_model(base / path)
    with suppress(ValueError, OSError):
        modelfile.read_json(base / path)
    yield from ()


def of_trained(base: Path, path: str) -> Iterator[str]:
    with suppress(Flawed):
        trained.read_result(base / path)
    manual_runs.results((base / path).parent)
    yield from ()


_INDEX = references.Index(Path("/nowhere"), ["outputs", "training/runs"], [], {})


def of_sidecars(base: Path, path: str) -> Iterator[str]:
    origins.told_in(base / path)
    _INDEX.named(references._text(base / path))
    jobs.in_place(base, "models")
    yield from of_metrics(base, path) if path.startswith("training") else ()


def of_studies(base: Path, path: str) -> Iterator[str]:
    """It is read, or is a trouble of a kind that has a name; then nobody copies it."""
    path = path.removesuffix("-wal").removesuffix("-journal")
    before = sorted((base / "hpo_studies").iterdir())
    optuna_files.with_holders(_read(base, path), base, Activity)
    studies.among(tree.read(base, "hpo_studies"), base)
    [*optuna_files.found(base, "hpo_studies")]
    with tempfile.TemporaryDirectory(prefix="copied-") as folder:
        copy = Path(folder, f"copy{Path(path).suffix}")
        with suppress(StepSkipped):
            study_copy.copy(base / path, copy)
        with suppress(ValueError):
            study_copy.reached(copy, "s_mlp", 0)
    if sorted((base / "hpo_studies").iterdir()) != before:
        yield "left something beside it"


def _read(base: Path, path: str) -> list[Study]:
    found = optuna_files.of_file(base, path, {}, 0.0)
    if isinstance(found, Broken):
        assert len(found.why) > 5, found
        return []
    for each in found:
        assert isinstance(each.name, str), found
        assert all(isinstance(best.number, int) for best in each.bests if best), found
    return found


def of_events(base: Path, path: str) -> Iterator[str]:
    top = tree.read(base, "logs")
    for folder in top.walk():
        tensorboard.is_log(folder, base)
        tensorboard.wrote_in(folder, base)
    yield from ()


def of_mlflow(base: Path, path: str) -> Iterator[str]:
    with suppress(Unreadable, UnknownSchema, FileNotFoundError), reading(base / "mlflow.db") as db:
        for each in of_database(db).runs.values():
            if not 0 <= each.deleted < 1 << 70:
                yield f"deleted at {each.deleted}"


def of_mlflow_files(base: Path, path: str) -> Iterator[str]:
    folder = (base / path).parent
    mlflow_files.record(folder, folder.name)
    with suppress(OSError):
        mlflow_files.named(base, ["mlruns"])
    yield from ()


def of_archives(base: Path, path: str) -> Iterator[str]:
    """Damage anywhere is found by a check."""
    store = Store(base / ".janitor/archive", own=True)
    name = Path(path).name.partition(".")[0]
    made(store, name)
    with suppress(ArchiveError, StepFailed):
        contents(store, name, "0" * 64)
    with suppress(ArchiveError, StepFailed), store.opened(name) as files:
        [*Manifest(files.manifest).members()]
    with suppress(ArchiveError, StepFailed), store.opened(name) as files:
        check(files)
        yield "a check finds nothing"


def of_config(base: Path, path: str) -> Iterator[str]:
    try:
        load(None, {}, base)
    except ConfigError as error:
        for each in error.problems:
            if not each.where or len(each.what) > 400 or not each.what.isprintable():
                yield f"said {each!r}"


def of_jobs(base: Path, path: str) -> Iterator[str]:
    folder = (base / path).parent
    local, handle = Local(folder.parent), Handle(folder.name, folder)
    local.status(handle)
    local.logs(handle, 0)
    with suppress(OSError, ValueError):
        spec_of(handle)
    jobs.progress(handle)
    yield from ()


READERS: dict[str, Reader] = {
    "wandb/*": of_wandb,
    "outputs/*": of_hydra,
    "multirun/*": of_hydra,
    "outputs/a/*": of_metrics,
    "training/runs/*.csv": of_metrics,
    "training/runs/*.json": of_metrics,
    "training/runs/*.pt": of_models,
    "training/runs/*.pth": of_models,
    "training/runs/*.ckpt": of_models,
    "training/runs/*.safetensors": of_models,
    "training/runs/*.bin": of_models,
    "training/runs/*.json ": of_models,
    "training/runs/a/result.json": of_trained,
    "models/*.json": of_sidecars,
    "best_models/*.json": of_sidecars,
    "hpo_studies/*": of_studies,
    "logs/*": of_events,
    "mlflow.db": of_mlflow,
    "mlruns/*": of_mlflow_files,
    ".janitor/archive/*-*": of_archives,
    "config.toml": of_config,
    ".janitor/jobs/*/*": of_jobs,
}
"""Which files each of them reads, by path; the first words are the kind that is counted."""


def readers_of(path: str) -> list[Reader]:
    return [reader for pattern, reader in READERS.items() if fnmatch(path, pattern.strip())]


def put_back(kept: Path, file: Path) -> None:
    """The file as it was, whatever stands in its place."""
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file)
    else:
        file.unlink(missing_ok=True)
    shutil.copy2(kept, file)
