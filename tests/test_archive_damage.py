"""What is damaged is found before any source goes (S9); what is hostile writes nothing outside
(S14)."""

from __future__ import annotations

import os
import random
import shutil
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from artifact_janitor.apply.archive import check, store
from artifact_janitor.errors import ArchiveError, JanitorError, StepFailed, StepSkipped
from tests.real.archives import UNIT, Bench, plain
from tests.real.disks import needs_root, small_disk
from tests.real.hostile import Hostile, every, file, member
from tests.real.snapshot import difference, snapshot

# ------------------------------------------------------------ flipped bits


def flip(path: Path | int, bit: int) -> None:
    fd = os.open(path, os.O_RDWR) if isinstance(path, Path) else path
    byte = os.pread(fd, 1, bit // 8)[0] ^ 1 << bit % 8
    os.pwrite(fd, bytes([byte]), bit // 8)
    if isinstance(path, Path):
        os.close(fd)


def unread_back(work: Bench, monkeypatch: pytest.MonkeyPatch, where: float) -> str:
    """What comes of an archive when its disk flips one bit of all that was written to it,
    between fsync and reading back; "" where nobody notices."""
    files: list[int] = []

    def flipping(fd: int) -> None:
        files.append(fd)
        if len(files) == len(store.IN_ORDER):
            sizes = [os.fstat(each).st_size for each in files]
            bit = int(where * 8 * sum(sizes))
            for each, size in zip(files, sizes, strict=True):
                if 0 <= bit < 8 * size:
                    flip(each, bit)
                bit -= 8 * size

    with monkeypatch.context() as patch:
        patch.setattr(store, "to_disk", flipping)
        try:
            store.write(work.store, work.order(), work.ground, lambda _what, _size: None)
        except StepFailed as error:
            assert os.listdir(work.root / "store") == ["RESTORE.txt"], "nothing is left of it"
            return error.message
    store.discard(work.store, work.order().name)
    return ""


def test_a_flipped_bit_is_found_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 60 of the places; `make proof` tries 1,000."""
    work = plain(tmp_path)
    random.seed(4)
    found = [unread_back(work, monkeypatch, random.random()) for _ in range(60)]
    assert all(found)
    assert unread_back(work, monkeypatch, 2.0) == "", "and a sound one is none"


def test_a_flipped_bit_in_the_reasons_is_found_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing in the archive itself depends on them."""
    work = plain(tmp_path)
    real = store.check

    def flipping(files: check.Files, tick: object) -> object:
        at = files.manifest.seek(0) + files.manifest.read().index(b'"old"') + 2
        flip(files.manifest.fileno(), 8 * at)
        return real(files, tick)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "check", flipping)
    assert "the manifest is damaged" in attempt(work)


def test_a_manifest_that_reads_otherwise_is_found_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says the same, but the index would know it by another digest."""
    work = plain(tmp_path)
    real = store.check

    def spacing(files: check.Files, tick: object) -> object:
        fd = files.manifest.fileno()
        text = os.pread(fd, 1 << 20, 0)
        at = text.rindex(b'{"end": ') + len(b'{"end":')
        os.pwrite(fd, b" " + text[at:], at)
        return real(files, tick)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "check", spacing)
    assert "its manifest is another one" in attempt(work)


@pytest.mark.proof
def test_each_of_a_thousand_flipped_bits_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = plain(tmp_path)
    found = [unread_back(work, monkeypatch, (n + 0.5) / 1000) for n in range(1000)]
    assert [n for n, message in enumerate(found) if not message] == []


@pytest.mark.parametrize("suffix", store.IN_ORDER)
def test_a_bit_that_flips_later_is_found_by_a_check(tmp_path: Path, suffix: str) -> None:
    work = plain(tmp_path)
    made = work.make()
    whole = work.file(made, suffix)
    random.seed(suffix)
    for _ in range(40):
        bit = random.randrange(8 * whole.stat().st_size)
        flip(whole, bit)
        with pytest.raises(ArchiveError):
            work.verify(made.name)
        flip(whole, bit)
    work.verify(made.name)


@pytest.mark.proof
def test_each_of_a_thousand_bits_that_flip_later_is_found(tmp_path: Path) -> None:
    """By a check, and by whoever unpacks: then nothing of it may reach its place. The list for
    ``sha256sum`` is not needed to unpack."""
    work = plain(tmp_path)
    made = work.make()
    before = snapshot(work.run)
    files = [work.file(made, suffix) for suffix in store.IN_ORDER]
    starts = [0, *accumulate(8 * file.stat().st_size for file in files)]
    for number in range(1000):
        bit = number * starts[-1] // 1000
        at = bisect_right(starts, bit) - 1
        file, start = files[at], starts[at]
        flip(file, bit - start)
        with pytest.raises(ArchiveError):
            work.verify(made.name)
        if file.name.endswith(store.SUMS):
            work.unpack(made.name, tmp_path / "back")
            assert difference(before, snapshot(tmp_path / "back" / UNIT)) == []
        else:
            with pytest.raises(ArchiveError):
                work.unpack(made.name, tmp_path / "back")
        shutil.rmtree(tmp_path / "back")
        flip(file, bit - start)
    work.verify(made.name)


@pytest.mark.parametrize("suffix", store.IN_ORDER)
@pytest.mark.parametrize("cut", [-1, -100, 0, 1])
def test_a_file_that_is_torn_or_grew_is_found(tmp_path: Path, suffix: str, cut: int) -> None:
    work = plain(tmp_path)
    made = work.make()
    whole = work.file(made, suffix)
    with whole.open("r+b") as out:
        out.truncate(0 if cut == 0 else whole.stat().st_size + cut)
    with pytest.raises(ArchiveError):
        work.verify(made.name)


def test_a_bit_that_flips_later_in_the_reasons_is_found(tmp_path: Path) -> None:
    """By the manifest alone: a journal may be lost."""
    work = plain(tmp_path)
    made = work.make()
    whole = work.file(made, store.MANIFEST)
    flip(whole, 8 * (whole.read_bytes().index(b'"old"') + 2))
    with pytest.raises(ArchiveError, match="written for others"):
        work.verify(made.name)


@pytest.mark.parametrize("suffix", store.IN_ORDER)
@pytest.mark.parametrize("how", ["gone", "link", "folder", "pipe"])
def test_a_part_that_is_no_file_is_told(tmp_path: Path, suffix: str, how: str) -> None:
    work = plain(tmp_path)
    made = work.make()
    whole = work.file(made, suffix)
    whole.rename(tmp_path / "moved")
    if how == "link":
        whole.symlink_to(tmp_path / "moved")
    elif how == "folder":
        whole.mkdir()
    elif how == "pipe":
        os.mkfifo(whole)
    with pytest.raises(ArchiveError, match=suffix):
        work.verify(made.name)


# ------------------------------------------------------------ the source, and the disk


def attempt(work: Bench, how: object = None) -> str:
    """What is said when no archive comes of it; nothing may be left, the source least of all
    touched."""
    before = snapshot(work.root / "outputs")
    with pytest.raises((StepSkipped, StepFailed)) as told:
        store.write(work.store, work.order(), work.ground, lambda _what, _size: None)
    assert [name for name in os.listdir(work.store.place) if name != "RESTORE.txt"] == []
    if how is None:
        assert difference(before, snapshot(work.root / "outputs")) == []
    return told.value.message


def test_a_socket_or_a_device_is_refused(tmp_path: Path) -> None:
    import socket

    work = plain(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        fd = os.open(work.run, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{fd}/s.sock")
        os.close(fd)
        assert f"{UNIT}/s.sock is a socket" in attempt(work)
    (work.run / "s.sock").unlink()
    if os.geteuid() == 0:
        os.mknod(work.run / "models" / "dev", 0o020600, os.makedev(1, 3))
        assert f"{UNIT}/models/dev is a device" in attempt(work)


def changes(work: Bench) -> Iterator[tuple[str, object]]:
    log = work.run / "best again.pt"  # the first one, so that it is read by then

    def rewrite() -> None:
        """In place, the same length, and with its old mtime back."""
        before = log.stat().st_mtime_ns
        log.write_bytes(b"x" * log.stat().st_size)
        os.utime(log, ns=(before, before))

    yield "grows", lambda: log.open("a").write("more\n")
    yield "shrinks", lambda: os.truncate(log, 5)
    yield "rewritten", rewrite
    yield "new", (work.run / "new").touch
    yield "gone", (work.run / "best again.pt").unlink
    yield "mode", lambda: log.chmod(0o600)
    yield "attribute", lambda: os.setxattr(log, "user.new", b"")
    yield "itself", lambda: (work.run / "train.log").open("a").write("more\n")
    yield "moved", lambda: work.run.rename(work.run.with_name("moved"))


@pytest.mark.parametrize("number", range(9))
@pytest.mark.parametrize("at", ["archiving", "reading back"])
def test_a_source_that_changes_gets_no_archive(tmp_path: Path, number: int, at: str) -> None:
    """While it is read, or while its archive is read back."""
    work = plain(tmp_path)
    name, change = [*changes(work)][number]
    done: list[str] = []

    def tick(what: str, size: int) -> None:
        done.extend([what] * bool(size))
        if size and what == at and done.count(at) == (2 if name == "itself" else 1):
            change()  # type: ignore[operator]

    with pytest.raises(StepSkipped, match=r"changed while it was archived|gone since"):
        store.write(work.store, work.order(), work.ground, tick)
    assert at in done
    if name in ("grows", "shrinks", "rewritten", "mode", "attribute", "itself"):
        assert done[-1] == at, "it ends at once, not when all is read back"
    assert os.listdir(work.root / "store") == ["RESTORE.txt"]


@needs_root
def test_a_full_disk_leaves_no_half_archive(tmp_path: Path) -> None:
    """Full in mid-write: more was written by others than was free at first."""
    work = plain(tmp_path)
    (work.run / "noise").write_bytes(os.urandom(3 << 20))
    with small_disk(tmp_path / "store", "size=2m"):
        assert "No space left on device" in attempt(work)
    with small_disk(tmp_path / "store", "nr_inodes=3"):
        assert "No space left on device" in attempt(work)


@needs_root
def test_space_is_looked_for_first(tmp_path: Path) -> None:
    work = plain(tmp_path)
    with small_disk(tmp_path / "store", "size=2m"), pytest.raises(StepFailed, match="are free"):
        store.write(work.store, work.order(3 << 20), work.ground, lambda _what, _size: None)


def test_a_store_that_is_away_is_told(tmp_path: Path) -> None:
    work = plain(tmp_path)
    away = store.Store(tmp_path / "not mounted", own=False)
    with pytest.raises(StepFailed, match="out of reach") as told:
        store.write(away, work.order(), work.ground, lambda _what, _size: None)
    assert "mounted" in told.value.hint
    assert not (tmp_path / "not mounted").exists()


@needs_root
def test_what_is_mounted_in_a_run_gets_into_no_archive(tmp_path: Path) -> None:
    """After the plan was made, which would have seen it."""
    work = plain(tmp_path)
    with (
        small_disk(work.run / "mounted", "size=1m"),
        pytest.raises(StepSkipped, match="another filesystem is mounted"),
    ):
        work.make()


def test_an_archive_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    work = plain(tmp_path)
    order = work.order()
    (tmp_path / "store" / (order.name + store.MANIFEST)).write_text("mine\n")
    store.write(work.store, order, work.ground, lambda _what, _size: None)
    with pytest.raises(StepFailed, match="there already"):
        store.place(work.store, order.name)
    assert (tmp_path / "store" / (order.name + store.MANIFEST)).read_text() == "mine\n"


# ------------------------------------------------------------ hostile archives


def refusal(work: Bench, into: Path) -> str:
    try:
        work.unpack("evil", into)
    except JanitorError as error:
        return error.message
    return ""


ASTRAY = ("/precious", "/evil", "/etc/evil", "/etc/precious")
"""Where hostile archives want to be."""


@pytest.fixture
def none_astray() -> Iterator[None]:
    """A janitor that was broken on purpose leaves nothing for the next test."""
    before = {each for each in ASTRAY if os.path.lexists(each)}
    yield
    for each in ASTRAY:
        if each not in before and os.path.lexists(each):
            os.unlink(each)


@pytest.mark.usefixtures("none_astray")
def test_hostile_archives_write_nothing_outside(tmp_path: Path) -> None:
    """Each is refused with a word, and all that was made lies in the folder for it."""
    outside, into = tmp_path / "outside", tmp_path / "into"
    outside.mkdir()
    (outside / "precious").write_text("precious\n")
    (tmp_path / "store").mkdir()
    said: dict[str, str] = {}
    for number, hostile in enumerate(every(str(outside))):
        hostile.write(tmp_path / "store")
        before = snapshot(tmp_path)
        said[f"{number} {hostile.name}"] = refusal(Bench(tmp_path), into)
        shutil.rmtree(into)
        after = snapshot(tmp_path)
        assert difference(before, after) == [], hostile.name
    assert not any(map(os.path.lexists, ASTRAY))
    assert len(said) >= 200
    assert [name for name, message in said.items() if len(message) < 15] == []


@pytest.mark.parametrize(
    ("differs", "said"),
    [
        ({"sha256": "0" * 64}, "another content"),
        ({"mode": 0o600}, "another mode"),
        ({"mtime_ns": 7}, "another mtime_ns"),
        ({"path": f"{UNIT}/two"}, "another path"),
    ],
)
def test_a_manifest_that_tells_otherwise_is_found(
    tmp_path: Path, differs: dict[str, Any], said: str
) -> None:
    """All sums agree: only what stands there can be compared with what is in the archive."""
    (tmp_path / "store").mkdir()
    top, one = member("folder", UNIT), file(f"{UNIT}/one")
    Hostile("otherwise", [top, one], [top, one._replace(**differs)]).write(tmp_path / "store")
    with pytest.raises(ArchiveError, match=said):
        Bench(tmp_path).verify("evil")


def test_nobody_gets_a_set_user_id_bit_but_who_owns_the_place(tmp_path: Path) -> None:
    """Of a file of another user, as root would restore it."""
    (tmp_path / "store").mkdir()
    top = member("folder", UNIT)
    theirs = file(f"{UNIT}/theirs", mode=0o6755, uid=4242, gid=4242)
    own = file(f"{UNIT}/own", mode=0o4755, uid=os.getuid(), gid=os.getgid())
    Hostile("bits", [top, theirs, own]).write(tmp_path / "store")
    Bench(tmp_path).unpack("evil", tmp_path / "back")
    modes = [
        (tmp_path / "back" / UNIT / name).stat().st_mode & 0o7777 for name in ("theirs", "own")
    ]
    assert modes == [0o755, 0o4755]
