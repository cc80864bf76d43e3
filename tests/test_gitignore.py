"""What ``janitor gitignore sync`` writes means what the policy says, by real Git's own word."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from tests.real.git_repo import Repo, repo
from tests.real.snapshot import difference, snapshot

IGNORED = (
    "wandb/run-1/files/config.yaml",
    "outputs/2026-01-01/10-00-00/.hydra/config.yaml",
    "outputs/2026-01-01/10-00-00/models/a.json",
    "multirun/2026-01-01/10-00-00/0/main.log",
    "logs/app.txt",
    "mlruns/0/meta.yaml",
    "mlflow.db",
    "mlflow.db-wal",
    "hpo_studies/eurusd.db",
    "training/runs/a/checkpoint_1.pt",
    "training/runs/a/metrics.json",
    "app.log",
    "src/app.log",
    "models/hpo_derived/eurusd/final_model_mlp.pth",
    "models/manual_runs/a/final_model_mlp.pth",
    "models/old/weights.onnx",
    "best_models/champion.pt",
    "notebooks/net.ckpt",
    "net.pt.tmp",
    "src/__pycache__/a.pyc",
    ".cache/huggingface/blob",
    ".janitor/a",
    "outputs/.janitor/trash/a",
)
KEPT = (
    "config.toml",
    "config/model.yaml",
    "src/logs/writer.py",
    "src/outputs/frame.py",
    "src/wandb/client.py",
    "lib/training/runs/a.py",
    "training/train.py",
    "models/lstm.py",
    "models/hpo_derived/eurusd/final_model_mlp.json",
    "models/manual_runs/a/final_model_mlp.json",
    "best_models/champion_meta.json",
    "best_models/2026/champion_meta.json",
    "best_models/README.md",
    "hpo_results/hpo_results_mlp.json",
    "hpo_results/eurusd/hpo_combined_results.json",
    "hpo_results/eurusd/mlp_visualizations/history.png",
    "docs/guide.md",
    "README.md",
    "blog/catalog.txt",
)


@pytest.fixture
def work(tmp_path: Path) -> Repo:
    return repo(tmp_path / "project")


def test_the_policy(work: Repo) -> None:
    """Written down here by hand, beside the code that makes it."""
    work.has(*IGNORED, *KEPT)
    work.configure("")
    assert work.sync() == 0
    assert work.ignores(*IGNORED, *KEPT) == {*IGNORED}
    shown = work.git("status", "--porcelain", "-uall", "--ignored=no").split("\n")
    assert {each[3:] for each in shown if each} == {*KEPT, ".gitignore"}
    assert work.finds() == []


def test_a_second_sync_changes_nothing(work: Repo) -> None:
    work.rules("*.pyc\n")
    work.sync()
    before = snapshot(work.root)
    answer = work.janitor("gitignore", "sync")
    assert (answer.code, answer.facts["state"]) == (0, "nothing")
    assert difference(before, snapshot(work.root)) == []


def test_names_of_folders_are_settings(work: Repo) -> None:
    for folder in ("runs [new]", "lot*s", "results!", "deep/in/models", "best ones"):
        (work.root / folder).mkdir(parents=True)
    work.configure(
        '[folders]\noutputs = ["runs [new]", "lot*s"]\nhpo_results = "results!"\n'
        'models = "deep/in/models"\nbest_models = "best ones"\n'
    )
    out = ["runs [new]/a/x", "lot*s/a", "deep/in/models/a.bin", "best ones/a.pt"]
    kept = ["runs n/a", "lots/a", "outputs/a", "best ones/a/b_meta.json", "results!/r.json"]
    kept += ["deep/in/models/hpo_derived/s/a.json", "models/a.bin"]
    work.rules("*.json\n")
    assert work.sync() == 0
    assert work.ignores(*out, *kept) == {*out}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_that_a_mac_spells_otherwise(work: Repo, form: str) -> None:
    (work.root / "läufe").mkdir()
    work.configure('[folders]\noutputs = "läufe"\n')
    path = unicodedata.normalize(form, "läufe/a.txt")
    work.has(path)
    work.sync()
    assert work.ignores(path) == {path}


def test_what_a_person_adds_keeps_and_drops(work: Repo) -> None:
    work.configure(
        "[gitignore]\nignore = ['/scratch/', '*.bak', 'data/']\n"
        "keep = ['/outputs/paper/*.json', 'outputs/*/best/m.txt', 'important.log', 'data/a.csv',\n"
        "        'multirun/**/metrics.csv', 'multirun/x/whole/']\n"
        "drop = ['logs', '/*.ckpt']\n"
    )
    out = ["scratch/a", "a.bak", "outputs/paper/a.txt", "outputs/other.json", "other.log"]
    out += ["outputs/paper/deep/a.json", "outputs/x/best/n.txt", "data/b.csv", "x/data/a.csv"]
    out += ["multirun/a/b/c.csv", "multirun/x/y", "outputs/x/y/m.txt"]
    kept = ["outputs/paper/a.json", "outputs/x/best/m.txt", "important.log", "src/important.log"]
    kept += ["logs/a.txt", "a.ckpt", "data/a.csv", "multirun/a/b/metrics.csv"]
    kept += ["multirun/metrics.csv", "multirun/x/whole/all/of/it"]
    work.has(*out, *kept)
    assert work.sync() == 0, work.janitor("gitignore", "check").facts
    assert work.ignores(*out, *kept) == {*out}
    work.configure("[gitignore]\ndrop = ['*']\n")
    assert work.finds()[0]["code"] == "drift"
    assert work.sync() == 0
    assert b"artifact-janitor" not in work.text
    work.configure("[gitignore]\ndrop = ['*.lgo']\n")
    assert "none of the defaults" in work.janitor("gitignore", "check").said["errors"][0]["message"]


def test_a_persons_word_is_stronger_than_the_defaults(work: Repo) -> None:
    work.configure("[gitignore]\nignore = ['/hpo_results/']\nkeep = ['/hpo_results/note.txt']\n")
    paths = ["hpo_results/r.json", "hpo_results/note.txt", "hpo_results/a/note.txt"]
    work.has(*paths)
    assert work.sync() == 0
    assert work.ignores(*paths) == {*paths} - {"hpo_results/note.txt"}


@pytest.mark.parametrize(
    "line", ["!a", "#a", "*", "/", "**", "a\\\\", "../a", "a//b", " a", "a\\nb", ""]
)
def test_a_pattern_that_means_nothing_is_refused(work: Repo, line: str) -> None:
    work.configure(f'[gitignore]\nignore = ["{line}"]\n')
    answer = work.janitor("gitignore", "sync")
    assert (answer.code, answer.said["errors"][0]["code"]) == (2, "config")


# ------------------------------------------------------------------ milestones


def test_a_tracked_model_counts_as_chosen(work: Repo) -> None:
    chosen = ["best_models/champion.pt", "training/runs/run7/final.pt", "tests/tiny.pth"]
    others = ["best_models/other.pt", "training/runs/run7/x.pt", "training/runs/run8/final.pt"]
    work.has(*chosen, *others)
    work.git("add", "-f", *chosen)
    assert work.sync() == 0
    assert work.ignores(*chosen, *others) == {*others}
    assert work.finds() == []
    work.git("rm", "-q", "--cached", *chosen)
    assert work.sync() == 0
    assert work.ignores(*chosen, *others) == {*others, *chosen}


def test_what_a_milestone_says_of_itself_counts_more(work: Repo) -> None:
    work.has("best_models/a.pt", "best_models/b.pt", "best_models/c.pt")
    work.write("best_models/a_meta.json", '{"chosen": true}')
    work.write("best_models/b_meta.json", '{"chosen": false}')
    work.write("best_models/c_meta.json", "[" * 100_000)
    work.git("add", "-f", "best_models/b.pt")
    assert work.sync() == 0
    assert work.ignores(*(f"best_models/{each}.pt" for each in "abc")) == {
        "best_models/b.pt",
        "best_models/c.pt",
    }
    assert [each["code"] for each in work.finds()] == ["tracked"]


def test_a_folder_full_of_tracked_tensors_is_a_data_set(work: Repo) -> None:
    work.has(*(f"data/{number}.pt" for number in range(101)))
    work.git("add", "-f", "data")
    assert work.sync() == 0
    assert b"/data/" not in work.text
    assert work.finds() == []


# ------------------------------------------------------------------ where the workspace is


def test_a_workspace_in_a_folder_of_the_repository(tmp_path: Path) -> None:
    top = repo(tmp_path / "top")
    top.rules("*.json\n!/outputs/\n")
    top.has("logs/not ours.txt", "a/outputs/not ours.txt")
    inner = Repo(top.root / "a" / "b")
    inner.has(*IGNORED, *KEPT)
    inner.configure("")
    assert inner.sync() == 0
    assert inner.ignores(*IGNORED, *KEPT) == {*IGNORED}
    assert top.ignores("logs/not ours.txt", "a/outputs/not ours.txt") == set()
    assert top.text == b"*.json\n!/outputs/\n"
    top.rules("/a/b/best_models/**\n")
    assert inner.finds() == []  # its own rules are nearer, and open the folders again
    top.rules("/a/b/best_models/\n")
    (finding,) = inner.finds()  # there is more than JSON in it
    assert (finding["code"], finding["path"]) == ("returns", "best_models/README.md")
    top.rules("/a/b\n")
    (finding, *_) = inner.finds()
    assert (finding["code"], finding["line"]) == ("swallows", 1)
    assert finding["file"] == str(top.root / ".gitignore")


def test_a_worktree(work: Repo, tmp_path: Path) -> None:
    work.has("README.md")
    work.git("add", ".")
    work.git("commit", "-qm", "first")
    work.git("worktree", "add", "-q", str(tmp_path / "tree"))
    tree = Repo(tmp_path / "tree")
    tree.has(*IGNORED, *KEPT)
    tree.configure("")
    assert tree.sync() == 0
    assert tree.ignores(*IGNORED, *KEPT) == {*IGNORED}
    assert not work.there(".gitignore")


def test_other_repositories_inside_are_left_alone(work: Repo, tmp_path: Path) -> None:
    """A submodule, and one that is only there: their files are theirs."""
    other = repo(tmp_path / "other")
    other.has("outputs/theirs.txt", "best_models/a_meta.json")
    other.rules("*.json\n")
    other.git("add", "-f", ".")
    other.git("commit", "-qm", "theirs")
    allowed = ("-c", "protocol.file.allow=always")
    work.git(*allowed, "submodule", "--quiet", "add", str(other.root), "vendor/sub")
    work.git("clone", "-q", str(other.root), "models/nested")
    assert work.sync() == 0
    assert work.finds() == []
    assert other.text == (work.root / "vendor/sub/.gitignore").read_bytes() == b"*.json\n"
    sub = Repo(work.root / "vendor/sub")
    sub.configure("")
    assert sub.sync() == 0
    assert sub.ignores("outputs/theirs.txt", "best_models/a_meta.json") == {"outputs/theirs.txt"}


def test_links_to_folders_on_another_disk(work: Repo, tmp_path: Path) -> None:
    """``wandb/`` with a slash would not match them."""
    for name in ("wandb", "outputs", ".cache"):
        (tmp_path / name).mkdir()
        (work.root / name).symlink_to(tmp_path / name)
    assert work.sync() == 0
    assert work.ignores("wandb", "outputs", ".cache") == {"wandb", "outputs", ".cache"}
    assert "wandb" not in work.git("status", "--porcelain")


@pytest.mark.parametrize(("case", "expected"), [("true", True), ("false", False)])
def test_names_are_compared_as_git_compares_them(work: Repo, case: str, expected: bool) -> None:
    work.git("config", "core.ignorecase", case)
    work.has("Outputs/a.txt", "best_models/A_META.JSON")
    work.rules("*.JSON\n")
    assert work.sync() == 0 if expected else 4
    assert ("Outputs/a.txt" in work.ignores("Outputs/a.txt")) == expected


# ------------------------------------------------------------------ rules from elsewhere


def test_rules_of_the_whole_machine_and_of_this_clone(work: Repo, tmp_path: Path) -> None:
    """They are a person's, too, and weaker than ours where the policy is firm."""
    work.write(".git/info/exclude", "*.json\nhpo_results\n")
    (tmp_path / "global").write_text("config/\nbest_models\n")
    (tmp_path / "gitconfig").write_text(f"[core]\nexcludesFile = {tmp_path}/global\n")
    mine = {"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig")}
    work.has("best_models/a_meta.json", "hpo_results/r.json", "config/model.yaml", "outputs/x")
    assert work.janitor("gitignore", "sync", env=mine.items()).code == 0
    paths = ["best_models/a_meta.json", "hpo_results/r.json", "config/model.yaml", "outputs/x"]
    assert work.ignores(*paths, **mine) == {"config/model.yaml", "outputs/x"}
    answer = work.janitor("gitignore", "check", env=mine.items())
    (found,) = answer.facts["findings"]
    assert (answer.code, found["code"], found["path"]) == (10, "ignored", "config/model.yaml")
    assert (found["file"], found["line"]) == (str(tmp_path / "global"), 1)
    work.configure('[gitignore]\nkeep = ["config/*.yaml"]\n')
    assert work.janitor("gitignore", "sync", env=mine.items()).code == 0
    assert "config/model.yaml" not in work.ignores("config/model.yaml", **mine)


def test_a_repository_that_ignores_the_workspace(tmp_path: Path) -> None:
    """A home folder in Git, say: nothing that we write would count."""
    top = repo(tmp_path / "home")
    top.rules("/*\n!/.profile\n")
    inner = Repo(top.root / "project")
    inner.write("config.toml", "")
    answer = inner.janitor("gitignore", "sync")
    assert (answer.code, inner.there(".gitignore")) == (4, False)
    assert f"{top.root}/.gitignore:1" in answer.said["errors"][0]["message"]
