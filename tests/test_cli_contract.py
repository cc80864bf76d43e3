"""The command as programs and people meet it: exit codes, JSON, terminals, hostile names."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.real.account import clean_environment
from tests.real.small import CONFIG, FREE, Small, done, small
from tests.real.snapshot import difference, snapshot

RUN = "outputs/day/run"


@pytest.fixture
def work(tmp_path: Path) -> Small:
    found = small(tmp_path)
    found.hydra(30, RUN)
    return found


def process(work: Small, *args: str, **how: object) -> subprocess.Popen[bytes]:
    """The command as it is installed, in a process of its own."""
    line = [sys.executable, "-m", "artifact_janitor", *args]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    env = {**clean_environment(work.root), "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(line, cwd=work.root, **{**pipes, "env": env, **how})  # type: ignore[call-overload,no-any-return]


# ------------------------------------------------------------ JSON and exit codes

WELL: list[tuple[list[str], int]] = [
    (["plan"], 0),
    (["plan", "--exit-code"], 10),
    (["plan", "--all", "--kept"], 0),
    (["run", "--yes"], 0),
    (["run"], 4),
    (["undo"], 0),
    (["why", RUN], 0),
    (["why", "outputs"], 0),
    (["status"], 0),
    (["studies"], 0),
    (["history"], 0),
    (["history", "--config", RUN], 0),
    (["doctor"], 0),
    (["pin", RUN], 0),
]
BADLY: list[tuple[list[str], int]] = [
    ([], 2),
    (["no-such-command"], 2),
    (["run", "--no-such-option"], 2),
    (["plan", "too", "many"], 2),
    (["plan", "--only", "no-kind"], 2),
    (["plan", "--config", "none.toml"], 2),
    (["why"], 2),
    (["why", "outputs/none"], 2),
    (["why", "/etc"], 2),
    (["pin", "/etc"], 2),
    (["pin", "outputs/none"], 2),
    (["unpin", RUN], 2),
    (["studies", "none"], 1),
    (["undo", "ffff"], 2),
    (["undo", "--last", "0"], 2),
    (["history", "ffff"], 2),
    (["history", "ffff", "--config", RUN], 2),
    (["history", "--config", "ffff"], 1),
]


@pytest.mark.parametrize(
    ("args", "code"),
    WELL + BADLY,
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_json_is_one_ascii_object(work: Small, args: list[str], code: int, before: bool) -> None:
    """Errors and all, wherever ``--json`` is written."""
    line = ["--json", *args] if before else [*args, "--json"]
    running = work.start(*line)
    assert running.wait() == code, running.errors.read_text()
    text = running.output.read_bytes()
    assert text.isascii()
    assert text.count(b"\n") == 1, "one line, one object"
    said = json.loads(text)
    assert said["schema"] == 1
    assert said["command"] == next(iter(args), "")
    assert said["ok"] == (code in (0, 10))
    assert bool(said["errors"]) != said["ok"]
    for error in said["errors"]:
        assert error.keys() == {"code", "message", "hint", "path"}
        assert error["message"]
    assert running.errors.read_text() == ""


def test_a_bad_configuration_is_told_in_full(work: Small) -> None:
    work.configure('[[policy]]\nkind = "hydra-run"\nkep_last = 1\n[safety]\ngrace = "soon"\n')
    for command in (["plan"], ["run", "--yes"], ["status"], ["undo"], ["pin", RUN], ["why", RUN]):
        found = work.janitor(*command)
        assert found.code == 2, command
        assert len(found.said["errors"]) >= 2
        assert "kep_last" in str(found.said["errors"])
        assert "grace" in str(found.said["errors"])


def test_global_options_work_on_both_sides(work: Small) -> None:
    work.write("logs/app.log", days=30)
    other = work.write("other.toml", FREE.replace("hydra-run", "hydra-sweep"))
    for line in (
        ["--only", "log", "plan"],
        ["plan", "--only", "log"],
        ["plan", "--only", "log,checkpoint"],
    ):
        assert {row["kind"] for row in work.janitor(*line).rows("steps", "kept")} == {"log"}
    for line in (["--config", str(other), "plan"], ["plan", "--config", str(other)]):
        assert {row["kind"] for row in work.janitor(*line).rows("steps")} == {"log"}
    named = work.janitor("plan", env=[("JANITOR_CONFIG", str(other))])
    assert {row["kind"] for row in named.rows("steps")} == {"log"}
    for line in (["--quiet", "plan"], ["plan", "--quiet"], ["-q", "run", "--yes"]):
        assert work.said(*line) == ""


def test_exit_code_10_only_when_there_is_something_to_do(work: Small) -> None:
    assert work.janitor("plan", "--exit-code").code == 10
    work.janitor("run", "--yes")
    assert work.janitor("plan", "--exit-code").code == 0


def test_without_a_terminal_and_yes_nothing_is_done(work: Small) -> None:
    before = snapshot(work.root)
    found = work.janitor("run")
    (error,) = found.said["errors"]
    assert (found.code, error["code"], error["hint"]) == (4, "refused", "janitor run --yes")
    assert difference(before, snapshot(work.root)) == []


def test_run_without_anything_to_do_needs_no_yes(work: Small) -> None:
    work.janitor("run", "--yes")
    assert work.janitor("run").code == 0


def test_each_unit_is_in_one_row_and_each_step_has_an_outcome(work: Small) -> None:
    work.hydra(3)
    found = work.janitor("run", "--yes")
    paths = [row["path"] for row in found.rows("steps", "kept")]
    assert sorted(paths) == sorted(set(paths))
    assert all(row["outcome"] in ("done", "skipped", "failed") for row in found.rows("steps"))
    assert all(row["reasons"] for row in found.rows("steps", "kept"))
    assert not any(path.startswith("/") for path in paths)


# ------------------------------------------------------------ terminals


CTRL_C = "\x03"


def on_a_terminal(work: Small, args: Sequence[str], answer: str, **env: str) -> tuple[int, str]:
    """Run it on a terminal of 100 columns, type the answer to its question, and read along."""
    pid, fd = pty.fork()
    if not pid:
        os.chdir(work.root)
        shown = {**clean_environment(work.root), "TERM": "xterm-256color", "COLUMNS": "100", **env}
        shown["PYTHONPATH"] = os.pathsep.join(sys.path)
        os.execve(sys.executable, [sys.executable, "-m", "artifact_janitor", *args], shown)
    said = b""
    asked = False
    while True:
        if asked and answer == CTRL_C and not select.select([fd], [], [], 3)[0]:
            os.write(fd, answer.encode())  # Python doesn't hear one that comes just before it reads
        try:
            said += os.read(fd, 4096)
        except OSError:
            break
        if not asked and re.search(rb"\[y/n\]", said):
            asked = True
            os.write(fd, answer.encode())
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode()


@pytest.mark.parametrize(
    ("answer", "code"), [("y\n", 0), ("n\n", 4), ("\n", 4), (CTRL_C, 1), ("\x04", 1)]
)
def test_the_question(work: Small, answer: str, code: int) -> None:
    """Yes, no, nothing (which is no), Ctrl-C and the end of input."""
    got, said = on_a_terminal(work, ["run"], answer)
    assert (got, work.there(RUN)) == (code, code != 0), said
    assert "day/run" in said, "the plan is shown before the question"
    assert "Traceback" not in said


def test_a_yes_is_the_yes_that_a_guard_asks_for(work: Small) -> None:
    work.configure(CONFIG)
    for n in range(12):
        work.write(f"logs/{n}.log", days=30)
    code, said = on_a_terminal(work, ["run"], "y\n")
    assert code == 0, said
    assert "guards included" in said
    assert not list((work.root / "logs").iterdir())


@pytest.mark.parametrize(
    ("args", "env", "colored"),
    [
        ([], {}, True),
        (["--no-color"], {}, False),
        ([], {"NO_COLOR": "1"}, False),
        ([], {"NO_COLOR": ""}, True),
    ],
)
def test_color(work: Small, args: list[str], env: dict[str, str], colored: bool) -> None:
    """NO_COLOR is no-color.org's: "present and not an empty string"."""
    _, said = on_a_terminal(work, ["plan", *args], "", **env)
    found = set(re.findall(r"\x1b\[([\d;]*)m", said))
    hues = {code for code in found if re.search(r"(^|;)(3[0-7]|9[0-7]|38)", code)}
    work.write("logs/app.log", days=30)
    if colored:
        assert found, said
    else:
        assert hues == set()


def test_no_color_where_no_terminal_is(work: Small) -> None:
    for command in (["plan", "--kept"], ["status"], ["why", RUN], ["history"], ["run", "--yes"]):
        assert "\x1b" not in work.said(*command)


# ------------------------------------------------------------ signals and pipes


def test_ctrl_c_ends_between_two_steps(work: Small) -> None:
    """Sent when the first step is done; what was done is told, and can be undone."""
    runs = [RUN, *(work.hydra(31 + n, f"outputs/day/{n}") for n in range(60))]
    running = process(work, "run", "--yes", "--json")
    while any(map(work.there, [runs[-1]])):
        time.sleep(0.002)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    rows = json.loads(out)["data"]["steps"]
    outcomes = {row["outcome"] for row in rows}
    assert outcomes == {"done", "skipped"}, err
    assert {row["why"] for row in rows if row["outcome"] == "skipped"} == {
        "interrupted before it began"
    }
    assert [work.there(row["path"]) for row in rows] == [row["outcome"] != "done" for row in rows]
    assert work.janitor("undo").code == 0
    assert work.there(*runs)


def test_whoever_stops_reading_makes_no_noise(work: Small) -> None:
    """``janitor plan --kept | head -1``, and ``| true``."""
    for n in range(400):
        work.write(f"logs/{n:04}-{'long' * 20}.log")
    for command in (["plan", "--kept"], ["plan", "--json"], ["plan", "--all"]):
        with process(work, *command) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            running.stdout.read(1)
            running.stdout.close()
            assert running.stderr.read() == b"", command


def test_whoever_never_reads_makes_no_noise(work: Small) -> None:
    """What is said is so short that it is written at the very end."""
    read, write = os.pipe()
    os.close(read)
    with process(work, "status", stdout=write) as running:
        os.close(write)
        assert running.stderr is not None
        assert running.stderr.read() == b""


def test_a_full_device_is_told(work: Small) -> None:
    with open("/dev/full", "wb") as full, process(work, "plan", stdout=full) as running:
        assert running.stderr is not None
        said = running.stderr.read()
    assert running.returncode == 1
    assert b"Traceback" not in said
    assert b"Exception ignored" not in said


@pytest.mark.parametrize(
    ("command", "closed"),
    [("--version", [1]), ("status", [0, 1]), ("plan", [2]), ("run --yes", [0, 1, 2])],
)
def test_a_closed_stream_is_no_place_to_write_to(
    work: Small, command: str, closed: list[int]
) -> None:
    """The journal would get its number, and what is said be written into that."""
    with process(work, *command.split(), preexec_fn=lambda: [*map(os.close, closed)]) as running:
        out, err = running.communicate()
    assert running.returncode == 0, (out, err)
    assert work.there(RUN) == (command != "run --yes")
    assert len(work.janitor("history").rows("sweeps")) == (command == "run --yes")


def test_a_daemon_that_nobody_hears(work: Small) -> None:
    with process(work, "watch", preexec_fn=lambda: os.close(2)) as running:
        while not work.there(".janitor/daemon.json"):
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0


def test_what_a_terminal_cant_say_is_escaped(work: Small) -> None:
    env = {**clean_environment(work.root), "PYTHONIOENCODING": "ascii"}
    with process(work, "status", env=env | {"PYTHONPATH": os.pathsep.join(sys.path)}) as running:
        out, err = running.communicate()
    assert (running.returncode, err) == (0, b"")
    assert rb"\xb7" in out


# ------------------------------------------------------------ hostile names

NAMES = [
    "[bold red]x[/]",
    "\x1b[31mred\x1b]0;title\x07",
    "new\nline",
    "caf\udce9",
    "\u202edilav",
    ":smile:",
    "-rf",
    "a" * 200,
    " ",
    "$(touch x)",
    "{now}",
    "%s%n",
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_hostile_names_are_printed_safely(tmp_path: Path, name: str) -> None:
    """No escape reaches the terminal, no markup is taken, and JSON holds the name itself."""
    work = small(tmp_path)
    run = work.hydra(30, f"outputs/{name}")
    (work.root / "link").symlink_to(work.root / run)
    commands = (["plan", "--kept"], ["why", "./" + run], ["pin", run], ["status"])
    for command in commands:
        said = work.said(*command)
        assert all(char.isprintable() or char == "\n" for char in said), command
        assert "Traceback" not in said
        if name in ("[bold red]x[/]", ":smile:"):
            assert name in said or command[0] in ("why", "status"), command
    (work.root / "link").unlink()
    work.janitor("unpin", run)
    assert done(work.janitor("run", "--yes")) == {run}
    said = work.said("history") + work.said(
        "history", work.janitor("history").facts["sweeps"][0]["sweep"]
    )
    assert all(char.isprintable() or char == "\n" for char in said)
    assert work.janitor("undo").facts["steps"][0]["path"] == run
    assert work.there(run)


def test_a_hostile_name_in_an_error_is_printed_safely(work: Small) -> None:
    running = work.start("why", "outputs/\x1b[31m[bold]\udce9")
    assert running.wait() == 2
    said = running.errors.read_text(errors="surrogateescape")
    assert all(char.isprintable() or char == "\n" for char in said)
    assert "[bold]" in said


def test_a_note_that_is_no_text_is_kept(work: Small) -> None:
    assert work.janitor("pin", RUN, "--note", "caf\udce9").code == 0
    assert "caf\\udce9" in work.janitor("status").facts["pins"][0]["note"]


# ------------------------------------------------------------ where a command is typed


def test_paths_are_those_of_the_shell(work: Small) -> None:
    """Relative to where the person stands, absolute, through a link, or with dots."""
    (work.root / "shortcut").symlink_to("outputs/day")
    for path in (
        RUN,
        f"./{RUN}/",
        str(work.root / RUN),
        "outputs/../outputs/day/run",
        "shortcut/run",
    ):
        assert work.janitor("why", path).facts["units"][0]["path"] == RUN, path
    inside = Small(work.root / "outputs" / "day")
    config = str(work.root / "config.toml")
    assert inside.janitor("why", "run", "--config", config).facts["units"][0]["path"] == RUN
    assert inside.janitor("why", "run/train.log", "--config", config).facts["path"].startswith(RUN)


def test_the_version_and_help_cost_nothing(work: Small) -> None:
    assert re.fullmatch(r"janitor \S+\n", work.said("--version"))
    for command in ("plan", "run", "undo", "why", "status", "history", "pin", "unpin", "demo"):
        running = work.start(command, "--help")
        assert running.wait() == 0
        assert "--json" in running.output.read_text()
