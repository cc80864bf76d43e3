"""What an archive holds, and why it was made: JSON lines beside the archive.

The first line tells of the unit, the last one of the archive as a whole, each between them
of one member, in the order of the archive. A name that is not UTF-8 keeps its bytes as lone
surrogate escapes, as in the janitor's other JSON. What is read here is untrusted (S14):
every value is checked, and no line may be longer than `LONGEST`.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, BinaryIO, NamedTuple, Self

from artifact_janitor.errors import ArchiveError

FORMAT = "artifact-janitor archive"
VERSION = 1
LONGEST = 64 << 20
"""Bytes in a line: the map of a sparse file with a million pieces still fits."""
LARGEST = 2**63 - 1

FILE, FOLDER, SYMLINK, LINK, PIPE = TYPES = ("file", "folder", "symlink", "link", "pipe")
"""A link is a further name of a file that came before; a pipe is a FIFO."""

Pieces = tuple[tuple[int, int], ...]
"""Where a sparse file has content: offsets and lengths in bytes."""


class Member(NamedTuple):
    """One name in an archive. Times in nanoseconds, sizes in bytes."""

    path: str
    type: str
    mode: int
    mtime_ns: int
    size: int = 0
    """Apparent, of files and links to them."""
    uid: int = 0
    gid: int = 0
    xattrs: tuple[tuple[str, bytes], ...] = ()
    sparse: Pieces | None = None
    """None where the file has no holes."""
    target: str = ""
    """The text of a symlink; of a link the path of the file's first name."""
    sha256: str = ""
    """Of the content with all its holes, of files and links to them."""

    @property
    def stored(self) -> int:
        """Bytes of content in the archive."""
        if self.type != FILE:
            return 0
        return self.size if self.sparse is None else sum(length for _, length in self.sparse)


@dataclass(frozen=True, slots=True)
class Head:
    """The unit as it was known on the day; `time` its newest write, `made` that of the
    archive, in nanoseconds."""

    unit: str
    kind: str
    time: int
    made: int
    command: str
    bytes: int = 0
    """Allocated on the disk, as it was planned with."""
    reasons: tuple[str, ...] = ()
    evidence: tuple[tuple[str, str], ...] = ()
    """Facts with their sentences: what was known for it and against it, and for and against
    the units in it."""
    models: tuple[str, ...] | None = None
    """The best and final models among the members; None where nobody said."""
    workspace: str = ""
    """The real path of the workspace that made it, and the inode of that folder; "" and 0 where
    nobody said."""
    inode: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """The sums: `content` bytes in `members` names, what the archive's file must be, and the
    digest of all lines of the manifest before this one."""

    members: int
    content: int
    archive_bytes: int
    archive_sha256: str
    lines_sha256: str


class Writer:
    """Writes a manifest, and the list of digests beside it."""

    def __init__(self, file: BinaryIO, sums: BinaryIO, head: Head) -> None:
        self._file = file
        self._sums = sums
        self._seen = sha256()
        self.members = 0
        self.content = 0
        self._line({"format": FORMAT, "version": VERSION, **asdict(head)})

    def add(self, member: Member) -> None:
        self._line(_of_member(member))
        if member.sha256:
            self._sums.write(sum_line(member))
        self.members += 1
        self.content += member.size if member.type == FILE else 0

    def close(self, archive_bytes: int, archive_sha256: str) -> str:
        """Write the last line; the digest of the whole manifest."""
        before = self._seen.hexdigest()
        end = End(self.members, self.content, archive_bytes, archive_sha256, before)
        self._line({"end": asdict(end)})
        return self._seen.hexdigest()

    def _line(self, values: dict[str, Any]) -> None:
        line = json.dumps(values, ensure_ascii=True).encode() + b"\n"
        if len(line) > LONGEST:
            raise ArchiveError(f"{values.get('path')!r} is in too many pieces to be archived")
        self._seen.update(line)
        self._file.write(line)


def _of_member(member: Member) -> dict[str, Any]:
    """Only what isn't plain."""
    values: dict[str, Any] = {
        "path": member.path,
        "type": member.type,
        "mode": f"{member.mode:04o}",
        "mtime_ns": member.mtime_ns,
        "uid": member.uid,
        "gid": member.gid,
    }
    if member.type in (FILE, LINK):
        values |= {"size": member.size, "sha256": member.sha256}
    if member.target:
        values["target"] = member.target
    if member.xattrs:
        values["xattrs"] = {name: b64encode(value).decode() for name, value in member.xattrs}
    if member.sparse is not None:
        values["sparse"] = member.sparse
    return values


def sum_line(member: Member) -> bytes:
    """As ``sha256sum`` writes it: a name with a line break or a backslash is escaped."""
    name = os.fsencode(member.path)
    plain = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    mark = b"" if plain == name else b"\\"
    return mark + member.sha256.encode() + b"  " + plain + b"\n"


class Manifest:
    """A manifest that is being read. Raises ArchiveError where it is none, or not whole."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._seen = sha256()
        self.head = _head(self._line())
        self.end: End | None = None
        """Known once all members were read."""

    def members(self) -> Iterator[Member]:
        """Every member, in the order of the archive; then `end` and `digest` are known."""
        before = self._seen.copy()
        while "end" not in (values := self._line()):
            member = _member(values)
            _check_place(member, self.head.unit)
            yield member
            before = self._seen.copy()
        self.end = _end(values["end"])
        if self.end.lines_sha256 != before.hexdigest():
            raise ArchiveError("the manifest is damaged: its last line was written for others")
        if self._file.read(1):
            raise ArchiveError("the manifest goes on after its last line")

    @property
    def digest(self) -> str:
        """Of all that was read so far."""
        return self._seen.hexdigest()

    def _line(self) -> dict[str, Any]:
        line = self._file.readline(LONGEST + 1)
        if not line.endswith(b"\n"):
            raise ArchiveError("the manifest ends too early, or holds a line that is too long")
        self._seen.update(line)
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ArchiveError("the manifest is no JSON") from error
        if not isinstance(values, dict):
            raise ArchiveError("the manifest is none of ours")
        return values


def _head(values: dict[str, Any]) -> Head:
    if values.get("format") != FORMAT or values.get("version") != VERSION:
        found = f"{values.get('format')!r:.60} {values.get('version')!r:.20}"
        raise ArchiveError(f"the manifest is of a format that this version can't read: {found}")
    with _Checked("the first line") as check:
        return Head(
            check.path(values["unit"]),
            check.text(values["kind"]),
            check.number(values["time"], -LARGEST),
            check.number(values["made"], -LARGEST),
            check.text(values["command"]),
            check.number(values["bytes"]),
            tuple(check.text(each) for each in values["reasons"]),
            tuple((check.text(fact), check.text(why)) for fact, why in values["evidence"]),
            check.paths(values.get("models")),
            check.absolute(values.get("workspace", "")),
            check.number(values.get("inode", 0), 0, 2**64 - 1),
        )


def _member(values: dict[str, Any]) -> Member:
    with _Checked(f"{values.get('path')!r:.200}") as check:
        kind = check.one_of(values["type"], TYPES)
        path = check.path(values["path"])
        has_content = kind in (FILE, LINK)
        size = check.number(values["size"]) if has_content else 0
        target = values.get("target", "")
        return Member(
            path,
            kind,
            check.mode(values["mode"]),
            check.number(values["mtime_ns"], -LARGEST),
            size,
            check.number(values["uid"], 0, 2**32 - 2),
            check.number(values["gid"], 0, 2**32 - 2),
            check.xattrs(values.get("xattrs", {})),
            check.pieces(values["sparse"], size) if kind == FILE and "sparse" in values else None,
            check.path(target) if kind == LINK else check.target(target, kind),
            check.digest(values["sha256"]) if has_content else "",
        )


def _end(values: object) -> End:
    with _Checked("the last line") as check:
        values = check.table(values)
        return End(
            check.number(values["members"]),
            check.number(values["content"]),
            check.number(values["archive_bytes"]),
            check.digest(values["archive_sha256"]),
            check.digest(values["lines_sha256"]),
        )


def _check_place(member: Member, unit: str) -> None:
    """All members lie in the unit, but for symlinks beside it, which go and come with it."""
    inside = f"{member.path}/".startswith(f"{unit}/")
    beside = member.type == SYMLINK and member.path.rpartition("/")[0] == unit.rpartition("/")[0]
    if not inside and not beside:
        raise ArchiveError(f"{member.path!r:.200} lies outside the unit of the archive")
    if member.type == LINK and not f"{member.target}/".startswith(f"{unit}/"):
        raise ArchiveError(f"{member.path!r:.200} is a hard link to what lies outside the unit")


class _Checked:
    """Checks values from outside; what is wrong with one is told with its place."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, KeyError):
            raise ArchiveError(f"the manifest is damaged: {self.place} has no {error}") from error
        if isinstance(error, ValueError | TypeError):
            why = f": {error}" if isinstance(error, ValueError) and str(error) else ""
            raise ArchiveError(f"the manifest is damaged at {self.place}{why}") from error

    def text(self, value: object) -> str:
        if not isinstance(value, str):
            raise TypeError
        return value

    def table(self, value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise TypeError
        return value

    def one_of(self, value: object, known: tuple[str, ...]) -> str:
        if value not in known:
            raise ValueError(f"{value!r:.60} is no type of a member")
        return self.text(value)

    def number(self, value: object, least: int = 0, most: int = LARGEST) -> int:
        if type(value) is not int:
            raise TypeError
        if not least <= value <= most:
            raise ValueError(f"{value} is out of range")
        return value

    def mode(self, value: object) -> int:
        if not re.fullmatch("[0-7]{4}", self.text(value)):
            raise ValueError(f"{value!r:.20} is no mode")
        return int(self.text(value), 8)

    def path(self, value: object) -> str:
        """Relative, name by name, nothing that leads up or elsewhere."""
        path = self.text(value)
        names = path.split("/")
        if not path or "\0" in path or any(name in ("", ".", "..") for name in names):
            raise ValueError("is no path below the workspace")
        if len(os.fsencode(path)) > 4095 * 16 or any(len(os.fsencode(n)) > 255 for n in names):
            raise ValueError("is longer than a path can be")
        return path

    def absolute(self, value: object) -> str:
        """A path of this machine's, or ""."""
        path = self.text(value)
        os.fsencode(path)
        if "\0" in path or not (path.startswith("/") or not path):
            raise ValueError(f"{path!r:.80} is no absolute path")
        return path

    def paths(self, value: object) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, list):
            raise TypeError
        return tuple(map(self.path, value))

    def target(self, value: object, kind: str) -> str:
        target = self.text(value)
        os.fsencode(target)
        if "\0" in target or bool(target) != (kind == SYMLINK) or len(target) > 4095:
            raise ValueError("leads nowhere")
        return target

    def digest(self, value: object) -> str:
        if not re.fullmatch("[0-9a-f]{64}", self.text(value)):
            raise ValueError(f"{value!r:.80} is no digest")
        return self.text(value)

    def xattrs(self, value: object) -> tuple[tuple[str, bytes], ...]:
        for name in (found := self.table(value)):
            if not 0 < len(os.fsencode(name)) <= 255 or "\0" in name:
                raise ValueError(f"{name!r:.60} is no attribute")
        return tuple((name, b64decode(text, validate=True)) for name, text in found.items())

    def pieces(self, value: object, size: int) -> Pieces:
        """In order, without overlap, within the file."""
        if not isinstance(value, list):
            raise TypeError
        pieces = tuple((self.number(at), self.number(length)) for at, length in value)
        end = 0
        for at, length in pieces:
            if at < end or not length:
                raise ValueError("its pieces overlap")
            end = at + length
        if end > size:
            raise ValueError("its pieces lie beyond its end")
        return pieces
