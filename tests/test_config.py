"""config.toml: what is right is read, and what can't be read is said."""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
from datetime import date, timedelta
from pathlib import Path

import pytest

from artifact_janitor.config import Archive, Folders, Settings, load, sample
from artifact_janitor.config.checks import TABLES
from artifact_janitor.config.folders import FILES, SEVERAL
from artifact_janitor.config.schema import UNVALIDATED, FolderTable, Schema
from artifact_janitor.core.policy import Best, Disk, Policy, Safety
from artifact_janitor.core.schedule import Schedule
from artifact_janitor.errors import ConfigError
from artifact_janitor.units import DAY, HOUR
from tests.configuring import settings, wrong


def test_without_a_file_there_are_defaults_and_no_policy(tmp_path: Path) -> None:
    assert load(None, {}, tmp_path) == Settings(
        workspace=tmp_path.resolve(),
        source=None,
        folders=Folders(
            hpo_studies=("hpo_studies",),
            hpo_results=("hpo_results",),
            models=("models",),
            best_models=("best_models",),
            training=("training/runs",),
            outputs=("outputs",),
            multirun=("multirun",),
            wandb=("wandb",),
            logs=("logs",),
            mlruns=("mlruns",),
            mlflow_db=("mlflow.db",),
        ),
        policies=(),
        safety=Safety(grace=24 * HOUR, trash_keep=7 * DAY, max_share=0.2),
        disk=Disk(keep_free=None, purge_early=False),
        archive=Archive(".janitor/archive", 3),
        notes=(),
        schedule=Schedule("0 3 * * *", "*/30 * * * *", "0 5 * * 0", "30 4 * * *", "*/10 * * * *"),
    )


def test_everything_that_can_be_said_is_read(tmp_path: Path) -> None:
    for folder in ("old/outputs", "new"):
        (tmp_path / folder).mkdir(parents=True)
    read = settings(
        tmp_path,
        """
        [folders]
        outputs = ["./new/", "old/outputs"]
        logs = []
        [[policy]]
        kind = "hydra-run"
        path = "new/**"
        keep_last = 20
        keep_within = "30d"
        keep_hourly = 24
        keep_daily = 7
        keep_weekly = 4
        keep_monthly = 12
        then = "trash"
        max_size = "1.5 TB"
        unsynced = "keep"
        [[policy]]
        kind = "hydra-run"
        keep_last = 1
        [[policy]]
        kind = "wandb-run"
        max_size = "2GiB"
        uploaded_before = 2025-12-31
        [disk]
        keep_free = "50GB"
        purge_early = true
        [safety]
        grace = "0s"
        trash_keep = "2w"
        max_share = 1
        """,
    )
    assert read.folders.outputs == ("new", "old/outputs")
    assert read.folders.training == ("training/runs",)
    assert (read.folders.wandb, read.folders.logs) == (("wandb",), ())
    assert read.policies == (
        Policy("hydra-run", "new/**", 20, 30 * DAY, 24, 7, 4, 12, max_size=1_500_000_000_000),
        Policy("hydra-run", keep_last=1),
        Policy("wandb-run", max_size=2 << 30, uploaded_before=date(2025, 12, 31)),
    )
    assert read.disk == Disk(50_000_000_000, purge_early=True)
    assert read.safety == Safety(0, 14 * DAY, 1.0)


def test_the_named_file_decides_where_the_workspace_is(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").write_text("")
    (tmp_path / "link").symlink_to("two")
    environ = {"JANITOR_CONFIG": str(tmp_path / "link/config.toml")}
    assert load(Path("one/config.toml"), environ, tmp_path).workspace == tmp_path / "one"
    assert load(None, environ, tmp_path / "three").workspace == tmp_path / "two"
    (tmp_path / "three/shared.toml").symlink_to("../one/config.toml")
    assert load(Path("three/shared.toml"), {}, tmp_path).workspace == tmp_path / "three"
    assert load(None, {"JANITOR_CONFIG": ""}, tmp_path / "three").workspace == tmp_path / "three"


def test_the_environment_wins_and_the_file_fills_up(tmp_path: Path) -> None:
    (tmp_path / "[odd").mkdir()
    environ = {
        "JANITOR_SAFETY__GRACE": "12h",
        "JANITOR_SAFETY__MAX_SHARE": "0.5",
        "JANITOR_FOLDERS__OUTPUTS": '["[odd"]',
        "JANITOR_POLICY": '[{"kind": "log", "keep_last": 3}, {"kind": "wandb-run",'
        ' "keep_last": 1, "uploaded_before": "2025-12-31"}]',
        "JANITOR_DISK__KEEP_FREE": "1MB",
        "JANITOR_DISK__PURGE_EARLY": "true",
        "JANITORIAL": "is somebody else's",
    }
    text = """
        [folders]
        outputs = "gone"
        [safety]
        grace = "1h"
        trash_keep = "1d"
        [[policy]]
        kind = "log"
        keep_last = 9
        """
    read = settings(tmp_path, text, environ)
    assert read.safety == Safety(12 * HOUR, DAY, 0.5)
    word = Policy("wandb-run", keep_last=1, uploaded_before=date(2025, 12, 31))
    assert read.policies == (Policy("log", keep_last=3), word)
    assert read.disk == Disk(1_000_000, purge_early=True)
    assert read.folders.outputs == ("[odd",)


def test_the_real_environment_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JANITOR_SAFETY__GRACE", "1h")
    monkeypatch.setenv("SAFETY", '{"grace": "1h"}')
    assert settings(tmp_path).safety.grace == 24 * HOUR


def test_archives_may_lie_elsewhere(tmp_path: Path) -> None:
    text = "[archive]\nstore = '{}'\nlevel = 12"
    assert settings(tmp_path, text.format("/mnt/big/")).archive == Archive("/mnt/big", 12)
    assert settings(tmp_path, text.format("old//runs")).archive.store == "old/runs"
    assert settings(tmp_path, text.format("./.janitor/archive")).archive.store == ".janitor/archive"
    given = {"JANITOR_ARCHIVE__LEVEL": "19", "JANITOR_ARCHIVE__STORE": "/a"}
    assert settings(tmp_path, text.format("b"), given).archive == Archive("/a", 19)


@pytest.mark.parametrize("table", UNVALIDATED)
def test_tables_of_later_versions_are_noted(tmp_path: Path, table: str) -> None:
    read = settings(tmp_path, f'[{table}]\nanything = {{ at = ["all"] }}')
    assert read.notes == (f"[{table}] is not acted on by this version",)


def test_an_early_purge_without_a_limit_is_noted(tmp_path: Path) -> None:
    early = "[disk]\npurge_early = true\n"
    (note,) = settings(tmp_path, early).notes
    assert note == "disk.purge_early: nothing is purged early without keep_free"
    assert settings(tmp_path, early + "keep_free = '1GB'").notes == ()


REMEDY = " is in the future; write a day that is over, or remove the line (wandb-run)"


def test_a_word_about_today_is_fine_and_one_about_tomorrow_is_not(tmp_path: Path) -> None:
    """It is about what is older than its midnight."""
    text = "[[policy]]\nkind = 'wandb-run'\nkeep_last = 1\nuploaded_before = {}"
    today = date.today()
    for written in (f"{today}", f"'{today}'"):
        assert settings(tmp_path, text.format(written)).policies[0].uploaded_before == today
    later = today + timedelta(days=2)
    for written in (f"{later}", f"'{later}'"):
        assert wrong(tmp_path, text.format(written)) == [
            (
                "policy[1].uploaded_before",
                f"{later}{REMEDY}",
            )
        ]


def test_minutes_that_may_be_meant_as_months_are_noted(tmp_path: Path) -> None:
    text = '[[policy]]\nkind = "log"\nkeep_within = "{}"'
    assert "minutes" in settings(tmp_path, text.format("6m")).notes[0]
    assert settings(tmp_path, text.format("6h")).notes == ()
    assert settings(tmp_path, text.format("43200m")).notes == ()


def test_the_best_are_one_and_what_has_no_metric_stays_unless_told_otherwise(
    tmp_path: Path,
) -> None:
    text = "[[policy]]\nkind = 'log'\nkeep_best = {{ metric = 'val/f1', direction = 'min'{} }}"
    assert settings(tmp_path, text.format("")).policies == (
        Policy("log", keep_best=Best("val/f1", "min", 1, "keep")),
    )
    given = settings(tmp_path, text.format(", n = 3, missing = 'ignore'"))
    assert given.policies == (Policy("log", keep_best=Best("val/f1", "min", 3, "ignore")),)


def test_a_metric_that_alone_decides_is_noted(tmp_path: Path) -> None:
    """A slip in its name would let go of everything."""
    text = "[[policy]]\nkind = 'log'\nkeep_best = {{ metric = 'f1', direction = 'max'{} }}\n"
    ignore = text.format(", missing = 'ignore'")
    (note,) = settings(tmp_path, ignore).notes
    assert note.startswith("policy[1]: nothing keeps what has no f1: ")
    assert settings(tmp_path, ignore + "keep_last = 1").notes == ()
    assert settings(tmp_path, text.format("")).notes == ()


@pytest.mark.parametrize(
    "content", [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf[safety]\r\ngrace = '1d'\r\n"]
)
def test_empty_files_and_byte_order_marks_are_fine(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    assert load(None, {}, tmp_path).safety.grace == DAY


# Files that can't be read


@pytest.mark.parametrize(
    ("content", "where", "says"),
    [
        (b"[safety\n", "line 1, column 8", "no TOML"),
        (b"a = 1\na = 2\n", "line 2", "no TOML"),
        (b"a = [\n", "end of document", "no TOML"),
        (b"# \xe4\n", "line 1", "no UTF-8"),
        (b"\n\n\xff\xfe", "line 3", "no UTF-8"),
        ("[safety]\n".encode("utf-16"), "line 1", "no UTF-8"),
        (b"a = " + b"[" * 5000, "file", "nested too deeply"),
        (b"a = " + b"9" * 5000, "file", "number that is too large"),
        (b"#" * 1_000_001, "file", "more than 1 MB"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_broken_file_is_one_clear_error(
    tmp_path: Path, content: bytes, where: str, says: str
) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"^config.toml: 1 problem$") as error:
        load(None, {}, tmp_path)
    (problem,) = error.value.problems
    assert problem.where.startswith(where)
    assert says in problem.what


def _no_permission(path: Path) -> None:
    path.write_text("")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root may read everything")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (Path.mkdir, "folder"),
        (os.mkfifo, "no regular file"),
        (lambda path: path.symlink_to("gone"), "No such file"),
        (lambda path: path.symlink_to("config.toml"), "symbolic links"),
        (lambda path: path.symlink_to("/proc/self/mem"), "Input/output error"),
        (_no_permission, "Permission denied"),
    ],
    ids=["folder", "pipe", "dangling", "loop", "broken disk", "no permission"],
)
def test_what_can_not_be_read_is_no_absence(tmp_path: Path, make, says: str) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "config.toml")
    with pytest.raises(ConfigError) as error:
        load(None, {}, tmp_path)
    (problem,) = error.value.problems
    assert problem.where == "file"
    assert says in problem.what


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    for path, environ, where in (
        (Path("my.toml"), {}, "--config"),
        (None, {"JANITOR_CONFIG": "my.toml"}, "JANITOR_CONFIG"),
    ):
        with pytest.raises(ConfigError, match=r"^my\.toml: 1 problem$") as error:
            load(path, environ, tmp_path)
        assert error.value.problems[0].where == where
        assert "no such file" in error.value.problems[0].what


def test_a_named_file_that_can_not_be_looked_at_is_not_called_absent(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load(Path("x" * 300), {}, tmp_path)
    assert "File name too long" in error.value.problems[0].what


# The schema, the sample and the core say the same


ROOT = Path(__file__).parent.parent


def test_the_sample_in_the_repository_is_the_generated_one() -> None:
    assert (ROOT / "config.toml").read_text() == sample(), "run: python -m artifact_janitor.config"


def test_the_sample_changes_nothing_as_it_is(tmp_path: Path) -> None:
    read = settings(tmp_path, sample())
    assert read == dataclasses.replace(load(None, {}, tmp_path), source=read.source)


def test_the_sample_loads_with_every_line_uncommented(tmp_path: Path) -> None:
    text = re.sub(r"^#(?=\S)", "", sample(), flags=re.MULTILINE)
    for key, name in tomllib.loads(text)["folders"].items():
        if key in FILES:
            (tmp_path / name).write_text("")
        else:
            (tmp_path / name).mkdir(parents=True)
    read = settings(tmp_path, text)
    defaults = load(None, {}, tmp_path / "logs")
    assert (read.folders, read.safety) == (defaults.folders, defaults.safety)
    assert read.disk == Disk(50_000_000_000)
    best = Best("val_f1", "max", 3, "ignore")
    assert read.policies[0] == Policy(
        "hydra-run",
        "outputs/**",
        20,
        30 * DAY,
        24,
        7,
        4,
        12,
        best,
        max_size=200 * 10**9,
        expire=365 * DAY,
    )
    assert read.policies[1] == Policy(
        "wandb-run", keep_within=30 * DAY, unsynced="archive", uploaded_before=date(2025, 1, 1)
    )
    assert len(read.policies) == text.count("\n[[policy]]")


def test_the_sample_explains_every_key_within_ninety_columns() -> None:
    lines = sample().splitlines()
    assert max(map(len, lines)) < 90
    for table in TABLES.values():
        for key, field in table.model_fields.items():
            line = next(n for n, text in enumerate(lines) if text.startswith(f"#{key} = "))
            above = " ".join(text.removeprefix("# ") for text in lines[line - 4 : line])
            assert field.description
            assert above.endswith(field.description)


def test_the_core_and_the_schema_know_the_same_words() -> None:
    tables = {"folders": Folders, "safety": Safety, "disk": Disk, "policy": Policy}
    for name, value in tables.items():
        known = {each.name for each in dataclasses.fields(value)}
        assert set(TABLES[name].model_fields) == known
    assert set(Schema.model_fields) == {*TABLES, *UNVALIDATED}


def test_only_folders_of_runs_and_logs_may_be_lists(tmp_path: Path) -> None:
    for key in FolderTable.model_fields:
        text = f"[folders]\n{key} = []"
        if key in SEVERAL:
            assert getattr(settings(tmp_path, text).folders, key) == ()
        else:
            assert wrong(tmp_path, text) == [(f"folders.{key}", "takes one folder, not a list")]
