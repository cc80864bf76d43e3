"""Results of a study, made in a process of its own and brought to ``hpo_results/``.

A published model does not wait for them: where they can't be made, they are tried again later.
They are made anew each time, so that nothing of them is journalled; what somebody else wrote
under one of their names stays.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artifact_janitor.apply import copies
from artifact_janitor.apply import publish as files
from artifact_janitor.apply.ground import Ground
from artifact_janitor.errors import OutOfReach, StepFailed, StepSkipped
from artifact_janitor.workplace import Workplace

PATIENCE = 300.0
"""Seconds that the results of a study may take."""
MISSING = 69
_LARGEST = 256 << 20
"""Bytes of one file of results."""
_NAME = re.compile(
    r"hpo_results_[A-Za-z0-9._-]{1,100}\.json|hpo_combined_results\.json"
    r"|[A-Za-z0-9._-]{1,100}_visualizations/[a-z_]{1,40}\.png"
)
_OURS = (b'{\n "made_by": "artifact-janitor', b"\x89PNG")
"""How what we wrote begins; a plot also says so itself."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A study of one execution: all that are in one file share its results' folder.

    `trial` is the one that was chosen, None where nobody did.
    """

    study: str
    study_path: str
    model_type: str
    trial: int | None = None


def report(
    place: Workplace,
    sweep: str,
    snapshot: Path,
    folder: str,
    studies: Sequence[Reported],
    *,
    newest: bool = True,
) -> list[str]:
    """Write the results of these studies, the first of which is the newest, into
    ``hpo_results/{folder}/``, and where they are `newest` of all into ``hpo_results/`` itself.

    Returns notes for the person: what was left alone. Raises StepFailed where they can't be
    made now.
    """
    (root,) = place.settings.folders.hpo_results
    ground = Ground(place.settings.workspace, [root])
    folders = (f"{root}/{folder}", root) if newest else (f"{root}/{folder}",)
    try:
        copies.clear(ground, place.state.is_dead)
        staging = copies.staging_for(ground, sweep, f"{folders[0]}/results")
        try:
            made = _made(ground, staging, snapshot, studies)
            return [note for each in made for note in _brought(ground, staging, each, folders)]
        finally:
            copies.discard(ground, staging)
    except (StepSkipped, StepFailed) as error:
        raise StepFailed(f"no results were written: {error.message}") from error


def _made(ground: Ground, staging: str, snapshot: Path, studies: Sequence[Reported]) -> list[str]:
    """What lies in the staging folder when the process is over."""
    with ground.folder(staging, make=True):
        pass
    out = ground.workspace / staging
    order = {
        "snapshot": str(snapshot),
        "out": str(out),
        "studies": [
            {
                "study": each.study,
                "study_path": each.study_path,
                "model_type": each.model_type,
                "trial": each.trial,
                "plots": each is studies[0],
            }
            for each in studies
        ],
    }
    answer = ask("artifact_janitor.reports", order, out)
    if missing := answer.get("missing"):
        needed = " and ".join(map(str, missing))
        what = f"they need {needed}: pip install 'artifact-janitor[optuna]'"
        raise StepFailed(what)
    names = [name for name in answer.get("files", ()) if _NAME.fullmatch(str(name))]
    own = f"{studies[0].model_type}_visualizations/"
    wanted = (f"hpo_results_{studies[0].model_type}.json", "hpo_combined_results.json")
    return [name for name in names if name in wanted or name.startswith(own)]


def ask(module: str, order: Mapping[str, object], folder: Path) -> dict[str, Any]:
    """Run ``python -m MODULE`` in a folder, an order on its stdin; the answer on its stdout.

    Raises StepFailed where it gives none, or takes too long.
    """
    command = [sys.executable, "-P", "-m", module]  # nothing is imported from the folder
    given = json.dumps(order).encode()
    with subprocess.Popen(
        command,
        cwd=folder,
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as asked:
        try:
            said, errors = asked.communicate(given, PATIENCE)
        except subprocess.TimeoutExpired:
            raise StepFailed(f"it took longer than {PATIENCE:.0f} s") from None
        finally:
            if asked.poll() is None:
                os.killpg(asked.pid, signal.SIGKILL)
    try:
        found = json.loads(said.splitlines()[-1])
    except (ValueError, IndexError):
        found = None
    if not isinstance(found, dict) or asked.returncode not in (0, MISSING):
        last = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise StepFailed(last[:300] or f"its process ended with {asked.returncode}")
    if error := found.get("error"):
        raise StepFailed(str(error))
    return found


def _environment() -> dict[str, str]:
    """No window, and no more threads than one."""
    mine = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    quiet = {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    own = {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "MLFLOW_ALLOW_FILE_STORE": "true"}
    return mine | quiet | own


def _brought(ground: Ground, staging: str, name: str, folders: Sequence[str]) -> Iterator[str]:
    """Let a file take its places, one by one, each at once; what is somebody else's stays. It
    waits in a folder that we made, so that it is whose the folder is."""
    fd = copies.open_source(ground, f"{staging}/{name}")
    with os.fdopen(fd, "rb") as file:
        content = file.read(_LARGEST)
    for number, folder in enumerate(folders):
        waiting = copies.write(ground, content, f"{staging}/{number}/{name}")
        try:
            files.replace(ground, waiting, f"{folder}/{name}", ours)
        except OutOfReach:
            raise
        except StepSkipped as error:
            yield error.message


def ours(head: bytes) -> bool:
    """Whether a file begins as one that we wrote."""
    return head.startswith(_OURS[0]) or (head.startswith(_OURS[1]) and b"artifact-janitor" in head)
