"""The trainer's side of the janitor's contract: a request comes in, a verifiable model goes out.

Called with ``--request request.json --out STAGING``. It trains with exactly the params of the
trial, with its seed where there is one, on the prices and the split of the trial, and leaves
in STAGING, each whole or not at all:

- ``final_model_{model_type}.pth``: see `published`
- ``result.json``, last: the metric by the definition of the study, and what it was made from
- ``progress.jsonl``, meanwhile: see `progress`

Exit code 0: both are there. 75: not now (memory, disk), try later. Any other: it can't be
done, and stderr says why.
"""

from __future__ import annotations

import argparse
import errno
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, Field, ValidationError

from artifact_janitor.errors import JanitorError, UsageError
from artifact_janitor.reference import configs, material, published, training
from artifact_janitor.reference.material import Material
from artifact_janitor.reference.progress import Progress
from artifact_janitor.reference.settings import Settings, checked, with_params

RETRY_LATER = 75
"""EX_TEMPFAIL of sysexits.h."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM)
_MEMORY = ("allocate memory", "not enough memory", "out of memory", "busy or unavailable")
"""What torch says in a plain RuntimeError: on the CPU, or when another program has the GPU."""


class Trial(BaseModel):
    number: int
    params: dict[str, Any]
    user_attrs: dict[str, Any] = {}
    seed: int | None = None


class Request(BaseModel):
    """What of it a trainer needs; there is more in it."""

    schema_version: Literal[1] = Field(1, alias="schema")
    study: str
    model_type: str
    trial: Trial


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="train_nn_model", description=__doc__)
    parser.add_argument("--request", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("overrides", nargs="*", help="settings, such as series.csv=prices.csv")
    asked = parser.parse_intermixed_args(argv)
    try:
        answer(read(asked.request), asked.out, asked.overrides)
    except (RuntimeError, MemoryError, OSError) as error:
        if not passes(error):
            raise
        print(f"not now: {error}", file=sys.stderr)
        return RETRY_LATER
    return 0


def passes(error: BaseException) -> bool:
    """Whether it may well work later: no memory here or on the GPU, or no room on the disk."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(words in str(error).lower() for words in _MEMORY)


def read(path: Path) -> Request:
    """Raises UsageError where it is no request that this trainer knows."""
    try:
        return Request.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "", str(path)) from None
    except ValidationError as error:
        where = ", ".join(f"{_where(each['loc'])}: {each['msg']}" for each in error.errors())
        raise UsageError(f"{path} is no request: {where}", "", str(path)) from None
    except ValueError as error:
        raise UsageError(f"{path} is no request: {error}", "", str(path)) from None


def _where(place: Iterable[object]) -> str:
    return ".".join(str(part) for part in place)


def answer(request: Request, out: Path, overrides: Sequence[str] = ()) -> None:
    """Train what was asked for, and leave the model and the result in `out`."""
    settings, accelerator = wanted(request, overrides)
    learnt = material.prepared(settings)
    same_prices(learnt, request.trial)
    out.mkdir(parents=True, exist_ok=True)
    trained = training.train(settings, learnt, accelerator, heard=[Progress(out)])
    told = facts(trained, settings, learnt)
    held = published.content(trained.network, settings, learnt.scaler, told)
    published.save(held, out / published.file_name(settings.model_type))
    result = {"schema": 1, "params": request.trial.params, **told}
    with published.whole(out / "result.json") as staged:
        staged.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n")


def wanted(request: Request, overrides: Sequence[str]) -> tuple[Settings, str]:
    """The settings of the trial, and where to train.

    A trial of `run_hpo` recorded its settings: then an override may only say where to train.
    Any other trial brings params alone, and the rest comes from ``conf/`` and the overrides.
    """
    recorded = request.trial.user_attrs.get("config")
    told = configs.composed([*_on_model(request, recorded), *overrides])
    if isinstance(recorded, dict):
        _only_machine(overrides)
        base = checked(recorded, "the config of the trial")
    else:
        base = configs.deciding(told)
    if base.model_type != request.model_type:
        what = f"a {request.model_type} is asked for, and the trial's config is of a"
        raise UsageError(f"{what} {base.model_type}")
    settings = with_params(base, request.trial.params)
    if request.trial.seed is not None:
        settings = settings.model_copy(update={"seed": request.trial.seed})
    there = str(told["machine"]["accelerator"])
    if there == "auto":
        there = str(request.trial.user_attrs.get("accelerator", there))
    return settings, there


def _on_model(request: Request, recorded: object) -> list[str]:
    return [] if isinstance(recorded, dict) else [f"model={request.model_type}"]


def _only_machine(overrides: Sequence[str]) -> None:
    for each in overrides:
        if not each.startswith("machine."):
            raise UsageError(
                f"{each}: the trial recorded its settings, and they stay as they are",
                "only machine.* can be said with such a trial",
            )


def same_prices(learnt: Material, trial: Trial) -> None:
    """Raises JanitorError where the trial's metric was measured on other prices."""
    before = trial.user_attrs.get("data_sha256")
    if before not in (None, learnt.sha256):
        raise JanitorError(
            f"the prices have changed since trial {trial.number}: their sha256 was {before}, "
            f"and is {learnt.sha256}",
            "put the old rows back; rows after the study's last one do no harm",
        )


def facts(trained: training.Trained, settings: Settings, learnt: Material) -> dict[str, Any]:
    """What a model was made from and came to: for result.json, and inside of the model."""
    return {
        "model_type": settings.model_type,
        "metric": trained.value,
        "metric_name": training.METRIC,
        "split": "validation",
        **trained.test,
        "seed": settings.seed,
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "accelerator": trained.accelerator,
        "classes": list(learnt.names),
        "balance": learnt.balance(),
        "data_sha256": learnt.sha256,
        **published.origin(),
    }
