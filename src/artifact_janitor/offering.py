"""What a training made, offered for publication: with its goal, and all that its sidecar tells."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from artifact_janitor.apply.retrain import folder_of, python_of
from artifact_janitor.core.gate import Goal
from artifact_janitor.core.jobs import Job
from artifact_janitor.core.trainer import DEFAULT, Retrain
from artifact_janitor.errors import StepFailed
from artifact_janitor.executors import EXIT, OUT, REQUEST
from artifact_janitor.observe import study_copy
from artifact_janitor.observe.trained import Result
from artifact_janitor.publishing import Offer, Published, Rejected, publish, reject, tested
from artifact_janitor.regular import open_regular
from artifact_janitor.workplace import Workplace


def offer(place: Workplace, sweep: str, job: Job, row: Retrain | None) -> Published:
    """Hold a training against its trial, and publish its model in the course of `sweep`.

    Raises StepFailed where nobody can tell what it was held against.
    """
    folder = folder_of(place.settings.workspace, job.token)
    try:
        asked = json.loads((folder / REQUEST).read_text("ascii"))
        goal = _goal(job, asked, row or DEFAULT)
        ended = json.loads((folder / EXIT).read_bytes())["ended"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise StepFailed(f"what was asked of the training can't be read: {error}") from error
    bare = Offer(
        job.key,
        folder / OUT / f"final_model_{job.model_type}.pth",
        job.target,
        python=python_of(row or DEFAULT),
        by_person=job.by_person,
    )
    if not _is_file(bare.source):
        return reject(place, sweep, bare, f"the training left no {Path(bare.source).name}")
    try:
        result, why = tested(folder / OUT, job.mode, goal)
    except Rejected as error:
        return reject(place, sweep, bare, str(error))
    told = _told(job, asked, goal, result) | {"trained_at": ended}
    return publish(place, sweep, replace(bare, told=told, reasons=(why,)))


def _is_file(path: str | Path) -> bool:
    try:
        os.close(open_regular(path))
    except OSError:
        return False
    return True


def _goal(job: Job, asked: Mapping[str, Any], row: Retrain) -> Goal:
    objective = int(asked["objective"]["number"]) - 1
    direction = cast(Literal["maximize", "minimize"], asked["directions"][objective])
    values = study_copy.reached(Path(asked["snapshot"]), job.study, objective)
    return Goal(job.value, values, direction, row.tolerance, str(asked["objective"]["name"]))


def _told(
    job: Job, asked: Mapping[str, Any], goal: Goal, result: Result | None
) -> dict[str, object]:
    """The sidecar, but for what is found out when the file is published."""
    return {
        "study": job.study,
        "study_path": job.path,
        "model_type": job.model_type,
        "trial": job.trial,
        "params": asked["trial"]["params"],
        "metric": {
            "name": goal.name,
            "value": result.metric if result else job.value,
            "best": job.value,
        },
        "mode": job.mode,
        "seed": result.seed if result else asked["trial"]["seed"],
        "epochs": result.epochs if result else None,
        "git_commit": result.git_commit if result else "",
        "data_sha256": result.data_sha256 if result else "",
        "job": job.token,
    }
