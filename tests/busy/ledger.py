"""Every file that people made, and what became of it: nothing may be lost, by its digest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG

from backports import zstd

from artifact_janitor.core.model import is_within
from artifact_janitor.journal import Journal, Move, Step
from tests.real.small import Small

Marks = tuple[int, int]
"""Device and inode: a rename keeps them, and a copy has others."""


@dataclass
class Ledger:
    """Paths are relative to `root`."""

    root: Path
    made: dict[str, str] = field(default_factory=dict)
    """Digests of what is finished, by path."""
    live: dict[str, dict[str, Marks]] = field(default_factory=dict)
    """The files of what somebody is at work on, by its folder or file."""
    touched: list[str] = field(default_factory=list)
    """What was taken from under somebody's hands: none of it may be."""

    def finished(self, unit: str) -> None:
        """Its files as they are now."""
        for path in self._files(unit):
            self.made[path] = digest(self.root / path)

    def begun(self, unit: str) -> None:
        self.live.setdefault(unit, {})

    def ended(self, unit: str) -> None:
        """Nobody is at work on it any more, after one more look."""
        self._look(unit, self.live[unit])
        del self.live[unit]

    def look(self) -> None:
        """Whether all files of what is live are still where they were made."""
        for unit, known in self.live.items():
            self._look(unit, known)

    def _look(self, unit: str, known: dict[str, Marks]) -> None:
        now = dict(self._marks(unit))
        gone = [path for path, marks in known.items() if now.get(path) != marks]
        self.touched += [f"{path} of {unit}, which is live" for path in gone]
        known |= now

    def _marks(self, unit: str) -> Iterator[tuple[str, Marks]]:
        for path in self._files(unit):
            try:
                status = os.lstat(self.root / path)
            except FileNotFoundError:
                continue  # its own program took it away, or the janitor: then it is missed above
            yield path, (status.st_dev, status.st_ino)

    def _files(self, unit: str) -> Iterator[str]:
        top = self.root / unit
        if top.is_file():
            yield unit
        for folder, _, names in os.walk(top):
            for name in names:
                path = Path(folder, name)
                if S_ISREG(path.lstat().st_mode):
                    yield os.path.relpath(path, self.root)


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


@dataclass
class Books:
    """What the janitor's journal, trash and archives say of files that are not in place."""

    work: Small
    trash_keep: int
    """Nanoseconds."""
    kept_for_good: Sequence[str]
    """Kinds that may not be purged without an archive."""
    steps: list[Step]
    moves: dict[int, list[Move]]
    archived: dict[str, set[str]]
    """Digests of what was unpacked from archives, by the unit."""

    def place(self, path: str, wanted: str) -> str:
        """In a word where the content of a file is; "" where it is lost."""
        if _is(self.work.root / path, wanted):
            return "in place"
        concerned = [each for each in self.steps if is_within(path, each.path)]
        if any(self._in_trash(each, path, wanted) for each in concerned):
            return "in the trash"
        if any(wanted in self.archived.get(each.path, ()) for each in concerned):
            return "in an archive"
        if self._compressed(path, wanted):
            return "compressed"
        return "purged" if any(map(self._may_be_purged, concerned)) else ""

    def _in_trash(self, step: Step, path: str, wanted: str) -> bool:
        return any(
            _is(self.work.root / (move.target + path[len(move.source) :]), wanted)
            for move in self.moves.get(step.id, ())
            if is_within(path, move.source)
        )

    def _compressed(self, path: str, wanted: str) -> bool:
        file = self.work.root / f"{path}.zst"
        return file.exists() and sha256(zstd.decompress(file.read_bytes())).hexdigest() == wanted

    def _may_be_purged(self, step: Step) -> bool:
        """By policy, after the time that the trash keeps it."""
        if step.state != "purged" or step.kind in self.kept_for_good:
            return False
        purges = [each for each in self.steps if each.do == "purge" and each.about == step.id]
        return any(each.at - step.at >= self.trash_keep for each in purges)


def _is(path: Path, wanted: str) -> bool:
    return path.is_file() and not path.is_symlink() and digest(path) == wanted


def books(
    work: Small, journal: Journal, unpacked: dict[str, set[str]], trash_keep: int, *kinds: str
) -> Books:
    steps = [step for sweep in journal.sweeps() for step in journal.steps(sweep.id)]
    moves = {each.id: journal.moves(each.id) for each in steps}
    return Books(work, trash_keep, kinds, steps, moves, unpacked)


def account(ledger: Ledger, kept: Books) -> tuple[Counter[str], list[str]]:
    """How many files are where, and which are lost."""
    found = {path: kept.place(path, wanted) for path, wanted in ledger.made.items()}
    lost = sorted(path for path, place in found.items() if not place)
    return Counter(place for place in found.values() if place), lost


def twice(kept: Books) -> list[str]:
    """What was done more than once: the same files taken, the same archive made."""
    done = [each for each in kept.steps if each.state in ("done", "purged")]
    sources = Counter(
        (move.source, move.ino)
        for each in done
        if each.took
        for move in kept.moves.get(each.id, ())
    )
    archives = Counter((each.path, each.fingerprint) for each in done if each.do == "archive")
    both = [*sources.items(), *archives.items()]
    return [f"{what[0]} {count} times" for what, count in both if count > 1]
