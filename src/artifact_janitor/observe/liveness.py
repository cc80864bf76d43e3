"""Is anything still using a unit? Evidence from the kernel, from names, and from age (S2).

No single sign is enough: a Lightning run with TensorBoard holds no file open, a process
of another user can't be looked into, a container sees other paths for the same inodes.
What can't be known counts as live.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from artifact_janitor.core.model import Evidence
from artifact_janitor.observe import threads, wandb, workers
from artifact_janitor.observe.attached import Inode, Use, Views, inode_at
from artifact_janitor.observe.tree import Entry, Folder
from artifact_janitor.units import format_duration

FOREIGN_GRACE = 24 * 3600 * 10**9
"""How long after its newest write a run of another host counts as live, whatever `grace` is."""

_TFEVENTS = re.compile(r"events\.out\.tfevents\.\d+\.(?P<host>.+)\.(?P<pid>\d+)\.\d+(?:\..*)?")
_MAPPED = re.compile(r"^\S+ \S+ \S+ ([0-9a-f]+):([0-9a-f]+) ([1-9]\d*) +(/.*)\n", re.MULTILINE)
"""Device, inode and path of a mapped file in ``/proc/PID/maps``."""


@dataclass(slots=True)
class Activity:
    """What is in use at one moment; ``hidden`` counts the processes we may not look into."""

    holders: dict[Inode, str] = field(default_factory=dict)
    """Files open, mapped, mounted or bound to, working directories and roots: inode → who and
    how."""
    hidden: int = 0


def activity() -> Activity:
    """Look at every process but our own: about 125 ms for 400 processes."""
    names, ours = os.listdir("/proc"), workers.ours()
    seen = Activity(hidden=int("1" not in names))  # hidepid: what is not ours isn't even listed
    views = Views()
    _add(seen, views.ours())
    for name in names:
        if name.isdigit() and int(name) not in ours:
            _look_at(name, seen, views)
    _add(seen, views.loops())
    for socket_, file in views.sockets():
        seen.holders.setdefault(file, seen.holders.get(socket_, "a program has it open"))
    return seen


def _add(seen: Activity, uses: Iterable[Use]) -> None:
    for inode, how in uses:
        seen.holders.setdefault(inode, how)


def _look_at(pid: str, seen: Activity, views: Views) -> None:
    """One process, with those of its threads that have files of their own."""
    refused, who = False, ""
    for proc in threads.tables(pid):
        try:
            who = _look_into(proc, seen, views, who)
        except (FileNotFoundError, ProcessLookupError):
            pass  # it ended while we looked
        except PermissionError:  # a thread that ended refuses all but root, the others do not
            refused = True
            if not _belongs_to_us(proc):
                break
    seen.hidden += refused


def _belongs_to_us(proc: str) -> bool:
    try:
        return os.stat(proc).st_uid == os.geteuid()
    except OSError:
        return False


def _look_into(proc: str, seen: Activity, views: Views, who: str) -> str:
    """Who lives there: no one where a thread ended, or is the kernel's own, since these have no
    memory. `who` was found by another thread, whose memory is this one's, too."""
    fds, maps = os.listdir(f"{proc}/fd"), "" if who else _maps(proc)
    if not (who or maps):
        return ""
    who = who or _name(proc)
    for fd in fds:
        for inode in inode_at(f"{proc}/fd/{fd}"):
            seen.holders.setdefault(inode, f"{who} has it open")
    for inode, path in _mapped(maps):
        if inode not in seen.holders:
            for each in (inode, *inode_at(path)):
                seen.holders.setdefault(each, f"{who} has it mapped")
    for inode in inode_at(f"{proc}/cwd"):
        seen.holders[inode] = f"{who} works in it"
    for inode in inode_at(f"{proc}/root"):
        seen.holders.setdefault(inode, f"{who} has it as its root")
        _add(seen, views.of(proc, inode, who))
    return who


def _maps(proc: str) -> str:
    with open(f"{proc}/maps", errors="surrogateescape") as file:
        return file.read()


def _mapped(maps: str) -> Iterator[tuple[Inode, str]]:
    """Files that stay in use after their descriptor was closed, with their paths: on btrfs
    and overlayfs the device that the kernel names here is not the one of ``stat``."""
    found = dict.fromkeys(_MAPPED.findall(maps))  # each is mapped in several pieces
    for major, minor, inode, path in found:
        yield (os.makedev(int(major, 16), int(minor, 16)), int(inode)), path


def _name(proc: str) -> str:
    """Process id and command line, as a person would recognise it."""
    with open(f"{proc}/cmdline", "rb") as file:
        words = file.read(4096).split(b"\0")
    words[0] = words[0].rpartition(b"/")[2]
    command = os.fsdecode(b" ".join(words)).strip()
    pid = proc.split("/")[2]
    return f"pid {pid} ({command[:60]})" if command else f"pid {pid}"


@dataclass(frozen=True, slots=True)
class Moment:
    """When and how we ask: `now` and `grace` in nanoseconds, `base` is the workspace."""

    base: Path
    now: int
    grace: int
    activity: Activity
    leases: bool = True
    """False where each file is asked for a lease once more before anything goes."""

    @property
    def asks_leases(self) -> bool:
        """Where all processes can be looked into, a lease tells only of writers beyond them, in
        another container, say; else of many, and a plan must know what its steps will meet."""
        return self.leases or self.activity.hidden > 0


def live(
    content: Folder | Entry, path: str, moment: Moment, *, may_shrink: bool = False
) -> Evidence | None:
    """Why the unit at `path` counts as live, or None.

    Cheap signs first; the lease, which opens every file, comes last. `may_shrink` says that
    we may be taking parts of it away ourselves: a file that is gone is then no sign.
    """
    why = (
        _young(content, moment)
        or in_use(content, moment.activity)
        or _written_by_a_process(content, moment)
        or (_leased(content, path, moment, may_shrink) if moment.asks_leases else "")
    )
    return Evidence("live", f"live: {why}") if why else None


def quiet(content: Folder | Entry, moment: Moment) -> Evidence:
    """What was asked of a unit that showed no life."""
    ago = format_duration(moment.now - newest(content))
    asked = "no file open or mapped, " + ("no lease refused, " if moment.asks_leases else "")
    return Evidence("not live", f"{asked}no process works in it; newest write {ago} ago")


def newest(content: Folder | Entry) -> int:
    """mtime of the newest regular file; a folder without files is as old as its folders."""
    if isinstance(content, Entry):
        return content.mtime
    time = max(folder.newest for folder in content.walk())
    return time or max(each.entry.mtime for each in content.walk())


def _young(content: Folder | Entry, moment: Moment) -> str:
    quiet = moment.now - newest(content)
    if quiet >= moment.grace:
        return ""
    grace = format_duration(moment.grace)
    return f"newest write {format_duration(max(quiet, 0))} ago (grace {grace})"


def in_use(content: Folder | Entry, seen: Activity) -> str:
    """Which process holds something of the unit, or works in it; "" where none does."""
    return next((seen.holders[inode] for inode in inodes(content) if inode in seen.holders), "")


def inodes(content: Folder | Entry) -> Iterator[Inode]:
    """Every inode in the unit: files, folders and pipes alike."""
    if isinstance(content, Entry):
        yield content.dev, content.ino
        return
    for folder in content.walk():
        for entry in (folder.entry, *folder.files.values(), *folder.others.values()):
            yield entry.dev, entry.ino


def _written_by_a_process(content: Folder | Entry, moment: Moment) -> str:
    """TensorBoard and W&B leave the pid of the writer, which may hold no file open."""
    if isinstance(content, Entry):
        return ""
    last_write = newest(content)
    for what, pid in _writers(content, moment.base):
        if pid is None:
            if moment.now - last_write < FOREIGN_GRACE:
                return f"{what}, and it was written to within a day"
        elif _started_before(pid, last_write):
            return f"{what}, and that process is still running"
    return ""


def _writers(content: Folder, base: Path) -> Iterator[tuple[str, int | None]]:
    """Who the file names say is writing; no pid where that is another host's."""
    here = socket.gethostname()
    for folder in content.walk():
        for name in folder.files:
            if match := _TFEVENTS.fullmatch(name):
                local = match["host"] == here
                what = f"{name} names pid {match['pid']}" + (
                    "" if local else f" on {match['host']}"
                )
                yield what, int(match["pid"]) if local else None
        if (pid := wandb.writer_pid(folder, base)) is not None:
            yield f"W&B's debug.log names pid {pid}", pid


def _started_before(pid: int, moment: int) -> bool:
    """Whether the process lives and is old enough to have made that write.

    Process ids are reused: one that started after the last write is somebody else.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return False
    started = (
        time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
    )
    return started <= moment / 1e9 + 1


def _leased(content: Folder | Entry, path: str, moment: Moment, may_shrink: bool) -> str:
    """Ask for a read lease on every file: the kernel refuses while anyone may write to it."""
    hidden = moment.activity.hidden
    for name, refused in _refusals(content, path, os.fspath(moment.base)):
        if refused == errno.EAGAIN:
            return f"{name} is open for writing"
        if hidden and not (refused == errno.ENOENT and may_shrink):
            return (
                f"unknown: no lease on {name} ({os.strerror(refused)}), and {hidden} "
                "processes of other users can't be looked into"
            )
    return ""


def _refusals(content: Folder | Entry, path: str, base: str) -> Iterator[tuple[str, int]]:
    """The files on which no lease is given, each with the error number."""
    if isinstance(content, Entry):
        above, _, name = path.rpartition("/")
        yield from _refused_in(base, above, [name])
    else:
        for folder in content.walk():
            if folder.files:
                yield from _refused_in(base, folder.path, folder.files)


def _refused_in(base: str, folder: str, names: Iterable[str]) -> Iterator[tuple[str, int]]:
    """The same for files of one folder: opened from there, each by its name alone."""
    try:
        fd = _opened(f"{base}/{folder}")
    except OSError as error:
        code = error.errno or errno.EIO
        yield from ((f"{folder}/{name}", code) for name in names)
        return
    try:
        for name in names:
            if refused := lease(name, fd):
                yield f"{folder}/{name}", refused
    finally:
        os.close(fd)


def _opened(folder: str) -> int:
    """Open a folder, whose path may be longer than the kernel takes at once."""
    fd = None
    while True:
        cut = folder.rfind("/", 1, _AT_ONCE) if len(folder) > _AT_ONCE else len(folder)
        try:
            inner = os.open(folder[:cut], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
        finally:
            if fd is not None:
                os.close(fd)
        fd, folder = inner, folder[cut + 1 :]
        if not folder:
            return fd


_AT_ONCE = 1000
"""Characters of a path: each may be four bytes, and 4,096 are too many."""


def lease(name: str, folder: int | None = None) -> int:
    """0 where nobody has the file open for writing, else the error number.

    Closing the file gives the lease back. Only regular files have leases: what is none any
    more is refused by the kernel itself, and ``O_NONBLOCK`` lets no pipe hold us up.
    """
    try:
        fd = os.open(name, _FOR_LEASE, dir_fd=folder)
    except OSError as error:
        return error.errno or errno.EIO
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno or errno.EIO
    finally:
        os.close(fd)
    return 0


_FOR_LEASE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def ignore_lease_breaks() -> None:
    """A writer that opens a file in the microseconds of our lease makes the kernel send
    SIGIO, which would end us. Signals can only be set in the main thread."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGIO, signal.SIG_IGN)
