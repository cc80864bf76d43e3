"""What is remembered from an earlier look may only keep (S11), and is no different from a
look at everything while nothing changes."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from artifact_janitor import looking
from artifact_janitor.core.plan import Plan, leaving
from artifact_janitor.looking import look
from artifact_janitor.observe import remembered, tree, workers
from artifact_janitor.observe.liveness import Activity
from artifact_janitor.units import DAY
from tests.real import wandb_runs
from tests.real.account import Account
from tests.real.command import janitor
from tests.real.small import Small, small
from tests.real.workspace import HandOut

KINDS = ("hydra-run", "wandb-run", "training-run", "checkpoint", "log")
RULES = (
    'keep_within = "3650d"',
    'keep_within = "40d"',
    "keep_last = 2",
    "keep_last = 3\nkeep_daily = 2",
    "keep_daily = 3",
    "keep_weekly = 2\nkeep_monthly = 1",
)


def config(rule: str) -> str:
    policies = "".join(f'[[policy]]\nkind = "{kind}"\n{rule}\n\n' for kind in KINDS)
    return policies + '[safety]\nmax_share = 1.0\ngrace = "1s"\n'


KEEP_ALL = config(RULES[0])


@pytest.fixture
def work(tmp_path: Path) -> Small:
    """Three old runs, and a journal that has nothing to tell yet."""
    found = small(tmp_path, KEEP_ALL)
    for days in (30, 31, 32):
        found.hydra(days)
    found.journal().close()
    return found


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that were read in full, as they are read."""
    seen: list[str] = []
    fill = tree.fill

    def spy(base: Path, root: str, folder: tree.Folder, *skip: tree.Skip) -> None:
        seen.append(folder.path)
        fill(base, root, folder, *skip)

    monkeypatch.setattr(tree, "fill", spy)
    monkeypatch.setattr(workers, "HEAD_START", 3600)  # what a fork fills is not seen here
    return seen


def plan(work: Small, now: int | None = None) -> Plan:
    return look(work.settings, now or time.time_ns()).plan


def forgetful(work: Small, now: int | None = None) -> Plan:
    """The plan where nothing is remembered, from a copy of the journal without a memory."""
    own, aside = work.root / ".janitor", work.root.parent / "aside"
    shutil.copytree(own, aside)
    try:
        with closing(sqlite3.connect(own / "journal.db")) as journal, journal:
            journal.execute("DELETE FROM memory")
        return plan(work, now)
    finally:
        shutil.rmtree(own)
        aside.rename(own)


def going(found: Plan) -> set[str]:
    return {each.path for each in leaving(found)}


def facts(found: Plan) -> Plan:
    """A plan without what a second look at the same thing may say otherwise."""
    return replace(found, id="", now=0)


def old(path: Path, days: float) -> None:
    wandb_runs.backdate(path, days)


def runs(work: Small) -> list[str]:
    return sorted(each.artifact.path for each in plan(work).kept)


# ---------------------------------------------------------------- it spares the reading


def test_what_has_not_changed_is_not_read_again(work: Small, filled: list[str]) -> None:
    first = plan(work)
    assert filled, "the first look must read"
    filled.clear()
    assert facts(plan(work)) == facts(first)
    assert filled == []


@pytest.mark.parametrize("folder", ["", ".hydra"], ids=["its own", "an inner"])
def test_a_run_with_a_folder_that_changed_is_read_again(
    work: Small, filled: list[str], folder: str
) -> None:
    run = runs(work)[0]
    filled.clear()
    (work.root / run / folder / "new.txt").write_text("new\n")
    found = plan(work)
    assert filled == [run]
    assert facts(found) == facts(forgetful(work))


def test_a_new_run_beside_remembered_ones_is_found(work: Small, filled: list[str]) -> None:
    plan(work)
    filled.clear()
    new = work.hydra(33)
    assert new in runs(work)
    assert [each for each in filled if each.startswith("outputs")] == [os.path.dirname(new)]


def test_a_remembered_run_that_is_gone_is_not_listed(work: Small) -> None:
    gone = runs(work)[0]
    shutil.rmtree(work.root / gone)
    assert gone not in runs(work)
    assert gone not in known(work)


def test_what_was_written_today_is_not_remembered(work: Small) -> None:
    new = work.hydra(0.5)
    plan(work)
    assert len(known(work)) == 3
    assert new not in known(work)


def test_what_could_not_be_read_in_full_is_not_remembered(work: Small) -> None:
    run = runs(work)[0]
    (work.root / run / "deep" / ".janitor").mkdir(parents=True)
    old(work.root / run, 30)
    plan(work)
    assert run not in known(work)


def test_it_lasts_a_week(work: Small, filled: list[str]) -> None:
    plan(work)
    filled.clear()
    plan(work, time.time_ns() + 6 * DAY)
    assert filled == []
    plan(work, time.time_ns() + 8 * DAY)
    assert filled != []


def test_other_folders_make_it_another_look(work: Small, filled: list[str]) -> None:
    plan(work)
    filled.clear()
    (work.root / "runs").mkdir()
    work.configure(KEEP_ALL + '[folders]\ntraining = "runs"\n')
    plan(work)
    assert filled != []


def test_a_plan_makes_no_state_folder_to_remember_in(tmp_path: Path) -> None:
    work = small(tmp_path, KEEP_ALL)
    work.hydra(30)
    plan(work)
    assert not (tmp_path / ".janitor").exists()


# ---------------------------------------------------------------- it may be broken


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE memory SET facts = substr(facts, 1, 40)",
        "UPDATE memory SET facts = ''",
        "UPDATE memory SET facts = '[]'",
        "UPDATE memory SET facts = '[1,2,3,4,5,6,7,8,9]'",
        "UPDATE memory SET facts = x'00ff'",
        "UPDATE memory SET facts = replace(facts, '\"path\"', '\"paht\"')",
        "UPDATE memory SET facts = (SELECT max(facts) FROM memory)",
        "UPDATE memory SET form = 'of another version'",
    ],
)
def test_a_damaged_memory_is_none(work: Small, damage: str) -> None:
    first = plan(work)
    with closing(sqlite3.connect(work.root / ".janitor" / "journal.db")) as journal, journal:
        journal.execute(damage)
    assert facts(plan(work)) == facts(first)
    assert facts(plan(work)) == facts(first)


def test_a_memory_that_cannot_be_written_costs_only_time(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise remembered.JournalError("the disk is full", "", "")

    first = forgetful(work)
    monkeypatch.setattr(remembered, "open_journal", full)
    assert facts(plan(work)) == facts(first)


# ---------------------------------------------------------------- it may only keep


def remembers(work: Small, rule: str) -> None:
    """A look under a policy that lets nothing go; then the policy changes."""
    work.configure(KEEP_ALL)
    plan(work)
    assert known(work)
    work.configure(config(rule))


def test_a_file_that_grew_in_place_does_not_push_another_run_out(tmp_path: Path) -> None:
    """What was the newest of its day is of another day now, and the next of it stays."""
    work = small(tmp_path, KEEP_ALL)
    noon = time.time_ns() // DAY * DAY - 10 * DAY + DAY // 2
    morning, evening = "outputs/2026-01-01/08-00-00", "outputs/2026-01-01/20-00-00"
    for path, moment in ((morning, noon), (evening, noon + 60 * 10**9)):
        work.hydra(0, path)
        at(work.root / path, moment)
    work.journal().close()
    remembers(work, "keep_daily = 5")
    assert going(plan(work)) == {morning}
    work.configure(KEEP_ALL)
    plan(work)
    work.configure(config("keep_daily = 5"))
    log = next((work.root / evening).glob("*.log"))
    log.write_text("it goes on\n")
    os.utime(log, ns=(noon + 3 * DAY, noon + 3 * DAY))
    assert going(plan(work)) == set()


def test_what_changes_while_it_is_looked_at_stays(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = runs(work)
    work.configure(config("keep_last = 2"))
    all_processes = looking.activity

    def meanwhile() -> Activity:
        (work.root / first / "note").write_text("it goes on\n")
        return all_processes()

    monkeypatch.setattr(looking, "activity", meanwhile)
    found = plan(work)
    assert going(found) == set()
    assert "it changed while we looked at it" in str(found.kept)


def test_a_link_that_was_made_in_a_remembered_run_protects(work: Small) -> None:
    first, second, _ = runs(work)
    remembers(work, "keep_last = 2")
    assert going(plan(work)) == {first}
    work.configure(KEEP_ALL)
    plan(work)
    inner = work.root / second / ".hydra"
    before = inner.stat()
    (inner / "resumed_from").symlink_to(work.root / first)
    os.utime(inner, ns=(before.st_atime_ns, before.st_mtime_ns))
    work.configure(config("keep_last = 2"))
    assert going(plan(work)) == set()


@pytest.mark.parametrize("seed", range(24))
def test_whatever_changes_no_more_goes_than_without_it(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    work = grown(tmp_path, chance)
    remembers(work, chance.choice(RULES[1:]))
    assert facts(plan(work)) == facts(forgetful(work)), "nothing changed"
    for _ in range(chance.randint(1, 4)):
        work.configure(KEEP_ALL)
        plan(work)
        for change in chance.choices(CHANGES, k=chance.randint(1, 3)):
            change(work.root, chance)
        work.configure(config(chance.choice(RULES)))
        now = time.time_ns() + 2 * 10**9  # beyond the grace of a second
        assert going(plan(work, now)) <= going(forgetful(work, now))


def test_the_nasty_workspace_is_planned_the_same(nasty_for: HandOut, who: Account) -> None:
    """Nothing is remembered of what runs and changes; all else must not make a difference."""
    with nasty_for(who) as nasty:
        first = janitor(who, nasty.root, "plan")
        who.run(["mkdir", "-m", "700", ".janitor"], cwd=nasty.root)
        who.run(["touch", ".janitor/journal.db"], cwd=nasty.root)
        (nasty.root / "keep.toml").write_text(KEEP_ALL)
        kept = [janitor(who, nasty.root, "plan", config="keep.toml") for _ in range(3)]
        again = janitor(who, nasty.root, "plan")
        assert first.rows("steps"), first
        assert paths(again) == paths(first)
        own = {"publish", "gitignore"}  # of a run by hand, and of the repository
        assert {row["do"] for row in kept[0].rows("steps")} == own
        for each in kept[1:]:
            assert stable(each.rows("kept"), nasty.volatile) == stable(
                kept[0].rows("kept"), nasty.volatile
            )


def paths(answer: object) -> list[tuple[str, str]]:
    rows = answer.rows("steps", "kept")  # type: ignore[attr-defined]
    return sorted((row["path"], row["kind"]) for row in rows)


def stable(rows: list[dict[str, object]], volatile: set[str]) -> list[dict[str, object]]:
    return [row for row in rows if row["path"] not in volatile]


# ---------------------------------------------------------------- many at once


def test_workers_see_what_one_process_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = grown(tmp_path, random.Random(7))
    monkeypatch.setattr(workers, "HEAD_START", 3600)
    alone = forgetful(work)
    monkeypatch.setattr(workers, "HEAD_START", 0)
    monkeypatch.setattr(workers, "cores", lambda: 3)
    assert facts(forgetful(work)) == facts(alone)


@pytest.mark.parametrize("end", [lambda: os._exit(3), lambda: os.kill(os.getpid(), 9)])
def test_the_work_of_a_lost_worker_is_done_by_others(
    monkeypatch: pytest.MonkeyPatch, end: Callable[[], None]
) -> None:
    me = os.getpid()
    monkeypatch.setattr(workers, "HEAD_START", 0)
    monkeypatch.setattr(workers, "cores", lambda: 2)

    def work(number: int) -> Iterator[str]:
        if number == 30 and os.getpid() != me:
            end()
        yield str(number)

    assert sorted(workers.spread(work, range(50)), key=int) == [str(each) for each in range(50)]


def test_no_thing_is_lost_among_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "HEAD_START", 0)
    monkeypatch.setattr(workers, "cores", lambda: 2)
    lines = workers.spread(lambda number: iter([f"{number}", "twice"]), range(20_000))
    assert sorted(each for each in lines if each != "twice") == sorted(map(str, range(20_000)))


# ---------------------------------------------------------------- trees that change


def known(work: Small) -> list[str]:
    with closing(sqlite3.connect(work.root / ".janitor" / "journal.db")) as journal:
        return [os.fsdecode(path) for (path,) in journal.execute("SELECT path FROM memory")]


def at(top: Path, moment: int) -> None:
    for path in [top, *top.rglob("*")]:
        os.utime(path, ns=(moment, moment), follow_symlinks=False)


def grown(root: Path, chance: random.Random) -> Small:
    """Runs of several kinds and ages, some in others, with links and names between them."""
    work = small(root, KEEP_ALL)
    for _ in range(chance.randint(4, 8)):
        work.hydra(chance.randint(20, 60) + chance.random())
    for change in chance.choices(CHANGES, k=6):
        change(root, chance)
    for name in ("a", b"caf\xe9 \n"):
        run = f"training/runs/{os.fsdecode(name)}"
        for step in (1, 2):
            work.write(f"{run}/checkpoints/epoch={step}.pt", b"PK\x03\x04 no model")
    work.write("logs/app.log", "a line\n")
    for top in ("outputs", "training", "logs"):
        for path in (root / top).iterdir():
            old(path, chance.randint(5, 40))
    work.journal().close()
    return work


def _run(root: Path, chance: random.Random) -> Path:
    return chance.choice(sorted((root / "outputs").glob("*/*")))


def _file(root: Path, chance: random.Random) -> Path:
    found = [path for path in (root / "outputs").rglob("*") if path.is_file()]
    return chance.choice(sorted(found))


def _aged(path: Path, chance: random.Random) -> None:
    """Sometimes dated back, as copies and archives are."""
    if chance.random() < 0.6:
        moment = time.time_ns() - chance.randint(2, 80) * DAY
        os.utime(path, ns=(moment, moment), follow_symlinks=False)
        os.utime(path.parent, ns=(moment, moment))


def _write(root: Path, chance: random.Random) -> None:
    file = _file(root, chance)
    file.write_text("x" * chance.randint(0, 9000))
    _aged(file, chance)


def _add(root: Path, chance: random.Random) -> None:
    name = chance.choice(["new.txt", "a_meta.json", "deep/er/best.pt", os.fsdecode(b"\xff.ckpt")])
    file = _run(root, chance) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'{{"run": "{_run(root, chance)}"}}')
    _aged(file, chance)


def _remove(root: Path, chance: random.Random) -> None:
    _file(root, chance).unlink()


def _link(root: Path, chance: random.Random) -> None:
    link = _run(root, chance) / ".hydra" / f"link-{chance.randint(0, 9)}"
    if link.parent.is_dir() and not os.path.lexists(link):
        link.symlink_to(_run(root, chance))
        _aged(link, chance)


def _hard_link(root: Path, chance: random.Random) -> None:
    name = _run(root, chance) / f"twin-{chance.randint(0, 9)}"
    if not name.exists():
        os.link(_file(root, chance), name)


def _nest(root: Path, chance: random.Random) -> None:
    source, into = _run(root, chance), _run(root, chance) / "nested"
    if not into.exists() and source not in into.parents:
        shutil.copytree(source, into, symlinks=True)


def _move(root: Path, chance: random.Random) -> None:
    run = _run(root, chance)
    run.rename(run.with_name(f"moved-{chance.randint(0, 999_999)}"))


def _replace(root: Path, chance: random.Random) -> None:
    file = _file(root, chance)
    other = file.with_name("other")
    other.write_text("y" * chance.randint(0, 9000))
    _aged(other, chance)
    other.replace(file)


def _repository(root: Path, chance: random.Random) -> None:
    (_run(root, chance) / ".hydra" / ".git").mkdir(parents=True, exist_ok=True)


def _future(root: Path, chance: random.Random) -> None:
    moment = time.time_ns() + DAY
    os.utime(_file(root, chance), ns=(moment, moment))


CHANGES = (
    *(_write, _add, _remove, _link, _hard_link, _nest, _move, _replace, _repository, _future),
    *(_write, _write, _replace),
)
