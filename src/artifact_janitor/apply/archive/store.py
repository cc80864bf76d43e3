"""The folder that archives lie in: written under another name, read back, then renamed (S9).

The archive itself gets its name last, so where it stands, all of it stands and was read back.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from artifact_janitor.apply.archive.check import Files, check
from artifact_janitor.apply.archive.flow import Compressed, ahead
from artifact_janitor.apply.archive.manifest import Head, Manifest, Writer
from artifact_janitor.apply.archive.pack import Packer
from artifact_janitor.apply.archive.source import Found, Seen, walk
from artifact_janitor.apply.ground import Ground, rename, to_disk
from artifact_janitor.errors import ArchiveError, StepFailed, StepSkipped, way_out
from artifact_janitor.regular import open_regular
from artifact_janitor.units import format_size

NOTE = "RESTORE.txt"
"""What every store holds from its first archive on."""
ARCHIVE, MANIFEST, SUMS = ".tar.zst", ".manifest.jsonl", ".sha256"
NOT_MOUNTED = "is its disk mounted? See [archive] store in config.toml"
IN_ORDER = (SUMS, MANIFEST, ARCHIVE)
PART = ".part"
"""What a file's name ends with as long as it is being written."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

RESTORE = """\
These are archives that artifact-janitor (the command: janitor) made of old runs. Each is three
files:

  NAME.tar.zst         the run: a plain tar, compressed by zstd
  NAME.manifest.jsonl  what is in it, file by file, and why it was archived (first line)
  NAME.sha256          a digest of each file in it

With the program, in the project's folder:

  janitor archives                   lists them
  janitor restore NAME               brings one back to its old place
  janitor restore NAME --to FOLDER   … or elsewhere; names of members after NAME choose some
  janitor verify                     reads all of them, and compares every byte

Without it, GNU tar 1.31 and zstd are enough. The names in an archive are relative to the
project's folder. Unpack an archive in an empty folder, or in the project's folder once nothing
is left at the old place: tar would write over it.

  tar --zstd --xattrs -xpf NAME.tar.zst
  sha256sum --check --quiet NAME.sha256      (in the same folder)

As root, --xattrs-include='*' brings back capabilities, access lists and labels too.
"""

Tick = Callable[[str, int], None]
"""What is being done, and how many bytes of content were done since the last call, maybe none.
What it raises gives the archive up."""


@dataclass(frozen=True, slots=True)
class Made:
    """An archive that was written and read back: its bytes on the disk with all that belongs
    to it, and the digest of its manifest, which names all other digests."""

    name: str
    bytes: int
    members: int
    digest: str


class Store:
    """A folder of archives. `owner` is whose the files shall be where root writes them."""

    def __init__(self, place: Path, *, own: bool, owner: Path | None = None) -> None:
        self.place = place
        self._own = own
        """Whether the folder is the janitor's own, to be made where it is missing."""
        self._owner = owner or place

    @contextmanager
    def folder(self, *, make: bool = False) -> Iterator[int]:
        """A descriptor on the folder. Raises StepFailed where it is out of reach."""
        try:
            if make:
                self._prepare()
            fd = os.open(self.place, _FOLDER)
        except OSError as error:
            raise self._away(str(error.strerror)) from error
        try:
            yield fd
        finally:
            os.close(fd)

    def _away(self, why: str) -> StepFailed:
        what = f"the archives' folder {self.place} is out of reach: {why}"
        return StepFailed(what, NOT_MOUNTED)

    def _must_be_there(self) -> None:
        """For a store that an archive is missing in. Raises StepFailed where nothing of it is
        there: so a disk that is not mounted looks."""
        if not self._own and not os.path.lexists(self.place / NOTE) and not self.names():
            raise self._away(f"no archive is in it, and no {NOTE}")

    def must_be_known(self) -> None:
        """For a store that archives were written to before. Raises StepFailed where it is
        another one: a folder that a disk is mounted on is still there, and empty, when the
        disk is not."""
        if not self._own and self.place.is_dir() and not os.path.lexists(self.place / NOTE):
            what = f"{self.place} is not the folder that earlier archives were written to"
            hint = f"is its disk mounted? If it is meant to be a new one: touch {self.place}/{NOTE}"
            raise StepFailed(f"{what}: it has no {NOTE}", hint)

    def _prepare(self) -> None:
        if self._own:
            self.place.mkdir(mode=0o700, exist_ok=True)
            self.give(self.place)
        text = self.place / NOTE
        if not os.path.lexists(text) or _is_empty(text):
            self._note(text)

    def _note(self, text: Path) -> None:
        part = self.place / (NOTE + PART)
        try:
            with open(part, "w", encoding="utf-8") as file:
                file.write(RESTORE)
                file.flush()
                os.fsync(file.fileno())
            self.give(part)
            part.rename(text)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise

    def tidy(self) -> None:
        """Remove what a killed janitor wrote of the note; others may be at it elsewhere."""
        if self._own:
            with suppress(OSError):
                (self.place / (NOTE + PART)).unlink()

    def give(self, path: Path) -> None:
        """What root makes belongs to whom the workspace belongs to."""
        owner = self._owner.stat()
        if os.geteuid() == 0 and path.lstat().st_uid != owner.st_uid:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def names(self) -> list[str]:
        """All archives, by the names of their files; none where there is no folder. Raises
        StepFailed where it can't be read."""
        try:
            found = os.listdir(self.place)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._away(str(error.strerror)) from error
        return sorted(each.removesuffix(ARCHIVE) for each in found if each.endswith(ARCHIVE))

    def free_name(self, unit: str, made: int) -> str:
        """A name that no archive has, nor one that is being written: all that bears it from
        now on is ours, and may be removed."""
        while True:
            name = name_for(unit, made)
            if not self.has_any(name):
                return name
            made += 1

    def has_any(self, name: str) -> bool:
        """Whether anything is there of an archive, whole or not."""
        parts = (self.place / (name + each + end) for each in IN_ORDER for end in ("", PART))
        return any(map(os.path.lexists, parts))

    def is_at(self, place: Path) -> bool:
        return os.path.realpath(self.place) == os.path.realpath(place)

    def size(self, name: str) -> int:
        """Bytes of all that belongs to an archive."""
        files = (self.place / (name + each) for each in IN_ORDER)
        return sum(file.lstat().st_size for file in files if os.path.lexists(file))

    @contextmanager
    def opened(self, name: str) -> Iterator[Files]:
        """An archive, to be read. Raises ArchiveError where a part of it is missing, StepFailed
        where all of the store is."""
        with ExitStack() as opened, self.folder() as fd:
            parts = (name + each for each in (ARCHIVE, MANIFEST, SUMS))
            try:
                files = Files(*(opened.enter_context(_reading(fd, each)) for each in parts))
            except ArchiveError:
                self._must_be_there()
                raise
            yield files


def _is_empty(text: Path) -> bool:
    """As a power cut leaves a file; anything else is somebody's."""
    status = text.lstat()
    return stat.S_ISREG(status.st_mode) and not status.st_size


def _reading(folder: int, name: str) -> BinaryIO:
    try:
        return os.fdopen(open_regular(name, folder), "rb")
    except OSError as error:
        raise ArchiveError(f"{name} can't be read: {error.strerror}") from error


def name_for(unit: str, made: int) -> str:
    """A name that a person recognises, and that no other archive has."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", unit).strip("._-")[-100:]
    mark = blake2b(os.fsencode(unit) + b"\0%d" % made, digest_size=4).hexdigest()
    return "-".join(filter(None, (plain.strip("._-"), mark)))


# ------------------------------------------------------------------- writing


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be archived: `paths` in the workspace, the unit first, then the links that
    go with it; `expected` is the most that it may take on the disk, in bytes."""

    name: str
    head: Head
    paths: Sequence[str]
    expected: int
    level: int


def write(store: Store, order: Order, ground: Ground, tick: Tick) -> Made:
    """Write an archive under its temporary name, and read all of it back.

    Raises StepSkipped where the unit changed meanwhile or can't be archived, StepFailed where
    the disk says no. Then nothing is left of it.
    """
    try:
        with store.folder(make=True) as fd:
            _check_space(fd, store, order.expected)
            return _written(store, fd, order, ground, tick)
    except BaseException as error:
        discard(store, order.name)
        if isinstance(error, OSError):
            room = way_out(error, "make space, or see [archive] store in config.toml")
            hint = f"the source is untouched; {room}"
            what = f"the archive can't be written in {store.place}: {error.strerror}"
            raise StepFailed(what, hint) from error
        if isinstance(error, ArchiveError):
            raise StepFailed(f"the archive was not what was written: {error.message}") from error
        raise


def _check_space(fd: int, store: Store, expected: int) -> None:
    disk = os.statvfs(fd)
    free = disk.f_bavail * disk.f_frsize
    if expected > free:
        what = f"the archive may need {format_size(expected)}, {format_size(free)} are free"
        hint = "make space, or name another disk: [archive] store in config.toml"
        raise StepFailed(f"{what} in {store.place}", hint)


def _written(store: Store, fd: int, order: Order, ground: Ground, tick: Tick) -> Made:
    with ExitStack() as opened:
        parts = {each: opened.enter_context(_new(store, fd, order, each)) for each in IN_ORDER}
        archive, manifest, sums = parts[ARCHIVE], parts[MANIFEST], parts[SUMS]
        writer = Writer(manifest, sums, order.head)
        seen, whole = _packed(archive.fileno(), writer, order, ground, tick)
        for file in parts.values():
            file.flush()
            to_disk(file.fileno())
        files = Files(archive, manifest, sums)
        read = check(files, lambda size: tick("reading back", size))
        if read.digest != whole:
            raise ArchiveError("its manifest is another one")
        _must_be_unchanged(ground, order.paths, seen, tick)
        size = sum(os.fstat(file.fileno()).st_size for file in parts.values())
    return Made(order.name, size, writer.members, whole)


def _packed(fd: int, writer: Writer, order: Order, ground: Ground, tick: Tick) -> tuple[Seen, str]:
    """What was seen, and the digest of the manifest. The compressor's memory is free again
    when this returns: reading back takes as much."""
    packer = Packer(writer, lambda size: tick("archiving", size))
    compressed = Compressed(fd, order.level)
    with (
        closing(_found(ground, order.paths, tick)) as found,
        closing(ahead(packer.chunks(found))) as chunks,
    ):
        digest = compressed.write(chunks)
    return packer.seen, writer.close(compressed.size, digest)


def _new(store: Store, fd: int, order: Order, suffix: str) -> BinaryIO:
    name = order.name + suffix + PART
    file = os.fdopen(os.open(name, _NEW, 0o600, dir_fd=fd), "w+b")
    store.give(store.place / name)
    return file


def _found(ground: Ground, paths: Sequence[str], tick: Tick) -> Generator[Found]:
    for path in paths:
        with ground.parent(path) as (around, name):
            try:
                for each in walk(around, name, path):
                    tick("archiving", 0)
                    yield each
            except FileNotFoundError as error:
                raise StepSkipped(f"{path} is gone since the plan was made") from error


def _must_be_unchanged(ground: Ground, paths: Sequence[str], before: Seen, tick: Tick) -> None:
    """Nothing came, went or was written to since the unit was read."""
    seen = Seen()
    with closing(_found(ground, paths, tick)) as found:
        for each in found:
            seen.note(each)
    if str(seen) != str(before):
        raise StepSkipped(f"{paths[0]} changed while it was archived")


# ------------------------------------------------------------------- names


def place(store: Store, name: str) -> None:
    """Give an archive that was read back its names, durably. Never over what is there. Raises
    StepFailed where the disk says no."""
    with store.folder() as fd:
        for suffix in IN_ORDER:
            rename((fd, name + suffix + PART), (fd, name + suffix))
        try:
            os.fsync(fd)
        except OSError as error:
            what = f"the archive's names in {store.place} may not last: {error.strerror}"
            raise StepFailed(what, "the source is untouched; look after that disk") from error


def made(store: Store, name: str) -> Made | None:
    """An archive that stands, from its manifest; None where there is none, or no whole one."""
    try:
        with store.opened(name) as files:
            manifest = Manifest(files.manifest)
            members = sum(1 for _ in manifest.members())
            return Made(name, store.size(name), members, manifest.digest)
    except (ArchiveError, StepFailed):
        return None


def discard(store: Store, name: str) -> bool:
    """Remove all there is of an archive, the archive itself first; whether nothing is left."""
    try:
        with store.folder() as fd:
            for suffix in reversed(IN_ORDER):
                for each in (name + suffix, name + suffix + PART):
                    try:
                        os.unlink(each, dir_fd=fd)
                    except FileNotFoundError:
                        continue
            os.fsync(fd)
    except (OSError, StepFailed):
        return not store.has_any(name)
    return True
