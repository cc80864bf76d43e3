"""The nasty workspace, built once a session and handed out in fresh copies; and the order in
which the files run, so that no core is left alone with a long one at the end."""

from __future__ import annotations

import compileall
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from tests.real import workspace
from tests.real.account import ORDINARY, SOURCE, Account, NoInterpreter, account, myself
from tests.real.workspace import HandOut, Nasty

# `make test` draws the same examples on every machine, so that what is red is red for all;
# `make proof` searches on, each time from another place.
settings.register_profile("same", derandomize=True, max_examples=60, deadline=None)
settings.register_profile("search", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("same")

NASTY = ("test_nasty_workspace", "test_memory", "test_doctor", "test_plan_is_readonly")
"""One worker takes all of them: each builds the nasty workspace for itself."""
LONGEST_FIRST = (
    *NASTY,
    *("test_full_disk", "test_kills", "test_mlflow", "test_archives"),
    *("test_demo", "test_docs_screens", "test_packaging", "test_limits_properties", "test_slim"),
    *("test_wandb", "test_recall", "test_references", "test_undo", "test_liveness", "test_caches"),
)


def pytest_configure(config: pytest.Config) -> None:
    """What the tests start is compiled, as where pip installed it; and ctrl-c reaches it, even
    where the tests run in a shell's background."""
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(SOURCE, quiet=2)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; within a file nothing moves."""
    place = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """In that order, a file on one worker."""
    config.option.loadscopereorder = False
    return Filewise(config, log)


class Filewise(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = Path(super()._split_scope(nodeid))
        return "nasty" if file.stem in NASTY else str(file)


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
