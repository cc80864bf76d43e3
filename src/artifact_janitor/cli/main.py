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
    from artifact_janitor.cli.app import app, usage_error
    from artifact_janitor.cli.trouble import tell
    from artifact_janitor.errors import JanitorError

    as_json = "--json" in argv
    command = next((word for word in argv if not word.startswith("-")), "")
    try:
        return int(app(args=[*argv], prog_name="janitor", standalone_mode=False) or 0)
    except JanitorError as error:
        tell(error, command, as_json=as_json)
        return error.exit_code
    except usage_error as error:
        from artifact_janitor.errors import UsageError

        what = UsageError(error.format_message(), f"janitor {command} --help".replace("  ", " "))
        tell(what, command, as_json=as_json)
        return what.exit_code
    except (KeyboardInterrupt, EOFError):
        sys.stderr.write("\ninterrupted: nothing is half done, the next janitor run tidies up\n")
        return 1
    except BrokenPipeError:
        return _unread()


def _unread() -> int:
    """Whoever read us stopped (``janitor plan | head``): no reason to complain."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
