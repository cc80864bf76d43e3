"""Every study in a folder of study files, or why a file tells nothing.

Files are never locked for longer than one short read, and nothing is made beside them. This
opens and closes study files: a thread that does so takes away the locks of another one in the
same process that reads them, so a process looks at studies in one thread.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from artifact_janitor.core.study import Broken, Study
from artifact_janitor.observe import optuna_sql, studies, tree
from artifact_janitor.observe.liveness import Activity, lease
from artifact_janitor.observe.optuna_journal import Replay
from artifact_janitor.observe.optuna_sql import NoStudies, Place
from artifact_janitor.observe.sqlite import Unreadable, reading
from artifact_janitor.state import STATE
from artifact_janitor.units import SECOND

MEMORY = 8 << 20
"""Bytes of a database in WAL mode that are read into memory."""
BRIEF = 0.005
"""Seconds that a poll waits for a writer's lock: the next one comes soon."""
BESIDE = ("", "-wal", "-journal")
"""The files of a database that are written to when anything happens."""

Marks = tuple[tuple[int, ...], ...]
Known = dict[str, tuple[Marks, list[Study]]]
"""What the last look read, by path, and how the files were then."""
STILL = 2 * SECOND
"""What is younger may change once more without its times telling: the coarsest tick of a file
system (FAT)."""

UNREADABLE = "unreadable"
"""The kind of trouble that lasts until a person gives the right to read."""

Replays = dict[str, Replay]
"""What is known of journals by path, for the next look to read on."""

_WHY: dict[str, tuple[str, str]] = {
    "empty": ("it is empty: made, and nothing was written to it yet", ""),
    "foreign": ("it is no SQLite database", "move it elsewhere, or give it another ending"),
    "damaged": (
        "it is damaged, or a copy that is not whole",
        "copy a database with: sqlite3 OLD.db '.backup NEW.db'",
    ),
    "busy": ("another process has it locked", "the next look tries again"),
    "hot": (
        "an optimizer was killed while it wrote, and what it began must be undone first",
        "open it once with its own program, for instance: optuna studies --storage sqlite:///{}",
    ),
    "slow": (
        "it takes so long to read that its optimizer would have to wait",
        "put studies that are over into databases of their own",
    ),
    "newer": ("", "update artifact-janitor"),
    "older": ("", "optuna storage upgrade --storage sqlite:///{}"),
    "schema": ("", "was it made by another program? Then move it elsewhere"),
    "other": ("", "move it elsewhere: only studies belong here"),
    UNREADABLE: ("", "check its permissions"),
    "link": ("it is a symlink, and none is followed here", "move the study itself to its place"),
}
"""What each kind of trouble is called, where SQLite's own words say less, and what to do."""


def found(base: Path, root: str) -> Iterator[str | Broken]:
    """The files of a folder, and of those in it, that are studies or are called like one; and
    where there may be more of them that nobody can see."""
    try:
        top = tree.read(base, root)
    except FileNotFoundError:
        return
    except OSError as error:
        yield _shut(root, str(error.strerror))
        return
    for folder in sorted(top.walk(), key=lambda each: each.path):
        if folder.trouble and not folder.path.endswith(f"/{STATE}"):
            yield _shut(folder.path, folder.trouble)
        known = {*studies.among(folder, base), *filter(studies.is_called_so, folder.files)}
        yield from (f"{folder.path}/{name}" for name in sorted(known))
        for name in sorted(filter(studies.is_called_so, folder.links)):
            yield _broken(f"{folder.path}/{name}", "link", "")


def _shut(path: str, why: str) -> Broken:
    what = f"what is in this folder can't be seen: {why}"
    return Broken(path, UNREADABLE, what, _WHY[UNREADABLE][1])


def of_file(
    base: Path, path: str, replays: Replays, patience: float = BRIEF
) -> list[Study] | Broken:
    """The studies in one file; a writer's lock is waited for `patience` seconds."""
    try:
        if path.endswith(".log"):
            replay = replays.setdefault(path, Replay())
            replay.read_on(base / path)
            return replay.studies(path)
        return _of_database(base, path, patience)
    except FileNotFoundError:
        return Broken(path, "missing", "there is no such file", "it was moved, or its disk is away")
    except (Unreadable, NoStudies) as trouble:
        return _broken(path, trouble.kind, str(trouble))
    except OSError as error:
        return _broken(path, UNREADABLE, error.strerror or str(error))


def of_changed(
    base: Path, path: str, replays: Replays, known: Known, patience: float = BRIEF
) -> list[Study] | Broken:
    """The same; what nobody touched since it was read is not read again."""
    marks = _marks(base / path)
    before = known.pop(path, None)
    if before is None or before[0] != marks:
        told = of_file(base, path, replays, patience)
        if isinstance(told, Broken) or _marks(base / path) != marks:
            return told
        before = marks, told
    newest = max(max(each[-2:]) for each in marks)
    if time.time_ns() - newest > STILL:
        known[path] = before
    return before[1]


def _marks(path: Path) -> Marks:
    """Any write changes them, as does another file in the same place."""
    found: list[tuple[int, ...]] = []
    for end in BESIDE:
        try:
            status = os.lstat(f"{path}{end}")
        except OSError as error:
            found.append((error.errno or 0,))
            continue
        what = (status.st_dev, status.st_ino, status.st_size)
        found.append((*what, status.st_mtime_ns, status.st_ctime_ns))
    return tuple(found)


def _of_database(base: Path, path: str, patience: float) -> list[Study]:
    """Its time is taken first: what comes meanwhile is news for the next look."""
    status = os.lstat(base / path)
    place = Place(path, status.st_dev, status.st_ino, written(base / path))
    with reading(base / path, MEMORY, patience) as db:
        return optuna_sql.studies(db, place)


def _broken(path: str, kind: str, said: str) -> Broken:
    why, hint = _WHY.get(kind, _WHY[UNREADABLE])
    whole = f"{why} ({said})" if why and kind in ("damaged", "busy") else why or said
    return Broken(path, kind, whole, hint.format(path))


def written(path: Path) -> int:
    """mtime of the newest of its files, in nanoseconds; 0 where there is none."""
    found = 0
    for end in BESIDE:
        try:
            status = os.lstat(path.with_name(path.name + end))
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found = max(found, status.st_mtime_ns)
    return found


# ---------------------------------------------------------------- who holds them


def with_holders(
    found: Iterable[Study], base: Path, activity: Callable[[], Activity]
) -> list[Study]:
    """The studies, each with who has its file open, where that matters. Processes are looked
    at once, if at all."""
    found = [*found]
    asked = {each.path for each in found if each.asks_for_holder}
    if not asked:
        return found
    seen = activity()
    holders = {path: _holder(base / path, seen) for path in asked}
    return [replace(each, holder=holders.get(each.path, "")) for each in found]


def _holder(path: Path, seen: Activity) -> str:
    """Processes of other users, and in containers, show by the lease that the kernel refuses."""
    for end in ("", "-wal", "-shm"):
        try:
            status = os.lstat(path.with_name(path.name + end))
        except OSError:
            continue
        if who := seen.holders.get((status.st_dev, status.st_ino)):
            return who
    refused = lease(os.fspath(path))
    if refused == errno.EAGAIN:
        return "a process that can't be seen has it open"
    if refused and seen.hidden:
        return "processes of other users may have it open"
    return ""
