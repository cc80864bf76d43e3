"""What is read of studies is what Optuna says of them: every version, storage and form."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from artifact_janitor.core.study import Broken, Study
from artifact_janitor.observe import optuna_files, optuna_sql
from artifact_janitor.observe.optuna_journal import Replay
from artifact_janitor.observe.sqlite import Unreadable, reading
from tests.real import zoo


def read(path: Path) -> dict[str, Study]:
    found = optuna_files.of_file(path.parent, path.name, {})
    assert isinstance(found, list), found
    return {each.name: each for each in found}


def broken(path: Path) -> Broken:
    found = optuna_files.of_file(path.parent, path.name, {})
    assert isinstance(found, Broken), found
    return found


def told(study: Study) -> dict[str, object]:
    """In the words of the zoo."""
    return {
        "directions": [*study.directions],
        "counts": study.counts,
        "attrs": study.attrs,
        "metrics": [*study.metrics],
        "bests": [
            best and [best.number, [*map(str, best.values)], best.params, best.user_attrs]
            for best in study.bests or [None] * len(study.directions)
        ],
    }


def as_text(said: dict[str, dict[str, object]]) -> str:
    """A whole number is not the same as a number."""
    return json.dumps(said, sort_keys=True)


SOURCES = [*zoo.STORAGES, *zoo.OLD]


def source(name: str, folder: Path) -> tuple[Path, zoo.Told]:
    return zoo.made(name) if name in zoo.STORAGES else zoo.restored(name, folder)


@pytest.mark.parametrize("name", SOURCES)
def test_it_is_what_optuna_says(name: str, tmp_path: Path) -> None:
    path, said = source(name, tmp_path)
    before = sorted(os.listdir(path.parent))
    found = read(path)
    assert as_text({each: told(study) for each, study in found.items()}) == as_text(said)
    assert sorted(os.listdir(path.parent)) == before
    assert found["constrained_some"].bests[0].number == 1  # type: ignore[union-attr]
    assert found["unfinished"].silent == 1
    assert found["unfinished"].over == 3


def test_a_database_in_wal_mode_larger_than_the_memory_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a log as immutable, with one through its -shm file, and nothing is left behind."""
    monkeypatch.setattr(optuna_files, "MEMORY", 0)
    path = Path(shutil.copy(zoo.made("wal")[0], tmp_path / "a.db"))
    said = zoo.made("wal")[1]
    assert {each: told(study) for each, study in read(path).items()} == said
    assert os.listdir(tmp_path) == ["a.db"]
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE studies SET study_name = 'new' WHERE study_name = 'empty'")
        db.commit()
        times = {each: os.stat(tmp_path / each).st_mtime_ns for each in os.listdir(tmp_path)}
        assert {*times} == {"a.db", "a.db-wal", "a.db-shm"}
        os.utime(path, ns=(1, 1))  # commits go to the log, and leave it as old as it is
        times["a.db"] = 1
        assert read(path)["new"].written == times["a.db-wal"]
        assert times == {
            each: os.stat(tmp_path / each).st_mtime_ns for each in os.listdir(tmp_path)
        }
        copies = [shutil.copy(tmp_path / each, tmp_path / f"b{each[1:]}") for each in times]
    assert len(copies) == 3
    assert "new" in read(tmp_path / "b.db")  # whoever wrote was killed
    os.unlink(tmp_path / "b.db-shm")
    assert "-shm" in broken(tmp_path / "b.db").why
    assert sorted(each for each in os.listdir(tmp_path) if each[0] == "b") == ["b.db", "b.db-wal"]


@pytest.mark.parametrize("log", [False, True])
def test_one_that_is_written_to_meanwhile_tells_nothing(log: bool, tmp_path: Path) -> None:
    path = Path(shutil.copy(zoo.made("wal")[0], tmp_path / "a.db"))

    def meddle() -> None:
        with reading(path, memory=0) as db:
            db.execute("SELECT count(*) FROM trials").fetchall()
            if log:
                (tmp_path / "a.db-wal").write_bytes(b"")
            else:
                os.utime(path, ns=(0, 0))

    with pytest.raises(Unreadable, match="meanwhile") as trouble:
        meddle()
    assert trouble.value.kind == "busy"


# ---------------------------------------------------------------- what can't be read


def _half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _zeroed(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(bytes(path.stat().st_size - 16384))


def _other(path: Path) -> None:
    path.unlink()
    zoo.changed(path, "CREATE TABLE runs (id)")


def _newer(path: Path) -> None:
    zoo.changed(path, "UPDATE alembic_version SET version_num = 'v5.1.0.a'")


def _nameless(path: Path) -> None:
    zoo.changed(path, "UPDATE alembic_version SET version_num = 'ab12cd'")


def _older(path: Path) -> None:
    zoo.changed(path, "UPDATE alembic_version SET version_num = 'v2.4.0.a'")


def _oldest(path: Path) -> None:
    zoo.changed(path, "DROP TABLE alembic_version")


def _other_columns(path: Path) -> None:
    zoo.changed(path, "ALTER TABLE trial_values RENAME COLUMN objective TO another")


def _forged(path: Path) -> None:
    zoo.changed(path, 'UPDATE trial_params SET distribution_json = \'{"type": "horse"}\'')


TROUBLES: list[tuple[str, Callable[[Path], object], str]] = [
    ("missing", lambda path: path.unlink(), "there is no such file"),
    ("empty", lambda path: os.truncate(path, 0), "nothing was written to it yet"),
    ("foreign", lambda path: path.write_text("no database\n" * 99), "no SQLite database"),
    ("damaged", lambda path: os.truncate(path, 7), "a copy that is not whole"),
    ("damaged", lambda path: os.truncate(path, 100), "a copy that is not whole"),
    ("damaged", _half, "a copy that is not whole"),
    ("damaged", _zeroed, "a copy that is not whole"),
    ("damaged", _forged, "an unknown distribution"),
    ("other", _other, "without studies of Optuna"),
    ("newer", _newer, "newer than v3.2.0.a"),
    ("newer", _nameless, "newer than v3.2.0.a"),
    ("older", _older, "Optuna 2.10 (v2.6.0.a) or newer is needed"),
    ("older", _oldest, "Optuna 2.10 (v2.6.0.a) or newer is needed"),
    ("schema", _other_columns, "has no trial_values as it should be"),
]


@pytest.mark.parametrize("mode", ["sqlite", "wal"])
@pytest.mark.parametrize(("kind", "spoil", "why"), TROUBLES)
def test_what_tells_nothing_says_why(
    kind: str, spoil: Callable[[Path], object], why: str, mode: str, tmp_path: Path
) -> None:
    path = Path(shutil.copy(zoo.made(mode)[0], tmp_path / "a.db"))
    spoil(path)
    content = path.read_bytes() if path.exists() else b""
    found = broken(path)
    assert (found.kind, why in found.why) == (kind, True), found
    assert found.why.count("\n") == 0
    assert "{}" not in found.hint
    assert (path.read_bytes() if path.exists() else b"") == content
    assert os.listdir(tmp_path) == ["a.db"] * path.exists()


def test_one_that_is_locked_is_busy(tmp_path: Path) -> None:
    path = Path(shutil.copy(zoo.made("sqlite")[0], tmp_path / "a.db"))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        assert broken(path).kind == "busy"
    assert read(path)


KILLED = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 1")
db.execute("BEGIN")
db.execute("UPDATE trial_params SET distribution_json = distribution_json || hex(randomblob(2000))")
os.kill(os.getpid(), 9)
"""


def test_a_commit_that_was_killed_is_left_to_its_owner(tmp_path: Path) -> None:
    path = Path(shutil.copy(zoo.made("sqlite")[0], tmp_path / "a.db"))
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert (tmp_path / "a.db-journal").stat().st_size > 0
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert broken(path).kind == "hot"
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_a_read_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer in rollback mode waits for readers: SQLAlchemy's, five seconds."""
    monkeypatch.setattr(optuna_sql, "LONGEST_READ", 0.05)
    path = Path(shutil.copy(zoo.made("sqlite")[0], tmp_path / "a.db"))
    many = """
        WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000)
        INSERT INTO trials (study_id, number, state) SELECT 1, i, 'FAIL' FROM n
    """
    zoo.changed(path, "PRAGMA synchronous = OFF", many)
    assert broken(path).kind == "slow"


def test_no_link_and_no_pipe_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.db").symlink_to(zoo.made("sqlite")[0])
    os.mkfifo(tmp_path / "b.db")
    assert broken(tmp_path / "a.db").why == "it is a symlink"
    assert broken(tmp_path / "b.db").kind == "unreadable"


def test_names_and_attributes_of_any_kind(tmp_path: Path) -> None:
    path = Path(shutil.copy(zoo.made("sqlite")[0], tmp_path / "a.db"))
    zoo.changed(
        path,
        "UPDATE studies SET study_name = CAST(x'ff00fe' AS TEXT) WHERE study_name = 'empty'",
        "UPDATE study_user_attributes SET value_json = hex(zeroblob(100000)) WHERE key = 'note'",
    )
    found = read(path)
    assert "\udcff\0\udcfe" in found
    assert found["eurusd_mlp"].attrs == {"model_type": "mlp", "note": "… (200000 letters)"}


# ---------------------------------------------------------------- journals


def test_a_journal_is_read_on_from_where_the_last_look_ended(tmp_path: Path) -> None:
    """In pieces of any length, it says what it says at once."""
    whole = zoo.made("journal")[0].read_bytes()
    path, replay = tmp_path / "a.log", Replay()
    with path.open("wb") as file:
        for start in range(0, len(whole), 977):
            file.write(whole[start : start + 977])
            file.flush()
            replay.read_on(path)
            assert replay.offset == whole[: start + 977].rfind(b"\n") + 1
    found = {each.name: told(each) for each in replay.studies("a.log")}
    assert found == zoo.made("journal")[1]


def test_another_journal_in_its_place_is_read_anew(tmp_path: Path) -> None:
    path, replay = tmp_path / "a.log", Replay()
    shutil.copy(zoo.made("journal")[0], path)
    replay.read_on(path)
    whole, long = path.read_bytes(), b"x" * 500
    assert whole.splitlines()[-1].count(long) == 1
    path.write_bytes(whole.replace(long, b"y" * 500))  # as long, in the same file
    replay.read_on(path)
    assert replay.studies("a.log")[-1].name == "y" * 500
    path.write_bytes(whole.splitlines(keepends=True)[0])  # shorter
    replay.read_on(path)
    assert len(replay.studies("a.log")) == 1


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\n",
        b"[]\n",
        b"{}\n",
        b'{"op_code": 99}\n',
        b'{"op_code": 6, "trial_id": 0, "state": 77, "values": null}\n',
        b'{"op_code": 0, "study_name": 3, "directions": [1]}\n',
        b'{"op_code": 0, "study_name": "a", "directions": [7]}\n',
        b'{"op_code": 4, "study_id": "x"}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_a_line_of_nonsense_is_named_by_its_place(line: bytes, tmp_path: Path) -> None:
    whole = zoo.made("journal")[0].read_bytes()
    (tmp_path / "a.log").write_bytes(whole + line)
    found = broken(tmp_path / "a.log")
    assert (found.kind, f"byte {len(whole)}" in found.why) == ("damaged", True), found


def test_what_optuna_ignores_is_ignored(tmp_path: Path) -> None:
    """Two create a study at once; a trial that is over, or unknown, is changed."""
    whole, said = zoo.made("journal")[0].read_bytes(), zoo.made("journal")[1]
    again = next(line for line in whole.splitlines() if b'"study_name":"least"' in line)
    late = (
        b'{"op_code":6,"worker_id":"w","trial_id":%d,"state":1,"values":[-9.0],'
        b'"datetime_complete":"2026-11-22T03:00:00+00:00"}'
    )
    (tmp_path / "a.log").write_bytes(whole + b"\n".join((again, late % 5, late % 999, b"")))
    found = {name: told(study) for name, study in read(tmp_path / "a.log").items()}
    assert as_text(found) == as_text(said)


def test_a_line_that_is_not_whole_yet_is_left_for_later(tmp_path: Path) -> None:
    whole = zoo.made("journal")[0].read_bytes()
    (tmp_path / "a.log").write_bytes(whole + b'{"op_code": 1, "study')
    assert len(read(tmp_path / "a.log")) == len(zoo.made("journal")[1])
