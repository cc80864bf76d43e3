"""The command ``janitor``: its commands, and how errors are told."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from artifact_janitor import __version__


def main() -> None:
    """The entry point. ``--version`` answers before anything heavy is imported."""
    _open_standard()
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"janitor {__version__}\n")
        raise SystemExit(0)
    raise SystemExit(answer(sys.argv[1:]))


def _open_standard() -> None:
    """What was closed leads nowhere from now on: a file that is opened later shall not get its
    number, or what is printed would be written into that. What an encoding can't say is
    escaped."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if fd else "r"))  # noqa: SIM115 - to the end
        if isinstance(stream := getattr(sys, name), TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def answer(argv: Sequence[str]) -> int:
    """Run one command and return its exit code; errors are told, never thrown."""
    from artifact_janitor.cli.app import app
    from artifact_janitor.cli.trouble import told

    try:
        code = told(lambda: app(args=[*argv], prog_name="janitor", standalone_mode=False), argv)
        sys.stdout.flush()
    except BrokenPipeError:
        return _unheard(0)  # whoever read us stopped (`janitor plan | head`): no complaint
    except OSError as error:
        sys.stderr.write(f"the output can't be written: {error.strerror}\n")
        return _unheard(1)
    return code


def _unheard(code: int) -> int:
    """Nobody gets what is left to be written, and Python shall not try at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
