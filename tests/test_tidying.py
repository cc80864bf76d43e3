"""What a failing disk let nobody remove goes with the next start, and nothing else does."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from artifact_janitor.errors import JournalError
from artifact_janitor.journal import Journal
from tests.real.kills import needs_strace, strace
from tests.real.small import FREE, Small, done, small
from tests.real.snapshot import difference, snapshot

pytestmark = needs_strace
COMPRESS = FREE + '[[policy]]\nkind = "log"\nkeep_within = "7d"\nthen = "compress"\n'
COMPRESS = COMPRESS.replace('[[policy]]\nkind = "log"\nkeep_within = "7d"\n\n', "")
LATER = FREE.replace("7d", "99d")
RUN, LOG = "outputs/day/run", "logs/a.log"
WORDS = "".join(f"step {n} loss {1 / (n + 1)}\n" for n in range(2000))


@pytest.fixture
def work(tmp_path: Path) -> Small:
    """In which janitors have been before."""
    work = small(tmp_path, LATER)
    work.hydra(30, RUN)
    assert work.janitor("pin", RUN).code == work.janitor("unpin", RUN).code == 0
    return work


def fails(work: Small, *args: str, renames: int) -> None:
    """A command on a disk that renames so often, and no more, and removes nothing."""
    running = work.start(*args, traced=True)
    calls = "trace=renameat2,unlink,unlinkat,rmdir"
    late = f"inject=renameat2:error=EIO:when={renames + 1}+"
    never = "inject=unlink,unlinkat,rmdir:error=EIO"
    with strace(running.pid, "-o", os.devnull, "-e", calls, "-e", late, "-e", never):
        assert running.wait() in (1, 4), running.errors.read_text()


def inside(work: Small, folder: str) -> list[str]:
    """All files in one of the janitor's own folders."""
    top = work.root / ".janitor" / folder
    return [str(each.relative_to(top)) for each in top.rglob("*") if each.is_file()]


@pytest.mark.parametrize("renames", [0, 2, 3], ids=["no name", "half named", "named"])
def test_an_archive_of_no_use(work: Small, renames: int) -> None:
    fails(work, "archive", RUN, renames=renames)
    assert work.there(RUN)
    assert len(inside(work, "archive")) > 1
    assert work.janitor("run", "--yes").code == 0
    assert inside(work, "archive") == ["RESTORE.txt"]
    with closing(work.journal()) as journal:
        assert journal.archives.all() == []
    assert done(work.janitor("archive", RUN)) == {RUN}


def test_an_archive_of_no_use_is_kept_where_its_source_is_gone(work: Small) -> None:
    """Somebody removed it since: now it is all there is."""
    fails(work, "archive", RUN, renames=3)
    before = inside(work, "archive")
    (work.root / RUN).rename(work.root / "elsewhere")
    assert work.janitor("run", "--yes").code == 0
    assert sorted(inside(work, "archive")) == sorted(before)


def test_what_was_unpacked_and_did_not_reach_its_place(work: Small) -> None:
    before = snapshot(work.root / RUN)
    assert work.janitor("archive", RUN).code == 0
    fails(work, "restore", RUN, renames=0)
    assert inside(work, "restoring")
    assert work.janitor("run", "--yes").code == 0
    assert work.leftovers() == ["archive"]
    assert work.janitor("restore", RUN).code == 0
    assert difference(before, snapshot(work.root / RUN)) == []


@pytest.mark.parametrize("renames", [0, 1], ids=["no name", "named"])
def test_a_log_that_was_compressed_in_vain(work: Small, renames: int) -> None:
    work.configure(COMPRESS)
    work.write(LOG, WORDS, days=30)
    fails(work, "run", "--yes", "--only", "log", renames=renames)
    assert work.there(LOG)
    assert work.there(f"{LOG}.zst") == bool(renames)
    assert len(inside(work, "compressing")) == 1 - renames
    answer = work.janitor("run", "--yes", "--only", "log")
    assert done(answer) == {LOG}, answer
    assert work.there(f"{LOG}.zst")
    assert not work.there(LOG)
    assert work.leftovers() == []


@pytest.mark.parametrize("place", [f"{LOG}.zst", ".janitor/compressing/*/*"])
def test_what_somebody_wrote_to_since_stays(work: Small, place: str) -> None:
    work.configure(COMPRESS)
    work.write(LOG, WORDS, days=30)
    fails(work, "run", "--yes", "--only", "log", renames=int(place.startswith(LOG)))
    (made,) = work.root.glob(place)
    made.write_text("mine")
    for _ in "12":
        work.janitor("run", "--yes", "--only", "log")
    assert made.read_text() == "mine"
    assert work.there(LOG) or work.there(f"{LOG}.zst")


def test_what_an_undone_log_was_compressed_to(work: Small) -> None:
    """It could not go to the trash when the log came back."""
    work.configure(COMPRESS)
    work.write(LOG, WORDS, days=30)
    assert work.janitor("run", "--yes", "--only", "log").code == 0
    running = work.start("undo", traced=True)
    trace = ["-e", "trace=renameat2", "-e", "inject=renameat2:error=EIO:when=2+"]
    with strace(running.pid, "-o", os.devnull, *trace):
        assert running.wait() == 0
    assert work.there(LOG, f"{LOG}.zst")
    assert work.janitor("run", "--yes").code == 0
    assert work.there(LOG)
    assert not work.there(f"{LOG}.zst")
    assert work.leftovers() == []


def test_what_came_back_and_can_not_be_pinned_stays_away(work: Small) -> None:
    """Else the next sweep would take it again."""
    assert work.janitor("archive", RUN).code == 0
    running = work.start("restore", RUN, first=cannot_pin)
    assert running.wait() == 1, running.errors.read_text()
    assert not work.there(RUN)
    assert work.leftovers() == ["archive"]
    assert work.janitor("restore", RUN).code == 0
    work.configure(FREE)
    assert work.janitor("run", "--yes").code == 0
    assert work.there(RUN)


def cannot_pin() -> None:
    def fails(*_: object) -> NoReturn:
        raise JournalError("the disk can't write the journal", "see dmesg")

    Journal.pin = fails  # type: ignore[method-assign]
