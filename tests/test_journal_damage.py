"""A damaged journal: who rebuilds it, when, of what, and what is told. `tests/proof` damages it in
thousands of ways."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from artifact_janitor.errors import JournalError
from artifact_janitor.journal import file, pages
from artifact_janitor.journal.values import row_of
from artifact_janitor.state import State
from tests.real.kills import needs_strace, strace
from tests.real.small import FREE, Small, done, small

JOURNAL = ".janitor/journal.db"
GONE, PINNED, OLD = "outputs/gone", "outputs/pinned", "outputs/old"
GARBAGE = b"no database at all" * 1000


@pytest.fixture
def work(tmp_path: Path) -> Small:
    """One run in the trash, one pinned, and one that would go next."""
    (tmp_path / "project").mkdir()
    found = small(tmp_path / "project", FREE)
    found.hydra(30, GONE)
    found.run()
    found.hydra(31, PINNED)
    assert found.janitor("pin", PINNED).code == 0
    found.hydra(32, OLD)
    return found


def damage(work: Small, content: bytes = GARBAGE) -> bytes:
    (work.root / JOURNAL).write_bytes(content)
    return content


def aside(work: Small) -> list[Path]:
    found = sorted(work.root.glob(f"{JOURNAL}.damaged-*"))
    return [each for each in found if not each.name.endswith(("-wal", "-shm"))]


def zero_page(work: Small) -> None:
    damage(work, bytes(4096) + (work.root / JOURNAL).read_bytes()[4096:])


def test_nothing_goes_until_a_person_says_so(work: Small) -> None:
    content = damage(work)
    for command in ("plan", "status", "history"):
        answer = work.janitor(command)
        assert answer.code == 1, answer
        assert "janitor run sets it aside" in answer.said["errors"][0]["hint"]
    assert aside(work) == []
    first = work.janitor("run", "--yes")
    assert first.code == 4, first
    assert done(first) == set()
    assert [each.read_bytes() for each in aside(work)] == [content]
    assert any("outputs/gone" in said for said in first.facts["recovered"])
    (refused,) = work.janitor("plan").rows("refused")
    assert (refused["code"], refused["kind"]) == ("journal", "")
    assert "pins" in refused["message"]
    assert "no pin is known" in refused["hint"]
    assert work.janitor("run", "--yes").code == 4
    assert work.janitor("pin", PINNED).code == 0
    last = work.janitor("run", "--override-guards")
    assert (last.code, done(last)) == (0, {OLD})
    assert work.janitor("plan").rows("refused") == []
    assert work.janitor("undo", "--last", "9").code == 0
    assert work.there(GONE, OLD, PINNED)
    assert len(aside(work)) == 1


def test_what_is_held_back_is_so_after_further_damage(work: Small) -> None:
    zero_page(work)
    assert work.janitor("run", "--yes").code == 4
    with closing(sqlite3.connect(work.root / JOURNAL)) as db:
        db.execute("DROP INDEX step_by_state")
        db.execute("PRAGMA user_version = 0")  # all rows can be read
    again = work.janitor("run", "--yes")
    assert again.code == 4, again
    assert {each["path"] for each in work.janitor("status").facts["pins"]} == {PINNED}
    assert len(aside(work)) == 2


def test_where_all_rows_are_read_it_goes_on(work: Small) -> None:
    with closing(sqlite3.connect(work.root / JOURNAL)) as db:
        db.execute("PRAGMA user_version = 0")
    answer = work.janitor("run", "--yes")
    assert (answer.code, done(answer)) == (0, {OLD})
    assert work.there(PINNED)


@pytest.mark.parametrize("content", [None, b""])
def test_a_journal_that_is_gone(work: Small, content: bytes | None) -> None:
    journal = work.root / JOURNAL
    journal.unlink() if content is None else journal.write_bytes(content)
    for beside in work.root.glob(f"{JOURNAL}-*"):
        beside.unlink()
    assert work.janitor("plan").code == 1
    assert work.janitor("run", "--yes").code == 4
    assert work.janitor("undo").code == 0
    assert work.there(GONE, OLD, PINNED)


@needs_strace
def test_a_disk_that_cannot_read_is_no_damage(work: Small) -> None:
    before = (work.root / JOURNAL).read_bytes()
    running = work.start("run", "--yes", traced=True)
    inject = "inject=pread64:error=EIO"
    with strace(running.pid, "-o", os.devnull, "-e", "trace=pread64", "-e", inject):
        assert running.wait() == 1
    assert "disk" in running.errors.read_text()
    assert aside(work) == []
    assert (work.root / JOURNAL).read_bytes() == before
    assert not work.there(f".janitor/{file.SUSPECT}")
    assert done(work.janitor("run", "--yes")) == {OLD}


@needs_strace
def test_a_disk_that_could_not_read_once_is_no_damage(work: Small) -> None:
    """SQLite says "malformed" then."""
    for nth in range(1, 40, 3):
        running = work.start("run", "--yes", traced=True)
        inject = f"inject=pread64:error=EIO:when={nth}"
        with strace(running.pid, "-o", os.devnull, "-e", "trace=pread64", "-e", inject):
            assert running.wait() in (0, 1)
    assert work.janitor("run", "--yes").code == 0
    assert aside(work) == []
    assert not work.there(f".janitor/{file.SUSPECT}", OLD)
    assert work.there(PINNED)


def test_of_two_janitors_one_rebuilds(work: Small) -> None:
    damage(work)
    both = [work.start("run", "--yes") for _ in "12"]
    assert {each.wait() for each in both} <= {4, 5}
    assert len(aside(work)) == 1


def test_nobody_rebuilds_what_another_is_at(work: Small) -> None:
    damage(work)
    with State(work.root).sweep("abcd"):
        answer = work.janitor("run", "--yes")
    assert answer.code == 5, answer
    assert aside(work) == []


def test_whoever_has_the_old_one_open_writes_nothing_more(work: Small) -> None:
    with closing(work.journal()) as old:
        damaged = bytearray((work.root / JOURNAL).read_bytes())
        (work.root / JOURNAL).rename(work.root / "elsewhere")
        damage(work, bytes(damaged))
        with pytest.raises(JournalError, match="another journal"):
            old.set_clock(1, 1, "")


def test_damage_that_shows_in_the_middle_is_mended_by_the_next(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a large journal, of which not all is looked at before."""
    monkeypatch.setattr(file, "SMALL", 0)
    with closing(sqlite3.connect(work.root / JOURNAL)) as db:
        ((page,),) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'move'")
    content = (work.root / JOURNAL).read_bytes()
    damage(work, content[: (page - 1) * 4096] + b"\xff" * 4096 + content[page * 4096 :])
    first = work.janitor("run", "--yes")
    assert first.code == 1, first
    assert "damaged" in first.said["errors"][0]["message"]
    assert work.there(OLD, PINNED)
    assert work.janitor("run", "--yes").code == 4
    assert not work.there(f".janitor/{file.SUSPECT}")
    assert work.janitor("undo", "--last", "9").code == 0
    assert work.there(GONE)


def test_a_run_that_is_there_again_is_not_mixed_with_the_one_in_the_trash(work: Small) -> None:
    """Even where the owner alone may enter it, as the janitor's own folders of the trash."""
    work.hydra(1, GONE)
    for folder in work.root.glob(f".janitor/trash/*/{GONE}"):
        folder.chmod(0o700)
    (work.root / GONE / "metrics.json").unlink(missing_ok=True)
    damage(work)
    assert work.janitor("run", "--yes").code == 4
    undone = work.janitor("undo")
    assert undone.code == 3
    assert [row["path"] for row in undone.rows("steps")] == [GONE]


def test_each_page_by_itself_tells_what_sqlite_does(tmp_path: Path) -> None:
    """Rows on one page, on several, of tables with rowids and without."""
    path = tmp_path / "a.db"
    with closing(file.make(path)) as db:
        for n in range(300):
            db.execute("INSERT INTO pin VALUES (?,?,?)", (b"p%d" % n, "n" * (n * 37 % 9000), -n))
            config = (b"p", n, "k", f"d{n}", "i" * (n % 5000 + n * 13))
            db.execute("INSERT INTO config VALUES (?,?,?,?,?)", config)
        pins = {*db.execute("SELECT * FROM pin")}
        configs = {*db.execute("SELECT * FROM config")}
    content = path.read_bytes()
    found = {each.values for each in pages.rows(content, pages.size_of(content))}
    assert pins <= found
    assert configs <= found


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("sweep", ("../../x", "run", 0, 1, 2)),
        ("move", (1, b"outputs/a", b"/etc/.janitor/restoring/x", 1, 2, None, None)),
        ("move", (1, b"outputs/../../a", b".janitor/trash/x/a", 1, 2, None, None)),
        ("pin", (b"outputs/../../x", "", 1)),
        ("pin", ("outputs", "", 1)),
        ("archive", (1, b"store", "../x", 1, 2, 3, "", 0)),
        ("content", ("0" * 64, b"x")),
        ("step", (1, "s", "trash", "log", b"/x/../y", 0, 0, "", "[]", None, "done", "", 1)),
        ("step", (1, "s", "trash", "log", b"logs/y", 0, 0, "", "{}", None, "done", "", 1)),
        ("step", (1, "s", "trash", "log", b"logs/y", 0, 0, "", "[]", None, "gone", "", 1)),
    ],
)
def test_a_row_that_no_janitor_wrote_is_none(table: str, row: tuple[object, ...]) -> None:
    assert row_of(table, row) is None  # type: ignore[arg-type]


@needs_strace
@pytest.mark.parametrize("nth", range(4, 10))
def test_a_disk_that_could_not_read_while_the_journal_was_made(tmp_path: Path, nth: int) -> None:
    work = small(tmp_path)
    old = work.hydra(30, "outputs/first/run")
    running = work.start("run", "--yes", traced=True)
    inject = f"inject=pread64:error=EIO:when={nth}"
    with strace(running.pid, "-o", os.devnull, "-e", "trace=pread64", "-e", inject):
        assert running.wait() in (0, 1)
    assert work.janitor("run", "--yes").code == 0
    assert (aside(work), work.there(old)) == ([], False)
    with closing(work.journal()) as journal:
        assert journal.rebuilds.last() is None


def test_what_sqlite_says_of_a_broken_schema_is_no_text(work: Small) -> None:
    journal = work.root / JOURNAL
    content = bytearray(journal.read_bytes())
    content[content.index(b"CREATE TABLE", 100) + 2] = 0xF3
    journal.write_bytes(content)
    assert work.janitor("run", "--yes").code == 4
    assert len(aside(work)) == 1
    assert work.there(OLD, PINNED)
    assert work.janitor("undo").code == 0
    assert work.there(GONE)
