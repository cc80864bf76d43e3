"""The command ``janitor``: its commands, and how errors are told."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from artifact_janitor import __version__


def main() -> None:
    """The entry point. ``--version`` answers before anything heavy is imported."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"janitor {__version__}\n")
        raise SystemExit(0)
    raise SystemExit(answer(sys.argv[1:]))


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
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
