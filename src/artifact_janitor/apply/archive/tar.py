"""The members of a pax tar (POSIX.1-2001), as GNU tar, libarchive and Python read them.

The standard library's ``tarfile`` takes most of an archive's time, loses attributes, fills
sparse files and rounds times, so the few record types that we need are written and read
here. Sparse files are in GNU's format 1.0, attributes stand under ``SCHILY.xattr.``. A name
that is not UTF-8 stands there as it is, which is what GNU tar does: it doesn't know pax's
``hdrcharset``, and complains.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from artifact_janitor.apply.archive.manifest import (
    FILE,
    FOLDER,
    LARGEST,
    LINK,
    PIPE,
    SYMLINK,
    Member,
    Pieces,
)
from artifact_janitor.errors import ArchiveError

BLOCK = 512
END = bytes(2 * BLOCK)

_FLAGS = {FILE: b"0", LINK: b"1", SYMLINK: b"2", FOLDER: b"5", PIPE: b"6"}
_TYPES = {flag: name for name, flag in _FLAGS.items()}
_EXTENDED = b"x"
_NANO = 10**9
_MAGIC = b"ustar\x0000"
_XATTR = b"SCHILY.xattr."
_HOLDER = b"GNUSparseFile.0"
"""The folder that a tar without sparse files would put the raw pieces into."""
_LARGEST_RECORDS = 64 << 20


# ------------------------------------------------------------------- writing


def header(member: Member) -> bytes:
    """All blocks before a member's content: pax records where they are needed, the header,
    and the map of a sparse file."""
    name = os.fsencode(member.path)
    shown = _holder(name) if member.sparse is not None else name
    if member.type == FOLDER:
        shown += b"/"
    link, pieces = os.fsencode(member.target), _map(member.sparse, member.size)
    size = member.stored + len(pieces)  # 0 for all but files
    records = [*_records(member, name, shown, link, size)]
    return b"".join((*_extension(records), _block(member, shown, link, size), pieces))


def _holder(name: bytes) -> bytes:
    folder, _, last = name.rpartition(b"/")
    return b"/".join(filter(None, (folder, _HOLDER, last)))


def _records(
    member: Member, name: bytes, shown: bytes, link: bytes, size: int
) -> Iterator[tuple[bytes, bytes]]:
    """What the fixed fields of a header can't hold."""
    if len(shown) > 100 or not shown.isascii():
        yield b"path", shown
    if len(link) > 100 or not link.isascii():
        yield b"linkpath", link
    seconds, rest = divmod(member.mtime_ns, _NANO)
    if rest or not 0 <= seconds < 8**11:
        yield b"mtime", _decimal(member.mtime_ns)
    for field, number, most in (
        (b"size", size, 8**11),
        (b"uid", member.uid, 8**7),
        (b"gid", member.gid, 8**7),
    ):
        if number >= most:
            yield field, b"%d" % number
    if member.sparse is not None:
        yield b"GNU.sparse.major", b"1"
        yield b"GNU.sparse.minor", b"0"
        yield b"GNU.sparse.name", name
        yield b"GNU.sparse.realsize", b"%d" % member.size
    for key, value in member.xattrs:
        yield _XATTR + _quoted(os.fsencode(key)), value


def _decimal(ns: int) -> bytes:
    """Seconds with all nine digits, negative ones too."""
    sign = b"-" if ns < 0 else b""
    return sign + b"%d.%09d" % divmod(abs(ns), _NANO)


def _quoted(key: bytes) -> bytes:
    """GNU tar's way to write an attribute's name that holds what ends a keyword."""
    return key.replace(b"%", b"%25").replace(b"=", b"%3D")


def _extension(records: list[tuple[bytes, bytes]]) -> Iterator[bytes]:
    if not records:
        return
    body = b"".join(_record(key, value) for key, value in records)
    yield _fields(b"PaxHeaders/next", 0o644, 0, 0, len(body), 0, _EXTENDED, b"")
    yield body
    yield bytes(-len(body) % BLOCK)


def _record(key: bytes, value: bytes) -> bytes:
    """ "LENGTH KEY=VALUE\\n"; the length counts itself."""
    rest = len(key) + len(value) + 3
    length = rest + len(b"%d" % rest)
    length = rest + len(b"%d" % length)
    return b"%d %s=%s\n" % (length, key, value)


def _block(member: Member, shown: bytes, link: bytes, size: int) -> bytes:
    seconds = member.mtime_ns // _NANO
    return _fields(
        shown[:100] if shown.isascii() else b"PaxHeaders/named",
        member.mode,
        member.uid if member.uid < 8**7 else 0,
        member.gid if member.gid < 8**7 else 0,
        size if size < 8**11 else 0,
        seconds if 0 <= seconds < 8**11 else 0,
        _FLAGS[member.type],
        link[:100] if link.isascii() else b"",
    )


def _fields(  # noqa: PLR0913 - a header has this many
    name: bytes, mode: int, uid: int, gid: int, size: int, mtime: int, flag: bytes, link: bytes
) -> bytes:
    head = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        name.ljust(100, b"\0"),
        mode,
        uid,
        gid,
        size,
        mtime,
    )
    tail = b"%s%s%s" % (flag, link.ljust(100, b"\0"), _MAGIC)
    total = sum(head) + sum(tail) + 8 * 32
    return b"%s%06o\0 %s" % (head, total, tail) + bytes(BLOCK - len(head) - 8 - len(tail))


def _map(pieces: Pieces | None, size: int) -> bytes:
    """Count, then offset and length of each piece, in decimal lines, padded to a block.

    A file that ends with a hole gets an empty piece at its end, as GNU tar wants it.
    """
    if pieces is None:
        return b""
    end = pieces[-1][0] + pieces[-1][1] if pieces else 0
    every = pieces if end == size else (*pieces, (size, 0))
    numbers = [len(every), *(number for piece in every for number in piece)]
    text = b"".join(b"%d\n" % number for number in numbers)
    return text + bytes(-len(text) % BLOCK)


def padding(size: int) -> bytes:
    """What fills the last block of a content."""
    return bytes(-size % BLOCK)


# ------------------------------------------------------------------- reading


class Stream:
    """Bytes that come in chunks of any size."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._chunk = b""
        self._at = 0

    def take(self, size: int) -> bytes:
        """Exactly so many bytes. Raises ArchiveError where there are fewer."""
        end = self._at + size
        if end <= len(self._chunk):
            found = self._chunk[self._at : end]
            self._at = end
            return found
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[bytes | memoryview]:
        """The same in pieces, as they come."""
        while size:
            if self._at == len(self._chunk):
                self._chunk, self._at = next(self._chunks, b""), 0
                if not self._chunk:
                    raise ArchiveError("the archive ends too early")
            piece = memoryview(self._chunk)[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            yield piece

    def must_end(self) -> None:
        """Nothing follows: we write no more zeros than the end of a tar needs."""
        if self._at < len(self._chunk) or next(self._chunks, b""):
            raise ArchiveError("the archive goes on after its end")


def next_member(stream: Stream) -> Member | None:
    """The next header as a member without size and digest where the tar doesn't tell them;
    None at the end. Its content follows in the stream: read it, and its padding.

    Raises ArchiveError for what this program never writes.
    """
    block = stream.take(BLOCK)
    records: dict[bytes, bytes] = {}
    if block[156:157] == _EXTENDED:
        size = _octal(_sound(block), 124, 12)
        if size > _LARGEST_RECORDS:
            raise ArchiveError("the archive holds a header without measure")
        records = _parsed(stream.take(size))
        stream.take(-size % BLOCK)
        block = stream.take(BLOCK)
    if not any(block):
        if records or any(stream.take(BLOCK)):
            raise ArchiveError("the archive ends in mid-member")
        return None
    return _member(_sound(block), records, stream)


def _sound(block: bytes) -> bytes:
    total = sum(block) - sum(block[148:156]) + 8 * 32
    if block[257:265] != _MAGIC or _octal(block, 148, 8) != total:
        raise ArchiveError("the archive holds a damaged header, or is no tar of ours")
    return block


def _octal(block: bytes, at: int, length: int) -> int:
    text = block[at : at + length].rstrip(b"\0 ")
    if not text or text.strip(b"01234567"):
        raise ArchiveError("the archive holds a header with a number that is none")
    return int(text, 8)


def _parsed(body: bytes) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(body):
        digits, space, _ = body[at : at + 12].partition(b" ")
        end = at + int(digits) if space and digits.isdigit() else 0
        key, equals, value = body[at + len(digits) + 1 : end - 1].partition(b"=")
        if end > len(body) or not equals or body[end - 1 : end] != b"\n" or key in records:
            raise ArchiveError("the archive holds a damaged extended header")
        records[key] = value
        at = end
    return records


def _member(block: bytes, records: dict[bytes, bytes], stream: Stream) -> Member:
    kind = _TYPES.get(block[156:157])
    if kind is None:
        raise ArchiveError(f"the archive holds a member of type {block[156:157]!r}: refused")
    path = records.get(b"path") or block[:100].rstrip(b"\0")
    if kind == FOLDER:
        path = path.removesuffix(b"/")
    size, pieces = _number(records, b"size", block, 124), None
    if b"GNU.sparse.major" in records:
        pieces = _unmapped(stream)
        path, size = records.get(b"GNU.sparse.name", b""), _whole(records, b"GNU.sparse.realsize")
    link = records.get(b"linkpath") or block[157:257].rstrip(b"\0")
    return Member(
        os.fsdecode(path),
        kind,
        _octal(block, 100, 8),
        _moment(records, block),
        size,
        _number(records, b"uid", block, 108, 8),
        _number(records, b"gid", block, 116, 8),
        tuple(
            (os.fsdecode(_plain(key.removeprefix(_XATTR))), value)
            for key, value in records.items()
            if key.startswith(_XATTR)
        ),
        pieces,
        os.fsdecode(link),
    )


def _number(
    records: dict[bytes, bytes], key: bytes, block: bytes, at: int, length: int = 12
) -> int:
    return _whole(records, key) if key in records else _octal(block, at, length)


def _whole(records: dict[bytes, bytes], key: bytes) -> int:
    text = records.get(key, b"")
    if not text.isdigit() or len(text) > 19:
        raise ArchiveError("the archive holds a header with a number that is none")
    return int(text)


def _plain(key: bytes) -> bytes:
    return key.replace(b"%3D", b"=").replace(b"%25", b"%")


def _moment(records: dict[bytes, bytes], block: bytes) -> int:
    """To the nanosecond."""
    if b"mtime" not in records:
        return _octal(block, 136, 12) * _NANO
    text = records[b"mtime"]
    seconds, _, rest = text.removeprefix(b"-").partition(b".")
    if not (seconds + rest).isdigit() or len(seconds) > 12 or len(rest) > 9:
        raise ArchiveError("the archive holds a time that is none")
    found = int(seconds) * _NANO + int(rest.ljust(9, b"0"))
    return -found if text.startswith(b"-") else found


def _unmapped(stream: Stream) -> Pieces:
    """The map before the content of a sparse file."""
    text = stream.take(BLOCK)
    numbers: list[int] = []
    while not numbers or len(numbers) < 1 + 2 * numbers[0]:
        line, newline, rest = text.partition(b"\n")
        if not newline:
            if len(text) > BLOCK:
                raise ArchiveError("the archive holds a damaged map of a sparse file")
            text += stream.take(BLOCK)
            continue
        if not line.isdigit() or len(line) > 19 or int(line) > LARGEST:
            raise ArchiveError("the archive holds a damaged map of a sparse file")
        numbers.append(int(line))
        text = rest
    pairs = zip(numbers[1::2], numbers[2::2], strict=True)
    return tuple((at, length) for at, length in pairs if length)
