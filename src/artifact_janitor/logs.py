"""What the daemon says: on a terminal, to systemd's journal, and to a file where one is asked for.

Whatever is said is one line. Names come from other people's files, and a name with a newline
in it must not look like a line of ours, so all that can't be printed is escaped here, for every
sink and whoever says it; of a traceback each line is indented behind a bar. What the
environment holds under a name like ``WANDB_API_KEY`` is never said.

Import this late: loguru takes its time.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from loguru import logger

from artifact_janitor.log_file import LogFile
from artifact_janitor.render.words import shown

if TYPE_CHECKING:
    from loguru import Message, Record

Log = Callable[[str, str], None]
"""Takes a level, "INFO", "WARNING" or "ERROR", and what is to be said."""

LONGEST = 4000
"""Characters of a line. The journal cuts at 48 KiB, and what follows would begin a new one."""

WHEN = "{time:YYYY-MM-DD HH:mm:ss}"
STYLES = {"WARNING": "<yellow>warning:</yellow> ", "ERROR": "<red>error:</red> "}
"""Colour where it means something, and on a terminal alone."""
PRIORITIES = {"WARNING": 4, "ERROR": 3, "CRITICAL": 2, "DEBUG": 7}
"""Syslog's numbers, which the journal takes at the beginning of a line; 6 for others."""

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_LOGIN = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_SHORTEST = 6
"""Characters: a shorter value is no secret, but a word that may be said."""


def set_up(
    environ: Mapping[str, str], *, color: bool = True, quiet: bool = False, file: Path | None = None
) -> Log:
    """Say things from now on, also those of libraries that matter, and those of threads that
    fail; `quiet`: to the file alone, but for warnings and errors. Raises UsageError where `file`
    can't be written."""
    to_journal = is_journal(sys.stderr, environ)
    to_file = LogFile(file, partial(_complain, to_journal)) if file else None
    hide = _masker(environ)
    logger.remove()
    logger.configure(patcher=lambda record: _make_safe(record, hide))
    add = partial(logger.add, backtrace=False, diagnose=False)
    level = "WARNING" if quiet else "INFO"
    if to_journal:
        add(_to_journal, format="{message}", level=level)
    else:
        styled = color and "NO_COLOR" not in environ and sys.stderr.isatty()
        add(sys.stderr, format=_template, colorize=styled, level=level)
    if to_file:
        add(to_file, format=_line_of_file, level="INFO")
    _listen()
    return logger.log


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether what is written there goes to systemd's journal, as systemd says by the inode."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


# ---------------------------------------------------------------- what may be said


def _make_safe(record: Record, hide: Callable[[str], str]) -> None:
    record["message"] = _line(hide(record["message"]))
    record["extra"]["trace"] = ""
    if (failed := record["exception"]) is not None:
        text = "".join(traceback.format_exception(failed.type, failed.value, failed.traceback))
        lines = (f"\n    | {_line(each)}" for each in hide(text).splitlines())
        record["extra"]["trace"] = "".join(lines)


def _line(text: str) -> str:
    safe = shown(text.strip("\n"))
    return safe if len(safe) <= LONGEST else safe[: LONGEST - 1] + "…"


def _masker(environ: Mapping[str, str]) -> Callable[[str], str]:
    """Takes out what is secret, and the login in an address."""
    secrets = sorted({*_secrets(environ)}, key=len, reverse=True)

    def hide(text: str) -> str:
        for each in secrets:
            text = text.replace(each, "***")
        return _LOGIN.sub("***", text)

    return hide


def _secrets(environ: Mapping[str, str]) -> Iterator[str]:
    """Values of variables that are called like secrets, as they are and as Python shows them;
    the path of a file with keys is none."""
    for name, value in environ.items():
        if _SECRET.search(name) and len(value) >= _SHORTEST and not os.path.exists(value):
            yield from (value, repr(value)[1:-1])


# ---------------------------------------------------------------- where it is said


def _template(record: Record) -> str:
    return f"{WHEN}  {STYLES.get(record['level'].name, '')}{{message}}{{extra[trace]}}\n"


def _line_of_file(_: Record) -> str:
    return WHEN + " {level: <8}{message}{extra[trace]}\n"


def _to_journal(message: Message) -> None:
    """Each line with its priority: the journal tells what the lines are worth by that."""
    record = message.record
    text = record["message"] + record["extra"]["trace"]
    sys.stderr.write(_prioritised(text, record["level"].name))
    sys.stderr.flush()


def _prioritised(text: str, level: str) -> str:
    return "".join(f"<{PRIORITIES.get(level, 6)}>{each}\n" for each in text.split("\n"))


def _complain(to_journal: bool, text: str) -> None:
    """The file's own trouble, which can't go to the file."""
    with suppress(OSError, ValueError):
        line = _line(text)
        sys.stderr.write(_prioritised(line, "WARNING") if to_journal else f"{line}\n")
        sys.stderr.flush()


# ---------------------------------------------------------------- who else says something


class _Heard(logging.Handler):
    """What libraries say by way of the standard library's logging."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname if record.levelname in PRIORITIES else "INFO"
        with suppress(TypeError, ValueError):  # arguments that don't fit the message
            text = f"{record.name}: {record.getMessage()}"
            logger.opt(exception=record.exc_info).log(level, text)


def _listen() -> None:
    logging.basicConfig(handlers=[_Heard()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    threading.excepthook = _failed


def _failed(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None and told.exc_type is not SystemExit:
        name = told.thread.name if told.thread else "a thread"
        logger.opt(exception=told.exc_value).error(f"{name} ended: {told.exc_value}")
