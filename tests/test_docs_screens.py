"""What the pages show is what the commands say: they are typed, on a real demo project."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.reading_docs import ROOT, Screen, aligned, differences, screens
from tests.real import retraining, zoo
from tests.real.account import clean_environment
from tests.real.small import Small, small
from tests.real.watching import watching

WIDTH = 100
"""Columns of the terminal for which the screens are written."""
SCREENS = [
    screen
    for page in ("docs/tutorial.md", "docs/how-to/offline-wandb.md")
    for screen in screens(ROOT / page)
]
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WORDS = [sys.executable, "-m", "artifact_janitor"]


@dataclass
class Reader:
    """Somebody who follows the pages, word by word, in a terminal."""

    place: Path
    env: dict[str, str]
    meant: dict[str, str] = field(default_factory=dict)
    """What stands in place of a date or a name that a page shows."""
    saw: dict[Screen, tuple[int, list[str]]] = field(default_factory=dict)

    def follow(self, screen: Screen) -> None:
        program, *words = [self.meant.get(word, word) for word in shlex.split(screen.command)]
        if program == "cd":
            self.place /= words[0]
            self.saw[screen] = (0, [])
            return
        assert program == "janitor", screen
        code, real = self.types(words)
        self.saw[screen] = (code, real)
        if not differences(screen.shown, real):
            for shown, said in aligned(screen.shown, real):
                self.meant |= dict(zip(shown.split(), said.split(), strict=False))

    def types(self, words: list[str]) -> tuple[int, list[str]]:
        """The exit code and the screen; a question is answered with y."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, WIDTH, 0, 0))
        running = subprocess.Popen(
            [*WORDS, *words],
            cwd=self.place,
            env=self.env,
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.DEVNULL,  # where the progress bars are
        )
        os.close(theirs)
        said = b""
        while chunk := _read(ours):
            said += chunk
            if ANSI.sub("", said.decode(errors="replace")).endswith("(n): "):
                os.write(ours, b"y\n")
        os.close(ours)
        return running.wait(), ANSI.sub("", said.decode()).replace("\r", "").splitlines()

    def asks(self, *words: str, **variables: str) -> dict[str, Any]:
        """The object that a command with ``--json`` prints."""
        done = subprocess.run(
            [*WORDS, *words, "--json"],
            cwd=self.place,
            env=self.env | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""  # how a terminal ends


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """After the last page."""
    place = tmp_path_factory.mktemp("reader")
    size = {"COLUMNS": str(WIDTH), "LINES": "50"}  # xdist says something else
    env = clean_environment(place) | {"NO_COLOR": "1", "TERM": "xterm"} | size
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    found = Reader(place, env)
    for screen in SCREENS:
        found.follow(screen)
    return found


@pytest.mark.parametrize("screen", SCREENS, ids=str)
def test_the_screen_is_the_real_one(reader: Reader, screen: Screen) -> None:
    code, real = reader.saw[screen]
    assert code == 0, "\n".join(real)
    assert differences(screen.shown, real) == "", "\n".join(real)


# The reference on JSON


def _flat(value: object, at: str = "") -> Iterator[str]:
    """All keys of an answer, as the page writes them: ``steps[].reasons[]``."""
    if isinstance(value, dict):
        for key, inner in value.items():
            word = {"units": "KIND", "folders": "KEY"}.get(at, key)
            yield from _flat(inner, f"{at}.{word}" if at else word)
    elif isinstance(value, list):
        yield from (each for inner in value or [None] for each in _flat(inner, f"{at}[]"))
    else:
        yield at


def documented() -> dict[str, set[str]]:
    """The keys of each command's answer, by the page."""
    text = (ROOT / "docs/reference/json.md").read_text()
    found: dict[str, set[str]] = {}
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        name, _, body = section.partition("\n")
        lists = re.findall(r"^- (.*?):(?: |$)", re.sub(r"\n  ", " ", body), re.MULTILINE)
        found[name] = {key for keys in lists for key in re.findall(r"`([^`]+)`", keys)}
        if more := re.search(r"All that `(\w+)` has", body):
            found[name] |= found[more[1]]
    return found


SHORT = {"JANITOR_SAFETY__MAX_SHARE": "0.01", "JANITOR_DISK__KEEP_FREE": "999PB"}
"""So that a guard has something to say, and the disk is too small."""


@pytest.fixture(scope="module")
def answers(reader: Reader) -> dict[str, set[str]]:
    """The keys of what the commands really answer, on a copy of the demo project."""
    copy = reader.place.parent / "copy"
    shutil.copytree(reader.place, copy, symlinks=True)
    asking = Reader(copy, reader.env)
    kept = asking.asks("plan")["data"]["kept"]
    released = next(each["path"] for each in kept if "released_meta" in str(each["reasons"]))
    recent = (each for each in kept if each["kind"] == "wandb-run" and "otherwise" not in each)
    archived = next(each["path"] for each in recent)
    shutil.copytree(copy / released, copy / "experiments/one")
    cache = Path(reader.env["HOME"], ".cache/wandb")
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "something").write_text("that W&B keeps outside the project")
    (copy / "hpo_studies").mkdir(exist_ok=True)
    shutil.copy(zoo.made("sqlite")[0], copy / "hpo_studies/zoo.db")
    (copy / "hpo_studies/new.db").touch()
    shutil.copytree(copy / "training/runs/finetuned", copy / "training/runs/by_hand")
    _with_a_trainer(Small(copy))
    typed = f"""
        studies
        pin {released} --note mine ~ status ~ unpin . ~ plan
        run --yes --override-guards --wait
        retrain gbpusd ~ retrain gbpusd --cancel ~ retrain gbpusd --wait ~ status
        gitignore check ~ gitignore sync
        why training/runs ~ status ~ du ~ history ~ history --config {released} ~ doctor
        undo ~ undo ~ why training/runs ~ init --config other.toml
        archive {archived} ~ archives ~ archives {archived} ~ verify ~ restore {archived}
        promote training/runs/by_hand/best_model.pt --name mine ~ models ~ demote mine
        service install --user ~ service status --user ~ service uninstall --user
    """
    found: dict[str, set[str]] = {}
    for line in typed.strip().replace("~", "\n").splitlines():
        much = {"JANITOR_DISK__KEEP_FREE": "1MB"} if "run" in line.split() else {}
        if line.strip() == "gitignore check":
            (copy / ".gitignore").unlink()
        said = asking.asks(*line.split(), **(SHORT | much))
        assert said["ok"], (line, said["errors"])
        name = "history --config" if "history --config" in line else line.split()[0]
        name += " ARCHIVE" if "archives " in line.strip() else ""
        found.setdefault(name, set()).update(_flat(said["data"]))
    found["status"].update(_flat(_watched(reader.place.parent)))
    return found


def _watched(place: Path) -> dict[str, Any]:
    """What status says of a workspace with a daemon."""
    (place / "watched").mkdir()
    work = small(place / "watched", "")
    with watching(work) as daemon:
        daemon.until(lambda: daemon.told()["last"]["at"])
        return work.janitor("status").facts


def _with_a_trainer(work: Small) -> None:
    """And a finished study, whose training takes long enough to be cancelled."""
    before, _, _ = (work.root / "config.toml").read_text().partition("\n[[retrain]]")
    retraining.place(work, "hpo_studies/gbpusd.db")
    slow = f"import time; time.sleep(3)\n{retraining.GOOD}"
    retraining.trains(work, slow, 'studies = "gbpusd"\n')
    work.configure(before + (work.root / "config.toml").read_text())


@pytest.mark.parametrize("command", documented())
def test_the_page_on_json_has_every_key(answers: dict[str, set[str]], command: str) -> None:
    told, real = documented()[command], answers[command]
    assert {key for key in real if not _covered(key, told)} == set()
    assert {key for key in told if not any(_covers(key, each) for each in real)} == set()


def _covered(key: str, told: set[str]) -> bool:
    """What is empty tells nothing of what would be in it."""
    return any(_covers(each, key) or each.startswith(f"{key}.") for each in told)


def _covers(told: str, key: str) -> bool:
    """A key stands for all that is in it."""
    return key == told or key.startswith(f"{told}.") or key == f"{told}[]"
