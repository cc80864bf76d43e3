"""The nasty workspace, built once a session and handed out in fresh copies."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.real import workspace
from tests.real.account import ORDINARY, Account, NoInterpreter, account, myself
from tests.real.workspace import HandOut, Nasty


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="nasty-"))
    folder.chmod(0o755)
    (folder / "home").mkdir()
    (folder / "home").chmod(0o777)
    yield folder
    workspace.remove(folder)


@pytest.fixture(scope="session")
def template(place: Path) -> Nasty:
    """The workspace as it was built; its files wait in ``pristine``."""
    nasty = workspace.build(place / "project")
    nasty.root.rename(place / "pristine")
    return nasty


@pytest.fixture(scope="session")
def nasty_for(place: Path, template: Nasty) -> HandOut:
    """A context manager: a fresh workspace of an account, with all that lives in it."""

    @contextmanager
    def handed_out(who: Account) -> Iterator[Nasty]:
        workspace.put_back(place / "pristine", template.root)
        nasty = template.copy()
        try:
            nasty.handed_to(who)
            yield nasty
        finally:
            nasty.stop()

    return handed_out


@pytest.fixture(scope="session", params=["root", "an ordinary user"])
def who(request: pytest.FixtureRequest, place: Path) -> Account:
    """Both kinds of people that run the janitor."""
    home = place / "home"
    if request.param == "root":
        if os.geteuid() != 0:
            pytest.skip("only root can do this as root")
        return myself(home)
    if os.geteuid() != 0:
        return myself(home)
    try:
        return account(ORDINARY, home)
    except NoInterpreter as missing:
        pytest.skip(str(missing))
