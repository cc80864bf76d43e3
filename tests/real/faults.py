"""A ``janitor`` whose disk says no, once or for good, at any of its calls.

The kernel answers the call with an error and does nothing; whoever made it must tell, and leave
nothing half.
"""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from artifact_janitor.apply.archive import store
from artifact_janitor.cli.trouble import told
from tests.proof.scene import Build, Scene
from tests.real import small as commands
from tests.real.command import Answer
from tests.real.kills import CALLS, Moment, strace
from tests.real.small import Running

CHANGES = [*CALLS, "openat", "copy_file_range", "sendfile", "truncate", "fsetxattr"]
READS = ["openat", "read", "pread64", "getdents64", "newfstatat"]
TAKE_ROOM = "mkdir mkdirat symlink link rename renameat renameat2 write pwrite64 fallocate"
FOR_GOOD = {
    errno.ENOSPC: [*TAKE_ROOM.split(), "copy_file_range", "sendfile", "fsync", "fdatasync"],
    errno.EROFS: [each for each in CALLS if each != "flock"],
    errno.EIO: [each for each in CALLS if each != "flock"],
}


Extent = Literal["once", "this call for good", "for good"]


@dataclass(frozen=True)
class Fault:
    """What the disk says: the `number` of the error, and how long it says so."""

    number: int
    extent: Extent = "once"

    def __str__(self) -> str:
        return f"{errno.errorcode[self.number]} {self.extent}"

    def of(self, every: Sequence[Moment], at: int) -> dict[str, str]:
        """The calls that fail from this moment on, and which ones of their kinds."""
        call, k = every[at]
        error = f"error={errno.errorcode[self.number]}"
        if self.extent != "for good":
            return {call: f"{error}:when={k}{'+' if self.extent != 'once' else ''}"}
        before = Counter(name for name, _ in every[:at])
        return {each: f"{error}:when={before[each] + 1}+" for each in FOR_GOOD[self.number]}


def first_of(scene: Scene) -> Callable[[], None]:
    """A scene's own beginning; and what is told leaves by a call that no fault is made for.
    What a thread would read ahead is read by the one that is traced."""

    def first() -> None:
        scene.first()
        sys.stdout, sys.stderr = _Told.on(1), _Told.on(2)
        store.ahead = lambda chunks, depth=0: chunks  # type: ignore[assignment, misc]
        if (plain := commands.answer) is not _ANSWER:
            commands.answer = lambda args: told(lambda: plain(args), args)

    return first


_ANSWER = commands.answer


class _Told(io.RawIOBase):
    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def on(cls, fd: int) -> Any:
        return io.TextIOWrapper(
            io.BufferedWriter(cls(fd)), encoding="utf-8", errors="backslashreplace"
        )

    def fileno(self) -> int:
        return self._fd

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        return os.writev(self._fd, [content])


def begun(scene: Scene, *, traced: bool = True) -> Running:
    return scene.work.start(*scene.args, "--json", traced=traced, first=first_of(scene))


def plainly(build: Build, place: Path) -> Answer:
    """What the command says where nothing is wrong."""
    scene = build(place)
    try:
        return begun(scene, traced=False).answer()
    finally:
        scene.end()
        shutil.rmtree(place)


@dataclass(frozen=True)
class Undisturbed:
    """What a command does where nothing fails."""

    every: list[Moment]
    """Its calls, in the order of time."""
    ours: list[int]
    """Which of them are about the workspace, and succeed."""
    answer: Answer
    reads: bool = False
    """Whether these are calls that change nothing."""


def undisturbed(scene: Scene, trace: Path, calls: Sequence[str]) -> Undisturbed:
    running = begun(scene)
    which = "trace=" + ",".join(f"?{call}" for call in calls)
    with strace(running.pid, "-o", str(trace), "-y", "-e", which):
        answer = running.answer()
    assert answer.code == 0, answer
    found = Undisturbed([], [], answer, calls is READS)
    count: Counter[str] = Counter()
    for line in trace.read_text(errors="replace").splitlines():
        if call := re.match(r"(\w+)\(", line):
            count[call[1]] += 1
            found.every.append((call[1], count[call[1]]))
            if _is_ours(line, scene.work.root, changes=calls is CHANGES):
                found.ours.append(len(found.every) - 1)
    return found


def _is_ours(line: str, place: Path, *, changes: bool) -> bool:
    """Whether a call that succeeded names something in this folder."""
    if " = -1 " in line or (line.startswith("openat(") and ("O_CREAT" in line) is not changes):
        return False
    named = re.sub(r'AT_FDCWD<[^>]*>, "/', '"/', line)
    return str(place) in named


def met(scene: Scene, trace: Path, fails: dict[str, str]) -> tuple[list[str], Answer]:
    """The calls that failed, as strace tells them, and what the command said."""
    running = begun(scene)
    injects = [f"inject={call}:{how}" for call, how in fails.items()]
    options = [part for each in injects for part in ("-e", each)]
    which = "trace=" + ",".join(fails)
    with strace(running.pid, "-o", str(trace), "-y", "-e", which, *options):
        answer = running.answer()
    lines = trace.read_text(errors="replace").splitlines()
    return [line for line in lines if "(INJECTED)" in line], answer


# ------------------------------------------------------------ what the command may say


def untold(scene: Scene, before: Answer, answer: Answer, number: int) -> list[str]:
    """What is wrong with an answer, asked the moment after; `before` is that of a command which
    nothing disturbed."""
    said = f"{answer} {answer.said.get('data')}"
    if answer.code not in range(6) or "Traceback" in said:
        return [f"fell over: {said}"]
    if answer.code == 0:
        less = scene.args[0] == "run" and _claims(answer) < _claims(before)
        return [] if less or scene.done() else [f"success, and not done: {said}"]
    errors = answer.said.get("errors", ())
    wrong = [] if errors else [f"said nothing: {said}"]
    return wrong + [f"unclear: {each}" for each in errors if not is_clear(each, number)]


def unheard(hit: Sequence[str], answer: Answer) -> list[str]:
    """What may not last, and was called done; SQLite itself, which alone says fdatasync, hears
    what becomes of its files. What has no answer in JSON is a call of a recovery, which says
    that it waits."""
    lost = [line for line in hit if line.startswith("fsync(") and "journal.db" not in line]
    lost = [line for line in lost if "EINTR" not in line]  # it is tried again
    return lost if answer.code == 0 and answer.said else []


def _claims(answer: Answer) -> int:
    """How many steps were carried out, says the command."""
    return sum(row["outcome"] == "done" for row in answer.rows("steps"))


CAUSES = ("disk is full", "disk I/O error", "readonly database", "unable to open database file")
CAUSES += ("make space", "the journal is damaged", "another filesystem is mounted")
"""What a read that failed once looks like: SQLite says malformed, and the next janitor looks
again; where /proc says nothing of a mount, it may be another one."""


def is_clear(error: dict[str, str], number: int) -> bool:
    """Whether it names a path, and a cause unless the number is 0."""
    text = " ".join(error.values())
    named = not number or any(each in text for each in (os.strerror(number), *CAUSES))
    return named and ("/" in error["message"] or bool(error["path"]))


def judged(scene: Scene) -> list[str]:
    """The scene's own judge, who may stumble over what he finds."""
    try:
        return scene.wrong()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is wrong
        return [f"the judge fell over: {error!r}"]
