"""Several units are looked at by workers, renamed, and confirmed by one look at all
processes (S2): whoever got hold of one of them on the way is noticed all the same."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from artifact_janitor import execution, state
from artifact_janitor.apply import trash
from artifact_janitor.apply.ground import Ground
from artifact_janitor.core.plan import Step
from artifact_janitor.journal import Move
from artifact_janitor.looking import look
from artifact_janitor.observe import liveness, recheck, workers
from artifact_janitor.sweep import Report
from artifact_janitor.units import SECOND
from tests.real import training, wandb_runs
from tests.real.small import Small, small, still
from tests.real.snapshot import difference, snapshot
from tests.test_liveness import HOLDS, MAPS, READS, WORKS, WRITES, program

NAMES = [f"outputs/day/{n}" for n in range(5)]


@pytest.fixture
def work(tmp_path: Path) -> Small:
    """Five runs; the oldest goes first."""
    found = small(tmp_path)
    for n, name in enumerate(NAMES):
        found.hydra(90 - n, name)
    return found


@pytest.fixture(params=["alone", "with workers"])
def team(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether workers look at the units, or we ourselves."""
    with_workers = request.param == "with workers"
    monkeypatch.setattr(workers, "HEAD_START", 0 if with_workers else 3600)
    monkeypatch.setattr(workers, "cores", lambda: 3)
    return with_workers


def said(report: Report) -> dict[str, str]:
    return {each.step.path: each.why for each in report.outcomes}


def kept(report: Report) -> list[str]:
    return [each.step.path for each in report.outcomes if each.outcome != "done"]


def just_before_the_rename(
    monkeypatch: pytest.MonkeyPatch, unit: str, act: Callable[[], object]
) -> None:
    """Do this when the unit was looked at, and is about to go."""
    carry_out = trash.carry_out

    def late(ground: Ground, moves: Sequence[Move]) -> tuple[Move, ...]:
        if moves[0].source == unit:
            act()
        return carry_out(ground, moves)

    monkeypatch.setattr(trash, "carry_out", late)


def test_all_go_and_come_back(work: Small, team: bool) -> None:
    before = snapshot(work.root)
    assert kept(work.run()) == []
    assert not any(map(work.there, NAMES))
    assert work.janitor("undo").code == 0
    assert difference(still(before), still(snapshot(work.root))) == []


@pytest.mark.parametrize("code", [WRITES, READS, WORKS, MAPS, HOLDS])
def test_who_gets_hold_of_one_before_its_rename_gets_it_back(
    work: Small, team: bool, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look at all processes comes only after the renames that follow."""
    unit = NAMES[1]
    before = snapshot(work.root / unit)
    with ExitStack() as running:
        act = lambda: running.enter_context(program(code, work.root / unit))  # noqa: E731
        just_before_the_rename(monkeypatch, unit, act)
        report = work.run()
        assert kept(report) == [unit]
        assert "put back at once" in said(report)[unit]
        assert difference(before, snapshot(work.root / unit)) == []
    monkeypatch.undo()
    assert kept(work.run()) == []


def however_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """All renames of a small sweep are confirmed together, on a busy machine too."""
    for limit in ("JUST_NOW", "FRESH", "TOGETHER"):
        monkeypatch.setattr(execution, limit, 3600 * SECOND)


def test_one_look_at_all_processes_serves_many(
    work: Small, team: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    monkeypatch.setattr(execution, "activity", lambda: looks.append(1) or liveness.activity())
    however_slow(monkeypatch)
    assert kept(work.run()) == []
    assert len(looks) == 2 - team, "the last one after all renames; the first is a worker's"


def test_a_unit_does_not_wait_for_a_large_one(work: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr(execution, "LARGE", 1)
    monkeypatch.setattr(execution, "activity", lambda: looks.append(1) or liveness.activity())
    assert kept(work.run()) == []
    assert len(looks) >= len(NAMES)


@pytest.mark.parametrize(("limit", "value"), [("MANY", 1), ("TOGETHER", -1)])
def test_not_many_wait_and_not_for_long(
    work: Small, limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    monkeypatch.setattr(execution, limit, value)
    monkeypatch.setattr(execution, "activity", lambda: looks.append(1) or liveness.activity())
    assert kept(work.run()) == []
    assert len(looks) >= len(NAMES)


def test_nothing_is_done_before_it_is_confirmed(
    work: Small, team: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the look at all processes the journal still says that the steps are intended."""
    states: list[str] = []

    def spy(*_: object) -> str:
        journal = work.journal()
        states.extend(each.state for each in journal.steps(journal.sweeps()[0].id))
        journal.close()
        return ""

    monkeypatch.setattr(recheck, "in_use", spy)
    assert kept(work.run()) == []
    assert states[: len(NAMES)] == ["intended"] * len(NAMES)


def test_what_changed_after_a_worker_looked_stays(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer is old when the unit's turn comes, so we look ourselves."""

    def before_all_turns(
        ask: Callable[[Step], Iterator[str]], steps: Sequence[Step], _ahead: int
    ) -> Iterator[list[str]]:
        yield from [[*ask(step)] for step in steps]

    monkeypatch.setattr(execution, "workers", SimpleNamespace(answers=before_all_turns))
    asked: list[int] = []

    def late() -> bool:
        asked.append(1)
        if len(asked) == 3:
            time.sleep(execution.JUST_NOW / SECOND + 0.1)
            with (work.root / NAMES[3] / "train.log").open("a") as log:
                log.write("one line more\n")
        return False

    report = work.run(stop=late)
    assert kept(report) == [NAMES[3]]
    assert "train.log" in said(report)[NAMES[3]]


def test_what_lives_when_the_lock_is_taken_away_can_be_undone(
    work: Small, team: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another janitor holds the lock just when a unit should be put back."""
    monkeypatch.setattr(state, "PATIENCE", 0.1)
    however_slow(monkeypatch)
    unit = NAMES[4]
    with ExitStack() as running:

        def act() -> None:
            running.enter_context(program(READS, work.root / unit))
            monkeypatch.setattr(recheck, "in_use", busy)

        def busy(content: object, seen: object) -> str:
            lock = work.root / ".janitor" / "lock"
            hold = ["flock", str(lock), "-c", "echo held; sleep 60"]
            holder = subprocess.Popen(hold, stdout=subprocess.PIPE, start_new_session=True)
            running.callback(os.killpg, holder.pid, 9)
            assert holder.stdout is not None
            holder.stdout.readline()
            monkeypatch.setattr(recheck, "in_use", liveness.in_use)
            return "pid 1 (train.py) has it open"

        just_before_the_rename(monkeypatch, unit, act)
        report = work.run()
    first, last = NAMES[0], NAMES[4]
    whys = said(report)
    assert {each.outcome for each in report.outcomes} == {"done", "failed"}
    assert kept(report) == [first, last]
    for each in (first, last):
        assert "in the trash, and could not be put back: live" in whys[each]
        assert "another janitor" in whys[each]
    monkeypatch.undo()
    assert work.janitor("undo", report.sweep).code == 0
    assert work.there(*NAMES)


def test_a_writer_whom_nobody_sees_is_noticed_without_leases_at_the_plan(
    work: Small, team: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``--yes`` the step alone asks for leases: as if the writer were out of sight."""
    monkeypatch.setattr("artifact_janitor.looking.activity", liveness.Activity)
    monkeypatch.setattr(execution, "activity", liveness.Activity)
    with program(WRITES, work.root / NAMES[2]):
        seen = look(work.settings, time.time_ns(), leases=False)
        assert len(seen.plan.steps) == len(NAMES)
        report = work.run(seen)
    assert kept(report) == [NAMES[2]]
    assert "train.log is open for writing" in said(report)[NAMES[2]]


def test_our_own_looks_are_no_sign_of_life(tmp_path: Path, team: bool) -> None:
    """Workers read one run for each of its checkpoints, while others of them leave it."""
    work = small(tmp_path)
    run = work.root / "training/runs/first"
    training.torch_run(run)
    for step in range(40):
        work.write(f"training/runs/first/checkpoints/epoch={step}-step={step}.ckpt", b"")
        work.write(f"training/runs/first/checkpoint_{step}.pt", b"")
    wandb_runs.backdate(run, 60)
    work.configure('[[policy]]\nkind = "checkpoint"\nkeep_last = 1\n[safety]\nmax_share = 1.0\n')
    report = work.run()
    assert len(report.outcomes) > 30
    assert [said(report)[each] for each in kept(report)] == []


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "HEAD_START", 0)
    monkeypatch.setattr(workers, "cores", lambda: 2)


def test_workers_answer_in_order(two: None) -> None:
    def slowly(number: int) -> Iterator[str]:
        time.sleep(0.05 * (number % 2))
        yield from [str(number)] * (number % 3)

    found = [*workers.answers(slowly, range(12))]
    assert found == [[str(n)] * (n % 3) for n in range(12)]


def test_workers_hold_nothing_of_ours(two: None, tmp_path: Path) -> None:
    """A lock that we hold must end with us, though a worker may live a moment longer."""
    with (tmp_path / "lock").open("w"):
        held = [*workers.answers(lambda _: iter(map(target, opened())), range(8))]
    assert {len(links) for links in held} == {2}, "what to do, and what was found"
    assert all(link.startswith("pipe:") for links in held for link in links)


def opened() -> list[str]:
    """All descriptors but the standard ones, and the one that lists them."""
    fds = {*os.listdir("/proc/self/fd")} - {"0", "1", "2"}
    return [fd for fd in fds if os.path.lexists(f"/proc/self/fd/{fd}")]


def target(fd: str) -> str:
    return os.readlink(f"/proc/self/fd/{fd}")


def test_workers_end_with_whoever_asked(two: None, tmp_path: Path) -> None:
    def work(number: int) -> Iterator[str]:
        if number > 1:
            time.sleep(60)
            (tmp_path / "worked on").touch()
        yield str(os.getpid())

    found = workers.answers(work, range(9), ahead=8)
    (pid,) = next(found)
    assert int(pid) != os.getpid()
    assert int(pid) in workers.ours()
    found.close()
    assert not os.path.exists(f"/proc/{pid}")
    assert os.listdir(tmp_path) == [], "it was ended, and not waited for"
    assert int(pid) not in workers.ours(), "another process may get its id"


def test_what_another_worker_holds_open_is_no_sign_of_life(two: None, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one", "other")]
    for file in files:
        file.touch()

    def work(number: int) -> Iterator[str]:
        with files[number].open():
            time.sleep(0.5)
            yield seen_at(str(files[1 - number]))
            time.sleep(0.5)

    assert [*workers.spread(work, range(2))] == ["", ""]


def test_workers_look_no_further_ahead_than_asked(two: None, tmp_path: Path) -> None:
    def work(number: int) -> Iterator[str]:
        (tmp_path / str(number)).touch()
        yield str(number)

    with closing(workers.answers(work, range(9), ahead=2)) as found:
        assert next(found) == ["0"]
        time.sleep(0.3)
        assert len(os.listdir(tmp_path)) == 3
        assert [each for (each,) in found] == [*map(str, range(1, 9))]


def test_a_program_of_ours_that_is_no_worker_counts(two: None) -> None:
    with subprocess.Popen(["sleep", "60"], cwd="/usr/lib") as process:
        seen = [*workers.spread(lambda _: iter([seen_at("/usr/lib")]), range(4))]
        process.kill()
    assert all(f"pid {process.pid}" in each for each in seen)


def seen_at(path: str) -> str:
    status = os.stat(path)
    return liveness.activity().holders.get((status.st_dev, status.st_ino), "")


def test_whoever_was_forked_by_a_janitor_sees_it(work: Small) -> None:
    """And its workers: the roll is that of another one."""
    workers._ROLL.begin()
    assert os.getpid() in workers.ours()
    if (pid := os.fork()) == 0:
        os._exit(int(os.getppid() in workers.ours()))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
