"""Read an archive back, and compare every name, attribute and byte with its manifest.

The manifest leads: what the archive holds must be exactly what stands there, in the same
order. Whatever differs, the archive is damaged, and the first difference is named.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from hashlib import sha256
from typing import BinaryIO, NamedTuple

from artifact_janitor.apply.archive import tar
from artifact_janitor.apply.archive.flow import Expanded, ahead
from artifact_janitor.apply.archive.manifest import FILE, LINK, Manifest, Member, sum_line
from artifact_janitor.apply.archive.pack import Tick, zeros
from artifact_janitor.errors import ArchiveError

Pieces = Iterator[bytes | memoryview]


class Files(NamedTuple):
    """What an archive consists of, open to be read."""

    archive: BinaryIO
    manifest: BinaryIO
    sums: BinaryIO

    def rewind(self) -> None:
        for file in self:
            file.seek(0)


def check(files: Files, tick: Tick = lambda _: None) -> Manifest:
    """Read all of it; the manifest as it was read. Raises ArchiveError with the first thing
    that is not as it should be."""
    files.rewind()
    manifest = Manifest(files.manifest)
    with closing(contents(files.archive.fileno(), manifest)) as members:
        for member, content in members:
            tick(0)
            for piece in content:
                tick(len(piece))
            line = sum_line(member) if member.sha256 else b""
            if files.sums.read(len(line)) != line:
                raise ArchiveError(f"{member.path!r:.200} has another digest in the list")
    if files.sums.read(1):
        raise ArchiveError("the list of digests goes on after its end")
    return manifest


def contents(fd: int, manifest: Manifest) -> Generator[tuple[Member, Pieces]]:
    """Every member with its stored content, to be read before the next member is asked for.

    A digest is compared as soon as a content is over, the sums of all at the end.
    """
    expanded = Expanded(fd)
    members, content = 0, 0
    with closing(ahead(expanded.chunks())) as chunks:
        stream = tar.Stream(chunks)
        for member in manifest.members():
            _same(member, tar.next_member(stream))
            stored = _content(member, stream)
            yield member, stored
            for _ in stored:
                pass  # whoever asked had no use for it
            stream.take(-member.stored % tar.BLOCK)
            members += 1
            content += member.size if member.type == FILE else 0
        if tar.next_member(stream) is not None:
            raise ArchiveError("the archive holds more than its manifest names")
        stream.must_end()
    end = manifest.end
    found = (members, content, expanded.size, expanded.digest)
    if end is None or found != (
        end.members,
        end.content,
        end.archive_bytes,
        end.archive_sha256,
    ):
        raise ArchiveError("the archive is not the file that its manifest was written for")


def _same(member: Member, found: Member | None) -> None:
    """Of a link the tar tells neither size nor digest, of a file no digest."""
    if found is None:
        raise ArchiveError(f"{member.path!r:.200} is not in the archive")
    known = member._replace(sha256="", size=0 if member.type == LINK else member.size)
    if found != known:
        pairs = zip(Member._fields, known, found, strict=True)
        field = next(name for name, old, new in pairs if old != new)
        raise ArchiveError(f"{member.path!r:.200} has another {field} in the archive")


def _content(member: Member, stream: tar.Stream) -> Pieces:
    if member.type != FILE:
        return
    digest = sha256()
    at = 0
    for start, length in ((0, member.size),) if member.sparse is None else member.sparse:
        zeros(start - at, digest.update)
        for piece in stream.pieces(length):
            digest.update(piece)
            yield piece
        at = start + length
    zeros(member.size - at, digest.update)
    if digest.hexdigest() != member.sha256:
        raise ArchiveError(f"{member.path!r:.200} has another content in the archive")
