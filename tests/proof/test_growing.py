"""A file that is written to without a pause while a janitor works on it is never half taken: all
that was written is there in the end, at its place or in the trash (S9, S11)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.proof.conftest import Count
from tests.proof.moments import Meeting, slowly
from tests.proof.test_races import EARLY, PLACES, RACES
from tests.real.small import Small, small

_PROGRAM = r"""
import json, os, select, sys
how, log = sys.argv[1:]

def whole(number):
    return f"begin {number}\n" + f"{number}\n" * 5000 + f"end {number}\n"

def write(number):
    if how == "grows":
        with open(log, "a") as file:
            file.write(f"line {number}\n")
    elif how == "is rewritten":
        with open(log, "w") as file:
            file.write(whole(number))
    else:
        with open(log + ".new", "w") as file:
            file.write(whole(number))
        os.replace(log + ".new", log)

sys.stdin.readline()
written, number = [], 0
while not select.select([sys.stdin], [], [], 0)[0]:
    number += 1
    try:
        write(number)
        written.append(number)
    except FileNotFoundError:
        pass
print(json.dumps(written), flush=True)
"""
WAYS = ("grows", "is rewritten", "is replaced")


class Busy:
    """A program that writes to a file in a loop, from `begin` to `end`, and finds it by name."""

    def __init__(self, how: str, log: Path) -> None:
        self.how, self.log = how, log
        line = [sys.executable, "-S", "-c", _PROGRAM, how, str(log)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(line, cwd="/", text=True, stdin=pipe, stdout=pipe)

    def begin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> list[int]:
        """What it wrote."""
        said, _ = self.process.communicate("\n")
        found: list[int] = json.loads(said)
        return found


@contextmanager
def busy(how: str, log: Path) -> Iterator[Busy]:
    program = Busy(how, log)
    try:
        yield program
    finally:
        program.process.kill()
        program.process.wait()


def missing(program: Busy, work: Small) -> list[str]:
    """What it wrote and is nowhere: the last that it wrote, where that replaced all before."""
    written = program.end()
    path = program.log.relative_to(work.root)
    places = [program.log, *work.root.glob(f".janitor/trash/*/{path}")]
    texts = [each.read_text() for each in places if each.exists()]
    if program.how == "grows":
        lines = {line for text in texts for line in text.splitlines()}
        return [f"lost: line {n} of {path}" for n in written if f"line {n}" not in lines]
    last = written[-1] if written else 0
    is_whole = any(f"begin {last}\n" in text and f"end {last}\n" in text for text in texts)
    return [] if not last or is_whole else [f"lost: {path}, {last}"]


@pytest.mark.proof
@pytest.mark.parametrize(("which", "at"), EARLY)
def test_a_file_that_is_written_to_is_never_half_taken(
    which: str, at: int, count: Count, tmp_path: Path
) -> None:
    race = RACES[which]
    (tmp_path / "work").mkdir()
    work = small(tmp_path / "work", race.config)
    for number in range(len(WAYS)):
        race.build(work, 60 - number, str(number))
    folders = [f"{PLACES[race.build]}/{number}" for number in range(len(WAYS))]
    with ExitStack() as running:
        programs = [
            running.enter_context(busy(how, work.root / folder / "train.log"))
            for how, folder in zip(WAYS, folders, strict=True)
        ]
        waiting, meeting = [*programs], Meeting(race.early[at])

        def first() -> None:
            slowly()
            meeting.first()

        command = work.start(*race.args(folders), "--json", first=first)
        while meeting.reached():
            for each in waiting[: 1 if race.early[at].each else None]:
                each.begin()
            del waiting[: 1 if race.early[at].each else None]
            meeting.go_on()
        answer = command.answer()
        for each in waiting:
            each.begin()
        wrong = [f"{answer}"] if answer.code not in (0, 3) else []
        wrong += [line for each in programs for line in missing(each, work)]
    wrong += ["damaged"] if work.janitor("verify").code else []
    count(f"written to in a loop: {which}", len(WAYS), wrong)
