"""Databases in WAL mode are read as they were last committed, whoever writes meanwhile."""

from __future__ import annotations

import io
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from artifact_janitor import wal
from artifact_janitor.observe.sqlite import Unreadable, reading


class Meddled(io.BufferedReader):
    """A file that somebody writes to in the moment after it was read for the first time."""

    meddle: Callable[[], None] | None = None

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        meddle, self.meddle = self.meddle, None
        if meddle:
            meddle()
        return count


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(connect(tmp_path / "a.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE first (n)")
        db.execute("CREATE TABLE second (n)")
    return tmp_path / "a.db"


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def seen(path: Path, meddle: Callable[[], None]) -> list[tuple[int, int]]:
    """How many rows both tables have in an image, if `meddle` comes between its two reads."""
    with Meddled(io.FileIO(path)) as file:
        file.meddle = meddle
        image = wal.image(file, path)
    assert image is not None
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(bytes(image))
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return db.execute(
            "SELECT (SELECT count(*) FROM first), (SELECT count(*) FROM second)"
        ).fetchall()


def test_a_log_that_is_begun_anew_meanwhile(path: Path) -> None:
    """Old pages with a log that holds only what came later would lose what came between."""
    with closing(connect(path)) as db:
        db.execute("INSERT INTO first VALUES (1)")

        def meddle() -> None:
            db.execute("PRAGMA wal_checkpoint(RESTART)")
            db.execute("INSERT INTO second VALUES (1)")

        assert seen(path, meddle) == [(1, 1)]


def test_a_log_that_comes_and_goes_meanwhile(path: Path) -> None:
    def meddle() -> None:
        with closing(connect(path)) as db:
            db.execute("INSERT INTO first VALUES (1)")

    assert not path.with_name("a.db-wal").exists()
    assert seen(path, meddle) == [(1, 0)]


def test_a_checkpoint_meanwhile_does_no_harm(path: Path) -> None:
    with closing(connect(path)) as db:
        db.execute("INSERT INTO first VALUES (1)")

        def meddle() -> None:
            db.execute("PRAGMA wal_checkpoint").fetchall()

        assert seen(path, meddle) == [(1, 0)]


def test_a_database_that_shrank_is_shorter(path: Path) -> None:
    with closing(connect(path)) as db:
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.executemany("INSERT INTO first VALUES (?)", [("x" * 1000,)] * 500)
        db.execute("PRAGMA wal_checkpoint")
        db.execute("DELETE FROM first")
        db.execute("VACUUM")
        assert seen(path, lambda: None) == [(0, 0)]


@pytest.mark.parametrize("size", [2**31, 2**20])
def test_a_log_that_claims_too_much_is_damaged(path: Path, size: int) -> None:
    """With checksums that are right: nobody fills our memory by writing a large number."""
    with closing(connect(path)) as db:
        db.execute("INSERT INTO first VALUES (1)")
        log = path.with_name("a.db-wal")
        content = bytearray(log.read_bytes())
        page = struct.unpack_from(">I", content, 8)[0]
        last = len(content) - page - 24
        struct.pack_into(">I", content, last + 4, size)
        sums = wal._Sums(is_big=content[3] == 0x83)
        sums.over(bytes(content[:24]))
        for start in range(32, last + 1, page + 24):
            found = sums.over(
                bytes(content[start : start + 8]), bytes(content[start + 24 : start + 24 + page])
            )
        struct.pack_into(">2I", content, last + 16, *found)
        log.write_bytes(content)
        with pytest.raises(Unreadable, match="damaged"), reading(path):
            pass


def image(path: Path) -> bytes:
    with path.open("rb") as file:
        found = wal.image(file, path)
    assert found is not None
    return bytes(found)


def is_as_new(path: Path) -> bool:
    """Whether it is seen as by a process that looks for the first time."""
    again = image(path)
    wal._before.pop(path, None)
    return again == image(path)


def test_a_log_that_is_read_again_and_again(path: Path) -> None:
    """Each time as if for the first time: it grows, is rolled back, begun anew, replaced."""
    with closing(connect(path)) as db:
        db.execute("PRAGMA cache_size = 2")  # what is not committed yet is in the log as well
        for number in range(24):
            db.execute("BEGIN")
            db.executemany("INSERT INTO first VALUES (?)", [(f"{number}" * 99,)] * (number * 7))
            assert is_as_new(path), number
            db.execute(("COMMIT", "ROLLBACK", "COMMIT")[number % 3])
            assert is_as_new(path), number
            if number % 11 == 10:
                db.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        log = path.with_name("a.db-wal")
        kept = log.read_bytes()
        db.execute("DELETE FROM first")
        assert is_as_new(path)
        grown = log.read_bytes()
        for content in (kept, grown, kept[:9000], grown, b""):  # somebody puts another one there
            log.write_bytes(content)
            assert is_as_new(path), len(content)


def test_what_was_checked_is_not_checked_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked, over = [0], wal._Sums.over

    def counted(self: wal._Sums, *parts: bytes) -> tuple[int, int]:
        checked[0] += len(parts) == 2
        return over(self, *parts)

    monkeypatch.setattr(wal._Sums, "over", counted)
    with closing(connect(path)) as db:
        db.executemany("INSERT INTO first VALUES (?)", [("x" * 99,)] * 50)
        first = image(path)
        assert checked[0] > 40
        checked[0] = 0
        assert image(path) == first
        db.execute("INSERT INTO first VALUES ('y')")
        assert image(path) != first
        assert checked[0] < 4


def test_few_logs_are_remembered(path: Path, tmp_path: Path) -> None:
    with closing(connect(path)) as db:
        db.execute("INSERT INTO first VALUES (1)")
        for number in range(wal._MOST + 5):
            for end in ("", "-wal"):
                content = path.with_name(path.name + end).read_bytes()
                (tmp_path / f"{number}.db{end}").write_bytes(content)
            with reading(tmp_path / f"{number}.db"):
                pass
    assert len(wal._before) == wal._MOST
    assert tmp_path / f"{number}.db" in wal._before
