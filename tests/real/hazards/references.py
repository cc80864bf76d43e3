"""What something else needs: Git, links, notes of releases, configurations."""

import json

from tests.real.workspace import Nasty


def tracked_file(w: Nasty) -> None:
    """Somebody committed the configuration of an old run with ``git add --force``."""
    run = w.old_hydra(110)
    w.tracked.append(f"{run}/config_used.yaml")
    w.stays(run, "hydra-run", "Git tracks a file in it")


def released(w: Nasty) -> None:
    run = w.old_hydra(112)
    note = {"name": "released", "run": run, "val_f1": 0.71, "released": "2026-02-01"}
    w.write("best_models/released_meta.json", json.dumps(note))
    w.stays(run, "hydra-run", "best_models/released_meta.json names it")


def nice_name(w: Nasty) -> None:
    """An informal pin, as seen in the wild: a link beside the dates."""
    run = w.old_hydra(113)
    link = w.root / "outputs" / "nice_name"
    link.symlink_to(run.removeprefix("outputs/"))
    w.backdate("outputs/nice_name", 113)
    w.stays(run, "hydra-run", "a link in outputs/ names it")
    w.stays("outputs/nice_name", "", "the link itself")


def link_from_the_top(w: Nasty) -> None:
    """It names a file deep in the run, by an absolute path."""
    run = w.old_hydra(114)
    (w.root / "current.yaml").symlink_to(w.root / run / ".hydra" / "config.yaml")
    w.stays(run, "hydra-run", "a link at the top of the project names a file in it")
    w.stays("current.yaml", "", "the link itself")


def link_from_a_run(w: Nasty) -> None:
    """A run that stays reads its weights from another one."""
    source = w.old_hydra(115)
    reader = w.hydra(116)
    (w.root / reader / "pretrained.json").symlink_to(f"../../../{source}/metrics.json")
    w.backdate(reader, 116)
    w.tracked.append(f"{reader}/config_used.yaml")
    w.stays(source, "hydra-run", "a link in a run that stays names a file in it")
    w.stays(reader, "hydra-run", "Git tracks a file in it")


def nested_repository(w: Nasty) -> None:
    """Code that was cloned into a run: it may hold commits that are nowhere else."""
    run = w.hydra(117)
    w.git("init", "--quiet", f"{run}/code")
    w.write(f"{run}/code/fix.py", "print('the only copy')\n")
    w.git("-C", f"{run}/code", "add", "fix.py")
    w.git("-C", f"{run}/code", "commit", "--quiet", "--message=fix")
    w.backdate(run, 117)
    w.stays(run, "hydra-run", "holds a Git repository")


def worktree(w: Nasty) -> None:
    """A ``.git`` that is a file: a linked worktree or a submodule."""
    run = w.old_hydra(118)
    w.write(f"{run}/code/.git", "gitdir: ../../elsewhere/.git/worktrees/code\n")
    w.backdate(f"{run}/code", 118)
    w.stays(run, "hydra-run", "holds a worktree of a Git repository")


HAZARDS = (
    tracked_file,
    released,
    nice_name,
    link_from_the_top,
    link_from_a_run,
    nested_repository,
    worktree,
)
