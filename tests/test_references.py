"""What Git, links, sidecars and tracked configs name stays (S5); Git that fails holds all back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.real.account import ORDINARY, Account, clean_environment
from tests.real.small import Small, done, small, why

RUN = "outputs/2026-01-01/10-00-00"


@pytest.fixture
def work(tmp_path: Path) -> Small:
    found = small(tmp_path)
    found.hydra(30, RUN)
    found.hydra(31, "outputs/2026-01-02/10-00-00")
    git(found, "init", "--quiet")
    return found


def git(work: Small, *args: str) -> None:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    env = {**clean_environment(work.root.parent), "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", *identity, *args], cwd=work.root, env=env, check=True)


def tracked(work: Small, path: str, content: str) -> None:
    work.write(path, content)
    git(work, "add", "--force", path)


def kept(work: Small) -> str:
    """Why the run stays, while the other one goes."""
    plan = work.janitor("plan")
    assert "outputs/2026-01-02/10-00-00" in {row["path"] for row in plan.rows("steps")}, plan
    assert RUN not in {row["path"] for row in plan.rows("steps")}
    return why(plan, RUN)


def test_without_a_reference_both_go(work: Small) -> None:
    """Else the tests below would prove nothing."""
    assert RUN in done(work.janitor("run", "--yes"))


@pytest.mark.parametrize("path", ["train.log", ".hydra/config.yaml"])
def test_a_tracked_file_keeps_its_run(work: Small, path: str) -> None:
    git(work, "add", "--force", f"{RUN}/{path}")
    assert f"Git tracks {path}" in kept(work)


@pytest.mark.parametrize("around", ["outputs", RUN.rpartition("/")[0]])
def test_a_repository_in_a_folder_around_the_run_counts_too(work: Small, around: str) -> None:
    git(work, "init", "--quiet", around)
    git(work, "-C", around, "add", "--force", f"{RUN[len(around) + 1 :]}/train.log")
    assert "Git tracks train.log" in kept(work)


def test_a_tracked_file_that_is_gone_keeps_its_run_too(work: Small) -> None:
    git(work, "add", "--force", f"{RUN}/train.log")
    (work.root / RUN / "train.log").unlink()
    assert "Git tracks" in kept(work)


WAYS = {
    "plain": f"ckpt: {RUN}/model.pt\n",
    "the run itself": f"run: {RUN}\n",
    "trailing slash": f"run: {RUN}/\n",
    "dot": f"run: ./{RUN}/\n",
    "quoted": f"run: '{RUN}'\n",
    "absolute": "run: {root}/" + RUN + "\n",
    "with a variable": "run: ${{hydra:runtime.cwd}}/" + RUN + "/x.pt\n",
    "from a folder below": f"run: ../../{RUN}\n",
    "doubled slashes": "run: outputs//2026-01-01///10-00-00//x\n",
    "dots inside": "run: outputs/./2026-01-01/./10-00-00\n",
    "in a list": f"runs: [{RUN}, b]\n",
    "in a comment": f"# trained in {RUN}.\n",
    "in a command": f"python eval.py ckpt={RUN}/a.pt,b\n",
    "its date": "run: outputs/2026-01-01\n",
    "a pattern in its date": "runs: outputs/2026-01-01/*/model.pt\n",
    "on the last line": f"run: {RUN}",
}


@pytest.mark.parametrize("text", WAYS.values(), ids=WAYS)
def test_a_tracked_config_that_names_it_keeps_it(work: Small, text: str) -> None:
    tracked(work, "config/eval.yaml", text.format(root=work.root))
    assert "config/eval.yaml, which Git tracks, names it" in kept(work)


@pytest.mark.parametrize("name", ["eval.json", "eval.toml", "run.sh", "eval.py", "job.slurm"])
def test_other_tracked_files_that_name_it(work: Small, name: str) -> None:
    tracked(work, name, f'resume = "{RUN}/model.pt"\n')
    assert "names it" in kept(work)


@pytest.mark.parametrize(
    "text",
    [
        "dir: outputs\n",
        "dir: outputs/${now:%Y-%m-%d}/${now:%H-%M-%S}\n",
        "dir: outputs/2026-01-01/11-00-00\n",
        "dir: old_outputs/2026-01-01/10-00-00\n",
        "dir: outputs/2026-01-01/10-00-00-copy\n",
        "dir: outputs/2026-01-011\n",
    ],
)
def test_a_config_that_names_something_else_keeps_nothing(work: Small, text: str) -> None:
    tracked(work, "config/eval.yaml", text)
    assert RUN in {row["path"] for row in work.janitor("plan").rows("steps")}


@pytest.mark.parametrize("name", [".env", ".env.local", "config/EVAL.YAML", "job.Sh"])
def test_a_config_by_any_name_that_it_may_have(work: Small, name: str) -> None:
    tracked(work, name, f"RESUME={RUN}/model.pt\n")
    assert f"{name}, which Git tracks, names it" in kept(work)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-be"])
def test_a_config_that_windows_wrote(work: Small, encoding: str) -> None:
    """By its mark; what Python calls utf-16 has one, and utf-16-be has none unless it is given."""
    mark = "\ufeff" if encoding.endswith("-be") else ""
    text = f"{mark}# modèle\r\nckpt: {RUN}\r\n"
    work.write("eval.yaml", text.encode(encoding))
    git(work, "add", "eval.yaml")
    assert "eval.yaml, which Git tracks, names it" in kept(work)


def test_a_config_in_a_submodule(work: Small, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nor is a program run that the submodule's repository names."""
    shared = Small(tmp_path_factory.mktemp("shared"))
    git(shared, "init", "--quiet")
    tracked(shared, "deep/eval.yaml", f"ckpt: {RUN}\n")
    git(shared, "commit", "--quiet", "--message", "one")
    add = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    git(work, *add, str(shared.root), "conf")
    git(work, *add, str(shared.root), "none")
    trap = work.write("trap", f"#!/bin/sh\ntouch {work.root}/sprung\n")
    trap.chmod(0o755)
    git(work, "-C", "conf", "config", "core.fsmonitor", str(trap))
    git(work, "submodule", "--quiet", "deinit", "--force", "none")
    assert "conf/deep/eval.yaml, which Git tracks, names it" in kept(work)
    assert not (work.root / "sprung").exists()
    (work.root / ".git/modules/conf/index").write_bytes(b"DIRC" + b"\0" * 40)
    found = work.janitor("run", "--yes")
    (error,) = found.said["errors"]
    assert "nobody can tell what Git tracks" in error["message"]
    assert work.there(RUN)


def test_a_config_that_git_does_not_track_keeps_nothing(work: Small) -> None:
    work.write("scratch.yaml", f"run: {RUN}\n")
    assert RUN in {row["path"] for row in work.janitor("plan").rows("steps")}


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize(
    "target", [RUN, f"{RUN}/train.log", f"{RUN}/gone.pt", "outputs/2026-01-01"]
)
@pytest.mark.parametrize("place", ["best", "deep/er/best", "outputs/best"])
def test_a_link_to_it_keeps_it(work: Small, place: str, target: str, absolute: bool) -> None:
    link = work.root / place
    link.parent.mkdir(parents=True, exist_ok=True)
    to = work.root / target
    link.symlink_to(to if absolute else os.path.relpath(to, link.parent))
    assert f"the link {place} points to it" in kept(work)


def test_a_link_inside_it_keeps_nothing(work: Small) -> None:
    (work.root / RUN / "last").symlink_to("train.log")
    (work.root / RUN / "self").symlink_to(work.root / RUN)
    assert RUN in {row["path"] for row in work.janitor("plan").rows("steps")}


def test_a_link_in_another_run_keeps_it(work: Small) -> None:
    (work.root / "outputs/2026-01-02/10-00-00/from").symlink_to(work.root / RUN)
    assert "points to it" in kept(work)


def test_a_link_through_a_root_that_is_a_link_itself(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    real = tmp_path_factory.mktemp("real") / "outputs"
    (work.root / "outputs").rename(real)
    (work.root / "outputs").symlink_to(real)
    (work.root / "best").symlink_to(real / "2026-01-01" / "10-00-00")
    assert "points to it" in kept(work)


NAMES_OF_ITS_PLACE = {
    "resolved": "{real}",
    "its link": "{hop}",
    "relative": "{relative}",
    "from a folder below": "../{relative}",
    "by the workspace": "{root}/outputs",
    "by another way to the workspace": "{link}/outputs",
}


@pytest.mark.parametrize("kind", ["tracked", "sidecar"])
@pytest.mark.parametrize("name", NAMES_OF_ITS_PLACE.values(), ids=NAMES_OF_ITS_PLACE)
def test_a_root_that_is_a_link_is_known_by_where_it_leads(
    work: Small, tmp_path_factory: pytest.TempPathFactory, name: str, kind: str
) -> None:
    """On another disk, say, which is mounted behind a link, too; and a workspace likewise."""
    disk = tmp_path_factory.mktemp("disk")
    (work.root / "outputs").rename(disk / "runs")
    (disk.parent / f"{disk.name}-hop").symlink_to(disk)
    hop = disk.parent / f"{disk.name}-hop" / "runs"
    (work.root / "outputs").symlink_to(hop)
    (disk / "project").symlink_to(work.root)
    relative = os.path.relpath(disk / "runs", work.root)
    where = name.format(
        real=disk / "runs", hop=hop, relative=relative, root=work.root, link=disk / "project"
    )
    run = f"{where}/{RUN.removeprefix('outputs/')}"
    if kind == "tracked":
        tracked(work, "conf/eval.yaml", f"ckpt: {run}/model.pt\n")
    else:
        work.write("best_models/x_meta.json", json.dumps({"from": f"{run}/model.pt"}))
    assert "names it" in kept(work)


def test_what_a_run_says_of_itself_keeps_nothing_where_its_root_is_a_link(work: Small) -> None:
    """Not by the folder that its root leads to either: there it is no other file."""
    (work.root / "disk").mkdir()
    (work.root / "outputs").rename(work.root / "disk/runs")
    (work.root / "outputs").symlink_to("disk/runs")
    inside = RUN.removeprefix("outputs/")
    real = f"{work.root}/disk/runs/{inside}"
    work.write(f"{RUN}/model_meta.json", json.dumps({"path": real}), days=30)
    (work.root / RUN / "me").symlink_to(real)
    assert RUN in {row["path"] for row in work.janitor("plan").rows("steps")}
    work.write("best_models/x_meta.json", json.dumps({"path": real}))
    assert "x_meta.json names it" in kept(work)


SIDECARS = ["best_models/champion_meta.json", "models/a/final.json", "notes/x_meta.json"]


@pytest.mark.parametrize("place", SIDECARS)
@pytest.mark.parametrize(
    "said", [RUN, f"{RUN}/model.pt", f"./{RUN}", "2026-01-01/10-00-00", "{root}/" + RUN]
)
def test_a_sidecar_that_names_it_keeps_it(work: Small, place: str, said: str) -> None:
    work.write(place, json.dumps({"run": said.format(root=work.root)}))
    assert f"{place} names it" in kept(work)


@pytest.mark.parametrize("name", ["modèle", "caf\udce9", 'a "quoted" one', "back\\slash"])
def test_a_name_that_json_escapes_is_found(work: Small, name: str) -> None:
    """Python's json writes all but ASCII as escapes."""
    run = work.hydra(30, f"outputs/{name}")
    for said in (run, name):
        sidecar = work.write("best_models/champion_meta.json", json.dumps({"run": said}))
        assert "champion_meta.json names it" in why(work.janitor("plan"), run), said
        sidecar.unlink()
    tracked(work, "eval.json", json.dumps({"run": f"{run}/model.pt"}))
    assert "eval.json" in why(work.janitor("plan"), run)


def test_wandbs_run_id_in_a_sidecar(tmp_path: Path) -> None:
    work = small(tmp_path)
    run = work.wandb(30)
    (log,) = (work.root / run).glob("run-*.wandb")
    name = log.name.removeprefix("run-").removesuffix(".wandb")
    work.write("best_models/champion_meta.json", json.dumps({"wandb_run": name}))
    assert "champion_meta.json names it" in why(work.janitor("plan"), run)


# ------------------------------------------------------------ Git that can't say


def held_back(work: Small, **how: object) -> str:
    """All is held back, purges are not; the word for it."""
    found = work.janitor("run", "--yes", **how)
    assert found.code == 4, found
    assert done(found) == set()
    assert work.there(RUN)
    (error,) = found.said["errors"]
    assert error["code"] == "guard"
    still = work.janitor("run", "--override-guards", **how)
    assert done(still) == set(), "nobody can override what isn't known"
    return str(error["message"])


def test_a_damaged_index_holds_back(work: Small) -> None:
    git(work, "add", "config.toml")
    (work.root / ".git" / "index").write_bytes(b"DIRC" + b"\0" * 40)
    assert "nobody can tell what Git tracks" in held_back(work)


def test_git_that_is_missing_holds_back(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = str(tmp_path_factory.mktemp("empty"))
    assert "no git command" in held_back(work, env=[("PATH", empty)])


def test_a_repository_that_is_none_holds_back(work: Small) -> None:
    shutil.rmtree(work.root / ".git")
    (work.root / ".git").write_text("gitdir: /nowhere\n")
    assert "nobody can tell what Git tracks" in held_back(work)


def test_without_a_repository_git_is_not_needed(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shutil.rmtree(work.root / ".git")
    found = work.janitor("run", "--yes", env=[("PATH", str(tmp_path_factory.mktemp("empty")))])
    assert RUN in done(found)


def test_another_repository_in_the_environment_is_not_asked(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A Git hook that runs the janitor has set these."""
    git(work, "add", "--force", f"{RUN}/train.log")
    other = Small(tmp_path_factory.mktemp("other"))
    git(other, "init", "--quiet")
    env = [("GIT_DIR", f"{other.root}/.git"), ("GIT_WORK_TREE", str(other.root))]
    env += [("GIT_INDEX_FILE", f"{other.root}/.git/none")]
    assert "Git tracks" in why(work.janitor("plan", env=env), RUN)


def test_no_program_that_a_repository_names_is_run(work: Small) -> None:
    """``core.fsmonitor`` is a command that Git runs whenever it reads the index."""
    git(work, "add", "--force", f"{RUN}/train.log")
    trap = work.write("trap.sh", f"#!/bin/sh\ntouch {work.root}/sprung\n")
    trap.chmod(0o755)
    git(work, "config", "core.fsmonitor", str(trap))
    (work.root / "sprung").unlink(missing_ok=True)
    assert "Git tracks" in kept(work)
    assert not (work.root / "sprung").exists()
    git(work, "ls-files", "--others")
    assert (work.root / "sprung").exists(), "Git itself would have run it"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be root")
def test_root_may_ask_in_a_users_repository(work: Small) -> None:
    git(work, "add", "--force", f"{RUN}/train.log")
    Account(ORDINARY, "").owns(work.root)
    assert "Git tracks" in kept(work)


def test_a_workspace_below_the_top_of_its_repository(
    tmp_path: Path,
) -> None:
    (tmp_path / "project").mkdir()
    work = small(tmp_path / "project")
    run = work.hydra(30, RUN)
    git(Small(tmp_path), "init", "--quiet")
    git(work, "add", "--force", f"{run}/train.log")
    assert "Git tracks train.log" in why(work.janitor("plan"), run)


# ------------------------------------------------------------ a repository around the workspace


@pytest.fixture
def inner(tmp_path: Path) -> Small:
    """A workspace in a folder of a repository, whose settings say how a search looks."""
    (tmp_path / "group" / "w9").mkdir(parents=True)
    found = small(tmp_path / "group" / "w9")
    found.hydra(30, RUN)
    found.hydra(31, "outputs/2026-01-02/10-00-00")
    top = Small(tmp_path)
    git(top, "init", "--quiet")
    for setting in ("color.ui=always", "grep.fullName=true", "grep.patternType=perl"):
        git(top, "config", *setting.split("="))
    return found


FROM_OUTSIDE = {
    "from the top": ("eval.yaml", f"ckpt: group/w9/{RUN}/model.pt"),
    "from its folder": ("group/other/a.yaml", f"ckpt: ../w9/{RUN}"),
    "from the folder around": ("group/.env", f"RUN=w9/{RUN}"),
    "in full": ("conf/B.JSON", '{{"ckpt": "{root}/' + RUN + '"}}'),
    "with a variable": ("conf/deep/a.toml", f"ckpt = '${{HOME}}/w9/./{RUN}'\n# w9/outputs\n"),
    "a name that starts with a dash": ("-e.cfg", f"ckpt=group/w9/{RUN}"),
}


@pytest.mark.parametrize(("path", "text"), FROM_OUTSIDE.values(), ids=FROM_OUTSIDE)
def test_a_config_of_the_repository_around_the_workspace(
    inner: Small, path: str, text: str
) -> None:
    top = Small(inner.root.parent.parent)
    top.write(path, text.replace("{root}", str(inner.root)).replace("{{", "{").replace("}}", "}"))
    git(top, "add", "--force", "--", path)
    shown = os.path.relpath(top.root / path, inner.root)
    assert f"{shown}, which Git tracks, names it" in kept(inner)


def test_a_config_around_the_workspace_names_where_a_root_leads(
    inner: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    real = tmp_path_factory.mktemp("real") / "runs"
    (inner.root / "outputs").rename(real)
    (inner.root / "outputs").symlink_to(real)
    top = Small(inner.root.parent.parent)
    tracked(top, "a.yaml", f"ckpt: {real}/{RUN.removeprefix('outputs/')}/model.pt")
    assert "a.yaml, which Git tracks, names it" in kept(inner)


def test_a_config_around_the_workspace_that_names_another_keeps_nothing(inner: Small) -> None:
    """Runs of the same name in two workspaces, as a project with several of them has."""
    top = Small(inner.root.parent.parent)
    tracked(top, "a.yaml", f"ckpt: group/w8/{RUN}\ndir: group/w9/outputs\n")
    tracked(top, "group/b.yaml", f"ckpt: {RUN}\n")
    top.write("scratch.yaml", f"ckpt: group/w9/{RUN}\n")
    assert RUN in {row["path"] for row in inner.janitor("plan").rows("steps")}
