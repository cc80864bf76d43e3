"""The smallest inputs that once never ended, took all memory, or fell over a reader: each is read,
or refused with a word, within the limits of `bounded`."""

from __future__ import annotations

import os
import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest

from artifact_janitor.apply.archive.store import IN_ORDER, Store
from artifact_janitor.apply.mlflow import forget
from artifact_janitor.core.model import Artifact
from artifact_janitor.core.policy import Best
from artifact_janitor.core.study import Broken
from artifact_janitor.errors import ArchiveError, StepSkipped
from artifact_janitor.executors import JOB, LOCK, Handle
from artifact_janitor.executors.local import Local, spec_of
from artifact_janitor.mlflow_records import of_database
from artifact_janitor.observe import (
    configs,
    git,
    hydra,
    metrics,
    mlflow,
    mlflow_files,
    modelfile,
    optuna_files,
    optuna_sql,
    optuna_sweeps,
    references,
    study_copy,
    tree,
    wandb_log,
)
from artifact_janitor.observe.kinds import Unit
from artifact_janitor.observe.sqlite import reading
from tests.proof.bounded import tried
from tests.real import git_repo, mlflow_runs, wandb_runs, zoo
from tests.real.small import small

MANY = 400_000
Put = Callable[[str, bytes], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def put(path: str, content: bytes) -> Path:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
        return tmp_path / path

    return put


def ends(call: Callable[[], object]) -> None:
    """Within the limits, and without an exception."""

    def trial() -> Iterator[str]:
        call()
        yield from ()

    assert tried([("it", trial)], lambda: None) == []


# ------------------------------------------------------------ texts that are read over and over


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".hydra/hydra.yaml", b"  runtime:\n" + b"    \n" * MANY),
        ("multirun.yaml", b"hydra:\n" + b"  \n" * MANY),
    ],
)
def test_lines_of_blanks_prove_no_run(name: str, content: bytes, put: Put, tmp_path: Path) -> None:
    put(f"r/{name}", content)
    folder = tree.read(tmp_path, "r")
    ends(lambda: (hydra.is_run(folder, tmp_path), hydra.is_sweep(folder, tmp_path)))


def test_a_line_of_blanks_is_no_sweeper_s_storage(put: Put, tmp_path: Path) -> None:
    line = b"  sweeper:\n    storage: a" + b" " * MANY + b"b\n    study_name: s\n"
    put("s/0/.hydra/hydra.yaml", line)
    put("s/optimization_results.yaml", b"best_value: 1.0\n")
    ends(lambda: optuna_sweeps.done(tmp_path, [""]))


@pytest.mark.parametrize("text", ['"' + '\\"' * MANY, '"' + "a/" * MANY + '"', "outputs/a/" * MANY])
def test_a_sidecar_that_goes_on_and_on_is_read_once(text: str) -> None:
    run = Artifact("outputs/a", "hydra-run", 0)
    index = references.Index(Path("/nowhere"), ["outputs"], [run], {})
    ends(lambda: index.named(text))


def test_a_quotation_that_is_left_open_still_names_a_run() -> None:
    """A file of which only the beginning is read ends in mid-word."""
    run = Artifact("outputs/é", "hydra-run", 0)
    index = references.Index(Path("/nowhere"), ["outputs"], [run], {})
    text = '{"a": "x", "b": "outputs/\\u00e9/model.pt, and \\"more'
    assert index.named("\n".join([text, *map(references._plain, _quoted(text))])) == {"outputs/é"}


def _quoted(text: str) -> list[str]:
    return references._STRINGS.findall(text)


def test_a_cell_of_digits_is_no_metric(put: Put, tmp_path: Path) -> None:
    put("r/metrics.csv", b"val_f1\n" + b"1" * 130_000 + b"x\n")
    unit = Unit("training-run", "r", tree.read(tmp_path, "r"))
    ends(lambda: metrics.value_of(unit, tmp_path, Best("val_f1", "max", 1, "ignore")))


# ------------------------------------------------------------ W&B's log


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    more = b""
    while number > 127:
        more, number = more + bytes([number & 127 | 128]), number >> 7
    return more + bytes([number])


def _log(*records: bytes) -> bytes:
    """As W&B writes it, in blocks of 32 KiB."""
    found = bytearray(wandb_log.MAGIC)
    for record in records:
        rest, begun = record, False
        while rest or not begun:
            room = 32768 - len(found) % 32768
            if room < 7:
                found += bytes(room)
                continue
            part, rest = rest[: room - 7], rest[room - 7 :]
            kind = {(0, 0): 1, (0, 1): 2, (1, 1): 3, (1, 0): 4}[begun, bool(rest)]
            payload = bytes([kind]) + part
            found += struct.pack("<IHB", zlib.crc32(payload), len(part), kind) + part
            begun = True
    return bytes(found)


def _config(keys: int, value: bytes) -> bytes:
    path = b"".join(_field(2, b"k%d" % keys) for _ in range(keys))
    return _field(5, _field(1, path + _field(16, value)))


@pytest.mark.parametrize(
    "records",
    [
        [_config(2000, b"1")],
        [_config(1, b"[" * 900 + b"]" * 900)],
        [_config(key, b"[" + b",".join([b"[" * 90 + b"]" * 90] * 150) + b"]") for key in range(99)],
    ],
    ids=["keys", "value", "indented"],
)
def test_a_configuration_that_is_nested_without_end_is_none(
    records: list[bytes], put: Put, tmp_path: Path
) -> None:
    log = put("w/run-a.wandb", _log(*records))
    assert wandb_log.ending(BytesIO(log.read_bytes())).damage == ""
    run = configs.Run("w", "wandb-run", "a")
    found = {run: [configs.Place("w/run-a.wandb", "config.json")]}
    ends(lambda: configs.read(tmp_path, found, lambda _: None, 0, whole=True))


@pytest.mark.parametrize("times", [0, 2])
@pytest.mark.parametrize("ahead", [0, 1000])
def test_a_block_that_is_missing_or_there_twice_is_damage(
    times: int, ahead: int, tmp_path: Path
) -> None:
    """Within a record of 70,000 equal bytes, which leaves all checksums right; and a record."""
    run = wandb_runs.place(wandb_runs.synced, tmp_path)
    content = next(run.glob("*.wandb")).read_bytes()
    at = content.index(b"x" * 1000) + ahead
    block = content[at : at + 32768]
    without = content[:at] + block * times + content[at + 32768 :]
    assert wandb_log.ending(BytesIO(content)) == wandb_log.Ending(0)
    assert wandb_log.ending(BytesIO(without)).damage != ""


@pytest.mark.parametrize("records", [[1, 3], [1, 2, 2], [2], [1, 2, 1]])
def test_records_that_are_not_in_their_order_are_damage(records: list[int]) -> None:
    log = _log(*(b"\x08" + _varint(number) for number in records))
    assert f"record {records[-1]} follows" in wandb_log.ending(BytesIO(log)).damage


def test_a_line_without_an_end_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    os.truncate(tmp_path / "a.log", 1 << 40)

    def ask() -> None:
        with pytest.raises(StepSkipped, match="too long"):
            study_copy.copy(tmp_path / "a.log", tmp_path / "b.log")

    ends(ask)


# ------------------------------------------------------------ models


def _directory(count: int) -> bytes:
    entry = struct.Struct("<4s6H3L5H2L")
    names = (b"%08d" % number for number in range(count))
    head = entry.pack(b"PK\1\2", 20, 20, *(0,) * 7, 8, *(0,) * 6)
    listed = b"".join(head + name for name in names)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(listed), 30, 0)
    return b"PK\3\4" + bytes(26) + listed + end


def _safetensors(count: int) -> bytes:
    header = b'{"a":[' + b"[]," * count + b"[]]}"
    return struct.pack("<Q", len(header)) + header


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pt", partial(_directory, 1_200_000)),
        ("a.safetensors", partial(_safetensors, 20_000_000)),
        ("a.json", partial(_safetensors, 20_000_000)),
    ],
)
def test_a_model_that_would_fill_the_memory_is_unknown(
    name: str, content: Callable[[], bytes], put: Put
) -> None:
    path = put(name, content())

    def ask() -> None:
        assert modelfile.is_whole(path) is None
        with suppress(OSError):
            modelfile.read_json(path)

    ends(ask)


def test_a_pickle_of_nothing_but_marks_in_its_memo_ends(put: Put) -> None:
    import zipfile

    path = put("a.pt", b"")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x04N" + b"\x94" * (15 << 20) + b".")
    ends(lambda: [*modelfile.constants(path)])


# ------------------------------------------------------------ studies


def _told(path: Path) -> Broken:
    found = optuna_files.of_file(path.parent, path.name, {})
    assert isinstance(found, Broken), found
    return found


@pytest.mark.parametrize("key", ["op_code", "trial_id"])
def test_a_number_of_many_digits_in_a_journal_is_damage(key: str, put: Put) -> None:
    line = {"op_code": "5", "trial_id": "1"} | {key: "1" * 5000}
    text = '{{"op_code": {op_code}, "worker_id": "a", "trial_id": {trial_id}}}\n'
    assert _told(put("a.log", text.format(**line).encode())).kind == "damaged"


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
def test_what_was_reached_in_a_damaged_copy_is_unknown(line: bytes, put: Put) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        study_copy.reached(put("a.log", line), "s", 0)


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


def test_a_sweeper_s_storage_with_a_nul_in_it(put: Put, tmp_path: Path) -> None:
    put("s/0/.hydra/hydra.yaml", b"  sweeper:\n    storage: sqlite:///a\0b\n    study_name: s\n")
    put("s/optimization_results.yaml", b"best_value: 1.0\n")
    assert optuna_sweeps.done(tmp_path, [""]) == []


# ------------------------------------------------------------ MLflow


@pytest.mark.parametrize("uri", ["/a\0b", "file://[a/b"])
def test_an_artifact_uri_that_is_none_leads_nowhere(uri: str, tmp_path: Path) -> None:
    assert not mlflow._leads_to(uri, tmp_path)


@pytest.mark.parametrize("time", ["9" * 5000, "9" * 18, "0", "-1"])
def test_a_time_of_deletion_that_is_none(time: str, put: Put, tmp_path: Path) -> None:
    run_id = "a" * 32
    text = f"run_id: {run_id}\nlifecycle_stage: deleted\nstatus: 3\ndeleted_time: {time}\n"
    put("r/meta.yaml", text.encode())
    found = mlflow_files.record(tmp_path / "r", run_id)
    assert found is not None
    assert (found.deleted, found.trouble) == (0, "the time of its deletion is none")


@pytest.mark.parametrize("how", ["fifo", "zero", "folder"])
def test_a_tag_that_is_no_file_keeps(how: str, put: Put, tmp_path: Path) -> None:
    """It may name any run."""
    put("mlruns/1/run/meta.yaml", b"run_id: run\nlifecycle_stage: active\n")
    tag = put("mlruns/1/run/tags/x", b"").with_name("mlflow.parentRunId")
    makes = {"fifo": os.mkfifo, "zero": lambda path: path.symlink_to("/dev/zero")}
    makes.get(how, os.mkdir)(tag)

    def ask() -> None:
        with pytest.raises(OSError, match=r"\w"):
            mlflow_files.named(tmp_path, ["mlruns"])

    ends(ask)


def test_a_child_whose_record_is_gone_still_names_its_parent(put: Put, tmp_path: Path) -> None:
    put("mlruns/1/child/tags/mlflow.parentRunId", b"parent")
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


def test_a_lock_that_is_no_file_is_a_lost_job(put: Put) -> None:
    folder = put(JOB, b"{}").parent
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
def test_a_job_that_tells_nothing(text: bytes, put: Put) -> None:
    folder = put(JOB, text).parent
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
