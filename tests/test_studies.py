"""Studies are found by their first bytes, never opened as databases, and never removed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.real import studies
from tests.real.account import myself
from tests.real.command import Answer, line
from tests.real.small import Small, done, small, why
from tests.real.snapshot import difference, snapshot
from tests.real.syscalls import changes, is_there
from tests.real.wandb_runs import backdate

POLICY = '[[policy]]\nkind = "study"\nkeep_last = 1\n\n[safety]\nmax_share = 1.0\ngrace = "0s"\n'
DB = "hpo_studies/eurusd.db"


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path, POLICY)


def units(plan: Answer) -> dict[str, str]:
    """Kinds by path; every path once."""
    rows = plan.rows("steps", "kept")
    assert len({row["path"] for row in rows}) == len(rows)
    return {row["path"]: row["kind"] for row in rows}


def trials(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        ((count,),) = db.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'")
    return int(count)


def test_studies_of_every_form_stay_although_a_policy_names_them(work: Small) -> None:
    studies.finished(work.root / DB, "eurusd_mlp", "eurusd_lstm", "eurusd_tcn")
    studies.finished(work.root / "hpo_studies/wal.sqlite3", mode="wal")
    studies.killed(work.root / "hpo_studies/deep/killed.db")
    studies.finished(work.root / "hpo_studies/journal.log", mode="journal")
    work.write("hpo_studies/created.db", b"")
    os.rename(work.root / DB, work.root / "hpo_studies/no_suffix")
    backdate(work.root / "hpo_studies", 400)
    before = snapshot(work.root)
    plan = work.janitor("plan")
    names = ("wal.sqlite3", "deep/killed.db", "journal.log", "created.db", "no_suffix")
    found = units(plan)
    assert found == {f"hpo_studies/{name}": "study" for name in names}
    for path in found:
        assert "a study's own record: never removed" in why(plan, path)
    assert done(work.janitor("run", "--yes", "--override-guards")) == set()
    assert difference(before, snapshot(work.root)) == []
    assert trials(work.root / "hpo_studies/no_suffix") == 3 * studies.TRIALS


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_an_optimizer_that_runs_is_not_disturbed(work: Small, mode: str) -> None:
    with studies.running(work.root / DB, mode):
        beside = set(os.listdir(work.root / "hpo_studies"))
        for _ in range(3):
            plan = work.janitor("plan")
            assert units(plan) == {DB: "study"}
            assert work.janitor("run", "--yes").code == 0
        assert set(os.listdir(work.root / "hpo_studies")) == beside
        assert "live" in str(work.janitor("why", DB).facts)
    assert trials(work.root / DB) == 2


def test_a_journal_that_is_written_to(work: Small) -> None:
    with studies.running(work.root / "hpo_studies/j.log", "journal"):
        assert units(work.janitor("plan")) == {"hpo_studies/j.log": "study"}


def test_a_database_and_what_lies_beside_it_are_one_unit(work: Small) -> None:
    studies.killed(work.root / DB)
    parts = [DB, f"{DB}-wal", f"{DB}-shm"]
    plan = work.janitor("plan")
    assert units(plan) == {DB: "study"}
    (row,) = plan.rows("kept")
    assert row["bytes"] == sum(os.stat(work.root / each).st_blocks * 512 for each in parts)
    (seen,) = work.look().survey.catalogue.artifacts
    assert seen.files == 3
    assert seen.time == max(os.stat(work.root / each).st_mtime_ns for each in parts)


@pytest.mark.skipif(not is_there(), reason="strace is not installed")
def test_nothing_appears_beside_a_database_in_wal_mode(work: Small) -> None:
    """Opening it as a database, even to read, would make ``-wal`` and ``-shm``."""
    trials(studies.finished(work.root / DB, mode="wal"))  # who closes it last tidies up
    assert os.listdir(work.root / "hpo_studies") == ["eurusd.db"]
    me, trace = myself(work.root.parent), work.root.parent / "trace"
    start = changes(me, [me.python, "-c", "pass"], work.root, trace)
    seen = changes(me, line(me, work.root, "plan"), work.root, trace)
    own = f" {work.root}/.janitor"
    assert [each for each in seen if each not in start and own not in each] == []
    assert os.listdir(work.root / "hpo_studies") == ["eurusd.db"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("half.db", b"SQLite form"),
        ("text.db", b"no database\n"),
        ("created", b""),
        ("app.log", b"a line of a program\n"),
        ("list.log", b'["op_code"]\n'),
        ("word.log", b'{"op_code": "1"}\n'),
        ("unfinished.log", b'{"op_code": 1}'),
        ("deep.log", b"[" * 100_000 + b"\n"),
        ("eurusd.db-wal", b"left behind"),
        ("eurusd_results.json", b"{}"),
    ],
)
def test_anything_else_there_is_unknown(work: Small, name: str, content: bytes) -> None:
    work.write(f"hpo_studies/{name}", content, days=400)
    plan = work.janitor("plan")
    assert units(plan) == {f"hpo_studies/{name}": "unknown"}


def test_no_link_is_taken_for_a_study(work: Small) -> None:
    work.write("elsewhere.db", b"SQLite format 3\0")
    (work.root / "hpo_studies").mkdir()
    (work.root / DB).symlink_to("../elsewhere.db")
    assert units(work.janitor("plan")) == {}


def test_a_policy_that_can_do_nothing_is_said(work: Small) -> None:
    notes = work.settings.notes
    assert [note for note in notes if "study" in note] == [
        "policy[1] does nothing: no study is ever removed"
    ]
