"""``then = "compress"``: logs as Python's logging leaves them become what ``zstdcat`` reads."""

from __future__ import annotations

import bz2
import gzip
import logging.handlers
import lzma
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from artifact_janitor import sweep
from artifact_janitor.apply.archive.flow import CHUNK, LARGE
from artifact_janitor.core.compressing import NO_GAIN
from artifact_janitor.core.model import Pin
from artifact_janitor.execution import Options
from tests.real.disks import needs_root, small_disk
from tests.real.small import Small, small, why
from tests.real.snapshot import difference, snapshot

POLICY = '[[policy]]\nkind = "log"\nkeep_within = "7d"\nthen = "compress"\n'
EXPIRING = POLICY + 'expire = "365d"\n'
WORDS = "".join(
    f"2026-08-13 10:00:{n % 60:02} INFO step {n} loss {1 / (n + 1)}\n" for n in range(900)
)


@pytest.fixture
def work(tmp_path: Path) -> Small:
    found = small(tmp_path)
    found.configure(EXPIRING)
    return found


def old(work: Small, *names: str, content: str | bytes = WORDS, days: float = 30) -> None:
    for name in names:
        work.write(f"logs/{name}", content, days=days)


def reads(file: Path) -> bytes:
    """By the stock tool, without an option."""
    if not shutil.which("zstdcat"):
        pytest.skip("zstdcat is not installed")
    return subprocess.run(["zstdcat", str(file)], check=True, capture_output=True).stdout


def left(work: Small) -> list[str]:
    return sorted(os.listdir(work.root / "logs"))


def sound(work: Small) -> bool:
    """Nothing half done lies anywhere."""
    assert work.leftovers() == []
    assert [*work.root.glob("**/compressing")] == []
    return True


# ------------------------------------------------------------ there and back


def test_rotated_logs_are_compressed_and_the_one_in_use_is_not(work: Small) -> None:
    (work.root / "logs").mkdir()
    path = work.root / "logs" / "app.log"
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=40_000, backupCount=3)
    for n in range(2500):
        handler.emit(logging.makeLogRecord({"msg": f"step %d of {WORDS[:60]!r}", "args": (n,)}))
    was = {name: (work.root / "logs" / name).read_bytes() for name in left(work)}
    for name in was:
        file = work.root / "logs" / name
        file.chmod(0o640)
        os.setxattr(file, "user.origin", b"a test")
        if os.geteuid() == 0:
            os.chown(file, 1234, 4321)
        os.utime(file, ns=(1, time.time_ns() - 30 * 86_400 * 10**9 + 7))
    marks = {name: (work.root / "logs" / name).stat() for name in was}
    try:
        answer = work.janitor("run", "--yes")
    finally:
        handler.close()
    assert answer.code == 0, answer
    assert "live" in why(answer, "logs/app.log"), "its handler holds it open"
    assert left(work) == ["app.log", *(f"app.log.{n}.zst" for n in (1, 2, 3))]
    for name in ("app.log.1", "app.log.2", "app.log.3"):
        file = work.root / "logs" / f"{name}.zst"
        now, before = file.stat(), marks[name]
        assert reads(file) == was[name]
        for field in ("st_mode", "st_uid", "st_gid", "st_mtime_ns"):
            assert getattr(now, field) == getattr(before, field)
        assert os.getxattr(file, "user.origin") == b"a test"
    assert len(work.trash()) == 3
    assert sound(work)


def test_a_second_sweep_finds_nothing_to_do(work: Small) -> None:
    old(work, "a.log", "deep/er/b.out", "c.err.2026-08-01", "caf\udce9.log")
    before = work.janitor("plan").rows("steps")
    assert {row["do"] for row in before} == {"compress"}
    report = work.janitor("run", "--yes")
    for planned, done in zip(before, report.rows("steps"), strict=True):
        size = (work.root / (done["path"] + ".zst")).stat().st_blocks * 512
        assert done["frees"] == done["bytes"] - size
        assert done["frees_now"] == -size
        assert 0 < planned["frees"] <= done["frees"]
        assert planned["frees_now"] < 0
    again = work.janitor("plan")
    assert again.rows("steps") == []
    kept = {row["path"]: (row["kind"], row["reasons"]) for row in again.rows("kept")}
    assert kept["logs/deep/er/b.out.zst"] == ("log", ["compressed already"])
    assert "compressed already" in work.said("why", "logs/a.log.zst")
    assert "4 units compressed" in work.said("history")


def test_undo_exchanges_them_again(work: Small) -> None:
    old(work, "a.log", "b.log")
    before = snapshot(work.root / "logs")
    first = work.janitor("run", "--yes").facts["sweep"]
    answer = work.janitor("undo")
    assert answer.code == 0, answer
    assert difference(before, snapshot(work.root / "logs")) == []
    assert {Path(each).name for each in work.trash()} == {"a.log.zst", "b.log.zst"}
    assert sound(work)
    assert work.janitor("plan").rows("steps") == [], "they are pinned"
    assert work.janitor("undo").rows("steps") == [], "an undo is none of the last sweeps"
    assert work.janitor("undo", f"undo-{first}").code == 0
    assert left(work) == ["a.log", "a.log.zst", "b.log", "b.log.zst"]


def test_a_step_is_undone_by_either_of_its_numbers(work: Small) -> None:
    old(work, "a.log", "b.log")
    name = work.janitor("run", "--yes").facts["sweep"]
    steps = work.janitor("history", name).rows("sweeps")[0]["steps"]
    for number, step in enumerate(steps, 1):
        if step["do"] == "compress":
            assert work.janitor("undo", f"{name}.{number}").code == 0
    assert left(work) == ["a.log", "b.log"]


def test_undo_leaves_what_was_made_of_the_compressed_file(work: Small) -> None:
    old(work, "appended.log", "gone.log", "pinned.log", "replaced.log")
    assert work.janitor("run", "--yes").code == 0
    logs = work.root / "logs"
    with (logs / "appended.log.zst").open("ab") as file:
        file.write(b"a person's")
    (logs / "gone.log.zst").unlink()
    work.write("logs/new", b"a person's", days=30)
    os.replace(logs / "new", logs / "replaced.log.zst")
    work.janitor("pin", "logs/pinned.log.zst")
    answer = work.janitor("undo")
    assert answer.code == 0
    said = {row["path"]: row["why"] for row in answer.rows("steps")}
    assert "changed since" in said["logs/appended.log"]
    assert "changed since" in said["logs/replaced.log"]
    assert "is pinned" in said["logs/pinned.log"]
    assert said["logs/gone.log"] == ""
    for name in ("appended.log", "gone.log", "pinned.log", "replaced.log"):
        assert (logs / name).read_text() == WORDS
    assert (logs / "replaced.log.zst").read_bytes() == b"a person's"
    assert (logs / "appended.log.zst").read_bytes().endswith(b"a person's")
    assert reads(logs / "pinned.log.zst") == WORDS.encode()


def test_a_log_that_was_begun_anew_is_in_the_way_of_undo_and_stays(work: Small) -> None:
    old(work, "a.log")
    work.janitor("run", "--yes")
    work.write("logs/a.log", "a new day\n")
    answer = work.janitor("undo")
    assert answer.code == 3
    assert "is there already" in str(answer.said["errors"])
    assert (work.root / "logs/a.log").read_text() == "a new day\n"
    assert reads(work.root / "logs/a.log.zst") == WORDS.encode()


def test_what_was_purged_is_still_there_compressed(work: Small) -> None:
    old(work, "a.log")
    name = work.janitor("run", "--yes").facts["sweep"]
    work.configure(EXPIRING + '[safety]\ntrash_keep = "0s"\n')
    assert [row["do"] for row in work.janitor("run", "--yes").rows("steps")] == ["purge"]
    answer = work.janitor("undo", name)
    assert answer.code == 3
    assert "zstdcat logs/a.log.zst" in str(answer.said["errors"])
    assert reads(work.root / "logs/a.log.zst") == WORDS.encode()


# ------------------------------------------------------------ what is left alone


def test_what_can_or_need_not_be_compressed_stays_and_says_why(work: Small) -> None:
    body = WORDS.encode()
    old(work, "empty.log", content=b"")
    old(work, "small.log", content=b"words\n")
    old(work, "a.log.gz", content=gzip.compress(body * 9))
    old(work, "a.log.1.bz2", content=bz2.compress(body * 9))
    old(work, "a.log.2.xz", content=lzma.compress(body * 9))
    old(work, "linked.log", "taken.log", "tracked.log", "pinned.log", "link", "l" * 250 + ".log")
    old(work, "taken.log.zst", content=b"a person's")
    logs = work.root / "logs"
    os.link(logs / "linked.log", work.root / "elsewhere.log")
    os.symlink("tracked.log", logs / "symlink.log")
    (logs / "folder.log").mkdir()
    old(work, "dangling.log")
    os.symlink("nowhere", logs / "dangling.log.zst")
    work.write("outputs/2026-08-13/10-00-00/.hydra/hydra.yaml", "hydra:\n  run: {}\n", days=40)
    work.janitor("pin", "logs/pinned.log")
    for args in (["init", "-q"], ["add", "-f", "logs/tracked.log"]):
        subprocess.run(["git", *args], cwd=work.root, check=True, capture_output=True)
    assert work.janitor("gitignore", "sync").code == 0
    before = snapshot(work.root)
    answer = work.janitor("run", "--yes")
    assert answer.code == 0, answer
    assert answer.rows("steps") == []
    assert difference(before, snapshot(work.root)) == []
    for name, says in {
        "empty.log": "empty",
        "small.log": "too small",
        "a.log.gz": "compressed already",
        "a.log.1.bz2": "compressed already",
        "a.log.2.xz": "compressed already",
        "linked.log": "2 names",
        "taken.log": "taken.log.zst is there already",
        "dangling.log": "dangling.log.zst is there already",
        "tracked.log": "",
        "pinned.log": "pinned",
        "l" * 250 + ".log": "too long",
    }.items():
        assert says in why(answer, f"logs/{name}"), name


def test_a_run_keeps_its_log_and_curves_their_files(work: Small) -> None:
    run = work.hydra(30)
    program = "from torch.utils.tensorboard import SummaryWriter as W; W('logs/fit').close()"
    subprocess.run([sys.executable, "-c", program], cwd=work.root, check=True, capture_output=True)
    for file in (work.root / "logs/fit").iterdir():
        moment = time.time() - 30 * 86_400
        os.utime(file, (moment, moment))
    work.configure(EXPIRING + '[[policy]]\nkind = "hydra-run"\nkeep_within = "90d"\n')
    before = snapshot(work.root / run)
    answer = work.janitor("run", "--yes")
    assert answer.rows("steps") == []
    assert "TensorBoard" in why(answer, "logs/fit")
    assert difference(before, snapshot(work.root / run)) == []


def test_what_gains_nothing_is_tried_once_until_it_changes(work: Small) -> None:
    noise = os.urandom(60_000).replace(b"\0", b"x")
    old(work, "noise.log", content=noise)
    answer = work.janitor("run", "--yes")
    assert answer.code == 0
    assert NO_GAIN in why(answer, "logs/noise.log")
    assert left(work) == ["noise.log"]
    assert sound(work)
    again = work.janitor("plan")
    assert again.rows("steps") == []
    assert NO_GAIN in why(again, "logs/noise.log")
    old(work, "noise.log", content=noise + WORDS.encode() * 9)
    assert work.janitor("run", "--yes").rows("steps")[0]["outcome"] == "done"
    assert left(work) == ["noise.log.zst"]


def test_many_logs_at_once_are_no_share_that_goes(work: Small) -> None:
    """More than wait for each other; the content stays, so no guard counts them, then or later."""
    names = [f"{n}.log" for n in range(35)]
    old(work, *names)
    answer = work.janitor("run", "--yes")
    assert answer.code == 0, answer
    assert left(work) == sorted(f"{name}.zst" for name in names)
    assert work.journal().recent(0) == {}


# ------------------------------------------------------------ while it is compressed


def appended(work: Small, name: str) -> None:
    with (work.root / name).open("a") as file:
        file.write("one more line\n")


def written_over(work: Small, name: str) -> None:
    """With the same length, and the old mtime put back."""
    file = work.root / name
    before = file.stat()
    with file.open("r+b") as there:
        there.write(b"9999")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def truncated(work: Small, name: str) -> None:
    os.truncate(work.root / name, 5000)


def exchanged(work: Small, name: str) -> None:
    os.replace(work.write("other", WORDS * 40, days=30), work.root / name)


def linked(work: Small, name: str) -> None:
    os.link(work.root / name, work.root / "logs" / f"second-{Path(name).name}.txt")


def pinned(work: Small, name: str) -> None:
    work.journal().pin(Pin(name))


def taken(work: Small, name: str) -> None:
    (work.root / f"{name}.zst").write_text("a person's\n")


def removed(work: Small, name: str) -> None:
    (work.root / name).unlink()


ACTS = (appended, written_over, truncated, exchanged, linked, pinned, taken, removed)


def carried_out(work: Small, *acts: tuple[str, Callable[[], None]]) -> sweep.Report:
    """A sweep of logs larger than a chunk. While the first is worked on the first thing is done,
    as soon as this work begins, with more to come; then likewise the second, and so on."""
    waiting = [*acts]
    begun: list[Callable[[], None]] = []
    at = ""

    def tick(what: str, done: int, _total: int) -> None:
        nonlocal at
        if what == "compressing" and done <= CHUNK and waiting:
            at, act = waiting.pop(0)
            begun[:] = [act]
        if what == at and begun:
            begun.pop()()

    return sweep.run(work.settings, work.look(), Options(), tick=tick)


def test_what_happens_meanwhile_leaves_all_as_it_is(work: Small) -> None:
    work.configure(POLICY)
    cases = [(at, act) for at in ("compressing", "reading back") for act in ACTS]
    names = [f"logs/{n}-{act.__name__}.log" for n, (_, act) in enumerate(cases)]
    for n, name in enumerate(names):
        work.write(name, WORDS * 40, days=60 - n)
    acts = [(at, partial(act, work, name)) for (at, act), name in zip(cases, names, strict=True)]
    report = carried_out(work, *acts)
    assert [each.step.path for each in report.outcomes] == names
    assert {each.outcome for each in report.outcomes} == {"skipped"}
    assert all(each.why for each in report.outcomes)
    assert work.trash() == []
    assert sound(work)
    for name, (_, act) in zip(names, cases, strict=True):
        assert work.there(name) == (act is not removed), name
        assert work.there(f"{name}.zst") == (act is taken), name
        if act is taken:
            assert (work.root / f"{name}.zst").read_text() == "a person's\n"


def test_what_was_removed_after_it_was_compressed_is_kept_compressed(work: Small) -> None:
    """It may be all that is left of it."""
    old(work, "a.log", "b.log", content=WORDS * 40)
    then = partial(removed, work, "logs/a.log")
    report = carried_out(work, ("compressing", lambda: None), ("compressing", then))
    assert [each.outcome for each in report.outcomes] == ["skipped", "done"]
    assert reads(work.root / "logs/a.log.zst") == WORDS.encode() * 40


def test_what_somebody_made_of_the_compressed_file_at_once_stays_too(work: Small) -> None:
    """The log stays after all, and its compressed form would go."""
    old(work, "a.log", "b.log", content=WORDS * 40)
    packed = work.root / "logs/a.log.zst"

    def then() -> None:
        pinned(work, "logs/a.log")
        packed.write_bytes(b"a person's")

    report = carried_out(work, ("compressing", lambda: None), ("compressing", then))
    assert [each.outcome for each in report.outcomes] == ["skipped", "done"]
    assert "was changed meanwhile, and stays" in report.outcomes[0].why
    assert packed.read_bytes() == b"a person's"
    assert work.there("logs/a.log", "logs/b.log.zst")
    assert sound(work)


def test_a_process_that_opens_it_meanwhile_keeps_it(work: Small) -> None:
    old(work, "a.log", content=WORDS * 40)
    opened = []

    def open_it() -> None:
        program = "import sys, time; file = open(sys.argv[1], 'a'); print(1, flush=True); input()"
        line = [sys.executable, "-c", program, str(work.root / "logs/a.log")]
        pipe = subprocess.PIPE
        opened.append(subprocess.Popen(line, stdin=pipe, stdout=pipe))
        assert opened[0].stdout
        opened[0].stdout.readline()

    try:
        (outcome,) = carried_out(work, ("reading back", open_it)).outcomes
    finally:
        opened[0].communicate(b"\n")
    assert (outcome.outcome, "live" in outcome.why) == ("skipped", True), outcome
    assert left(work) == ["a.log"]
    assert sound(work)


def test_what_is_not_read_back_as_it_was_is_thrown_away(work: Small) -> None:
    noise = os.urandom(5 << 20).hex()
    old(work, "a.log", content=noise)

    def damage() -> None:
        (part,) = (work.root / ".janitor/compressing").glob("*/*")
        with part.open("r+b") as file:
            file.seek(-20_000, os.SEEK_END)
            file.write(b"damaged")

    (outcome,) = carried_out(work, ("reading back", damage)).outcomes
    assert (outcome.outcome, "not what was read" in outcome.why) == ("failed", True), outcome
    assert (work.root / "logs/a.log").read_text() == noise
    assert left(work) == ["a.log"]
    assert sound(work)


# ------------------------------------------------------------ sizes, disks, users


def test_a_large_log_with_holes_is_read_without_options(work: Small) -> None:
    """As ``copytruncate`` leaves one whose writer goes on where it was."""
    file = work.write("logs/big.log", "begin\n" * 9000)
    with file.open("r+b") as there:
        there.seek(LARGE + 12345)
        there.write(os.urandom(40_000).hex().encode())
    os.utime(file, (time.time() - 30 * 86_400,) * 2)
    was = file.read_bytes()
    (row,) = work.janitor("run", "--yes").rows("steps")
    assert row["outcome"] == "done", row
    assert reads(work.root / "logs/big.log.zst") == was


@needs_root
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_full_disk_leaves_the_log(work: Small, when: str) -> None:
    """Known before, or found out."""
    with small_disk(work.root / "logs", "size=32m"):
        old(work, "a.log", content=os.urandom(5 << 20).hex())
        hog = work.root / "logs/hog"

        def fill() -> None:
            with pytest.raises(OSError, match="No space"):
                hog.write_bytes(bytes(64 << 20))

        if when == "before":
            hog.write_bytes(bytes(12 << 20))
        acts = [("compressing", fill)] if when == "meanwhile" else []
        (outcome,) = carried_out(work, *acts).outcomes
        assert outcome.outcome == "failed", outcome
        assert "make space" in outcome.why
        assert {*left(work)} - {".janitor"} == {"a.log", "hog"}
        assert not [*work.root.glob("**/compressing")]
        hog.unlink()
        assert work.janitor("run", "--yes").rows("steps")[0]["outcome"] == "done"
        assert len([*work.root.glob("logs/.janitor/trash/*/logs/a.log")]) == 1
        assert work.janitor("undo").code == 0
        assert "a.log.zst" not in left(work)


@needs_root
def test_a_log_of_somebody_else_is_left_where_its_owner_can_t_be_kept(work: Small) -> None:
    old(work, "mine.log", "theirs.log")
    work.handed_to(1234)
    os.chown(work.root / "logs/theirs.log", 4321, 4321)
    (work.root / "logs/theirs.log").chmod(0o644)
    running = work.start("run", "--yes", "--json", uid=1234)
    answer = running.answer()
    assert "owner can't be kept" in why(answer, "logs/theirs.log") or "live" in why(
        answer, "logs/theirs.log"
    )
    assert left(work) == ["mine.log.zst", "theirs.log"]
    assert (work.root / "logs/mine.log.zst").stat().st_uid == 1234


# ------------------------------------------------------------ expire


def test_what_is_compressed_goes_when_it_expires(work: Small) -> None:
    old(work, "a.log", days=30)
    old(work, "b.log", days=400)
    assert work.janitor("run", "--yes").code == 0
    assert left(work) == ["a.log.zst", "b.log.zst"]
    answer = work.janitor("run", "--yes")
    (row,) = answer.rows("steps")
    assert (row["do"], row["path"], row["outcome"]) == ("trash", "logs/b.log.zst", "done")
    assert row["reasons"] == ["compressed, and older than 365d (expire)"]
    assert left(work) == ["a.log.zst"]
    assert work.janitor("undo").code == 0
    assert left(work) == ["a.log.zst", "b.log.zst"]
    work.configure(POLICY)
    work.janitor("unpin", ".", "--undone")
    assert work.janitor("plan").rows("steps") == []
