"""The order in which things reach the disk, as the kernel saw it (S9, S10, S12).

What is new is written under another name, and durable before it gets its own; then the folder is,
then the journal says so, and only then what is old goes. No kill shows whether that is so, and a
power cut only where it hits the moment: here each call of a whole command is looked at.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from artifact_janitor.apply import retrain
from artifact_janitor.apply.ground import Ground
from artifact_janitor.apply.retrain import JOBS
from artifact_janitor.executors.local import Local
from artifact_janitor.observe import study_copy
from tests.proof.conftest import Count
from tests.proof.scenes import SCENES
from tests.real import small as commands
from tests.real.kills import needs_strace, strace
from tests.real.small import Running, Small
from tests.real.syscalls import read
from tests.test_jobs_seen import adopting

pytestmark = needs_strace

READS = {"read", "pread64"}
WRITES = {"write", "pwrite64", "writev", "copy_file_range", "sendfile", "ioctl"}
SYNCS = {"fsync", "fdatasync", "syncfs"}
RENAMES = {"rename", "renameat", "renameat2"}
GOES = {"unlink", "unlinkat", "rmdir"}
CALLS = ",".join(f"?{call}" for call in READS | WRITES | SYNCS | RENAMES | GOES | {"fadvise64"})

_DONE = re.compile(rb"^\w+\(.*\) += [0-9]", re.MULTILINE)
OWN = "/.janitor/"
MAY_BE_HALF = re.compile(
    r"/\.janitor/(lock|.*\.lock|\.gitignore|sweeps/.*|reserve/.*|gitignore-[^/]*/.*|archive/RESTORE\.txt"
    r"|jobs/[^/]*/(log|lock|.*-journal))$"
)
"""What holds nothing that matters, or is written anew by whoever needs it."""
READ_BACK = re.compile(r"(?<!RESTORE\.txt)\.part$|/compressing/|\.pth?$")
"""What is compared with what it was made of, before it gets its name."""
BEFORE = (
    (".tar.zst", (".sha256", ".manifest.jsonl")),
    (".pth", (".json",)),
    (".pt", ("_meta.json",)),
)
"""What must have its name before what it belongs to has."""


@dataclass
class Disk:
    """What a power cut would leave, as far as the calls of a command tell; and what is wrong."""

    mends: bool = False
    """What was begun by another one is journalled already: it settles some, and goes on."""
    wrong: list[str] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    """Files that were written to."""
    unsynced: set[str] = field(default_factory=set)
    cached: set[str] = field(default_factory=set)
    """Files that would be read back out of memory."""
    fresh: set[str] = field(default_factory=set)
    """New files whose folder doesn't know them for good."""
    named: set[str] = field(default_factory=set)
    """What got the name that it was made for."""
    gone: set[str] = field(default_factory=set)
    """Names of a person's under which nothing is any more."""
    unnamed: set[str] = field(default_factory=set)
    """Folders in which something of ours got its name, which isn't durable yet."""
    unsaid: bool = False
    """Whether something of ours got its name, and the journal didn't say so yet."""
    moved: set[str] = field(default_factory=set)
    """Folders whose entries moved, and aren't durable yet."""
    late: set[str] = field(default_factory=set)
    """Those of them when the journal was written to last."""
    leaving: set[str] = field(default_factory=set)
    """What was taken out of the trash, and isn't purged by the journal's word."""

    @property
    def journal(self) -> bool:
        """Whether all that the journal was told is on the disk."""
        return not any("/journal.db-wal" in path for path in self.unsynced)

    def must(self, holds: bool, what: str) -> None:
        if not holds:
            self.wrong.append(what)

    def write(self, path: str) -> None:
        if MAY_BE_HALF.search(path):
            return
        self.unsynced.add(path)
        if "/.janitor/journal.db" in path:
            self.must(not self.unnamed, f"the journal goes on before {self.unnamed} is durable")
            self.late = {*self.moved}
            return
        final = OWN not in path or ("/archive/" in path and not path.endswith(".part"))
        self.must(not final, f"{path} is written under its name")
        self.fresh |= {path} - self.made
        self.made.add(path)
        self.cached.add(path)

    def read(self, path: str) -> None:
        seen = path in self.cached and READ_BACK.search(path)
        self.must(not seen, f"{path} is read back out of memory")

    def sync(self, path: str, *, all_of_it: bool = False) -> None:
        if all_of_it:
            for each in (self.unsynced, self.unnamed, self.moved, self.fresh):
                each.clear()
        self.unsynced -= {path}
        self.unnamed -= {path}
        self.moved -= {path}
        self.fresh = {each for each in self.fresh if each.rpartition("/")[0] != path}
        if "/journal.db-wal" in path:
            self.unsaid, self.leaving = False, set()

    def rename(self, old: str, new: str, *, exchange: bool) -> None:
        below = [path for path in self.made if f"{path}/".startswith(f"{old}/")]
        half = [path for path in below if path in self.unsynced]
        self.must(not half, f"{half} got its name before its bytes were durable")
        seen = [path for path in below if path in self.cached and READ_BACK.search(path)]
        self.must(not seen, f"{seen} was not read back from the disk")
        if new.endswith("/job.json"):
            self._must_be_a_job(old, new.rpartition("/")[0])
        self.must(new not in self.gone, f"for a moment nothing is at {new}")
        self.gone |= {old} if OWN not in old else set()
        if old in self.made:
            self._must_be_last(new)
        self._moves(old, new, ours=bool(below))
        self.made -= {*below}
        if exchange:
            return
        if not (below or self.mends or "/.janitor/leaving/" in new):
            self.must(self.journal, f"{old} goes before the journal says so")
        if not below and OWN not in old:
            self.must(not self.unsaid, f"{old} goes before the journal knows what is made of it")

    def _must_be_a_job(self, last: str, folder: str) -> None:
        half = [each for each in self.unsynced if each.startswith(f"{folder}/")]
        here = {each for each in self.fresh if each.rpartition("/")[0] == folder}
        self.must(not half, f"a job begins before {half} is durable")
        self.must(here <= {last}, f"a job begins before the names of {here} are durable")

    def _must_be_last(self, new: str) -> None:
        self.named.add(new)
        for suffix, others in BEFORE:
            if new.endswith(suffix):
                beside = {new.removesuffix(suffix) + each for each in others}
                self.must(beside <= self.named, f"{new} has its name before {beside}")

    def _moves(self, old: str, new: str, *, ours: bool) -> None:
        above = {path.rpartition("/")[0] for path in (old, new)}
        if "/.janitor/leaving/" in new:
            self.leaving.add(new)
            return
        self.moved |= above
        if ours and old not in self.unsynced and old in self.made:
            self.unnamed.add(new.rpartition("/")[0])
            self.unsaid = True

    def goes(self, path: str) -> None:
        self.moved -= {path}
        self.unnamed -= {path}
        if "/.janitor/sweeps/" in path:
            self.must(self.journal, "a sweep ends before the journal says so")
            self.must(not self.late, f"a sweep ends before {self.late} is durable")
        if OWN not in path:
            self.gone.add(path)
            self.must(self.journal, f"{path} is removed before the journal says so")
        purged = not any(f"{path}/".startswith(f"{each}/") for each in self.leaving)
        self.must(purged, f"{path} is removed before the journal says that it is purged")
        self.made.discard(path)
        self.unsynced.discard(path)


def judged(lines: list[bytes], root: Path, *, mends: bool = False) -> Disk:
    disk = Disk(mends)
    for line in lines:
        call, *paths = _call(line, f"{root}/")
        if not paths:
            continue
        if call in WRITES and (call != "ioctl" or b"CLONE" in line):
            disk.write(paths[0])
        elif call in SYNCS:
            disk.sync(paths[0], all_of_it=call == "syncfs")
        elif call in READS:
            disk.read(paths[0])
        elif call == "fadvise64":
            disk.cached.discard(paths[0])
        elif call in RENAMES:
            disk.rename(*paths, exchange=b"RENAME_EXCHANGE" in line)
        elif call in GOES:
            disk.goes(paths[0])
    disk.must(not disk.unsynced | disk.unnamed, f"{disk.unsynced | disk.unnamed} is never durable")
    return disk


def _call(line: bytes, top: str) -> Iterator[str]:
    """A call, and its paths in a workspace."""
    found = [*read(line)]
    yield found[0][0] if found else ""
    yield from (path for _, path in found if f"{path}/".startswith(top))


QUICK = ("archive", "restore", "expire", "compress", "publish over", "gitignore")
"""Of each way to make something new one scene, and what is built within a second."""


@pytest.mark.parametrize("name", QUICK)
def test_what_is_old_goes_when_what_is_new_is_durable(
    name: str, count: Count, tmp_path: Path
) -> None:
    looked_at(name, count, tmp_path)


@pytest.mark.proof
@pytest.mark.parametrize("name", [name for name in SCENES if name not in QUICK])
def test_the_same_of_every_step(name: str, count: Count, tmp_path: Path) -> None:
    looked_at(name, count, tmp_path)


def test_a_job_begins_when_all_of_it_is_durable(count: Count, tmp_path: Path) -> None:
    """One that adopts a model, so that nothing is started; of a study in a journal, whose copy
    nobody else makes durable."""
    work, (study, model) = Small(tmp_path / "work"), (tmp_path / "study.log", tmp_path / "a.pth")
    (work.root / ".janitor").mkdir(parents=True)
    study.write_text("{}\n" * 9)
    model.write_bytes(b"a model")
    how = adopting(tmp_path, model)
    how = replace(how, snapshot=partial(study_copy.copy, study), suffix=study_copy.JOURNAL)

    def submits(_: object) -> int:
        retrain.submit(Ground(work.root, []), Local(work.root / JOBS), how, time.time_ns())
        return 0

    def first() -> None:
        commands.answer = submits  # type: ignore[assignment]

    running = work.start(traced=True, first=first)
    lines = seen(running, tmp_path / "trace")
    assert list(work.root.glob(f"{JOBS}/*/job.json"))
    count("order: a job", len(lines), judged(lines, work.root).wrong)


def looked_at(name: str, count: Count, tmp_path: Path) -> None:
    scene = SCENES[name](tmp_path / "work")
    try:
        lines = seen(scene.start(), tmp_path / "trace")
        assert scene.done()
    finally:
        scene.end()
    mends = name.startswith("recovery of ")
    count(f"order: {name}", len(lines), judged(lines, tmp_path / "work", mends=mends).wrong)
    shutil.rmtree(tmp_path / "work")


def seen(running: Running, trace: Path) -> list[bytes]:
    """The calls of a command that did as they were told."""
    with strace(running.pid, "-y", "-s0", "-o", str(trace), "-e", f"trace={CALLS}"):
        assert running.wait() == 0
    lines = [line for line in trace.read_bytes().splitlines() if _DONE.match(line)]
    assert len(lines) > 10
    return lines
