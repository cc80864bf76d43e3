"""Archives that somebody made to do harm: their manifest agrees with them where that is possible.

Each is a name, the members as the tar holds them, and those that the manifest names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

from backports import zstd

from artifact_janitor.apply.archive import tar
from artifact_janitor.apply.archive.manifest import (
    FILE,
    FOLDER,
    LINK,
    PIPE,
    SYMLINK,
    TYPES,
    Head,
    Member,
    Writer,
    sum_line,
)
from artifact_janitor.apply.archive.store import ARCHIVE, MANIFEST, SUMS
from tests.real.archives import UNIT

EVIL = b"evil\n"
OUTSIDE = (
    "/etc/evil",
    "../evil",
    f"{UNIT}/../../../evil",
    f"{UNIT}/a/../b",
    "..",
    ".",
    "",
    f"/{UNIT}/evil",
    f"{UNIT}//evil",
    f"{UNIT}/./evil",
    f"{UNIT}/evil/",
    f"{UNIT}/ev\0il",
    "outputs/day/other/evil",
    f"{UNIT}s/evil",
    "evil",
    f"{UNIT}/" + "n" * 300,
)


@dataclass
class Hostile:
    """What the two files hold; `raw` is put behind the members of the tar."""

    name: str
    members: list[Member]
    named: list[Member] | None = None
    raw: bytes = b""
    end: bytes = tar.END
    behind: bytes = b""
    """What follows the compressed frame."""
    unit: str = UNIT
    lines: list[Any] = field(default_factory=list)
    """Further lines of the manifest, in front of its last."""
    sums: dict[str, Any] = field(default_factory=dict)
    """What its last line says instead."""

    def write(self, store: Path) -> None:
        body = b"".join(stored(each) for each in self.members) + self.raw + self.end
        packed = zstd.compress(body) + self.behind
        (store / f"evil{ARCHIVE}").write_bytes(packed)
        named = self.members if self.named is None else self.named
        text = BytesIO()
        writer = Writer(text, BytesIO(), Head(self.unit, "hydra-run", 1, 2, "archive"))
        for each in named:
            writer.add(each)
        for line in self.lines:
            whole = line if isinstance(line, bytes) else json.dumps(line).encode()
            text.write(whole + b"\n")
        before = text.tell()
        writer.close(len(packed), sha256(packed).hexdigest())
        text.seek(before)
        last = json.loads(text.readline())
        lines = sha256(text.getvalue()[:before]).hexdigest()
        last["end"] |= {"lines_sha256": lines} | self.sums
        whole = text.getvalue()[:before] + json.dumps(last).encode() + b"\n"
        (store / f"evil{MANIFEST}").write_bytes(whole)
        sums = [sum_line(each) for each in named if each.sha256]
        (store / f"evil{SUMS}").write_bytes(b"".join(sums))


def stored(member: Member) -> bytes:
    """With as much content as it has, all of it evil."""
    content = (EVIL * (member.stored // len(EVIL) + 1))[: member.stored]
    return tar.header(member) + content + tar.padding(member.stored)


def file(path: str, size: int = len(EVIL), **other: Any) -> Member:
    content = (EVIL * (size // len(EVIL) + 1))[:size]
    made = Member(path, FILE, 0o644, 5, size, sha256=sha256(content).hexdigest())
    return made._replace(**other)


def member(kind: str, path: str) -> Member:
    made = file(path)
    if kind == FILE:
        return made
    if kind == LINK:
        return made._replace(type=LINK, target=f"{UNIT}/first")
    target = "/etc" if kind == SYMLINK else ""
    return Member(path, kind, 0o755, 5, target=target)


TOP = member(FOLDER, UNIT)
FIRST = file(f"{UNIT}/first")


def every(outside: str) -> list[Hostile]:
    return [
        *_names(),
        *_links(outside),
        *_through_links(outside),
        *_twice(),
        *_types(),
        *_differences(),
        *_manifests(),
        *_bombs(),
    ]


def _names() -> Iterator[Hostile]:
    """Absolute, upward, odd, or not in the unit; in both files, and in one of them."""
    for kind, path in product(TYPES, OUTSIDE):
        beside = kind == SYMLINK and path == f"{UNIT.rpartition('/')[0]}/evil"
        if not beside:
            yield Hostile(f"{kind} {path!r:.40}", [TOP, FIRST, member(kind, path)])
    for path in OUTSIDE:
        good = file(f"{UNIT}/good")
        yield Hostile(f"the tar alone: {path!r:.40}", [TOP, file(path)], [TOP, good])
        yield Hostile(f"the unit: {path!r:.40}", [FIRST], unit=path or "/")


def _links(outside: str) -> Iterator[Hostile]:
    for target in (
        f"{outside}/precious",
        "../../../precious",
        "outputs/day/precious",
        f"{UNIT}/nothing",
        f"{UNIT}/folder",
        f"{UNIT}/link",
        f"{UNIT}/evil",
        "",
    ):
        members = [TOP, FIRST, member(FOLDER, f"{UNIT}/folder")]
        link = member(SYMLINK, f"{UNIT}/link")._replace(target=f"{outside}/precious")
        evil = member(LINK, f"{UNIT}/evil")._replace(target=target)
        yield Hostile(f"hard link to {target!r:.60}", [*members, link, evil])
    for target in ("", "with\0zero", "t" * 5000):
        evil = member(SYMLINK, f"{UNIT}/evil")._replace(target=target)
        yield Hostile(f"symlink to {target!r:.20}", [TOP, evil])


def _through_links(outside: str) -> Iterator[Hostile]:
    """A symlink, and then what would be written through it; and the other way round."""
    for target in (outside, "/", "../../..", "."):
        link = member(SYMLINK, f"{UNIT}/out")._replace(target=target)
        for kind in TYPES:
            inner = member(kind, f"{UNIT}/out/precious")
            yield Hostile(f"{kind} through a link to {target}", [TOP, FIRST, link, inner])
            yield Hostile(f"{kind} below what turns into a link", [TOP, FIRST, inner, link])
    unit = member(SYMLINK, UNIT)._replace(target=outside)
    yield Hostile("the unit is a link", [unit, file(f"{UNIT}/precious")])
    beside = member(SYMLINK, "outputs/day/run2")._replace(target=outside)
    yield Hostile("through a link beside it", [TOP, beside, file("outputs/day/run2/precious")])


def _twice() -> Iterator[Hostile]:
    for first, second in product(TYPES, TYPES):
        if first != LINK:
            pair = [member(first, f"{UNIT}/evil"), member(second, f"{UNIT}/evil")]
            yield Hostile(f"{first} and then {second}", [TOP, FIRST, *pair])
    yield Hostile("a file with a file in it", [TOP, FIRST, file(f"{UNIT}/first/evil")])


def _types() -> Iterator[Hostile]:
    for flag in b"3", b"4", b"7", b"g", b"L", b"K", b"S", b"V", b"M", b"A", b"\0", b"\xff":
        block = bytearray(tar.header(file(f"{UNIT}/evil", mtime_ns=0)))
        block[156:157] = flag
        total = sum(block[:148]) + sum(block[156:512]) + 8 * 32
        block[148:156] = b"%06o\0 " % total
        raw = bytes(block) + EVIL.ljust(512, b"\0")
        yield Hostile(f"type {flag!r}", [TOP], [TOP, file(f"{UNIT}/evil", mtime_ns=0)], raw)
    for kind in ("device", "socket", "", "FILE", None, 5, ["file"]):
        yield Hostile(f"type {kind!r}", [TOP], lines=[line(type=kind)])


def line(**other: Any) -> dict[str, Any]:
    """A line of the manifest for a file, with something else in it."""
    plain = {
        "path": f"{UNIT}/evil",
        "type": "file",
        "mode": "0644",
        "mtime_ns": 5,
        "uid": 0,
        "gid": 0,
        "size": 5,
        "sha256": sha256(EVIL).hexdigest(),
    }
    return {key: value for key, value in {**plain, **other}.items() if value is not ...}


def _differences() -> Iterator[Hostile]:
    """The tar says something else than the manifest."""
    plain = file(f"{UNIT}/evil")
    for name, value in (
        ("path", f"{UNIT}/other"),
        ("mode", 0o4755),
        ("mtime_ns", 6),
        ("size", 4),
        ("uid", 1),
        ("gid", 1),
        ("xattrs", (("user.x", b"y"),)),
        ("sparse", ((0, 5),)),
        ("target", "x"),
        ("type", PIPE),
    ):
        other = plain._replace(**{name: value})
        yield Hostile(f"another {name}", [TOP, other], [TOP, plain])
    wrong = plain._replace(sha256=sha256(b"good").hexdigest())
    yield Hostile("another content", [TOP, wrong])
    yield Hostile("less than is named", [TOP], [TOP, plain])
    yield Hostile("more than is named", [TOP, plain], [TOP])
    yield Hostile("another order", [plain, TOP], [TOP, plain])
    yield Hostile("no end", [TOP, plain], end=b"")
    yield Hostile("half an end", [TOP, plain], end=bytes(512))
    yield Hostile("more after the end", [TOP, plain], end=tar.END + EVIL)
    yield Hostile("more behind the frame", [TOP, plain], behind=EVIL)
    yield Hostile("a second frame", [TOP, plain], behind=zstd.compress(EVIL))
    for name, value in (
        ("members", 9),
        ("content", 9),
        ("archive_sha256", "0" * 64),
        ("lines_sha256", "0" * 64),
    ):
        yield Hostile(f"other {name}", [TOP, plain], sums={name: value})


def _manifests() -> Iterator[Hostile]:
    """Lines that are none."""
    for name, values in {
        "mode": ["999", 420, "04755", "-644", None],
        "mtime_ns": ["5", 2**63, 1e9, True, None],
        "uid": [-1, 2**32, "0", 2**32 - 1],
        "size": [-1, 2**63, "5", 5.0, ...],
        "sha256": ["", "0" * 63, "G" * 64, None, ...],
        "sparse": [[[0, -1]], [[3, 2], [0, 1]], [[0, 3], [2, 2]], [[0, 9]], "x", [[1]], [[0, 0]]],
        "xattrs": [{"": ""}, {"user.x": "?"}, {"a" * 300: ""}, ["user.x"], {"user.x": 1}],
        "target": ["/etc", 5],
        "path": [5, None, ["a"], "\ud800", ...],
    }.items():
        for value in values:
            text = f"{value!r:.30}"
            yield Hostile(f"{name} is {text}", [TOP], lines=[line(**{name: value})])
    for raw in (b"", b"{", b"[]", b"5", b"\xff", b'{"path": ' + b"[" * 5000, b"NaN"):
        yield Hostile(f"a line {raw[:20]!r}", [TOP], lines=[raw])


def _bombs() -> Iterator[Hostile]:
    """Far more than they say, or than any disk has."""
    small = file(f"{UNIT}/evil")
    zeros = bytes(50 << 20)
    yield Hostile("50 MB behind the end", [TOP, small], end=tar.END + zeros)
    yield Hostile("50 MB in a file of 5 bytes", [TOP, small], raw=zeros)
    vast = Member(f"{UNIT}/evil", FILE, 0o644, 5, 2**62, sha256="0" * 64)
    yield Hostile("4 EB", [], [TOP, vast], raw=tar.header(TOP) + tar.header(vast) + zeros)
    records = b"%d %s=%s\n" % (30 << 20, b"path", b"x" * ((30 << 20) - 15))
    block = tar._fields(b"x", 0, 0, 0, len(records), 0, b"x", b"")
    yield Hostile("a name of 30 MB", [TOP], [TOP, small], raw=block + records)
    block = tar._fields(b"x", 0, 0, 0, 8**11 - 1, 0, b"x", b"")
    yield Hostile("a header of 8 GB", [TOP], [TOP, small], raw=block + zeros)
    pieces = tuple((n, 1) for n in range(0, 100_000, 2))
    holes = file(f"{UNIT}/evil", 100_000)._replace(sparse=pieces)
    other = holes._replace(sparse=(*pieces[:-1], (99_999, 1)))
    yield Hostile("another map of holes", [TOP, holes], [TOP, other])
    header = bytearray(tar.header(holes._replace(sparse=((0, 1),))))
    header[-512:] = b"99999999999999999999999999999999\n".ljust(512, b"1")
    yield Hostile("a map without end", [TOP], [TOP, holes], raw=bytes(header) + b"1" * 4096)
