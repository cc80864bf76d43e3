"""The commands on a workspace in which files are damaged: they say what they can't read, and end;
what is kept stays as it is, and what goes comes back by undo, byte for byte (S1, S7, S10)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from artifact_janitor.observe import hydra, tree
from tests.proof.bounded import begins, ended, limited
from tests.proof.conftest import Count
from tests.proof.damage import HARMS, SUBSTITUTES, Harmed, harm
from tests.proof.gallery import Gallery, gallery
from tests.proof.test_fuzz import SEED, files
from tests.real.command import Answer
from tests.real.small import Small
from tests.real.snapshot import Snapshot, difference, snapshot

ASKED = int(os.environ.get("PROOF_COMMANDS") or 400)
"""Commands of a long sweep."""
TOGETHER = 8
"""Files that are damaged at once, each in a folder of its own."""
ARCHIVED = ".janitor/archive/outputs_stored"
STAYS = "new      b'work/.janitor/archive/"
"""What undo brings back has its archive still, until that expires."""
CODES = {0, 1, 2, 3, 4, 5, 10}
WAYS = [*HARMS, *HARMS, *sorted({*SUBSTITUTES} - {"zeros that take no room"})]
"""A terabyte of zeros is a run's honest content: whoever archives it reads all of it."""
STORED = "outputs/stored"
LOOKS = (
    *("plan", "status", "studies", "models", "du", "doctor", "history", "archives"),
    *("gitignore check", "gitignore diff", "why", "verify"),
)
CHANGES = ("run --yes", f"restore {STORED}", "gitignore sync", "archive outputs/b")
MORE = (".gitignore", ".git/index", ".git/HEAD", ".janitor/archive/RESTORE.txt")
MORE += ("config/train.yaml", "best_models/b.pt", "logs/app.log", ".janitor/lock")


@dataclass(frozen=True)
class Trial:
    """A command on a workspace with some damage in it."""

    command: tuple[str, ...]
    harmed: tuple[Harmed, ...]

    def __str__(self) -> str:
        return f"{' '.join(self.command)} with {'; '.join(map(str, self.harmed))}"

    def wrong(self, shown: Gallery) -> list[str]:
        work = shown.hung()
        (shown.root.parent / "canary").write_text("sings")
        for each in self.harmed:
            harm(work.root / each.path, each.how, each.seed)
        return [f"{self}: {each}" for each in self._found(work)]

    def _found(self, work: Small) -> Iterator[str]:
        before, bound = seen(work), {*_bound(work, self.harmed)}
        answer = asked(work, *self.command)
        yield from _ill(answer, self.command)
        after = seen(work)
        if self.command[0] in CHANGES[0] and answer.code in (0, 3):
            yield from (f"went: {path}" for path in bound if not work.there(path))
            undone = asked(work, "undo")
            yield from (f"undo: {each}" for each in _ill(undone, ("undo",)))
            back = difference(before, seen(work))
            yield from (each for each in back if not each.startswith(STAYS))
        elif self.command[0] == "verify":
            damaged = any(path.startswith(ARCHIVED) for path, *_ in self.harmed)
            yield from ["a check finds nothing"] if damaged and answer.code == 0 else []
            yield from difference(before, after)
        elif self.command[0] == "restore":
            yield from _restored(work, answer, self.harmed)
        elif self.command[0] in {each.split()[0] for each in LOOKS} - {"gitignore"}:
            yield from difference(before, after)
        else:
            gone = (each for each in difference(before, after) if each.startswith("gone"))
            yield from gone if self.command[0] == "gitignore" else ()


def asked(work: Small, *args: str) -> Answer:
    """The command, with an end to its time and memory."""

    def first() -> None:
        limited()
        begins()

    answer = work.start(*args, "--json", first=first).answer()
    return Answer(answer.code, answer.said, answer.stderr)


def seen(work: Small) -> Snapshot:
    """All there is around the workspace, but for what the janitor writes down for itself, and
    mtimes of folders."""
    return {
        path: mark._replace(mtime_ns=0 if mark.type == "d" else mark.mtime_ns, blocks=0)
        for path, mark in snapshot(work.root.parent).items()
        if not path.startswith(b"work/.janitor") or path.startswith(b"work/.janitor/archive/")
        if path != b"work/.janitor" and not path.startswith(b"work/.git/")
    }


def _ill(answer: Answer, command: tuple[str, ...]) -> Iterator[str]:
    """What no command may do, whatever it finds."""
    if answer.code < 0:
        yield ended(answer.code)
    elif answer.code not in CODES or "Traceback" in answer.stderr or not answer.said:
        yield f"fell over: {answer}"
    errors = answer.said.get("errors", ())
    if answer.code in (1, 2, 4, 5) and not errors and command[0] != "doctor":
        yield f"said nothing: {answer}"
    yield from (f"too little: {each}" for each in errors if len(each["message"]) < 8)


def _bound(work: Small, harmed: tuple[Harmed, ...]) -> Iterator[str]:
    """What must stay: nothing proves any more what it is, or that all of it was uploaded."""
    for path, *_ in harmed:
        unit = "/".join(path.split("/")[:2])
        if path.endswith(".wandb"):
            yield unit
        elif path == f"{unit}/.hydra/hydra.yaml":
            if not hydra.is_run(tree.read(work.root, unit), work.root):
                yield unit
        elif path.startswith(".janitor/archive/"):
            yield path if (work.root / path).exists() else ".janitor/archive"


def _restored(work: Small, answer: Answer, harmed: tuple[Harmed, ...]) -> Iterator[str]:
    """All of it, as it was, or nothing."""
    place = work.root / STORED
    if answer.code == 0:
        there = {each.relative_to(place): _bytes(each) for each in place.rglob("*")}
        like = work.root.parent.parent / "shelf/outputs/goes"
        before = {each.relative_to(like): _bytes(each) for each in like.rglob("*")}
        yield from [] if there == before else ["another content came back"]
    elif os.path.lexists(place):
        yield "half of it came back"
    yield from (f"left over: {each}" for each in work.leftovers() if each not in KNOWN)


KNOWN = ("archive", "jobs")


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def chosen(shown: Gallery, count: int, chance: Random) -> Iterator[Trial]:
    """Commands in turn, each with damage in several folders; the configuration by itself."""
    paths = [*files(shown), *MORE]
    commands = [*LOOKS, *CHANGES, *["run --yes"] * 6]
    while count:
        command = tuple(chance.choice(commands).split())
        picked = {os.path.dirname(each): each for each in chance.sample(paths, TOGETHER)}
        some = [*picked.values()]
        if command[0] in ("verify", "restore", "archives"):
            some.append(chance.choice([each for each in paths if each.startswith(ARCHIVED)]))
        if "config.toml" in some:
            some = ["config.toml"]
        harmed = tuple(
            Harmed(
                path,
                chance.choice([*HARMS] if path.startswith(".git/") else WAYS),
                chance.randrange(1 << 32),
            )
            for path in dict.fromkeys(some)
        )
        yield Trial((*command, some[0]) if command[0] == "why" else command, harmed)
        count -= 1


def test_commands_among_damage(count: Count) -> None:
    """A slice of it, with a seed that stays."""
    shown = gallery(whole=False)
    trials = [*chosen(shown, 2, Random(8))]
    count("fuzz: commands", len(trials), [each for trial in trials for each in trial.wrong(shown)])


@pytest.mark.proof
@pytest.mark.parametrize("part", range(4))
def test_any_command_among_damage(part: int, count: Count) -> None:
    shown = gallery()
    trials = [*chosen(shown, ASKED // 4, Random(f"{SEED} {part}"))]
    print(f"PROOF_SEED={SEED}")
    damaged = sum(len(each.harmed) for each in trials)
    wrong = [each for trial in trials for each in trial.wrong(shown)]
    count("fuzz: commands", len(trials), wrong)
    count("fuzz: files damaged before commands", damaged, [])
