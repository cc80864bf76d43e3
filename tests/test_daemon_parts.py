"""Parts of the daemon: what is due and when, what is said, and a sweep in a program of its own."""

from __future__ import annotations

import errno
import json
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from artifact_janitor.daemon.hints import Hint, Hints, Scope
from artifact_janitor.daemon.presence import Presence
from artifact_janitor.daemon.said import Said
from artifact_janitor.errors import JanitorError, Locked, way_out
from artifact_janitor.state import State
from tests.real.small import FREE, small

ALL: tuple[Scope, ...] = ("mend", "retention", "handover")


def taken(hints: Hints, *scopes: Scope) -> list[str]:
    """All that is due at this moment."""
    found = []
    while (hint := hints.take(scopes or ALL, 0)) is not None:
        found.append(hint.scope)
    return found


def test_equal_hints_are_one_and_the_first_scope_goes_first() -> None:
    hints = Hints()
    for why in ("one", "two"):
        hints.give("handover", why)
    hints.give("mend", "start")
    assert hints.take(ALL, 0) == Hint("mend", "start")
    assert hints.take(ALL, 0) == Hint("handover", "one")
    assert taken(hints) == []


def test_each_thread_takes_what_it_sweeps() -> None:
    hints = Hints()
    hints.give("retention", "schedule")
    assert taken(hints, "handover") == []
    assert taken(hints, "mend", "retention") == ["retention"]


def test_what_is_due_later_waits_and_the_sooner_one_counts() -> None:
    hints = Hints()
    hints.give("handover", "it is time", after=3600)
    assert taken(hints) == []
    hints.give("handover", "a file changed")
    hints.give("handover", "it is time", after=3600)
    assert taken(hints) == ["handover"]
    assert taken(hints) == []
    hints.give("handover", "it is time", after=0.01)
    assert hints.take(ALL, 60) == Hint("handover", "it is time")


def test_what_failed_is_tried_again_later_whatever_comes_meanwhile() -> None:
    hints = Hints()
    hint = Hint("retention", "schedule")
    for _ in range(3):
        hints.failed(hint)
    hints.give("retention", "the disk is filling up")
    hints.give("handover", "a file changed")
    assert taken(hints) == ["handover"]
    assert not hints.is_due(["retention"])
    hints.relax()
    assert hints.is_due(["retention"])
    assert taken(hints) == ["retention"]
    hints.failed(hint)
    hints.worked("retention")
    hints.failed(hint)
    assert hints.take(ALL, 60) == hint  # after a second, as at the first time


def test_whoever_waits_is_woken_by_a_hint_and_by_the_end() -> None:
    hints = Hints()
    found: list[Hint | None] = []
    for wake in (lambda: hints.give("mend", "now"), hints.end):
        thread = threading.Thread(target=lambda: found.append(hints.take(ALL, 3600)))
        thread.start()
        wake()
        thread.join(60)
        assert not thread.is_alive()
    assert found == [Hint("mend", "now"), None]


def test_nothing_is_due_in_a_workspace_that_is_gone() -> None:
    hints = Hints()
    hints.give("handover", "a file changed")
    hints.clear()
    assert taken(hints) == []


def test_of_many_alike_the_first_dozen_is_said() -> None:
    """And each that is not like them."""
    said: list[str] = []
    told = Said(lambda level, text: said.append(f"{level} {text}"))
    old = [f"s{n}: finished {n + 40} days before → janitor retrain s{n}" for n in range(400)]
    told.stands("handover", [*old, "s400: rejected: it is worse"])
    assert said[:12] == [f"WARNING {each}" for each in old[:12]]
    more = "… and 388 more: finished … before → janitor status --json"
    assert said[12:] == ["WARNING s400: rejected: it is worse", f"WARNING {more}"]
    told.stands("handover", [*old, "s400: rejected: it is worse"])
    assert len(said) == 14
    assert len(told.all()) == 401


def test_what_nobody_need_see_to_is_no_warning() -> None:
    said: list[str] = []
    told = Said(lambda level, text: said.append(f"{level} {text}"))
    told.stands("waiting", ["eurusd: waits"], "INFO")
    assert (said, told.all()) == (["INFO eurusd: waits"], [])


def test_what_stands_is_said_once_and_so_is_its_end() -> None:
    """A time that runs does not make it news; something else does."""
    said: list[str] = []
    told = Said(lambda level, text: said.append(f"{level} {text}"))
    for left in ("59 s", "2 min", "1 h"):
        told.stands("handover", [f"eurusd: tried again in {left}"])
    assert said == ["WARNING eurusd: tried again in 59 s"]
    assert told.all() == ["eurusd: tried again in 1 h"]
    told.stands("handover", ["gbpusd: tried again in 1 h", "eurusd: tried again in 1 h"])
    assert said[1:] == ["WARNING gbpusd: tried again in 1 h"]
    told.over("handover", "works again")
    told.over("handover", "works again")
    told.stands("handover", ["eurusd: tried again in 59 s"])
    assert said[2:] == ["INFO works again", "WARNING eurusd: tried again in 59 s"]


def test_a_sweep_goes_by_the_configuration_that_is_in_force(tmp_path: Path) -> None:
    """Whatever the file says by now; and without a daemon that listens it ends."""
    work = small(tmp_path, "no TOML at all")
    old = work.write("logs/old.log", days=30)
    source = str(tmp_path / "config.toml")
    head = json.dumps({"source": source, "length": len(FREE)}).encode() + b"\n" + FREE.encode()
    command = [sys.executable, "-m", "artifact_janitor.daemon.apart", "retention"]
    State(tmp_path).prepare()
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as sweep:
        assert sweep.stdin is not None
        assert sweep.stdout is not None
        sweep.stdin.write(head)
        sweep.stdin.flush()
        told = [json.loads(line) for line in sweep.stdout]
    assert told[-1]["did"].startswith("trash logs/old.log"), told
    assert not old.exists()
    silent = subprocess.run(command, cwd=tmp_path, input=head, capture_output=True, check=False)
    assert silent.returncode == 1, silent


def test_a_sweep_whose_workspace_goes_as_it_begins_says_so(tmp_path: Path) -> None:
    """And one that nobody tells anything any more ends without a word."""
    gone = tmp_path / "gone"
    gone.mkdir()
    for given, code in ((json.dumps({"source": None, "length": 0}) + "\n", 0), ("", 1)):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "artifact_janitor.daemon.apart", "mend"],
            cwd=gone,
            preexec_fn=lambda: gone.exists() and gone.rmdir(),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done
        assert bool(done.stdout) == (code == 0)
        gone.mkdir()


def test_no_folder_is_made_on_a_bare_mount_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(State, "may_make", False)
    with pytest.raises(JanitorError):
        State(tmp_path).prepare()
    assert not (tmp_path / ".janitor").exists()


def test_only_the_folder_whose_lock_it_holds_is_the_workspace(tmp_path: Path) -> None:
    for name in ("here", "other"):
        (tmp_path / name).mkdir()
        State(tmp_path / name).prepare()
    here, moved = tmp_path / "here", tmp_path / "moved"
    presence = Presence(State(here))
    presence.hold()
    with pytest.raises(Locked):
        State(here).watched()
    assert presence.is_here()
    here.rename(moved)
    assert not presence.is_here()
    assert not presence.is_bare()
    other = Presence(State(tmp_path / "other"))
    other.hold()
    other.let_go()
    (tmp_path / "other").rename(here)
    assert not presence.is_here()
    assert presence.missing() == here / ".janitor/daemon.lock"
    presence.let_go()
    assert presence.is_back()
    (here / ".janitor/daemon.lock").unlink()
    assert not presence.is_back()


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_are_no_matter_of_room(code: int) -> None:
    assert "ulimit -n" in way_out(OSError(code, ""), "make space")
    assert way_out(OSError(errno.ENOSPC, ""), "make space") == "make space"


def test_a_daemon_that_gets_no_threads_says_so(tmp_path: Path) -> None:
    """One clear error: real threads, and no memory for their stacks."""
    work = small(tmp_path)

    def few() -> None:
        threading.stack_size(1 << 30)
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

    daemon = work.start("watch", first=few)
    assert daemon.wait() == 1
    said = daemon.errors.read_text()
    assert "no thread can be started" in said
    assert "ulimit -v" in said
    assert "Traceback" not in said
