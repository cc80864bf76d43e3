"""One writer at a time; whoever must wait is told for whom (S13)."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import pytest

from artifact_janitor import clock, handing_over, state
from artifact_janitor.announcing import TELLING
from artifact_janitor.apply.ground import Ground
from artifact_janitor.daemon.apart import WATCH
from artifact_janitor.errors import JanitorError, Locked
from artifact_janitor.rebuild import strays
from artifact_janitor.recovery import recover
from artifact_janitor.sweep import hand_over
from artifact_janitor.workplace import to_read, workplace
from tests.real.retraining import over, place, quiet, trains
from tests.real.small import Running, Small, small, still
from tests.real.snapshot import difference, snapshot


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path)


@pytest.fixture
def held(work: Small) -> Iterator[Path]:
    """The lock of a step, held by this process under another name."""
    state.State(work.root).prepare()
    lock = work.root / ".janitor" / "lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("pid 4711\n")
        file.flush()
        yield lock


def impatient() -> None:
    state.PATIENCE = 0.2


@pytest.mark.parametrize("command", [("run", "--yes"), ("run",), ("undo", "1")])
def test_a_held_lock_is_waited_for_and_then_named(
    work: Small, held: Path, command: tuple[str, ...]
) -> None:
    run = work.hydra(30)
    journal = work.journal()
    journal.begin("1", "run", 1, by_person=False)
    journal.close()
    asked = work.janitor(*command, first=impatient)
    (error,) = asked.said["errors"]
    assert (asked.code, error["code"]) == (5, "locked")
    assert "pid 4711" in error["message"]
    assert error["hint"]
    assert work.there(run)


def test_a_lock_taken_in_mid_sweep_ends_the_sweep_with_5(work: Small) -> None:
    runs = [work.hydra(90 - n) for n in range(3)]
    seen = work.look()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "PATIENCE", 0.1)
        holder: list[int] = []

        def take() -> bool:
            if len(holder) == 1:
                fd = os.open(work.root / ".janitor" / "lock", os.O_RDWR)
                fcntl.flock(fd, fcntl.LOCK_EX)
                holder.append(fd)
            holder.append(0)
            return False

        outcomes = work.run(seen, stop=take).outcomes
        os.close(max(holder))
    assert [(each.outcome, each.code) for each in outcomes] == [
        ("done", ""),
        ("skipped", "locked"),
        ("skipped", "locked"),
    ]
    assert work.there(*runs[1:])


def test_a_second_daemon_is_told_who_watches(work: Small) -> None:
    ours = state.State(work.root)
    ours.prepare()
    fd = ours.watched()
    with pytest.raises(Locked, match=f"another daemon watches this workspace: pid {os.getpid()}"):
        ours.watched()
    os.close(fd)
    os.close(ours.watched())


def test_reading_commands_need_no_lock(work: Small, held: Path) -> None:
    run = work.hydra(30)
    for command in (["plan"], ["why", run], ["status"], ["history"]):
        assert work.janitor(*command).code == 0, command


def test_two_janitors_at_once_lose_nothing(work: Small) -> None:
    """Both planned all of it; each unit goes once, and each is known to the journal."""
    runs = [work.hydra(30 + n, f"outputs/day{n % 7}/{n}") for n in range(100)]
    runs += [str(work.write(f"logs/{n}.log", days=30).relative_to(work.root)) for n in range(100)]
    before = snapshot(work.root)
    both: list[Running] = [work.start("run", "--yes", "--json") for _ in range(2)]
    answers = [each.answer() for each in both]
    assert {answer.code for answer in answers} <= {0, 5}, [*map(str, answers)]
    done = [
        row["path"] for each in answers for row in each.rows("steps") if row["outcome"] == "done"
    ]
    assert sorted(done) == sorted(runs)
    assert work.janitor("undo", "--last", "2").code == 0
    assert difference(still(before), still(snapshot(work.root))) == []
    assert work.trash() == [] == work.leftovers()
    assert sqlite3.connect(work.root / ".janitor" / "journal.db").execute(
        "PRAGMA integrity_check"
    ).fetchall() == [("ok",)]


def test_a_run_and_an_undo_at_once(work: Small) -> None:
    runs = [work.hydra(30 + n, f"outputs/a/{n}") for n in range(20)]
    work.janitor("run", "--yes")
    more = [work.hydra(30 + n, f"outputs/b/{n}") for n in range(20)]
    both = [work.start("undo", "--json"), work.start("run", "--yes", "--json")]
    assert {each.wait() for each in both} <= {0, 3, 5}
    work.janitor("undo", "--last", "9")
    assert work.there(*runs, *more)


def test_a_sweep_that_lives_is_not_taken_for_a_dead_one(work: Small) -> None:
    """Another janitor starts, and looks for what was interrupted, in the middle of ours."""
    runs = [work.hydra(90 - n) for n in range(3)]
    found: list[str] = []

    def look_in() -> bool:
        with workplace(work.settings) as place:
            found.extend(recover(place, 1))
        return False

    assert {each.outcome for each in work.run(stop=look_in).outcomes} == {"done"}
    assert found == []
    assert not any(map(work.there, runs))


def test_a_sweep_taken_for_dead_too_early_is_open_again_with_its_first_step(work: Small) -> None:
    """Between its first line in the journal and its lock another janitor may end it; if it
    were killed after that, nobody would look after what it took."""
    from artifact_janitor.journal import Intent

    journal = work.journal()
    name = journal.begin("abcd", "run", 1, by_person=False)
    with workplace(work.settings) as place:
        recover(place, 2)
    assert journal.sweeps()[0].ended
    journal.intend(name, [Intent("trash", "hydra-run", "outputs/x")], 3)
    assert not journal.sweeps()[0].ended
    journal.close()


def test_who_makes_the_journal_waits_for_whoever_makes_it_just_now(work: Small) -> None:
    """SQLite gives up at once where two switch a new database to its log."""
    ours = state.State(work.root)
    ours.prepare()
    with closing(
        sqlite3.connect(ours.journal, isolation_level=None, check_same_thread=False)
    ) as db:
        db.execute("BEGIN IMMEDIATE")
        later = threading.Timer(0.3, db.rollback)
        later.start()
        work.journal().close()
        later.join()


def test_a_journal_that_is_made_just_now_is_not_gone(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One looks and finds none; then another makes it, and the first sees what that one did."""
    run = work.hydra(90)
    trashes, swept = strays.trashes, []

    def after_a_sweep(ground: Ground) -> list[str]:
        if not swept:
            swept.append(work.janitor("run", "--yes").code)
        return trashes(ground)

    monkeypatch.setattr(strays, "trashes", after_a_sweep)
    assert to_read(work.settings) is not None
    assert swept == [0]
    assert work.janitor("undo").code == 0
    assert work.there(run)


def test_the_lock_of_a_sweep_that_was_taken_away_is_made_anew(work: Small) -> None:
    """Whoever looks for dead sweeps may hold its file for a moment, and remove it."""
    ours = state.State(work.root)
    ours.prepare()
    path = work.root / ".janitor" / "sweeps" / "abcd"
    path.touch()
    before = path.stat().st_ino
    flock, taken = fcntl.flock, []

    def slow(fd: int, how: int) -> None:
        if not taken:
            taken.append(path.unlink())
        flock(fd, how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcntl, "flock", slow)
        with ours.sweep("abcd"):
            assert path.exists()
            assert not state.State(work.root).is_dead("abcd")
    assert before
    assert not path.exists()


def test_a_full_disk_is_no_reason_not_to_hold_the_lock(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds it can't write its name into it, and holds it all the same."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    ours = state.State(work.root)
    ours.prepare()
    monkeypatch.setattr(os, "pwrite", full)
    monkeypatch.setattr(state, "PATIENCE", 0.1)
    with ours.step(), pytest.raises(Locked, match="another janitor"), ours.step():
        pass


def test_what_a_dead_sweep_left_goes_and_what_lives_stays(work: Small) -> None:
    """Whoever was taken for dead a moment ago may have been followed by one of the same name."""
    state.State(work.root).prepare()
    mine = state.State(work.root)
    with mine.sweep("telling"):
        state.State(work.root).forget("telling")
        assert mine.held() == ["telling"]
    (mine.folder / "sweeps" / "telling").touch()
    mine.forget("telling")
    mine.forget("telling")
    assert mine.held() == []


def test_a_sweep_of_the_daemon_waits_for_nobodys_plots(work: Small) -> None:
    """Somebody writes the results of a study, which may take minutes."""
    place(work)
    trains(work)
    assert work.janitor("run", "--yes").code == 0
    over(work)
    with closing(work.journal()) as journal:
        sight = handing_over.look(work.settings, journal, clock.read())
    hand_over(work.settings, sight, sight.handover.steps, "watch", by_person=False)
    with closing(work.journal()) as journal:
        assert len(journal.jobs.untold()) == 1, "its model is in its place"
    with state.State(work.root).sweep(TELLING):
        options = {"command": WATCH.command, "tells": WATCH.tells}
        sweeping = get_context("fork").Process(target=work.run, kwargs=options)
        sweeping.start()
        sweeping.join(60)
        sweeping.kill()
        assert sweeping.exitcode == 0
        by_hand = work.start("run", "--yes", "--json", first=impatient).answer()
        assert by_hand.code == 0
        assert "another janitor writes the results of studies" in str(by_hand.said)
    with closing(work.journal()) as journal:
        assert len(journal.jobs.untold()) == 1, "that one is asked for it, and nobody waited"
    quiet(work)


def test_a_dead_sweep_is_known_by_its_free_lock(work: Small) -> None:
    ours = state.State(work.root)
    ours.prepare()
    (work.root / ".janitor" / "sweeps" / "abcd").touch()
    assert ours.is_dead("abcd")
    assert ours.is_dead("never seen")


def test_a_symlink_in_place_of_the_sweeps_leads_nowhere(work: Small) -> None:
    """It came after the folder was looked at; what it leads to is not touched."""
    ours, aside = state.State(work.root), work.root / "elsewhere"
    ours.prepare()
    aside.mkdir()
    (aside / "abcd").touch()
    (ours.folder / "sweeps").rename(ours.folder / "before")
    (ours.folder / "sweeps").symlink_to(aside)
    ours.forget("abcd")
    assert not ours.is_dead("abcd"), "nobody can tell"
    for asked in (ours.held, ours.sweep("mine").__enter__):
        with pytest.raises(JanitorError, match="can't be used"):
            asked()
    assert os.listdir(aside) == ["abcd"]
