"""Bring a model and its sidecar to their place, and what was there into the trash.

A copy is made beside the trash of the target's filesystem, under its final name, because the
bytes that torch saves depend on it. It is made durable, and read back. Then each file takes its
place by one rename; where another file is, the kernel exchanges the two, so that under the
name of a model there is a whole one at every moment.

The sidecar goes first, and the model last: where a model gets its name, its sidecar stands. As
long as the two don't belong together, the SHA-256 in the sidecar is not that of the model, and
who reads both can tell.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from artifact_janitor.apply.copies import Staged, open_source
from artifact_janitor.apply.ground import Ground, exchange, rename
from artifact_janitor.errors import Gone, OutOfReach, StepFailed, StepSkipped
from artifact_janitor.journal import Move

Ours = Callable[[bytes], bool]
"""Whether a file that begins so is our own."""


def replace(ground: Ground, staged: Staged, target: str, ours: Ours) -> None:
    """Let a file take its place at once, over one of our own that is made anew each time.

    Raises StepSkipped where somebody else's file is there, OutOfReach where it can't be written.
    """
    if occupied(ground, target) is not None:
        with os.fdopen(open_source(ground, target), "rb") as file:
            if not ours(file.read(2048)):
                raise StepSkipped(f"{target} is not the janitor's own, and stays: move it away")
    with ground.parent(staged.path) as source, ground.parent(target, make=True) as place:
        try:
            os.rename(source[1], place[1], src_dir_fd=source[0], dst_dir_fd=place[0])
        except OSError as error:
            raise OutOfReach(f"{target} can't be written: {error.strerror}") from error


# ------------------------------------------------------------------ places


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one name: `fresh` comes from where it waits, `old` goes to the trash.

    One of them may be missing: a first publication has nothing old, and when it is undone
    nothing fresh comes.
    """

    fresh: Move | None
    old: Move | None

    @property
    def name(self) -> str:
        """The path in the workspace."""
        if self.fresh:
            return self.fresh.target
        assert self.old is not None
        return self.old.source


def changes(fresh: Iterable[Move], old: Iterable[Move]) -> list[Change]:
    """The renames of two steps, put together by name, in the order of the first."""
    coming, going = {each.target: each for each in fresh}, {each.source: each for each in old}
    names = dict.fromkeys((*coming, *going))
    return [Change(coming.get(name), going.get(name)) for name in names]


def occupied(ground: Ground, path: str) -> os.stat_result | None:
    """What is at a path where something is to be published, or None.

    Raises StepSkipped where it is no regular file, or nobody can tell.
    """
    try:
        status = ground.stat(path)
    except Gone:
        return None  # what stands in the way, if it is more than that, ends the rename
    if not stat.S_ISREG(status.st_mode):
        what = "a symlink" if stat.S_ISLNK(status.st_mode) else "no regular file"
        raise StepSkipped(f"{path} is {what}: move it away, and the model takes its place")
    return status


def stand(ground: Ground, moves: Iterable[Move]) -> bool:
    """Whether all is where these renames brought it."""
    return all(_lies(ground, move, move.target) for move in moves)


def unmake(ground: Ground, path: str) -> None:
    """Remove the folder that was made for a file which did not stay, if nothing is in it."""
    folder, _, name = path.rpartition("/")[0].rpartition("/")
    try:
        with ground.folder(folder) as fd:
            os.rmdir(name, dir_fd=fd)
    except (OSError, StepSkipped):
        return  # there is more in it


def carry_out(ground: Ground, every: Sequence[Change]) -> None:
    """Bring all to their place. Raises StepSkipped or StepFailed, and takes back what came.

    Where that fails too, `settle` finishes it at the next start.
    """
    done: list[Change] = []
    for change in every:
        if change.old:  # on a full disk there may be no room for them later
            with ground.parent(change.old.target, make=True):
                pass
    try:
        for change in every:
            _come(ground, change)
            done.append(change)
        for change in every:
            _to_trash(ground, change)
        ground.sync(_folders(every))
    except (StepSkipped, StepFailed):
        for change in reversed(done):
            _back(ground, change)
        raise


def settle(ground: Ground, every: Sequence[Change]) -> bool:
    """Finish what was begun. False where nothing was: then all is as it was before. Durable when
    its sweep is over.

    Raises StepSkipped or StepFailed where it can't be finished.
    """
    if not any(_is_begun(ground, each) for each in every):
        return False
    for change in every:
        if not _is_there(ground, change):
            _come(ground, change)
    for change in every:
        _to_trash(ground, change)
    return True


def _come(ground: Ground, change: Change) -> None:
    """One name: what is old waits where the fresh file was, or is in the trash already."""
    fresh, old = change.fresh, change.old
    if fresh is None:
        _move(ground, old, old.source, old.target) if old else None
    elif old is None or _lies(ground, old, old.target):
        _move(ground, fresh, fresh.source, fresh.target)
    elif not _exchange(ground, fresh, old):
        _move(ground, old, old.source, old.target)
        _move(ground, fresh, fresh.source, fresh.target)


def _exchange(ground: Ground, fresh: Move, old: Move) -> bool:
    """False where the filesystem can't. What was exchanged must be what was looked at."""
    with ground.parent(fresh.source) as waiting, ground.parent(fresh.target) as place:
        if not exchange(waiting, place):
            return False
        came = ((fresh, fresh.target), (old, fresh.source))
        _must_have_come(ground, came, lambda: exchange(waiting, place))
    return True


def _back(ground: Ground, change: Change) -> None:
    """Take back what `_come` did."""
    fresh, old = change.fresh, change.old
    if fresh is None:
        _move(ground, old, old.target, old.source) if old else None
    elif old is not None and _lies(ground, old, fresh.source):
        with ground.parent(fresh.source) as waiting, ground.parent(fresh.target) as place:
            exchange(waiting, place)
    else:
        _move(ground, fresh, fresh.target, fresh.source)
        _move(ground, old, old.target, old.source) if old else None


def _to_trash(ground: Ground, change: Change) -> None:
    """What was exchanged."""
    if change.fresh and change.old and _lies(ground, change.old, change.fresh.source):
        _move(ground, change.old, change.fresh.source, change.old.target)


def _move(ground: Ground, what: Move, source: str, target: str) -> None:
    with ground.parent(source) as before, ground.parent(target, make=True) as after:
        rename(before, after)
        _must_have_come(ground, [(what, target)], lambda: rename(after, before))


def _is_there(ground: Ground, change: Change) -> bool:
    if change.fresh:
        return _lies(ground, change.fresh, change.fresh.target)
    return change.old is None or _lies(ground, change.old, change.old.target)


def _is_begun(ground: Ground, change: Change) -> bool:
    """Whether any rename of it was made."""
    gone = change.old is not None and _lies(ground, change.old, change.old.target)
    return gone or _is_there(ground, change)


def _must_have_come(
    ground: Ground, came: Iterable[tuple[Move, str]], back: Callable[[], object]
) -> None:
    """These very files must have been renamed to these paths; else, and where nobody can tell,
    they go back. Raises StepSkipped."""
    try:
        strange = [path for what, path in came if not _lies(ground, what, path)]
    except StepSkipped:
        back()
        raise
    if strange:
        back()
        raise StepSkipped(f"{strange[0]} was replaced by something else meanwhile")


def _lies(ground: Ground, what: Move, path: str) -> bool:
    """Whether this very file is at a path. Raises StepSkipped where nobody can tell."""
    try:
        return what.is_of(ground.stat(path))
    except Gone:
        return False


def _folders(every: Iterable[Change]) -> Iterator[str]:
    for change in every:
        for move in (change.fresh, change.old):
            if move:
                yield from (path.rpartition("/")[0] for path in (move.source, move.target))
