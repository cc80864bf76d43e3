"""Write one unit into an archive, as one stream: read, hash, compress, write.

The unit is read once. The memory that this takes depends on the window and the number of
threads, not on the unit: of what was read, only the inodes that have several names are kept.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from hashlib import sha256

from artifact_janitor.apply.archive import source, tar
from artifact_janitor.apply.archive.manifest import (
    FILE,
    FOLDER,
    LINK,
    PIPE,
    SYMLINK,
    Member,
    Pieces,
    Writer,
)
from artifact_janitor.apply.archive.source import CHUNK, Found, Seen
from artifact_janitor.errors import StepSkipped

Tick = Callable[[int], None]
"""Called with the number of bytes that were just read."""

_ZEROS = bytes(CHUNK)
_TYPES = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: FOLDER,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFIFO: PIPE,
}


class Packer:
    """Turns names on the disk into the bytes of a tar, and notes them in the manifest."""

    def __init__(self, manifest: Writer, tick: Tick) -> None:
        self.seen = Seen()
        self._manifest = manifest
        self._tick = tick
        self._firsts: dict[tuple[int, int], tuple[Member, tuple[int, ...]]] = {}

    def chunks(self, found: Iterable[Found]) -> Generator[bytes]:
        """The tar, in chunks of about `CHUNK` bytes. Raises StepSkipped where something
        changes while it is read."""
        small: list[bytes] = []
        size = 0
        for piece in self._pieces(found):
            small.append(piece)
            size += len(piece)
            if size >= CHUNK:
                yield b"".join(small) if len(small) > 1 else piece
                small, size = [], 0
        yield b"".join(small)

    def _pieces(self, every: Iterable[Found]) -> Iterator[bytes]:
        for found in every:
            self.seen.note(found)
            if stat.S_ISREG(found.status.st_mode):
                yield from self._file(found)
                continue
            member = _member(found)
            if member.type == SYMLINK:
                member = member._replace(target=_target(found))
            yield tar.header(member)
            self._manifest.add(member)
        yield tar.END

    def _file(self, found: Found) -> Iterator[bytes]:
        status = found.status
        inode = (status.st_dev, status.st_ino)
        if inode in self._firsts:
            yield self._link(found, *self._firsts[inode])
            return
        fd = source.open_file(found)
        try:
            member = _member(found, source.xattrs(fd, found.path), source.pieces(fd, status))
            yield tar.header(member)
            digest = sha256()
            yield from _content(fd, member, digest.update, self._tick)
            yield tar.padding(member.stored)
            if source.marks(os.fstat(fd)) != source.marks(status):
                raise StepSkipped(f"{found.path} changed while it was archived")
        except OSError as error:
            raise source.unreadable(found.path, error) from error
        finally:
            os.close(fd)
        member = member._replace(sha256=digest.hexdigest())
        if status.st_nlink > 1:
            self._firsts[inode] = member, source.marks(status)
        self._manifest.add(member)

    def _link(self, found: Found, first: Member, marks: tuple[int, ...]) -> bytes:
        """A further name of a file that was read under its first."""
        if source.marks(found.status) != marks:
            raise StepSkipped(f"{found.path} changed while it was archived")
        link = first._replace(path=found.path, type=LINK, target=first.path, xattrs=(), sparse=None)
        self._manifest.add(link)
        return tar.header(link)


def _member(
    found: Found, xattrs: source.Xattrs | None = None, sparse: Pieces | None = None
) -> Member:
    status = found.status
    kind = _TYPES[stat.S_IFMT(status.st_mode)]
    return Member(
        found.path,
        kind,
        stat.S_IMODE(status.st_mode),
        status.st_mtime_ns,
        status.st_size if kind == FILE else 0,
        status.st_uid,
        status.st_gid,
        found.xattrs if xattrs is None else xattrs,
        sparse,
    )


def _target(found: Found) -> str:
    try:
        return os.readlink(found.name, dir_fd=found.around)
    except OSError as error:
        raise source.unreadable(found.path, error) from error


def _content(fd: int, member: Member, seen: Callable[[bytes], None], tick: Tick) -> Iterator[bytes]:
    """What is stored of a file; `seen` gets its holes too."""
    end = 0
    for start, length in ((0, member.size),) if member.sparse is None else member.sparse:
        zeros(start - end, seen)
        end = start + length
        at = start
        while at < end:
            chunk = os.pread(fd, min(CHUNK, end - at), at)
            if not chunk:
                raise StepSkipped(f"{member.path} changed while it was archived")
            seen(chunk)
            yield chunk
            at += len(chunk)
            tick(len(chunk))
    zeros(member.size - end, seen)


def zeros(count: int, seen: Callable[[bytes], None]) -> None:
    """A hole, as a digest sees it."""
    while count > 0:
        seen(_ZEROS if count >= CHUNK else _ZEROS[:count])
        count -= CHUNK
