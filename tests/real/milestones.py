"""A workspace with a model in a real Hydra run, and milestones promoted from it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.real import models, wandb_runs
from tests.real.command import Answer
from tests.real.models import FINAL
from tests.real.small import FREE, Small, small

RUN = "outputs/2026-08-13/11-00-00"
MODEL = f"{RUN}/models/best_model.pt"
BEST = (
    '[[policy]]\nkind = "hydra-run"\nkeep_within = "7d"\n'
    'keep_best = { metric = "val_f1", direction = "max", n = 1, missing = "ignore" }\n'
)
"""A policy that knows which metric counts."""
TORCH = (
    '[[retrain]]\nstudies = "*"\ncommand = ["true", "{request}", "{out}"]\n'
    f"python = {json.dumps(sys.executable)}\n"
)
"""The Python that has torch: few tests need its word."""
NO_TORCH = TORCH.replace(sys.executable, "/no/such/python")


def workspace(root: Path, policies: str = FREE, days: float = 3) -> Small:
    """A Hydra run of that age, with a model that torch saved, and what it reached."""
    work = small(root, policies + NO_TORCH)
    work.hydra(days, RUN)
    work.write(f"{RUN}/metrics.json", '{"val_f1": 0.71, "loss": 0.3}')
    put(work, "plain", MODEL)
    wandb_runs.backdate(root / RUN, days)
    return work


def put(work: Small, name: str, path: str) -> Path:
    """One of the models that torch made."""
    target = work.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(models.built() / name / FINAL, target))


def promoted(work: Small, source: str = MODEL, *args: str, **how: object) -> Answer:
    answer = work.janitor("promote", source, *args, **how)
    assert answer.code == 0, answer
    return answer


def meta(work: Small, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((work.root / f"best_models/{name}_meta.json").read_text())
    return found


def error(answer: Answer) -> str:
    """What went wrong, and what to do."""
    return " ".join(f"{each['message']} → {each['hint']}" for each in answer.said["errors"])


def git(work: Small, *args: str) -> str:
    """Real Git, as nobody in particular."""
    identity = ("-c", "user.name=n", "-c", "user.email=n@example.org")
    env = {key: each for key, each in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(
        ["git", *identity, *args], cwd=work.root, env=env, check=True, capture_output=True
    )
    return done.stdout.decode().strip()
