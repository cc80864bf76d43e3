"""A run with every kind of file, and archives of it without a workspace around them."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from artifact_janitor.apply.archive import extract
from artifact_janitor.apply.archive.check import check
from artifact_janitor.apply.archive.manifest import Head
from artifact_janitor.apply.archive.store import ARCHIVE, Made, Order, Store, name_for, place, write
from artifact_janitor.apply.ground import Ground

UNIT = "outputs/day/run"
LONG = "n" * 255
NOBODY, Z = 2**32 - 1, (0, 0, 0)
DEEP = "/".join(["a-folder-with-a-name-of-some-length"] * 9)
DEEPER = "/".join(["another-folder-with-a-name-of-some-length"] * 86)
"""As long as a path can be where tests put it: over 3,600 bytes."""


def furnish(run: Path) -> Path:
    """All that a run may hold: holes, links, attributes, odd names and odd times."""
    run.mkdir(parents=True)
    _plain(run)
    _holes(run)
    _names(run)
    _links(run)
    _attributes(run)
    _times(run)
    return run


def furnish_old(run: Path) -> Path:
    """The same for a run that may go: no file has a name outside, none is of tomorrow."""
    furnish(run)
    (run.parent / "outside.log").unlink()
    for folder, folders, files in os.walk(run):
        for path in (os.path.join(folder, name) for name in (*folders, *files)):
            if os.lstat(path).st_mtime > time.time() - 86_400 * 2:
                os.utime(path, ns=(0, 10**18 + 9), follow_symlinks=False)
    allocate(run)
    return run


def allocate(run: Path) -> None:
    """Have what is sparse written out: only then ext4 counts the blocks in which it lists the
    pieces of a file."""
    for each in run.glob("**/hole_*"):
        fd = os.open(each, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def _plain(run: Path) -> None:
    (run / "train.log").write_text("epoch 1\n" * 1000)
    (run / "model.pt").write_bytes(os.urandom(3 << 20))
    (run / "empty.txt").touch()
    (run / "block").write_bytes(b"x" * 512)
    (run / "empty folder").mkdir()
    os.mkfifo(run / "pipe", 0o640)


def _holes(run: Path) -> None:
    """At the start, in the middle, at the end; a file that is one; one with many pieces."""
    for name, pieces, size in (
        ("starts", [1 << 20], (1 << 20) + 7),
        ("middle", [0, 2 << 20], (2 << 20) + 7),
        ("ends", [0], 3 << 20),
        ("nothing", [], 5 << 20),
        ("many", [n << 17 for n in range(120)], 16 << 20),
    ):
        with (run / f"hole_{name}").open("wb") as file:
            for at in pieces:
                file.seek(at)
                file.write(b"content")
            file.truncate(size)
            file.flush()
            os.fsync(file.fileno())  # how many blocks it takes is known once they are on the disk


def _names(run: Path) -> None:
    names = ("-rf", "two words", "new\nline", "back\\slash", "return\r", "ta\tb", "*", "ü", LONG)
    for name in (*names, "caf\udce9", "\udcff\udcfe", "l" + "ö" * 120, "%41", "quote'\""):
        (run / name).write_text(f"I am {name!r}\n")
    (run / DEEP).mkdir(parents=True)
    (run / DEEP / LONG).write_text("deep\n")
    (run / DEEPER).mkdir(parents=True)
    (run / DEEPER / "deepest").write_text("deep\n")
    (run / "folder \udce9").mkdir()
    (run / "folder \udce9" / "hole").touch()
    os.truncate(run / "folder \udce9" / "hole", 1 << 20)


def _links(run: Path) -> None:
    os.link(run / "model.pt", run / "again.pt")
    os.link(run / "model.pt", run / "empty folder" / "thrice.pt")
    os.link(run / "hole_many", run / "zz_hole_again")
    os.link(run / "train.log", run.parent / "outside.log")
    for name, target in (
        ("newest", "train.log"),
        ("up", "../../other"),
        ("absolute", "/etc/passwd"),
        ("dangling", "nowhere"),
        ("long", "t" * 300),
        ("bytes \udcfe", "caf\udce9"),
        ("itself", "itself"),
        ("dir", "empty folder"),
    ):
        (run / name).symlink_to(target)


def _attributes(run: Path) -> None:
    os.setxattr(run / "model.pt", "user.origin", b"a test")
    os.setxattr(run / "train.log", "user.a=b%c", bytes(range(256)))
    os.setxattr(run / "hole_ends", "user.empty", b"")
    os.setxattr(run / "empty folder", "user.folder", b"\n\0\n")
    (run / "train.log").chmod(0o444)
    (run / "empty.txt").chmod(0o000)
    (run / "block").chmod(0o755)
    (run / "empty folder").chmod(0o3770)
    if os.geteuid() == 0:
        os.chown(run / "block", 4_000_000, 3_000_000)
        os.chown(run / "newest", 1234, 1234, follow_symlinks=False)
        os.chown(run / "hole_middle", 0, 0)
        (run / "hole_middle").chmod(0o4755)
        _of_the_system(run)


def _of_the_system(run: Path) -> None:
    """A capability, an access list, one that new files inherit, and what only root may see."""
    os.setxattr(run / "block", "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, *Z))
    entries = ((1, 6, NOBODY), (2, 5, 4242), (4, 4, NOBODY), (16, 5, NOBODY), (32, 0, NOBODY))
    access = b"".join((struct.pack("<I", 2), *(struct.pack("<HHI", *each) for each in entries)))
    try:
        os.setxattr(run / "two words", "system.posix_acl_access", access)
        os.setxattr(run / "empty folder", "system.posix_acl_default", access)
        os.setxattr(run / "hole_ends", "trusted.mark", b"\0\xff")
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise


def _times(run: Path) -> None:
    """To the nanosecond, before 1970, far ahead, on the second."""
    moments = (10**18 + 7, -(10**15) - 1, 9 * 10**18 + 123_456_789, 1_000_000_000 * 10**9, 0)
    places: list[str] = []
    for folder, folders, files in os.walk(run, topdown=False):
        places += [os.path.join(folder, name) for name in sorted(files + folders)]
    for number, path in enumerate([*places, str(run)]):
        moment = moments[number % len(moments)]
        os.utime(path, ns=(moment, moment), follow_symlinks=False)


@dataclass(frozen=True)
class Bench:
    """A folder with runs in it, and a store elsewhere."""

    root: Path

    @property
    def run(self) -> Path:
        return self.root / UNIT

    @property
    def store(self) -> Store:
        (self.root / "store").mkdir(exist_ok=True)
        return Store(self.root / "store", own=False)

    @property
    def ground(self) -> Ground:
        return Ground(self.root, ["outputs"])

    def order(self, expected: int = 0) -> Order:
        head = Head(UNIT, "hydra-run", 1, 2, "test", 3, ("old",), (("not live", "quiet"),))
        name = name_for(UNIT, len(self.store.names()))
        return Order(name, head, [UNIT], expected, 3)

    def make(self) -> Made:
        made = write(self.store, self.order(), self.ground, lambda _what, _size: None)
        place(self.store, made.name)
        return made

    def file(self, made: Made, suffix: str = ARCHIVE) -> Path:
        return self.root / "store" / (made.name + suffix)

    def verify(self, name: str) -> None:
        with self.store.opened(name) as files:
            check(files)

    def unpack(self, name: str, into: Path, *members: str) -> None:
        into.mkdir(parents=True)
        fd = os.open(into, os.O_RDONLY)
        try:
            with self.store.opened(name) as files:
                chosen = extract.select(files.manifest, members)
                assert extract.unpack(files, chosen, fd, lambda _size: None) == 0
        finally:
            os.close(fd)


def bench(root: Path) -> Bench:
    """With a furnished run in it."""
    furnish(root / UNIT)
    return Bench(root)


def plain(root: Path) -> Bench:
    """With a run of a few ordinary files."""
    run = root / UNIT
    (run / "models").mkdir(parents=True)
    (run / "train.log").write_text("".join(f"step {n} loss {1 / (n + 1)}\n" for n in range(300)))
    (run / "models" / "best.pt").write_bytes(os.urandom(20_000))
    (run / "models" / "last.pt").symlink_to("best.pt")
    os.link(run / "models" / "best.pt", run / "best again.pt")
    return Bench(root)


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
