"""One exception tree. Each error says what, where, and what to do."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the input, at one place."""

    where: str
    what: str


class JanitorError(Exception):
    """Anything that ends a command; ``exit_code`` follows the contract."""

    code = "error"
    exit_code = 1

    def __init__(self, message: str, hint: str = "", path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.path = path

    @property
    def in_full(self) -> str:
        """What is wrong and what to do, on one line."""
        return ": ".join(filter(None, (self.message, self.hint)))


def hinted(text: str, hint: str) -> str:
    """What is so, with an arrow to what a person may do about it."""
    return text + (f" → {hint}" if hint else "")


def way_out(error: OSError, otherwise: str) -> str:
    """What to do where a file can't be written."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "raise the limit of open files: ulimit -n"
    return otherwise


class UsageError(JanitorError):
    """The command line asks for something that can't be."""

    code = "usage"
    exit_code = 2


class ConfigError(UsageError):
    """The configuration has problems; all of them, each with its place."""

    code = "config"

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
        super().__init__(f"{source}: {count}", "Nothing was changed.", source)
        self.problems = tuple(problems)


class Refused(JanitorError):
    """A guard held it back, or nobody was there to say yes."""

    code = "refused"
    exit_code = 4


class Locked(JanitorError):
    """Another janitor holds the lock."""

    code = "locked"
    exit_code = 5


class JournalError(JanitorError):
    """The journal can't be read or written."""

    code = "journal"


class JournalDamaged(JournalError):
    """The journal holds what nobody wrote into it: the next command that writes rebuilds it."""


class Unknown(JanitorError):
    """Nothing bears the name, or more than one thing does."""

    code = "unknown"


class ArchiveError(JanitorError):
    """An archive is damaged, or none of ours."""

    code = "archive"


class StepSkipped(JanitorError):
    """A step is not carried out because the world is not as it was observed."""

    code = "skipped"


class Gone(StepSkipped):
    """Nothing is at a path, as its disk says."""


class OutOfReach(StepSkipped):
    """Nobody can tell what is at a path; another time it may be said."""


class StepFailed(JanitorError):
    """A step was tried, and the system said no."""

    code = "failed"


class DiskFailed(StepFailed):
    """The disk itself said no; another time it may say yes."""
