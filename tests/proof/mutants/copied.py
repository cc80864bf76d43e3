"""A private copy of the tree in a temporary folder, with a Python that imports from it alone.

``PYTHONPATH`` would be enough for what a test runs itself, and be lost in what that starts with an
environment of its own: a training's runner, say. So the copy has a virtual environment of its own,
whose packages are links to those that are installed, but for the path that leads to our source.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from artifact_janitor.mounts import mount_points

REPOSITORY = Path(__file__).parents[3]
PATIENCE = 600.0
"""Seconds after which tests that hang are ended."""
_COPIED = ("src", "tests", "pyproject.toml", "config.toml")
_PACKAGE = "artifact_janitor"
_WHERE = f"import {_PACKAGE}; print({_PACKAGE}.__file__)"


@dataclass(frozen=True)
class Ran:
    """How tests came out: exit code of pytest, the first that failed, and seconds."""

    code: int
    failed: str
    seconds: float
    said: str


@dataclass(frozen=True)
class Copy:
    """The copied tree at `root`."""

    root: Path

    @property
    def python(self) -> Path:
        return self.root / ".venv" / "bin" / "python"

    def must_be_alone(self) -> None:
        """What is tested must be the copy, whoever starts it in whatever environment."""
        words = [self.python, "-P", "-c", _WHERE]
        for env in ({}, self._environment()):
            found = subprocess.check_output(words, cwd="/", text=True, env=env).strip()
            if not Path(found).is_relative_to(self.root):
                raise RuntimeError(f"{found} would be tested, not the copy in {self.root}")

    def write(self, path: str, text: str) -> None:
        """Another content for a file; its bytecode goes, whatever its times say."""
        file = self.root / path
        file.write_text(text)
        for each in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
            each.unlink()

    def run(self, tests: Sequence[str], *, all_of_them: bool = False) -> Ran:
        """pytest on these tests, to the first that fails."""
        begun = time.monotonic()
        words = ["-q", "-m", "", "-p", "no:cacheprovider", "--no-header", "--tb=line", "-rfE"]
        words += [] if all_of_them else ["-x"]
        words.append(f"--basetemp={self.root.parent}/pytest")
        with open(self.root.parent / "said", "w+b") as said:
            running = subprocess.Popen(
                [self.python, "-m", "pytest", *words, *(f"tests/{each}" for each in tests)],
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=self._environment(),
                start_new_session=True,
            )
            code = _ended(running, PATIENCE * (10 if all_of_them else 1))
            _unmount(self.root.parent)
            said.seek(0)
            text = said.read().decode(errors="replace")
        words = [each for each in text.splitlines() if each.startswith(("FAILED", "ERROR "))]
        first = words[0].split(" - ")[0].split(maxsplit=1)[1] if words else ""
        return Ran(code, first.removeprefix("tests/"), time.monotonic() - begun, text)

    def _environment(self) -> dict[str, str]:
        """Ours, but for what would lead elsewhere: ``PYTHONPATH`` goes before all packages."""
        own = {"TMPDIR": f"{self.root.parent}/tmp", "VIRTUAL_ENV": f"{self.root}/.venv"}
        others = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        return {**others, **own}


def _ended(running: subprocess.Popen[bytes], patience: float) -> int:
    """Its exit code; whatever it left running goes with it."""
    try:
        return running.wait(patience)
    except subprocess.TimeoutExpired:
        return -1
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def _unmount(place: Path) -> None:
    """What a test that was ended left mounted: nothing of it is to be removed with the copy."""
    for point in sorted(mount_points(), reverse=True):
        if point.startswith(f"{place}/"):
            subprocess.run(["umount", "--lazy", point], check=True)


@contextmanager
def copied() -> Iterator[Copy]:
    """A copy that goes again."""
    place = Path(tempfile.mkdtemp(prefix="mutants-"))
    try:
        place.chmod(0o755)
        (place / "tmp").mkdir(mode=0o755)
        copy = Copy(place / "tree")
        copy.root.mkdir()
        for name in _COPIED:
            _copy(REPOSITORY / name, copy.root / name)
        _link_packages(copy)
        copy.must_be_alone()
        yield copy
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target, symlinks=True, ignore=skipped)
    else:
        shutil.copy2(source, target)


def _link_packages(copy: Copy) -> None:
    """A virtual environment with all that is installed, and our source as it is in the copy."""
    venv.create(copy.root / ".venv", symlinks=True)
    installed = Path(sysconfig.get_path("purelib"))
    mine = copy.root / ".venv" / installed.relative_to(installed.parents[2])
    for each in installed.iterdir():
        if not (mine / each.name).exists() and f"_{_PACKAGE}." not in each.name:
            (mine / each.name).symlink_to(each)
    (mine / f"{_PACKAGE}.pth").write_text(f"{copy.root / 'src'}\n")
    for each in Path(sysconfig.get_path("scripts")).iterdir():
        if not (copy.python.parent / each.name).exists() and each.name != "janitor":
            (copy.python.parent / each.name).symlink_to(each)
