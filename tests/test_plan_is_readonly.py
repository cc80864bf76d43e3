"""``janitor plan`` changes nothing: the kernel sees no call that could, but for its own folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.account import Account, myself
from tests.real.command import line
from tests.real.snapshot import difference, settled, snapshot
from tests.real.syscalls import changes, is_there
from tests.real.workspace import HandOut

pytestmark = pytest.mark.skipif(not is_there(), reason="strace is not installed")

WAYS = {
    "open for writing": "open('a', 'w')",
    "open for appending, in a folder": "os.open(NAME, os.O_CREAT | os.O_APPEND, dir_fd=HERE)",
    "mkdir": "os.mkdir(os.path.abspath('a'))",
    "mkdir in a folder": "os.mkdir(NAME, dir_fd=HERE)",
    "rename": "os.rename('old', NAME, src_dir_fd=HERE, dst_dir_fd=HERE)",
    "unlink": "os.unlink('old', dir_fd=HERE)",
    "link": "os.link('old', NAME, src_dir_fd=HERE, dst_dir_fd=HERE)",
    "symlink": "os.symlink('/nowhere', NAME, dir_fd=HERE)",
    "chmod": "os.chmod('old', 0o600, dir_fd=HERE)",
    "fchmod": "os.fchmod(os.open('old', os.O_RDONLY), 0o600)",
    "utime": "os.utime(os.open('old', os.O_RDONLY))",
    "setxattr": "os.setxattr(os.path.abspath('old'), 'user.a', b'b')",
    "pipe": "os.mkfifo(NAME, dir_fd=HERE)",
    "truncate": "os.truncate(os.path.abspath('old'), 0)",
    "in a child": "import subprocess; subprocess.run(['touch', 'old'])",
}
PROGRAM = "import os; HERE = os.open('.', os.O_RDONLY); NAME = b'\\xff>\\n\"'; "


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_each_way_to_change_something_is_seen(way: str, tmp_path: Path) -> None:
    """Without this the test below would pass whatever the janitor did."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "old").write_text("content\n")
    me = myself(tmp_path)
    seen = changes(me, [me.python, "-c", PROGRAM + way], project, tmp_path / "trace")
    assert [each for each in seen if str(project) in each] == seen != []


def test_reading_is_no_change(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("content\n")
    me = myself(tmp_path)
    reading = "open('old').read(); os.listdir('.'); os.stat('old'); open('/dev/null', 'w')"
    assert changes(me, [me.python, "-c", PROGRAM + reading], tmp_path, tmp_path / "trace") == []


def test_plan_changes_nothing_outside_its_own_folder(nasty_for: HandOut, who: Account) -> None:
    with nasty_for(who) as nasty:
        root, trace = nasty.root, nasty.root.parent / "home" / f"trace-{who.uid}"
        before = settled(snapshot(root), nasty.volatile)
        start = changes(who, [who.python, "-c", "pass"], root, trace)  # site hooks, not ours
        for _ in ("the first look", "a look with something to remember"):
            seen = changes(who, line(who, root, "plan"), root, trace)
            assert [each for each in seen if not _is_own(each, root) and each not in start] == []
        assert difference(before, settled(snapshot(root), nasty.volatile)) == []


def _is_own(change: str, root: Path) -> bool:
    """In ``.janitor/``, or the making of that folder itself."""
    path = change.partition(" ")[2]
    return path == f"{root}/.janitor" or path.startswith(f"{root}/.janitor/")
