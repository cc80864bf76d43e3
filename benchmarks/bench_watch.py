"""Our watcher beside watchdog's own emitter and watchfiles: what each sees, and what it costs.

python benchmarks/bench_watch.py                      everything: some minutes; root for two rows
python benchmarks/bench_watch.py --only burst idle    rows by name
python benchmarks/bench_watch.py --scale 0.1          a tenth of the files and folders

Each watcher is a process of its own (watchers.py), and they take turns with the same files.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from beside import machine

PROGRAM = Path(__file__).with_name("watchers.py")
PEERS = ("ours", "watchdog", "watchfiles")
QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")
PATIENCE = 10.0
"""Seconds after which what isn't seen counts as missed."""


class Watching:
    """A watcher at work."""

    def __init__(self, kind: str, root: Path, *more: str, before: Sequence[str] = ()) -> None:
        command = [*before, sys.executable, str(PROGRAM), kind, str(root), *more]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, stderr=2
        )
        self.start = float(self._answer())

    def ask(self, question: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def has(self, path: Path, *, within: float = PATIENCE) -> bool:
        return until(lambda: bool(self.ask(f"have {json.dumps(str(path))}")), within)

    def sees(self, number: int, *, within: float = PATIENCE) -> tuple[int, float]:
        """How many files, once they are all there or no more come, and after how many seconds."""
        began, counts, times = time.monotonic(), [0], [0.0]
        while counts[-1] < number and time.monotonic() - began - times[-1] < within:
            if (count := self.ask("count")) != counts[-1]:
                counts.append(count)
                times.append(time.monotonic() - began)
            time.sleep(0.1)
        return counts[-1], times[-1]

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def watching(kind: str, root: Path, *more: str, before: Sequence[str] = ()) -> Iterator[Watching]:
    it = Watching(kind, root, *more, before=before)
    try:
        yield it
    finally:
        it.end()


def until(is_so: Callable[[], bool], within: float) -> bool:
    end = time.monotonic() + within
    while not (so := is_so()) and time.monotonic() < end:
        time.sleep(0.05)
    return so


@contextmanager
def fresh(where: Path) -> Iterator[Path]:
    """A root, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-watch-", dir=where) as folder:
        (Path(folder) / "root").mkdir()
        yield Path(folder) / "root"


@contextmanager
def queue_of(length: int) -> Iterator[None]:
    """For instances that are made meanwhile; for all of the machine, so it is put back at once."""
    before = QUEUE.read_text()
    QUEUE.write_text(f"{length}\n")
    try:
        yield
    finally:
        QUEUE.write_text(before)


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def folders(root: Path, number: int) -> list[Path]:
    """Runs of five folders each, a hundred a day; so many in all, or a few more."""
    made = []
    while len(made) < number:
        run = root / f"day-{len(made) // 500}" / f"run-{len(made)}"
        made += [run, run / ".hydra", run / "models", run / "logs", run / "logs" / "train"]
        for each in made[-4:]:
            each.mkdir(parents=True)
        write(run / "main.log")
        write(run / ".hydra/config.yaml")
    return made


def table(title: str, *columns: str) -> None:
    print(f"\n#### {title}\n")
    print(f"| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}", flush=True)


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


# ------------------------------------------------------------ rows


def burst(where: Path, scale: float) -> None:
    """Also where the folders are there already."""
    number, places = int(50_000 * scale), 200
    table(
        f"{number:,} files in {places} folders",
        *("seen", "", "seconds after the last", "CPU s", "peak MiB"),
    )
    own = int(QUEUE.read_text())
    lengths = (own, 1024) if os.access(QUEUE, os.W_OK) else (own,)
    for what, length in [*(("new", each) for each in lengths), ("old", own)]:
        for kind in PEERS:
            with fresh(where) as root:
                places_there = [root / "day" / str(each) for each in range(places)]
                for each in places_there if what == "old" else ():
                    each.mkdir(parents=True)
                with queue_of(length) if length != own else nullcontext():
                    it = Watching(kind, root)
                cpu = it.ask("cpu")
                for each in places_there:
                    each.mkdir(parents=True, exist_ok=True)
                    for file in range(number // places):
                        write_quickly(f"{each}/{file}")
                count, after = it.sees(number)
                used, (_, peak) = it.ask("cpu") - cpu, it.ask("memory")
                created = f", {it.ask('created'):,} created" if kind == "watchdog" else ""
                name = f"{kind}, {what} folders, queue {length:,}"
                share = f"{100 * count / number:.1f} %{created}"
                row(name, f"{count:,}", share, f"{after:.1f}", f"{used:.2f}", f"{peak:.0f}")
                it.end()


def write_quickly(path: str) -> None:
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"x")
    os.close(fd)


def start(where: Path, scale: float) -> None:
    """Six files, one after the other, in folders that are spread over the tree."""
    for number in (int(4_200 * scale), int(20_000 * scale)):
        table(
            f"Start on {number:,} folders",
            *("ready s", "probes seen", "slowest s", "idle CPU %", "MiB"),
        )
        with fresh(where) as root:
            made = folders(root, number)
            for kind in PEERS:
                with watching(kind, root) as it:
                    time.sleep(1)
                    idle = idle_share(it, 10)
                    took = []
                    for probe in range(6):
                        path = write(made[len(made) * probe // 6] / f"probe-{kind}")
                        began = time.monotonic()
                        if it.has(path, within=5):
                            took.append(time.monotonic() - began)
                    slowest = f"{max(took):.2f}" if took else "–"
                    now, _ = it.ask("memory")
                    seen = f"{len(took)}/6"
                    row(kind, f"{it.start:.2f}", seen, slowest, f"{idle:.2f}", f"{now:.0f}")


def idle_share(it: Watching, seconds: float) -> float:
    """Percent of one core."""
    used = it.ask("cpu")
    time.sleep(seconds)
    return 100 * (it.ask("cpu") - used) / seconds


def stall(where: Path, scale: float) -> None:
    number, probes = int(20_000 * scale), 5
    places = int(18_000 * scale)
    table(
        f"Stopped while {number:,} files were written in {places:,} folders, and {probes} after",
        *("seen", "of the five after", "overflows", "CPU s"),
    )
    for kind in PEERS:
        with fresh(where) as root:
            made = folders(root, places)
            with watching(kind, root) as it:
                time.sleep(1)
                it.ask("forget")
                cpu = it.ask("cpu")
                it.signal(signal.SIGSTOP)
                for each in range(number):
                    write_quickly(f"{made[each % len(made)]}/file-{each}")
                it.signal(signal.SIGCONT)
                time.sleep(2)
                late = [write(made[7 * each] / "late") for each in range(probes)]
                it.sees(number + probes + 10**9, within=5)
                count = sum(it.ask(f"have {json.dumps(str(p))}") for p in root.rglob("file-*"))
                seen = sum(it.has(each, within=1) for each in late)
                overflows = it.ask("overflows") if kind == "ours" else "not told"
                used = it.ask("cpu") - cpu
                row(kind, f"{count:,}/{number:,}", f"{seen}/{probes}", overflows, f"{used:.2f}")


def limit(where: Path, scale: float) -> None:
    table("100 watches for 200 folders", "changed folders seen", "what it says")
    before = ["unshare", "-Ur", "sh", "-c"]
    before += ['echo 100 > /proc/sys/user/max_inotify_watches && exec "$@"', "sh"]
    for kind in PEERS:
        with fresh(where) as root:
            for number in range(200):
                (root / str(number)).mkdir()
            try:
                with watching(kind, root, before=before) as it:
                    paths = [write(root / str(number) / "file") for number in range(200)]
                    it.sees(200)
                    seen = sum(it.has(each, within=0) for each in paths)
                    said = "; ".join(it.ask("state")[0][:2]) if kind == "ours" else "nothing"
            except json.JSONDecodeError:
                seen, said = 0, "ends with an error"
            row(kind, f"{seen}/200", said)


def turns(where: Path, scale: float) -> None:
    table("What happens to roots and folders", *PEERS)
    sums = dict.fromkeys(PEERS, 0)
    for name, turn in TURNS.items():
        cells = []
        for kind in PEERS:
            with fresh(where) as root:
                write(root / "old/sub/file")
                is_right = turn(kind, root)
                sums[kind] += is_right
                cells.append("yes" if is_right else "**no**")
        row(name, *cells)
    row("**together**", *(f"{each}/{len(TURNS)}" for each in sums.values()))


def a_link(kind: str, root: Path) -> bool:
    link, other = root.parent / "link", root.parent / "other"
    link.symlink_to(root)
    other.mkdir()
    with watching(kind, link) as it:
        write(root / "old/sub/new")
        first = it.has(link / "old/sub/new", within=5)
        (root.parent / "next").symlink_to(other)
        (root.parent / "next").rename(link)
        time.sleep(1)
        write(other / "new")
        return first and it.has(link / "new", within=5)


def made_again(kind: str, root: Path) -> bool:
    with watching(kind, root) as it:
        shutil.rmtree(root)
        write(root / "new/file")
        time.sleep(1)
        write(root / "new/later")
        return it.has(root / "new/later", within=5)


def swapped(kind: str, root: Path) -> bool:
    write(root.parent / "twin/old/sub/file")
    with watching(kind, root) as it:
        root.rename(root.parent / "before")
        (root.parent / "twin").rename(root)
        time.sleep(1)
        stray = write(root.parent / "before/old/sub/stray")
        write(root / "old/sub/later")
        wrong = it.has(root / stray.relative_to(root.parent / "before"), within=1)
        return it.has(root / "old/sub/later", within=5) and not wrong


def moved_in(kind: str, root: Path) -> bool:
    write(root.parent / "in/sub/file")
    with watching(kind, root) as it:
        (root.parent / "in").rename(root / "in")
        time.sleep(1)
        write(root / "in/sub/later")
        return it.has(root / "in/sub/later", within=5)


def moved_out(kind: str, root: Path) -> bool:
    with watching(kind, root) as it:
        (root / "old").rename(root.parent / "out")
        time.sleep(1)
        write(root.parent / "out/sub/stray")
        return not it.has(root / "old/sub/stray", within=2)


def renamed(kind: str, root: Path) -> bool:
    with watching(kind, root) as it:
        (root / "old").rename(root / "new")
        time.sleep(1)
        write(root / "new/sub/later")
        return it.has(root / "new/sub/later", within=5)


def not_utf8(kind: str, root: Path) -> bool:
    with watching(kind, root) as it:
        write(root / os.fsdecode(b"run-\xff\xfe") / os.fsdecode(b"\xe9.pt"))
        time.sleep(1)
        write(root / "old/sub/later")
        try:
            return it.has(root / "old/sub/later", within=5)
        except json.JSONDecodeError:
            return False


def fails(kind: str, root: Path) -> bool:
    """Whoever is told raises an error, once: that change, and the next."""
    with watching(kind, root) as it:
        it.ask("fail")
        write(root / "old/sub/first")
        time.sleep(1)
        write(root / "old/other/second")
        first = it.has(root / "old/sub/first", within=8)
        return it.has(root / "old/other/second", within=8) and first


TURNS = {
    "the root is a link, and comes to lead elsewhere": a_link,
    "the root is removed and made again": made_again,
    "the root is swapped for another": swapped,
    "a folder is moved in": moved_in,
    "a folder is moved out, and is no more ours": moved_out,
    "a folder is renamed": renamed,
    "names that are not UTF-8": not_utf8,
    "whoever is told raises an error": fails,
}


def restart(where: Path, scale: float) -> None:
    number = int(10_000 * scale)
    table(f"Killed amid {number:,} files, started again", "seen after the start")
    for kind in PEERS:
        with fresh(where) as root:
            it = Watching(kind, root)
            paths = [root / str(each % 50) / f"file-{each}" for each in range(number)]
            writer = threading.Thread(target=lambda paths: [*map(write, paths)], args=(paths,))
            writer.start()
            until((root / "20").exists, 60)
            it.end()
            writer.join()
            with watching(kind, root) as again:
                row(kind, f"{again.sees(number, within=5)[0]:,}")


# ------------------------------------------------------------ the command


def main() -> None:
    from watching_more import idle, latency, optuna  # the longer rows

    rows = {
        "burst": burst,
        "start": start,
        "stall": stall,
        "limit": limit,
        "turns": turns,
        "optuna": optuna,
        "latency": latency,
        "idle": idle,
        "restart": restart,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=rows, default=list(rows))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--where", help="a folder to work in; the system's temporary one otherwise")
    asked = parser.parse_args()
    print(f"\n### watch\n\n{machine()}")
    for name in asked.only:
        rows[name](Path(asked.where or tempfile.gettempdir()), asked.scale)


if __name__ == "__main__":
    main()
