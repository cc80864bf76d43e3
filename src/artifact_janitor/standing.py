"""What stands for a unit in the trash once it is purged: its archive, or what it was compressed
to. As long as that isn't whole, the trash holds all that is left, and is not purged (S9).

A plan asks what costs nothing: whether it is there, in its size, and not known to be damaged.
The step itself reads all of it once more where it was touched since it was last read in full.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from artifact_janitor import clock
from artifact_janitor.apply.archive.check import check
from artifact_janitor.apply.archive.flow import CHUNK, Expanded
from artifact_janitor.apply.archive.store import IN_ORDER
from artifact_janitor.config import Settings
from artifact_janitor.core.compressing import COMPRESS
from artifact_janitor.core.model import Evidence, Trashed
from artifact_janitor.errors import ArchiveError, StepFailed, StepSkipped
from artifact_janitor.journal import Archived, Journal, Step
from artifact_janitor.journal.purges import CHANGED, ONLY_COPY, Refused
from artifact_janitor.regular import open_regular
from artifact_janitor.workplace import Workplace, store_of

Marks = tuple[tuple[int, int, int, int], ...]
"""How files look that nobody wrote to, or replaced."""


@dataclass(frozen=True, slots=True)
class _StandIn:
    """What one step made of a unit, as the journal knows it: its files with all their bytes, and
    when they were last read in full; `archived` where it is an archive."""

    said: str
    where: str
    files: tuple[Path, ...]
    bytes: int
    checked: int
    archived: Archived | None = None
    let_go: Callable[[], bool] = lambda: False
    """Whether a later step took it, as its own policy wanted."""

    @property
    def marks(self) -> Marks:
        """Nothing where a part of it is missing."""
        try:
            return tuple(_marks(each) for each in self.files)
        except OSError:
            return ()

    @property
    def trouble(self) -> str:
        """What is wrong with it at a glance, or ""."""
        if not self.files:
            return f"{self.said} is not known any more"
        try:
            size = sum(_marks(each)[1] for each in self.files)
        except FileNotFoundError:
            return f"{self.said} is missing from {self.where}"
        except OSError as error:
            return f"{self.said} is out of reach: {error.strerror}"
        return "" if size == self.bytes else f"{self.said} is not whole: it has another size"

    @property
    def touched(self) -> int:
        """When it was last touched in any way, by its disk."""
        return max((changed for _, _, _, changed in self.marks), default=0)


def _marks(file: Path) -> tuple[int, int, int, int]:
    status = os.lstat(file)
    size = status.st_size if stat.S_ISREG(status.st_mode) else -1
    return status.st_ino, size, status.st_mtime_ns, status.st_ctime_ns


def with_held(
    settings: Settings, journal: Journal, trash: Iterable[Trashed], now: int
) -> Iterator[Trashed]:
    """What lies in the trash, each with what keeps it from being purged; and with its models
    where it may be purged now, and no archive holds them."""
    refused = journal.purges.refused()
    for each in trash:
        is_due = now - each.at >= settings.safety.trash_keep or settings.disk.purge_early
        if each.models and (each.made or not is_due):
            each = replace(each, models=())
        elif each.models:
            each = replace(each, name=_name(journal, each))
        why = _held(settings, journal, each, refused.get(each.step))
        hint = f"janitor undo {_name(journal, each)}" if why else ""
        yield replace(each, held=Evidence("held", why, hint)) if why else each


def _held(settings: Settings, journal: Journal, trashed: Trashed, refused: Refused | None) -> str:
    if refused and refused.why.startswith(CHANGED):
        return f"{CHANGED}, so nobody knows what it is"
    for each in _stand_ins(settings, journal, trashed):
        why = each.trouble
        if not why and refused and ONLY_COPY in refused.why and _is_as_then(each, refused):
            return refused.why.partition(";")[0]
        if why and not each.let_go():
            return f"{why}: {ONLY_COPY}"
    return ""


def _is_as_then(stand_in: _StandIn, refused: Refused) -> bool:
    """Whether nobody touched it, nor read it and found it sound, since a purge was refused."""
    return max(stand_in.touched, stand_in.checked) <= refused.at


def _name(journal: Journal, trashed: Trashed) -> str:
    return journal.purges.name(journal.step(trashed.step))


def changed(journal: Journal, trashed: Trashed) -> str:
    """Why a unit is not purged that is not what went to the trash."""
    back = f"janitor undo {_name(journal, trashed)} brings it back as it is"
    return f"{CHANGED}: {back}; or remove {trashed.trash} by hand"


def proven(place: Workplace, trashed: Trashed, stop: Callable[[], bool]) -> list[Marks]:
    """How what stands for a unit looks, which was seen to be whole; it may be read for that, and
    for long, so that nobody should wait for it. Raises StepSkipped where it isn't."""
    found = []
    for each in _stand_ins(place.settings, place.journal, trashed):
        found.append(each.marks)
        why = each.trouble or _read(place, each, trashed, stop)
        if why and not each.let_go():
            back = f"janitor undo {_name(place.journal, trashed)} brings it back"
            raise StepSkipped(f"{why}: {ONLY_COPY}; {back}")
    return found


def must_be(place: Workplace, trashed: Trashed, before: list[Marks]) -> None:
    """Raises StepSkipped where it isn't what was proven a moment ago."""
    stand_ins = _stand_ins(place.settings, place.journal, trashed)
    if [each.marks for each in stand_ins] != before:
        raise StepSkipped("what stands for it changed just now; the next sweep looks again")


def _stand_ins(settings: Settings, journal: Journal, trashed: Trashed) -> Iterator[_StandIn]:
    for number in trashed.made:
        made = journal.step(number)
        if made.do == COMPRESS:
            yield _compressed(settings, journal, made)
            continue
        archived = journal.archives.of(number)
        if archived or not journal.purges.is_expired(number):
            yield _archive(settings, archived)


def _archive(settings: Settings, found: Archived | None) -> _StandIn:
    if found is None or not found.digest:
        return _StandIn("its archive", "", (), 0, 0)
    folder = store_of(settings, found.store).place
    files = tuple(folder / (found.name + end) for end in IN_ORDER)
    said = f"its archive {found.name}"
    return _StandIn(said, found.store, files, found.bytes, found.checked, found)


def _compressed(settings: Settings, journal: Journal, made: Step) -> _StandIn:
    """It was read back before its step was over."""
    names = [each.source for each in journal.moves(made.id)][:1]
    if not names:
        return _StandIn("what it was compressed to", "", (), 0, 0)
    folder, _, name = names[0].rpartition("/")
    _, size, *_ = (*made.fingerprint.split(":"), "")
    files = (settings.workspace / names[0],)
    went = journal.purges.went
    return _StandIn(
        name,
        folder,
        files,
        int(size) if size.isdecimal() else -1,
        made.at,
        None,
        lambda: went(names[0], made.id),
    )


def _read(place: Workplace, stand_in: _StandIn, trashed: Trashed, stop: Callable[[], bool]) -> str:
    """What is wrong with it when all of it is read, where it was touched since; or ""."""

    def tick(_size: int) -> None:
        if stop():
            raise StepSkipped("interrupted before it began")

    try:
        if stand_in.touched <= stand_in.checked:
            return ""
        if stand_in.archived:
            _check(place, stand_in.archived, tick)
        else:
            _compare(stand_in.files[0], place.settings.workspace / trashed.trash, tick)
    except (ArchiveError, StepFailed) as error:
        return f"{stand_in.said} is not whole: {error.message}"
    except OSError as error:
        return f"{stand_in.said} can't be read: {error.strerror}"
    return ""


def _check(place: Workplace, archived: Archived, tick: Callable[[int], None]) -> None:
    """As ``janitor verify`` does, which is written down."""
    with store_of(place.settings, archived.store).opened(archived.name) as files:
        if check(files, tick).digest != archived.digest:
            raise ArchiveError("it is not the one that the journal knows")
    place.journal.archives.checked(archived.step, clock.read().wall)


def _compare(compressed: Path, original: Path, tick: Callable[[int], None]) -> None:
    """Raises ArchiveError where the one isn't the other, compressed."""
    both = []
    for file, read in ((compressed, lambda fd: Expanded(fd).chunks()), (original, _chunks)):
        fd, seen = open_regular(file), sha256()
        try:
            for chunk in read(fd):
                seen.update(chunk)
                tick(len(chunk))
        finally:
            os.close(fd)
        both.append(seen.digest())
    if both[0] != both[1]:
        raise ArchiveError("its content is another one")


def _chunks(fd: int) -> Iterator[bytes]:
    while chunk := os.read(fd, CHUNK):
        yield chunk
