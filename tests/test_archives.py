"""``janitor archive``, ``archives``, ``restore`` and ``verify``, in a workspace with real runs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from artifact_janitor import restoring, sweep
from artifact_janitor.apply.archive.store import ARCHIVE, MANIFEST, SUMS
from artifact_janitor.core.model import Pin
from artifact_janitor.execution import Options
from artifact_janitor.journal.formats import FORMATS, WITH_ARCHIVES
from artifact_janitor.render import progress
from artifact_janitor.state import State
from tests.real import hostile, training, wandb_runs
from tests.real.account import ORDINARY
from tests.real.archives import allocate, furnish_old
from tests.real.disks import needs_root
from tests.real.small import FREE, KINDS, PURGING, Small, small, still, why
from tests.real.snapshot import difference, snapshot
from tests.real.wandb_stub import WandbStub

RUN = "outputs/day/run"


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path)


def the_archive(work: Small, store: str = ".janitor/archive") -> Path:
    (found,) = (work.root / store).glob(f"*{ARCHIVE}")
    return found


def said(work: Small, *args: str) -> str:
    """The one error of a command that must fail."""
    answer = work.janitor(*args)
    assert answer.code != 0, args
    return " ".join(f"{each['message']} {each['hint']}" for each in answer.said["errors"])


def purged(work: Small) -> None:
    work.configure(PURGING)
    assert work.janitor("run", "--yes").code == 0
    work.configure(FREE)
    assert work.trash() == []


# ------------------------------------------------------------ there and back


def test_a_run_goes_and_comes_back_from_its_archive(work: Small) -> None:
    """After the trash was purged; the archive is all that was left of it."""
    run = work.hydra(30, RUN)
    furnish_old(work.root / run / "all")
    before = snapshot(work.root / run)
    answer = work.janitor("archive", run)
    assert answer.code == 0, answer
    assert [row["outcome"] for row in answer.rows("steps")] == ["done"]
    assert not work.there(run)
    purged(work)
    answer = work.janitor("restore", run)
    assert answer.facts["restored"] == [run]
    allocate(work.root / run)
    assert difference(before, snapshot(work.root / run)) == []
    assert [row["path"] for row in work.janitor("plan").rows("steps")] == [], "it is pinned"
    assert work.leftovers() == ["archive"]
    assert the_archive(work).exists(), "which stays"


def test_a_single_file_goes_and_comes_back(work: Small) -> None:
    log = work.write("logs/app.log", "2026-08-13 10:00:00 INFO started\n" * 50, days=30)
    log.chmod(0o604)
    os.setxattr(log, "user.origin", b"a test")
    before = snapshot(work.root / "logs")
    assert work.janitor("archive", "logs/app.log").code == 0
    assert os.listdir(work.root / "logs") == []
    assert work.janitor("restore", "logs/app.log").code == 0
    assert difference(before, snapshot(work.root / "logs")) == []


def test_undo_brings_it_back_from_the_trash_or_the_archive(work: Small) -> None:
    run = work.hydra(30, RUN)
    before = snapshot(work.root / run)
    for purge in (False, True):
        sweep = work.janitor("archive", run).facts["sweep"]
        if purge:
            purged(work)
        answer = work.janitor("undo", sweep)
        assert answer.code == 0, answer
        assert difference(before, snapshot(work.root / run)) == []
        assert "pinned" in str(work.janitor("archive", run).said["errors"])
        assert work.janitor("unpin", ".", "--undone").code == 0
    commands = [row["command"] for row in work.janitor("history").rows("sweeps")]
    assert commands == ["undo", "run", "archive", "undo", "archive"], "one undo is one sweep"


def test_a_run_that_went_on_after_it_came_back_is_archived_anew(work: Small) -> None:
    """The older archive of the same folder holds less."""
    run = work.hydra(30, RUN)
    work.janitor("archive", run)
    work.janitor("undo")
    work.janitor("unpin", ".", "--undone")
    (work.root / run / "train.log").write_text("it went on\n")
    wandb_runs.backdate(work.root / run, 30)
    before = snapshot(work.root / run)
    sweep = work.janitor("archive", run).facts["sweep"]
    purged(work)
    assert work.janitor("undo", sweep).code == 0
    assert difference(before, snapshot(work.root / run)) == []


def test_undo_says_when_the_archive_is_gone_too(work: Small) -> None:
    run = work.hydra(30, RUN)
    work.janitor("archive", run)
    purged(work)
    the_archive(work).unlink()
    answer = work.janitor("undo", "--last", "9")
    assert answer.code == 3
    assert "can't be read" in answer.rows("steps")[0]["why"]


def test_each_unit_gets_its_own_archive(work: Small) -> None:
    first, second = work.hydra(30, "outputs/day/a"), work.hydra(31, "outputs/day/b")
    other = work.hydra(32, "outputs/other/c")
    answer = work.janitor("archive", "outputs/day")
    assert {row["path"] for row in answer.rows("steps")} == {first, second}
    found = work.janitor("archives").rows("archives")
    assert {row["path"] for row in found} == {first, second}
    assert work.there(other)


def test_one_archive_is_told_in_full(work: Small) -> None:
    run = work.hydra(30, RUN)
    assert work.janitor("archive", run, "--note", "the paper is out").code == 0
    (row,) = work.janitor("archives", run).rows("archives")
    assert (row["path"], row["kind"], row["command"]) == (run, "hydra-run", "archive")
    assert row["reasons"] == ["by hand: the paper is out"]
    facts = {each["fact"] for each in row["evidence"]}
    assert {"origin", "not live"} <= facts
    assert f"{run}/train.log" in {each["path"] for each in row["members"]}
    text = work.said("archives", run)
    assert "the paper is out" in text
    assert "train.log" in text


@pytest.mark.parametrize("urgent", [False, True])
def test_it_stands_back_behind_other_programs(work: Small, urgent: bool) -> None:
    run = work.hydra(30, RUN)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    running = work.start("archive", run, *(["--urgent"] if urgent else []))
    niceness = before
    while (
        status := os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    ) is None:
        niceness = os.getpriority(os.PRIO_PROCESS, running.pid)
        time.sleep(0.001)
    assert status.si_status == running.wait() == 0
    assert niceness == (before if urgent else max(before, 10))


def test_progress_is_told_in_bytes_with_a_rate() -> None:
    assert progress.in_bytes(310_000_000, 1_200_000_000, 0) == "310 MB of 1.2 GB"
    assert progress.in_bytes(310_000_000, 1_200_000_000, 95_000_000) == "310 MB of 1.2 GB, 95 MB/s"
    pace = progress.Pace()
    works = (
        ("archiving", 0, 5.0, 0),
        ("archiving", 100, 5.5, 0),
        ("archiving", 300, 7.0, 150),
        ("archiving", 50, 8.0, 0),  # the next unit
        ("archiving", 150, 10.0, 50),
        ("reading back", 150, 11.0, 0),
        ("reading back", 170, 13.0, 10),
    )
    assert [pace.of(*work[:3]) for work in works] == [work[3] for work in works]


def test_an_empty_workspace_says_so(work: Small) -> None:
    assert work.said("archives") == "There are no archives yet.\n"
    assert work.said("verify") == "There are no archives yet.\n"
    assert not (work.root / ".janitor").exists(), "and nothing is made for it"
    assert "there is no archive 'x'" in said(work, "restore", "x")


def test_members_come_alone(work: Small) -> None:
    run = work.hydra(30, RUN)
    before = snapshot(work.root / run)
    work.janitor("archive", run)
    answer = work.janitor("restore", run, "train.log", ".hydra")
    assert answer.code == 0, answer
    after = snapshot(work.root / run)
    kept = {path for path in before if path == b"train.log" or path.startswith(b".hydra")}
    assert after.keys() == kept
    assert difference({path: before[path] for path in kept}, after) == []
    pins = {row["path"] for row in work.janitor("status").facts["pins"]}
    assert pins == {f"{run}/train.log", f"{run}/.hydra"}
    assert "nothing.txt is not in the archive" in said(work, "restore", run, "nothing.txt")


def test_elsewhere(work: Small, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without a pin, and with nothing else left there."""
    run = work.hydra(30, RUN)
    before = snapshot(work.root / run)
    work.janitor("archive", run)
    place = tmp_path_factory.mktemp("elsewhere") / "new"
    answer = work.janitor("restore", run, "--to", str(place))
    assert answer.facts["restored"] == [f"{place}/{run}"]
    assert os.listdir(place) == ["outputs"]
    assert difference(before, snapshot(place / run)) == []
    assert work.janitor("status").facts["pins"] == []
    assert "there already" in said(work, "restore", run, "--to", str(place))
    assert difference(before, snapshot(place / run)) == []


@pytest.mark.parametrize(
    ("to", "named"),
    [("outputs/back", f"outputs/back/{RUN}"), ("real/back", f"outputs/back/{RUN}"), (".", RUN)],
)
def test_elsewhere_in_a_root_it_is_pinned_too(work: Small, to: str, named: str) -> None:
    """Or the next sweep would take it again."""
    if to != ".":
        (work.root / "real").mkdir()
        (work.root / "outputs").symlink_to("real")
    run = work.hydra(30, RUN)
    work.janitor("archive", run)
    answer = work.janitor("restore", run, "--to", to)
    assert answer.code == 0, answer
    assert work.there(f"{named}/train.log")
    assert [row["path"] for row in work.janitor("status").facts["pins"]] == [named]
    assert work.janitor("plan").rows("steps") == []


@pytest.mark.parametrize("moved", [True, False])
def test_elsewhere_in_a_root_a_killed_restore_pins_what_came(work: Small, moved: bool) -> None:
    run = work.hydra(30, RUN)
    work.janitor("archive", run)

    def is_killed() -> None:
        move = restoring._move

        def killed(*args: object, **how: object) -> None:
            if moved:
                move(*args, **how)  # type: ignore[arg-type]
            os._exit(9)

        restoring._move = killed

    assert work.start("restore", run, "--to", "outputs/back", first=is_killed).wait() == 9
    assert work.janitor("run", "--yes").code == 0
    back = f"outputs/back/{RUN}"
    assert work.there(back) == moved
    pins = [row["path"] for row in work.janitor("status").facts["pins"]]
    assert pins == ([back] if moved else [])


def test_elsewhere_is_a_folder(work: Small) -> None:
    run = work.hydra(30, RUN)
    work.janitor("archive", run)
    assert "config.toml is no folder name one" in said(work, "restore", run, "--to", "config.toml")


def test_elsewhere_through_a_link_goes_nowhere_else(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = work.hydra(30, RUN)
    work.janitor("archive", run)
    outside, place = tmp_path_factory.mktemp("outside"), tmp_path_factory.mktemp("elsewhere")
    (place / "outputs").symlink_to(outside)
    assert "symlink" in said(work, "restore", run, "--to", str(place))
    assert os.listdir(outside) == []
    assert os.listdir(place) == ["outputs"]


def test_nothing_is_overwritten(work: Small) -> None:
    run = work.hydra(30, RUN)
    work.janitor("archive", run)
    work.write(f"{run}/train.log", "new\n")
    assert "is there already" in said(work, "restore", run)
    assert "is there already" in said(work, "restore", run, "train.log")
    assert (work.root / run / "train.log").read_text() == "new\n"
    assert work.janitor("restore", run, "metrics.json").code == 0, "what is free comes"


def test_an_archive_is_found_by_its_name_its_end_or_its_file(work: Small) -> None:
    run = work.hydra(30, RUN)
    work.janitor("archive", run)
    name = the_archive(work).name.removesuffix(ARCHIVE)
    for text in (name, name.rpartition("-")[2], name.rpartition("-")[2][:5], run, f"{run}/"):
        assert work.janitor("archives", text).rows("archives")[0]["name"] == name
    assert work.janitor("archives", str(the_archive(work))).rows("archives")[0]["path"] == run
    assert "there is no archive" in said(work, "archives", "outputs")


def test_of_several_archives_of_a_run_the_newest_counts(work: Small) -> None:
    run = work.hydra(30, RUN)
    work.janitor("archive", run)
    first = the_archive(work)
    work.janitor("restore", run)
    work.janitor("unpin", run)
    work.write(f"{run}/new.txt", days=30)
    assert work.janitor("archive", run).code == 0
    names = [row["name"] for row in work.janitor("archives").rows("archives")]
    assert names[0] == first.name.removesuffix(ARCHIVE), "oldest first"
    assert work.janitor("restore", run).code == 0
    assert work.there(f"{run}/new.txt")


def test_an_archive_of_somewhere_else_can_be_read(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A store that was copied, a journal that was lost."""
    run = work.hydra(30, RUN)
    work.janitor("archive", run)
    copy = tmp_path_factory.mktemp("copy") / "store"
    shutil.copytree(work.root / ".janitor" / "archive", copy)
    shutil.rmtree(work.root / ".janitor")
    answer = work.janitor("restore", str(copy / the_name(copy)))
    assert answer.code == 0, answer
    assert work.there(f"{run}/train.log")


@pytest.mark.parametrize(
    "unit", ["src", "src/run", ".git/hooks", ".janitor/sweeps", "outputs", "outputs/.janitor/x"]
)
def test_an_archive_from_elsewhere_comes_only_where_runs_are(
    work: Small, unit: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = tmp_path_factory.mktemp("store")
    members = [hostile.member("folder", unit), hostile.file(f"{unit}/evil")]
    hostile.Hostile("anywhere", members, unit=unit).write(store)
    (work.root / ".git").mkdir()
    work.janitor("pin", "outputs")
    before = snapshot(work.root)
    assert "runs are in" in said(work, "restore", str(store / "evil.tar.zst"))
    assert difference(before, snapshot(work.root)) == []
    assert work.leftovers() == []
    place = tmp_path_factory.mktemp("place")
    code = work.janitor("restore", str(store / "evil.tar.zst"), "--to", str(place)).code
    assert (code, (place / unit / "evil").read_bytes()) == (0, hostile.EVIL)


def the_name(store: Path) -> str:
    (found,) = store.glob(f"*{ARCHIVE}")
    return found.name


def test_a_lost_journal_loses_no_archive(work: Small) -> None:
    run = work.hydra(30, RUN)
    work.janitor("archive", run)
    for each in (work.root / ".janitor").glob("journal.db*"):
        each.unlink()
    assert "janitor run" in work.janitor("archives").said["errors"][0]["hint"]
    assert work.janitor("run", "--yes").code == 0
    assert [row["path"] for row in work.janitor("archives").rows("archives")] == [run]
    assert work.janitor("verify").code == 0
    assert work.janitor("restore", run).code == 0


@pytest.mark.parametrize("version", range(1, WITH_ARCHIVES))
def test_a_journal_of_an_older_format_is_brought_up_to_date(work: Small, version: int) -> None:
    run = work.hydra(30, RUN)
    (work.root / ".janitor").mkdir(mode=0o700)
    with closing(sqlite3.connect(work.root / ".janitor" / "journal.db")) as db, db:
        tables = "".join(FORMATS[:version])
        db.executescript(f"PRAGMA journal_mode = WAL; {tables} PRAGMA user_version = {version};")
    assert work.janitor("archives").rows("archives") == []
    assert work.janitor("archive", run).code == 0
    assert [row["path"] for row in work.janitor("archives").rows("archives")] == [run]


# ------------------------------------------------------------ what may go


def pin(work: Small, run: str) -> None:
    journal = work.journal()
    journal.pin(Pin(f"{run}/train.log", "mine", 1))
    journal.close()


def name_it(work: Small, run: str) -> None:
    work.write("best_models/a_meta.json", json.dumps({"run": run}))


def touch(work: Small, run: str) -> None:
    os.utime(work.root / run / "train.log")


def foresee(work: Small, run: str) -> None:
    os.utime(work.root / run / "train.log", (4_000_000_000, 4_000_000_000))


def repository(work: Small, run: str) -> None:
    (work.root / run / ".git").mkdir()


@pytest.mark.parametrize(
    ("how", "word"),
    [
        (pin, "pinned"),
        (name_it, "a_meta.json"),
        (touch, "live"),
        (foresee, "live"),
        (repository, "Git repository"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_must_stay_stays(work: Small, how: Callable[[Small, str], None], word: str) -> None:
    run = work.hydra(30, RUN)
    how(work, run)
    before = snapshot(work.root / run)
    answer = work.janitor("archive", run)
    assert answer.code == 4
    assert word in answer.said["errors"][0]["message"]
    assert difference(before, snapshot(work.root / run)) == []
    assert not (work.root / ".janitor" / "archive").exists()


def test_a_run_that_is_written_to_stays(work: Small) -> None:
    run = work.hydra(30, RUN)
    log = work.root / run / "train.log"
    before = log.stat().st_mtime_ns
    with log.open("a") as file, subprocess.Popen(["sleep", "60"], stdout=file) as sleeper:
        os.utime(log, ns=(before, before))
        assert "has it open" in said(work, "archive", run)
        sleeper.kill()
    assert work.there(run)


def test_paths_that_are_no_unit(work: Small) -> None:
    run = work.hydra(30, RUN)
    assert f"a part of {run}" in said(work, "archive", f"{run}/train.log")
    assert "no unit" in said(work, "archive", "outputs/nothing")
    assert "outside the workspace" in said(work, "archive", "/etc")
    (work.root / "notes").mkdir()
    assert "no unit" in said(work, "archive", "notes")


def test_caches_are_made_anew_and_not_archived(work: Small) -> None:
    cache = work.write("src/pkg/__pycache__/a.pyc", days=32)
    answer = work.janitor("archive", "src/pkg/__pycache__")
    assert (answer.code, cache.exists()) == (4, True)
    assert "made anew" in answer.said["errors"][0]["message"]


def test_a_run_with_a_socket_is_told_and_stays(work: Small) -> None:
    run = work.hydra(30, RUN)
    fd = os.open(work.root / run, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{fd}/s.sock")
    os.close(fd)
    wandb_runs.backdate(work.root / run, 30)
    answer = work.janitor("archive", run)
    assert answer.code == 3
    assert "s.sock is a socket" in answer.said["errors"][0]["message"]
    assert work.there(run)
    assert work.trash() == []
    assert os.listdir(work.root / ".janitor" / "archive") == ["RESTORE.txt"]


def test_the_only_copy_of_a_model_is_archived(work: Small) -> None:
    """S6: never trashed, whatever the policy says; by hand it may be archived too."""
    run = "training/runs/only"
    training.torch_run(work.root / run)
    wandb_runs.backdate(work.root / run, 60)
    before = snapshot(work.root / run)
    plan = work.janitor("plan")
    assert {row["do"] for row in plan.rows("steps")} == {"archive"}
    assert "best_model.pt: archived, not trashed" in why(plan, run)
    for args in (("run", "--yes"), ("archive", run)):
        answer = work.janitor(*args)
        assert answer.code == 0, answer
        purged(work)
        (row,) = work.janitor("archives").rows("archives")[-1:]
        assert (row["path"], row["command"]) == (run, args[0])
        assert work.janitor("restore", run).code == 0
        assert difference(before, snapshot(work.root / run)) == []
        work.janitor("unpin", run)


def test_what_is_not_uploaded_is_archived_where_its_policy_says_so(work: Small) -> None:
    """With the run that it is in, and all that was known of it; what is live stays (S3)."""
    archiving = FREE.replace('"wandb-run"', '"wandb-run"\nunsynced = "archive"')
    run = work.hydra(30, RUN)
    inside = wandb_runs.place(wandb_runs.offline, work.root / run)
    alone = wandb_runs.place(wandb_runs.offline, work.root)
    crashed = wandb_runs.place(wandb_runs.killed, work.root)
    uploaded = work.wandb(60)
    for place in ("wandb", run):
        wandb_runs.backdate(work.root / place, 60)
    before = snapshot(work.root)
    went = {run, f"wandb/{alone.name}", f"wandb/{crashed.name}"}
    assert {row["path"] for row in work.janitor("plan").rows("steps")} == {uploaded}
    work.configure(archiving)
    with next(crashed.glob("*.wandb")).open("ab"):
        plan = work.janitor("plan")
        said = why(plan, f"wandb/{crashed.name}")
        assert "has it open" in said or "open for writing" in said
    plan = work.janitor("plan")
    steps = {row["path"]: row["do"] for row in plan.rows("steps") if "in" not in row}
    assert steps == {uploaded: "trash", **dict.fromkeys(went, "archive")}
    assert "never uploaded: archived, not trashed" in why(plan, run)
    assert "archive" in work.said("why", str(alone))
    assert work.janitor("run", "--yes").code == 0
    rows = {row["path"]: row for row in work.janitor("archives").rows("archives")}
    assert rows.keys() == went
    name = f"{run}/wandb/{inside.name}"
    told = {each["fact"]: each["why"] for each in rows[run]["evidence"]}
    assert told["unsynced"] == f"{name}: never uploaded"
    assert work.janitor("verify").code == 0
    assert work.janitor("undo").code == 0
    assert difference(still(before), still(snapshot(work.root))) == []


# ------------------------------------------------------------ by policy

ARCHIVED = 'keep_within = "7d"\nthen = "archive"'
ARCHIVING = FREE.replace('keep_within = "7d"', ARCHIVED, KINDS.index("cache"))
"""Caches, the last of the kinds, can't be archived."""


def test_a_policy_archives(work: Small) -> None:
    work.configure(ARCHIVING)
    runs = {work.hydra(30, "outputs/day/a"), work.hydra(31, "outputs/day/b")}
    new = work.hydra(0, "outputs/day/new")
    before = snapshot(work.root)
    plan = work.janitor("plan")
    assert {(row["do"], row["path"]) for row in plan.rows("steps")} == {
        ("archive", run) for run in runs
    }
    answer = work.janitor("run", "--yes")
    assert [row["outcome"] for row in answer.rows("steps")] == ["done", "done"]
    assert work.there(new)
    (row,) = work.janitor("archives", "outputs/day/a").rows("archives")
    assert (row["command"], row["reasons"]) == ("run", ["older than 7d"])
    assert work.janitor("undo").code == 0
    assert difference(still(before), still(snapshot(work.root))) == []


def test_the_guard_counts_archives(work: Small) -> None:
    work.configure(ARCHIVING.replace("max_share = 1.0", "max_share = 0.2"))
    for number in range(12):
        work.hydra(30 + number, f"outputs/day/{number}")
    answer = work.janitor("run", "--yes")
    assert answer.code == 4
    assert {row["outcome"] for row in answer.rows("steps")} == {"skipped"}
    assert not (work.root / ".janitor" / "archive").exists()
    answer = work.janitor("run", "--override-guards")
    assert {row["outcome"] for row in answer.rows("steps")} == {"done"}


def test_a_policy_archives_what_it_may_not_trash(work: Small) -> None:
    """S6: the only copy of a model. What is not uploaded stays all the same (S3)."""
    work.configure(ARCHIVING)
    training.torch_run(work.root / "training/runs/only")
    wandb_runs.backdate(work.root / "training/runs/only", 60)
    run = wandb_runs.place(wandb_runs.offline, work.root)
    wandb_runs.backdate(work.root / "wandb", 60)
    rows = work.janitor("plan").rows("steps")
    assert [(row["do"], row["path"]) for row in rows if "in" not in row] == [
        ("archive", "training/runs/only")
    ]
    assert work.janitor("run", "--yes").code == 0
    assert work.there(f"wandb/{run.name}")
    assert work.janitor("verify").code == 0


def _unwritable(work: Small, run: str) -> str:
    (work.root / run).chmod(0o555)
    return f"{run} can't be written to: chmod u+w {run}"


def _unwritable_around(work: Small, run: str) -> str:
    folder = os.path.dirname(run)
    (work.root / folder).chmod(0o555)
    return f"{folder} can't be written to: chmod u+w {folder}"


def _sticky(work: Small, run: str) -> str:
    folder = work.root / os.path.dirname(run)
    os.chown(folder, 0, 0)
    folder.chmod(0o1777)
    os.chown(work.root / run, 0, 0)
    (work.root / run).chmod(0o777)
    return f"another user's, and {os.path.dirname(run)} is sticky: run as its owner, or as root"


@needs_root
@pytest.mark.parametrize("how", [_unwritable, _unwritable_around, _sticky])
def test_what_may_not_be_renamed_is_not_archived_first(
    work: Small, how: Callable[[Small, str], str]
) -> None:
    """A folder that gets another parent must be writable itself."""
    run = work.hydra(30, RUN)
    work.handed_to(ORDINARY)
    expected = how(work, run)
    before = snapshot(work.root / "outputs")
    (row,) = work.janitor("archive", run, uid=ORDINARY).rows("steps")
    assert (row["outcome"], "can't be renamed: " in row["why"]) == ("skipped", True)
    assert row["why"].endswith(expected)
    assert difference(before, snapshot(work.root / "outputs")) == []
    assert work.leftovers() == []


@needs_root
@pytest.mark.parametrize("flag", ["i", "a"])
@pytest.mark.parametrize("of", ["", "/.."])
def test_what_is_immutable_is_not_archived_first(work: Small, flag: str, of: str) -> None:
    run = work.hydra(30, RUN)
    what = os.path.normpath(f"{work.root}/{run}{of}")
    if subprocess.run(["chattr", f"+{flag}", what], capture_output=True).returncode:
        pytest.skip("no such flags on this filesystem")
    try:
        (row,) = work.janitor("archive", run).rows("steps")
        assert row["outcome"] == "skipped"
        shown = os.path.relpath(what, work.root)
        assert row["why"].endswith(f": as root: chattr -{flag} {shown}")
        assert work.leftovers() == []
    finally:
        subprocess.run(["chattr", f"-{flag}", what], check=True)


def test_what_changes_after_the_plan_gets_no_archive(work: Small) -> None:
    work.configure(ARCHIVING)
    run = work.hydra(30, RUN)
    seen = work.look()
    log = work.root / run / "train.log"
    log.write_text(log.read_text() + "more\n")
    os.utime(log, (1_700_000_000, 1_700_000_000))
    (outcome,) = work.run(seen).outcomes
    assert outcome.outcome == "skipped"
    assert "train.log grew" in outcome.why
    assert work.there(run)
    assert not list((work.root / ".janitor").glob("archive/*"))


def test_a_pin_in_mid_sweep_counts(work: Small) -> None:
    work.configure(ARCHIVING)
    run = work.hydra(30, RUN)
    seen = work.look()
    pin(work, run)
    (outcome,) = work.run(seen).outcomes
    assert (outcome.outcome, outcome.why) == ("skipped", "pinned since the plan was made")
    assert work.there(run)


def test_a_pin_while_it_is_archived_counts(work: Small) -> None:
    """The archive stands by then, and goes: its run stays. Nobody waits for it: it is written
    and read back without a lock (S13)."""
    work.configure(ARCHIVING)
    run = work.hydra(30, RUN)
    before = snapshot(work.root / run)
    ticks: list[str] = []

    def tick(what: str, _done: int, _total: int) -> None:
        if what == "reading back" and what not in ticks:
            assert State(work.root).holder() == ""
            pin(work, run)
        ticks.append(what)

    (outcome,) = sweep.run(work.settings, work.look(), Options(), (), tick).outcomes
    assert "reading back" in ticks
    assert (outcome.outcome, outcome.why) == ("skipped", "pinned since the plan was made")
    assert difference(before, snapshot(work.root / run)) == []
    assert os.listdir(work.root / ".janitor" / "archive") == ["RESTORE.txt"]
    assert work.janitor("archives").rows("archives") == []
    assert work.journal().archives.all() == []


@needs_root
def test_what_root_archives_belongs_to_whom_the_workspace_belongs_to(work: Small) -> None:
    """Who must be able to bring it back."""
    run = work.hydra(30, RUN)
    work.handed_to(ORDINARY)
    before = snapshot(work.root / run)
    assert work.janitor("archive", run).code == 0
    store = work.root / ".janitor" / "archive"
    assert {each.lstat().st_uid for each in (store, *store.iterdir())} == {ORDINARY}
    purged(work)
    answer = work.janitor("restore", run, uid=ORDINARY)
    assert answer.code == 0, answer
    assert difference(before, snapshot(work.root / run)) == []


# ------------------------------------------------------------ W&B


def test_an_unsynced_run_comes_back_fit_for_wandb_sync(work: Small) -> None:
    """With W&B's links beside it; and what the real client then sends is what it sends of a run
    that never was in an archive: the same files, the same summary, the same lines of metrics."""
    run = wandb_runs.place(wandb_runs.offline, work.root)
    wandb_runs.backdate(work.root / "wandb", 60)
    never = work.root.parent / f"{work.root.name}-never"
    shutil.copytree(work.root / "wandb", never / "wandb", symlinks=True)
    unit = f"wandb/{run.name}"
    (log,) = run.glob("*.wandb")
    before = snapshot(work.root / "wandb")
    assert work.janitor("run", "--yes").rows("steps") == [], "no policy moves it"
    answer = work.janitor("archive", unit)
    assert answer.code == 0, answer
    links = {name for name, mark in before.items() if mark.type == "l"}
    assert b"latest-run" in links
    assert not any((work.root / "wandb" / os.fsdecode(link)).is_symlink() for link in links)
    (row,) = work.janitor("archives").rows("archives")
    assert "unsynced" in {each["fact"] for each in row["evidence"]}
    purged(work)
    assert work.janitor("restore", unit).code == 0
    assert difference(still(before), still(snapshot(work.root / "wandb"))) == []
    with WandbStub() as stub, WandbStub() as other:
        wandb_runs.sync(work.root / unit, stub)
        wandb_runs.sync(never / unit, other)
        assert stub.puts.keys() == other.puts.keys()
        name = "wandb-summary.json"
        assert json.loads(stub.puts[name]) == json.loads(other.puts[name])
        history = [*map(json.loads, stub.streamed["wandb-history.jsonl"])]
        assert len(history) > 1
        assert history == [*map(json.loads, other.streamed["wandb-history.jsonl"])]
    assert (work.root / unit / f"{log.name}.synced").exists()


def test_a_newer_runs_link_stays(work: Small) -> None:
    run = wandb_runs.place(wandb_runs.offline, work.root)
    wandb_runs.backdate(work.root / "wandb", 60)
    unit = f"wandb/{run.name}"
    assert work.janitor("archive", unit).code == 0
    (work.root / "wandb" / "latest-run").symlink_to("run-newer")
    purged(work)
    answer = work.janitor("restore", unit)
    assert answer.code == 0, answer
    assert os.readlink(work.root / "wandb" / "latest-run") == "run-newer"
    assert work.there(unit)
    assert work.leftovers() == ["archive"]


# ------------------------------------------------------------ verify


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("suffix", [ARCHIVE, MANIFEST, SUMS])
def test_verify_names_what_is_damaged(work: Small, suffix: str) -> None:
    first, second = work.hydra(30, "outputs/day/a"), work.hydra(31, "outputs/day/b")
    work.janitor("archive", first, second)
    assert work.janitor("verify").code == 0
    (bad,) = (work.root / ".janitor/archive").glob(f"outputs_day_a*{suffix}")
    flip(bad, bad.stat().st_size // 2)
    answer = work.janitor("verify")
    assert answer.code == 3
    assert [bool(row["trouble"]) for row in answer.rows("archives")].count(True) == 1
    assert "outputs_day_a" in answer.said["errors"][0]["message"]
    assert work.janitor("verify", second).code == 0
    if suffix != SUMS:
        assert work.janitor("restore", first).code == 1
        assert not work.there(first)
        assert work.leftovers() == ["archive"]


def test_an_archive_that_was_exchanged_is_not_the_one_we_made(work: Small) -> None:
    """All its parts fit each other; but the journal knows what was written."""
    run = work.hydra(30, RUN)
    work.janitor("archive", run)
    ours = the_archive(work)
    work.janitor("restore", run)
    work.janitor("unpin", run)
    (work.root / run / "train.log").write_text("forged\n")
    wandb_runs.backdate(work.root / run, 30)
    work.janitor("archive", run)
    (theirs,) = (each for each in ours.parent.glob(f"*{ARCHIVE}") if each != ours)
    for suffix in (ARCHIVE, MANIFEST, SUMS):
        name = ours.name.removesuffix(ARCHIVE) + suffix
        theirs.with_name(theirs.name.removesuffix(ARCHIVE) + suffix).replace(ours.with_name(name))
    name = ours.name.removesuffix(ARCHIVE)
    assert "not the archive that the journal knows" in said(work, "verify", name)
    assert "not the archive that the journal knows" in said(work, "restore", name)


def test_the_one_that_was_read_longest_ago_comes_first(work: Small) -> None:
    first, second = work.hydra(30, "outputs/day/a"), work.hydra(31, "outputs/day/b")
    work.janitor("archive", first)
    work.janitor("archive", second)
    work.janitor("verify", first)
    assert [row["path"] for row in work.janitor("verify").rows("archives")] == [second, first]
