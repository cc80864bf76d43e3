"""W&B runs in every state; only those go whose upload is proven to be complete."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from tests.real import hydra_runs, wandb_runs
from tests.real.workspace import Fate, Nasty, Outcome

_PLACING = Lock()
State = Callable[[Path], Path]
NOT_UPLOADED: tuple[tuple[State, str], ...] = (
    (wandb_runs.offline, "never synced"),
    (wandb_runs.sync_refused, ".synced is there, but every upload was refused"),
    (wandb_runs.synced_in_mid_run, "went on after it was synced"),
    (wandb_runs.grew_while_syncing, "went on while it was synced"),
    (wandb_runs.killed, "killed: no exit record"),
    (wandb_runs.online_refused, "finished with 0, but every upload was refused"),
    (wandb_runs.online_killed, "killed while online: no exit record"),
    (wandb_runs.online_hung, "an exit record, but it was killed while it uploaded"),
)
UPLOADED: tuple[tuple[State, str], ...] = (
    (wandb_runs.synced, "offline, then synced in full"),
    (wandb_runs.online, "everything arrived while it ran"),
    (wandb_runs.online_saved, "everything arrived; holds a link to a saved file"),
)


def made(state: State, outcome: Outcome, why: str, days: float) -> Callable[[Nasty], None]:
    """A run of that state in the project's wandb/, made there by the real client."""

    def hazard(w: Nasty) -> None:
        run = str(state(w.root).relative_to(w.root))
        w.backdate(run, days)
        w.fates.append(Fate(run, "wandb-run", outcome, why))

    return hazard


def with_its_links(w: Nasty) -> None:
    """``WANDB_DIR=outputs``: latest-run and the logs link to a run that goes, and go with it."""
    run = _placed(w, wandb_runs.synced, "outputs")
    w.backdate("outputs/wandb", 145)
    w.goes(run, "wandb-run", "old, synced, in a folder of its own")
    w.along |= _links(w, run)


def unsynced_in_a_run(w: Nasty) -> None:
    """The nested run vetoes the removal of the run around it (S4)."""
    run = w.hydra(146)
    inner = _placed(w, wandb_runs.offline, run)
    w.backdate(run, 146)
    w.stays(inner, "wandb-run", "never synced")
    w.stays(run, "hydra-run", "holds a W&B run that was never synced")


def unsynced_in_a_sweep(w: Nasty) -> None:
    """A sweep is one whole: its other job stays too."""
    sweep = w.dated("multirun", 147)
    hydra_runs.sweep(w.root, sweep)
    inner = _placed(w, wandb_runs.offline, f"{sweep}/0")
    w.backdate(sweep, 147)
    w.stays(inner, "wandb-run", "never synced")
    w.stays(sweep, "hydra-sweep", "holds a W&B run that was never synced")


def synced_in_a_run(w: Nasty) -> None:
    run = w.hydra(148)
    _placed(w, wandb_runs.synced, run)
    w.backdate(run, 148)
    w.goes(run, "hydra-run", "old; the W&B run in it was synced")


def uploaded_in_a_run_that_stays(w: Nasty) -> None:
    """Protection never descends: the run stays for Git's sake, the W&B run in it may go."""
    run = w.hydra(149)
    inner = _placed(w, wandb_runs.synced, run)
    w.backdate(run, 149)
    w.tracked.append(f"{run}/config_used.yaml")
    w.stays(run, "hydra-run", "Git tracks a file in it")
    w.goes(inner, "wandb-run", "old, synced; only its parent is needed")
    w.along |= _links(w, inner)


def at_work(w: Nasty) -> None:
    """The newest W&B run, still training; which folder it takes is known when it starts."""
    w.live.append(_train)


def _train(w: Nasty) -> subprocess.Popen[bytes]:
    assert w.who is not None
    args = [w.who.python, "-c", wandb_runs._TRAIN, "offline", ""]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = w.who.popen(args, cwd=w.root, **pipes)
    assert process.stdout is not None
    said = next((line for line in process.stdout if line.startswith(b"logged ")), b"")
    assert said, "the live W&B run ended before it logged anything"
    run = said.decode().removeprefix("logged ").strip().removeprefix(f"{w.root}/")
    w.stays(run, "wandb-run", "live: it is training")
    w.volatile.add(run)
    return process


def _placed(w: Nasty, state: State, folder: str) -> str:
    """A copy of that state's run in the folder; one at a time, for the first makes it."""
    with _PLACING:
        return str(wandb_runs.place(state, w.root / folder).relative_to(w.root))


def _links(w: Nasty, run: str) -> set[str]:
    """W&B's own links beside the run that name it: they go and come back with it."""
    beside = (w.root / run).parent
    found = {path for path in beside.iterdir() if path.is_symlink()}
    assert found, "W&B no longer links to its newest run"
    return {str(path.relative_to(w.root)) for path in found}


HAZARDS = (
    *(made(state, "stays", why, 130 + n) for n, (state, why) in enumerate(NOT_UPLOADED)),
    *(made(state, "goes", f"old; {why}", 140 + n) for n, (state, why) in enumerate(UPLOADED)),
    with_its_links,
    unsynced_in_a_run,
    unsynced_in_a_sweep,
    synced_in_a_run,
    uploaded_in_a_run_that_stays,
    at_work,
)
