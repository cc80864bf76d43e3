"""A janitor that is killed while archives expire, or come back, loses none (S12)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from artifact_janitor.apply.archive.store import IN_ORDER
from artifact_janitor.sweep import mend
from tests.real.kills import Moment, evenly, killed_at, needs_strace, points_of, to_prove
from tests.real.small import Small, small
from tests.real.snapshot import difference, snapshot
from tests.test_archive_kills import MOMENTS
from tests.test_expire import EXPIRING, archived

UNITS = ["outputs/a/one", "outputs/two"]
Phase = Callable[[Small], tuple[str, ...]]


def to_expire(work: Small) -> tuple[str, ...]:
    return "run", "--yes"


def to_undo_it(work: Small) -> tuple[str, ...]:
    assert work.janitor("run", "--yes").code == 0
    return ("undo",)


def to_purge_it(work: Small) -> tuple[str, ...]:
    assert work.janitor("run", "--yes").code == 0
    work.configure(EXPIRING + 'trash_keep = "0s"\n')
    return "run", "--yes"


PHASES = (to_expire, to_undo_it, to_purge_it)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two old archives."""
    work = small(tmp_path_factory.mktemp("template"), EXPIRING)
    archived(work, *(work.hydra(30, unit) for unit in UNITS))
    return work.root


def copied(template: Path, root: Path) -> Small:
    shutil.copytree(template, root, symlinks=True)
    return Small(root)


def moments(template: Path, root: Path, phase: Phase) -> list[Moment]:
    work = copied(template, root / "baseline")
    return points_of(work, phase(work), root / "trace")


def parts(work: Small, name: str, place: str) -> set[str]:
    return {each for each in IN_ORDER for _ in work.root.glob(f".janitor/{place}/{name}{each}")}


def unsound(work: Small, names: Iterable[str], phase: Phase) -> list[str]:
    """Each archive is whole in one place, and in the index only where it is in the store."""
    wrong = [f"left over: {name}" for name in work.leftovers() if name != "archive"]
    indexed = {each.name for each in work.journal().archives.all()}
    waiting = {each.path for each in work.journal().trashed()}
    for name in names:
        here, there = parts(work, name, "archive"), parts(work, name, "trash/*/.janitor/archive")
        whole = {*IN_ORDER}
        gone = phase is to_purge_it and not here and not there
        if (here, there) not in ((whole, set()), (set(), whole)) and not gone:
            wrong.append(f"{name} is here {sorted(here)} and there {sorted(there)}")
        wrong += [f"the index says otherwise of {name}"] if (name in indexed) != bool(here) else []
        in_trash = any(f"/{name}." in path for path in waiting)
        wrong += [f"the trash says otherwise of {name}"] if in_trash != bool(there) else []
    return wrong


def after(work: Small, template: Path, phase: Phase) -> list[str]:
    """Let the next janitors come: what is wrong then."""
    mend(work.settings)
    names = [each.name for each in Small(template).journal().archives.all()]
    wrong = unsound(work, names, phase)
    work.configure(EXPIRING)
    if phase is to_expire:
        again = work.janitor("run", "--yes")
        wrong += [f"again: {again}"] if again.code else []
        wrong += ["did not expire"] if work.journal().archives.all() else []
    undone = work.janitor("undo", "--last", "9")
    if phase is to_purge_it:
        return wrong + work.trash()
    wrong += [f"undo: {undone}"] if undone.code not in (0, 3) else []
    before = snapshot(template / ".janitor" / "archive")
    wrong += difference(before, snapshot(work.root / ".janitor" / "archive"))
    wrong += ["damaged"] if work.janitor("verify").code else []
    wrong += ["not in the index"] if len(work.journal().archives.all()) != len(names) else []
    return wrong + work.trash()


def sweep_of_kills(template: Path, root: Path, phase: Phase, every: Iterable[Moment]) -> list[str]:
    wrong = []
    for call, k in every:
        work = copied(template, root / f"{call}-{k}")
        args = phase(work)
        killed_at(work, args, call, k)
        wrong += [f"{call} {k}: {each}" for each in after(work, template, phase)]
        shutil.rmtree(work.root)
    return wrong


@needs_strace
@pytest.mark.parametrize("phase", PHASES[:2])
def test_no_archive_is_lost_by_a_kill(phase: Phase, template: Path, tmp_path: Path) -> None:
    """At each of the renames of one archive, and where the journal is written."""
    every = moments(template, tmp_path, phase)
    renames = [each for each in every if each[0] == "renameat2"]
    assert len(renames) == 6
    chosen = [*renames[:3], evenly(every, MOMENTS, 4)[-1]]
    assert sweep_of_kills(template, tmp_path, phase, chosen) == []


@needs_strace
@pytest.mark.proof
@pytest.mark.parametrize("phase", PHASES)
def test_no_archive_is_lost_by_a_kill_at_any_moment(
    phase: Phase, template: Path, tmp_path: Path
) -> None:
    every = to_prove(moments(template, tmp_path, phase))
    assert sweep_of_kills(template, tmp_path, phase, every) == []
