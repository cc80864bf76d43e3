"""What a run was configured with stays findable, whatever became of the run."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import shutil
import sqlite3
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from artifact_janitor.journal.formats import FIRST, FORMATS, VERSION
from artifact_janitor.observe import configs, wandb_log
from artifact_janitor.regular import open_regular
from tests.real import hydra_runs, training, wandb_runs
from tests.real.account import ORDINARY, Account
from tests.real.small import CONFIG, FREE, PURGING, Small, done, small, why

MAIN = ".hydra/config.yaml"
KEEP = CONFIG.replace('"7d"', '"3650d"')
RUN = "outputs/day/11-00-00"


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path)


@pytest.fixture
def watched(work: Small) -> Small:
    """A workspace with a journal, in which nothing goes."""
    work.configure(KEEP)
    work.journal().close()
    return work


def printed(work: Small, run: str, *before: str) -> bytes:
    """All that it writes to stdout."""
    running = work.start(*before, "history", "--config", run)
    assert running.wait() == 0, running.errors.read_text()
    return running.output.read_bytes()


def files(work: Small, run: str) -> dict[str, str]:
    found = work.janitor("history", "--config", run)
    assert found.code == 0, found
    return {row["name"]: row["text"] for row in found.rows("files")}


def refused(work: Small, run: str) -> dict[str, str]:
    found = work.janitor("history", "--config", run)
    assert found.code == 1, found
    (error,) = found.said["errors"]
    assert error["code"] == "unknown"
    return dict(error)


def database(work: Small, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(work.root / ".janitor" / "journal.db")) as journal, journal:
        return journal.execute(query).fetchall()


# ---------------------------------------------------------------- the run is gone


def test_a_hydra_run_that_was_purged(work: Small) -> None:
    """The first sweep here: there was no journal to write to before it."""
    work.configure(PURGING)
    run = work.hydra(30, RUN)
    before = (work.root / run / MAIN).read_bytes()
    names = [".hydra/overrides.yaml", ".hydra/hydra.yaml", "config_used.yaml", MAIN]
    texts = {name: (work.root / run / name).read_text() for name in names}
    assert [work.janitor("run", "--yes").code for _ in range(2)] == [0, 0]
    assert work.trash() == []
    assert printed(work, run) == before
    assert files(work, run) == texts


def test_it_is_durable_before_the_run_leaves(work: Small) -> None:
    run = work.hydra(30, RUN)
    seen: list[int] = []

    def before_the_first() -> bool:
        assert work.there(run)
        seen.append(len(database(work, "SELECT path FROM config")))
        return False

    work.run(stop=before_the_first)
    assert (seen, work.there(run)) == ([1], False)


def test_a_run_that_a_person_removed(watched: Small) -> None:
    run = watched.hydra(1, RUN)
    before = (watched.root / run / MAIN).read_bytes()
    watched.janitor("plan")
    shutil.rmtree(watched.root / "outputs")
    assert printed(watched, run) == before


def test_the_runs_in_a_run_are_found_too(watched: Small) -> None:
    run = watched.hydra(30, RUN)
    inner = wandb_runs.place(wandb_runs.online, watched.root / run)
    config = (inner / "files" / "config.yaml").read_bytes()
    name = str(inner.relative_to(watched.root))
    watched.janitor("plan")
    shutil.rmtree(watched.root / run)
    assert printed(watched, name) == config
    assert "wandb" not in " ".join(files(watched, run))


def test_the_runs_in_a_run_that_leaves_in_the_first_sweep(work: Small) -> None:
    run = work.hydra(30, RUN)
    inner = wandb_runs.place(wandb_runs.synced, work.root / run)
    wandb_runs.backdate(inner.parent, 30)
    name, config = str(inner.relative_to(work.root)), (inner / "files/config.yaml").read_bytes()
    assert run in done(work.janitor("run", "--yes"))
    shutil.rmtree(work.root / ".janitor" / "trash")
    assert printed(work, name) == config
    assert printed(work, inner.name.rpartition("-")[2]) == config


def test_a_run_whose_configuration_cannot_be_read_stays(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails at this file can't be had here: the call that opens it fails."""
    run = work.hydra(30, RUN)
    seen = work.look()

    def failing(path: str, dir_fd: int | None = None) -> int:
        if path.endswith("/config.yaml"):
            raise OSError(errno.EIO, "Input/output error")
        return open_regular(path, dir_fd)

    monkeypatch.setattr(configs, "open_regular", failing)
    (outcome,) = work.run(seen).outcomes
    assert outcome.outcome == "skipped"
    assert "would be lost" in outcome.why
    assert f"{run}/{MAIN}" in outcome.why
    assert work.there(run)
    monkeypatch.undo()
    assert printed(work, run)


# ---------------------------------------------------------------- what a person calls it


def test_a_run_by_all_its_names(watched: Small) -> None:
    run = watched.hydra(30, RUN)
    watched.hydra(31, "outputs/day/12-00-00")
    (watched.root / run / MAIN).write_text("lr: 7\n")
    thing = watched.write(f"{run}/models/best.pt", "weights")
    names = (run, "11-00-00", "day/11-00-00", f"{run}/models", f"{run}/", str(thing), f"./{run}")
    for name in names:
        assert printed(watched, name) == b"lr: 7\n", name
    watched.janitor("plan")
    shutil.rmtree(watched.root / run)
    for name in names:
        assert printed(watched, name) == b"lr: 7\n", name
    overrides = files(watched, run)[".hydra/overrides.yaml"]
    assert printed(watched, f"{run}/.hydra/overrides.yaml").decode() == overrides
    assert printed(watched, f"{run}/.hydra") == b"lr: 7\n"


def test_from_a_folder_below_the_workspace(watched: Small) -> None:
    run = watched.hydra(30, RUN)

    def go_down() -> None:
        os.chdir(watched.root / "outputs")

    for name in ("day/11-00-00", run):
        line = ("--config", "../config.toml", "history", "--config", name)
        assert watched.start(*line, first=go_down).wait() == 0, name


def test_no_run_and_several_runs_of_a_name(watched: Small) -> None:
    for day in ("2026-01-01", "2026-01-02"):
        watched.hydra(30, f"outputs/{day}/11-00-00")
    for _ in ("there", "gone"):
        several = refused(watched, "11-00-00")
        assert "2 runs" in several["message"]
        assert "outputs/2026-01-01/11-00-00, outputs/2026-01-02/11-00-00" in several["hint"]
        near = refused(watched, "01/11-00-01")["hint"]
        assert near.startswith("nearest: ")
        assert "outputs/2026-01-01/11-00-00" in near
        assert "nearest" not in refused(watched, "xyz")["hint"]
        shutil.rmtree(watched.root / "outputs", ignore_errors=True)
    for nothing in ("", ".", "outputs", "/etc", ".."):
        assert "no run was ever seen" in refused(watched, nothing)["message"]
    running = watched.start("history", "--config", "xyz")
    assert (running.wait(), running.output.read_bytes()) == (1, b"")
    assert "xyz" in running.errors.read_text()


def test_the_configuration_of_the_janitor_stands_before_the_command(watched: Small) -> None:
    run = watched.hydra(30, RUN)
    watched.write("elsewhere/config.toml", "")
    assert printed(watched, run, "--config", "config.toml")
    other = ("--config", "elsewhere/config.toml")
    assert watched.start(*other, "history", "--config", "11-00-00").wait() == 1
    assert watched.start("history", "--config", run, "some-sweep").wait() == 2


def test_a_run_of_no_workspace_with_a_journal_is_read_in_its_place(work: Small) -> None:
    run = work.hydra(1, RUN)
    assert printed(work, "11-00-00") == (work.root / run / MAIN).read_bytes()
    assert not (work.root / ".janitor").exists()
    (work.root / ".janitor").mkdir()
    assert work.janitor("plan").code == 0
    assert os.listdir(work.root / ".janitor") == []


def test_a_name_that_is_no_text(watched: Small) -> None:
    name = os.fsdecode(b"outputs/day/caf\xe9 \n")
    run = watched.hydra(30, name)
    (watched.root / run / MAIN).write_bytes(b"name: caf\xe9\n")
    watched.janitor("plan")
    shutil.rmtree(watched.root / "outputs")
    assert printed(watched, run) == b"name: caf\xe9\n"
    assert files(watched, run)[MAIN].encode("utf-8", "surrogateescape") == b"name: caf\xe9\n"


def test_what_else_is_kept_is_told_beside_it(watched: Small) -> None:
    run = watched.hydra(30, RUN)
    running = watched.start("history", "--config", run)
    running.wait()
    told = running.errors.read_text()
    assert ".hydra/overrides.yaml" in told
    assert f"janitor history --config {run} --json" in told
    quiet = watched.start("history", "--config", run, "--quiet")
    quiet.wait()
    assert quiet.output.read_bytes() == running.output.read_bytes()
    assert quiet.errors.read_text() == ""


# ---------------------------------------------------------------- other kinds


def test_a_job_of_a_sweep(watched: Small) -> None:
    hydra_runs.write_program(watched.root)
    sweep = hydra_runs.sweep(watched.root, "multirun/day/10-00-00")
    job = (sweep / "1" / MAIN).read_bytes()
    whole = (sweep / "multirun.yaml").read_bytes()
    assert job != (sweep / "0" / MAIN).read_bytes()
    watched.janitor("plan")
    shutil.rmtree(sweep)
    assert printed(watched, "multirun/day/10-00-00/1") == job
    assert printed(watched, "10-00-00/1") == job
    assert printed(watched, "10-00-00") == whole


CONFIGURE = """
import sys, wandb
settings = wandb.Settings(x_disable_stats=True)
with wandb.init(mode=sys.argv[1], id=sys.argv[2], settings=settings,
                config={"lr": 0.1, "model": {"layers": [8, 4], "name": "caf\\u00e9"}}) as run:
    run.config.batch = 32
    run.config.update({"model": {"name": "mlp"}}, allow_val_change=True)
    for step in range(2000):
        run.log({"loss": 1 / (step + 1)})
    run.config.update({"late": True, "big": "x" * 70_000})
"""


@cache
def configured(mode: str) -> Path:
    """The project of a W&B run with a configuration that changes as it goes on."""
    project = Path(wandb_runs._shelf().name, f"configured-{mode}")
    project.mkdir()
    line = [sys.executable, "-c", CONFIGURE, mode, f"{mode}1"]
    with wandb_runs.WandbStub() as stub:
        env = wandb_runs.environ(stub if mode == "online" else None)
        subprocess.run(line, cwd=project, env=env, check=True, capture_output=True)
    return project


EXPECTED = {
    "lr": 0.1,
    "model": {"name": "mlp"},
    "batch": 32,
    "late": True,
    "big": "x" * 70_000,
}


def test_an_offline_wandb_run_by_its_id(watched: Small) -> None:
    """Its configuration is in the transaction log alone, spread over records and blocks."""
    shutil.copytree(configured("offline") / "wandb", watched.root / "wandb", symlinks=True)
    assert not list(watched.root.glob("wandb/*/files/config.yaml"))
    assert json.loads(printed(watched, "offline1")) == EXPECTED
    watched.janitor("plan")
    shutil.rmtree(watched.root / "wandb")
    assert json.loads(printed(watched, "offline1")) == EXPECTED


def test_an_online_wandb_run_has_the_same(watched: Small) -> None:
    """W&B's own file wins, and says what the log says."""
    shutil.copytree(configured("online") / "wandb", watched.root / "wandb", symlinks=True)
    (run,) = watched.root.glob("wandb/run-*")
    said = (run / "files" / "config.yaml").read_bytes()
    assert printed(watched, "online1") == said
    assert "files/wandb-metadata.json" in files(watched, "online1")
    (run / "files" / "config.yaml").unlink()
    from_log = json.loads(printed(watched, "online1"))
    assert from_log == EXPECTED
    for key, value in from_log.items():
        assert f"{key}:\n".encode() in said, value


def test_only_the_first_part_of_a_long_log_is_read_of_a_run_that_stays(
    watched: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(configured("offline") / "wandb", watched.root / "wandb", symlinks=True)
    monkeypatch.setattr(configs, "FIRST_PART", 40_000)
    watched.look()
    (run,) = watched.root.glob("wandb/offline-*")
    with closing(watched.journal()) as journal:
        (kept,) = journal.configs.of(str(run.relative_to(watched.root)))
    assert kept.files[-1].mark.endswith(".cut")
    assert json.loads(printed(watched, "offline1")) == EXPECTED, "read in its place, to its end"
    monkeypatch.undo()
    watched.look()
    monkeypatch.setattr(configs, "FIRST_PART", 40_000)
    watched.look()
    with closing(watched.journal()) as journal:
        newest, _ = journal.configs.of(kept.path)
    assert not newest.files[-1].mark.endswith(".cut"), "what was read whole stays so"


def test_a_log_that_breaks_off_tells_what_stands_before(watched: Small) -> None:
    shutil.copytree(configured("offline") / "wandb", watched.root / "wandb", symlinks=True)
    (log,) = watched.root.glob("wandb/offline-*/*.wandb")
    os.truncate(log, log.stat().st_size - 90_000)
    found = json.loads(printed(watched, "offline1"))
    assert (found["lr"], "late" in found) == (0.1, False)


def test_what_a_run_took_out_of_its_configuration_is_not_in_it() -> None:
    """The client offers no way to do so; its log has one, written here with its own classes."""
    from wandb.proto import wandb_internal_pb2 as proto

    first, second = proto.Record(), proto.Record()
    for key in ("stays", "goes"):
        first.run.config.update.add(key=key, value_json='{"a": 1, "b": 2}')
    second.config.remove.add(key="goes")
    second.config.remove.add(nested_key=["stays", "b"])
    second.config.remove.add(nested_key=["stays", "none", "at", "all"])
    log = wandb_log.MAGIC
    for record in (first, second):
        body = b"\1" + record.SerializeToString()
        log += struct.pack("<IH", zlib.crc32(body), len(body) - 1) + body
    assert wandb_log.config(io.BytesIO(log)) == {"stays": {"a": 1}}
    assert wandb_log.config(io.BytesIO(log[:7])) is None


def test_training_runs(watched: Small) -> None:
    runs = watched.root / "training" / "runs"
    training.together(
        [
            ("lightning", runs / "a", {"save_last": True, "monitors": ["x"]}),
            ("hf", runs / "b", {"save_model": True, "save_total_limit": None}),
            ("hf", runs / "c", {"save_model": False, "save_total_limit": None}),
            ("timm", runs / "d", {"epochs": 2, "best": 1, "history": 1}),
        ]
    )
    before = {
        "version_0": next((runs / "a").rglob("hparams.yaml")).read_bytes(),
        "b": (runs / "b" / "config.json").read_bytes(),
        "c": (runs / "c" / "checkpoint-12" / "config.json").read_bytes(),
        "d": (runs / "d" / "args.yaml").read_bytes(),
    }
    watched.janitor("plan")
    shutil.rmtree(runs)
    for name, content in before.items():
        assert printed(watched, name) == content, name


# ---------------------------------------------------------------- hostile files


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.symlink_to("/etc/hostname"),
        lambda file: file.write_bytes(b"#" * (configs.LARGEST + 1)),
        lambda file: file.write_bytes(b"a: 1\n\0"),
        os.mkfifo,
        lambda file: file.mkdir(),
    ],
    ids=["a link", "over 1 MB", "no text", "a pipe", "a folder"],
)
def test_only_small_text_in_regular_files_is_kept(
    watched: Small, spoil: Callable[[Path], None]
) -> None:
    run = watched.hydra(30, RUN)
    (watched.root / run / MAIN).unlink()
    spoil(watched.root / run / MAIN)
    wandb_runs.backdate(watched.root / run, 30)
    watched.janitor("plan")
    found = files(watched, run)
    assert MAIN not in found
    assert ".hydra/hydra.yaml" in found
    watched.configure(FREE)
    assert done(watched.janitor("run", "--yes")) == {run}, "and it holds nothing up"


def test_exactly_1_mb_is_kept(watched: Small) -> None:
    run = watched.hydra(30, RUN)
    (watched.root / run / MAIN).write_bytes(b"#" * configs.LARGEST)
    watched.janitor("plan")
    shutil.rmtree(watched.root / run)
    assert len(printed(watched, run)) == configs.LARGEST


def test_a_settings_folder_that_is_a_link_is_not_entered(
    watched: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "config.yaml").write_text("secret: 1\n")
    sweep = watched.root / "multirun" / "day" / "s"
    hydra_runs.write_program(watched.root)
    hydra_runs.sweep(watched.root, "multirun/day/s")
    shutil.rmtree(sweep / "0" / ".hydra")
    (sweep / "0" / ".hydra").symlink_to(outside)
    watched.janitor("plan")
    assert "secret" not in str(files(watched, "multirun/day/s"))


def test_a_file_of_another_user_that_may_not_be_read(watched: Small) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    run = watched.hydra(30, RUN)
    watched.handed_to(ORDINARY)
    Account(0, "").owns(watched.root / run / ".hydra")
    (watched.root / run / MAIN).chmod(0)
    watched.configure(FREE)
    plan = watched.start("run", "--yes", "--json", uid=ORDINARY).answer()
    assert plan.code == 0, plan
    assert watched.there(run), why(plan, run)


# ---------------------------------------------------------------- what it costs


def test_a_second_look_reads_none_of_it(watched: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    for days in (30, 31, 32):
        watched.hydra(days)
    opened: list[str] = []

    def spy(path: str, dir_fd: int | None = None) -> int:
        opened.append(path)
        return open_regular(path, dir_fd)

    monkeypatch.setattr(configs, "open_regular", spy)
    watched.look()
    assert len(opened) == 3 * 5
    opened.clear()
    watched.look()
    assert opened == []


def test_what_is_known_is_neither_read_nor_written_again(watched: Small) -> None:
    """A run of today is looked at each time."""
    run = watched.hydra(0.1, RUN)
    watched.janitor("plan")
    before = database(watched, "SELECT * FROM config")
    watched.janitor("plan")
    assert database(watched, "SELECT * FROM config") == before
    (watched.root / run / MAIN).touch()
    watched.janitor("plan")
    (row,) = database(watched, "SELECT seen FROM config")
    assert row[0] == before[0][1], "written to, but with the same content"
    assert "earlier version" not in watched.said("history", "--config", run)


def test_each_content_is_kept_once(watched: Small) -> None:
    for days in (30, 31, 32):
        watched.hydra(days)
    watched.janitor("plan")
    assert len(database(watched, "SELECT path FROM config")) == 3
    assert len(database(watched, "SELECT digest FROM content")) == 3, "two of its four are equal"


def test_what_it_was_before_is_kept(watched: Small) -> None:
    """Another run in the same place, say."""
    run = watched.hydra(0.1, RUN)
    first = (watched.root / run / MAIN).read_text()
    watched.janitor("plan")
    (watched.root / run / MAIN).write_text("lr: 7\n")
    (watched.root / run / "config_used.yaml").unlink()
    watched.janitor("plan")
    shutil.rmtree(watched.root / run)
    assert printed(watched, run) == b"lr: 7\n"
    (before,) = watched.janitor("history", "--config", run).rows("earlier")
    texts = {row["name"]: row["text"] for row in before["files"]}
    assert texts[MAIN] == first
    assert "config_used.yaml" in texts
    assert "config_used.yaml" not in files(watched, run)


# ---------------------------------------------------------------- the journal


def of_format_1(work: Small) -> None:
    """As version 1 wrote it, with a sweep and a pin."""
    (work.root / ".janitor").mkdir(mode=0o700)
    with closing(sqlite3.connect(work.root / ".janitor" / "journal.db")) as db, db:
        db.executescript(f"PRAGMA journal_mode = WAL; {FIRST} PRAGMA user_version = 1;")
        db.execute("INSERT INTO sweep VALUES ('abcd', 'run', 0, 1, 2)")
        db.execute("INSERT INTO pin VALUES (?, 'mine', 1)", (b"outputs/pinned",))


def test_a_journal_of_format_1_is_read_as_it_is(work: Small) -> None:
    of_format_1(work)
    for command in ("status", "history", "plan"):
        assert work.janitor(command).code == 0, command
    assert "no run was ever seen" in refused(work, "11-00-00")["message"]
    assert database(work, "PRAGMA user_version") == [(1,)]


def test_a_journal_of_format_1_is_brought_up_to_date(work: Small) -> None:
    of_format_1(work)
    run = work.hydra(30, RUN)
    before = (work.root / run / MAIN).read_bytes()
    assert work.janitor("plan").code == 0
    assert database(work, "PRAGMA user_version") == [(VERSION,)]
    assert [row["sweep"] for row in work.janitor("history").rows("sweeps")] == ["abcd"]
    assert [row["path"] for row in work.janitor("status").rows("pins")] == ["outputs/pinned"]
    shutil.rmtree(work.root / run)
    assert printed(work, run) == before


def test_what_a_journal_of_format_1_remembers_is_read_once_more(watched: Small) -> None:
    """A run that is remembered is not read, and its configuration was never written down."""
    run = watched.hydra(30, RUN)
    before = (watched.root / run / MAIN).read_bytes()
    watched.janitor("plan")
    for table in re.findall(r"CREATE TABLE (\w+)", "".join(FORMATS[1:])):
        database(watched, f"DROP TABLE {table}")
    database(watched, "PRAGMA user_version = 1")
    assert (os.fsencode(run),) in database(watched, "SELECT path FROM memory")
    watched.journal().close()
    watched.janitor("plan")
    shutil.rmtree(watched.root / run)
    assert printed(watched, run) == before


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE content SET body = x'00ff'",
        "UPDATE content SET body = (SELECT max(body) FROM content)",
        "DELETE FROM content",
        "UPDATE config SET files = '[1]'",
    ],
)
def test_a_damaged_content_is_told_and_never_printed(watched: Small, damage: str) -> None:
    run = watched.hydra(30, RUN)
    watched.janitor("plan")
    shutil.rmtree(watched.root / run)
    database(watched, damage)
    found = watched.janitor("history", "--config", run)
    assert (found.code, found.said["errors"][0]["code"]) == (1, "journal")
    assert watched.start("history", "--config", run).wait() == 1


@pytest.mark.parametrize("link", [".janitor", ".janitor/journal.db"])
def test_no_command_reads_a_journal_through_a_link(
    watched: Small, tmp_path_factory: pytest.TempPathFactory, link: str
) -> None:
    """SQLite would make its files beside what the link names."""
    run = watched.hydra(30, RUN)
    place, outside = watched.root / link, tmp_path_factory.mktemp("outside") / "it"
    place.rename(outside)
    place.symlink_to(outside)
    folder = outside if outside.is_dir() else outside.parent
    before = sorted(os.listdir(folder))
    for command in (
        *(["plan"], ["why", run], ["status"], ["du"], ["history"], ["undo"], ["run", "--yes"]),
        *(["pin", run], ["unpin", run], ["history", "--config", run]),
    ):
        found = watched.janitor(*command)
        assert found.code == 1, command
        assert "symlink" in found.said["errors"][0]["message"], command
        assert sorted(os.listdir(folder)) == before, command
