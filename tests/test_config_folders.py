"""Folders are what they are said to be, or the configuration is refused (S1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from artifact_janitor.config import load
from artifact_janitor.errors import ConfigError


def wrong(folder: Path, text: str = "") -> dict[str, str]:
    """Each problem by its place."""
    (folder / "config.toml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load(None, {}, folder)
    return {problem.where: problem.what for problem in error.value.problems}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with something around it, so that there is an outside."""
    folder = tmp_path / "around" / "project"
    for name in (".git/refs", ".janitor/trash", "runs", "src"):
        (folder / name).mkdir(parents=True)
    (folder / "file").write_text("")
    (tmp_path / "elsewhere").mkdir()
    return folder


def test_the_database_is_a_file(workspace: Path) -> None:
    for name, says in (("gone.db", "no such file: create it"), ("runs", "is no file")):
        problems = wrong(workspace, f'[folders]\nmlflow_db = "{name}"')
        assert says in problems["folders.mlflow_db"]
    (workspace / "config.toml").write_text('[folders]\nmlflow_db = "file"')
    assert load(None, {}, workspace).folders.mlflow_db == ("file",)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../elsewhere", "lies outside the workspace"),
        ("runs/../../elsewhere", "lies outside the workspace"),
        ("/tmp", "lies outside the workspace"),
        ("~/runs", "lies outside the workspace"),
        (".", "is the workspace itself"),
        ("runs/..", "is the workspace itself"),
        ("", "is no folder name"),
        ("a\\u0000b", "is no folder name"),
        ("a\\nb", "is no folder name"),
        (".git", "lies in .git"),
        (".git/refs", "lies in .git"),
        ("src/../.janitor/trash", "lies in .janitor"),
        ("gone", "no such folder: create it, or remove the line"),
        ("file", "is no folder"),
        ("file/inside", "is no folder"),
        ("x" * 300, "can't be looked at: File name too long"),
    ],
)
@pytest.mark.parametrize("key", ["outputs", "models"])
def test_a_folder_that_can_not_be_is_an_error(
    workspace: Path, key: str, name: str, says: str
) -> None:
    problems = wrong(workspace, f'[folders]\n{key} = "{name}"')
    assert list(problems) == [f"folders.{key}"]
    assert says in problems[f"folders.{key}"]


@pytest.mark.parametrize("value", ["3", "true", "[3]", '["runs", "../x"]', "{}"])
def test_what_is_no_name_is_an_error(workspace: Path, value: str) -> None:
    assert list(wrong(workspace, f"[folders]\nlogs = {value}")) == ["folders.logs"]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (".", "leads to the workspace itself, or to a folder around it"),
        ("..", "leads to the workspace itself, or to a folder around it"),
        ("/", "leads to the workspace itself, or to a folder around it"),
        ("src/../../project", "leads to the workspace itself, or to a folder around it"),
        (".git/refs", "and .git are in one another"),
        (".janitor", "and .janitor are in one another"),
        ("gone", 'leads nowhere: there is no "gone"'),
        ("wandb", "can't be looked at: Too many levels of symbolic links"),
        ("file", "is no folder"),
    ],
)
def test_a_link_that_leads_astray_is_an_error(workspace: Path, target: str, says: str) -> None:
    (workspace / "wandb").symlink_to(target)
    problems = wrong(workspace)
    assert list(problems) == ["folders.wandb"]
    assert says in problems["folders.wandb"]


def test_a_dangling_link_on_the_way_is_no_absence(workspace: Path) -> None:
    (workspace / "training").symlink_to("/not/mounted/now")
    assert "/not/mounted/now" in wrong(workspace)["folders.training"]


def test_a_repository_behind_a_link_is_still_gits(workspace: Path, tmp_path: Path) -> None:
    (workspace / ".git").rename(tmp_path / "elsewhere/git")
    (workspace / ".git").symlink_to(tmp_path / "elsewhere/git")
    (workspace / "outputs").symlink_to(tmp_path / "elsewhere")
    assert "and .git are in one another" in wrong(workspace)["folders.outputs"]


def test_two_folders_can_not_be_the_same(workspace: Path) -> None:
    says = '"runs" is folders.outputs as well: a folder can be only one thing'
    assert wrong(workspace, '[folders]\noutputs = "runs"\nlogs = "src/../runs"') == {
        "folders.logs": says
    }
    assert "named twice" in wrong(workspace, '[folders]\nlogs = ["src", "src/"]')["folders.logs"]


def test_the_one_that_was_written_is_to_blame_not_the_default(workspace: Path) -> None:
    (workspace / "outputs").mkdir()
    assert list(wrong(workspace, '[folders]\nmodels = "outputs"')) == ["folders.models"]


def test_two_folders_can_not_be_the_same_through_a_link(workspace: Path) -> None:
    (workspace / "outputs").symlink_to("runs")
    (workspace / "logs").symlink_to("runs")
    assert "are the same place" in wrong(workspace)["folders.logs"]


@pytest.mark.parametrize(("link", "root"), [("logs", "outputs"), ("outputs", "logs")])
def test_a_link_into_another_root_would_show_runs_twice(
    workspace: Path, link: str, root: str
) -> None:
    (workspace / root / "inside").mkdir(parents=True)
    (workspace / link).symlink_to(f"{root}/inside")
    assert "in one another through a link" in wrong(workspace)["folders.logs"]


def test_links_that_lead_elsewhere_are_fine(workspace: Path, tmp_path: Path) -> None:
    for name in ("outputs", "models", "hpo_results", "mlruns"):
        (workspace / name).symlink_to(tmp_path / "elsewhere" / name)
        (tmp_path / "elsewhere" / name).mkdir(parents=True)
    found = load(None, {}, workspace).folders
    assert (found.outputs, found.models) == (("outputs",), ("models",))


def test_milestones_among_the_models_through_a_link_would_be_both(workspace: Path) -> None:
    """A policy for models could take what was chosen."""
    (workspace / "models/best").mkdir(parents=True)
    (workspace / "best_models").symlink_to("models/best")
    assert "in one another through a link" in str(wrong(workspace))


def test_folders_may_openly_lie_in_each_other(workspace: Path) -> None:
    (workspace / "runs/wandb").mkdir()
    (workspace / "config.toml").write_text('[folders]\noutputs = "runs"\nwandb = "runs/wandb"')
    assert load(None, {}, workspace).folders.wandb == ("runs/wandb",)
