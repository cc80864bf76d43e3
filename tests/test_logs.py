"""What the daemon says: one line each, safe to read, without secrets, and never its end."""

from __future__ import annotations

import logging
import os
import pty
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loguru import logger

from artifact_janitor import log_file, logs
from artifact_janitor.errors import UsageError
from artifact_janitor.log_file import OLDER, LogFile
from tests.real.disks import small_disk
from tests.test_filesystems import needs_root

WHEN = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
SECRETS = {
    "WANDB_API_KEY": "0123456789abcdef",
    "MY_TOKEN": "tok-en-value",
    "DB_PASSWORD": "secret\nof two lines",
    "GOOGLE_APPLICATION_CREDENTIALS": "/etc/passwd",
    "API_KEY": "short",
}
NASTY = "outputs/a\n2026-11-22 06:05:12  error: forged\r\x1b[31m\x9b\u2028\u202e\udcff<red>{0}%s"
SAFE = r"outputs/a\n2026-11-22 06:05:12  error: forged\r\x1b[31m\x9b\u2028\u202e\xff<red>{0}%s"


class Stderr:
    """A file in the place of stderr, from `set_up` on: pytest puts its own there before."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.stream = path.open("w", encoding="utf-8")
        self._monkeypatch = monkeypatch

    def set_up(
        self, environ: Mapping[str, str] = MappingProxyType({}), **how: Any
    ) -> Callable[[str, str], None]:
        self._monkeypatch.setattr(sys, "stderr", self.stream)
        return logs.set_up(environ, **how)

    def journal(self) -> dict[str, str]:
        """As systemd starts a service: the inode of its stderr is told."""
        status = os.fstat(self.stream.fileno())
        return {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}

    def __call__(self) -> str:
        return self.path.read_text("utf-8")


@pytest.fixture
def stderr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stderr]:
    before, hook, told = [*logging.root.handlers], threading.excepthook, warnings.showwarning
    found = Stderr(tmp_path / "stderr", monkeypatch)
    yield found
    logger.remove()
    logging.captureWarnings(False)
    logging.root.handlers[:] = before
    threading.excepthook, warnings.showwarning = hook, told
    monkeypatch.undo()
    found.stream.close()


# ---------------------------------------------------------------- where it goes


def test_to_a_file_that_is_no_terminal(stderr: Stderr) -> None:
    log = stderr.set_up()
    log("INFO", "retention: 3 units in the trash")
    log("WARNING", "two")
    log("ERROR", "three")
    log("DEBUG", "not said")
    plain = re.sub(WHEN, "WHEN", stderr())
    assert plain.splitlines() == [
        "WHEN  retention: 3 units in the trash",
        "WHEN  warning: two",
        "WHEN  error: three",
    ]


def test_to_the_journal_each_line_has_its_priority(stderr: Stderr) -> None:
    """The journal has the time already."""
    log = stderr.set_up(stderr.journal())
    for level in ("INFO", "WARNING", "ERROR"):
        log(level, f"<0> {NASTY}")
    assert stderr().splitlines() == [f"<{n}><0> {SAFE}" for n in (6, 4, 3)]


def test_another_stream_than_the_journals(stderr: Stderr) -> None:
    """The variable is inherited by what redirects its stderr elsewhere."""
    stderr.set_up({"JOURNAL_STREAM": "1:2"})("INFO", "said")
    assert re.fullmatch(f"{WHEN}  said\n", stderr())


def test_when_asked_to_be_quiet_only_what_matters(stderr: Stderr, tmp_path: Path) -> None:
    log = stderr.set_up(quiet=True, file=tmp_path / "log")
    log("INFO", "one")
    log("WARNING", "two")
    assert len(stderr().splitlines()) == 1
    assert len((tmp_path / "log").read_text().splitlines()) == 2


_TERMINAL = """
import os, sys
from artifact_janitor import logs
log = logs.set_up(os.environ, color="plain" not in sys.argv)
for level in ("INFO", "WARNING", "ERROR"):
    log(level, "<red>said</red>")
"""


@pytest.mark.parametrize("how", ["", "plain", "NO_COLOR"])
def test_colour_says_something_and_only_to_a_terminal(how: str) -> None:
    ours, theirs = pty.openpty()
    environ = {name: each for name, each in os.environ.items() if name != "NO_COLOR"}
    if how == "NO_COLOR":
        environ[how] = "1"
    ran = subprocess.Popen(
        [sys.executable, "-c", _TERMINAL, how], stderr=theirs, stdin=theirs, env=environ
    )
    os.close(theirs)
    said = b""
    while chunk := _read(ours):
        said += chunk
    assert ran.wait() == 0
    os.close(ours)
    lines = re.sub(WHEN, "", said.decode()).splitlines()
    colours = ("\x1b[33m", "\x1b[31m", "\x1b[0m") if not how else ("", "", "")
    yellow, red, end = colours
    assert lines == [
        "  <red>said</red>",
        f"  {yellow}warning:{end} <red>said</red>",
        f"  {red}error:{end} <red>said</red>",
    ]


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 4096)
    except OSError:  # the other end was closed
        return b""


# ---------------------------------------------------------------- what it may look like


def test_a_name_cant_forge_a_line(stderr: Stderr, tmp_path: Path) -> None:
    log = stderr.set_up(file=tmp_path / "log")
    log("INFO", NASTY)
    for text in (stderr(), (tmp_path / "log").read_text()):
        assert text.count("\n") == 1
        assert text.endswith(f" {SAFE}\n")
        assert re.match(WHEN, text)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec=None), max_size=200))
def test_whatever_is_said_is_one_line(stderr: Stderr, text: str) -> None:
    log = stderr.set_up()
    before = len(stderr())
    log("INFO", text)
    said = stderr()[before:]
    assert re.fullmatch(rf"{WHEN}  .*\n", said)
    assert said[:-1].isprintable()
    logger.remove()


def test_a_line_is_not_longer_than_the_journal_takes(stderr: Stderr) -> None:
    stderr.set_up()("INFO", "x" * 100_000)
    assert len(stderr()) < logs.LONGEST + 30


def test_a_traceback_stands_behind_a_bar(stderr: Stderr) -> None:
    """Of a thread that failed, with a name in its message that begins a line."""
    stderr.set_up(stderr.journal() | SECRETS)

    def fails() -> None:
        key = SECRETS["WANDB_API_KEY"]
        raise ValueError(f"no\n<6>{NASTY} {key}")

    thread = threading.Thread(target=fails, name="sweeps")
    thread.start()
    thread.join()
    first, *others = stderr().splitlines()
    assert first.startswith(r"<3>sweeps ended: no\n<6>outputs/a\n2026")
    assert len(others) > 5
    assert all(each.startswith("<3>    | ") for each in others)
    assert SECRETS["WANDB_API_KEY"] not in stderr()


def test_what_is_secret_is_not_said(stderr: Stderr, tmp_path: Path) -> None:
    log = stderr.set_up(SECRETS, file=tmp_path / "log")
    log("ERROR", f"{SECRETS} https://me:pass-word@host/x ssh://git@host /etc/passwd")
    log("ERROR", "a tok-en-value b secret\nof two lines c")
    for text in (stderr(), (tmp_path / "log").read_text()):
        for word in ("0123456789abcdef", "tok-en-value", "of two lines", "pass-word"):
            assert word not in text
        assert "https://***@host/x" in text
        assert "/etc/passwd" in text  # a path is no secret
        assert text.endswith("a *** b *** c\n")


def test_what_libraries_say_is_said_where_it_matters(stderr: Stderr) -> None:
    stderr.set_up()
    logging.getLogger("watchdog.observers").warning("lost %s", NASTY)
    logging.getLogger("apscheduler").info("Added job")
    logging.getLogger("odd").error("%d", "no number")
    try:
        raise OSError("no\nroom")
    except OSError:
        logging.getLogger("apscheduler").exception("failed")
    warnings.warn("old\nfashioned", stacklevel=1)
    said = stderr().splitlines()
    assert [line[21:] for line in said if re.match(WHEN, line)] == [
        rf"warning: watchdog.observers: lost {SAFE}",
        "error: apscheduler: failed",
        next(line[21:] for line in said if "fashioned" in line),
    ]
    assert all(re.match(WHEN, line) or line.startswith("    | ") for line in said)


# ---------------------------------------------------------------- the file


def written(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_a_file_is_begun_anew_when_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older ones move up, the oldest goes, and nothing else of that name does."""
    monkeypatch.setattr(log_file, "LARGEST", 100)
    path = tmp_path / "janitor.log"
    for name in ("janitor.2025.log", "janitor.log.old", "janitor.log.6", "janitor.log.10"):
        (tmp_path / name).write_text("mine")
    to = LogFile(path, pytest.fail)
    for number in range(100):
        to(f"2026-11-22 06:05:12 line {number:30}\n")
    assert written(path)[-1].endswith(" 99")
    rotated = [Path(f"{path}.{n}") for n in range(1, OLDER + 1)]
    lines = [line for each in (path, *rotated) for line in reversed(written(each))]
    numbers = [int(line.split()[-1]) for line in lines]
    assert numbers == [*range(99, 99 - len(numbers), -1)]
    assert len(numbers) == OLDER + 1
    others = {"janitor.2025.log", "janitor.log.old", "janitor.log.6", "janitor.log.10"}
    assert {each.name for each in tmp_path.iterdir()} == others | {
        path.name,
        *(each.name for each in rotated),
    }
    assert all((tmp_path / name).read_text() == "mine" for name in others)


def test_a_file_that_someone_moves_or_removes_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "janitor.log"
    to = LogFile(path, pytest.fail)
    to("2026-11-22 06:05:12 one\n")
    path.rename(tmp_path / "kept")
    to("2026-11-22 06:05:12 two\n")
    path.unlink()
    to("2026-11-22 06:05:12 three\n")
    assert written(path) == ["2026-11-22 06:05:12 three"]
    assert written(tmp_path / "kept") == ["2026-11-22 06:05:12 one"]
    assert LogFile(path, pytest.fail).path == path  # one of ours is gone on with
    assert (path.stat().st_mode & 0o007) == 0


def test_what_is_no_log_of_ours_stays_as_it_is(tmp_path: Path) -> None:
    results = tmp_path / "results.csv"
    results.write_text("epoch,loss\n1,2026-11-22 06:05:12\n")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, why in (
        (results, "it is no log of the janitor's"),
        (fifo, ""),
        (tmp_path, "Is a directory"),
        (tmp_path / "no" / "such", "No such file or directory"),
        (results / "below", "Not a directory"),
        (Path("/dev/null"), "it is no regular file"),
    ):
        with pytest.raises(UsageError, match=re.escape(f"the log file can't be used: {why}")):
            LogFile(path, pytest.fail)
    assert results.read_text().startswith("epoch")
    assert not (tmp_path / "no").exists()


def test_a_file_that_cant_be_turned_over_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "LARGEST", 100)
    path = tmp_path / "janitor.log"
    (tmp_path / f"janitor.log.{OLDER}").mkdir()
    (tmp_path / f"janitor.log.{OLDER - 1}").write_text("a file")
    to = LogFile(path, pytest.fail)
    for _ in range(10):
        to("2026-11-22 06:05:12 said\n")
    assert len(written(path)) == 10


@needs_root
def test_a_full_disk_ends_nothing_and_is_told_once(stderr: Stderr, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=64k,nr_inodes=20") as disk:
        path = disk / "janitor.log"
        log = stderr.set_up(file=path)
        log("INFO", "before")
        (disk / "large").write_bytes(bytes(disk_free(disk)))
        for _ in range(200):
            log("INFO", "x" * 100)
        told = [line for line in stderr().splitlines() if "log file" in line]
        assert told == [f"the log file {path} can't be written: No space left on device"]
        (disk / "large").unlink()
        log("INFO", "after")
        lines = written(path)
        assert lines[0].endswith(" before")
        assert re.fullmatch(f"{WHEN} INFO    after", lines[-1])
        (disk / "large").write_bytes(bytes(disk_free(disk)))
        for _ in range(200):
            log("INFO", "x" * 100)
        assert stderr().count("can't be written") == 2


def disk_free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bfree * found.f_frsize


# ---------------------------------------------------------------- what it costs


def test_no_other_command_pays_for_it() -> None:
    """Loguru, APScheduler and watchdog belong to the daemon."""
    program = """
import sys, artifact_janitor.config
from artifact_janitor.cli.app import COMMANDS, function_of
for name in COMMANDS:
    function_of(name)
artifact_janitor.config.sample()
print(sorted({"loguru", "apscheduler", "watchdog"} & {*sys.modules}))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout == "[]\n", ran.stderr


def test_the_daemon_pays_for_no_screen() -> None:
    """It writes a log, and stays for months."""
    program = "import sys, artifact_janitor.daemon.loop; print('rich' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout == "False\n", ran.stderr
