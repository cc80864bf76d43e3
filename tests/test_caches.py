"""Caches lie anywhere in the workspace: they alone may go from outside the roots (S1)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from artifact_janitor.apply.ground import Ground
from artifact_janitor.core.plan import leaving
from artifact_janitor.errors import StepSkipped
from artifact_janitor.outcome import Outcome
from tests.real import training, wandb_runs
from tests.real.command import Answer
from tests.real.small import FREE, PURGING, Small, done, small, still, why
from tests.real.snapshot import difference, snapshot
from tests.test_filesystems import mounted, needs_root, tmpfs
from tests.test_memory import known
from tests.test_references import git, tracked

PYCACHE = "src/pkg/__pycache__"
STORE = ".cache"


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path)


def compiled(work: Small, folder: str, days: float = 30) -> str:
    """What the real compiler leaves beside a module; the cache is `days` old."""
    source = work.write(f"{folder}/module.py", "x = 1\n")
    command = [sys.executable, "-m", "compileall", "-q", str(source)]
    env = {each: value for each, value in os.environ.items() if each != "PYTHONPYCACHEPREFIX"}
    subprocess.run(command, check=True, env=env)
    wandb_runs.backdate(work.root / folder / "__pycache__", days)
    return f"{folder}/__pycache__"


def stored(work: Small, path: str = STORE, days: float = 30) -> str:
    work.write(f"{path}/huggingface/blob", "x" * 5000, days)
    work.write(f"{path}/pip/http/a", "y", days)
    os.symlink("../huggingface/blob", work.root / path / "pip/link")
    wandb_runs.backdate(work.root / path, days)
    return path


def caches(plan: Answer) -> set[str]:
    rows = plan.rows("steps", "kept")
    assert len({row["path"] for row in rows}) == len(rows), "a path appears twice"
    return {row["path"] for row in rows if row["kind"] == "cache"}


def goes(work: Small) -> set[str]:
    rows = work.janitor("plan").rows("steps")
    return {row["path"] for row in rows if "in" not in row} - {".gitignore"}


def test_there_and_back(work: Small) -> None:
    found = {compiled(work, "src/pkg"), compiled(work, "tests"), stored(work)}
    top = work.write("__pycache__/module.cpython-311-pytest-8.pyc", days=30)
    before = snapshot(work.root)
    answer = work.janitor("run", "--yes")
    assert done(answer) == {*found, "__pycache__"} == caches(answer)
    assert not any(work.there(each) for each in found)
    assert not top.exists()
    assert work.there("src/pkg/module.py", "tests/module.py")
    assert work.janitor("undo").code == 0
    assert difference(still(before), still(snapshot(work.root))) == []
    assert goes(work) == set(), "what came back is pinned"


def test_the_folder_around_is_as_it_was_too(work: Small) -> None:
    compiled(work, "src/pkg")
    os.utime(work.root / "src/pkg", ns=(1, 1))
    work.janitor("run", "--yes")
    work.janitor("undo")
    assert (work.root / "src/pkg").stat().st_mtime_ns == 1


def test_it_comes_back_although_the_folder_around_is_gone(work: Small) -> None:
    cache = compiled(work, "src/pkg")
    work.janitor("run", "--yes")
    shutil.rmtree(work.root / "src")
    assert work.janitor("undo").code == 0
    assert work.there(cache)


def test_one_that_was_made_anew_stays_where_it_is(work: Small) -> None:
    cache = compiled(work, "src/pkg")
    work.janitor("run", "--yes")
    compiled(work, "src/pkg", days=0)
    now = snapshot(work.root)
    answer = work.janitor("undo")
    assert answer.code == 3
    assert "is there already" in str(answer.said)
    assert difference(still(now), still(snapshot(work.root))) == []
    assert [path for path in work.trash() if cache in path]


def test_it_is_purged(work: Small) -> None:
    work.configure(PURGING)
    compiled(work, "src/pkg")
    stored(work)
    assert [work.janitor("run", "--yes").code for _ in range(2)] == [0, 0]
    assert (work.trash(), work.leftovers()) == ([], [])


def test_young_ones_and_all_without_a_policy_stay(work: Small) -> None:
    young = compiled(work, "src/pkg", days=1)
    assert "younger than 7d" in why(work.janitor("plan"), young)
    work.configure("")
    old = stored(work)
    assert "no policy for cache" in why(work.janitor("plan"), old)


def test_a_path_narrows_the_policy(work: Small) -> None:
    work.configure('[[policy]]\nkind = "cache"\npath = "src/**"\nkeep_within = "7d"\n')
    found = compiled(work, "src/pkg")
    compiled(work, "tests")
    stored(work)
    assert goes(work) == {found}


# ------------------------------------------------------------ where none is looked for


PLACES = {
    "Git's own folder": ".git/hooks",
    "another repository": "vendor/lib/src",
    "a submodule": "vendor/sub",
    "a virtual environment": "env/lib/python3.11/json",
    "a Conda environment": "conda/lib/python3.11",
    "installed packages": "build/site-packages/numpy",
    "Node's packages": "web/node_modules/x",
    "the janitor's folder": ".janitor/x",
    "what MLflow keeps": "mlruns/1/abc/artifacts/model/code",
    "results of studies": "hpo_results/x",
}


@pytest.mark.parametrize("name", ["__pycache__", ".cache"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_none_is_looked_for_in(work: Small, place: str, name: str) -> None:
    work.janitor("plan")
    (work.root / "vendor/lib/.git").mkdir(parents=True)
    work.write("vendor/sub/.git", "gitdir: ../../.git/modules/sub\n")
    work.write("env/pyvenv.cfg", "home = /usr/bin\n")
    (work.root / "conda/conda-meta").mkdir(parents=True)
    work.write(f"{place}/{name}/a.cpython-311.pyc", days=30)
    plan = work.janitor("run", "--yes")
    assert caches(plan) == set()
    assert work.there(f"{place}/{name}/a.cpython-311.pyc")


def test_a_real_virtual_environment_is_left_alone(work: Small) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", work.root / "e"], check=True)
    work.write("e/lib/python3.11/site-packages/a/__pycache__/a.pyc", days=30)
    work.write("e/share/__pycache__/a.pyc", days=30)
    assert caches(work.janitor("plan")) == set()


def test_the_workspaces_own_repository_is_no_obstacle(work: Small) -> None:
    git(work, "init", "--quiet")
    assert goes(work) | {compiled(work, "src/pkg")} == goes(work)


def test_inside_a_run_it_is_a_part_of_the_run(work: Small) -> None:
    work.configure('[[policy]]\nkind = "cache"\nkeep_within = "7d"\n')
    run = work.hydra(30)
    work.write(f"{run}/__pycache__/a.pyc", days=30)
    work.write(f"{run}/.cache/a", days=30)
    plan = work.janitor("plan")
    assert caches(plan) == set()
    assert plan.rows("steps") == []


def test_between_runs_it_is_one(work: Small) -> None:
    run = work.hydra(1, "outputs/day/run")
    found = {f"outputs/{stored(work, 'outputs/.cache').rpartition('/')[2]}"}
    work.write("outputs/day/__pycache__/a.pyc", days=30)
    plan = work.janitor("plan")
    assert caches(plan) == goes(work) == {*found, "outputs/day/__pycache__"}
    assert {row["path"] for row in plan.rows("kept")} == {run}


def test_between_runs_a_run_in_it_is_found_as_ever(work: Small) -> None:
    run = work.hydra(30, "outputs/.cache/run")
    assert caches(work.janitor("plan")) == set()
    assert goes(work) == {run}


def test_the_outermost_counts(work: Small) -> None:
    work.write(f"{stored(work)}/deep/__pycache__/a.pyc", days=30)
    work.write(f"{STORE}/.cache/b", days=30)
    assert caches(work.janitor("plan")) == {STORE}


def test_a_cache_that_holds_a_root_is_none(work: Small) -> None:
    (work.root / ".cache/runs").mkdir(parents=True)
    work.configure('[folders]\noutputs = ".cache/runs"\n' + FREE)
    work.write(".cache/other/a", days=30)
    run = work.hydra(30, ".cache/runs/one")
    assert caches(work.janitor("plan")) == set()
    assert goes(work) == {run}


def test_nor_one_to_which_a_root_leads(work: Small) -> None:
    work.write(".cache/a", days=30)
    work.write("real/src/__pycache__/a.pyc", days=30)
    (work.root / ".cache/runs").mkdir()
    (work.root / "outputs").symlink_to(".cache/runs")
    (work.root / "logs").symlink_to("real")
    assert goes(work) - {"logs/src/__pycache__"} == set()
    assert caches(work.janitor("plan")) == {"logs/src/__pycache__"}


def test_nor_one_in_a_known_folder_behind_a_link(work: Small) -> None:
    work.write("ml/runs/1/abc/artifacts/code/__pycache__/a.pyc", days=30)
    (work.root / "mlruns").symlink_to("ml/runs")
    assert caches(work.janitor("plan")) == set()


def test_links_are_not_followed(work: Small, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "__pycache__").mkdir()
    (outside / "__pycache__/a.pyc").write_text("x")
    (work.root / "src").symlink_to(outside)
    (work.root / ".cache").symlink_to(outside)
    (work.root / "__pycache__").symlink_to(outside / "__pycache__")
    assert caches(work.janitor("plan")) == set()


@needs_root
def test_other_filesystems_are_left_alone(work: Small, tmp_path: Path) -> None:
    with tmpfs(work.root / "scratch"):
        compiled(work, "scratch/pkg")
        assert caches(work.janitor("plan")) == set()
    other = work.write("other/__pycache__/a.pyc", days=30).parent.parent
    with mounted(work.root / "bound", "--bind", str(other)):
        assert caches(work.janitor("plan")) == {"other/__pycache__"}
    with mounted(work.root / "src/__pycache__", "--bind", str(other)):
        plan = work.janitor("plan")
        assert "mounted in it" in why(plan, "src/__pycache__")
        assert goes(work) == {"other/__pycache__"}


@needs_root
def test_a_workspace_that_is_a_mount_itself_is_one_like_any_other(tmp_path: Path) -> None:
    """As in a container, where the project is a volume."""
    with tmpfs(tmp_path / "project") as place:
        work = small(place)
        cache = compiled(work, "src/pkg")
        assert done(work.janitor("run", "--yes")) == {cache}
        assert work.janitor("undo").code == 0
        assert work.there(cache)


# ------------------------------------------------------------ what protects one


@pytest.mark.parametrize(
    "name", ["a.py", "a.pyc.1400", "notes", "sub/a.pyc", "a.PYC~"], ids=lambda name: name
)
def test_whatever_no_compiler_makes_protects_a_pycache(work: Small, name: str) -> None:
    compiled(work, "src/pkg")
    work.write(f"{PYCACHE}/{name}", days=30)
    plan = work.janitor("plan")
    assert plan.rows("steps") == []
    assert f"holds {name.partition('/')[0]}, which no compiler makes" in why(plan, PYCACHE)


@pytest.mark.parametrize("what", ["link", "pipe"])
def test_even_what_is_no_file(work: Small, what: str) -> None:
    compiled(work, "src/pkg")
    place = work.root / PYCACHE / "x.pyc"
    place.symlink_to("/nowhere") if what == "link" else os.mkfifo(place)
    assert "holds x.pyc" in why(work.janitor("plan"), PYCACHE)


def test_numbas_cache_goes_too(work: Small) -> None:
    """Numba isn't installed here: these are the names that it gives."""
    compiled(work, "src/pkg")
    for end in ("nbi", "1.nbc"):
        work.write(f"{PYCACHE}/module.f-1.py311.{end}", b"\0", days=30)
    assert goes(work) == {PYCACHE}


def hydra_run(work: Small) -> str:
    work.hydra(30, f"{STORE}/a/run")
    return f"holds a run: {STORE}/a/run"


def uploaded_wandb_run(work: Small) -> str:
    run = wandb_runs.place(wandb_runs.synced, work.root / STORE)
    return f"holds a run: {STORE}/wandb/{run.name}"


def unsynced_wandb_run(work: Small) -> str:
    run = wandb_runs.place(wandb_runs.offline, work.root / STORE)
    return f"holds a run: {STORE}/wandb/{run.name}"


def training_run(work: Small) -> str:
    training.torch_run(work.root / STORE / "exp/checkpoints", ["model_epoch_1.pt"])
    return f"holds a run: {STORE}/exp"


def repository(work: Small) -> str:
    (work.root / STORE / "lib/.git").mkdir(parents=True)
    return "holds a Git repository"


def tracked_file(work: Small) -> str:
    git(work, "init", "--quiet")
    git(work, "add", "--force", f"{STORE}/huggingface/blob")
    return "Git tracks huggingface/blob"


def link_from_outside(work: Small) -> str:
    os.symlink(f"{STORE}/huggingface/blob", work.root / "weights")
    return "the link weights points to it"


def named_by_a_config(work: Small) -> str:
    git(work, "init", "--quiet")
    tracked(work, "conf.yaml", f"resume: {STORE}/huggingface/blob\n")
    return "conf.yaml, which Git tracks, names it"


def pinned(work: Small) -> str:
    work.janitor("pin", f"{STORE}/pip")
    return "pinned"


def staged_by_wandb(work: Small) -> str:
    """As with ``WANDB_DATA_DIR=.cache/wandb``: an offline run's artifacts wait for its sync."""
    work.write(f"{STORE}/wandb/artifacts/staging/tmpab12cd", "x", days=30)
    return "holds what W&B may still have to upload"


def another_janitor(work: Small) -> str:
    (work.root / STORE / "project/.janitor").mkdir(parents=True)
    return "a janitor's own state"


VETOES: list[Callable[[Small], str]] = [
    hydra_run,
    uploaded_wandb_run,
    unsynced_wandb_run,
    training_run,
    repository,
    tracked_file,
    link_from_outside,
    named_by_a_config,
    pinned,
    staged_by_wandb,
    another_janitor,
]


@pytest.mark.parametrize("veto", VETOES, ids=lambda veto: veto.__name__)
def test_what_lies_in_a_store_protects_it(work: Small, veto: Callable[[Small], str]) -> None:
    stored(work)
    assert goes(work) == {STORE}
    said = veto(work)
    wandb_runs.backdate(work.root / STORE, 30)
    plan = work.janitor("run", "--yes")
    assert done(plan) <= {".gitignore"}
    assert said in why(plan, STORE)


def test_a_config_that_says_where_the_cache_is_keeps_nothing(work: Small) -> None:
    git(work, "init", "--quiet")
    stored(work)
    tracked(work, "conf.yaml", f"cache_dir: {STORE}\nother: ./{STORE}/\n")
    assert goes(work) == {STORE}


def test_nor_does_a_sidecar_that_says_the_name_of_all_caches(work: Small) -> None:
    found = {stored(work), compiled(work, "src/pkg")}
    work.write("best_models/a_meta.json", '{"cache": ".cache", "left_out": ["__pycache__"]}')
    assert goes(work) == found


def test_a_link_to_a_folder_of_caches_keeps_none(work: Small) -> None:
    compiled(work, "src/pkg")
    (work.root / "lib").symlink_to("src")
    assert goes(work) == {PYCACHE}


def test_a_file_that_is_open_keeps_it(work: Small) -> None:
    stored(work)
    compiled(work, "src/pkg")
    with (work.root / STORE / "pip/http/a").open("rb") as file:
        holder = subprocess.Popen(["sleep", "60"], stdin=file)
        try:
            plan = work.janitor("run", "--yes")
            assert done(plan) == {PYCACHE}
            assert "live" in why(plan, STORE)
        finally:
            holder.kill()
            holder.wait()


# ------------------------------------------------------------ between plan and step


def outcome(work: Small, change: Callable[[], object]) -> Outcome:
    """What became of the one step of a plan, after a change."""
    seen = work.look()
    change()
    (found,) = work.run(seen).outcomes
    return found


def test_a_folder_around_it_that_becomes_a_link_ends_the_step(
    work: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    compiled(work, "src/pkg")
    outside = tmp_path_factory.mktemp("outside") / "src"

    def swap() -> None:
        (work.root / "src").rename(outside)
        (work.root / "src").symlink_to(outside)

    found = outcome(work, swap)
    assert found.outcome == "skipped"
    assert (outside / "pkg/__pycache__").is_dir()


def test_a_cache_that_becomes_a_link_ends_the_step(work: Small) -> None:
    cache = work.root / stored(work)

    def swap() -> None:
        cache.rename(work.root / "elsewhere")
        cache.symlink_to("elsewhere")

    assert outcome(work, swap).outcome == "skipped"
    assert cache.is_symlink()
    assert work.there("elsewhere/huggingface/blob")


def test_a_change_in_it_ends_the_step(work: Small) -> None:
    compiled(work, "src/pkg")
    found = outcome(work, lambda: work.write(f"{PYCACHE}/new.pyc", days=30))
    assert (found.outcome, "new.pyc is new" in found.why) == ("skipped", True)


@needs_root
def test_a_filesystem_that_is_mounted_over_it_meanwhile(work: Small) -> None:
    """Neither what is hidden now nor what hides it goes."""
    compiled(work, "src/pkg")
    seen = work.look()
    copy = work.root.parent / "copy"
    shutil.copytree(work.root / "src", copy, symlinks=True)
    with mounted(work.root / "src", "--bind", str(copy)):
        (found,) = work.run(seen).outcomes
        assert found.outcome == "skipped"
        assert (copy / "pkg/__pycache__").is_dir()
    assert work.there(PYCACHE)


@needs_root
def test_a_bind_mount_of_the_very_folder_is_another_filesystem_still(work: Small) -> None:
    """Same device, same inodes: only the kernel's number of the mount tells."""
    compiled(work, "src/pkg")
    seen = work.look()
    with mounted(work.root / "src", "--bind", str(work.root / "src")):
        (found,) = work.run(seen).outcomes
        assert found.outcome == "skipped"
        assert "lies on another filesystem than the workspace" in found.why
    assert work.there(PYCACHE)


# ------------------------------------------------------------ the ground


OTHERS = "src src/pkg src/pkg/module.py src/__pycache__/a.pyc src/x__pycache__ config.toml"


@pytest.mark.parametrize("path", OTHERS.split())
def test_the_ground_lets_nothing_but_caches_go(work: Small, path: str) -> None:
    ground = Ground(work.root, ["outputs"])
    with pytest.raises(StepSkipped, match="lies in none of the configured folders"):
        ground.root_of(path)


@pytest.mark.parametrize("path", ["../x/__pycache__", "a//__pycache__", "./.cache", "a/../.cache"])
def test_nor_does_a_path_lead_out(work: Small, path: str) -> None:
    (work.root / "a").mkdir()
    with pytest.raises(StepSkipped), Ground(work.root, []).parent(path):
        pass


# ------------------------------------------------------------ memory


def test_what_is_remembered_may_only_keep(work: Small) -> None:
    work.configure('[[policy]]\nkind = "cache"\nkeep_within = "3650d"\n')
    compiled(work, "src/pkg")
    stored(work)
    work.janitor("run", "--yes")  # makes the journal
    first = work.look().plan
    assert known(work) == [STORE, PYCACHE]
    assert work.look().plan.kept == first.kept
    work.configure(FREE)
    assert {each.path for each in leaving(work.look().plan)} == {PYCACHE, STORE}
    work.write(f"{STORE}/huggingface/new", days=30)
    assert {each.files for each in leaving(work.look().plan)} == {1, 3}
    shutil.rmtree(work.root / STORE)
    assert caches(work.janitor("plan")) == {PYCACHE} == {*known(work)}


def test_a_run_that_came_into_a_remembered_cache_is_seen(work: Small) -> None:
    work.configure('[[policy]]\nkind = "cache"\nkeep_within = "3650d"\n')
    stored(work)
    work.janitor("run", "--yes")
    work.look()
    assert known(work) == [STORE]
    work.hydra(30, f"{STORE}/huggingface/run")
    wandb_runs.backdate(work.root / STORE, 30)
    work.configure(FREE)
    assert "holds a run" in why(work.janitor("plan"), STORE)
