"""The daemon, as a person starts it: what it does by itself, and what it leaves alone."""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real import models, retraining
from tests.real.retraining import STUDY, TRAINER, WAITS, better, place, trained, trains, until
from tests.real.small import FREE, Small, done, small, still
from tests.real.snapshot import difference, snapshot
from tests.real.watching import Watching, watching

MODEL = "models/hpo_derived/eurusd/final_model_mlp.pth"
FULL = '[disk]\nkeep_free = "999PB"\n'
"""So that retention begins at once, and not at three in the morning."""
TRASHING = FREE + FULL


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Small]:
    """In a folder with a name that shells and careless programs trip over."""
    root = tmp_path / os.fsdecode(b"a b\xff{out}$(x)")
    root.mkdir()
    work = small(root, "")
    yield work
    retraining.quiet(work)


def is_gone(pid: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def unread(pid: int) -> int:
    """Bytes that wait on its standard input."""
    waiting = bytearray(4)
    with open(f"/proc/{pid}/fd/0", "rb", buffering=0) as pipe:
        fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    return int.from_bytes(waiting, sys.byteorder)


def test_a_study_becomes_a_model_once_and_all_is_said_once(work: Small) -> None:
    """Without a policy: real Optuna's last trial, a training, and its result."""
    place(work)
    trains(work, more='quiet = "1h"\n')
    os.utime(work.root / STUDY)
    before = sorted(os.listdir(work.root / "hpo_studies"))
    with watching(work) as daemon:
        daemon.until(lambda: daemon.told()["last"]["scope"])
        better(work, 0.8)
        daemon.until(f"publish {MODEL}")
        daemon.until("results: eurusd/mlp")
        up = work.janitor("status").facts["daemon"]
        assert (up["pid"], up["stands"], up["config_changed"]) == (daemon.pid, [], False)
        assert 0 < up["rss"] < 60e6, up
        assert {each["job"] for each in up["next"]} >= {"retention", "purge"}
        assert {each["name"] for each in up["watch"]} == {"hpo_studies", "multirun", "training"}
        assert f"(pid {daemon.pid}, " in work.said("status").splitlines()[0]
        assert daemon.end() == 0
        said = daemon.said()
    assert work.there(MODEL)
    assert len(trained(work)) == 1
    assert sorted(os.listdir(work.root / "hpo_studies")) == before
    assert [sum(word in line for line in said) for word in ("retrain", "publish")] == [1, 1], said
    assert not work.there(".janitor/daemon.json")
    assert work.janitor("status").facts["daemon"] is None


def test_the_model_of_a_run_by_hand(work: Small) -> None:
    """Its training is over already: nothing keeps it waiting."""
    work.configure('[safety]\ngrace = "0s"\n')
    (work.root / "models/manual_runs").mkdir(parents=True)
    with watching(work) as daemon:
        run = work.root / "training/runs/mine"
        run.mkdir(parents=True)
        shutil.copy(models.built() / "plain" / models.FINAL, run / models.FINAL)
        daemon.until(f"publish models/manual_runs/mine/{models.FINAL}")
    assert work.there(f"models/manual_runs/mine/{models.FINAL}")


def test_retention_by_itself_and_a_guard_that_is_said_once(work: Small) -> None:
    """What the guard holds back stays, in the log and in status, and nothing is repeated."""
    work.configure(FREE.replace("max_share = 1.0", "max_share = 0.1") + FULL)
    runs = [work.hydra(30 + n, f"outputs/a/{n}") for n in range(12)]
    log = str(work.write("logs/old.log", days=30).relative_to(work.root))
    before = snapshot(work.root)
    with watching(work) as daemon:
        daemon.until(f"trash {log}")
        daemon.until("max_share")
        daemon.send(signal.SIGHUP)
        daemon.until("read the configuration")
        daemon.until(lambda: daemon.told()["doing"] == "" and not daemon.children())
        assert work.there(*runs)
        assert not work.there(log)
        stands = work.janitor("status").facts["daemon"]["stands"]
        assert any("max_share" in each for each in stands), stands
        assert not daemon.says("max_share", times=2), daemon.said()
        assert work.janitor("undo").code == 0
        assert daemon.end() == 0
    assert difference(still(before), still(snapshot(work.root))) == []
    assert work.leftovers() == []


def test_beside_it_a_person_does_the_same(work: Small) -> None:
    """Each unit goes once, whoever was first; and a second daemon says who is there."""
    work.configure(TRASHING)
    runs = [work.hydra(30 + n, f"outputs/a/{n}") for n in range(40)]
    with watching(work) as daemon:
        answer = work.janitor("run", "--yes")
        assert answer.code in (0, 5), str(answer)
        daemon.until(lambda: not any(map(work.there, runs)))
        second = work.start("watch")
        assert second.wait() == 5
        why = f"another daemon watches this workspace: pid {daemon.pid}"
        assert why in second.errors.read_text(errors="replace")
        daemon.until(lambda: daemon.told()["doing"] == "")
        assert daemon.end() == 0
    mine = done(answer)
    assert mine <= {*runs}
    assert work.janitor("undo", "--last", "9").code == 0
    assert work.there(*runs)


def test_the_gitignore_of_a_project(work: Small) -> None:
    """At the start, and once after each change of a person's; what they add stays."""
    work.configure('[safety]\ngrace = "1h"\n')
    subprocess.run(["git", "init", "--quiet", work.root], check=True)
    file = work.root / ".gitignore"
    with watching(work) as daemon:
        daemon.until("gitignore: ")
        written = file.read_bytes()
        assert b"\n/outputs\n" in written
        daemon.until(lambda: daemon.told()["doing"] == "" and not daemon.children())
        assert not daemon.says("gitignore: ", times=2), daemon.said()
        file.write_bytes(b"/mine/\n")
        daemon.until(lambda: b"\n/outputs\n" in file.read_bytes())
        assert file.read_bytes().startswith(b"/mine/\n")
        assert work.janitor("gitignore", "check").code == 0


def test_a_new_configuration(work: Small) -> None:
    """A bad one is told and not used, a good one is."""
    place(work)
    with watching(work) as daemon:
        work.configure("[safety]\ngrace = 7\n")
        daemon.until("config.toml changed; to have it read: kill -HUP")
        daemon.send(signal.SIGHUP)
        daemon.until("safety.grace")
        daemon.until(lambda: "safety.grace" in daemon.told()["config_error"])
        trains(work, TRAINER + WAITS)
        changed = work.janitor("status").facts["daemon"]
        assert changed["config_changed"]
        assert "safety.grace" in changed["config_error"]
        assert f"kill -HUP {daemon.pid}" in work.said("status")
        assert not daemon.says("retrain")
        daemon.send(signal.SIGHUP)
        daemon.until("retrain eurusd/mlp")
        after = work.janitor("status").facts["daemon"]
        assert (after["config_changed"], after["config_error"]) == (False, "")
        assert daemon.end(signal.SIGINT) == 0


def test_a_configuration_that_is_gone(work: Small) -> None:
    """The one before stays: without it no policy would be left. Nobody waits at a pipe that took
    its place, and where it comes back all is as before."""
    config = work.root / "config.toml"
    work.configure(FREE)
    text = config.read_text()
    with watching(work) as daemon:
        config.unlink()
        daemon.send(signal.SIGHUP)
        daemon.until("config.toml: 1 problem; the configuration before stays in force")
        daemon.until(lambda: "is gone" in daemon.told()["config_error"])
        assert not daemon.says("read the configuration")
        os.mkfifo(config)
        daemon.send(signal.SIGHUP)
        daemon.until("it is no regular file")
        config.unlink()
        config.write_text(text)
        daemon.until("config.toml is again as it was read")
        daemon.until(lambda: not daemon.told()["config_error"])
        assert daemon.end() == 0


def test_without_a_configuration(work: Small) -> None:
    """It goes on without one, also when it is to be read; one that comes is told."""
    (work.root / "config.toml").unlink()
    with watching(work) as daemon:
        daemon.send(signal.SIGHUP)
        daemon.until("read the configuration")
        work.configure(FREE)
        daemon.until("config.toml changed; to have it read: kill -HUP")
        daemon.until(lambda: not daemon.children())
        assert not daemon.says("error: "), daemon.said()
        assert daemon.end() == 0


def stopped_in_a_sweep(daemon: Watching) -> int:
    """What carries out its sweep, stopped in the middle of that."""
    sweeps = daemon.work.root / ".janitor/sweeps"
    while not os.listdir(sweeps):
        assert daemon.begun.poll() is None
    (child,) = daemon.children()
    os.kill(child, signal.SIGSTOP)
    return child


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_end_in_the_middle_of_archives(work: Small, number: signal.Signals) -> None:
    """The first signal ends it after the step, and that is said at once; the second, and a kill,
    end it at once, and the sweep with it. What was begun is finished or rolled back."""
    work.configure(TRASHING.replace('"7d"\n', '"7d"\nthen = "archive"\n', 1))
    runs = [work.hydra(30 + n, f"outputs/a/{n}") for n in range(6)]
    before = snapshot(work.root)
    with watching(work) as daemon:
        child = stopped_in_a_sweep(daemon)
        daemon.send(number)
        if number == signal.SIGTERM:
            daemon.until("ends after the current step (retention")
            until(lambda: unread(child))
            os.kill(child, signal.SIGCONT)
            assert daemon.begun.wait(60) == 0
        else:
            assert daemon.begun.wait(60) == -number
            os.kill(child, signal.SIGCONT)
        until(lambda: is_gone(child))
    assert any(map(work.there, runs))
    assert work.janitor("status").facts["daemon"] is None
    with watching(work) as daemon:
        daemon.until(lambda: not any(map(work.there, runs)))
        child = stopped_in_a_sweep(daemon) if os.listdir(work.root / ".janitor/sweeps") else 0
        daemon.send(signal.SIGTERM)
        if child:
            daemon.until("ends after")
            assert daemon.end(signal.SIGTERM) == -signal.SIGTERM
            os.kill(child, signal.SIGCONT)
            until(lambda: is_gone(child))
    assert work.janitor("undo", "--last", "9").code == 0
    assert difference(still(before), still(snapshot(work.root))) == []


def test_what_fails_is_said_once_and_tried_again(work: Small) -> None:
    """A journal of a newer janitor keeps every sweep from working, until it is brought back."""
    study = place(work)
    with watching(work) as daemon:
        daemon.until(lambda: daemon.told()["last"]["scope"] and not daemon.children())
        journal = work.root / ".janitor/journal.db"
        content = journal.read_bytes()
        journal.write_bytes(content[:60] + (99).to_bytes(4, "big") + content[64:])
        os.utime(study)
        daemon.until("error: handover: ")
        daemon.until(lambda: any("handover: " in each for each in daemon.told()["stands"]))
        journal.write_bytes(content)
        daemon.until("handover: works again")
        assert not daemon.says("error: handover: ", times=2), daemon.said()
        assert daemon.end() == 0


def test_its_own_folder_is_removed(work: Small) -> None:
    """It is made anew: what was in the trash is gone, and what comes is done."""
    trains(work, TRAINER + WAITS)
    with watching(work) as daemon:
        daemon.until(lambda: not daemon.children())
        os.rename(work.root / ".janitor", work.root / "removed")
        daemon.until("was removed: it is made anew")
        daemon.until(lambda: daemon.told().get("pid") == daemon.pid)
        place(work)
        daemon.until("retrain eurusd/mlp")
        assert work.start("watch").wait() == 5


def test_a_terminal_that_is_closed_ends_it(work: Small) -> None:
    ours, theirs = pty.openpty()

    def on_terminal() -> None:
        fcntl.ioctl(0, 0x540E, 0)  # TIOCSCTTY

    with watching(work, stdin=theirs, preexec_fn=on_terminal) as daemon:
        os.close(theirs)
        os.close(ours)
        assert daemon.begun.wait(60) == 0
        assert daemon.says("ended")


def test_it_takes_no_options_that_mean_nothing(work: Small) -> None:
    for args in (["--json"], ["--only", "log"]):
        assert work.start("watch", *args).wait() == 2
