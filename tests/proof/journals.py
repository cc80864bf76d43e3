"""A workspace in which much was done, the journal of it damaged in a known way, and the judge."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from artifact_janitor import announcing
from artifact_janitor.archived import archives, trouble_of
from artifact_janitor.errors import JanitorError, JournalDamaged
from artifact_janitor.journal import file
from artifact_janitor.undo import last, undo
from artifact_janitor.workplace import workplace
from tests.proof.scene import shelf
from tests.proof.scenes.retrain import MODEL, to_publish, unpublished, wanted, without_results
from tests.real.retraining import trained
from tests.real.small import FREE, Small
from tests.real.snapshot import Snapshot, snapshot

PINNED, OLD = "outputs/pinned", "outputs/old"
"""Two runs that a policy wants gone: one that a person pinned, and one that nobody did."""
TRASHED = ("outputs/a/one", "outputs/two")
ARCHIVED = "outputs/archived"
JOURNAL = ".janitor/journal.db"
LOG = f"{JOURNAL}-wal"
LOST = ".janitor/journal.may-be-short"
"""Where its log was damaged: the end of one that is cut can't be told from what a power cut leaves,
so what was committed there last is forgotten, pins too; what lies in the trash still does."""
NOT_REBUILT = ("does not know what was pub", "another model is at")
"""What is said of a publication whose rows are lost, or tell of another file."""
Damage = Callable[[Path], None]
"""What becomes of the journal at a path."""


@cache
def pristine(root: Path, *, logged: bool = False) -> Path:
    """Built once: a study that was trained and whose model is published, runs and a W&B run in
    the trash, an archive, a pin, and a run that would go next. With its last changes in the log."""
    template = shelf("journal") / "pristine"
    work = wanted(root)
    to_publish(work)
    assert work.janitor("run", "--yes", first=without_results).code == 0
    (root / "config.toml").write_text(f"{FREE}\n{(root / 'config.toml').read_text()}")
    for days, unit in enumerate((*TRASHED, ARCHIVED, PINNED), 30):
        work.hydra(days, unit)
    work.wandb(40)
    assert work.janitor("archive", ARCHIVED).code == 0
    with closing(sqlite3.connect(root / JOURNAL)) as reader:
        if logged:  # as long as somebody else has it open, its log stays
            reader.execute("SELECT count(*) FROM step").fetchone()
        assert work.janitor("pin", PINNED).code == 0
        assert work.janitor("run", "--yes").code == 0
        work.hydra(50, OLD)
        shutil.copytree(root, template, symlinks=True, copy_function=copied)
    shutil.rmtree(root)
    return template


def tried(root: Path, damage: Damage, *, logged: bool = False) -> list[str]:
    """Damage the journal, let a janitor that nobody answers come, and take all back: what is
    wrong then."""
    file._begun.clear()  # each is as new: numbers of files come again
    file._sound.clear()
    shutil.copytree(pristine(root, logged=logged), root, symlinks=True, copy_function=copied)
    try:
        if logged:
            (root / LOST).touch()
        damage(root / JOURNAL)
        with pytest.MonkeyPatch.context() as patch:  # results take seconds
            patch.setattr(announcing, "report", lambda *_, **__: [])
            try:
                return judged(Small(root))
            except JournalDamaged:  # what was read last showed it: the next start mends that
                return judged(Small(root))
    except Exception as error:  # noqa: BLE001 - a traceback is what must never be
        return [f"{type(error).__name__}: {error}"]
    finally:
        shutil.rmtree(root)


def copied(source: str, target: str) -> None:
    """A published model is known by its inode."""
    (os.link if source.endswith((".pth", "mlp.json")) else shutil.copy2)(source, target)


def judged(work: Small) -> list[str]:
    before = snapshot(work.root)
    try:
        work.run()
    except JanitorError as error:
        wrong = [] if error.message and error.hint else [f"no clear error: {error}"]
        if "update artifact-janitor" in error.hint:
            return [*wrong, *differing(before, snapshot(work.root))]
        try:
            work.run()  # the damage showed in the middle: the next start mends it
        except JanitorError as again:
            return [*wrong, f"again: {again.in_full}"]
    else:
        wrong = []
    return [*wrong, *_after(work, before)]


def _after(work: Small, before: Snapshot) -> list[str]:
    with workplace(work.settings) as place:
        held = place.journal.rebuilds.held()
        indexed = archives(work.settings, place.journal)
        told = [why for each in indexed if (why := _trouble(work, each))]
        told = [why for why in told if "that the journal knows" not in why]
        wrong = told if len(told) == len(indexed) else []  # a name that is another is told
        known = {each.index.path for each in indexed if each.index}
        wrong += [] if known == {ARCHIVED} else [f"indexed: {known}"]
        wrong += [] if held is None or work.there(OLD) else [f"gone unasked: {OLD}"]
        pins = {each.path for each in place.journal.pins()}
        is_short = (work.root / LOST).exists() and place.journal.rebuilds.last() is None
        if held is None and not is_short:
            wrong += [] if PINNED in pins and work.there(PINNED) else ["a pin is forgotten"]
        elif held and not work.there(PINNED):
            wrong.append("the pinned run is gone")
        undone = undo(place, last(place.journal, 9))
        was_rebuilt = place.journal.rebuilds.last() is not None
    if was_rebuilt:
        failed = [each for each in undone[1] if each.outcome == "failed"]
        failed = [each for each in failed if not any(said in each.why for said in NOT_REBUILT)]
        wrong += [f"undo of {each.step.path}: {each.why}" for each in failed]
        wrong += [f"not back: {each}" for each in work.trash() if "models/" not in each]
    for unit in (*TRASHED, OLD, PINNED):
        kept = [*work.root.glob(f".janitor/trash/*/{unit}")]
        wrong += [] if work.there(unit) or kept else [f"lost: {unit}"]
    wrong += unpublished(work) if work.there(MODEL) else []
    wrong += [] if len(trained(work)) == 1 else [f"trained {len(trained(work))} times"]
    return wrong + differing(before, snapshot(work.root))


def _trouble(work: Small, each: object) -> str:
    return trouble_of(work.settings, each, lambda *_: None)  # type: ignore[arg-type]


def differing(before: Snapshot, after: Snapshot) -> list[str]:
    """What is another thing now outside the janitor's own folder, or gone from there."""
    return [
        f"not as it was: {os.fsdecode(path)}"
        for path, mark in before.items()
        if not path.startswith(b".janitor") and not path.startswith(b"models/") and mark.type != "d"
        if after.get(path) != mark
    ]


# ---------------------------------------------------------------- damages


def pages(path: Path) -> int:
    return path.stat().st_size // 4096


def written(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as opened:
        opened.seek(at)
        opened.write(content)


def zeroed(page: int) -> Damage:
    return lambda path: written(path, page * 4096, bytes(4096))


def by_chance(seed: int, name: str = "") -> tuple[str, Damage]:
    """One of many kinds of damage to the database, or to its log."""
    chance = random.Random(seed)
    kind = chance.choice([*KINDS])
    return kind, lambda path: KINDS[kind](path.with_name(path.name + name), chance)


def flip(path: Path, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 4, 64))):
        at = chance.randrange(path.stat().st_size)
        old = path.read_bytes()[at]
        written(path, at, bytes([old ^ 1 << chance.randrange(8)]))


def swap(path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    one, other = (chance.randrange(max(pages(path), 1)) * 4096 for _ in "12")
    written(path, one, content[other : other + 4096])
    written(path, other, content[one : one + 4096])


def cut(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size))


def splice(path: Path, chance: random.Random) -> None:
    content, at = path.read_bytes(), chance.randrange(path.stat().st_size)
    width = chance.randrange(1, 9000)
    middle = chance.choice((b"", chance.randbytes(width), content[:width]))
    path.write_bytes(content[:at] + middle + content[at + chance.choice((0, width)) :])


def blot(path: Path, chance: random.Random) -> None:
    at = chance.randrange(max(pages(path), 1)) * 4096
    part = chance.choice((512, 4096, 3 * 4096))
    written(path, at, chance.choice((bytes(part), b"\xff" * part, chance.randbytes(part))))


def number(path: Path, chance: random.Random) -> None:
    """A number where a page's head has one: how many rows it has, where they lie."""
    at = chance.randrange(max(pages(path), 1)) * 4096 + chance.randrange(16)
    written(path, at, struct.pack(">H", chance.choice((0, 1, 0xFFFF, chance.randrange(65536)))))


KINDS: dict[str, Callable[[Path, random.Random], None]] = {
    "flips": flip,
    "swapped pages": swap,
    "cut": cut,
    "spliced": splice,
    "blotted": blot,
    "numbers of a page": number,
}


def by_hand() -> Iterator[tuple[str, Damage]]:
    """What a person or a program may have done to it."""
    yield "gone", lambda path: path.unlink()
    yield "empty", lambda path: path.write_bytes(b"")
    yield "one byte", lambda path: path.write_bytes(b"S")
    yield "garbage", lambda path: path.write_bytes(b"no database at all" * 1000)
    yield "another database", lambda path: _made_anew(path, "CREATE TABLE other (a)")
    for statement in STATEMENTS:
        yield statement, lambda path, said=statement: _told(path, said)  # type: ignore[misc]


STATEMENTS = (
    "DROP TABLE pin",
    "DROP TABLE move",
    "ALTER TABLE step DROP COLUMN why",
    "UPDATE step SET path = 7",
    "UPDATE step SET reasons = 'no list'",
    "UPDATE step SET state = x'00'",
    "UPDATE move SET target = '/etc/passwd'",
    "UPDATE move SET source = CAST('../../away' AS BLOB)",
    "UPDATE pin SET path = 1.5",
    "UPDATE sweep SET id = '../../away' || id",
    "UPDATE sweep SET started = 'never'",
    "DELETE FROM move",
    "DELETE FROM sweep",
    "UPDATE job SET value = 'much', path = 5",
    "PRAGMA user_version = 0",
    "PRAGMA user_version = 77",
    "PRAGMA user_version = -5",
)


def values(journal: Path) -> Iterator[tuple[str, Damage]]:
    """A value of each column: no text any more, or another letter in its midst, as a bit that
    changed on the disk leaves it. Of those that are in an index SQLite's check tells."""
    with closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            columns = db.execute(f"PRAGMA table_info({table})").fetchall()
            for column in (each[1] for each in columns if not each[5]):
                query = f'SELECT "{column}" FROM {table}'  # noqa: S608 - our own names
                for (old,) in db.execute(query).fetchall()[-1:]:
                    if old and isinstance(old, str | bytes):
                        yield from _odd(table, column, old)


def _odd(table: str, column: str, old: str | bytes) -> Iterator[tuple[str, Damage]]:
    plain = old.encode() if isinstance(old, str) else old
    middle, sort = len(plain) // 2, "TEXT" if isinstance(old, str) else "BLOB"
    letter = bytes([plain[middle] ^ 1])
    for what, new in (("no text", b"b\xa0\xff"), ("another letter", letter)):
        odd = plain[:middle] + new + plain[middle + 1 :]
        said = f"UPDATE {table} SET \"{column}\" = CAST(x'{odd.hex()}' AS {sort}) "  # noqa: S608
        said += f"WHERE \"{column}\" = CAST(x'{plain.hex()}' AS {sort})"
        yield f"{table}.{column}: {what}", lambda path, said=said: _told(path, said)  # type: ignore[misc]


def _made_anew(path: Path, statement: str) -> None:
    path.unlink()
    _told(path, statement)


def _told(path: Path, statement: str) -> None:
    """As a program would that thinks the journal its own."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute(statement)
