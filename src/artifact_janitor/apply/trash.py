"""Move units into the trash, back, and out of it for good (S10).

The trash mirrors the workspace, ``.janitor/trash/{sweep}/{path}``, so that a person can
read it, and put things back by hand. Each filesystem has its own: a rename is all that
happens, and content, mode, times, links and attributes stay what they are.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from artifact_janitor.apply.ground import Ground, mount_of, rename
from artifact_janitor.errors import Gone, StepFailed, StepSkipped
from artifact_janitor.journal import Move
from artifact_janitor.state import STATE

LEAVING = "leaving"
"""The folder beside the trash for what can't be brought back any more."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def moves_for(ground: Ground, sweep: str, paths: Iterable[str]) -> tuple[Move, ...]:
    """The renames that put these paths into the trash of their filesystem.

    Raises StepSkipped where one of them is gone.
    """
    return tuple(_move_for(ground, sweep, path) for path in paths)


def state_of(ground: Ground, path: str) -> str:
    """The janitor's folder on the filesystem of a root, which is made where it is missing;
    what lies in a path on it can be had by a rename."""
    root = ground.root_of(path)
    try:
        with ground.folder(root, make=True) as fd, ground.folder(STATE) as state:
            same = mount_of(fd) == mount_of(state)
    except StepSkipped:
        same = False
    return STATE if same else f"{root}/{STATE}"


def _move_for(ground: Ground, sweep: str, path: str) -> Move:
    status = ground.stat(path)
    root = ground.root_of(path)
    with ground.parent(path) as (fd, _), ground.folder(STATE) as state:
        same = mount_of(fd) == mount_of(state)
    if not (same or root):
        raise StepSkipped(f"{path} lies on another filesystem than the workspace")
    trash = f"{STATE}/trash" if same else f"{root}/{STATE}/trash"
    return Move(path, f"{trash}/{sweep}/{path.lstrip('/')}", status.st_dev, status.st_ino)


def carry_out(ground: Ground, moves: Sequence[Move]) -> tuple[Move, ...]:
    """Rename all, or none: the first that fails brings back those before it."""
    done: list[Move] = []
    try:
        for move in moves:
            done.append(_there(ground, move))
    except (StepSkipped, StepFailed):
        if done:
            put_back(ground, done)
        for move in moves:
            prune(ground, move.target)
        raise
    return tuple(done)


def _there(ground: Ground, move: Move) -> Move:
    with (
        ground.parent(move.source) as source,
        ground.parent(move.target, make=True) as target,
    ):
        before = os.fstat(source[0]).st_mtime_ns
        rename(source, target)
        _must_be(move, target, source)
        return Move(
            move.source, move.target, move.dev, move.ino, before, os.fstat(source[0]).st_mtime_ns
        )


def _must_be(move: Move, now: tuple[int, str], before: tuple[int, str]) -> None:
    """What arrived must be what was looked at; anything else goes back at once."""
    status = os.stat(now[1], dir_fd=now[0], follow_symlinks=False)
    if move.is_of(status):
        return
    why = f"{move.source} was replaced by something else since the plan was made"
    try:
        rename(now, before)
    except StepFailed as error:  # and its place was taken again
        raise StepFailed(f"{why}, which lies in {move.target} now", error.hint) from error
    raise StepSkipped(why)


def put_back(ground: Ground, moves: Sequence[Move]) -> None:
    """Undo the renames of one step, last first; what is back already stays.

    The first move is the unit's, the others are of links that name it, or of what lies beside
    an archive. A link whose place was taken meanwhile is dropped: W&B's ``latest-run`` names a
    newer run by then. Raises StepFailed where the place of anything else was taken, and moves
    nothing.
    """
    _, *links = moves
    for move in moves:
        if _is_no_link(ground, move.target) and ground.has(move.source):
            raise StepFailed(f"{move.source} is there already", "move it away, then try again")
    taken = [link for link in links if ground.has(link.source)]
    back: list[Move] = []
    try:
        for move in reversed(moves):
            if move not in taken and ground.has(move.target):
                _back(ground, move)
                back.append(move)
    except (StepSkipped, StepFailed):
        for move in reversed(back):  # a link stays with its unit
            _again(ground, move)
        raise
    drop(ground, taken)


def _is_no_link(ground: Ground, path: str) -> bool:
    """Whether something is at `path`, and no symlink."""
    return ground.has(path) and not stat.S_ISLNK(ground.stat(path).st_mode)


def _back(ground: Ground, move: Move) -> None:
    """With the mtime that the old folder had, if nobody else touched it."""
    with (
        ground.parent(move.source, make=True) as source,
        ground.parent(move.target) as target,
    ):
        untouched = os.fstat(source[0]).st_mtime_ns == move.parent_after
        rename(target, source)
        if untouched:
            set_mtime(source[0], move.parent_before)
    prune(ground, move.target)


def _again(ground: Ground, move: Move) -> None:
    """To the trash once more."""
    with ground.parent(move.source) as source, ground.parent(move.target, make=True) as target:
        rename(source, target)


def drop(ground: Ground, links: Iterable[Move]) -> None:
    """Remove links from the trash whose unit needs them no more."""
    for link in links:
        try:
            with ground.parent(link.target) as (fd, name):
                os.unlink(name, dir_fd=fd)
        except (OSError, StepSkipped):
            continue  # it isn't there, or is no link any more
        prune(ground, link.target)


def set_mtime(fd: int, mtime: int) -> None:
    """Nobody else touched the folder meanwhile, so it is again what it was."""
    try:
        os.utime(fd, ns=(os.fstat(fd).st_atime_ns, mtime))
    except OSError:
        pass  # another user's folder: its mtime is all that we can't bring back


def prune(ground: Ground, path: str) -> None:
    """Remove the folders of the trash that a unit's leaving left empty."""
    above = path.rpartition("/")[0]
    while above and not above.endswith(f"{STATE}/trash"):
        above, _, name = above.rpartition("/")
        try:
            with ground.folder(above) as fd:
                os.rmdir(name, dir_fd=fd)
        except (OSError, StepSkipped):
            continue  # others are in it, or it was never made


def remove_empty(ground: Ground, folder: str) -> None:
    """Remove a folder of the janitor's own, and those in it, if nothing is in any of them."""
    with suppress(OSError, StepSkipped):
        for name in _names(ground, folder):
            with ground.folder(folder) as fd:
                os.rmdir(name, dir_fd=fd)
        with ground.parent(folder) as (around, name):
            os.rmdir(name, dir_fd=around)


def holds(ground: Ground, moves: Sequence[Move]) -> bool:
    """Whether the unit of these moves is in the trash. Its place there is its own."""
    return bool(moves) and ground.has(moves[0].target)


def arrived(ground: Ground, moves: Sequence[Move]) -> bool:
    """Whether what a step that was just tried took is there, and not something else."""
    if not holds(ground, moves):
        return False
    return moves[0].is_of(ground.stat(moves[0].target))


def purge_target(target: str, step: int) -> str:
    """Where a unit waits for its removal, once it can't be brought back any more.

    What is found there at a later start belongs to a purge that was killed.
    """
    trash = target[: target.index(f"{STATE}/trash/")] + STATE
    return f"{trash}/{LEAVING}/{step}"


def purge(ground: Ground, target: str, step: int) -> str:
    """Take a unit out of the trash: one rename, after which it only has to be removed."""
    gone = purge_target(target, step)
    with ground.parent(target) as source, ground.parent(gone, make=True) as leaving:
        rename(source, leaving)
    prune(ground, target)
    return gone


def finish_purges(ground: Ground, trashes: Iterable[str]) -> None:
    """Remove what killed purges left behind, in each of the state folders."""
    for path in unremoved(ground, trashes):
        with suppress(StepFailed):  # `unremoved` tells of it, and the next start tries again
            remove(ground, path)


def unremoved(ground: Ground, trashes: Iterable[str]) -> list[str]:
    """What was purged, and lies there still."""
    folders = (f"{each}/{LEAVING}" for each in trashes)
    return [f"{each}/{name}" for each in folders for name in sorted(names_in(ground, each))]


def said_of_unremoved(ground: Ground) -> list[str]:
    """For a person: it can't be brought back, and takes room."""
    left = unremoved(ground, ground.states)
    if not left:
        return []
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    what = f"purged, but not removed yet: {left[0]}{more}"
    return [f"{what}; what janitor run leaves there remove by hand (lsattr shows why it stays)"]


def names_in(ground: Ground, path: str) -> list[str]:
    """What is in a folder, if anybody can tell."""
    try:
        return _names(ground, path)
    except StepSkipped:
        return []


def _names(ground: Ground, path: str) -> list[str]:
    """What is in a folder; nothing where there is none. Raises StepSkipped."""
    try:
        with ground.folder(path) as fd:
            return os.listdir(fd)
    except Gone:
        return []  # nothing ever was there
    except OSError as error:
        raise StepSkipped(f"{path} can't be read: {error.strerror}") from error


def remove(ground: Ground, path: str, stop: Callable[[], bool] = lambda: False) -> bool:
    """Remove what `purge` took out; False where `stop` ended that, which is asked again and again.
    Raises StepFailed where that isn't possible."""
    try:
        with ground.parent(path) as (fd, name):
            _remove(fd, name, stop)
    except _Stopped:
        return False
    except OSError as error:
        what = f"what is left in {path} can't be removed: {error.strerror}"
        raise StepFailed(what, "remove it by hand: it was purged") from error
    return True


class _Stopped(Exception):
    """In mid-removal, which is no matter: nothing of it is needed."""


def _remove(fd: int, name: str, stop: Callable[[], bool]) -> None:
    status = os.stat(name, dir_fd=fd, follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        _empty(fd, name, stop)
        os.rmdir(name, dir_fd=fd)
    else:
        os.unlink(name, dir_fd=fd)


def _empty(fd: int, name: str, stop: Callable[[], bool]) -> None:
    """Remove what is in a folder, with a stack of our own: trees can be deep."""
    levels = [_Leaving(fd, name, stop)]
    try:
        while levels:
            level = levels[-1]
            if level.folders:
                levels.append(_Leaving(level.fd, level.folders[-1], stop))
                continue
            levels.pop().close()
            if levels:
                os.rmdir(levels[-1].folders.pop(), dir_fd=levels[-1].fd)
    finally:
        for level in levels:
            level.close()


class _Leaving:
    """A folder that is being emptied: its files are gone, its folders still to go."""

    def __init__(self, parent: int, name: str, stop: Callable[[], bool]) -> None:
        self.fd = os.open(name, _FOLDER, dir_fd=parent)
        try:
            if mount_of(self.fd) != mount_of(parent):
                raise OSError(errno.EXDEV, "another filesystem is mounted in it")
            mode = os.fstat(self.fd).st_mode
            if not mode & stat.S_IWUSR:
                os.fchmod(self.fd, mode | stat.S_IRWXU)
            self.folders = self._unlink_files(stop)
        except (OSError, _Stopped):
            self.close()
            raise

    def close(self) -> None:
        os.close(self.fd)

    def _unlink_files(self, stop: Callable[[], bool]) -> list[str]:
        """The folders that are left: a million names are not held at once. What a filesystem
        doesn't tell of while names go is told the next time."""
        folders, count = self._unlinked(stop)
        while count:
            folders, count = self._unlinked(stop)
        return folders

    def _unlinked(self, stop: Callable[[], bool]) -> tuple[list[str], int]:
        folders, count = [], 0
        with os.scandir(self.fd) as entries:
            for entry in entries:
                if stop():
                    raise _Stopped
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                else:
                    os.unlink(entry.name, dir_fd=self.fd)
                    count += 1
        return folders, count
