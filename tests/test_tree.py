"""Reading a tree: all of it, and nothing but it, whatever it is made of."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from artifact_janitor.observe import tree
from artifact_janitor.observe.tree import Folder
from tests.real.disks import needs_root, small_disk


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A root with a bit of everything."""
    run = tmp_path / "root" / "day" / "run"
    run.mkdir(parents=True)
    for name in ("a.txt", os.fsdecode(b"caf\xe9 \n.log")):
        (run / name).write_text("content\n")
    os.link(run / "a.txt", run.parent / "twin")
    (run / "link").symlink_to("a.txt")
    (run / "elsewhere").symlink_to("/etc")
    os.mkfifo(run / "pipe")
    (tmp_path / "root" / ".janitor").mkdir()
    (run / ".janitor").mkdir()
    (run / ".janitor" / "journal.db").write_text("not ours to look at\n")
    return tmp_path


def everything(top: Folder) -> dict[str, object]:
    """All that is known of a tree, by path."""
    known = [each.name for each in fields(Folder)]
    return {
        each.path: {name: getattr(each, name) for name in known}
        | {"folders": set(each.folders), "shared": sorted(each.shared)}
        for each in top.walk()
    }


def test_all_is_read_and_no_link_is_followed(base: Path) -> None:
    run = tree.read(base, "root").folders["day"].folders["run"]
    assert set(run.files) == {"a.txt", os.fsdecode(b"caf\xe9 \n.log")}
    assert run.links == {"link": "a.txt", "elsewhere": "/etc"}
    assert set(run.others) == {"pipe"}
    assert set(run.folders) == {".janitor"}


def test_a_janitors_own_state_is_not_entered(base: Path) -> None:
    root = tree.read(base, "root")
    inner = root.folders["day"].folders["run"].folders[".janitor"]
    assert ".janitor" not in root.folders
    assert (inner.files, inner.trouble) == ({}, "a janitor's own state")


@needs_root
def test_another_filesystem_is_not_entered(base: Path) -> None:
    with small_disk(base / "root" / "day" / "disk", "size=1m"):
        (base / "root" / "day" / "disk" / "file").touch()
        inner = tree.read(base, "root").folders["day"].folders["disk"]
    assert (inner.files, inner.trouble) == ({}, "another filesystem is mounted here")


def test_sums_are_those_of_the_files(base: Path) -> None:
    run = tree.read(base, "root").folders["day"].folders["run"]
    alone = [entry for entry in run.files.values() if entry.nlink == 1]
    assert run.shared == ["a.txt"]
    assert run.bytes == sum(entry.bytes for entry in alone) > 0
    assert run.newest == max(entry.mtime for entry in run.files.values())
    assert run.folders[".janitor"].newest == 0


def test_a_listing_and_its_parts_are_the_whole_tree(base: Path) -> None:
    """Read at one go, or folder by folder as the workers do."""
    root = tree.listing(base, "root", "root")
    assert root.folders["day"].files == {}
    for child in root.folders.values():
        tree.fill(base, "root", child)
    assert everything(root) == everything(tree.read(base, "root"))
    day = tree.listing(base, "root", "root/day")
    for child in day.folders.values():
        tree.fill(base, "root", child)
    assert everything(day) == everything(tree.read(base, "root").folders["day"])


def test_what_is_to_be_skipped_is_not_even_named(base: Path) -> None:
    for skip in (lambda path: path == "root/day/run", lambda path: path == "root/day"):
        below = everything(tree.read(base, "root", skip))
        assert not any("run" in path for path in below)
    assert tree.listing(base, "root", "root/day", lambda path: True).folders == {}


def test_a_link_on_the_way_is_not_followed(base: Path) -> None:
    """The folder was swapped for a link after the listing that named it."""
    child = tree.listing(base, "root", "root").folders["day"]
    (base / "root" / "day").rename(base / "aside")
    (base / "root" / "day").symlink_to(base / "aside")
    tree.fill(base, "root", child)
    assert child.trouble
    assert child.files == child.folders == {}
    for path in ("root/day", "root/day/run"):
        with pytest.raises(OSError, match=r"directory|symbolic"):
            tree.listing(base, "root", path)


def test_a_root_may_be_a_link(base: Path) -> None:
    (base / "linked").symlink_to("root")
    read = tree.read(base, "linked")
    assert read.folders["day"].path == "linked/day"
    assert set(tree.listing(base, "linked", "linked/day").folders) == {"run"}


@pytest.fixture
def abyss(tmp_path: Path) -> Iterator[Path]:
    """A folder whose content pytest itself could not clean up: it is too deep."""
    yield tmp_path
    subprocess.run(["rm", "-rf", tmp_path / "deep"], check=True)


def test_a_tree_may_be_deeper_than_any_path_is_long(abyss: Path) -> None:
    depth, fd = 3000, os.open(abyss, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("deep", dir_fd=fd)
        inner = os.open("deep", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("bottom", os.O_CREAT, dir_fd=fd))
    os.close(fd)
    root = tree.read(abyss, ".")
    (path, _), *others = root.all_files()
    assert (path.count("/deep"), others) == (depth, [])
    inner_path = path.rpartition("/")[0]
    assert "bottom" in tree.listing(abyss, ".", inner_path).files


def test_a_socket_is_neither_file_nor_folder(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(tmp_path)
        server.bind("socket")
        read = tree.read(tmp_path, ".")
        assert (set(read.others), read.files, read.folders) == ({"socket"}, {}, {})


@pytest.mark.parametrize(
    "change",
    ["new file", "gone", "grew", "dated", "replaced", "new link", "new folder", "type"],
)
def test_a_fingerprint_tells_each_change(base: Path, change: str) -> None:
    run = base / "root" / "day" / "run"
    before = tree.fingerprint(tree.read(base, "root"))
    assert tree.fingerprint(tree.read(base, "root")) == before
    file, status = run / "a.txt", (run / "a.txt").stat()
    match change:
        case "new file":
            (run / "new").touch()
        case "gone":
            (run / "pipe").unlink()
        case "grew":
            file.write_text("more content\n")
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        case "dated":
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        case "replaced":
            (run / "new").write_bytes(file.read_bytes())
            os.utime(run / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
            (run / "new").replace(file)
        case "new link":
            (run / "other").symlink_to("a.txt")
        case "new folder":
            (run / "empty").mkdir()
        case "type":
            (run / "pipe").unlink()
            (run / "pipe").mkdir()
    assert tree.fingerprint(tree.read(base, "root")) != before


_LOOKS = """
import gc
from artifact_janitor.observe.workers import uncollected
whole = []
gc.callbacks.append(lambda phase, how: phase == "start" and whole.append(how["generation"] == 2))
kept = [[] for _ in range(50_000)]
def look(many):
    del whole[:]
    with uncollected():
        for _ in range(many):
            ring = []
            ring.append(ring)
    return any(whole)
print(look(10), [look(10) for _ in range(2)], look(500_000), look(10))
print(gc.get_freeze_count() < 400_000, look(10))
kept += [[] for _ in range(300_000)]
print([look(10) for _ in range(4)])
"""


def test_a_collection_follows_when_twice_as_much_is_there() -> None:
    """Not each look: all that the earlier ones built would be gone through again and again."""
    said = subprocess.check_output([sys.executable, "-c", _LOOKS], text=True)
    assert said.splitlines() == [
        "False [False, False] False True",
        "True False",
        "[False, True, False, False]",
    ]
