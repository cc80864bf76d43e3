"""Where hints come from: watchdog's observer, on Linux with an emitter of our own."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.api import BaseObserver, EventEmitter

from artifact_janitor.watch.kernel import FOLDER, Fired, Watched, Watches
from artifact_janitor.watch.told import Mode

_NO_MORE = (errno.ENOSPC, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


@dataclass(unsafe_hash=True)
class Drained(FileSystemEvent):
    """One read of the kernel's queue."""

    fired: tuple[Fired, ...] = ()
    has_overflowed: bool = False


class OneshotEmitter(EventEmitter):
    """Drains the queue, and no more: nothing that takes long may stand between two reads."""

    def __init__(self, *args: Any, watches: Watches, **options: Any) -> None:
        super().__init__(*args, **options)
        self._watches = watches

    def queue_events(self, timeout: float) -> None:
        """Wait for as long as it takes; `timeout` would only wake an idle machine."""
        fired, has_overflowed = self._watches.wait()
        if fired or has_overflowed:
            self.queue_event(Drained(self.watch.path, "", False, tuple(fired), has_overflowed))

    def on_thread_stop(self) -> None:
        self._watches.wake()


class Source:
    """Nothing tells us anything: all has to be looked at again and again."""

    mode: Mode = "polling"
    watches = 0
    is_full = True

    def arm(self, what: Watched, fd: int, mask: int = FOLDER) -> bool:
        """Whether something will tell of the next change in the folder open as `fd`."""
        return False

    def disarm(self, what: Watched) -> None:
        """Nobody asks for it any more."""

    def again(self) -> None:
        """There may be watches again."""

    def follow(self, roots: Iterable[str]) -> bool:
        """These are all there is to watch. Whether all must be looked at again after that."""
        return False

    def stop(self) -> None:
        """End all threads and close all files."""


class Inotify(Source):
    """One instance and one observer for all roots. Raises OSError where none is to be had."""

    mode: Mode = "inotify"

    def __init__(self, mark: Callable[[Drained], None]) -> None:
        self.is_full = False
        self._watches = Watches()
        emitter = cast("type[EventEmitter]", partial(OneshotEmitter, watches=self._watches))
        self._observer = BaseObserver(emitter)
        self._observer.schedule(_OfOurs(mark), "/")
        self._observer.start()

    @property
    def watches(self) -> int:  # type: ignore[override]
        return len(self._watches)

    def arm(self, what: Watched, fd: int, mask: int = FOLDER) -> bool:
        """False where no watch is left; then the kernel isn't asked until `again`."""
        if self.is_full:
            return False
        try:
            self._watches.arm(what, fd, mask)
        except OSError as error:
            if error.errno not in _NO_MORE:
                raise
            self.is_full = True
        return not self.is_full

    def disarm(self, what: Watched) -> None:
        self._watches.disarm(what)

    def again(self) -> None:
        self.is_full = False

    def stop(self) -> None:
        _end(self._observer)
        self._watches.close()


class Elsewhere(Source):
    """watchdog's own emitter for this system: it watches whole trees by itself."""

    mode: Mode = "watchdog"
    is_full = False

    def __init__(self, mark: Callable[[set[str]], None]) -> None:
        from watchdog.observers import Observer

        self._observer = Observer()
        self._observer.start()
        self._marks = _OfTheirs(mark)

    def arm(self, what: Watched, fd: int, mask: int = FOLDER) -> bool:
        return not self.is_full

    def follow(self, roots: Iterable[str]) -> bool:
        """Anew: what it watched may be another folder of the same name by now."""
        self._observer.unschedule_all()
        self.is_full = False
        for root in roots:
            try:
                self._observer.schedule(self._marks, root, recursive=True)
            except OSError:
                self.is_full = True
        return True

    def stop(self) -> None:
        _end(self._observer)


class _OfOurs(FileSystemEventHandler):
    def __init__(self, mark: Callable[[Drained], None]) -> None:
        self._mark = mark

    def dispatch(self, event: FileSystemEvent) -> None:
        if isinstance(event, Drained):
            self._mark(event)


class _OfTheirs(FileSystemEventHandler):
    """Their names for what happened are not believed: the folders are looked at."""

    def __init__(self, mark: Callable[[set[str]], None]) -> None:
        self._mark = mark

    def dispatch(self, event: FileSystemEvent) -> None:
        if event.event_type not in ("opened", "closed_no_write"):
            paths = [os.fsdecode(each) for each in (event.src_path, event.dest_path) if each]
            self._mark({*paths, *map(os.path.dirname, paths)})


def _end(observer: Any) -> None:
    """Its emitters too: they end when it does, and closing what they read must wait for that."""
    emitters = tuple(observer.emitters)
    observer.stop()
    observer.join()
    for each in emitters:
        each.stop()
        each.join()
