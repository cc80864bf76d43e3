"""Values of another type, files that are none, numbers that are none: each once fell over a reader,
and is refused with a word now."""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from artifact_janitor.apply.archive.store import IN_ORDER, Store
from artifact_janitor.apply.mlflow import forget
from artifact_janitor.core.study import Broken
from artifact_janitor.errors import ArchiveError, StepSkipped
from artifact_janitor.executors import JOB, LOCK, Handle
from artifact_janitor.executors.local import Local, spec_of
from artifact_janitor.mlflow_records import of_database
from artifact_janitor.observe import (
    git,
    mlflow,
    mlflow_files,
    optuna_files,
    optuna_sql,
    optuna_sweeps,
    study_copy,
)
from artifact_janitor.observe.sqlite import reading
from tests.proof.bounded import ends, put
from tests.real import git_repo, mlflow_runs, zoo
from tests.real.small import small

# ------------------------------------------------------------ studies


def _told(path: Path) -> Broken:
    found = optuna_files.of_file(path.parent, path.name, {})
    assert isinstance(found, Broken), found
    return found


@pytest.mark.parametrize("key", ["op_code", "trial_id"])
def test_a_number_of_many_digits_in_a_journal_is_damage(key: str, tmp_path: Path) -> None:
    line = {"op_code": "5", "trial_id": "1"} | {key: "1" * 5000}
    text = '{{"op_code": {op_code}, "worker_id": "a", "trial_id": {trial_id}}}\n'
    assert _told(put(tmp_path / "a.log", text.format(**line).encode())).kind == "damaged"


_MADE = b'{"op_code": 0, "study_name": "s"}\n'


@pytest.mark.parametrize(
    "line",
    [
        b'{"op_code": 4, "values": ' + b"[" * 5000 + b"\n",
        b'{"op_code": 0}\n',
        b'"op_code"\n',
        _MADE + b'{"op_code": 4, "study_id": 0, "state": 1, "values": [' + b"9" * 400 + b"]}\n",
    ],
)
def test_what_was_reached_in_a_damaged_copy_is_unknown(line: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        study_copy.reached(put(tmp_path / "a.log", line), "s", 0)


@pytest.mark.parametrize(
    "change",
    ["UPDATE studies SET study_name = CAST(study_name AS BLOB)", "UPDATE trials SET number = 'x'"],
)
def test_a_value_of_another_type_is_damage(change: str, tmp_path: Path) -> None:
    """One bit tells a text from a blob."""
    path, _ = zoo.restored("4.9.0", tmp_path)
    assert _told(zoo.changed(path, change)).kind == "damaged"


def test_pages_that_hold_more_rows_than_can_be_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each page of the tree leads to the next one, forty times."""
    monkeypatch.setattr(optuna_sql, "LONGEST_READ", 0.2)
    path, _ = zoo.restored("4.9.0", tmp_path)
    size, count = _circular(path)
    assert os.path.getsize(path) == size * count
    ends(lambda: _told(path))
    assert _told(path).kind == "slow"


def _circular(path: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(path)) as db:
        ((size,),) = db.execute("PRAGMA page_size").fetchall()
        ((root,),) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'trials'")
        db.execute("DROP INDEX ix_trials_study_id")
        db.commit()
    content = bytearray(path.read_bytes())
    leaf = content[(root - 1) * size : root * size]
    first = len(content) // size + 1
    for level in range(12):
        page = _inner(size, first + level)
        if level:
            content += page
        else:
            content[(root - 1) * size : root * size] = page
    content += leaf
    content[28:32] = struct.pack(">I", len(content) // size)
    path.write_bytes(content)
    return size, len(content) // size


def _inner(size: int, child: int) -> bytes:
    """An inner page of a table: all its children are the same page."""
    cells = [struct.pack(">IB", child, number + 1) for number in range(40)]
    starts = [size - 5 * (number + 1) for number in range(40)]
    head = struct.pack(">BHHHBI", 5, 0, len(cells), starts[-1], 0, child)
    page = bytearray(head + b"".join(struct.pack(">H", start) for start in starts))
    page += bytes(size - len(page))
    for start, cell in zip(starts, cells, strict=True):
        page[start : start + 5] = cell
    return bytes(page)


def test_a_sweeper_s_storage_with_a_nul_in_it(tmp_path: Path) -> None:
    put(
        tmp_path / "s/0/.hydra/hydra.yaml",
        b"  sweeper:\n    storage: sqlite:///a\0b\n    study_name: s\n",
    )
    put(tmp_path / "s/optimization_results.yaml", b"best_value: 1.0\n")
    assert optuna_sweeps.done(tmp_path, [""]) == []


# ------------------------------------------------------------ MLflow


@pytest.mark.parametrize("uri", ["/a\0b", "file://[a/b"])
def test_an_artifact_uri_that_is_none_leads_nowhere(uri: str, tmp_path: Path) -> None:
    assert not mlflow._leads_to(uri, tmp_path)


@pytest.mark.parametrize("time", ["9" * 5000, "9" * 18, "0", "-1"])
def test_a_time_of_deletion_that_is_none(time: str, tmp_path: Path) -> None:
    run_id = "a" * 32
    text = f"run_id: {run_id}\nlifecycle_stage: deleted\nstatus: 3\ndeleted_time: {time}\n"
    put(tmp_path / "r/meta.yaml", text.encode())
    found = mlflow_files.record(tmp_path / "r", run_id)
    assert found is not None
    assert (found.deleted, found.trouble) == (0, "the time of its deletion is none")


@pytest.mark.parametrize("how", ["fifo", "zero", "folder"])
def test_a_tag_that_is_no_file_keeps(how: str, tmp_path: Path) -> None:
    """It may name any run."""
    put(tmp_path / "mlruns/1/run/meta.yaml", b"run_id: run\nlifecycle_stage: active\n")
    tag = put(tmp_path / "mlruns/1/run/tags/x", b"").with_name("mlflow.parentRunId")
    makes = {"fifo": os.mkfifo, "zero": lambda path: path.symlink_to("/dev/zero")}
    makes.get(how, os.mkdir)(tag)

    def ask() -> None:
        with pytest.raises(OSError, match=r"\w"):
            mlflow_files.named(tmp_path, ["mlruns"])

    ends(ask)


def test_a_child_whose_record_is_gone_still_names_its_parent(tmp_path: Path) -> None:
    put(tmp_path / "mlruns/1/child/tags/mlflow.parentRunId", b"parent")
    assert [*mlflow_files.named(tmp_path, ["mlruns"])] == ["parent"]


@pytest.mark.parametrize("end", ["-journal", "-wal"])
def test_a_pipe_beside_a_database(end: str, tmp_path: Path) -> None:
    """SQLite would wait there until somebody writes to it."""
    path, _ = zoo.restored("4.9.0", tmp_path)
    os.mkfifo(f"{path}{end}")
    ends(lambda: _told(path))
    assert f"{end} is no regular file" in _told(path).why
    with pytest.raises(StepSkipped, match="no regular file"):
        forget(path, "a" * 32, has_own=False)


def test_a_stage_that_is_no_text(tmp_path: Path) -> None:
    project = mlflow_runs.Project.with_database(tmp_path)
    project.sql("PRAGMA foreign_keys = OFF")
    project.sql("INSERT INTO registered_models (name) VALUES ('m')")
    insert = "INSERT INTO model_versions (name, version, current_stage, run_id) VALUES (?, ?, ?, ?)"
    project.sql(insert, "m", 1, b"\0", "b" * 32)
    with reading(tmp_path / "mlflow.db") as db:
        assert [*of_database(db).named] == ["b" * 32]


# ------------------------------------------------------------ jobs, and what is no file


def test_a_lock_that_is_no_file_is_a_lost_job(tmp_path: Path) -> None:
    folder = put(tmp_path / "t" / JOB, b"{}").parent
    os.mkfifo(folder / LOCK)
    found = Local(folder.parent).status(Handle(folder.name, folder))
    assert (found.state, found.why) == ("LOST", "its lock can't be read: it is no regular file")


def test_an_archive_s_part_that_is_a_folder_leaves_no_file_open(tmp_path: Path) -> None:
    store = Store(tmp_path, own=False)
    for each in IN_ORDER:
        (tmp_path / f"a{each}").mkdir()
    before = os.listdir("/proc/self/fd")
    with pytest.raises(ArchiveError), store.opened("a"):
        pass
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("text", [b"{}", b'{"token": "t", "argv": [], "cwd": 3}', b"[" * 9000])
def test_a_job_that_tells_nothing(text: bytes, tmp_path: Path) -> None:
    folder = put(tmp_path / "t" / JOB, text).parent
    with pytest.raises(ValueError, match=r"\w"):
        spec_of(Handle("t", folder))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_lock_of_ours_that_is_no_file(make: Callable[[Path], None], tmp_path: Path) -> None:
    work = small(tmp_path)
    assert work.janitor("plan").code == 0
    (tmp_path / ".janitor").mkdir(exist_ok=True)
    (tmp_path / ".janitor/lock").unlink(missing_ok=True)
    make(tmp_path / ".janitor/lock")
    ends(lambda: work.janitor("doctor"))
    answer = work.janitor("run", "--yes")
    assert answer.code == 1
    assert ".janitor" in answer.said["errors"][0]["message"]


def test_an_index_of_git_s_that_is_a_pipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Git itself waits there for ever."""
    git_repo.git(tmp_path, "init", "-q")
    os.mkfifo(tmp_path / ".git/index")
    monkeypatch.setattr(git, "PATIENCE", 0.5)
    with pytest.raises(git.GitUnknown, match="did not answer"):
        git.tracked(tmp_path)
