"""The whole promise on a workspace as nasty as real ones: plan, run, undo, run again.

The story is told once for root and once for an ordinary user; each test looks at one
promise. Policies are the most aggressive that are legal: ``keep_last = 1`` everywhere.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest

from tests.real.account import Account
from tests.real.command import Answer, janitor
from tests.real.snapshot import Mark, Snapshot, difference, settled, snapshot
from tests.real.workspace import HandOut, Nasty


@dataclass(frozen=True)
class Story:
    """What was said and what lay on the disk, in the order of time."""

    nasty: Nasty
    before: Snapshot
    without_grace: Answer
    plan: Answer
    planned: Snapshot
    run: Answer
    tidy: Snapshot
    undo: Answer
    undone: Snapshot
    again: Answer
    at_last: Snapshot
    allocated: int
    """What ``du`` says of all units that the plan lists, but those that still grow."""


@pytest.fixture(scope="module")
def story(nasty_for: HandOut, who: Account) -> Iterator[Story]:
    with nasty_for(who) as nasty:
        yield told(nasty, who)


def told(nasty: Nasty, who: Account) -> Story:
    """Go through it all; the tests say what of it is wrong."""
    root = nasty.root

    def look() -> Snapshot:
        return settled(snapshot(root), nasty.volatile)

    before = look()
    time.sleep(1.1)  # until that grace is over even for what was written last
    without_grace = janitor(who, root, "plan", config="no_grace.toml")
    plan = janitor(who, root, "plan")
    return Story(
        nasty,
        allocated=allocated(nasty, outermost(plan) - nasty.volatile),
        before=before,
        without_grace=without_grace,
        plan=plan,
        planned=look(),
        run=janitor(who, root, "run", "--yes"),
        tidy=look(),
        undo=janitor(who, root, "undo"),
        undone=look(),
        again=janitor(who, root, "run", "--yes"),
        at_last=look(),
    )


def test_plan_takes_all_that_is_eligible(story: Story) -> None:
    assert story.plan.code == 0, story.plan
    assert story.nasty.eligible - leaving(story.plan) == set()


def test_plan_takes_nothing_that_is_protected(story: Story) -> None:
    assert story.plan.rows("steps"), story.plan
    assert touched(story.nasty.protected, leaving(story.plan)) == {}
    assert touched(dict.fromkeys(story.nasty.kept_by_rule, ""), leaving(story.plan)) == {}


def test_plan_takes_nothing_that_nobody_thought_of(story: Story) -> None:
    """The other way round: all that goes, goes because a hazard says so."""
    inside = {row["path"] for row in story.plan.rows("steps") if row.get("in")}
    assert leaving(story.plan) - inside - story.nasty.eligible == set()


def test_each_unit_is_listed_once_with_a_reason(story: Story) -> None:
    rows = story.plan.rows("steps", "kept")
    paths = [row["path"] for row in rows]
    assert sorted(path for path in set(paths) if paths.count(path) > 1) == []
    assert [row["path"] for row in rows if not row["reasons"]] == []


def test_each_unit_is_of_the_kind_that_it_is(story: Story) -> None:
    """What no layout explains is listed as the largest folder that holds nothing else."""
    kinds = {row["path"]: row["kind"] for row in story.plan.rows("steps", "kept")}
    expected = {fate.path: fate.kind for fate in story.nasty.fates if fate.kind}
    found = {path: _kind(path, kinds) for path in expected}
    assert {path: kind for path, kind in found.items() if kind != expected[path]} == {}


def test_the_run_at_the_top_is_refused_aloud(story: Story) -> None:
    refused = {(row["code"], row["path"]) for row in story.plan.rows("refused")}
    assert ("misplaced", ".") in refused, story.plan


def test_bytes_count_once(story: Story) -> None:
    """All rows together are what ``du`` says of the units, each inode once."""
    rows = story.plan.rows("steps", "kept")
    assert rows, story.plan
    sizes = [row["bytes"] for row in rows if row["path"] not in story.nasty.volatile]
    assert sum(sizes) == story.allocated


def test_a_second_name_frees_nothing(story: Story) -> None:
    """The milestone keeps the checkpoint's bytes on the disk, and counts them."""
    rows = {row["path"]: row for row in story.plan.rows("steps", "kept")}
    run, milestone = rows["training/runs/champion"], rows["best_models/champion.pt"]
    file = story.nasty.root / milestone["path"]
    assert milestone["bytes"] == file.stat().st_blocks * 512
    assert run["frees"] == run["bytes"]
    assert file.stat().st_nlink == 2


def test_plan_changes_nothing(story: Story) -> None:
    assert story.plan.code == 0, story.plan
    assert difference(story.before, story.planned) == []


def test_what_lives_is_seen_without_grace(story: Story) -> None:
    """With a grace of a second only other signs of life protect: descriptors, cwd, pids."""
    assert story.without_grace.rows("steps"), story.without_grace
    gone = leaving(story.without_grace)
    alive = {path: why for path, why in story.nasty.protected.items() if why.startswith("live")}
    young = {path for path, why in story.nasty.protected.items() if "grace" in why}
    assert touched(alive, gone) == {}
    assert young & gone, "the short grace had no effect, so this proves nothing"


def test_run_takes_what_was_planned(story: Story) -> None:
    assert story.run.code == 0, story.run
    assert leaving(story.run) == leaving(story.plan)
    assert {row.get("outcome") for row in story.run.rows("steps") if not row.get("in")} == {"done"}


def test_run_leaves_all_else_as_it_was(story: Story) -> None:
    """To the byte; only the folders that something left have a new mtime."""
    gone = story.nasty.eligible | story.nasty.along
    assert story.nasty.eligible, "nothing was to go, so this proves nothing"
    also = gone | {PUBLISHED, ".gitignore"}
    assert difference(without(story.before, also), without(story.tidy, also)) == []
    assert os.fsencode(f"{PUBLISHED}/final_model_mlp.pth") in story.tidy
    assert [path for path in gone if os.fsencode(path) in story.tidy] == []


def test_what_links_lead_to_is_untouched(story: Story) -> None:
    dataset = story.nasty.root.parent / "datasets" / "prices.csv"
    assert dataset.read_text() == "1,2,3\n"


def test_undo_brings_back_every_byte(story: Story) -> None:
    assert story.undo.code == 0, story.undo
    assert difference(story.tidy, story.undone), "the run took nothing, so this proves nothing"
    alike = (without(each, {PUBLISHED}) for each in (story.before, story.undone))
    assert difference(*alike) == []
    assert os.fsencode(PUBLISHED) not in story.undone


def test_what_came_back_is_not_taken_again(story: Story) -> None:
    assert story.again.code == 0, story.again
    assert story.again.rows("steps") == []
    assert difference(story.undone, story.at_last) == []


def leaving(answer: Answer) -> set[str]:
    """All paths in steps that take something, those inside others too."""
    return {row["path"] for row in answer.rows("steps") if row["do"] not in WRITES}


WRITES = ("publish", "gitignore")
PUBLISHED = "models/manual_runs/newest"
"""Its run ended a moment ago, with a final model: a sweep publishes a copy of that."""


def touched(precious: dict[str, str], gone: set[str]) -> dict[str, str]:
    """Path → why it should have stayed, for what is, holds or lies in something that goes."""
    return {path: why for path, why in precious.items() if {path, *above(path)} & gone}


def above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _kind(path: str, kinds: dict[str, str]) -> str | None:
    around = (kinds[each] for each in above(path) if kinds.get(each) == "unknown")
    return kinds.get(path) or next(around, None)


def outermost(answer: Answer) -> set[str]:
    """The paths in a plan that lie in no other path of it."""
    paths = {row["path"] for row in answer.rows("steps", "kept")}
    return {path for path in paths if paths.isdisjoint(above(path))}


def allocated(nasty: Nasty, paths: Iterable[str]) -> int:
    """Bytes on the disk, as ``du`` counts them for the account: each inode once."""
    assert nasty.who is not None
    names = b"".join(os.fsencode(path) + b"\0" for path in paths)
    du = ["du", "--total", "--summarize", "--block-size=1", "--null", "--files0-from=-"]
    counted = nasty.who.run(du, cwd=nasty.root, input=names).stdout
    return int(counted.split(b"\0")[-2].split()[0])


def without(seen: Snapshot, gone: Iterable[str]) -> Snapshot:
    """Without what goes, and without the mtimes of the folders that it leaves."""
    paths = {os.fsencode(path) for path in gone}
    left = {os.path.dirname(path) for path in paths}
    stay = {path: mark for path, mark in seen.items() if not _goes(path, paths)}
    return {path: _worn(mark, path in left, paths) for path, mark in stay.items()}


def _goes(path: bytes, gone: set[bytes]) -> bool:
    parts = path.split(b"/")
    return any(b"/".join(parts[:depth]) in gone for depth in range(1, len(parts) + 1))


def _worn(mark: Mark, was_left: bool, gone: set[bytes]) -> Mark:
    twins = tuple(twin for twin in mark.twins if not _goes(twin, gone))
    mtime = 0 if was_left else mark.mtime_ns
    return mark._replace(twins=twins if len(twins) > 1 else (), mtime_ns=mtime)
