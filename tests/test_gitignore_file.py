"""The file itself: nothing but the block changes in it, and what is odd is left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.real.git_repo import Repo, git, ignored, repo
from tests.real.snapshot import difference, snapshot


@pytest.fixture
def work(tmp_path: Path) -> Repo:
    return repo(tmp_path / "project")


# ------------------------------------------------------------------ bytes


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"*.pyc",
        b"*.pyc\n",
        b"*.pyc\r\n*.bak\r\n",
        b"*.pyc\r\n*.bak",
        b"\xef\xbb\xbf*.pyc\n",
        b"\xef\xbb\xbf",
        b"caf\xe9/\n\xff\xfe*\n",
        b"a\x0bb\x0cc\x85\xe2\x80\xa8d\re\n",
        b"foo\\",
        b"trailing  \nkept\\ \n\n\n",
        b"nul\x00byte\n",
    ],
)
def test_everything_outside_the_block_stays(work: Repo, before: bytes) -> None:
    work.rules(before)
    os.chmod(work.root / ".gitignore", 0o640)
    os.setxattr(work.root / ".gitignore", "user.a", b"b")
    os.utime(work.root / ".gitignore", ns=(1, 10**18 + 7))
    state = snapshot(work.root)
    assert work.sync() == 0
    after = work.text
    eol = b"\r\n" if b"\r\n" in before else b"\n"
    own = after[: after.index(b"# >>> artifact-janitor")]
    assert own == before + (eol if before and not before.endswith(b"\n") else b"")
    assert after.count(b"\n") == after.count(eol)
    assert work.ignores("outputs/x", "a.log", "foo") == {"outputs/x", "a.log"}
    assert os.stat(work.root / ".gitignore").st_mode & 0o777 == 0o640
    assert os.getxattr(work.root / ".gitignore", "user.a") == b"b"
    work.rules(after + b"# mine" + eol)
    work.configure("[gitignore]\ndrop = ['*.log']\n")
    assert work.sync() == 0
    assert work.text.startswith(own)
    assert work.text.endswith(b"<<<" + eol + b"# mine" + eol)
    assert b"*.log" not in work.text
    work.rules(after)
    work.configure("")
    (work.root / ".gitignore").unlink()
    work.rules(before)
    os.chmod(work.root / ".gitignore", 0o640)
    os.setxattr(work.root / ".gitignore", "user.a", b"b")
    os.utime(work.root / ".gitignore", ns=(1, 10**18 + 7))
    assert work.sync() == 0
    assert work.janitor("undo").code == 0
    assert [each for each in difference(state, snapshot(work.root)) if "gitignore" in each] == []


def test_the_file_is_the_owners_where_root_writes_it(work: Repo) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root writes in other people's folders")
    work.handed_to(12345)
    assert work.sync() == 0
    assert os.stat(work.root / ".gitignore").st_uid == 12345
    work.rules(work.text.replace(b"*.log", b"*.log"))
    os.chown(work.root / ".gitignore", 4321, 4321)
    work.configure("[gitignore]\ndrop = ['*.log']\n")
    assert work.sync() == 0
    assert os.stat(work.root / ".gitignore").st_uid == 4321


# ------------------------------------------------------------------ what is left alone


def block(work: Repo) -> bytes:
    work.sync()
    return work.text


FLAWS = {
    "edited": (lambda text: text.replace(b"*.log\n", b""), "edited"),
    "edited by one space": (lambda text: text.replace(b"*.log\n", b"*.log \n"), "edited"),
    "a line of one's own": (lambda text: text.replace(b"*.log\n", b"*.log\n*.bak\n"), "edited"),
    "doubled": (lambda text: text + text, "twice"),
    "no end": (lambda text: text.replace(b"# <<< artifact-janitor <<<\n", b""), "half"),
    "no beginning": (lambda text: text[text.index(b"\n") + 1 :], "half"),
    "the wrong way round": (lambda text: b"# <<< artifact-janitor <<<\n" + text, "twice"),
    "upside down": (
        lambda text: b"# <<< artifact-janitor <<<\n" + text[: text.index(b"\n") + 1],
        "half",
    ),
    "of a newer version": (lambda text: text.replace(b"janitor 1 ", b"janitor 2 "), "update"),
    "in a merge": (lambda text: text + b"<<<<<<< HEAD\n=======\n>>>>>>> x\n", "merge"),
    "UTF-16": (lambda text: text.decode().encode("utf-16"), "UTF-16"),
}


@pytest.mark.parametrize(("spoil", "said"), FLAWS.values(), ids=FLAWS)
def test_a_block_that_is_not_as_it_was_is_left_alone(work: Repo, spoil: object, said: str) -> None:
    assert callable(spoil)
    spoilt = spoil(block(work))
    work.rules(spoilt)
    answer = work.janitor("gitignore", "sync")
    assert (answer.code, work.text) == (4, spoilt)
    error = answer.said["errors"][0]
    assert said in error["message"] + error["hint"]
    assert error["hint"]
    assert [each["code"] for each in work.finds()] == ["flaw"]
    shown = "\n".join(answer.facts["diff"])
    assert bool(shown) == (said in ("edited", "twice", "half", "update")), shown
    if said in ("edited", "half"):
        changed = [each for each in shown.split("\n") if each[:1] in "+-" and "---" not in each]
        assert changed
    assert said in work.said("gitignore", "diff")
    assert work.janitor("run", "--yes").code == 0
    assert work.text == spoilt


def test_a_block_whose_line_ends_git_turned_is_whole(work: Repo) -> None:
    """core.autocrlf, say."""
    work.rules(block(work).replace(b"\n", b"\r\n"))
    assert work.finds() == []
    work.rules(work.text.replace(b"\r\n", b"\n"))
    assert work.finds() == []


def test_a_file_that_git_would_not_read(work: Repo, tmp_path: Path) -> None:
    place = work.root / ".gitignore"
    for make, said in (
        (lambda: place.symlink_to(tmp_path / "elsewhere"), "symlink"),
        (place.mkdir, "a folder"),
        (lambda: os.mkfifo(place), "no regular file"),
        (lambda: (work.rules("x"), os.truncate(place, 5 << 20)), "larger"),
        (lambda: (work.rules("x\n"), os.link(place, tmp_path / "twin")), "second name"),
        (lambda: (work.rules("x\n"), place.chmod(0o444)), "read-only"),
    ):
        make()
        before = snapshot(work.root)
        answer = work.janitor("gitignore", "sync")
        assert answer.code == 4, (said, answer)
        assert said in answer.said["errors"][0]["message"]
        assert difference(before, snapshot(work.root)) == []
        place.rmdir() if place.is_dir() and not place.is_symlink() else place.unlink()
    assert not (tmp_path / "elsewhere").exists()


def test_no_git(tmp_path: Path) -> None:
    plain = Repo(tmp_path)
    plain.configure("")
    for action in ("check", "sync", "diff"):
        assert plain.janitor("gitignore", action).code == 0
        assert "No Git repository" in plain.said("gitignore", action)
    assert plain.janitor("plan").rows("steps") == []
    assert not plain.there(".gitignore")


def test_a_git_that_can_not_be_asked(work: Repo, tmp_path: Path) -> None:
    bare = repo(tmp_path / "bare")
    bare.git("config", "core.bare", "true")
    assert "bare" in bare.janitor("gitignore", "check").said["errors"][0]["message"]
    (work.root / ".git" / "HEAD").write_text("nonsense\n")
    for action in ("check", "sync"):
        answer = work.janitor("gitignore", action)
        assert (answer.code, answer.said["errors"][0]["code"]) == (1, "git")
        assert "not a git repository" in answer.said["errors"][0]["message"]
    assert work.janitor("run", "--yes").code == 0
    (work.root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    answer = work.janitor("gitignore", "sync", env=[("PATH", str(tmp_path))])
    assert "no git command" in answer.said["errors"][0]["message"]
    (work.root / ".git" / "index").write_bytes(b"DIRC nonsense")
    answer = work.janitor("gitignore", "sync")
    assert (answer.code, work.there(".gitignore")) == (1, False)


def test_somebody_elses_repository(work: Repo) -> None:
    """Git refuses it to its own user; we read no program's name from it, and may ask."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a repository away")
    work.git("config", "core.fsmonitor", f"touch {work.root}/pwned")
    work.handed_to(12345)
    assert work.sync() == 0
    assert not work.there("pwned")


@pytest.mark.parametrize("what", ["merge", "rebase", "cherry-pick", "lock"])
def test_nothing_is_written_in_the_middle_of_a_merge(work: Repo, what: str) -> None:
    work.write("a.txt", "one\n")
    work.git("add", ".")
    work.git("commit", "-qm", "one")
    work.git("checkout", "-qb", "side")
    work.write("a.txt", "two\n")
    work.git("commit", "-qam", "two")
    work.git("checkout", "-q", "main")
    work.write("a.txt", "three\n")
    work.git("commit", "-qam", "three")
    if what == "lock":
        work.write(".git/index.lock", "")
    else:
        work.git(what, "side")
        assert "UU a.txt" in work.git("status", "--porcelain")
    for command in (("gitignore", "sync"), ("run", "--yes")):
        answer = work.janitor(*command)
        assert answer.code == (4 if command[0] == "gitignore" else 0)
        assert not work.there(".gitignore")
    assert "in the middle of" in work.said("plan")
    (work.root / ".git/index.lock").unlink(missing_ok=True)
    if what != "lock":
        work.git(what, "--abort")
    assert work.sync() == 0


def test_ignored_by_real_git_and_by_the_fixture(work: Repo) -> None:
    """The helper that all of these tests trust, held against ``git status``."""
    work.rules("*.a\n!b.a\n")
    work.has("a.a", "b.a", "c.c")
    shown = git(work.root, "status", "--porcelain", "--ignored", "-uall").decode()
    assert "!! a.a" in shown
    assert "?? b.a" in shown
    assert ignored(work.root, ["a.a", "b.a", "c.c"]) == {"a.a": True, "b.a": False, "c.c": False}
