"""What the kernel itself has in use: mounts, layers of overlays, loop devices, bound sockets.

No process need hold any of it open. All of it is told by paths, which are asked for their
inodes; but none below a filesystem that may never answer.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from artifact_janitor.mounts import is_remote, unescape

Inode = tuple[int, int]
Use = tuple[Inode, str]
"""An inode that is in use, and how."""

_MOUNT = re.compile(rb"^\d+ \d+ (\S+) (\S+) (\S+) .* - (\S+) \S* (\S+)$", re.MULTILINE)
_LAYERS = re.compile(rb"(?:^|,)(lowerdir|lowerdir\+|datadir\+|upperdir|workdir)=([^,]*)")
_BETWEEN = re.compile(rb"(?<!\\):+")
"""Between the lower layers of one overlay; a colon in a name has a backslash before it."""


def inode_at(path: str | bytes) -> Iterator[Inode]:
    """What a path leads to; nothing where that ended, or lies on a broken mount."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return
    yield status.st_dev, status.st_ino


class _Mount(NamedTuple):
    """See proc(5). `root` is the folder of the filesystem that is mounted at `point`."""

    device: bytes
    root: bytes
    point: bytes
    type: bytes
    options: bytes

    @property
    def may_hang(self) -> bool:
        return self.type == b"autofs" or is_remote(os.fsdecode(self.type))

    def place(self, root: bytes) -> bytes | None:
        """Where a folder of the same filesystem is found by this mount."""
        here = self.root.rstrip(b"/")
        return self.point.rstrip(b"/") + root[len(here) :] if _within(root, here) else None


class Views:
    """The mounts that each process sees. Most see the same, which is read once."""

    def __init__(self) -> None:
        self._known: set[tuple[str, Inode]] = set()
        self._resolved: set[tuple[bytes, bytes]] = set()
        self._here = _mounts("/proc/self")
        self._closed = _closed(self._here)

    def ours(self) -> Iterator[Use]:
        for root in inode_at("/"):
            yield from self.of("/proc/self", root, "")

    def of(self, proc: str, root: Inode, who: str) -> Iterator[Use]:
        """What is mounted for a process that has this root, unless that is known."""
        key = _namespace(proc), root
        if key not in self._known:
            self._known.add(key)
            mounts = _mounts(proc)
            yield from self._bound(mounts, who)
            yield from self._layers(mounts, proc, who)

    def _bound(self, mounts: Iterable[_Mount], who: str) -> Iterator[Use]:
        """Folders and files that have a mount of their own: a container's volumes, say. A whole
        filesystem lies in no unit of ours."""
        for mount in mounts:
            key = mount.device, mount.root
            if mount.root != b"/" and key not in self._resolved and not mount.may_hang:
                self._resolved.add(key)
                how = f"{who} has it mounted" if who else "it is mounted"
                for place in self._places(mount):
                    for inode in _open_to_us(place, self._closed):
                        yield inode, f"{how} at {os.fsdecode(mount.point)}"

    def _places(self, mount: _Mount) -> Iterator[bytes]:
        """Where we find it ourselves, whoever mounted it where."""
        for each in self._here:
            if each.device == mount.device and (place := each.place(mount.root)):
                yield place

    def _layers(self, mounts: Iterable[_Mount], proc: str, who: str) -> Iterator[Use]:
        """Their paths are those of whoever mounted the overlay: here, or where it is seen."""
        views = [(b"", self._closed)]
        if who:
            views.append((os.fsencode(f"{proc}/root"), _closed(mounts)))
        for mount in mounts:
            if mount.type == b"overlay":
                how = f"the overlay at {os.fsdecode(mount.point)} lies on it"
                for layer in _paths(mount.options):
                    for root, closed in views:
                        for inode in _open_to_us(layer, closed, root):
                            yield inode, how

    def loops(self) -> Iterator[Use]:
        """Files that are block devices, mounted or not."""
        for name in _listed("/sys/block"):
            path = _line(f"/sys/block/{name}/loop/backing_file") if name[:4] == "loop" else b""
            for inode in _open_to_us(path, self._closed):
                yield inode, f"/dev/{name} is made of it"

    def sockets(self) -> Iterator[tuple[Inode, Inode]]:
        """Unix sockets that are bound to a file: which socket, which file."""
        try:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as asked:
                asked.settimeout(1)
                device = os.fstat(asked.fileno()).st_dev
                asked.send(_QUESTION)
                for number, name, file in _answers(asked):
                    for each in (file, *_open_to_us(name, self._closed)):
                        yield (device, number), each
        except OSError:
            return  # this kernel doesn't tell


def _namespace(proc: str) -> str:
    try:
        return os.readlink(f"{proc}/ns/mnt")
    except OSError:
        return ""  # not every kernel has them


def _mounts(proc: str) -> list[_Mount]:
    try:
        with open(f"{proc}/mountinfo", "rb") as file:
            found = _MOUNT.findall(file.read())
    except OSError:
        return []
    return [
        _Mount(device, unescape(root), unescape(point), kind, options)
        for device, root, point, kind, options in found
    ]


def _closed(mounts: Iterable[_Mount]) -> tuple[bytes, ...]:
    return tuple(each.point for each in mounts if each.may_hang)


def _open_to_us(path: bytes, closed: Iterable[bytes], root: bytes = b"") -> Iterator[Inode]:
    if path.startswith(b"/") and not any(_within(path, point) for point in closed):
        yield from inode_at(root + path)


def _within(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder + b"/")


def _paths(options: bytes) -> Iterator[bytes]:
    """The layers in the options of an overlay. One that is not absolute leads nowhere."""
    for name, value in _LAYERS.findall(options):
        path = unescape(value)
        for each in _BETWEEN.split(path) if name == b"lowerdir" else [path]:
            yield each if name.endswith(b"+") else re.sub(rb"\\(.)", rb"\1", each)


def _line(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()[:-1]
    except OSError:
        return b""


def _listed(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


_SOCK_DIAG = 4
_HEAD = struct.Struct("=IHHII")
"""Of a message: length, type, flags, number, port."""
_REQUEST = struct.Struct("=BBHIIIII")
_SOCKET = struct.Struct("=BBBBIII")
_ATTRIBUTE = struct.Struct("=HH")
_FILE = struct.Struct("=II")
_NAME, _VFS = 0, 1
_QUESTION = _HEAD.pack(_HEAD.size + _REQUEST.size, 20, 0x301, 1, 0) + _REQUEST.pack(
    socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, 1 << _NAME | 1 << _VFS, 0, 0
)
"""All Unix sockets of our network, whatever their state, with name and file: sock_diag(7)."""


def _answers(asked: socket.socket) -> Iterator[tuple[int, bytes, Inode]]:
    """Each bound socket's number, its name, and its file as the kernel knows it: a name is
    often relative, or another file's by now."""
    while True:
        said = asked.recv(1 << 20)
        at = 0
        while at < len(said):
            length, kind, *_ = _HEAD.unpack_from(said, at)
            if kind != 20:
                return  # all was said, or an error
            number = _SOCKET.unpack_from(said, at + _HEAD.size)[4]
            about = dict(_attributes(said[at + _HEAD.size + _SOCKET.size : at + length]))
            if _VFS in about:
                inode, device = _FILE.unpack(about[_VFS])
                file = os.makedev(device >> 20, device & 0xFFFFF), inode
                yield number, about.get(_NAME, b"").rstrip(b"\0"), file
            at += (length + 3) & ~3


def _attributes(said: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(said):
        length, kind = _ATTRIBUTE.unpack_from(said, at)
        yield kind, said[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
