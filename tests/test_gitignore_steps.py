"""``.gitignore`` as a step of a sweep: planned, journalled, taken back, mended after a kill; and
what ``check`` says of files that are not where they should be."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from artifact_janitor import gitignored, gitignoring
from artifact_janitor.apply import copies
from artifact_janitor.apply import gitignore as file
from artifact_janitor.observe import git_rules
from artifact_janitor.state import State
from artifact_janitor.sweep import mend
from tests.real.git_repo import Repo, repo
from tests.real.small import FREE
from tests.real.snapshot import difference, snapshot

MINE = b"*.pyc\n!x.tmp"


@pytest.fixture
def work(tmp_path: Path) -> Repo:
    found = repo(tmp_path / "project")
    found.rules(MINE)
    found.has("outputs/a.txt")
    return found


def row(answer: object) -> dict[str, object]:
    """The one of ``.gitignore`` in a plan or a report."""
    (found,) = [each for each in answer.rows("steps") if each["path"] == ".gitignore"]  # type: ignore[attr-defined]
    return found  # type: ignore[no-any-return]


def test_a_full_sweep_writes_it(work: Repo) -> None:
    planned = work.janitor("plan", "--exit-code")
    assert planned.code == 10
    said = row(planned)
    assert (said["do"], said["kind"], said["bytes"]) == ("gitignore", "gitignore", 0)
    assert work.text == MINE
    assert ".gitignore to be written" in work.said("plan")
    assert work.janitor("plan", "--only", "hydra-run").rows("steps") == []
    done = work.janitor("run", "--yes")
    assert row(done)["outcome"] == "done"
    assert work.ignores("outputs/a.txt") == {"outputs/a.txt"}
    assert work.janitor("plan", "--exit-code").code == 0
    before = snapshot(work.root)
    assert work.janitor("run", "--yes").rows("steps") == []
    assert difference(before, snapshot(work.root)) == []
    assert ".gitignore written" not in work.said("run", "--yes")


def test_a_plan_changes_nothing_even_where_git_is_asked(work: Repo) -> None:
    work.janitor("run", "--yes")
    work.configure("[gitignore]\ndrop = ['*.log']\n")
    before = snapshot(work.root)
    assert row(work.janitor("plan"))
    assert difference(before, snapshot(work.root)) == []
    assert work.leftovers() == []


def test_without_a_configuration_nothing_is_written(work: Repo) -> None:
    """But by a person who asks for it by name."""
    (work.root / "config.toml").unlink()
    assert work.janitor("run", "--yes").rows("steps") == []
    assert work.text == MINE
    assert work.sync() == 0


def test_a_conflict_is_told_and_is_no_error_of_a_sweep(work: Repo) -> None:
    work.configure(FREE)
    work.janitor("run", "--yes")
    work.janitor("undo")
    gone = work.hydra(30)
    work.rules("a\nbest_models/\n")
    work.has("best_models/notes.txt")
    for command in (("plan",), ("run", "--yes")):
        answer = work.janitor(*command)
        (held,) = [each for each in answer.facts["refused"] if each["code"] == "gitignore"]
        assert held["message"].startswith(".gitignore:2: best_models/ ignores")
        assert answer.code == 0
    assert not work.there(gone)  # all else goes on
    assert work.text == b"a\nbest_models/\n"
    assert ".gitignore:2" in work.said("run", "--yes")


def test_undo_and_what_comes_after(work: Repo) -> None:
    os.utime(work.root / ".gitignore", ns=(1, 10**18 + 7))
    before = snapshot(work.root)
    assert work.sync() == 0
    assert "written" in work.said("history")
    undone = work.janitor("undo")
    assert (undone.code, undone.rows("steps")[0]["path"]) == (0, ".gitignore")
    assert difference(before, snapshot(work.root)) == []
    assert work.trash() == work.leftovers() == []
    assert work.janitor("run", "--yes").rows("steps") == []
    assert work.text == MINE  # it stays so
    assert "taken back" in work.said("plan")
    assert work.sync() == 0
    work.rules(work.text + b"# later\n")
    undone = work.janitor("undo")
    assert (undone.code, work.text.endswith(b"# later\n")) == (3, True)
    assert "was changed since" in undone.said["errors"][0]["message"]


def test_a_file_that_was_not_there_goes_again(work: Repo) -> None:
    (work.root / ".gitignore").unlink()
    assert work.sync() == 0
    assert os.stat(work.root / ".gitignore").st_mode & 0o777 == 0o666 & ~_umask()
    assert work.janitor("undo").code == 0
    assert not work.there(".gitignore")
    assert work.sync() == 0
    work.configure("[gitignore]\ndrop = ['*']\n")
    assert work.sync() == 0
    assert work.text == b""
    assert work.janitor("undo").code == 0
    assert b"artifact-janitor" in work.text


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# ------------------------------------------------------------------ kills and races


def killed_at(module: object, name: str, *, after: bool) -> Callable[[], None]:
    """In a fork: the janitor dies right before or after it called this."""

    def patch() -> None:
        real = getattr(module, name)

        def dies(*args: object, **named: object) -> object:
            result = real(*args, **named) if after else None
            os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(module, name, dies)

    return patch


KILLS = [
    (module, name, after)
    for module, name in (
        (gitignored, "_tried"),
        (copies, "write"),
        (file, "_dress"),
        (file, "exchange"),
        (file, "_put"),
        (copies, "discard"),
    )
    for after in (False, True)
]


@pytest.mark.proof  # tests/proof kills at system calls, a few of them in `make test`
@pytest.mark.parametrize("undoing", [False, True], ids=["writing", "undoing"])
def test_a_kill_leaves_the_old_or_the_new_file(work: Repo, undoing: bool) -> None:
    work.rules(MINE)
    work.sync()
    new = work.text
    command = ("undo",) if undoing else ("gitignore", "sync")
    for module, name, after in KILLS:
        if undoing:
            work.sync()
            assert work.text == new
        else:
            work.rules(MINE)
        killed = work.start(*command, "--json", first=killed_at(module, name, after=after))
        assert killed.wait() == -signal.SIGKILL
        there = work.text
        assert there in (MINE, new), name
        work.janitor("status")
        answer = work.janitor("run", "--yes")
        assert answer.code == 0, answer
        assert work.leftovers() == [], name
        if undoing:
            assert work.text == there, (name, after)
        with closing(work.journal()) as journal:  # no fork may inherit it
            sweeps = journal.sweeps()
            states = {each.state for sweep in sweeps for each in journal.steps(sweep.id)}
        assert all(sweep.ended for sweep in sweeps)
        assert states <= {"done", "undone", "skipped"}


def test_what_git_was_asked_about_goes_with_the_next_start(work: Repo) -> None:
    """Whatever that is; not what a janitor that lives asks about."""
    State(work.root).prepare()
    killed = work.start("gitignore", "sync", first=killed_at(git_rules, "_put", after=True))
    assert killed.wait() == -signal.SIGKILL
    assert len(work.leftovers()) == 2
    with State(work.root).scratch() as mine:
        mend(work.settings)
        assert mine.is_dir()
        assert len(work.leftovers()) == 2
    assert work.leftovers() == []


def test_who_edits_it_meanwhile_loses_nothing(work: Repo) -> None:
    def saves() -> None:
        real = copies.write

        def write(*args: object) -> object:
            (work.root / ".gitignore").write_bytes(b"# saved just now\n")
            return real(*args)  # type: ignore[arg-type]

        copies.write = write  # type: ignore[assignment]

    answer = work.start("gitignore", "sync", "--json", first=saves).answer()
    assert (answer.code, work.text) == (4, b"# saved just now\n")
    assert "changed meanwhile" in answer.said["errors"][0]["message"]
    assert work.leftovers() == []


def test_who_has_it_open_for_writing_is_waited_for(work: Repo) -> None:
    with open(work.root / ".gitignore", "ab") as editor:
        answer = work.janitor("gitignore", "sync")
        assert (answer.code, work.text) == (4, MINE)
        editor.write(b"\n*.bak\n")
    assert "open for writing" in answer.said["errors"][0]["message"]
    assert work.sync() == 0
    assert b"*.bak\n" in work.text


def test_a_filesystem_that_can_not_exchange(work: Repo) -> None:
    def plainly() -> None:
        file.exchange = lambda *_: False

    assert work.start("gitignore", "sync", "--json", first=plainly).answer().code == 0
    assert work.text.startswith(MINE)
    assert work.leftovers() == []


def test_for_a_program_that_calls_it(work: Repo) -> None:
    """A daemon, say: its own write leads to no other one, and what was undone stays."""
    first = gitignoring.sync(work.settings, 1, "watch", by_person=False)
    assert (first.state, bool(first.sweep)) == ("done", True)
    assert gitignoring.sync(work.settings, 2, "watch", by_person=False).state == "nothing"
    work.janitor("undo")
    assert gitignoring.sync(work.settings, 3, "watch", by_person=False).state == "refused"
    assert work.text == MINE


# ------------------------------------------------------------------ what check finds


def test_a_tracked_file_that_the_policy_ignores(work: Repo) -> None:
    """Git takes no notice of a rule for it; untracking is a person's to do, and to think over."""
    work.has("outputs/b.txt", "src/__pycache__/a.pyc", "logs/app.log")
    work.git("add", "-f", "outputs", "src", "logs")
    work.git("commit", "-qm", "by mistake")
    work.sync()
    found = {each["path"]: each for each in work.finds()}
    assert {each["code"] for each in found.values()} == {"tracked"}
    assert {str(each["rule"]) for each in found.values()} == {"/outputs", "/logs", "__pycache__/"}
    assert found["outputs/a.txt"]["more"] == 1
    assert "docs/how-to/gitignore.md" in str(found["logs/app.log"]["hint"])
    assert "outputs/b.txt" in work.git("ls-files")


def test_what_is_too_large_to_be_committed(work: Repo) -> None:
    work.configure('[gitignore]\nmax_size = "1MB"\n')
    work.sync()
    work.git("add", ".")
    work.git("commit", "-qm", "first")
    (work.root / "data").mkdir()
    for name in ("data/big.bin", "best model é.ckpt", "data/fits.bin"):
        work.write(name, os.urandom(10**6 + (0 if "fits" in name else 1)))
    work.git("add", "-f", "data", "best model é.ckpt")
    found = work.finds()
    assert {(each["code"], each["path"]) for each in found} == {
        ("large", "data/big.bin"),
        ("large", "best model é.ckpt"),
    }
    assert "1.0 MB" in str(found[0]["what"])
    work.git("restore", "--staged", "data/big.bin", "best model é.ckpt")
    assert work.finds() == []
    work.git("rm", "-q", "--cached", "data/fits.bin")
    assert work.finds() == []


def test_a_first_commit_and_an_index_of_the_hooks_own(work: Repo) -> None:
    """``git commit FILE`` commits by another index than the usual one."""
    work.configure('[gitignore]\nmax_size = "1MB"\n')
    work.sync()
    work.write("big.bin", b"\0" * 2_000_000)
    index = str(work.root / ".git" / "next-index")
    work.git("add", "big.bin", GIT_INDEX_FILE=index)
    assert work.finds() == []
    answer = work.janitor("gitignore", "check", env=[("GIT_INDEX_FILE", index)])
    assert [each["code"] for each in answer.facts["findings"]] == ["large"]
    work.git("add", "big.bin")
    assert [each["code"] for each in work.finds()] == ["large"]


def test_what_is_ignored_by_accident(work: Repo) -> None:
    work.rules("*.yaml\nREADME*\n/docs/\n!docs/kept.md\nconfig/secret.yaml\n")
    work.has("config/model.yaml", "config/secret.yaml", "README.md", "docs/a/b.md", "x.yaml")
    work.sync()
    found = work.finds()
    assert {(each["path"], each["line"]) for each in found} == {
        ("config/model.yaml", 1),
        ("README.md", 2),
        ("docs/a/b.md", 3),
    }
    assert {each["code"] for each in found} == {"ignored"}
    work.configure("[gitignore]\ndrop = ['config/*.yaml', 'README*', 'docs/**/*.md']\n")
    assert work.finds() == []


def test_the_doctor_says_so(work: Repo) -> None:
    def found() -> tuple[str, str]:
        rows = work.janitor("doctor").rows("checks")
        (row,) = [each for each in rows if each["name"] == "gitignore"]
        return row["state"], row["hint"]

    assert found() == ("warning", "janitor gitignore sync")
    work.sync()
    assert found() == ("ok", "")
    work.rules(work.text + work.text)
    assert found()[0] == "warning"


def test_what_check_and_diff_say(work: Repo) -> None:
    answer = work.janitor("gitignore", "check")
    assert answer.code == 10
    (found,) = answer.facts["findings"]
    keys = {"code", "path", "what", "hint", "file", "line", "rule", "more"}
    assert found.keys() == keys
    assert (found["code"], found["hint"]) == ("drift", "janitor gitignore sync")
    assert {"git", "findings", "diff", "paths"} == answer.facts.keys()
    diff = work.janitor("gitignore", "diff")
    assert (diff.code, diff.facts["diff"][:2]) == (0, ["--- a/.gitignore", "+++ b/.gitignore"])
    assert "+/outputs\n" in work.said("gitignore", "diff")
    assert work.text == MINE
    synced = work.janitor("gitignore", "sync")
    assert synced.facts.keys() == {"state", "why", "sweep", "refused", "diff"}
    assert json.dumps(synced.said)
    assert "says what the policy says" in work.said("gitignore", "check")
    assert work.janitor("gitignore", "hold").code == 2
