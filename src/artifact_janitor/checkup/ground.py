"""Checks of the ground: folders, filesystems, leases, permissions, room."""

from __future__ import annotations

import errno
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from artifact_janitor import reserve
from artifact_janitor.checkup.check import Found, Place, ok, problem, some, warning
from artifact_janitor.checkup.contents import Contents
from artifact_janitor.mounts import Mount, mount_of
from artifact_janitor.observe.liveness import lease
from artifact_janitor.state import MAKE_ROOM, STATE
from artifact_janitor.units import SECOND, format_duration, format_size, format_when
from artifact_janitor.workplace import store_of

NETWORK = frozenset(
    "nfs nfs4 cifs smb3 smbfs 9p virtiofs lustre ceph gpfs beegfs glusterfs afs ncpfs ocfs2 gfs2"
    " orangefs pvfs2 coda".split()
)
"""Filesystems that other hosts may write to."""
_VOLATILE = ("tmpfs", "ramfs")
_LEAST = 0.05
"""The share of a disk's bytes and inodes below which it counts as full."""


def folders(place: Place) -> Iterator[Found]:
    """Which of the configured folders are there, and where links lead."""
    for root in (*place.roots, *place.studies):
        path = os.path.join(place.base, root)
        real = os.path.realpath(path)
        if real != os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)):
            hint = "that is allowed, as long as what it leads to is the project's alone"
            yield warning(f"{root} is a symlink to {real}", hint, root)
    if place.roots:
        yield ok(f"there are {', '.join((*place.roots, *place.studies))}")
    else:
        roots = ", ".join(place.settings.folders.retention)
        hint = "name the folders of your runs in config.toml, or start in the project's folder"
        yield warning(f"none of the folders is here: {roots}", hint)


def filesystems(place: Place) -> Iterator[Found]:
    """What each place lies on."""
    seen: dict[str, list[str]] = {}
    for name, real in place.grounds.items():
        mount = mount_of(real)
        if mount is None:
            hint = "is /proc mounted? Until then filesystems in a run can't be seen"
            yield warning("the kernel doesn't say what is mounted where", hint)
            return
        where = "the workspace" if name == "." else name
        seen.setdefault(f"{mount.type} ({mount.point})", []).append(where)
        yield from _doubts(name, mount)
    yield ok(" · ".join(f"{', '.join(names)} on {what}" for what, names in seen.items()))
    if len(seen) > 1:
        yield ok(f"what goes stays on its filesystem: each has its own {STATE}/trash")


def _doubts(name: str, mount: Mount) -> Iterator[Found]:
    where = "the workspace" if name == "." else name
    if mount.read_only:
        what = f"{where} is read-only: {mount.point}"
        hint = f"mount -o remount,rw {mount.point}"
        own = name in (".", STATE)
        yield problem(what, hint, name) if own else warning(what, hint, name)
    if is_remote(mount):
        what = (
            f"{where} is on {mount.type}: a writer on another host leaves no trace here, changes "
            "are looked for every few seconds, and locks and renames may not be atomic"
        )
        hint = "leave grace at a day or more, and run one janitor, where the training runs"
        yield warning(what, hint, name)
    if mount.type in _VOLATILE:
        what = f"{where} is on {mount.type}: it is gone with the next reboot, its trash too"
        yield warning(what, "keep nothing there that matters", name)


def is_remote(mount: Mount) -> bool:
    """Whether it may change without this kernel knowing."""
    return mount.type in NETWORK or mount.type.startswith("fuse")


def leases(place: Place) -> Iterator[Found]:
    """Whether the kernel says who has a file open for writing."""
    enabled = Path("/proc/sys/fs/leases-enable")
    if enabled.exists() and enabled.read_text("ascii").strip() == "0":
        hint = "sysctl fs.leases-enable=1"
        yield warning("leases are switched off: a writer of another user can't be seen", hint)
        return
    works = []
    for root in place.roots:
        answers = {lease(os.path.join(place.base, each)) for each in place.contents[root].samples}
        if answers & {0, errno.EAGAIN}:
            works.append(root)
        elif refused := answers - {errno.ENOENT, errno.EACCES}:
            what = f"no leases on {root} ({os.strerror(refused.pop())})"
            hint = "only open files of our own processes are seen there; leave grace at a day"
            yield warning(what, hint, root)
    if works:
        yield ok(f"work on {', '.join(works)}")
    elif not place.roots or not any(each.samples for each in place.contents.values()):
        yield ok("no file of ours to ask for one")


def permissions(place: Place) -> Iterator[Found]:
    """What we may not read, move, or ask about; the daemon, too, where it is another user."""
    doubts = [*_of_workspace(place), *_of_store(place), *_of_owner(place)]
    yield from doubts
    for root, found in place.contents.items():
        if found.shut:
            what = f"we may not change {some(found.shut, 'folder')} in {root}: {found.a_shut}"
            yield warning(f"{what}; what they hold stays", "run as their owner, or as root", root)
        if found.foreign:
            what = f"another user's: {some(found.foreign, 'file')} in {root}, {found.a_foreign}"
            hint = "run as their owner, or as root: what holds them may stay, as unknown"
            yield warning(what, hint, root)
        if found.unreadable:
            hint = "run as their owner, or root"
            yield warning(f"{_unread(root, found)}; what can't be seen stays", hint, root)
    for root, found in place.studies.items():
        if found.unreadable:
            hint = given_to(place, found.an_unreadable)
            what = f"{_unread(root, found)}: studies in there are never trained"
            yield warning(what, hint, found.an_unreadable)
    counts, studies = place.contents.values(), place.studies.values()
    may_not = doubts or any(each.shut or each.foreign for each in counts)
    if not may_not and not any(each.unreadable for each in (*counts, *studies)):
        who, files = user(os.geteuid()), some(sum(c.files for c in counts), "file")
        yield ok(f"{who} may move all that is there: {files}")


def _unread(root: str, found: Contents) -> str:
    return f"can't be read: {some(found.unreadable, 'folder')} in {root}, {found.an_unreadable}"


def given_to(place: Place, path: str) -> str:
    """What root types so that they can read a path who are to read it."""
    return f"as root: chown -R {reader(place)} {quote(os.path.join(place.base, path))}"


def reader(place: Place) -> str:
    """Whoever looks here; where that is root, the daemon, which runs as the workspace's owner."""
    return user(os.geteuid() or os.stat(place.base).st_uid)


def _of_workspace(place: Place) -> Iterator[Found]:
    """Root may do all of it, but not on a filesystem that is read-only."""
    own = place.state.folder
    target = own if own.is_dir() else place.settings.workspace
    if not os.access(target, os.W_OK | os.X_OK, effective_ids=True):
        what = f"{target} can't be written to: there is no place for the journal and the trash"
        yield problem(what, "check its owner and mode, or run as its owner", str(target))


def _of_store(place: Place) -> Iterator[Found]:
    store = store_of(place.settings).place
    if store.is_dir() and not os.access(store, os.W_OK | os.X_OK, effective_ids=True):
        what = f"the archives' folder {store} can't be written to by {user(os.geteuid())}"
        yield warning(f"{what}: nothing is archived", "run as its owner, or root", str(store))


def _of_owner(place: Place) -> Iterator[Found]:
    """Root may do all; the daemon and what it trains run as the workspace's owner."""
    owner = os.stat(place.base)
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for name in (STATE, *place.roots):
        try:
            status = os.stat(os.path.join(place.base, name))
        except OSError:
            continue  # there is none
        if not may(status, owner, 0o3):
            who = user(owner.st_uid)
            what = f"{name} belongs to {user(status.st_uid)}: a daemon that runs as {who}, as the"
            what = f"{what} owner of the workspace, may change nothing in it"
            yield warning(what, f"chown -R {who} {os.path.join(place.base, name)}", name)


def may(status: os.stat_result, owner: os.stat_result, what: int) -> bool:
    """Read (4), write (2), enter (1), or several of them: by mode alone, of the groups only the
    owner's first. What ACLs say nobody asks here."""
    shift = 3 if status.st_gid == owner.st_gid else 0
    wanted = what << (6 if status.st_uid == owner.st_uid else shift)
    return status.st_mode & wanted == wanted


def user(uid: int) -> str:
    """A name, as `chown` takes it, or the number that has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def disk(place: Place) -> Iterator[Found]:
    """Room for bytes, and for files: each rename into the trash may take a folder."""
    seen: dict[int, str] = {}
    for name, real in place.grounds.items():
        try:
            device, status = os.stat(real).st_dev, os.statvfs(real)
        except OSError:
            continue  # it went while we looked
        if device in seen:
            continue
        seen[device] = name
        free, total = status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize
        where = "the workspace" if name == "." else name
        if total and free < _LEAST * total:
            what = f"{format_size(free)} of {format_size(total)} free on the disk of {where}"
            yield warning(what, "janitor du, janitor plan", name)
        elif status.f_files and status.f_favail < _LEAST * status.f_files:
            what = f"{status.f_favail} of {status.f_files} inodes free on the disk of {where}"
            yield warning(what, "janitor plan: runs of many small files take them", name)
        else:
            inodes = f", {status.f_favail} inodes" if status.f_files else ""
            yield ok(f"{format_size(free)}{inodes} free on the disk of {where}", name)
    own = place.state.folder if place.state.folder.is_dir() else place.settings.workspace
    if reserve.is_short(own) and not reserve.is_there(own):
        what = "there is no room for the journal, and no reserve for it in .janitor yet"
        yield warning(what, MAKE_ROOM, STATE)


def future(place: Place) -> Iterator[Found]:
    """Files from the future: either their clock was wrong, or ours is."""
    for root, found in place.contents.items():
        if found.newest > place.now + 60 * SECOND:
            ahead = format_duration(found.newest - place.now)
            what = f"{found.the_newest} is dated {ahead} in the future"
            hint = f"date, which says {format_when(place.now, 0)}; if that is right: touch the file"
            yield warning(f"{what}: it stays until then", hint, root)
