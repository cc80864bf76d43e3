"""Nothing outside the roots is changed, whatever is mounted or linked where (S1)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from artifact_janitor.apply import ground
from artifact_janitor.errors import StepSkipped
from artifact_janitor.state import MAKE_ROOM
from tests.real.account import ORDINARY, Account
from tests.real.small import FREE, PURGING, Small, done, hydra_run, small, still, why
from tests.real.snapshot import difference, snapshot

RUN = "outputs/day/run"
needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may mount, or be somebody else"
)


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path)


@contextmanager
def mounted(place: Path, *how: str) -> Iterator[Path]:
    place.mkdir(parents=True, exist_ok=True)
    if subprocess.run(["mount", *how, str(place)], capture_output=True).returncode:
        pytest.skip(f"mount {' '.join(how)} is not possible here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--recursive", "--lazy", str(place)], check=True)


def tmpfs(place: Path, size: str = "16m") -> AbstractContextManager[Path]:
    return mounted(place, "-t", "tmpfs", "-o", f"size={size}", "none")


# ------------------------------------------------------------ roots on other filesystems


@needs_root
@pytest.mark.parametrize("where", ["on another disk", "under another name"])
def test_a_root_that_moved_leaves_its_trash_behind(work: Small, where: str) -> None:
    """Undo can't bring back what lies there, and says where that is."""
    run = work.hydra(30, RUN)
    sweep = work.janitor("run", "--yes").facts["sweep"]
    trash = f".janitor/trash/{sweep}/{run}"
    assert work.there(trash)
    with tmpfs(work.root.parent / "disk") as disk:
        if where == "on another disk":
            shutil.rmtree(work.root / "outputs")
            (work.root / "outputs").symlink_to(disk)
        else:
            (work.root / "outputs").rename(work.root / "runs")
            work.configure(FREE + '[folders]\noutputs = "runs"\n')
        (row,) = work.janitor("undo", sweep).rows("steps")
        assert row["outcome"] == "failed"
        assert row["why"].endswith(f": it lies in {trash}; copy it back from there by hand")
        assert work.there(trash)


@needs_root
def test_another_filesystem_has_its_own_trash(work: Small) -> None:
    with tmpfs(work.root / "outputs"):
        here = work.write("logs/app.log", days=30)
        run = work.hydra(30, RUN)
        before = snapshot(work.root / "outputs")
        assert done(work.janitor("run", "--yes")) == {run, "logs/app.log"}
        assert not here.exists()
        assert list((work.root / "outputs" / ".janitor" / "trash").glob(f"*/{run}"))
        assert (work.root / "outputs" / ".janitor").stat().st_mode & 0o077 == 0
        assert work.janitor("plan").rows("steps") == []
        assert work.janitor("undo").code == 0
        assert difference(before, snapshot(work.root / "outputs")) == []


@needs_root
def test_another_filesystems_trash_is_purged(work: Small) -> None:
    with tmpfs(work.root / "outputs"):
        work.configure(PURGING)
        work.hydra(30, RUN)
        assert [work.janitor("run", "--yes").code for _ in range(2)] == [0, 0]
        assert work.trash() == []
        assert list((work.root / "outputs" / ".janitor" / "leaving").iterdir()) == []


@needs_root
def test_a_filesystem_that_is_away_loses_nothing(work: Small) -> None:
    """Unmounted since: its trash is neither purged nor forgotten."""
    image = work.root.parent / "image"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    outputs = work.root / "outputs"
    with mounted(outputs, "-o", "loop", str(image)):
        work.hydra(30, RUN)
        work.janitor("run", "--yes")
    work.configure(PURGING)
    assert work.janitor("run", "--yes").rows("steps") == []
    assert work.janitor("undo").code == 3
    with mounted(outputs, "-o", "loop", str(image)):
        assert work.janitor("undo").code == 0
        assert work.there(f"{RUN}/.hydra/hydra.yaml")


def test_a_root_that_is_a_symlink_is_a_root(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    real = tmp_path_factory.mktemp("real")
    (work.root / "outputs").symlink_to(real)
    work.hydra(30, RUN)
    before = snapshot(real)
    work.janitor("run", "--yes")
    assert not (real / "day" / "run").exists()
    assert work.janitor("undo").code == 0
    assert difference(before, snapshot(real)) == []


def test_a_link_below_a_root_is_not_followed(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    run = work.hydra(30, RUN)
    (work.root / run).rename(outside / "run")
    (work.root / "outputs" / "linked").symlink_to(outside)
    (work.root / run).symlink_to(outside / "run")
    assert work.janitor("run", "--yes").rows("steps") == []
    assert (outside / "run" / "train.log").exists()


# ------------------------------------------------------------ what a unit may hold


@needs_root
@pytest.mark.parametrize("through_a_link", [False, True])
@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_a_unit_with_something_mounted_in_it_stays(
    work: Small, kind: str, through_a_link: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A bind mount has the same device number: a purge would empty what it shows."""
    other = tmp_path_factory.mktemp("other")
    (other / "precious.txt").write_text("precious\n")
    os.utime(other / "precious.txt", (0, 0))
    if through_a_link:
        (work.root / "outputs").symlink_to(tmp_path_factory.mktemp("real"))
    work.hydra(30, RUN)
    how = ("--bind", str(other)) if kind == "bind" else ("-t", "tmpfs", "none")
    with mounted(work.root / RUN / "mounted", *how):
        plan = work.janitor("run", "--yes")
        assert plan.rows("steps") == []
        assert "mounted" in why(plan, RUN)
    (work.root / RUN / "mounted").rmdir()
    assert done(work.janitor("run", "--yes")) == {RUN}
    assert (other / "precious.txt").exists()


@needs_root
def test_a_purge_stops_at_what_was_mounted_in_the_trash(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """By a second look at the mount itself: what was seen of the unit is the same."""
    from artifact_janitor.apply import trash
    from artifact_janitor.apply.ground import Ground
    from artifact_janitor.errors import StepFailed

    other = tmp_path_factory.mktemp("other")
    (other / "precious.txt").write_text("precious\n")
    ground = Ground(work.root, ["outputs"])
    work.write(".janitor/leaving/1/deep/file")
    with mounted(work.root / ".janitor/leaving/1/deep/mounted", "--bind", str(other)):
        with pytest.raises(StepFailed, match="another filesystem is mounted in it"):
            trash.remove(ground, ".janitor/leaving/1")
        found = work.janitor("run", "--yes")
        assert found.code == 0, "what can't be removed is said, and ends nothing"
    assert (other / "precious.txt").read_text() == "precious\n"


@pytest.mark.parametrize("how", ["folder", "file", "link"])
@pytest.mark.parametrize("where", [".git", "sub/.git"])
def test_a_unit_that_holds_a_repository_stays(work: Small, where: str, how: str) -> None:
    run = work.hydra(30, RUN)
    place = work.root / run / where
    place.parent.mkdir(exist_ok=True)
    {"folder": place.mkdir, "file": place.touch, "link": lambda: place.symlink_to("/nowhere")}[
        how
    ]()
    if how == "file":
        os.utime(place, (1, 1))
    plan = work.janitor("plan")
    assert plan.rows("steps") == []
    assert "Git repository" in why(plan, run)


@pytest.mark.parametrize("where", [".janitor", "sub/.janitor"])
def test_a_unit_that_holds_a_janitors_state_stays(work: Small, where: str) -> None:
    """A project inside a run: its journal and its trash are not ours to move."""
    run = work.hydra(30, RUN)
    work.write(f"{run}/{where}/journal.db", days=30)
    plan = work.janitor("plan")
    assert plan.rows("steps") == []
    assert "janitor's own state" in why(plan, run)


def test_the_projects_own_folder_is_no_unit(work: Small) -> None:
    """As Hydra marks it with ``hydra.run.dir=.``: it holds far more than a run."""
    shutil.copytree(hydra_run() / ".hydra", work.root / ".hydra")
    (refused,) = work.janitor("plan").rows("refused")
    assert (refused["code"], refused["path"]) == ("misplaced", ".")
    assert "the project's own folder bears the marks of a Hydra run" in refused["message"]


def test_what_hydra_itself_did_not_mark_is_no_run(work: Small) -> None:
    """A settings file of that name may be anybody's (S7)."""
    run = work.hydra(30, RUN)
    work.write(f"{run}/.hydra/hydra.yaml", "hydra:\n  runtime: {}\n", days=30)
    plan = work.janitor("plan")
    assert plan.rows("steps") == []
    assert "unknown" in {row["kind"] for row in plan.rows("kept")}


@pytest.mark.parametrize("mode", [0o700, 0o744])
@needs_root
def test_a_unit_that_can_only_be_read_in_part_stays(work: Small, mode: int) -> None:
    """To a user who may not look into one of its folders, or sees no more than names in it."""
    run = work.hydra(30, RUN)
    work.write(f"{run}/closed/file", days=30)
    work.handed_to(ORDINARY)
    os.chown(work.root / run / "closed", 0, 0)
    (work.root / run / "closed").chmod(mode)
    plan = work.janitor("run", "--yes", uid=ORDINARY)
    assert plan.rows("steps") == []
    assert "Permission denied" in why(plan, run)


@needs_root
def test_what_a_purge_may_not_remove_holds_nothing_up(work: Small) -> None:
    """A folder of root's in a user's run, as a container leaves it: moved, but not emptied."""
    run = work.hydra(30, RUN)
    work.write(f"{run}/by_docker/file", days=30)
    work.handed_to(ORDINARY)
    os.chown(work.root / run / "by_docker", 0, 0)
    assert done(work.janitor("run", "--yes", uid=ORDINARY)) == {run}
    work.configure(PURGING)
    purged = work.janitor("run", "--yes", uid=ORDINARY)
    assert purged.code == 3
    assert "Permission denied" in purged.said["errors"][0]["message"]
    again = work.janitor("run", "--yes", uid=ORDINARY)
    assert again.code == 0, again
    assert again.facts["recovered"] == [], "nothing was interrupted"
    for answer in (again, work.janitor("status")):
        assert "purged, but not removed yet: .janitor/leaving/" in " ".join(answer.facts["notes"])
    assert work.janitor("run", "--yes").code == 0
    assert not list((work.root / ".janitor" / "leaving").iterdir()), "root could"


# ------------------------------------------------------------ the janitor's own folder


@pytest.mark.parametrize(
    "name", [".janitor", ".janitor/lock", ".janitor/journal.db", ".janitor/sweeps"]
)
def test_its_own_state_is_no_link(
    work: Small, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    target = outside if name in (".janitor", ".janitor/sweeps") else outside / "file"
    (work.root / name).parent.mkdir(exist_ok=True)
    (work.root / name).symlink_to(target)
    work.hydra(30, RUN)
    found = work.janitor("run", "--yes")
    assert found.code == 1, found
    assert str(work.root / ".janitor") in found.said["errors"][0]["message"]
    assert work.there(RUN)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["trash", "leaving"])
def test_its_trash_is_no_link(
    work: Small, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "precious").write_text("precious\n")
    (work.root / ".janitor").mkdir()
    (work.root / ".janitor" / name).symlink_to(outside)
    work.configure(PURGING)
    work.hydra(30, RUN)
    for _ in range(2):
        assert work.janitor("run", "--yes").code in (0, 3)
    assert [each.name for each in outside.iterdir()] == ["precious"]
    assert work.there(RUN) or work.trash()


def test_a_file_in_place_of_its_folder_is_told(work: Small) -> None:
    work.hydra(30, RUN)
    (work.root / ".janitor").write_text("a file\n")
    found = work.janitor("run", "--yes")
    assert (found.code, found.said["errors"][0]["code"]) == (1, "error")
    assert ".janitor can't be used" in found.said["errors"][0]["message"]
    assert work.there(RUN)


@pytest.mark.parametrize("content", [b"", b"no database at all" * 500])
def test_a_journal_that_is_none(work: Small, content: bytes) -> None:
    """Empty: the first janitor died as it made it. Anything else: damaged, told so, and rebuilt
    by who writes."""
    work.hydra(30, RUN)
    work.write(".janitor/journal.db", content)
    for command in ("plan", "status", "history"):
        found = work.janitor(command)
        assert found.code == (1 if content else 0), (command, found)
        if content:
            (error,) = found.said["errors"]
            assert error["code"] == "journal"
            assert "damaged" in error["message"]
            assert "janitor run" in error["hint"]
    assert work.janitor("run", "--yes").code == (4 if content else 0)
    assert work.there(RUN) == bool(content)


def test_a_journal_of_a_newer_version_is_left_alone(work: Small) -> None:
    journal = work.journal()
    journal._db.execute("PRAGMA user_version = 99")
    journal.close()
    for command in (["plan"], ["run", "--yes"]):
        (error,) = work.janitor(*command).said["errors"]
        assert "update artifact-janitor" in error["hint"]


@needs_root
@pytest.mark.parametrize("mode", [0o700, 0o500])
def test_a_state_that_belongs_to_another_user_is_told(work: Small, mode: int) -> None:
    work.hydra(30, RUN)
    work.journal().close()
    work.handed_to(ORDINARY)
    Account(0, "").owns(work.root / ".janitor")
    (work.root / ".janitor").chmod(mode)
    for command in (["run", "--yes"], ["plan"]):
        found = work.janitor(*command, uid=ORDINARY)
        assert found.code == 1, (command, found)
        (error,) = found.said["errors"]
        assert ".janitor" in error["path"]
        assert "Traceback" not in found.stderr
    assert work.there(RUN)


@needs_root
def test_root_leaves_nothing_of_its_own_in_a_users_workspace(work: Small) -> None:
    """The owner must be able to undo what root's janitor did, and to sweep again."""
    run = work.hydra(30, RUN)
    work.handed_to(ORDINARY)
    assert done(work.janitor("run", "--yes")) == {run}
    owners = {
        (os.lstat(os.path.join(folder, name)).st_uid, name)
        for folder, folders, files in os.walk(work.root)
        for name in folders + files
    }
    assert {name for uid, name in owners if uid != ORDINARY} == set()
    undone = work.janitor("undo", uid=ORDINARY)
    assert undone.code == 0, undone
    assert work.there(run)


# ------------------------------------------------------------ disks that say no


@needs_root
def test_a_read_only_filesystem_is_told(work: Small) -> None:
    work.hydra(30, RUN)
    with mounted(work.root, "--bind", str(work.root)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(work.root)], check=True)
        assert work.janitor("plan").rows("steps")
        found = work.janitor("run", "--yes")
        assert found.code == 1, found
        assert "Read-only file system" in found.said["errors"][0]["message"]
        assert found.said["errors"][0]["hint"]


@needs_root
@pytest.mark.parametrize("room", range(0, 200_000, 16_384))
def test_a_full_disk_loses_nothing(tmp_path: Path, room: int) -> None:
    """Room for so many bytes when the sweep begins; then none; later there is room again."""
    with tmpfs(tmp_path / "disk", "3m") as disk:
        work = small(disk)
        runs = [work.hydra(30 + n, f"outputs/day{n}/run") for n in range(3)]
        before = still(snapshot(disk))
        free = os.statvfs(disk).f_bavail * 4096
        filler = disk / "filler"
        filler.write_bytes(b"x" * (free - room))
        found = work.janitor("run", "--yes")
        assert found.code in (0, 1, 3), found
        assert "Traceback" not in found.stderr, found
        if found.code == 1:
            assert found.said["errors"][0]["hint"] == MAKE_ROOM
            assert work.janitor("plan").code == 0, "the start of a journal is none yet"
        filler.unlink()
        assert work.janitor("run", "--yes").code == 0
        assert not any(map(work.there, runs))
        assert work.janitor("undo", "--last", "9").code == 0
        assert difference(before, still(snapshot(disk))) == []
        assert work.trash() == []


@needs_root
def test_an_undo_on_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "3m") as disk:
        work = small(disk)
        run = work.hydra(30, RUN)
        before = still(snapshot(disk))
        work.janitor("run", "--yes")
        free = os.statvfs(disk).f_bavail * 4096
        (disk / "filler").write_bytes(b"x" * free)
        found = work.janitor("undo")
        assert found.code in (0, 1, 3)
        assert "Traceback" not in found.stderr, found
        (disk / "filler").unlink()
        work.janitor("undo")
        assert work.there(run)
        assert difference(before, still(snapshot(disk))) == []


def test_a_deep_tree_goes_comes_back_and_is_purged(work: Small) -> None:
    """Deeper than paths may be long."""
    run = work.hydra(30, RUN)
    fd = os.open(work.root / run, os.O_RDONLY)
    for _ in range(400):
        os.mkdir("a folder in a folder", dir_fd=fd)
        inner = os.open("a folder in a folder", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    assert done(work.janitor("run", "--yes")) == {run}
    assert work.janitor("undo").code == 0
    work.janitor("unpin", run)
    work.configure(PURGING)
    assert [work.janitor("run", "--yes").code for _ in range(2)] == [0, 0]
    assert work.trash() + work.leftovers() == []


def test_a_root_bound_from_the_same_disk_has_its_own_trash(work: Small) -> None:
    """As containers mount folders: the device is the same, but no rename crosses it."""
    elsewhere = work.root / "elsewhere"
    elsewhere.mkdir()
    (work.root / "outputs").mkdir()
    with mounted(work.root / "outputs", "--bind", str(elsewhere)):
        run = work.hydra(40)
        work.hydra(1)
        before = snapshot(elsewhere)
        assert done(work.janitor("run", "--yes")) == {run}
        assert (work.root / "outputs/.janitor/trash").is_dir()
        assert work.janitor("undo").code == 0
        shutil.rmtree(work.root / "outputs/.janitor")
        assert still(snapshot(elsewhere)) == still(before)


def test_a_rename_to_another_filesystem_is_no_failure(tmp_path: Path) -> None:
    """A mount that came since the plan was made, say."""
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second filesystem here")
    (tmp_path / "run").touch()
    here, there = (os.open(each, os.O_RDONLY | os.O_DIRECTORY) for each in (tmp_path, other))
    try:
        with pytest.raises(StepSkipped, match="can't be renamed"):
            ground.rename((here, "run"), (there, f"run-{os.getpid()}"))
    finally:
        os.close(here)
        os.close(there)
    assert (tmp_path / "run").exists()
