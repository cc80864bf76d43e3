"""What Hydra leaves behind, and what only looks like it."""

from tests.real import hydra_runs
from tests.real.workspace import Nasty


def plain_runs(w: Nasty) -> None:
    """The everyday case: without it a janitor that keeps all would pass."""
    for days in (100, 90.5, 61):
        w.goes(w.old_hydra(days), "hydra-run", "old, finished, nothing speaks for it")


def ended_badly(w: Nasty) -> None:
    """Hydra leaves the same files however a run ends."""
    w.goes(w.old_hydra(80, end="error"), "hydra-run", "old, ended with an exception")
    w.goes(w.old_hydra(81, end="kill"), "hydra-run", "old, was killed")


def changed_folder(w: Nasty) -> None:
    w.goes(w.old_hydra(70, "hydra.job.chdir=True"), "hydra-run", "old, ran inside its folder")


def without_log(w: Nasty) -> None:
    run = w.old_hydra(71, "hydra/job_logging=disabled")
    w.goes(run, "hydra-run", "old, has no log, but Hydra's configuration proves it")


def without_proof(w: Nasty) -> None:
    """``output_subdir=null`` leaves no .hydra: a date-named folder that anyone may have made."""
    run = w.old_hydra(72, "hydra.output_subdir=null")
    w.stays(run, "unknown", "no .hydra, so nothing proves its origin")


def named_by_hand(w: Nasty) -> None:
    folder = w.dated("outputs", 73)
    w.write(f"{folder}/thesis/chapter_1.md", "# Introduction\n")
    w.backdate(folder, 73)
    w.stays(folder, "unknown", "named like a run, but a person put it there")


def same_second(w: Nasty) -> None:
    """Two runs that started in one second share a folder: one unit."""
    run = w.hydra(74)
    hydra_runs.run(w.root, run, "lr=0.5")
    w.backdate(run, 74)
    w.goes(run, "hydra-run", "old, two runs in one folder")


def one_of_two_is_fresh(w: Nasty) -> None:
    """The second of two runs in one folder came lately: the whole folder is young."""
    run = w.old_hydra(75)
    hydra_runs.run(w.root, run, "lr=0.5")
    w.stays(run, "hydra-run", "its newest file is within the grace")


def at_the_top(w: Nasty) -> None:
    """``hydra.run.dir=.`` makes the project root look like a run."""
    hydra_runs.run(w.root, ".")
    for name in (".hydra", "train.log", "config_used.yaml", "metrics.json"):
        w.backdate(name, 90)
        w.stays(name, "", "the run is the project itself")


def fresh(w: Nasty) -> None:
    """The newest of its kind: ``keep_last = 1`` has no other to keep."""
    w.stays(w.hydra(0), "hydra-run", "within the grace of 24 hours")


def future(w: Nasty) -> None:
    """A clock was wrong once: the date says nothing, so the run stays."""
    run = w.old_hydra(-40)
    w.stays(run, "hydra-run", "dated in the future")


def one_future_file(w: Nasty) -> None:
    run = w.old_hydra(76)
    w.backdate(f"{run}/metrics.json", -80)
    w.stays(run, "hydra-run", "one file in it is dated in the future")


def sweeps(w: Nasty) -> None:
    for days in (95, 55):
        sweep = w.dated("multirun", days)
        hydra_runs.sweep(w.root, sweep)
        w.backdate(sweep, days)
        w.goes(sweep, "hydra-sweep", "old, finished")
    newest = w.dated("multirun", 3)
    hydra_runs.sweep(w.root, newest)
    w.backdate(newest, 3)
    w.kept(newest, "hydra-sweep", "the newest of its kind")


def among_logs(w: Nasty) -> None:
    """Whole runs under ``logs/<task>/runs/``: they are runs, not logs."""
    run = w.dated("logs/train/runs", 64)
    hydra_runs.run(w.root, run)
    w.backdate(run, 64)
    w.goes(run, "hydra-run", "old, a run although it lies among the logs")


def in_another_run(w: Nasty) -> None:
    """A run that started a run: the inner one is young, so the outer one stays (S4)."""
    outer = w.hydra(66)
    inner = f"{outer}/evaluation"
    hydra_runs.run(w.root, inner)
    w.backdate(outer, 66)
    w.backdate(f"{inner}/metrics.json", -66)
    w.stays(inner, "hydra-run", "within the grace")
    w.stays(outer, "hydra-run", "holds a run that is within the grace")


HAZARDS = (
    plain_runs,
    ended_badly,
    changed_folder,
    without_log,
    without_proof,
    named_by_hand,
    same_second,
    one_of_two_is_fresh,
    at_the_top,
    fresh,
    future,
    one_future_file,
    sweeps,
    among_logs,
    in_another_run,
)
