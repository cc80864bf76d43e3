"""One sweep that does everything at once: it purges, trashes, slims, archives, compresses, and
brings ``.gitignore`` in line."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from artifact_janitor.sweep import mend
from tests.proof.scene import Build, Scene
from tests.real.git_repo import Repo, repo
from tests.real.small import still
from tests.real.snapshot import Snapshot, difference, snapshot

THEN = {
    "cache": "trash",
    "wandb-run": "trash",
    "hydra-run": "archive",
    "training-run": "slim",
    "log": "compress",
}
CONFIG = "".join(
    f'[[policy]]\nkind = "{kind}"\nkeep_within = "7d"\nthen = "{then}"\n\n'
    for kind, then in THEN.items()
)
CONFIG += "[safety]\nmax_share = 1.0\n"
RUN, LOG, OLD = "outputs/a/one", "logs/deep/b.log", "outputs/old"
MINE = b"*.pyc\n!x.tmp"


def scene(root: Path) -> Scene:
    work = repo(root)
    work.hydra(50, OLD)
    old = still(snapshot(root / OLD))
    work.configure(CONFIG.replace("archive", "trash"))
    assert work.janitor("run", "--yes", "--only", "hydra-run").code == 0
    work.rules(MINE)
    work.write(LOG, "epoch 1 of many\n" * 900, days=33)
    units = [
        str(work.write("src/pkg/__pycache__/a.pyc", days=32).parent.relative_to(root)),
        *(work.hydra(30, RUN), work.wandb(40)),
        *work.training(31),
        LOG,
    ]
    before = snapshot(root)
    work.configure(CONFIG + 'trash_keep = "0s"\n')
    done = partial(is_done, work, units)
    return Scene(work, ("run", "--yes"), done, partial(outcome, work, units, before, old))


def is_done(work: Repo, units: list[str]) -> bool:
    gone = not any(map(work.there, units)) and not any(work.root.glob(f".janitor/trash/*/{OLD}"))
    return gone and work.there(f"{LOG}.zst") and work.text != MINE


def unsound(work: Repo) -> list[str]:
    """What is wrong once the next janitor came by."""
    wrong = [f"left over: {name}" for name in work.leftovers() if name != "archive"]
    wrong += [f"half done: {path}" for path in work.root.glob("**/compressing")]
    wrong += [] if work.there(LOG) != work.there(f"{LOG}.zst") else ["the log, or none of both"]
    return wrong + (["damaged"] if work.janitor("verify").code else [])


def outcome(work: Repo, units: list[str], before: Snapshot, old: Snapshot) -> list[str]:
    mend(work.settings)
    wrong = unsound(work)
    work.configure(CONFIG)
    again = work.janitor("run", "--yes")
    wrong += [f"again: {again}"] if again.code else []
    wrong += [f"did not go: {unit}" for unit in units if work.there(unit)]
    wrong += unsound(work)
    undone = work.janitor("undo", "--last", "9")
    wrong += [f"undo: {undone}"] if undone.code not in (0, 3) else []
    if work.there(OLD):
        wrong += difference(old, still(snapshot(work.root / OLD)))
        shutil.rmtree(work.root / OLD)  # was it purged or not: both are right
    return wrong + difference(still(before), still(snapshot(work.root)))


SCENES: dict[str, Build] = {"everything at once": scene}
