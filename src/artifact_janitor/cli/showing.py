"""``janitor demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from artifact_janitor.cli.options import Asked
from artifact_janitor.cli.session import Session


def demo_command(
    asked: Asked,
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="A folder that is empty or does not exist.")
    ] = Path("janitor-demo"),
) -> int:
    """Build a small real project in a folder and run the whole story on it."""
    from artifact_janitor.demo.story import tell

    session = Session("demo", asked)
    return tell(folder, session.screen)
