"""``max_size``, ``[disk]`` and ``uploaded_before`` on runs that Hydra and W&B made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from artifact_janitor import looking
from artifact_janitor.core.plan import leaving
from artifact_janitor.observe.disks import filesystems
from tests.real import hydra_runs, wandb_runs
from tests.real.account import myself
from tests.real.small import Small, done, small, why
from tests.test_filesystems import mounted, needs_root, tmpfs

MB = 1_000_000
HOLDING = """
import sys
held = [open(path, "ab") for path in sys.argv[1:]]
print("ready", flush=True)
sys.stdin.read()
"""


def config(rules: str, kind: str = "hydra-run", disk: str = "") -> str:
    share = "[safety]\nmax_share = 1.0\n"
    return f'[[policy]]\nkind = "{kind}"\n{rules}\n{share}[disk]\n{disk}'


def filled(work: Small, days: float, size: int = 1 << 20, name: str = "weights.bin") -> str:
    """A run that Hydra made, with so many bytes in it that no two runs share."""
    run = work.hydra(days)
    work.write(f"{run}/{name}", os.urandom(size), days=days)
    return run


@contextmanager
def held(*files: Path) -> Iterator[None]:
    """A program has them open."""
    command = [sys.executable, "-c", HOLDING, *map(str, files)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdout.readline()
        try:
            yield
        finally:
            program.stdin.close()


def size_of(work: Small, *runs: str) -> int:
    kept = [row for row in work.janitor("plan").rows("kept", "steps") if row["path"] in runs]
    return sum(row["bytes"] for row in kept)


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path, config("keep_last = 99"))


# ------------------------------------------------------------ max_size


def test_the_oldest_yield_around_what_is_pinned_named_and_live(work: Small) -> None:
    pinned, named, live, *others = (filled(work, 30 - n) for n in range(8))
    work.janitor("pin", pinned)
    work.write("best_models/released_meta.json", json.dumps({"run": named}))
    limit = size_of(work, pinned, named, live, *others[2:])
    work.configure(config(f'keep_last = 99\nmax_size = "{limit}B"'))
    with held(work.root / live / "train.log"):
        plan = work.janitor("plan")
        assert [row["path"] for row in plan.rows("steps")] == others[:2]
        assert plan.facts["refused"] == []
        assert why(plan, others[0]).startswith("beyond max_size 6.5 MB: oldest first · although in")
        assert done(work.janitor("run", "--yes")) == {*others[:2]}
        assert work.janitor("plan").rows("steps") == []
        work.configure(config('max_size = "1MB"'))
        shortfall = work.janitor("run", "--yes")
        assert shortfall.code == 0
        assert done(shortfall) == {*others[2:]}
        (told,) = shortfall.facts["refused"]
        assert told["code"] == "max-size"
        said = work.said("plan")
        assert "hydra-run takes 3.2 MB of max_size 1.0 MB; the rest is protected: janitor" in said
    assert work.there(pinned, named, live)
    assert [row["path"] for row in work.janitor("plan").rows("steps")] == [live]
    assert work.janitor("undo", "--last", "2").code == 0
    assert work.there(*others)


def test_what_takes_the_place_of_a_live_one_was_examined_too(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each unit once, in few rounds, however many turn out to be alive."""
    runs = [filled(work, 60 - n, 1 << 16) for n in range(24)]
    rounds: list[set[str]] = []
    examine = looking.examine

    def spy(seen, paths, *rest):  # type: ignore[no-untyped-def]
        rounds.append({*paths})
        return examine(seen, paths, *rest)

    monkeypatch.setattr(looking, "examine", spy)
    work.configure(config(f'max_size = "{size_of(work, *runs[2:])}B"'))
    in_use = [run for run in runs[:21] if run != runs[1]]
    with held(*(work.root / run / "train.log" for run in in_use)):
        seen = work.look()
        assert {each.outcome for each in work.run(seen).outcomes} == {"done"}
    assert [step.path for step in seen.plan.steps] == [runs[1], runs[21]]
    assert all(
        each.fingerprint and each.path in seen.survey.contents for each in leaving(seen.plan)
    )
    assert sum(map(len, rounds)) == len(set.union(*rounds))
    assert len(rounds) <= 5


def test_what_was_learnt_of_copies_is_not_forgotten_in_a_later_round(work: Small) -> None:
    """Two runs hold one model; a live one sends us looking for others, with other models."""
    copy, last, live, other, newest = (filled(work, 30 - n, name="best_model.pt") for n in range(5))
    (work.root / last / "best_model.pt").write_bytes(
        (work.root / copy / "best_model.pt").read_bytes()
    )
    wandb_runs.backdate(work.root / last / "best_model.pt", 29)
    work.write(f"{other}/best_model.pt", os.urandom(1 << 19), days=27)
    (work.root / live / "best_model.pt").unlink()
    (work.root / newest / "best_model.pt").unlink()
    for run, days in ((live, 28), (newest, 26)):
        work.write(f"{run}/filler.bin", os.urandom(1 << 20), days=days)
    work.configure(config('max_size = "2.2MB"'))
    with held(work.root / live / "train.log"):
        plan = work.janitor("plan")
    steps = {row["path"]: row["do"] for row in plan.rows("steps") if "in" not in row}
    assert steps == {copy: "trash", last: "archive", other: "archive"}
    assert "only copy" in why(plan, last)
    assert "only copy" in why(plan, other)


def test_a_live_hydra_run_stays_beyond_its_limit(work: Small, tmp_path: Path) -> None:
    """The real program at work, its files as old as those of the others."""
    hydra_runs.write_program(work.root)
    program = hydra_runs.live(myself(tmp_path), work.root, "outputs/old/live")
    try:
        wandb_runs.backdate(work.root / "outputs/old/live", 50)
        other = filled(work, 40)
        work.configure(config('max_size = "1kB"'))
        assert done(work.janitor("run", "--yes")) == {other}
        assert work.there("outputs/old/live/train.log")
    finally:
        program.communicate()


def test_a_limit_holds_where_a_look_is_remembered(work: Small) -> None:
    runs = [filled(work, 30 - n) for n in range(3)]
    work.journal().close()
    work.configure(config(f'max_size = "{size_of(work, *runs)}B"'))
    assert [work.janitor("plan").rows("steps") for _ in range(2)] == [[], []]
    filled(work, 2)
    assert [row["path"] for row in work.janitor("plan").rows("steps")] == [runs[0]]


def test_why_and_status_and_the_guard_know_of_limits(work: Small) -> None:
    runs = [filled(work, 40 - n, 1 << 14) for n in range(12)]
    limit = config(f'max_size = "{size_of(work, *runs[6:])}B"').replace("1.0", "0.2")
    work.configure(limit)
    said = work.said("why", runs[0])
    assert "would go (trash)" in said
    assert "beyond max_size" in said
    found = work.janitor("run", "--yes")
    assert (found.code, done(found)) == (4, set())
    assert "50% of all hydra-run" in found.said["errors"][0]["message"]


# ------------------------------------------------------------ uploaded_before


def word(day: str = "") -> str:
    said = f"\nuploaded_before = {day}" if day else ""
    text = config(f'keep_within = "7d"{said}', "wandb-run")
    return text + '\n[[policy]]\nkind = "hydra-run"\nkeep_within = "7d"\n'


def days_ago(days: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(time.time() - days * 86_400))


def test_a_word_lets_old_runs_go_and_nothing_that_is_in_use(work: Small) -> None:
    old = _placed(work, wandb_runs.offline, 60)
    pinned = _placed(work, wandb_runs.killed, 61)
    used = _placed(work, wandb_runs.failed, 62)
    young = _placed(work, wandb_runs.sync_refused, 20)
    work.configure(word())
    assert work.janitor("plan").rows("steps") == []
    work.janitor("pin", pinned)
    work.configure(word(days_ago(30)))
    with held(next((work.root / used).glob("run-*.wandb"))):
        plan = work.janitor("plan")
        said = f"your word that it is uploaded (uploaded_before {days_ago(30)})"
        assert [row["path"] for row in plan.rows("steps")] == [old]
        assert plan.rows("steps")[0]["reasons"] == ["older than 7d", said]
        assert "wandb sync" in json.dumps(work.janitor("why", young).facts)
        assert done(work.janitor("run", "--yes")) == {old}
    assert work.there(pinned, used, young)
    assert work.janitor("undo").code == 0
    assert work.there(old)


def test_a_word_frees_the_hydra_run_around(work: Small) -> None:
    run = work.hydra(0)
    inner = wandb_runs.place(wandb_runs.offline, work.root / run)
    wandb_runs.backdate(work.root / run, 60)
    work.configure(word())
    assert "never uploaded" in why(work.janitor("plan"), run)
    work.configure(word(days_ago(30)).replace('"wandb-run"', '"wandb-run"\npath = "wandb/**"'))
    assert work.janitor("plan").rows("steps") == [], "another policy's word is about other runs"
    work.configure(word(days_ago(30)))
    plan = work.janitor("plan")
    step, along = plan.rows("steps")
    assert (step["path"], along["in"]) == (run, run)
    assert step["reasons"][1].startswith("inside: your word that it is uploaded")
    assert done(work.janitor("run", "--yes")) >= {run}
    assert not inner.exists()


def _placed(work: Small, state, days: float) -> str:  # type: ignore[no-untyped-def]
    """One W&B run in a folder of its own below outputs/, where its links are beside it."""
    folder = work.root / "outputs" / state.__name__
    run = wandb_runs.place(state, folder)
    wandb_runs.backdate(folder, days)
    return str(run.relative_to(work.root))


# ------------------------------------------------------------ keep_free


def free(place: Path) -> int:
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


@contextmanager
def loop(place: Path, megabytes: int = 64) -> Iterator[Path]:
    """A small ext4 of its own."""
    image = place.parent / "image"
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    with mounted(place, "-o", "loop", str(image)) as disk:
        yield disk


RULE = 'keep_within = "5d"'


def keeping(size: int, more: str = "") -> str:
    return config(RULE, disk=f'keep_free = "{size}B"\n{more}')


def steps(work: Small, do: str) -> list[str]:
    return [row["path"] for row in work.janitor("plan").rows("steps") if row["do"] == do]


@needs_root
def test_a_small_disk_gets_what_is_missing_and_no_more(tmp_path: Path) -> None:
    with loop(tmp_path / "disk") as disk:
        work = small(disk)
        runs = [filled(work, days, 4 << 20) for days in (40, 30, 20, 10, 2)]
        wanted = free(disk) + 6 * MB
        work.configure(keeping(wanted))
        assert steps(work, "trash") == runs[:2]
        (room,) = work.janitor("plan").facts["disk"]
        assert room == {
            "roots": ["outputs"],
            "free": free(disk),
            "keep_free": wanted,
            "trash": 0,
            "missing": wanted - free(disk),
        }
        assert "not needed: 2 units more could go" in work.said("plan")
        assert "not needed to reach keep_free" in work.said("why", runs[2])
        assert done(work.janitor("run", "--yes")) == {*runs[:2]}
        assert work.janitor("run", "--yes").rows("steps") == []
        said = work.said("plan")
        assert "the trash holds 8.4 MB, purged from" in said
        assert "purge_early = true purges it now" in said
        assert "more once the trash is purged" in work.said("run", "--yes")
        assert "of keep_free" in work.said("status")
        (room,) = work.janitor("status").facts["keep_free"]
        assert (room["missing"], room["trash"] > 8 * MB) == (0, True)
        assert work.janitor("undo").code == 0
        assert work.there(*runs)


@needs_root
def test_the_trash_is_purged_early_just_enough(tmp_path: Path) -> None:
    with loop(tmp_path / "disk") as disk:
        work = small(disk)
        runs = [filled(work, days, 4 << 20) for days in (40, 30, 20, 10, 2)]
        wanted = free(disk) + 6 * MB
        work.configure(keeping(wanted))
        work.janitor("run", "--yes")
        work.configure(keeping(wanted, "purge_early = true\n"))
        purged = work.janitor("run", "--yes")
        assert {row["do"] for row in purged.rows("steps")} == {"purge"}
        assert len(done(purged)) == 2
        assert "purged early: " in purged.rows("steps")[0]["reasons"][0]
        assert free(disk) >= wanted
        assert work.there(*runs[2:])
        assert work.trash() == []
        assert work.janitor("undo", "--last", "2").code == 3, "what was purged is named"


@needs_root
def test_one_of_three_in_the_trash_is_enough(tmp_path: Path) -> None:
    with loop(tmp_path / "disk") as disk:
        work = small(disk)
        runs = [filled(work, days, 4 << 20) for days in (40, 30, 20, 2)]
        work.configure(config(RULE))
        assert len(done(work.janitor("run", "--yes"))) == 3
        work.configure(keeping(free(disk) + 3 * MB, "purge_early = true\n"))
        (row,) = work.janitor("plan").rows("steps")
        assert row["path"].endswith(runs[0])
        assert done(work.janitor("run", "--yes")) == {row["path"]}
        assert work.janitor("plan").rows("steps") == []
        assert "disk" in work.janitor("plan").facts
        assert "Disk" not in work.said("plan")


@needs_root
def test_a_shortfall_of_the_disk_is_said(tmp_path: Path) -> None:
    with loop(tmp_path / "disk") as disk:
        work = small(disk)
        old = filled(work, 40, 4 << 20)
        young = filled(work, 2, 4 << 20)
        work.configure(keeping(free(disk) + 10 * MB))
        assert "are missing, and nothing else may go" in work.said("plan")
        assert done(work.janitor("run", "--yes")) == {old}
        assert "are missing all the same" in work.said("run", "--yes")
        assert work.there(young)


@needs_root
def test_only_the_roots_of_the_short_disk_are_held_short(work: Small) -> None:
    """The logs lie where there is room: their whole policy applies."""
    logs = [work.write(f"logs/{n}.log", days=30 + n) for n in range(3)]
    with loop(work.root / "outputs") as disk:
        runs = [filled(work, days, 4 << 20) for days in (40, 30, 20)]
        text = keeping(free(disk) + 3 * MB) + f'\n[[policy]]\nkind = "log"\n{RULE}\n'
        work.configure(text)
        found = {row["path"] for row in work.janitor("plan").rows("steps")}
        assert found == {runs[0], *(f"logs/{each.name}" for each in logs)}
        assert [room["roots"] for room in work.janitor("plan").facts["disk"]] == [
            ["outputs"],
            ["logs"],
        ]
        assert "outputs: " in work.said("plan")
        assert len(done(work.janitor("run", "--yes"))) == 4
        trash = {room["roots"][0]: room["trash"] for room in work.janitor("plan").facts["disk"]}
        assert trash["outputs"] > 4 * MB > trash["logs"] > 0


def test_a_live_run_frees_nothing_and_the_next_goes(work: Small) -> None:
    """Here it is this machine's own disk that is said to be short."""
    live, after, young = (filled(work, days, 4 << 20) for days in (40, 30, 2))
    work.configure(keeping(free(work.root) + 10**15))
    with held(work.root / live / "train.log"):
        assert steps(work, "trash") == [after]
    assert work.there(young)


def test_without_keep_free_nothing_is_said_of_disks(work: Small) -> None:
    filled(work, 30)
    plan = work.janitor("plan")
    assert "disk" not in plan.facts
    assert work.janitor("status").facts["keep_free"] == []


@needs_root
def test_roots_on_one_filesystem_share_their_room(work: Small) -> None:
    """Mounted twice or linked to, it is one; another one is another."""
    (work.root / "elsewhere").mkdir()
    for name in ("logs", "outputs"):
        (work.root / name).mkdir()
    (work.root / "multirun").symlink_to("elsewhere")
    roots = ("outputs", "multirun", "logs", "wandb", "training/runs")
    bound = mounted(work.root / "outputs", "--bind", str(work.root / "elsewhere"))
    with bound, tmpfs(work.root / "wandb"):
        here, there = filesystems(work.root, roots)
        assert here.roots == ("outputs", "multirun", "logs")
        assert here.free == free(work.root)
        assert ".janitor/trash" in here.trashes
        assert "outputs/.janitor/trash" in here.trashes
        assert (there.roots, there.free) == (("wandb",), free(work.root / "wandb"))
        assert there.trashes == ("wandb/.janitor/trash",)
