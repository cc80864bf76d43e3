"""Files of studies are polled without being opened: every commit of a real writer is seen, and
neither it nor anyone who reads beside it notices."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from artifact_janitor.observe.sqlite import reading
from artifact_janitor.watch.studies import BUSY, RARELY, STILL, StudyPolls
from tests.real.optimizer import Optimizer, optimizer

NONE: frozenset[Path] = frozenset()
MODES = ("delete", "wal", "truncate", "persist", "memory", "off")


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def polls(clock: Clock) -> StudyPolls:
    return StudyPolls(clock)


def settle(polls: StudyPolls, clock: Clock) -> None:
    """Until nothing is news any more."""
    polls.changed()
    clock.now += STILL
    polls.changed()
    assert polls.changed() == NONE


def beside(path: Path) -> set[str]:
    return {each.name for each in path.parent.iterdir()}


# ---------------------------------------------------------------- beside Optuna itself


@pytest.fixture(scope="module", params=["sqlite", "wal", "journal"])
def writer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Optimizer]]:
    name = "s.log" if request.param == "journal" else "s.db"
    path = tmp_path_factory.mktemp(request.param) / name
    with optimizer(path, kind=request.param) as found:
        yield path, found


SAID = (
    "len(asked.append(study.ask()) or asked)",
    "asked[-1].suggest_float('x', 0, 1)",
    "study.tell(asked[-1], 0.5).number",
    "study.set_user_attr('janitor:finished', 1)",
    "study.optimize(objective, n_trials=3)",
    "study.enqueue_trial({'x': 0.5})",
)


def test_whatever_optuna_writes_is_seen_at_the_next_poll(
    writer: tuple[Path, Optimizer], polls: StudyPolls, clock: Clock
) -> None:
    """It stays connected all the time; and nothing is left by who polls, or in its way."""
    path, told = writer
    polls.update([path])
    settle(polls, clock)
    for said in SAID:
        told.begin(said)
        there = beside(path)
        assert polls.changed() == {path}, said
        assert polls.changed() == NONE  # nobody writes: nothing is news
        clock.now += STILL
        assert polls.changed() == {path}  # in case that the tick of a clock hid something
        assert polls.changed() == NONE
        assert beside(path) == there


def test_many_trials_are_few_events(
    writer: tuple[Path, Optimizer], polls: StudyPolls, clock: Clock
) -> None:
    """As many as polls, not as many as writes."""
    path, told = writer
    polls.update([path])
    settle(polls, clock)
    seen = 0
    for _ in range(5):
        told.begin("study.optimize(objective, n_trials=4)")
        clock.now += 1
        seen += len(polls.changed())
    clock.now += STILL
    assert seen + len(polls.changed()) == 6
    assert polls.changed() == NONE


# ---------------------------------------------------------------- every way that SQLite commits

_WRITER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute(f"PRAGMA journal_mode = {sys.argv[2]}")
db.execute("PRAGMA mmap_size = 268435456")
db.execute("PRAGMA synchronous = off")
for line in sys.stdin:
    print(db.execute(line).fetchall(), flush=True)
"""


class Sql:
    """A process that commits one statement at a time."""

    def __init__(self, path: Path, mode: str) -> None:
        self.program = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, statement: str) -> str:
        assert self.program.stdin
        assert self.program.stdout
        self.program.stdin.write(statement + "\n")
        self.program.stdin.flush()
        return self.program.stdout.readline()

    def end(self) -> None:
        self.program.communicate()


@pytest.fixture
def sql(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    made: list[Sql] = []

    def make(path: Path, mode: str) -> Sql:
        made.append(Sql(path, mode))
        return made[-1]

    yield make
    for each in made:
        each.program.kill()
        each.program.communicate()


@pytest.mark.parametrize("mode", MODES)
def test_every_commit_is_seen_however_it_is_journalled(
    tmp_path: Path, polls: StudyPolls, clock: Clock, sql: Any, mode: str
) -> None:
    """Also one that changes a byte in its place, a checkpoint of the log, and the end of the
    last writer, which takes the log away."""
    path = tmp_path / "s.db"
    writer = sql(path, mode)
    writer.do("CREATE TABLE t (n INTEGER PRIMARY KEY, v)")
    writer.do("INSERT INTO t VALUES (1, 0)")
    polls.update([path])
    settle(polls, clock)
    for number in range(50):
        writer.do("UPDATE t SET v = 1 - v")
        assert polls.changed() == {path}, number
    settle(polls, clock)
    with reading(path) as db:
        assert db.execute("SELECT v FROM t").fetchall() == [(0,)]
    assert polls.changed() == NONE  # our own look is no news
    writer.end()
    assert beside(path) - {"s.db-journal"} == {"s.db"}
    assert (tmp_path / "s.db-journal").exists() == (mode in ("truncate", "persist"))


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_the_same_as_data_version_tells(tmp_path: Path, sql: Any, mode: str) -> None:
    """SQLite's own word, from a connection that is held: no commit that it knows of is missed."""
    path = tmp_path / "s.db"
    writer, polls = sql(path, mode), StudyPolls()
    writer.do("CREATE TABLE t (v)")
    polls.update([path])
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as held:
        version = held.execute("PRAGMA data_version").fetchone()
        polls.changed()
        for number in range(200):
            writer.do("INSERT INTO t VALUES (1)" if number % 3 else "SELECT 1")
            before, version = version, held.execute("PRAGMA data_version").fetchone()
            seen = polls.changed() == {path}
            assert seen >= (version != before), number


_ENDS = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
db.execute("PRAGMA wal_checkpoint" if sys.argv[2] == "wal" else "BEGIN EXCLUSIVE")
db.execute("PRAGMA journal_mode = delete" if sys.argv[2] == "wal" else "ROLLBACK")
"""
"""What nobody may do as long as someone reads: write to the database, or end the log."""


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_who_reads_in_this_process_keeps_its_lock_and_nobody_else_waits(
    tmp_path: Path, polls: StudyPolls, sql: Any, mode: str
) -> None:
    """A process loses all its locks on a file as soon as it opens and closes it elsewhere."""
    path = tmp_path / "s.db"
    writer = sql(path, mode)
    writer.do("CREATE TABLE t (v)")
    polls.update([path])
    command = [sys.executable, "-c", _ENDS, str(path), mode]
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as held:
        held.execute("BEGIN")
        assert held.execute("SELECT * FROM t").fetchall() == []
        for _ in range(3):
            polls.changed()
        ran = subprocess.run(command, capture_output=True, text=True)
        assert "database is locked" in ran.stderr
    assert writer.do("INSERT INTO t VALUES (2)") == "[]\n"
    writer.end()
    polls.changed()
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


# ---------------------------------------------------------------- files that come and go


def test_what_is_new_counts_as_changed(tmp_path: Path, polls: StudyPolls, clock: Clock) -> None:
    first, second = tmp_path / "a.db", tmp_path / "b.log"
    for each in (first, second):
        each.write_bytes(b"x")
    polls.update([first])
    assert polls.changed() == {first}
    polls.update([first, second])
    assert polls.changed() == {second}  # what was known is still known
    polls.update([second])
    clock.now += STILL
    assert polls.changed() == {second}
    polls.close()
    assert polls.changed() == NONE


def test_a_change_in_the_same_tick_is_told_once_it_is_still(
    tmp_path: Path, polls: StudyPolls, clock: Clock
) -> None:
    """On a file system whose clock ticks once a second all marks can stay the same."""
    path = tmp_path / "a.db"
    path.write_bytes(b"x")
    polls.update([path])
    assert polls.changed() == {path}
    for _ in range(3):
        clock.now += STILL / 4
        assert polls.changed() == NONE
    clock.now += STILL / 4
    assert polls.changed() == {path}
    clock.now += 100 * STILL
    assert polls.changed() == NONE


def test_a_file_that_nobody_writes_to_is_asked_rarely(
    tmp_path: Path, polls: StudyPolls, clock: Clock
) -> None:
    """And one that somebody does at each call, again from its first change on."""
    path = tmp_path / "a.db"
    path.write_bytes(b"x")
    polls.update([path])
    settle(polls, clock)
    clock.now += BUSY
    assert polls.changed() == NONE
    path.write_bytes(b"xx")
    clock.now += RARELY / 2
    assert polls.changed() == NONE
    clock.now += RARELY / 2
    assert polls.changed() == {path}
    path.write_bytes(b"xxx")
    assert polls.changed() == {path}


def test_a_file_that_is_replaced_cut_moved_or_gone(
    tmp_path: Path, polls: StudyPolls, clock: Clock
) -> None:
    place = tmp_path / "studies"
    place.mkdir()
    path = place / "a.db"
    other = place / "other"
    path.write_bytes(b"x" * 100)
    polls.update([path])
    settle(polls, clock)

    def replaced() -> None:
        """With the same size and times."""
        shutil.copy2(path, other)
        os.replace(other, path)

    folder = tmp_path / "elsewhere"
    steps = (
        replaced,
        lambda: os.truncate(path, 10),
        path.unlink,
        path.mkdir,
        path.rmdir,
        lambda: path.symlink_to("nowhere"),
        path.unlink,
        lambda: os.mkfifo(path),
        path.unlink,
        lambda: path.write_bytes(b"no database"),
        lambda: path.with_name("a.db-wal").write_bytes(b"x"),
        lambda: path.with_name("a.db-journal").write_bytes(b"x"),
        lambda: path.with_name("a.db-journal").unlink(),
        lambda: place.rename(folder),
        lambda: folder.rename(place),
    )
    for number, step in enumerate(steps):
        step()
        assert polls.changed() == {path}, number
        settle(polls, clock)
    path.with_name("a.db-shm").write_bytes(b"who reads writes this")
    assert polls.changed() == NONE


def test_names_that_are_no_text_and_a_thousand_of_them(
    tmp_path: Path, polls: StudyPolls, clock: Clock
) -> None:
    paths = [Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff%d.db" % n)) for n in range(1000)]
    for each in paths:
        each.touch()
    polls.update(paths)
    assert polls.changed() == {*paths}
    settle(polls, clock)
    paths[500].write_bytes(b"x")
    assert polls.changed() == {paths[500]}
