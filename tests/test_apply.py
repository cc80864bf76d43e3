"""What changed after it was planned is left alone, and said (S11); nothing is half done."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from artifact_janitor.apply import ground
from artifact_janitor.core.model import Pin, is_within
from artifact_janitor.journal import open_journal
from tests.real import training, wandb_runs
from tests.real.small import CONFIG, Small, done, small, why
from tests.real.snapshot import difference, snapshot


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path)


def grow(run: Path) -> None:
    log = run / "train.log"
    before = log.stat().st_mtime_ns
    log.write_text(log.read_text() + "one line more\n")
    os.utime(log, ns=(before, before))


def rewrite(run: Path) -> None:
    """Another file of the same length with the same time, as ``rsync -t`` puts it there."""
    log, new = run / "train.log", run / "new"
    status = log.stat()
    new.write_bytes(b"x" * status.st_size)
    os.utime(new, ns=(status.st_mtime_ns, status.st_mtime_ns))
    new.rename(log)


def add(run: Path) -> None:
    (run / "note").symlink_to("train.log")


def remove(run: Path) -> None:
    (run / "metrics.json").unlink()


def link(run: Path) -> None:
    run.rename(run.with_name("moved"))
    run.symlink_to("moved")


def exchange(run: Path) -> None:
    run.rename(run.with_name("moved"))
    shutil.copytree(run.with_name("moved"), run)


def nested(run: Path) -> None:
    (run / ".janitor").mkdir()


def repository(run: Path) -> None:
    (run / ".git").mkdir()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (grow, "train.log grew"),
        (rewrite, "train.log was replaced"),
        (add, "note is new"),
        (remove, "metrics.json is gone"),
        (link, "changed since the plan was made"),
        (exchange, "was replaced"),
        (shutil.rmtree, "gone"),
        (nested, "a janitor's own state"),
        (repository, "changed since the plan was made"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_changed_since_the_plan_stays(
    work: Small, change: Callable[[Path], None], said: str
) -> None:
    run, other = work.hydra(30, "outputs/day/run"), work.hydra(31, "outputs/day/other")
    seen = work.look()
    change(work.root / run)
    before = snapshot(work.root / "outputs")
    outcomes = {each.step.path: each for each in work.run(seen).outcomes}
    assert outcomes[run].outcome == "skipped"
    assert said in outcomes[run].why
    assert outcomes[other].outcome == "done", "the others go all the same"
    work.janitor("undo")
    assert difference(before, snapshot(work.root / "outputs")) == []


@pytest.mark.parametrize("early", [True, False])
def test_a_parent_that_became_a_link_to_outside_is_not_followed(
    work: Small, early: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The very same inodes, so that only the way to them differs; swapped before the step is
    written down, or after that."""
    run = work.hydra(30, "outputs/day/run")
    seen = work.look()
    outside = tmp_path_factory.mktemp("outside")

    def swap() -> bool:
        (work.root / "outputs" / "day").rename(outside / "day")
        (work.root / "outputs" / "day").symlink_to(outside / "day")
        return False

    if early:
        swap()
    (outcome,) = work.run(seen, stop=lambda: not early and swap()).outcomes
    assert outcome.outcome == "skipped"
    assert "symlink" in outcome.why
    assert (outside / "day" / "run" / "train.log").exists()
    assert work.there(run)
    assert work.trash() == []


def test_a_root_that_became_a_link_to_outside_is_not_followed(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Roots may be links, and are resolved once, before the first step."""
    run = work.hydra(30)
    outside = tmp_path_factory.mktemp("outside")

    def swap() -> bool:
        (work.root / "outputs").rename(outside / "outputs")
        (work.root / "outputs").symlink_to(outside / "outputs")
        return False

    (outcome,) = work.run(stop=swap).outcomes
    assert outcome.outcome == "skipped"
    assert "symlink" in outcome.why
    assert (outside / run / "train.log").exists()
    assert work.trash() == []


def test_a_program_that_begins_in_mid_sweep_protects(work: Small) -> None:
    run = work.hydra(30)
    seen = work.look()
    with (work.root / run / "train.log").open("rb"):
        pid = os.fork()  # another process, which inherits the open file
        if not pid:
            os.read(0, 0)
            import time

            time.sleep(60)
            os._exit(0)
        try:
            (outcome,) = work.run(seen).outcomes
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    assert (outcome.outcome, str(pid) in outcome.why) == ("skipped", True)
    assert work.there(run)


def test_a_program_that_begins_between_the_look_and_the_rename_gets_its_run_back(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artifact_janitor.observe import recheck

    run = work.hydra(30)
    before = snapshot(work.root)
    monkeypatch.setattr(recheck, "in_use", lambda *_: "pid 1 (train.py) has it open")
    (outcome,) = work.run().outcomes
    assert outcome.outcome == "skipped"
    assert "put back" in outcome.why
    assert difference(before, snapshot(work.root)) == []
    assert work.there(run)
    assert work.trash() == []


def test_what_cannot_be_put_back_can_be_undone(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program makes its folder anew while we hold it: undo must know where the old one is."""
    from artifact_janitor.observe import recheck

    run = work.hydra(30)

    def busy(*_: object) -> str:
        work.write(f"{run}/train.log", "written anew\n")
        return "pid 1 (train.py) has it open"

    monkeypatch.setattr(recheck, "in_use", busy)
    report = work.run()
    (outcome,) = report.outcomes
    assert outcome.outcome == "failed"
    assert "in the trash" in outcome.why
    monkeypatch.undo()
    shutil.rmtree(work.root / run)
    assert work.janitor("undo", report.sweep).code == 0
    assert work.there(f"{run}/.hydra/hydra.yaml")


def test_a_newer_run_keeps_its_link(work: Small) -> None:
    """W&B's ``latest-run`` names another run since the plan: it is not taken along."""
    run = work.wandb(30)
    seen = work.look()
    latest = work.root / "wandb" / "latest-run"
    latest.unlink()
    latest.symlink_to("run-newer")
    (outcome,) = work.run(seen).outcomes
    assert outcome.outcome == "skipped"
    assert os.readlink(latest) == "run-newer"
    assert work.there(run)
    assert done(work.janitor("run", "--yes")) == {run}
    assert os.readlink(latest) == "run-newer"


def test_the_journal_knows_what_is_pinned_as_the_plan_does(tmp_path: Path) -> None:
    chance = random.Random(1)
    names = ("a", "b", "a0", "A", "ä", "a b", "a%", "_")

    def path() -> str:
        return "/".join(chance.choices(names, k=chance.randint(1, 4)))

    for number in range(10):
        journal = open_journal(tmp_path / f"{number}.db", create=True)
        assert journal is not None
        pins = [path() for _ in range(number % 5)] + ["."] * (number == 9)
        for each in pins:
            journal.pin(Pin(each, "", 1))
        for asked in (path() for _ in range(200)):
            expected = any(is_within(asked, pin) or is_within(pin, asked) for pin in pins)
            assert journal.is_pinned(asked) == expected, (asked, pins)
        journal.close()


def test_a_pin_made_in_mid_sweep_counts(work: Small) -> None:
    """After the first step, for a run, for a folder around one, and for a file in one."""
    runs = [work.hydra(90 - n, f"outputs/d{n}/run") for n in range(4)]
    pins = {1: runs[1], 2: "outputs/d2", 3: f"{runs[3]}/metrics.json"}
    asked: list[bool] = []

    def between() -> bool:
        if len(asked) == 1:
            journal = work.journal()
            for path in pins.values():
                journal.pin(Pin(path))
            journal.close()
        asked.append(True)
        return False

    outcomes = [each.outcome for each in work.run(stop=between).outcomes]
    assert outcomes == ["done", "skipped", "skipped", "skipped"]
    assert work.there(*runs[1:])


def test_it_ends_between_two_steps(work: Small) -> None:
    runs = [work.hydra(90 - n) for n in range(3)]
    stops = iter([False, True, True])
    outcomes = work.run(stop=lambda: next(stops)).outcomes
    assert [each.outcome for each in outcomes] == ["done", "skipped", "skipped"]
    assert [work.there(run) for run in runs] == [False, True, True]
    assert work.janitor("undo").code == 0
    assert work.there(*runs)


def test_names_that_are_no_text_are_skipped_and_undone_like_others(work: Small) -> None:
    """A reason that holds such a name must not bring the journal to a halt."""
    run, other = work.hydra(30, "outputs/caf\udce9"), work.hydra(31, "outputs/\udcff\n\x1b[1m")
    seen = work.look()
    work.write(f"{run}/new\udce9")
    outcomes = {each.step.path: each.outcome for each in work.run(seen).outcomes}
    assert outcomes == {run: "skipped", other: "done"}
    assert work.janitor("history", "--json").code == 0
    assert work.janitor("undo").code == 0
    assert work.there(run, other)


def test_only_names_the_kinds_that_go(work: Small) -> None:
    run, log = work.hydra(30), "logs/app.log"
    work.write(log, days=30)
    assert done(work.janitor("run", "--yes", "--only", "log")) == {log}
    assert work.there(run)


@pytest.mark.parametrize("knows_noreplace", [True, False])
@pytest.mark.parametrize("kind", ["run", "file"])
def test_what_lies_in_the_way_is_never_overwritten(
    work: Small, kind: str, knows_noreplace: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the unit would go in the trash; a single file is what a rename would replace."""
    if not knows_noreplace:  # as on filesystems without RENAME_NOREPLACE
        monkeypatch.setattr(ground, "_renameat2", lambda *_: errno.EINVAL)
    unit = work.hydra(30) if kind == "run" else "logs/app.log"
    if kind == "file":
        work.write(unit, days=30)
    seen = work.look()
    theirs = work.write(f".janitor/trash/{seen.plan.id}/{unit}", "somebody's\n")
    (outcome,) = work.run(seen).outcomes
    assert outcome.outcome == "failed"
    assert "is there already" in outcome.why
    assert theirs.read_text() == "somebody's\n"
    assert work.there(unit)


def test_a_run_whose_link_cannot_follow_it_comes_back(work: Small) -> None:
    """All that goes with a unit goes, or none of it."""
    work.wandb(40)
    before, seen = snapshot(work.root / "wandb"), work.look()
    work.write(f".janitor/trash/{seen.plan.id}/wandb/latest-run", "somebody's\n")
    (outcome,) = work.run(seen).outcomes
    assert (outcome.outcome, "there already" in outcome.why) == ("failed", True)
    assert difference(before, snapshot(work.root / "wandb")) == []


def test_a_config_without_a_policy_takes_nothing(work: Small) -> None:
    work.configure("")
    run = work.hydra(300)
    report = work.janitor("run", "--yes")
    assert (report.code, done(report)) == (0, set())
    assert "no policy" in why(report, run)


def test_the_default_share_is_a_fifth(work: Small) -> None:
    work.configure(CONFIG)
    assert work.settings.safety.max_share == 0.2


def test_a_run_that_comes_to_life_keeps_its_checkpoints(work: Small) -> None:
    """A program that is started between plan and step may load any of them."""
    run = work.root / "training/runs/first"
    training.torch_run(run)
    wandb_runs.backdate(run, 60)
    work.configure('[[policy]]\nkind = "checkpoint"\nkeep_last = 1\n[safety]\nmax_share = 1.0\n')
    seen = work.look()
    assert seen.plan.steps
    with subprocess.Popen(["sleep", "60"], cwd=run) as program:
        report = work.run(seen)
        program.kill()
    assert {each.outcome for each in report.outcomes} == {"skipped"}
    assert all("part of training/runs/first" in each.why for each in report.outcomes)
    assert {each.outcome for each in work.run().outcomes} == {"done"}
