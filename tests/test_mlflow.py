"""MLflow's runs: only what MLflow itself marks deleted goes, and its record at the purge."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.proof.scenes import SCENES
from tests.proof.test_kills import kills, points, telling
from tests.real import mlflow_runs
from tests.real.account import myself
from tests.real.command import line
from tests.real.kills import needs_strace
from tests.real.mlflow_runs import MLRUNS, PURGE, MlflowError, Project, id_of, to_trash
from tests.real.small import FREE, Small, done, why
from tests.real.snapshot import difference, snapshot
from tests.real.syscalls import changes


@pytest.fixture
def work(tmp_path: Path) -> Small:
    found = Small(tmp_path)
    found.configure(MLRUNS)
    return found


@pytest.fixture(params=["DELETE", "WAL"])
def project(work: Small, request: pytest.FixtureRequest) -> Project:
    return Project.with_database(work.root, request.param)


@pytest.fixture
def plain(work: Small) -> Project:
    return Project.with_database(work.root)


@pytest.fixture
def files(work: Small) -> Project:
    return Project(work.root, store="file")


@pytest.fixture(params=["sqlite", "file"])
def either(work: Small, request: pytest.FixtureRequest) -> Project:
    if request.param == "file":
        return Project(work.root, store="file")
    return Project.with_database(work.root)


def going(work: Small) -> set[str]:
    return {row["path"] for row in work.janitor("plan").rows("steps")}


def said(work: Small, path: str) -> str:
    return why(work.janitor("plan"), path)


# ---------------------------------------------------------------- what may go


def test_what_mlflow_marks_deleted_goes_by_age(work: Small, project: Project) -> None:
    old, young, kept = project.run(30), project.run(3), project.run(30, deleted=False)
    assert going(work) == {old}
    assert "MLflow marks it deleted" in said(work, old)
    assert "not older" not in said(work, young)
    assert "MLflow doesn't mark it deleted" in said(work, kept)
    assert f"mlflow runs delete --run-id {id_of(kept)}" in work.said("why", kept)


def test_likewise_in_a_file_store(work: Small, files: Project) -> None:
    old, young, kept = files.run(30), files.run(3), files.run(30, deleted=False)
    assert going(work) == {old}
    assert young != kept


def test_active_runs_are_no_surprise_in_a_plan(work: Small, plain: Project) -> None:
    plain.run(30, deleted=False)
    assert "Kept although old" not in work.said("plan")


def test_a_deleted_run_is_not_archived(work: Small, plain: Project) -> None:
    """What the database knows of it would be lost with the purge."""
    run = plain.run(30)
    answer = work.janitor("archive", run)
    assert (answer.code, work.there(run)) == (4, True)
    assert "MLflow's database" in answer.said["errors"][0]["message"]


def test_ages_count_from_the_deletion(work: Small, plain: Project) -> None:
    """A run of last year that was deleted yesterday can still be restored for a while."""
    run = plain.run(300, deleted=False)
    plain.delete(id_of(run))
    assert going(work) == set()


def test_without_a_policy_nothing_goes(work: Small, plain: Project) -> None:
    plain.run(30)
    work.configure(FREE)
    assert going(work) == set()


@pytest.mark.parametrize("status", ["RUNNING", "SCHEDULED"])
def test_what_did_not_end_stays(work: Small, either: Project, status: str) -> None:
    run = either.run(30, status=status)
    if status == "SCHEDULED":  # MLflow's client makes none itself
        meta = work.root / run / "meta.yaml"
        if meta.exists():
            meta.write_text(meta.read_text().replace("status: 1", "status: 2"))
            os.utime(meta, (1e9, 1e9))
        else:
            either.sql("UPDATE runs SET status = 'SCHEDULED'")
    assert going(work) == set()
    assert f"MLflow says that it is {status}" in said(work, run)
    assert "set_terminated" in work.said("why", run)


def test_what_it_says_to_do_about_a_killed_run_works(work: Small, plain: Project) -> None:
    run = plain.run(30, status="RUNNING")
    hint = next(each for each in work.said("why", run).splitlines() if "python -c" in each)
    plain.ask(hint.partition('-c "')[2].rpartition('"')[0])
    plain.age(work.root / run, 30)
    assert going(work) == {run}


def test_a_killed_run_stays_until_a_person_ends_it(work: Small, plain: Project) -> None:
    running, run_id = mlflow_runs.live(work.root)
    assert "MLflow doesn't mark it deleted" in said(work, f"mlruns/1/{run_id}")
    mlflow_runs.kill(running)
    plain.delete(run_id)
    plain.age(work.root / "mlruns/1" / run_id, 30)
    assert going(work) == set()
    assert "RUNNING" in said(work, f"mlruns/1/{run_id}")


def test_a_restored_run_stays(work: Small, either: Project) -> None:
    run = either.run(30)
    either.ask("client.restore_run(ID)", ID=id_of(run))
    assert going(work) == set()


def test_the_runs_of_a_deleted_experiment_go(work: Small, plain: Project) -> None:
    run = plain.run(30, deleted=False)
    plain.ask("client.delete_experiment(client.get_experiment_by_name('x').experiment_id)")
    plain.age(work.root / run, 30)
    assert going(work) == {run}


def test_the_file_stores_own_trash_is_left_alone(work: Small, files: Project) -> None:
    files.run(30)
    files.ask("client.delete_experiment(client.get_experiment_by_name('x').experiment_id)")
    assert going(work) == set()
    assert "mlflow gc" in said(work, "mlruns/.trash")


# ---------------------------------------------------------------- what a model names


def register(project: Project, source: str, run_id: str = "") -> None:
    project.ask(
        """
        from mlflow.exceptions import MlflowException
        try:
            client.create_registered_model("RM")
        except MlflowException:
            pass
        answer = client.create_model_version("RM", SOURCE, ID or None).version
        """,
        SOURCE=source,
        ID=run_id,
    )


@pytest.mark.parametrize("how", ["runs:/{id}/notes", "{root}/mlruns/{path}/artifacts/notes", "id"])
def test_a_registered_model_keeps_its_run(work: Small, either: Project, how: str) -> None:
    run = either.run(30, deleted=False)
    inside = run.removeprefix("mlruns/")
    source = how.format(id=id_of(run), root=work.root, path=inside)
    register(either, "s3://elsewhere/model" if how == "id" else source, id_of(run))
    either.delete(id_of(run))
    either.age(work.root / run, 30)
    assert going(work) == set()
    assert "registered model RM version 1 names it" in said(work, run)
    either.ask("client.delete_model_version('RM', '1')")
    assert going(work) == {run}


def test_a_version_is_called_by_its_aliases_and_stage(work: Small, plain: Project) -> None:
    run = plain.run(30)
    register(plain, f"runs:/{id_of(run)}/notes")
    plain.ask("client.set_registered_model_alias('RM', 'champion', '1')")
    assert "registered model RM version 1 (@champion) names it" in said(work, run)


def log_model(project: Project, run_id: str) -> str:
    made: str = project.ask(
        """
        where = client.get_run(ID).info.experiment_id
        model = client.create_logged_model(where, name="net", source_run_id=ID)
        client.finalize_logged_model(model.model_id, "READY")
        answer = model.model_id
        """,
        ID=run_id,
    )
    return made


def test_a_logged_model_keeps_the_run_that_made_it(work: Small, either: Project) -> None:
    run = either.run(30)
    model = log_model(either, id_of(run))
    assert f"the logged model net ({model}) comes from it" in said(work, run)
    either.ask("client.delete_logged_model(MODEL)", MODEL=model)
    assert going(work) == {run}


def test_a_version_keeps_the_run_of_the_logged_model_that_it_names(
    work: Small, either: Project
) -> None:
    """Even when somebody deleted the logged model, and though the version needn't name the
    run itself: the version still stands."""
    run = either.run(30)
    model = log_model(either, id_of(run))
    register(either, f"models:/{model}")
    if either.store == "sqlite":
        either.sql("UPDATE model_versions SET run_id = NULL, storage_location = NULL")
    else:
        meta = work.root / "mlruns/models/RM/version-1/meta.yaml"
        lines = [each for each in meta.read_text().splitlines() if id_of(run) not in each]
        meta.write_text("\n".join(lines) + "\n")
    either.ask("client.delete_logged_model(MODEL)", MODEL=model)
    assert going(work) == set()
    assert "registered model RM version 1 names it" in said(work, run)


def test_metrics_of_a_living_model_keep_the_run_that_measured_it(
    work: Small, plain: Project
) -> None:
    """SQLite would remove them with the run."""
    made, measured = plain.run(30, deleted=False), plain.run(30, deleted=False)
    model = log_model(plain, id_of(made))
    plain.ask("client.log_metric(ID, 'f1', 0.5, model_id=M)", ID=id_of(measured), M=model)
    plain.delete(id_of(measured))
    plain.age(work.root / measured, 30)
    assert f"the logged model net ({model}) has metrics from it" in said(work, measured)
    assert going(work) == set()


def test_a_parent_stays_as_long_as_a_child_does(work: Small, either: Project) -> None:
    parent = either.run(30)
    child = either.run(30, deleted=False, parent=id_of(parent))
    assert going(work) == set()
    assert f"its child run {id_of(child)} is not deleted" in said(work, parent)
    either.delete(id_of(child))
    assert going(work) == {parent}


def test_a_deleted_child_goes_and_leaves_its_parent(work: Small, plain: Project) -> None:
    parent = plain.run(30, deleted=False)
    child = plain.run(30, parent=id_of(parent))
    assert going(work) == {child}


def test_a_record_elsewhere_names_a_run_too(work: Small, plain: Project) -> None:
    """The general references hold as well: sidecars, links, Git."""
    run = plain.run(30)
    work.write("best_models/net_meta.json", f'{{"run": "{id_of(run)}"}}')
    assert going(work) == set()


# ---------------------------------------------------------------- what is not understood


def test_what_else_mlflow_wrote_is_named_and_stays(work: Small, plain: Project) -> None:
    run = plain.run(30)
    model = log_model(plain, id_of(run))
    work.write(f"mlruns/1/models/{model}/artifacts/data.bin", days=90)
    work.write("mlruns/1/traces/tr-1/artifacts/traces.json", days=90)
    work.write("mlruns/note.txt", days=90)
    assert "logged models of MLflow's" in said(work, "mlruns/1/models")
    assert "traces of MLflow's" in said(work, "mlruns/1/traces")
    assert said(work, "mlruns/note.txt") == "no layout explains it"


def test_artifacts_elsewhere_are_not_touched(work: Small, plain: Project, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    run = plain.run(30, experiment="far", location=f"file://{outside}")
    assert not run.startswith("mlruns")
    before = snapshot(outside)
    work.write(f"mlruns/9/{id_of(run)}/artifacts/model.bin", days=90)
    assert going(work) == set()
    assert f"its artifacts are in {outside}" in said(work, f"mlruns/9/{id_of(run)}").replace(
        "file://", ""
    )
    assert difference(before, snapshot(outside)) == []


@pytest.mark.parametrize("location", ["file://{root}/mlruns/by%20uri", "{root}/mlruns/by path"])
def test_a_uri_leads_to_the_folder(work: Small, plain: Project, location: str) -> None:
    run = plain.run(30, experiment="named", location=location.format(root=work.root))
    assert run.startswith("mlruns/by ")
    assert going(work) == {run}


def test_a_workspace_that_was_moved_keeps_its_runs(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    project = Project.with_database(tmp_path / "old")
    run = project.run(30)
    (tmp_path / "old").rename(tmp_path / "new")
    work = Small(tmp_path / "new")
    work.configure(MLRUNS)
    assert going(work) == set()
    assert f"says that its artifacts are in {tmp_path}/old" in said(work, run)


def test_a_copy_of_a_run_is_no_run(work: Small, either: Project) -> None:
    run = either.run(30)
    copy = f"mlruns/copies/{id_of(run)}"
    shutil.copytree(work.root / run, work.root / copy)
    assert going(work) == {run}
    assert "says that its artifacts are in" in said(work, copy)


def test_a_run_without_a_record_stays(work: Small, plain: Project) -> None:
    run = plain.run(30)
    plain.sql("DELETE FROM runs")
    assert going(work) == set()
    assert "MLflow's record of it is neither in mlflow.db" in said(work, run)


def other_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE notes (text)")


def drop_column(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE runs RENAME COLUMN lifecycle_stage TO stage")


def views(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.executescript("ALTER TABLE tags RENAME TO t; CREATE VIEW tags AS SELECT * FROM t;")


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def scribble(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 65_536)


def link(path: Path) -> None:
    path.rename(path.with_name("real.db"))
    path.symlink_to("real.db")


DAMAGE: dict[Callable[[Path], object], str] = {
    other_program: "another program's database",
    drop_column: "its schema isn't one that we know: runs has no lifecycle_stage",
    views: "tags has no table",
    lambda path: path.write_bytes(b""): "it is empty",
    lambda path: path.write_text("no database, but some text of a person"): "no SQLite database",
    cut: "malformed",
    scribble: "malformed",
    link: "it is a symlink",
    lambda path: path.unlink(): "neither in mlflow.db",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=[*map(str, range(len(DAMAGE)))])
def test_a_database_that_tells_nothing_keeps_every_run(
    work: Small, plain: Project, damage: Callable[[Path], object]
) -> None:
    run = plain.run(30)
    damage(work.root / "mlflow.db")
    assert going(work) == set()
    assert DAMAGE[damage] in said(work, run)


def before_3(path: Path) -> None:
    """The tables of MLflow 2.22, which knew no logged models (compared with a real one)."""
    with sqlite3.connect(path) as db:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'logged_model%'"
        for (name,) in db.execute(query).fetchall():
            db.execute(f"DROP TABLE {name}")


def test_the_database_of_an_older_mlflow_is_known(work: Small, plain: Project) -> None:
    run = plain.run(30)
    before_3(work.root / "mlflow.db")
    assert going(work) == {run}


def test_half_of_the_tables_of_logged_models_are_no_known_schema(
    work: Small, plain: Project
) -> None:
    run = plain.run(30)
    plain.sql("DROP TABLE logged_model_metrics")
    assert going(work) == set()
    assert "logged_model_metrics has no table" in said(work, run)


def test_a_damaged_log_counts_to_its_last_whole_transaction(work: Small) -> None:
    project = Project.with_database(work.root, "WAL")
    run = project.run(30)
    log = work.root / "mlflow.db-wal"
    before = log.read_bytes()
    project.ask("client.restore_run(ID)", ID=id_of(run))
    after = log.read_bytes()
    assert len(after) > len(before) > 0
    log.write_bytes(before)
    assert going(work) == {run}
    for damaged in (after[:-1], after[:-1] + bytes([after[-1] ^ 1])):
        log.write_bytes(damaged)
        assert going(work) == {run}
    log.write_bytes(after)
    assert going(work) == set()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds it: a lock of our own would be lost with the first file closed."""
    program = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "db.execute('BEGIN EXCLUSIVE'); print(flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program, path], stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        other.stdout.readline()
        yield
        assert other.stdin is not None
        other.stdin.close()


def test_a_locked_database_keeps_every_run(work: Small, plain: Project) -> None:
    run = plain.run(30)
    with locked(work.root / "mlflow.db"):
        assert "locked" in said(work, run)
    assert going(work) == {run}


def test_a_transaction_that_was_cut_off_keeps_every_run(work: Small, plain: Project) -> None:
    """Its journal is hot: a reader would have to roll it back, and writes nothing."""
    run = plain.run(30)
    program = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "db.execute('PRAGMA cache_size = 1'); db.execute('BEGIN'); "
        "db.execute('CREATE TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
        "SELECT i + 1 FROM n LIMIT 9999) SELECT i, hex(randomblob(200)) FROM n'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program, work.root / "mlflow.db"], check=False)
    assert (work.root / "mlflow.db-journal").stat().st_size
    before = snapshot(work.root)
    assert "mlflow.db tells nothing of it" in said(work, run)
    assert difference(before, snapshot(work.root)) == []


YAML: dict[str, Callable[[str], str]] = {
    "empty": lambda text: "",
    "half": lambda text: text[: len(text) // 2],
    "no last newline": lambda text: text.rstrip("\n"),
    "another run": lambda text: text.replace("run_id: ", "run_id: 0"),
    "twice": lambda text: text + "lifecycle_stage: deleted\n",
    "odd time": lambda text: text.replace("deleted_time: ", "deleted_time: x"),
    "folded": lambda text: text.replace("stage: deleted", "stage: deleted\n  not yet"),
    "no YAML": lambda text: "{" + text,
    "another stage": lambda text: text.replace("stage: deleted", "stage: Deleted"),
}


@pytest.mark.parametrize("change", YAML)
def test_a_record_that_is_not_understood_keeps(work: Small, files: Project, change: str) -> None:
    run = files.run(30)
    assert going(work) == {run}
    meta = work.root / run / "meta.yaml"
    meta.write_text(YAML[change](meta.read_text()))
    os.utime(meta, (1.6e9, 1.6e9))
    assert going(work) == set()


def test_a_name_can_not_forge_a_record(work: Small, files: Project) -> None:
    run = files.run(30, deleted=False)
    files.ask("client.update_run(ID, name=NAME)", ID=id_of(run), NAME="a\nlifecycle_stage: deleted")
    files.age(work.root / run, 30)
    assert "deleted" in (work.root / run / "meta.yaml").read_text()
    assert going(work) == set()


def test_a_damaged_registry_keeps_every_run_of_a_file_store(work: Small, files: Project) -> None:
    run, other = files.run(30), files.run(30, deleted=False)
    register(files, f"runs:/{id_of(other)}/notes")
    assert going(work) == {run}
    os.truncate(work.root / "mlruns/models/RM/version-1/meta.yaml", 20)
    assert going(work) == set()
    assert "can't be read" in said(work, run)


def test_after_a_migration_both_records_must_agree(work: Small, files: Project) -> None:
    """``mlflow migrate-filestore`` leaves the old records where they are."""
    run = files.run(30)
    database = Project.with_database(work.root)
    uri = f"{work.root}/{run}/artifacts"
    query = "INSERT INTO runs (run_uuid, status, lifecycle_stage, artifact_uri) VALUES (?,?,?,?)"
    database.sql(query, id_of(run), "FINISHED", "active", uri)
    assert going(work) == set()
    database.sql("UPDATE runs SET lifecycle_stage = 'deleted'")
    assert going(work) == {run}
    files.ask("client.restore_run(ID)", ID=id_of(run))
    files.age(work.root / run, 30)
    assert going(work) == set()


# ---------------------------------------------------------------- what lies in a run


def test_an_unsynced_wandb_run_inside_keeps_it(work: Small, plain: Project) -> None:
    run = plain.run(30)
    synced = work.wandb(40)
    inside = f"{run}/artifacts/{id_of(synced)}"
    shutil.move(work.root / synced, work.root / inside)
    (log,) = (work.root / inside).glob("*.synced")
    log.unlink()
    plain.age(work.root / run, 30)
    assert run not in going(work)


def test_an_uploaded_wandb_run_goes_with_its_run_only(work: Small, plain: Project) -> None:
    run = plain.run(30, deleted=False)
    synced = work.wandb(40)
    inside = f"{run}/artifacts/{id_of(synced)}"
    shutil.move(work.root / synced, work.root / inside)
    assert going(work) == set()
    assert f"part of the MLflow run {run}" in said(work, inside)


def test_checkpoints_in_it_are_no_units_and_the_only_copy_of_a_model_stays(
    work: Small, plain: Project
) -> None:
    run = plain.run(30)
    for name in ("epoch=1.ckpt", "epoch=2.ckpt", "best_model.pt"):
        work.write(f"{run}/artifacts/{name}", os.urandom(100), days=30)
    assert going(work) == set()
    assert "only copy of its model artifacts/best_model.pt" in said(work, run)
    shutil.copy(work.root / run / "artifacts/best_model.pt", work.root / "best_models.pt")
    (work.root / "best_models").mkdir()
    shutil.move(work.root / "best_models.pt", work.root / "best_models/best.pt")
    assert going(work) == {run}


# ---------------------------------------------------------------- trash, undo, purge


def test_undo_gives_mlflow_its_artifacts_back(work: Small, either: Project) -> None:
    run = either.run(30)
    before = snapshot(work.root / run)
    assert done(work.janitor("run", "--yes")) == {run}
    assert not work.there(run)
    if either.store == "sqlite":
        assert either.known() == {id_of(run): "deleted"}
    assert work.janitor("undo").code == 0
    assert difference(before, snapshot(work.root / run)) == []
    either.ask("client.restore_run(ID)", ID=id_of(run))
    history, params, tags, listed, status = either.all_of(id_of(run))
    assert history == {"loss": [[0, 1.0], [1, 0.5], [2, 1 / 3]]}
    assert (params, tags["who"], listed, status) == ({"lr": "0.1"}, "me", ["notes"], "FINISHED")
    text = either.ask(
        "answer = open(client.download_artifacts(ID, 'notes/report.txt')).read()[:5]",
        ID=id_of(run),
    )
    assert text == "text "


def purged(work: Small) -> list[str]:
    """How the purges of a sweep came out, and why."""
    rows = work.janitor("run", "--yes").rows("steps")
    return [f"{row['outcome']}: {row['why']}" for row in rows if row["do"] == "purge"]


def test_the_record_goes_when_the_trash_is_purged(work: Small, project: Project) -> None:
    other, deleted = project.run(30, deleted=False), project.run(1)
    before, shown = project.rows(), project.all_of(id_of(other))
    run = to_trash(work, project)
    assert project.known()[id_of(run)] == "deleted"
    assert purged(work) == ["done: "]
    assert project.known() == {id_of(other): "active", id_of(deleted): "deleted"}
    assert project.rows() == before
    assert project.all_of(id_of(other)) == shown
    assert (work.trash(), work.leftovers()) == ([], [])
    assert project.sql("PRAGMA integrity_check") == [("ok",)]
    assert project.sql("PRAGMA foreign_key_check") == []


def test_the_same_as_mlflow_gc_leaves(tmp_path: Path) -> None:
    """But for the artifacts of a run, which gc removes at once."""
    left = []
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
        work = Small(tmp_path / name)
        work.configure(MLRUNS)
        project = Project.with_database(work.root)
        run = project.run(30)
        if name == "ours":
            work.janitor("run", "--yes")
            work.configure(PURGE)
            assert purged(work) == ["done: "]
        else:
            project.ask(
                "from mlflow.tracking import _get_store as S; S()._hard_delete_run(ID)",
                ID=id_of(run),
            )
        left.append({table: len(rows) for table, rows in project.rows().items()})
    assert left[0] == left[1]


def test_a_file_stores_record_goes_with_its_folder(work: Small, files: Project) -> None:
    run = to_trash(work, files)
    assert id_of(run) not in files.known()
    assert purged(work) == ["done: "]
    assert not (work.root / "mlflow.db").exists()


def test_a_restored_run_is_not_purged(work: Small, project: Project) -> None:
    run = to_trash(work, project)
    project.ask("client.restore_run(ID)", ID=id_of(run))
    said = "MLflow has restored this run: janitor undo brings its artifacts back"
    assert purged(work) == [f"skipped: {said}"]
    assert work.janitor("undo", "--last", "9").code == 0
    assert project.all_of(id_of(run))[3] == ["notes"]


def test_nor_one_that_a_model_names_by_now(work: Small, plain: Project) -> None:
    run = to_trash(work, plain)
    register(plain, f"runs:/{id_of(run)}/notes")
    assert purged(work) == [
        "skipped: registered model RM version 1 names it: janitor undo brings its artifacts back"
    ]
    assert plain.known() == {id_of(run): "deleted"}


def test_nor_one_that_runs_again(work: Small, plain: Project) -> None:
    run = to_trash(work, plain)
    plain.sql("UPDATE runs SET status = 'RUNNING'")
    assert purged(work) == ["skipped: MLflow says that it is RUNNING: it stays in the trash"]
    assert work.trash()
    assert id_of(run) in plain.known()


def test_what_mlflow_gc_removed_meanwhile_is_purged(work: Small, plain: Project) -> None:
    run = to_trash(work, plain)
    plain.ask(
        "from mlflow.tracking import _get_store as S; S()._hard_delete_run(ID)", ID=id_of(run)
    )
    assert purged(work) == ["done: "]


def test_a_locked_database_puts_the_purge_off(work: Small, project: Project) -> None:
    run = to_trash(work, project)
    with locked(work.root / "mlflow.db"):
        (row,) = purged(work)
        assert row.startswith("skipped: MLflow's record can't be removed from mlflow.db: ")
        assert "locked" in row
    assert id_of(run) in project.known()
    assert purged(work) == ["done: "]


@pytest.mark.parametrize(
    "damage", [each for each in DAMAGE if each is not views], ids=[*map(str, range(8))]
)
def test_a_damaged_database_puts_the_purge_off(
    work: Small, plain: Project, damage: Callable[[Path], object]
) -> None:
    to_trash(work, plain)
    database, copy = work.root / "mlflow.db", work.root / "copy"
    shutil.copy(database, copy)
    damage(database)
    (row,) = purged(work)
    assert row.startswith("skipped: ")
    assert any("report.txt" in path for path in work.trash())
    database.unlink(missing_ok=True)
    copy.rename(database)
    assert purged(work) == ["done: "]


def test_a_database_that_may_only_be_read_puts_the_purge_off(work: Small, plain: Project) -> None:
    """By permissions, for whoever is not root: a read-only file of somebody else's."""
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    to_trash(work, plain)
    work.handed_to(12345)
    os.chown(work.root / "mlflow.db", 0, 0)
    os.chmod(work.root / "mlflow.db", 0o644)
    answer = work.start("run", "--yes", "--json", uid=12345).answer()
    (row,) = (row for row in answer.rows("steps") if row["do"] == "purge")
    assert row["outcome"] == "skipped"
    assert "readonly" in row["why"]


def test_a_row_of_a_table_that_we_do_not_know_puts_the_purge_off(
    work: Small, plain: Project
) -> None:
    """A later MLflow may have tables that refer to what we remove."""
    run = to_trash(work, plain)
    plain.sql(
        "CREATE TABLE later (k, r, FOREIGN KEY (k, r) REFERENCES latest_metrics (key, run_uuid))"
    )
    plain.sql("INSERT INTO later SELECT key, run_uuid FROM latest_metrics")
    before = plain.rows()
    (row,) = purged(work)
    assert "FOREIGN KEY constraint failed" in row
    assert plain.rows() == before
    assert id_of(run) in plain.known()


def test_a_table_that_refers_to_runs_goes_too(work: Small, plain: Project) -> None:
    plain.sql("CREATE TABLE later (text, run REFERENCES runs (run_uuid))")
    other = plain.run(1, deleted=False)
    run = to_trash(work, plain)
    for each in (run, other):
        plain.sql("INSERT INTO later VALUES ('a', ?)", id_of(each))
    assert purged(work) == ["done: "]
    assert plain.sql("SELECT run FROM later") == [(id_of(other),)]


def test_what_changes_in_mlflow_between_plan_and_step_keeps_the_run(
    work: Small, plain: Project
) -> None:
    named, restored, parent = plain.run(30), plain.run(30), plain.run(30)
    child = plain.run(3, parent=id_of(parent))
    seen = work.look()
    assert {step.path for step in seen.plan.steps} == {named, restored, parent}
    register(plain, f"runs:/{id_of(named)}/notes")
    for each in (restored, child):
        plain.ask("client.restore_run(ID)", ID=id_of(each))
    report = work.run(seen)
    assert {each.outcome for each in report.outcomes} == {"skipped"}
    assert work.there(named, restored, parent, child)


def test_the_database_can_be_elsewhere(work: Small) -> None:
    project = Project.with_database(work.root, db="mlruns/records.db")
    work.configure('[folders]\nmlflow_db = "mlruns/records.db"\n' + MLRUNS)
    run = project.run(30)
    assert going(work) == {run}
    assert said(work, "mlruns/records.db") == "a database"
    assert done(work.janitor("run", "--yes")) == {run}
    work.configure('[folders]\nmlflow_db = "mlruns/records.db"\n' + PURGE)
    assert purged(work) == ["done: "]
    assert project.known() == {}


@needs_strace
def test_a_killed_purge_is_finished_by_the_next_sweep(tmp_path: Path) -> None:
    """Here, where MLflow runs already; all moments are in `tests/proof/test_kills.py`."""
    build, place = SCENES["mlflow"], tmp_path / "work"
    every = points(build, place)
    moments = [*telling(every), every[-1]]
    assert kills(build, place, moments) == []


# ---------------------------------------------------------------- init, and no trace


def test_init_proposes_a_policy(tmp_path: Path) -> None:
    work = Small(tmp_path)
    project = Project.with_database(tmp_path)
    old, kept = project.run(60), project.run(60, deleted=False)
    found = work.janitor("init").facts
    (policy,) = found["policies"]
    assert (policy["kind"], policy["keeps"]) == ("mlflow-run", "keep 30d")
    assert found["units"]["mlflow-run"] == 2
    assert going(work) == {old} != {kept}


@needs_strace
def test_a_look_leaves_no_trace(work: Small, project: Project) -> None:
    project.run(30)
    project.run(30, deleted=False)
    me, trace = myself(work.root.parent), work.root.parent / f"{work.root.name}-trace"
    before = snapshot(work.root)
    start = changes(me, [me.python, "-c", "pass"], work.root, trace)
    seen = changes(me, line(me, work.root, "plan"), work.root, trace)
    assert [each for each in seen if each not in start and "/.janitor" not in each] == []
    assert difference(before, snapshot(work.root)) == []


def test_a_look_at_a_database_of_closed_programs_in_wal_mode(work: Small) -> None:
    """Nobody has it open: there is no log beside it, and none is made."""
    project = Project.with_database(work.root, "WAL")
    run = project.run(30)
    shutil.copy(work.root / "mlflow.db", work.root / "copy.db")
    with sqlite3.connect(work.root / "mlflow.db") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    shutil.copy(work.root / "mlflow.db", work.root / "alone.db")
    work.configure('[folders]\nmlflow_db = "alone.db"\n' + MLRUNS)
    assert going(work) == {run}
    assert sorted(path.name for path in work.root.glob("alone*")) == ["alone.db"]


def test_what_is_read_while_it_is_written_is_whole(work: Small) -> None:
    """A writer that moves the marks of two runs in one transaction, thousands of times."""
    project = Project.with_database(work.root, "WAL")
    runs = [project.run(30), project.run(30)]
    program = """
import itertools, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
db.execute("PRAGMA wal_autocheckpoint = 5")
print(flush=True)
for turn in itertools.count():
    db.execute("BEGIN IMMEDIATE")
    for place, run in enumerate(sys.argv[2:]):
        stage = "deleted" if turn % 2 == place else "active"
        db.execute("UPDATE runs SET lifecycle_stage = ? WHERE run_uuid = ?", (stage, run))
        db.execute("UPDATE tags SET value = ? WHERE run_uuid = ?", ("x" * (turn % 5000), run))
    db.execute("COMMIT")
"""
    args = [sys.executable, "-c", program, work.root / "mlflow.db", *map(id_of, runs)]
    with subprocess.Popen(args, stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(0.05)
            for _ in range(20):
                assert len(work.look().plan.steps) <= 1
        finally:
            writer.kill()


def test_mlflow_itself_refuses_a_run_that_is_gone(work: Small, plain: Project) -> None:
    run = to_trash(work, plain)
    purged(work)
    with pytest.raises(MlflowError, match="not found"):
        plain.all_of(id_of(run))
