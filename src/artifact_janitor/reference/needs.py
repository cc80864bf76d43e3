"""What the programs need from the extra, asked before anything heavy is imported."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable

from artifact_janitor.errors import ConfigError, JanitorError, UsageError

INSTALL = "pip install 'artifact-janitor[train]'"


def require(*modules: str) -> None:
    """Raises UsageError with what to type, where one of them isn't installed."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"the reference project needs {', '.join(missing)}", INSTALL)


def told(program: Callable[[], int]) -> int:
    """Its exit code; an error of ours is told in some lines on stderr, without a traceback."""
    try:
        return program()
    except JanitorError as error:
        tell(error)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has seen enough
        return 0


def tell(error: JanitorError) -> None:
    print(f"error: {error.message}", file=sys.stderr)
    if isinstance(error, ConfigError):
        for each in error.problems:
            print(f"  {each.where}: {each.what}", file=sys.stderr)
    elif error.hint:
        print(f"→ {error.hint}", file=sys.stderr)
