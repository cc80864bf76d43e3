"""Archives that expire, in a workspace with real runs (S10)."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from artifact_janitor import clock
from artifact_janitor.apply.archive.store import ARCHIVE, IN_ORDER, MANIFEST, SUMS
from artifact_janitor.core.model import Pin
from artifact_janitor.units import DAY
from tests.real import training, wandb_runs
from tests.real.command import Answer
from tests.real.disks import needs_root, small_disk
from tests.real.small import KINDS, Small, done, small
from tests.real.snapshot import difference, snapshot
from tests.test_archives import flip

EXPIRING = "".join(
    f'[[policy]]\nkind = "{kind}"\nkeep_within = "7d"\nexpire = "365d"\n\n' for kind in KINDS
)
EXPIRING += "[safety]\nmax_share = 1.0\n"
RUN = "outputs/day/run"


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path, EXPIRING)


def long_ago(days: int = 400) -> Callable[[], None]:
    """Called in a command's fork: it believes that it is so many days earlier."""

    def turn_back() -> None:
        read = clock.read

        def there() -> clock.Reading:
            now = read()
            return replace(now, wall=now.wall - days * DAY, awake=now.awake - days * DAY)

        clock.read = there

    return turn_back


def archived(work: Small, *units: str, days: int = 400) -> None:
    """Archived by hand that long ago; of the sources nothing is left."""
    for unit in units:
        wandb_runs.backdate(work.root / unit, days + 100)
    answer = work.janitor("archive", *units, first=long_ago(days))
    assert answer.code == 0, answer
    shutil.rmtree(work.root / ".janitor" / "trash")


def the_path(work: Small, unit: str) -> str:
    """Of the archive of a unit."""
    with closing(work.journal()) as journal:  # left open, a fork would take its log away
        (name,) = (each.name for each in journal.archives.all() if each.path == unit)
    return f".janitor/archive/{name}{ARCHIVE}"


def expiring(answer: Answer) -> dict[str, str]:
    """Archives that would expire, or did: unit → path."""
    rows = answer.rows("steps")
    return {row["archive_of"]: row["path"] for row in rows if row["do"] == "expire"}


def reasons(answer: Answer, unit: str) -> str:
    rows = (row for row in answer.rows("kept") if row.get("archive_of") == unit)
    return " · ".join(reason for row in rows for reason in row["reasons"])


def test_an_old_archive_expires_and_comes_back(work: Small) -> None:
    old, new = work.hydra(30, RUN), work.hydra(30, "outputs/day/new")
    archived(work, old)
    archived(work, new, days=300)
    store = work.root / ".janitor" / "archive"
    before = snapshot(store)
    path = the_path(work, old)
    plan = work.janitor("plan")
    (step,) = plan.rows("steps")
    size = sum(each.stat().st_blocks * 512 for each in store.glob("*_run-*"))
    assert step == {
        "do": "expire",
        "kind": "hydra-run",
        "path": path,
        "archive_of": old,
        "bytes": size,
        "frees": size,
        "frees_now": 0,
        "reasons": ["archived longer ago than 365d"],
    }
    assert reasons(plan, new) == "archived within 365d"
    assert "1 archive expires" in work.said("plan")
    assert "(2 archives, all read within 400 days)" in work.said("status")
    du = work.janitor("du").facts
    assert (du["archive"]["frees"], du["kinds"]) == (size, [])
    said = work.said("why", str(store / path.rpartition("/")[2]))
    assert f"would go (expire) · archive of the hydra-run {old}" in said
    assert "within 365d" in work.said("why", new), "asked by where it was"
    answer = work.janitor("run", "--yes")
    assert expiring(answer) == {old: path}
    assert [row["path"] for row in work.janitor("archives").rows("archives")] == [new]
    assert {each.name for each in store.glob("*_run-*")} == set()
    assert sorted(each.rpartition("/")[2] for each in work.trash()) == sorted(
        path.rpartition("/")[2].removesuffix(ARCHIVE) + each for each in IN_ORDER
    )
    assert "expired, in the trash" in work.said("history")
    assert work.janitor("undo").code == 0
    assert difference(before, snapshot(store)) == []
    assert "pinned" in reasons(work.janitor("plan"), old)
    assert work.janitor("verify").code == 0
    assert work.janitor("restore", old, "--to", str(work.root.parent / "elsewhere")).code == 0


def test_what_expired_is_purged_like_all_else(work: Small) -> None:
    archived(work, work.hydra(30, RUN))
    assert expiring(work.janitor("run", "--yes")).keys() == {RUN}
    work.configure(EXPIRING + 'trash_keep = "0s"\n')
    assert [row["do"] for row in work.janitor("run", "--yes").rows("steps")] == ["purge"]
    assert work.trash() == []
    answer = work.janitor("undo", "--last", "9")
    assert answer.code == 3
    assert "left the trash for good" in answer.rows("steps")[0]["why"]
    assert work.janitor("archives").rows("archives") == []
    assert work.leftovers() == ["archive"]


def no_policy(work: Small, unit: str) -> None:
    others = EXPIRING.replace('kind = "hydra-run"', f'kind = "hydra-run"\npath = "{unit}"', 1)
    first = others.partition('[[policy]]\nkind = "wandb-run"')[0].replace('expire = "365d"\n', "")
    work.configure(first + EXPIRING)


def pin_inside(work: Small, unit: str) -> None:
    with closing(work.journal()) as journal:
        journal.pin(Pin(f"{unit}/train.log", "mine", 1))


def pin_archive(work: Small, unit: str) -> None:
    assert work.janitor("pin", the_path(work, unit)).code == 0


def pin_the_old_place(work: Small, unit: str) -> None:
    answer = work.janitor("pin", unit, "--note", "dear")
    assert answer.code == 0, answer


def milestone(work: Small, unit: str) -> None:
    work.write("best_models/a_meta.json", f'{{"run": "{unit}"}}')


def tracked_config(work: Small, unit: str) -> None:
    work.write("conf/resume.yaml", f"resume: {unit}/last.pt\n")
    git(work, "add", "conf/resume.yaml")


def tracked_file(work: Small, unit: str) -> None:
    work.write(f"{unit}/notes.md")
    git(work, "add", "--force", f"{unit}/notes.md")
    shutil.rmtree(work.root / unit)


def link(work: Small, unit: str) -> None:
    (work.root / "newest").symlink_to(unit)


def git(work: Small, *args: str) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=work.root, check=True)
    subprocess.run(["git", *args], cwd=work.root, check=True)


def part(work: Small, unit: str, suffix: str) -> Path:
    return work.root / (the_path(work, unit).removesuffix(ARCHIVE) + suffix)


def damage(work: Small, unit: str) -> None:
    file = part(work, unit, MANIFEST)
    flip(file, file.stat().st_size // 2)


def shorten(work: Small, unit: str) -> None:
    file = part(work, unit, ARCHIVE)
    os.truncate(file, file.stat().st_size - 1)


def lose_the_list(work: Small, unit: str) -> None:
    part(work, unit, SUMS).unlink()


def exchange(work: Small, unit: str) -> None:
    """With all parts of another archive, which fit each other."""
    work.hydra(600, "outputs/day/other")
    archived(work, "outputs/day/other", days=401)
    for suffix in IN_ORDER:
        shutil.copy2(part(work, "outputs/day/other", suffix), part(work, unit, suffix))


KEEPS: dict[Callable[[Small, str], None], str] = {
    no_policy: "its policy lets no archive expire",
    pin_inside: "train.log is pinned (mine)",
    pin_archive: "pinned",
    pin_the_old_place: "is pinned (dear)",
    milestone: "a_meta.json names it",
    tracked_config: "conf/resume.yaml, which Git tracks, names it",
    tracked_file: "Git tracks notes.md",
    link: "the link newest points to it",
    damage: "the manifest",
    shorten: "not as long as its manifest says",
    lose_the_list: "can't be read",
    exchange: "not the archive that the journal knows",
}


def test_what_keeps_an_archive(work: Small) -> None:
    units = {work.hydra(30, f"outputs/day/{how.__name__}"): how for how in KEEPS}
    free = work.hydra(30, "outputs/day/free")
    archived(work, *units, free)
    assert set(expiring(work.janitor("plan"))) == {*units, free}
    for unit, how in units.items():
        how(work, unit)
    plan = work.janitor("plan")
    assert set(expiring(plan)) - {"outputs/day/other"} == {free}
    assert {
        unit: KEEPS[how] in reasons(plan, unit) for unit, how in units.items()
    } == dict.fromkeys(units, True)
    store = work.root / ".janitor" / "archive"
    assert set(expiring(work.janitor("run", "--yes"))) - {"outputs/day/other"} == {free}
    assert len([*store.glob(f"*{ARCHIVE}")]) == len(units)


def test_an_archive_that_is_in_no_index_never_expires(work: Small) -> None:
    """One that was copied there by hand, say."""
    archived(work, work.hydra(30, RUN))
    with closing(sqlite3.connect(work.root / ".janitor" / "journal.db")) as db, db:
        db.execute("DELETE FROM archive")
    assert work.janitor("run", "--yes").rows("steps") == []
    assert len(work.janitor("archives").rows("archives")) == 1


def test_an_archive_whose_journal_was_lost_waits_for_a_person(work: Small) -> None:
    """It comes back into the index; but a pin may have been in that journal, too."""
    archived(work, work.hydra(30, RUN))
    for each in (work.root / ".janitor").glob("journal.db*"):
        each.unlink()
    for _ in range(2):
        report = work.janitor("run", "--yes")
        assert (report.code, done(report)) == (4, set())
    assert len(work.janitor("archives").rows("archives")) == 1


def test_one_of_another_unit_than_the_journal_says_never_expires(work: Small) -> None:
    archived(work, work.hydra(30, RUN))
    with closing(sqlite3.connect(work.root / ".janitor" / "journal.db")) as db, db:
        db.execute("UPDATE step SET path = ?", (b"outputs/x",))
    assert "it is of another unit" in reasons(work.janitor("plan"), "outputs/x")


def test_the_only_copy_of_a_model_never_expires(work: Small) -> None:
    """A copy in another archive is none; one in a run that goes is none."""
    for name in ("a", "b"):
        run = work.root / f"training/runs/{name}"
        if name == "a":
            training.torch_run(run)
        else:
            shutil.copytree(work.root / "training/runs/copy", run)
        shutil.copytree(run, work.root / "training/runs/copy", dirs_exist_ok=True)
        archived(work, f"training/runs/{name}")
    copy = work.root / "training/runs/copy"
    old = [f"training/runs/{name}" for name in "ab"]
    assert set(expiring(work.janitor("plan"))) == {*old}, "a young run holds it"
    wandb_runs.backdate(copy, 30)
    plan = work.janitor("plan")
    assert expiring(plan) == {}
    assert {row["do"] for row in plan.rows("steps")} == {"archive"}
    assert "only copy of the model" in reasons(plan, old[0])
    (copy / "best_model.pt").write_bytes(b"x" * (copy / "best_model.pt").stat().st_size)
    assert expiring(work.janitor("plan")) == {}, "another model of the same size"
    shutil.rmtree(copy)
    assert expiring(work.janitor("plan")) == {}
    assert work.janitor("restore", old[0]).code == 0
    work.janitor("unpin", ".")
    for name in ("best_model.pt", "final_model_mlp.pth"):
        assert expiring(work.janitor("plan")) in ({}, {old[1]: the_path(work, old[1])})
        work.write(f"best_models/{name}", (work.root / old[0] / name).read_bytes())
    shutil.rmtree(work.root / old[0])
    assert set(expiring(work.janitor("plan"))) == {*old}


def test_what_is_not_proven_to_be_uploaded_never_expires(work: Small) -> None:
    """Alone, or in a run; and a person's word of today counts for what went by itself."""
    uploaded = work.wandb(600)
    offline = f"wandb/{wandb_runs.place(wandb_runs.offline, work.root).name}"
    holder, proven = work.hydra(30, RUN), work.hydra(30, "outputs/day/proven")
    wandb_runs.place(wandb_runs.offline, work.root / holder)
    wandb_runs.place(wandb_runs.synced, work.root / proven)
    units = (uploaded, offline, holder, proven)
    archived(work, *units)
    plan = work.janitor("plan")
    assert set(expiring(plan)) == {uploaded, proven}
    assert "never uploaded" in reasons(plan, offline)
    assert "never uploaded" in reasons(plan, holder)
    work.configure(EXPIRING.replace('"wandb-run"', '"wandb-run"\nunsynced = "archive"'))
    assert set(expiring(work.janitor("plan"))) == {uploaded, proven}
    word = "uploaded_before = 2026-01-01"
    work.configure(EXPIRING.replace('"wandb-run"', f'"wandb-run"\n{word}'))
    assert set(expiring(work.janitor("plan"))) == {uploaded, proven, offline}


def change(work: Small, path: str) -> None:
    os.utime(work.root / path)


def replace_it(work: Small, path: str) -> None:
    shutil.copy2(work.root / path, work.root / "copy")
    os.replace(work.root / "copy", work.root / path)


def flip_the_manifest(work: Small, path: str) -> None:
    file = work.root / (path.removesuffix(ARCHIVE) + MANIFEST)
    times = file.stat().st_mtime_ns
    flip(file, file.stat().st_size // 2)
    os.utime(file, ns=(times, times))


def lose_it(work: Small, path: str) -> None:
    (work.root / path).unlink()


AFTERWARDS: dict[Callable[[Small, str], None], str] = {
    change: "changed since the plan was made",
    replace_it: "changed since the plan was made",
    flip_the_manifest: "changed since the plan was made: ",
    lose_it: "is gone since the plan was made",
    lambda work, path: work.journal().pin(Pin(path)): "pinned since",
    lambda work, _: work.journal().pin(Pin(f"{RUN}/train.log")): "pinned since",
}


def test_what_changes_after_the_plan_stays(work: Small) -> None:
    archived(work, work.hydra(30, RUN))
    store, shelf = work.root / ".janitor", work.root.parent / "shelf"
    shutil.copytree(store, shelf)
    for how, said in AFTERWARDS.items():
        seen = work.look()
        (step,) = seen.plan.steps
        how(work, step.path)
        (outcome,) = work.run(seen).outcomes
        assert (outcome.outcome, said in outcome.why) == ("skipped", True), outcome.why
        assert work.trash() == []
        shutil.rmtree(store)
        shutil.copytree(shelf, store)


def test_one_that_is_read_comes_back_at_once(work: Small) -> None:
    archived(work, work.hydra(30, RUN))
    before = snapshot(work.root / ".janitor" / "archive")
    for suffix in IN_ORDER:
        with subprocess.Popen(["sleep", "60"], stdin=part(work, RUN, suffix).open("rb")) as reader:
            answer = work.janitor("run", "--yes")
            reader.kill()
        (row,) = answer.rows("steps")
        assert (row["outcome"], "put back at once" in row["why"]) == ("skipped", True)
        assert difference(before, snapshot(work.root / ".janitor" / "archive")) == []
    assert set(expiring(work.janitor("plan"))) == {RUN}


def test_the_guards_count_archives_of_a_kind(work: Small) -> None:
    units = [work.hydra(30, f"outputs/day/{number}") for number in range(10)]
    archived(work, *units)
    work.configure(EXPIRING.replace("max_share = 1.0", "max_share = 0.2"))
    for number in range(40):
        (work.root / f"outputs/day/new-{number}/.hydra").mkdir(parents=True)
    answer = work.janitor("run", "--yes")
    assert (answer.code, {row["outcome"] for row in answer.rows("steps")}) == (4, {"skipped"})
    (refusal,) = answer.rows("refused")
    assert (refusal["kind"], refusal["message"][:33]) == (
        "hydra-run archive",
        "100% of all hydra-run archives or",
    )
    journal = work.journal()
    journal.set_clock(clock.read().wall - 900 * DAY, clock.read().awake, clock.read().boot)
    assert "clock" in {row["code"] for row in work.janitor("plan").rows("refused")}
    journal.set_clock(*(getattr(clock.read(), each) for each in ("wall", "awake", "boot")))
    for unit in units[2:]:
        journal.pin(Pin(unit))
    assert set(expiring(work.janitor("run", "--yes"))) == {*units[:2]}
    journal.unpin(units[2])
    answer = work.janitor("run", "--yes")
    assert answer.code == 4, "two went today already"
    assert "30% of all hydra-run archives" in answer.rows("refused")[0]["message"]
    answer = work.janitor("run", "--override-guards")
    assert {row["outcome"] for row in answer.rows("steps")} == {"done"}


def test_undo_never_writes_over_a_part(work: Small) -> None:
    archived(work, work.hydra(30, RUN))
    files = [part(work, RUN, suffix) for suffix in IN_ORDER]
    work.janitor("run", "--yes")
    for file in files:
        file.write_text("mine\n")
        answer = work.janitor("undo", "--last", "1")
        assert (answer.code, "is there already" in answer.rows("steps")[0]["why"]) == (3, True)
        assert len(work.trash()) == 3
        assert file.read_text() == "mine\n"
        file.unlink()
    assert work.janitor("undo").code == 0
    assert work.janitor("verify").code == 0


@needs_root
@pytest.mark.parametrize("where", ["its own disk", "the same disk"])
def test_a_store_elsewhere_has_its_own_trash(work: Small, where: str) -> None:
    with small_disk(work.root.parent / "disk", "size=16m"):
        places = {
            "its own disk": work.root.parent / "disk" / "archives",
            "the same disk": work.root.parent / "archives",
        }
        store = work.root / places[where]
        store.mkdir()
        configured = f"{EXPIRING}\n[archive]\nstore = '{places[where]}'\n"
        work.configure(configured)
        archived(work, work.hydra(30, RUN))
        before = snapshot(store)
        assert set(expiring(work.janitor("run", "--yes"))) == {RUN}
        trash = store if where == "its own disk" else work.root
        assert len([*trash.glob(f".janitor/trash/*/**/*{ARCHIVE}")]) == 1
        assert work.janitor("archives").rows("archives") == []
        assert work.janitor("undo").code == 0
        after = {path: mark for path, mark in snapshot(store).items() if b".janitor" not in path}
        assert difference(before, after) == []
        work.configure(EXPIRING)
        assert "no longer [archive] store" in reasons(work.janitor("plan"), RUN)
        work.configure(configured.replace("max_share = 1.0", 'max_share = 1.0\ntrash_keep = "0s"'))
        work.janitor("unpin", ".", "--undone")
        for _ in range(2):
            assert work.janitor("run", "--yes").code == 0
        assert [*trash.glob(f".janitor/trash/**/*{ARCHIVE}")] == []
