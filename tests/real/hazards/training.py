"""Training runs and their checkpoints: what must not be lost when a run goes or is thinned."""

import os
import shutil
from collections.abc import Sequence

from tests.real import training
from tests.real.workspace import Nasty

EPOCHS = [f"model_epoch_{epoch}.pt" for epoch in (1, 2, 9, 10)]
RUNS: dict[str, tuple[str, dict[str, object]]] = {
    "training/runs/plain": ("torch", {"names": EPOCHS}),
    "training/runs/automatic": ("accelerate", {"count": 3}),
    "training/runs/lonely": ("torch", {"names": ["best_model.pt", *EPOCHS]}),
    "training/runs/published": ("torch", {"names": ["best_model.pt", *EPOCHS]}),
    "training/runs/linked": ("timm", {"epochs": 11, "best": 9, "history": 3}),
    "training/runs/twin_old": ("torch", {"names": ["best_model.pt", *EPOCHS]}),
    "training/runs/champion": ("torch", {"names": EPOCHS}),
    "training/runs/resumed": ("torch", {"names": EPOCHS}),
    "training/runs/newest": ("torch", {"names": ["best_model.pt", "final_model_mlp.pth", *EPOCHS]}),
    "training/runs/lightning": ("lightning", {"save_last": True, "monitors": ["x"]}),
    "training/runs/lightning_link": ("lightning", {"save_last": "link", "monitors": ["x"]}),
    "training/runs/trainer": ("hf", {"save_model": False, "save_total_limit": None}),
    "../spare": ("torch", {"names": ["final_model_mlp.pth", "epoch=3.ckpt"]}),
}
"""Built in one interpreter, because importing the tools takes longer than training does."""


DAYS_OLD = {
    "plain": 150,
    "automatic": 151,
    "lonely": 152,
    "published": 153,
    "linked": 154,
    "twin_old": 155,
    "twin_new": 50,
    "champion": 156,
    "resumed": 157,
    "newest": 2,
    "lightning": 158,
    "lightning_link": 159,
    "trainer": 160,
}


def trained(w: Nasty) -> None:
    """All runs are trained; then each scene does to them what life does; then they age."""
    training.together([(tool, w.root / path, how) for path, (tool, how) in RUNS.items()])
    for scene in SCENES:
        scene(w)
    for name, days in DAYS_OLD.items():
        w.backdate(f"training/runs/{name}", days)


def without_best(w: Nasty) -> None:
    w.goes("training/runs/plain", "training-run", "old, no best and no final model")
    w.goes("training/runs/automatic", "training-run", "old, Accelerate's checkpoints only")


def only_copy(w: Nasty) -> None:
    """S6: the best model is nowhere else, so that it goes into an archive."""
    w.goes("training/runs/lonely", "training-run", "holds the only copy of its best model")


def copied(w: Nasty) -> None:
    """The same bytes lie in models/: the run may go."""
    run = "training/runs/published"
    _publish(w, f"{run}/best_model.pt", "models/hpo_derived/x/final_model_mlp.pth")
    w.goes(run, "training-run", "old; its best model is published, byte for byte")


def copied_with_links(w: Nasty) -> None:
    """timm's checkpoints are hard links of each other: one file, several names."""
    run = "training/runs/linked"
    _publish(w, f"{run}/model_best.pth.tar", "models/manual_runs/linked/model_best.pth.tar")
    _publish(w, f"{run}/last.pth.tar", "models/manual_runs/linked/last.pth.tar")
    w.goes(run, "training-run", "old; its models are published, byte for byte")


def twins(w: Nasty) -> None:
    """Two runs hold the same best model: the last of them must be archived."""
    old, new = "training/runs/twin_old", "training/runs/twin_new"
    shutil.copytree(w.root / old, w.root / new)
    w.goes(old, "training-run", "old; a newer run holds the same best model")
    w.goes(new, "training-run", "holds the last copy of its best model: archived")


def hard_link_from_outside(w: Nasty) -> None:
    """A milestone is a second name of a checkpoint: the run frees less than it weighs."""
    (w.root / "best_models").mkdir(exist_ok=True)
    os.link(w.root / "training/runs/champion/model_epoch_9.pt", w.root / "best_models/champion.pt")
    w.goes("training/runs/champion", "training-run", "old; its chosen model has a second name")
    w.stays("best_models/champion.pt", "milestone", "a milestone is never removed")


def resumed(w: Nasty) -> None:
    """One checkpoint is needed, so the run stays; the others may go."""
    run = "training/runs/resumed"
    w.write("config/resume_training.yaml", f"resume: {run}/model_epoch_2.pt\n")
    w.tracked.append("config/resume_training.yaml")
    w.stays(run, "training-run", "a tracked configuration names a checkpoint in it")
    _thinned(w, run, stay=EPOCHS[1::2], go=EPOCHS[::2])


def newest_is_damaged(w: Nasty) -> None:
    """The run that ``keep_last`` keeps is thinned; its newest checkpoint can't be loaded."""
    run = "training/runs/newest"
    training.killed_save(w.root / run / "model_epoch_11.pt")
    (w.root / run / "resume.pt").symlink_to("model_epoch_2.pt")
    w.kept(run, "training-run", "the newest of its kind")
    w.kept(f"{run}/model_epoch_11.pt", "checkpoint", "the newest, although damaged")
    stay = ("best_model.pt", "final_model_mlp.pth", "model_epoch_2.pt", "model_epoch_10.pt")
    _thinned(w, run, stay=stay, go=("model_epoch_1.pt", "model_epoch_9.pt"))


def lightning(w: Nasty) -> None:
    run = "training/runs/lightning/version_0"
    best, second = _lightning_checkpoints(w, run)
    _chosen(w, run)
    _thinned(w, f"{run}/checkpoints", stay=(best, "last.ckpt"), go=(second,))


def lightning_link(w: Nasty) -> None:
    """``save_last="link"``: last.ckpt is a symlink to one of the best."""
    run = "training/runs/lightning_link/version_0"
    assert (w.root / run / "checkpoints" / "last.ckpt").is_symlink()
    _chosen(w, run)
    _thinned(w, f"{run}/checkpoints", stay=_lightning_checkpoints(w, run), go=())


def trainer(w: Nasty) -> None:
    """By name checkpoint-8 comes last; by step 12 is the newest, and 4 the best."""
    run = "training/runs/trainer"
    _chosen(w, run)
    numbers = {2: "go", 4: "best", 6: "go", 8: "go", 10: "go", 12: "newest"}
    go = [f"checkpoint-{step}" for step, what in numbers.items() if what == "go"]
    _thinned(w, run, stay=("checkpoint-4", "checkpoint-12"), go=go)


def _chosen(w: Nasty, run: str) -> None:
    """A milestone names the run, which stays then, and is thinned."""
    name = run.split("/")[2]
    w.write(f"best_models/{name}_meta.json", f'{{"run": "{run}"}}')
    w.stays(run, "training-run", "a milestone names it")


def in_a_hydra_run(w: Nasty) -> None:
    run = w.hydra(161)
    _move(w, "final_model_mlp.pth", f"{run}/models/final_model_mlp.pth")
    w.backdate(run, 161)
    w.goes(run, "hydra-run", "holds the only copy of a final model: archived")


def resume_path(w: Nasty) -> None:
    """The next training starts from a checkpoint of an old Hydra run."""
    run = w.hydra(162)
    _move(w, "epoch=3.ckpt", f"{run}/checkpoints/epoch=3.ckpt")
    w.backdate(run, 162)
    w.write("config/resume.yaml", f"trainer:\n  resume_from: {run}/checkpoints/epoch=3.ckpt\n")
    w.tracked.append("config/resume.yaml")
    w.stays(run, "hydra-run", "a tracked configuration names a checkpoint in it")


def not_a_run(w: Nasty) -> None:
    w.write("training/runs/notes/ideas.txt")
    w.backdate("training/runs/notes", 163)
    w.stays("training/runs/notes", "unknown", "a person's folder among the runs")


def _thinned(w: Nasty, run: str, stay: Sequence[str], go: Sequence[str]) -> None:
    for name in stay:
        w.stays(f"{run}/{name}", "checkpoint", "best, final, newest valid, or named by something")
    for name in go:
        w.goes(f"{run}/{name}", "checkpoint", "intermediate, in a run that stays")


def _lightning_checkpoints(w: Nasty, run: str) -> tuple[str, str]:
    """The best of the third epoch and the second best, of the fourth."""
    best, second = sorted(path.name for path in (w.root / run / "checkpoints").glob("epoch=*"))
    return best, second


def _publish(w: Nasty, source: str, target: str) -> None:
    (w.root / target).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(w.root / source, w.root / target)


def _move(w: Nasty, name: str, target: str) -> None:
    (w.root / target).parent.mkdir(parents=True, exist_ok=True)
    shutil.move(w.root.parent / "spare" / name, w.root / target)


SCENES = (
    without_best,
    only_copy,
    copied,
    copied_with_links,
    twins,
    hard_link_from_outside,
    resumed,
    newest_is_damaged,
    lightning,
    lightning_link,
    trainer,
    in_a_hydra_run,
    resume_path,
    not_a_run,
)
HAZARDS = (trained,)
