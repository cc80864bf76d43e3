"""A run that MLflow marks deleted on its way out of the trash: its record goes with its folder,
and never is the one gone and the other there."""

from __future__ import annotations

import shutil
from functools import cache, partial
from pathlib import Path

from artifact_janitor.sweep import mend
from tests.proof.scene import Build, Scene, shelf
from tests.real.mlflow_runs import MLRUNS, PURGE, Project
from tests.real.small import Small


@cache
def pristine(root: Path) -> tuple[Path, str, str]:
    """A workspace built once for a place, which its records name, and not touched by MLflow any
    more, which keeps databases open; a run that stays, and one that goes."""
    template = shelf("mlflow") / "pristine"
    root.mkdir()
    Small(root).configure(MLRUNS)
    project = Project.with_database(root)
    runs = project.run(1, deleted=False), project.run(30)
    project.ask("client._tracking_client.store.engine.dispose()")  # a disk is to be unmounted
    shutil.move(root, template)
    return template, *runs


def scene(root: Path) -> Scene:
    template, staying, going = pristine(root)
    shutil.copytree(template, root)
    work, project = Small(root), Project(root)
    assert work.janitor("run", "--yes").code == 0
    assert not work.there(going)
    work.configure(PURGE)

    def is_done() -> bool:
        return not work.trash() and known(project) == {staying}

    return Scene(work, ("run", "--yes"), is_done, partial(outcome, work, project, staying))


def known(project: Project) -> set[str]:
    """The folders of all runs that have a record."""
    uris = project.sql("SELECT artifact_uri FROM runs")
    return {str(Path(uri).parent.relative_to(project.root)) for (uri,) in uris}


def outcome(work: Small, project: Project, staying: str) -> list[str]:
    mend(work.settings)
    is_whole = any("report.txt" in path for path in work.trash())
    wrong = [] if is_whole or known(project) == {staying} else ["only the folder is gone"]
    again = work.janitor("run", "--yes")
    wrong += [f"again: {again}"] if again.code else []
    wrong += [] if known(project) == {staying} else [f"records of {known(project)}"]
    wrong += [] if work.there(f"{staying}/artifacts/notes/report.txt") else [f"lost: {staying}"]
    return wrong + [f"left over: {path}" for path in (*work.trash(), *work.leftovers())]


SCENES: dict[str, Build] = {"mlflow": scene}
