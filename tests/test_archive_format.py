"""An archive holds all that its unit was, and any tar opens it (S9)."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from artifact_janitor.apply.archive import store, tar
from artifact_janitor.apply.archive.manifest import FILE, Manifest, Member
from tests.real.archives import DEEP, LONG, UNIT, Bench, bench, plain
from tests.real.disks import MAKE, disk, needs_root
from tests.real.snapshot import Snapshot, difference, snapshot

needs_tar = pytest.mark.skipif(
    not (shutil.which("tar") and shutil.which("zstd")), reason="tar or zstd is not installed"
)


@pytest.fixture(params=[pytest.param(kind, marks=needs_root) for kind in MAKE])
def on_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    with disk(request.param, tmp_path / "disk") as place:
        yield place


def holes(folder: Path) -> dict[str, list[int]]:
    """Where content and holes begin, in turn, of every file. The blocks that `stat` counts
    also hold what a filesystem needs to know where the content is."""
    return {
        os.path.relpath(path, folder): edges(Path(path))
        for path in (os.path.join(top, name) for top, _, names in os.walk(folder) for name in names)
        if os.path.isfile(path) and not os.path.islink(path)
    }


def edges(path: Path) -> list[int]:
    found = [0]
    with path.open("rb") as file:
        while found[-1] < path.stat().st_size:
            whence = os.SEEK_DATA if len(found) % 2 else os.SEEK_HOLE
            try:
                found.append(os.lseek(file.fileno(), found[-1], whence))
            except OSError:
                break
    return found


def without_blocks(seen: Snapshot) -> Snapshot:
    return {path: mark._replace(blocks=0) for path, mark in seen.items()}


def test_all_of_a_run_comes_back(on_disk: Path) -> None:
    work = bench(on_disk)
    before = without_blocks(snapshot(work.root / "outputs" / "day"))
    made = work.make()
    untouched = without_blocks(snapshot(work.root / "outputs" / "day"))
    assert difference(before, untouched) == []
    work.unpack(made.name, work.root / "back")
    (work.root / "back/outputs/day/outside.log").hardlink_to(work.run.parent / "outside.log")
    after = without_blocks(snapshot(work.root / "back" / "outputs" / "day"))
    assert holes(work.root / "back" / UNIT) == holes(work.run)
    log = b"run/train.log"
    assert before.pop(log)._replace(twins=()) == after.pop(log), "all but its name outside"
    before.pop(b"outside.log"), after.pop(b"outside.log")
    assert difference(before, after) == []


def commands(work: Bench, made: store.Made, *more: str) -> Iterator[list[str]]:
    """What RESTORE.txt tells people to type."""
    for line in (work.root / "store" / "RESTORE.txt").read_text().splitlines():
        if line.startswith(("  tar ", "  sha256sum ")):
            name, *args = shlex.split(line.partition("   (")[0])
            extra = more if name == "tar" else ()
            whole = str(work.root / "store" / made.name)
            yield [name, *extra, *(each.replace("NAME", whole) for each in args)]


@needs_tar
def test_stock_tar_unpacks_all_of_it(on_disk: Path) -> None:
    work = bench(on_disk)
    made = work.make()
    before = without_blocks(snapshot(work.run))
    place = work.root / "by tar"
    place.mkdir()
    unpack, check = commands(work, made, "--xattrs-include=*")
    done = subprocess.run(unpack, cwd=place, capture_output=True)
    said = re.split(rb"\n(?=tar: |$)", done.stderr)  # names hold line breaks
    odd = [each for each in said if each and b"time stamp" not in each]
    assert (done.returncode, odd) == (0, []), "it only wonders about times before 1970 and ahead"
    log = b"train.log"
    after = without_blocks(snapshot(place / UNIT))
    assert holes(place / UNIT) == holes(work.run)
    assert before.pop(log)._replace(twins=()) == after.pop(log)
    assert difference(before, after) == []
    checked = subprocess.run([*check, "--strict"], cwd=place, capture_output=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@needs_tar
def test_every_file_is_in_the_list_of_digests(tmp_path: Path) -> None:
    """And each is compared: one that is changed is named."""
    work = plain(tmp_path)
    made = work.make()
    listed = work.file(made, store.SUMS).read_text().splitlines()
    assert len(listed) == 3
    (work.run / "train.log").write_text("other\n")
    sums = ["sha256sum", "--check", "--quiet", str(work.file(made, store.SUMS))]
    checked = subprocess.run(sums, cwd=work.root, capture_output=True, text=True)
    assert checked.stdout == f"{UNIT}/train.log: FAILED\n"


def test_the_manifest_says_what_is_in_it_and_why(tmp_path: Path) -> None:
    work = plain(tmp_path)
    made = work.make()
    head, *members, end = map(json.loads, work.file(made, store.MANIFEST).read_text().splitlines())
    assert (head["unit"], head["kind"], head["reasons"]) == (UNIT, "hydra-run", ["old"])
    assert head["evidence"] == [["not live", "quiet"]]
    types = {each["path"].removeprefix(UNIT): each["type"] for each in members}
    assert types == {
        "": "folder",
        "/best again.pt": "file",
        "/models": "folder",
        "/models/best.pt": "link",
        "/models/last.pt": "symlink",
        "/train.log": "file",
    }
    assert end["end"]["members"] == 6
    assert end["end"]["archive_bytes"] == work.file(made).stat().st_size


def test_what_one_wants_comes_alone(tmp_path: Path) -> None:
    """A further name of a file brings the content along; the rest is not even read."""
    work = plain(tmp_path)
    made = work.make()
    work.unpack(made.name, tmp_path / "one", "models/best.pt")
    assert [*snapshot(tmp_path / "one" / UNIT)] == [b"models", b"models/best.pt"]
    model = tmp_path / "one" / UNIT / "models" / "best.pt"
    assert model.read_bytes() == (work.run / "models/best.pt").read_bytes()
    assert model.stat().st_mtime_ns == (work.run / "models/best.pt").stat().st_mtime_ns
    work.unpack(made.name, tmp_path / "folder", f"{UNIT}/models/")
    assert (tmp_path / "folder" / UNIT / "models" / "last.pt").is_symlink()
    assert not (tmp_path / "folder" / UNIT / "train.log").exists()


def test_the_rest_is_not_read_when_all_is_out(tmp_path: Path) -> None:
    """What comes first can be had from an archive that is torn behind it."""
    work = plain(tmp_path)
    for number in range(60):
        (work.run / f"z{number:02}").write_bytes(os.urandom(1 << 17))
    made = work.make()
    os.truncate(work.file(made), work.file(made).stat().st_size - 100_000)
    work.unpack(made.name, tmp_path / "back", "best again.pt")
    first = tmp_path / "back" / UNIT / "best again.pt"
    assert first.read_bytes() == (work.run / "best again.pt").read_bytes()


def big(size: int) -> Member:
    return Member(f"{UNIT}/big.bin", FILE, 0o644, 5, size)


@needs_tar
@pytest.mark.parametrize("size", [8**11 - 1, 8**11, 20 << 40])
def test_tar_knows_the_size_of_a_huge_member(tmp_path: Path, size: int) -> None:
    """Without its content: tar skips what it only lists."""
    file = tmp_path / "huge.tar"
    with file.open("wb") as out:
        out.write(tar.header(big(size)))
        if size < 10 << 30:
            out.seek(size + (-size % tar.BLOCK), os.SEEK_CUR)
            out.write(tar.END)
    listed = subprocess.run(["tar", "-tvf", str(file)], capture_output=True, text=True)
    assert f" {size} " in listed.stdout
    with file.open("rb") as back:
        found = tar.next_member(tar.Stream(iter(lambda: back.read(512), b"")))
    assert found == big(size)


@needs_tar
def test_the_words_of_the_note_are_enough_for_anybody(tmp_path: Path) -> None:
    """Without an option more."""
    work = plain(tmp_path)
    made = work.make()
    (tmp_path / "by tar").mkdir()
    for line in commands(work, made):
        subprocess.run(line, cwd=tmp_path / "by tar", check=True)
    assert difference(snapshot(work.run), snapshot(tmp_path / "by tar" / UNIT)) == []


def test_a_path_that_is_longer_than_the_kernel_takes(tmp_path: Path) -> None:
    """Made by whoever goes down folder by folder."""
    work = plain(tmp_path)
    names = [f"{number:03}-{'d' * 200}" for number in range(30)]
    down(work.run, names, lambda fd: os.close(os.open("deep.txt", os.O_CREAT, dir_fd=fd)))
    made = work.make()
    work.unpack(made.name, tmp_path / "back")
    found: list[list[str]] = []
    down(tmp_path / "back" / UNIT, names, lambda fd: found.append(os.listdir(fd)))
    assert found == [["deep.txt"]]
    for place in (work.run, tmp_path / "back"):
        subprocess.run(["rm", "-rf", str(place)], check=True)


def down(start: Path, names: list[str], then: Callable[[int], object]) -> None:
    fds = [os.open(start, os.O_RDONLY)]
    for name in names:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=fds[-1])
        fds.append(os.open(name, os.O_RDONLY, dir_fd=fds[-1]))
    then(fds[-1])
    for fd in fds:
        os.close(fd)


@pytest.mark.proof
@needs_tar
def test_a_member_over_8_gb_that_is_nearly_all_holes(on_disk: Path) -> None:
    work = plain(on_disk)
    size = 8**11 + (1 << 20) + 5
    with (work.run / "vast").open("wb") as file:
        for at in (1 << 20, 5 << 30, size - 7):
            os.pwrite(file.fileno(), b"content", at)
    made = work.make()
    assert made.bytes < 100_000
    (on_disk / "by tar").mkdir()
    for line in commands(work, made):
        subprocess.run(line, cwd=on_disk / "by tar", check=True)
    work.unpack(made.name, on_disk / "back")
    for place in ("back", "by tar"):
        back = (on_disk / place / UNIT / "vast").stat()
        assert back.st_size == size
        assert back.st_blocks * 512 < 1 << 20, "xfs takes some blocks more than there is content"


@pytest.mark.proof
@needs_tar
def test_a_member_over_8_gb(tmp_path: Path) -> None:
    """All allocated, so that no hole saves anybody the reading."""
    work = plain(tmp_path)
    size = 8**11 + 5
    with (work.run / "big.bin").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
        os.pwrite(file.fileno(), b"the end", size - 7)
    made = work.make()
    command = f"tar --zstd -xOf '{work.file(made)}' {UNIT}/big.bin | tail -c 7"
    assert subprocess.run(["sh", "-c", command], capture_output=True).stdout == b"the end"
    work.unpack(made.name, tmp_path / "back", "big.bin")
    back = tmp_path / "back" / UNIT / "big.bin"
    assert back.stat().st_size == size
    assert subprocess.run(["cmp", str(back), str(work.run / "big.bin")]).returncode == 0


def test_python_and_others_read_the_names(tmp_path: Path) -> None:
    """``tarfile`` is a third reader of the same standard."""
    import tarfile

    work = bench(tmp_path)
    made = work.make()
    raw = tmp_path / "raw.tar"
    with work.store.opened(made.name) as files, raw.open("wb") as out:
        from artifact_janitor.apply.archive.flow import Expanded

        for chunk in Expanded(files.archive.fileno()).chunks():
            out.write(chunk)
    with tarfile.open(raw) as archive:
        names = {os.fsencode(each.name) for each in archive}
        many = archive.extractfile(f"{UNIT}/hole_many")
        assert many is not None
        assert many.read() == (work.run / "hole_many").read_bytes()
    inside = {os.fsencode(f"{UNIT}/") + path for path in snapshot(work.run)}
    assert names == inside | {UNIT.encode()}
    assert os.fsencode(f"{UNIT}/{DEEP}/{LONG}") in names


def test_a_name_of_an_archive_is_plain_and_its_own() -> None:
    names = [store.name_for(f"outputs/{'ü' * 90}/\udcff/../x {n}\n", n) for n in range(50)]
    assert len({*names}) == 50
    assert all(name.isascii() and "/" not in name and not name.startswith(".") for name in names)
    assert store.name_for(UNIT, 1).startswith("outputs_day_run-")


def test_a_name_that_anything_has_is_not_taken(tmp_path: Path) -> None:
    """Whatever bears the name of an archive that failed is removed."""
    work = plain(tmp_path)
    first = work.store.free_name(UNIT, 1)
    for suffix in store.IN_ORDER:
        for end in ("", store.PART):
            taken = work.store.place / (first + suffix + end)
            taken.symlink_to("/nowhere")
            assert work.store.free_name(UNIT, 1) not in (first, "")
            taken.unlink()
    assert work.store.free_name(UNIT, 1) == first


def test_reading_a_manifest_needs_its_last_line(tmp_path: Path) -> None:
    work = plain(tmp_path)
    made = work.make()
    with work.file(made, store.MANIFEST).open("rb") as file:
        read = Manifest(file)
        assert len([*read.members()]) == made.members
        assert read.digest == made.digest


def test_holes_stay_holes_in_the_archive(tmp_path: Path) -> None:
    """A file that is one large hole takes next to nothing, and no time."""
    work = plain(tmp_path)
    (work.run / "huge").touch()
    os.truncate(work.run / "huge", 1 << 30)
    made = work.make()
    assert made.bytes < 100_000
    work.unpack(made.name, tmp_path / "back")
    back = (tmp_path / "back" / UNIT / "huge").stat()
    assert (back.st_size, back.st_blocks) == (1 << 30, 0)


def expected(work: Bench) -> list[str]:
    return sorted(os.listdir(work.root / "store"))


def test_the_folder_tells_people_without_this_program(tmp_path: Path) -> None:
    work = plain(tmp_path)
    made = work.make()
    text = (tmp_path / "store" / "RESTORE.txt").read_text()
    assert "tar --zstd --xattrs -xpf NAME.tar.zst" in text
    files = [f"{made.name}{each}" for each in store.IN_ORDER]
    assert expected(work) == sorted(["RESTORE.txt", *files])
