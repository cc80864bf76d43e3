"""Publish in a small workspace, without a study or a training around it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from artifact_janitor.publishing import Offer, Published, publish
from artifact_janitor.workplace import workplace
from tests.real import models
from tests.real.models import FINAL
from tests.real.small import Small

TARGET = f"models/hpo_derived/eurusd/{FINAL}"
SIDECAR = TARGET.replace(".pth", ".json")
NO_TORCH = ("no-such-python",)
"""Torch takes seconds to start; few tests need its word."""


def trained(work: Small, name: str = "plain", job: str = "0") -> str:
    """What a training left in the folder of its job."""
    path = f".janitor/jobs/{job}/out/{FINAL}"
    (work.root / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(models.built() / name / FINAL, work.root / path)
    return path


def offer(source: str | Path, key: str = "k1", **more: Any) -> Offer:
    told = {"study": "eurusd_mlp", "model_type": "mlp", "trial": 4, "params": {"lr": 0.1}}
    return replace(Offer(key, source, TARGET, told, python=NO_TORCH), **more)


def published(work: Small, offers: Sequence[Offer], sweep: str = "pub") -> list[Published]:
    """All of them in one sweep."""
    with workplace(work.settings) as place:
        name = place.journal.begin(sweep, "run", 1, by_person=False)
        with place.state.sweep(name):
            found = [publish(place, name, each) for each in offers]
            place.finish(name)
    return found


def one(work: Small, name: str = "plain", key: str = "k1", **more: Any) -> Published:
    return published(work, [offer(trained(work, name), key, **more)])[0]


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def holds(work: Small, name: str, target: str = TARGET) -> bool:
    """Whether this model and the sidecar that belongs to it stand there."""
    model, sidecar = work.root / target, (work.root / target).with_suffix(".json")
    same = model.read_bytes() == (models.built() / name / FINAL).read_bytes()
    return same and json.loads(sidecar.read_text())["sha256"] == digest(model)
