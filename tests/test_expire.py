"""Archives that expire, in a workspace with real runs (S10)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
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
from tests.real.small import FREE, KINDS, Small, small, why
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
        clock.read = lambda: replace(read(), wall=read().wall - days * DAY)

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
    (name,) = (each.name for each in work.journal().archives() if each.path == unit)
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
    said = work.said("why", str(store / path.rpartition("/")[2]))
    assert "would go (expire)" in said
    assert f"archive of the hydra-run {old}" in said
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
    work.janitor("unpin", ".", "--undone")
    assert expiring(work.janitor("run", "--yes")) == {old: path}
    work.configure(EXPIRING + 'trash_keep = "0s"\n')
    assert [row["do"] for row in work.janitor("run", "--yes").rows("steps")] == ["purge"]
    assert work.trash() == []
    answer = work.janitor("undo", "--last", "9")
    assert answer.code == 3
    assert "left the trash for good" in answer.rows("steps")[0]["why"]
    assert [row["path"] for row in work.janitor("archives").rows("archives")] == [new]
    assert work.leftovers() == ["archive"]


def no_policy(work: Small, unit: str) -> None:
    others = EXPIRING.replace('kind = "hydra-run"', f'kind = "hydra-run"\npath = "{unit}"', 1)
    first = others.partition('[[policy]]\nkind = "wandb-run"')[0].replace('expire = "365d"\n', "")
    work.configure(first + EXPIRING)


def pin_inside(work: Small, unit: str) -> None:
    work.journal().pin(Pin(f"{unit}/train.log", "mine", 1))


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
    work.hydra(600, "outputs/other/run")
    archived(work, "outputs/other/run", days=401)
    for suffix in IN_ORDER:
        shutil.copy2(part(work, "outputs/other/run", suffix), part(work, unit, suffix))


def another_unit(work: Small, unit: str) -> None:
    """The journal says that another unit is in it."""
    journal = work.journal()
    place = os.fsencode("outputs/x")
    journal._db.execute("UPDATE step SET path = ? WHERE path = ?", (place, os.fsencode(unit)))
    journal._db.execute("COMMIT") if journal._db.in_transaction else None


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
    units = {work.hydra(30, f"outputs/{how.__name__}/run"): how for how in KEEPS}
    free = work.hydra(30, "outputs/free/run")
    archived(work, *units, free)
    assert set(expiring(work.janitor("plan"))) == {*units, free}
    for unit, how in units.items():
        how(work, unit)
    plan = work.janitor("plan")
    assert set(expiring(plan)) - {"outputs/other/run"} == {free}
    assert {
        unit: KEEPS[how] in reasons(plan, unit) for unit, how in units.items()
    } == dict.fromkeys(units, True)
    store = work.root / ".janitor" / "archive"
    assert set(expiring(work.janitor("run", "--yes"))) - {"outputs/other/run"} == {free}
    assert len([*store.glob(f"*{ARCHIVE}")]) == len(units)
