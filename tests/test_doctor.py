"""`janitor doctor`: each trouble is real, is told, and nothing is changed to find it."""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from artifact_janitor.checkup import CHECKS
from artifact_janitor.journal.formats import VERSION
from artifact_janitor.state import State
from tests.real import wandb_runs
from tests.real.account import ORDINARY, Account, account, myself
from tests.real.small import FREE, PURGING, Small, small
from tests.real.snapshot import difference, snapshot
from tests.real.syscalls import changes, is_there
from tests.real.workspace import HandOut
from tests.test_filesystems import mounted, needs_root, tmpfs

RUN = "outputs/day/run"
Finding = dict[str, str]


@pytest.fixture
def work(tmp_path: Path) -> Small:
    (tmp_path / "project").mkdir()
    found = small(tmp_path / "project")
    found.hydra(30, RUN)
    found.journal().close()
    return found


def doctor(work: Small, code: int = 0, **how: object) -> dict[str, list[Finding]]:
    """What was found, by the name of the check."""
    answer = work.janitor("doctor", **how)
    assert answer.code == code, answer
    assert bool(answer.said["errors"]) == bool(code)
    found: dict[str, list[Finding]] = {}
    for row in answer.rows("checks"):
        assert row.keys() == {"name", "state", "what", "hint", "path"}
        assert bool(row["hint"]) == (row["state"] != "ok"), row
        found.setdefault(row["name"], []).append(row)
    assert found.keys() == {name for name, _ in CHECKS}
    return found


def trouble(work: Small, name: str, code: int = 0, **how: object) -> str:
    """All that one check complains about, and that it does."""
    rows = [each for each in doctor(work, code, **how)[name] if each["state"] != "ok"]
    assert rows, f"{name} found nothing"
    return " | ".join(f"{each['state']}: {each['what']} → {each['hint']}" for each in rows)


# ---------------------------------------------------------------- a healthy workspace


def test_a_healthy_workspace(work: Small) -> None:
    found = doctor(work)
    of_this_machine = ("disk", "filesystem", "limits", "processes")
    odd = [
        row
        for name, rows in found.items()
        for row in rows
        if row["state"] != "ok" and name not in of_this_machine
    ]
    assert odd == []
    assert found["leases"][0]["what"] == "work on outputs"
    text = work.said("doctor")
    assert text.count("\n") >= len(CHECKS)


def test_before_anything_was_done_it_makes_nothing(tmp_path: Path) -> None:
    work = Small(tmp_path)
    found = doctor(work)
    assert "janitor init" in found["config"][0]["hint"]
    assert "none of the folders" in found["folders"][0]["what"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not is_there(), reason="strace is not installed")
def test_it_changes_nothing_outside_its_own_folder(nasty_for: HandOut, who: Account) -> None:
    with nasty_for(who) as nasty:
        root, trace = nasty.root, nasty.root.parent / "home" / f"doctor-{who.uid}"
        start = changes(who, [who.python, "-c", "pass"], root, trace)
        line = [who.python, "-m", "artifact_janitor", "doctor", "--json"]
        for made in (False, True):
            if made:
                who.run(["mkdir", "-m", "700", "-p", ".janitor"], cwd=root)
                who.run(["touch", ".janitor/journal.db"], cwd=root)
            seen = changes(who, line, root, trace)
            own = f"{root}/.janitor/"
            assert [e for e in seen if e not in start and f" {own}" not in e] == []
            assert made or not (root / ".janitor").exists()


# ---------------------------------------------------------------- its own


def test_a_config_with_mistakes_is_told_and_the_rest_is_looked_at(work: Small) -> None:
    work.configure('[[policy]]\nkind = "hydra-run"\nkep_last = 1\n[safety]\ngrace = "soon"\n')
    said = trouble(work, "config", 1)
    assert "kep_last" in said
    assert "grace" in said
    assert doctor(work, 1)["lock"][0]["what"] == "free"


def test_a_note_of_the_config(work: Small) -> None:
    work.configure(FREE + "[[policy]]\nkind = 'study'\nkeep_last = 1\n")
    assert "no study is ever removed" in trouble(work, "config")


@pytest.mark.parametrize("part", ["step_by_state", "step", "clock", "memory"])
def test_a_damaged_journal(work: Small, part: str) -> None:
    """One page of an index or a table is overwritten: it opens, and is not sound."""
    work.janitor("run", "--yes")
    file = work.root / ".janitor" / "journal.db"
    with closing(work.journal()) as journal:
        journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        ((page,),) = journal._db.execute(root, (part,)).fetchall()
    with file.open("r+b") as content:
        content.seek((page - 1) * 4096)
        content.write(b"\xff" * 4096)
    said = trouble(work, "journal", 1)
    assert "problem: the journal is damaged" in said
    assert "janitor run sets it aside" in said


@pytest.mark.parametrize("content", [b"no database at all" * 500, None])
def test_a_journal_that_is_none(work: Small, content: bytes | None, tmp_path: Path) -> None:
    file = work.root / ".janitor" / "journal.db"
    file.unlink()
    if content is None:
        file.symlink_to(tmp_path / "elsewhere")
    else:
        file.write_bytes(content)
    assert ("symlink" if content is None else "damaged") in trouble(work, "journal", 1)
    assert not (tmp_path / "elsewhere").exists()


def test_a_journal_of_another_format(work: Small) -> None:
    with closing(sqlite3.connect(work.root / ".janitor" / "journal.db")) as journal:
        journal.execute("PRAGMA user_version = 1")
        assert f"brings it to format {VERSION}" in doctor(work)["journal"][1]["what"]
        journal.execute("PRAGMA user_version = 99")
    assert "update artifact-janitor" in trouble(work, "journal", 1)


def test_a_lock_that_another_holds(work: Small) -> None:
    hold = "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.flock(f, 2); print(1, flush=True)"
    hold += "; f.write('pid 4711\\n'); f.flush(); print(2, flush=True); sys.stdin.read()"
    line = [sys.executable, "-c", hold, str(work.root / ".janitor" / "lock")]
    with subprocess.Popen(line, stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout
        assert [other.stdout.readline() for _ in "12"] == ["1\n", "2\n"]
        assert "held by another janitor: pid 4711" in trouble(work, "lock")
        other.communicate("")
    assert doctor(work)["lock"][0]["what"] == "free"


def test_it_holds_no_lock_itself(work: Small) -> None:
    doctor(work)
    with (work.root / ".janitor" / "lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert State(work.root).holder() != ""


def test_a_janitor_that_died(work: Small) -> None:
    with closing(work.journal()) as journal:
        journal.begin("abcd", "run", 1, by_person=False)
    (work.root / ".janitor" / "sweeps" / "abcd").touch()
    assert "interrupted in the sweep abcd → janitor run" in trouble(work, "lock")
    with State(work.root).sweep("abcd"):
        assert doctor(work)["lock"][0]["what"] == "free", "it lives"


def test_what_lies_in_the_trash(work: Small) -> None:
    assert doctor(work)["trash"][0]["what"] == "empty"
    work.janitor("run", "--yes")
    (row,) = doctor(work)["trash"]
    assert (row["state"], row["what"][:7]) == ("ok", "1 unit,")


@pytest.mark.parametrize("where", [".janitor/trash/dead/outputs/x", "outputs/.janitor/trash/dead"])
def test_an_orphan_in_the_trash(work: Small, where: str) -> None:
    work.janitor("run", "--yes")
    work.write(f"{where}/file.txt")
    said = trouble(work, "trash")
    assert "1 thing in the trash unknown to the journal" in said
    assert ".janitor/trash/dead" in said


def test_an_orphan_beside_what_is_known(work: Small) -> None:
    work.janitor("run", "--yes")
    (unit,) = work.root.glob(f".janitor/trash/*/{RUN}")
    (unit.parent / "stranger").mkdir()
    assert str((unit.parent / "stranger").relative_to(work.root)) in trouble(work, "trash")


def test_what_was_taken_out_of_the_trash(work: Small) -> None:
    work.janitor("run", "--yes")
    shutil.rmtree(work.root / ".janitor" / "trash")
    assert f"not in the trash any more: 1 unit, {RUN}" in trouble(work, "trash")


def test_a_purge_that_was_interrupted(work: Small) -> None:
    work.configure(PURGING)
    work.write(".janitor/leaving/7/file.txt")
    assert "not removed yet: 1 purged unit" in trouble(work, "trash")


# ---------------------------------------------------------------- the ground


def test_a_root_that_is_a_symlink(work: Small, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (work.root / "logs").symlink_to(tmp_path / "elsewhere")
    said = trouble(work, "folders")
    assert f"logs is a symlink to {tmp_path}/elsewhere" in said
    assert "outputs is" not in said


@needs_root
def test_a_read_only_workspace(work: Small) -> None:
    with mounted(work.root, "--bind", str(work.root)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(work.root)], check=True)
        found = doctor(work, 1)
    states = {row["state"] for name in ("filesystem", "permissions") for row in found[name]}
    assert "problem" in states
    assert "can't be written to" in found["permissions"][0]["what"]
    assert any("read-only" in row["what"] for row in found["filesystem"])


@needs_root
def test_a_read_only_loop_mount_as_a_root(work: Small, tmp_path: Path) -> None:
    image, logs = tmp_path / "image", work.root / "logs"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    with mounted(logs, "-o", "loop,ro", str(image)):
        said = trouble(work, "filesystem")
        assert f"logs is read-only: {logs}" in said
        assert "warning" in said
    found = "".join(row["what"] for row in doctor(work)["filesystem"])
    assert "logs" not in found.replace("logs on", "")


@needs_root
def test_a_root_on_tmpfs_has_its_own_trash(work: Small) -> None:
    with tmpfs(work.root / "logs"):
        assert "logs is on tmpfs" in trouble(work, "filesystem")
        rows = doctor(work)["filesystem"]
        assert any("its own .janitor/trash" in row["what"] for row in rows)


@needs_root
def test_a_disk_that_is_nearly_full(work: Small) -> None:
    with tmpfs(work.root / "logs", "1m"):
        (work.root / "logs" / "big.log").write_bytes(b"x" * 1_040_000)
        assert "free on the disk of logs" in trouble(work, "disk")


@needs_root
def test_a_disk_without_inodes(work: Small) -> None:
    with mounted(work.root / "logs", "-t", "tmpfs", "-o", "nr_inodes=20", "none"):
        for number in range(19):
            work.write(f"logs/{number}.log")
        assert "inodes free on the disk of logs" in trouble(work, "disk")


@needs_root
def test_files_of_another_user(work: Small) -> None:
    work.handed_to(ORDINARY)
    work.hydra(31, "outputs/day/other")
    (work.root / "outputs" / "day" / "other").chmod(0o755)
    said = trouble(work, "permissions", uid=ORDINARY)
    assert "we may not change" in said
    assert "another user's" in said
    assert "outputs/day/other" in said
    assert "may move all" in doctor(work)["permissions"][0]["what"], "root may"


@needs_root
def test_folders_that_only_their_owner_may_take_away(work: Small) -> None:
    """A sticky folder, as /tmp is: ours to write to, and yet theirs."""
    work.handed_to(ORDINARY)
    shared = work.root / "logs"
    (shared / "theirs").mkdir(parents=True)
    for folder in (shared, shared / "theirs"):
        folder.chmod(0o1777)
    assert "1 folder in logs: logs/theirs" in trouble(work, "permissions", uid=ORDINARY)


@needs_root
def test_what_cannot_be_read(work: Small) -> None:
    work.handed_to(ORDINARY)
    (work.root / RUN / "secret").mkdir(mode=0o700)
    assert f"can't be read: 1 folder in outputs, {RUN}/secret" in trouble(
        work, "permissions", uid=ORDINARY
    )


@needs_root
def test_a_workspace_of_another_user(work: Small) -> None:
    work._may_be_entered()
    work.root.chmod(0o755)
    shutil.rmtree(work.root / ".janitor")
    assert "there is no place for the journal" in trouble(work, "permissions", 1, uid=ORDINARY)


# ---------------------------------------------------------------- around


def test_a_clock_that_was_set_back(work: Small) -> None:
    with closing(work.journal()) as journal:
        ahead = time.time_ns() + 5 * 3600 * 10**9
        journal.set_clock(ahead, time.clock_gettime_ns(time.CLOCK_BOOTTIME), "another boot")
    said = trouble(work, "clock")
    assert "behind the last sweep: nothing goes by age" in said
    assert "--override-guards" in said


def test_files_from_the_future(work: Small) -> None:
    work.write("logs/app.log", days=-3)
    assert "logs/app.log is dated 2 days in the future" in trouble(work, "clock")


@needs_root
def test_processes_that_are_hidden(work: Small) -> None:
    """With hidepid=2, in a mount namespace of its own, as an ordinary user."""
    work.handed_to(ORDINARY)
    script = (
        "mount -t proc -o hidepid=2 none /proc && cd $1 && shift && "
        f'setpriv --reuid {ORDINARY} --regid {ORDINARY} --clear-groups "$@"'
    )
    try:
        who = account(ORDINARY, work.root)
    except RuntimeError as missing:
        pytest.skip(str(missing))
    line = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", script, "sh", str(work.root)]
    line += [who.python, "-m", "artifact_janitor", "doctor"]
    done = subprocess.run(line, env=dict(who.env), capture_output=True)
    if b"mount:" in done.stderr or b"unshare:" in done.stderr:
        pytest.skip(done.stderr.decode())
    assert b"not even listed (hidepid)" in done.stdout, done.stderr


@contextmanager
def repository(work: Small) -> Iterator[list[str]]:
    git = ["git", "-C", str(work.root)]
    subprocess.run([*git, "init", "-q"], check=True)
    yield git


def test_a_repository(work: Small) -> None:
    with repository(work) as git:
        subprocess.run([*git, "add", "-f", f"{RUN}/.hydra"], check=True)
        said = trouble(work, "git")
        assert f"3 tracked files in the folders of runs: {RUN}" in said
        assert "git clean -fdx would remove journal and trash → git clean -fdx -e .janitor" in said
        assert "doesn't ignore" not in said
        (work.root / ".janitor" / ".gitignore").unlink()
        assert "Git doesn't ignore .janitor" in trouble(work, "git")


def test_the_command_that_spares_the_trash_does_so(work: Small) -> None:
    with repository(work) as git:
        subprocess.run([*git, "clean", "-fdxq", "-e", ".janitor"], check=True)
        assert work.there(".janitor/journal.db")
        assert not work.there("outputs")
        subprocess.run([*git, "clean", "-fdxq"], check=True)
        assert not work.there(".janitor")


def test_a_repository_and_no_git(work: Small, tmp_path: Path) -> None:
    with repository(work):
        assert "no git command" in trouble(work, "git", 1, env=[("PATH", str(tmp_path))])


@needs_root
def test_a_repository_of_another_user(work: Small) -> None:
    with repository(work):
        work.handed_to(ORDINARY)
        said = trouble(work, "git")
        assert "does not trust" in said
        assert f"safe.directory {work.root}" in said


def test_few_open_files(work: Small) -> None:
    import resource

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))

    assert "only 100 files may be open at once" in trouble(work, "limits", first=few)


def test_wandb_runs_in_no_configured_folder(work: Small) -> None:
    wandb_runs.place(wandb_runs.offline, work.root / "src")
    wandb_runs.place(wandb_runs.offline, work.root)
    said = trouble(work, "wandb")
    assert "src/wandb holds W&B runs" in said
    assert 'wandb = ["wandb", "src/wandb"]' in said
    assert said.count("holds W&B runs") == 1


# ---------------------------------------------------------------- W&B's staging

STAGE = """
import os, sys, wandb
with open("data.bin", "wb") as file:
    file.write(os.urandom(100_000))
with wandb.init(mode="offline", settings=wandb.Settings(x_disable_stats=True)) as run:
    artifact = wandb.Artifact("model", "model")
    artifact.add_file("data.bin")
    run.log_artifact(artifact)
"""


@pytest.fixture
def staged(work: Small, tmp_path: Path) -> dict[str, str]:
    """The environment in which an offline run has staged an artifact."""
    env = wandb_runs.environ()
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR"):
        env.pop(name)
    env["HOME"] = str(tmp_path / "home")
    done = subprocess.run(
        [sys.executable, "-c", STAGE], cwd=work.root, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return {"HOME": env["HOME"]}


def test_what_is_staged_is_told_and_left_alone(work: Small, staged: dict[str, str]) -> None:
    staging = Path(staged["HOME"], ".local/share/wandb/artifacts/staging")
    (run,) = work.root.glob("wandb/offline-*")
    before = snapshot(staging)
    said = trouble(work, "wandb", env=staged.items())
    assert str(staging) in said
    assert "1 of them are the only copy" in said
    assert f"wandb sync wandb/{run.name}" in said
    du = work.janitor("du", env=staged.items())
    rows = {row["path"]: row for row in du.rows("outside")}
    assert rows[str(staging)]["bytes"] >= 100_000
    assert "not uploaded" in rows[str(staging)]["what"]
    assert str(Path(staged["HOME"], ".cache/wandb")) in rows, "its log is there"
    running = work.start("du", env=staged.items())
    running.wait()
    assert "wandb artifact cache cleanup 10GB" in running.output.read_text()
    assert difference(before, snapshot(staging)) == []


def test_the_places_are_those_of_the_client(work: Small, staged: dict[str, str]) -> None:
    """Named by variables, as the installed client reads them."""
    program = (
        "from wandb.sdk.artifacts.staging import get_staging_dir;"
        "from wandb.env import get_cache_dir; print(get_staging_dir()); print(get_cache_dir())"
    )
    home = staged["HOME"]
    for env in (
        {},
        {"WANDB_DATA_DIR": f"{home}/data", "WANDB_CACHE_DIR": f"{home}/cache"},
        {"XDG_DATA_HOME": f"{home}/xdg", "XDG_CACHE_HOME": f"{home}/xdg-cache"},
    ):
        clean = {**myself(Path(home)).env, **staged, **env}
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=work.root,
            env=clean,
            capture_output=True,
            text=True,
        )
        staging, cache = map(Path, done.stdout.split())
        for place in (staging, cache):
            place.mkdir(parents=True, exist_ok=True)
            (place / "tmpabcdefgh").write_text("staged\n")
        found = work.janitor("du", env={**staged, **env}.items()).rows("outside")
        assert [row["path"] for row in found] == [str(staging), str(cache)]


def test_a_staged_file_that_no_run_here_names(work: Small, staged: dict[str, str]) -> None:
    shutil.rmtree(work.root / "wandb")
    said = trouble(work, "wandb", env=staged.items())
    assert "or left behind" in said
    assert "only copy" not in said
