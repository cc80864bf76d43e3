"""One watcher as a program, ours or a peer's, for bench_watch.py.

python benchmarks/watchers.py KIND ROOT [--read DB] [--settled]

It answers each line on stdin with one line of JSON. What it counts is distinct files: of ours
those that lie, written in full, in the folders that it names; of the peers those that an event
names, of watchdog only where the event says that the file was closed.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any


class Seen:
    """What came to somebody's knowledge, and at what price."""

    def __init__(self, database: str) -> None:
        self.files: set[str] = set()
        self.created: set[str] = set()
        self.calls = self.reads = 0
        self.last = 0.0
        self.fails = False
        self._database = database

    def told(self, files: Iterable[str]) -> None:
        self.calls += 1
        self.last = time.time()
        if self.fails:
            self.fails = False
            raise RuntimeError("whoever is told may fail")
        self.files.update(files)
        if self._database:
            self._read()

    def _read(self) -> None:
        self.reads += 1
        try:
            with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as db:
                db.execute("SELECT count(*) FROM trials").fetchone()
        except sqlite3.Error:
            pass


def ours(root: str, seen: Seen, asked: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    from artifact_janitor.watch import Change, Root, Watcher
    from artifact_janitor.watch.kernel import Watches

    ready = threading.Event()
    fired = [0]
    wait = Watches.wait

    def counted(self: Watches) -> Any:
        found = wait(self)
        fired[0] += len(found[0])
        return found

    Watches.wait = counted  # type: ignore[method-assign]

    def changed(change: Change) -> None:
        files = inside([root], deep=True) if change.everything else inside(change.folders)
        try:
            seen.told(files)
        finally:
            ready.set()

    own = Path(root).parent / "own"
    own.mkdir(exist_ok=True)

    def settled(path: str, newest: int) -> bool:
        """The runs, and not the days that they lie in."""
        return asked.settled and path.count("/") > root.count("/") + 1

    watcher = Watcher([Root(Path(root), "root")], settled, changed, canary=own / "canary")
    watcher.start()
    ready.wait()

    def resync() -> float:
        ready.clear()
        used = time.process_time()
        watcher.resync()
        ready.wait()
        return time.process_time() - used

    return {
        "state": lambda: [(each.mode, each.why, each.folders) for each in watcher.state()],
        "events": lambda: fired[0],
        "overflows": lambda: watcher.counters().overflows,
        "watches": lambda: watcher.counters().watches,
        "resync": resync,
    }


def inside(folders: Iterable[str | Path], *, deep: bool = False) -> list[str]:
    found, todo = [], list(map(str, folders))
    while todo:
        try:
            with os.scandir(todo.pop()) as entries:
                for each in entries:
                    if each.is_dir(follow_symlinks=False):
                        todo += [each.path] if deep else []
                    elif each.stat(follow_symlinks=False).st_size:
                        found.append(each.path)
        except OSError:
            pass
    return found


def watchdog(root: str, seen: Seen, asked: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    from watchdog.observers import Observer

    return observed(Observer(), root, seen)


def polling(root: str, seen: Seen, asked: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    from watchdog.observers.polling import PollingObserver

    return observed(PollingObserver(timeout=5), root, seen)


def observed(observer: Any, root: str, seen: Seen) -> dict[str, Callable[[], Any]]:
    from watchdog.events import FileSystemEvent, FileSystemEventHandler

    class Told(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            path = os.fsdecode(event.src_path)
            if event.event_type == "created" and not event.is_directory:
                seen.created.add(path)
            seen.told([path] if event.event_type == "closed" else ())

    observer.schedule(Told(), root, recursive=True)
    observer.start()
    return {}


def watchfiles(root: str, seen: Seen, asked: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    from watchfiles import Change, watch

    def follow() -> None:
        try:
            for changes in watch(root, watch_filter=None, rust_timeout=200, yield_on_timeout=True):
                ready.set()
                with suppress(RuntimeError):
                    if changes:
                        seen.told(path for change, path in changes if change != Change.deleted)
        finally:
            if not ready.is_set():
                os._exit(1)  # it can't watch at all

    ready = threading.Event()
    threading.Thread(target=follow, daemon=True).start()
    ready.wait()
    return {}


KINDS = {"ours": ours, "watchdog": watchdog, "watchfiles": watchfiles, "PollingObserver": polling}


def memory() -> tuple[float, float]:
    """MiB now and at most."""
    with open("/proc/self/status", encoding="ascii") as file:
        said = dict(line.split(":", 1) for line in file)
    return tuple(int(said[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("root")
    parser.add_argument("--read", default="")
    parser.add_argument("--settled", action="store_true")
    asked = parser.parse_args()
    began = time.monotonic()
    seen = Seen(asked.read)
    answers: dict[str, Callable[[], Any]] = {
        "count": lambda: len(seen.files),
        "created": lambda: len(seen.created),
        "calls": lambda: seen.calls,
        "reads": lambda: seen.reads,
        "last": lambda: seen.last,
        "cpu": time.process_time,
        "memory": memory,
        "fail": lambda: setattr(seen, "fails", True),
        "forget": seen.files.clear,
    }
    answers |= KINDS[asked.kind](asked.root, seen, asked)
    print(json.dumps(time.monotonic() - began), flush=True)
    for line in sys.stdin:
        question, _, path = line.rstrip("\n").partition(" ")
        try:
            said = json.loads(path) in seen.files if question == "have" else answers[question]()
        except Exception as error:  # noqa: BLE001 - a peer that can't say so
            said = repr(error)
        print(json.dumps(said), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
