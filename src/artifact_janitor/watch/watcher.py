"""The watcher: one thread that looks where a hint says, waits for quiet, and tells.

Beside it run watchdog's two, which do no more than note down what the kernel says.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from artifact_janitor.watch import looking
from artifact_janitor.watch.canary import Canary
from artifact_janitor.watch.emitter import Drained, Elsewhere, Inotify, Source
from artifact_janitor.watch.looking import Look, Settled, Surroundings
from artifact_janitor.watch.settling import Settling, together
from artifact_janitor.watch.told import Change, Counters, Root, WatchedRoot
from artifact_janitor.watch.tree import Folder

IS_LINUX = sys.platform.startswith("linux")
TOO_MANY = 5000
"""Folders in one change: beyond it, to name them costs more than to look at everything."""
SHARE = 0.0015
"""Of one core, for full looks; they come less often where they take longer."""


class Watcher:
    """Tells `changed` of what may have changed below the roots; see `told.Change`.

    `settled` says of a folder, by its absolute path and the mtime of its newest file, that
    neither it nor what is below it needs a watch of its own. It is asked when the folder is
    first seen and at each full look: with 0 for the mtime, and where it agrees, once more with
    what was found (nanoseconds). A settled folder in which a full look finds a change is
    watched until the next.

    Both are called from one thread of ours. If `changed` raises, it is told once more,
    `at_most` seconds later. The first change says `everything`: from then on the view is
    whole. All times in seconds: a change is told of after `settle` of quiet, or after
    `at_most`; a full look comes every `resync`, what the kernel doesn't tell of is looked
    at every `poll`, and either less often where it would take too much of the machine.
    `canary`: a file of ours that proves that the view is current; its folder must exist.
    """

    def __init__(  # noqa: PLR0913 - times that belong together, each with a name
        self,
        roots: Sequence[Root],
        settled: Settled,
        changed: Callable[[Change], None],
        *,
        settle: float = 0.5,
        at_most: float = 5.0,
        resync: float = 420.0,
        poll: float = 5.0,
        canary: Path | None = None,
    ) -> None:
        self._roots = frozenset(str(root.path) for root in roots)
        self._looks = [Look(root, settled, self._is_stopping) for root in roots]
        self._changed = changed
        self._settle = settle
        self._resync = resync
        self._poll = poll
        self._canary = Canary(canary, time.monotonic()) if canary else None
        self._settling = Settling(settle, at_most)
        self._source = Source()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._stop = False
        # under the condition: what watchdog's thread and callers leave for ours
        self._dirty: dict[Folder, float] = {}
        self._wrote: set[Folder] = set()
        self._restless: list[Folder] = []
        self._full_look_due = time.monotonic() + resync
        self._full_look_ended = self._full_look_took = 0.0
        self._check_due = 0.0
        self._everything = True
        self._overflows = 0
        # ours alone
        self._poll_due = 0.0
        self._poll_every = poll
        self._state = tuple(look.state(poll) for look in self._looks)
        self._failures = 0
        self._pause = 0.0

    # ------------------------------------------------------------ for others

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End all threads. Waits for a `changed` that is being told, unless it is told by it."""
        with self._news:
            self._stop = True
            self._news.notify()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def resync(self) -> None:
        """Look at everything anew, and say so."""
        with self._news:
            self._full_look_due, self._everything = 0.0, True
            self._news.notify()

    def state(self) -> tuple[WatchedRoot, ...]:
        return self._state

    def counters(self) -> Counters:
        now = time.monotonic()
        return Counters(
            self._source.watches,
            self._overflows,
            self._canary.age(now) if self._canary else None,
            self._full_look_took,
            self._failures,
        )

    # ------------------------------------------------------------ what the kernel says

    def _drained(self, event: Drained) -> None:
        now = time.monotonic()
        with self._news:
            if event.has_overflowed:
                self._lost_count()
            for on, wrote in event.fired:
                if isinstance(on, Folder):
                    self._mark(on, now, wrote=wrote)
                elif isinstance(on, Surroundings):
                    self._check_due = min(self._check_due, now + self._settle)
                elif isinstance(on, Canary):
                    on.came()
            self._news.notify()

    def _lost_count(self) -> None:
        """Any watch may have fired without our knowing. Not at once: where so much happens,
        one full look after the other would leave no time for anything."""
        self._overflows += 1
        rest = max(
            time.monotonic() + self._settle, self._full_look_ended + 4 * self._full_look_took
        )
        self._full_look_due = min(self._full_look_due, rest)
        self._check_due = min(self._check_due, rest)
        self._everything = True
        if self._canary:
            self._canary.sent = None

    def _mark(self, folder: Folder, now: float, *, wrote: bool) -> None:
        if folder not in self._dirty:
            self._dirty[folder] = together(max(now + self._settle, folder.rest))
            self._restless.append(folder)
        if wrote:
            self._wrote.add(folder)
        if folder.around is None:  # the root itself may be gone
            self._check_due = min(self._check_due, now + self._settle)

    def _marked(self, paths: set[str]) -> None:
        """The same from watchdog's own emitters, which only know paths."""
        now = time.monotonic()
        with self._news:
            for look in self._looks:
                for folder in filter(None, map(look.find, paths)):
                    self._mark(folder, now, wrote=True)
            self._check_due = min(self._check_due, now + self._settle)
            self._news.notify()

    # ------------------------------------------------------------ our thread

    def _is_stopping(self) -> bool:
        return self._stop

    def _run(self) -> None:
        self._open()
        try:
            while not self._stop:
                self._turn_anyway()
                self._state = tuple(look.state(self._poll_every) for look in self._looks)
                self._rest()
        finally:
            self._source.stop()

    def _turn_anyway(self) -> None:
        """Whatever goes wrong, the next turn begins with a look at everything."""
        try:
            self._turn()
        except Exception:  # noqa: BLE001 - a watcher that ends is blind
            self._failures += 1
            with self._news:
                self._everything = True
                self._full_look_due = self._check_due = time.monotonic() + self._poll

    def _rest(self) -> None:
        with self._news:
            while not self._stop and (left := self._due() - time.monotonic()) > 0:
                self._news.wait(left)

    def _due(self) -> float:
        canary = self._canary.due if self._canary else self._check_due
        others = (self._full_look_due, self._check_due, self._poll_due, canary)
        return min(*others, self._settling.due(), *self._dirty.values())

    def _turn(self) -> None:
        now = time.monotonic()
        with self._news:
            is_check_due, is_full = self._check_due <= now, self._full_look_due <= now
            dirty = [each for each, due in self._dirty.items() if is_full or due <= now]
            for each in dirty:
                del self._dirty[each]
            wrote = self._wrote.intersection(dirty)
            self._wrote -= wrote
            restless, self._restless = self._restless, []
        for each in restless:
            self._settling.restless(each.path, now)
        if is_check_due:
            self._check()
        if is_full:
            self._look_at_all()
        self._look_at([] if is_full else dirty, wrote)
        if self._poll_due <= now:
            self._look_where_nobody_tells()
        if self._canary:
            self._tend(self._canary)
        self._tell()

    def _check(self) -> None:
        """Whether the roots are what they were; every few seconds, since mounts make no event."""
        with self._news:
            self._check_due = time.monotonic() + self._poll
        changed = [look.check() for look in self._looks]
        if any(changed):
            with self._news:
                self._everything = True
            if self._source.follow(str(look.root.path) for look in self._looks if look.top):
                self.resync()

    def _look_at_all(self) -> None:
        if self._source.mode == "polling":
            self._open()  # there may be an instance by now
        self._source.again()
        with self._news:
            self._full_look_due = float("inf")
        began, used = time.monotonic(), time.thread_time()
        for look in self._looks:
            look.look_at_all()
        wait = max(self._resync, (time.thread_time() - used) / SHARE)
        with self._news:
            self._full_look_ended = time.monotonic()
            self._full_look_took = self._full_look_ended - began
            self._full_look_due = min(self._full_look_due, self._full_look_ended + wait)

    def _look_at(self, dirty: Iterable[Folder], wrote: set[Folder]) -> None:
        by_top = {look.top: look for look in self._looks}
        for folder in dirty:
            if folder.is_there and (look := by_top.get(folder.top)):
                look.look([folder])
        for folder in wrote:
            if folder.is_there and (look := by_top.get(folder.top)):
                look.found.setdefault(folder.path, 0)

    def _look_where_nobody_tells(self) -> None:
        began = time.monotonic()
        for look in self._looks:
            if folders := look.to_poll():
                self._source.again()
                look.look(folders)
        took = time.monotonic() - began
        self._poll_every = max(self._poll, took / looking.SHARE)
        self._poll_due = began + took + self._poll_every

    def _tend(self, canary: Canary) -> None:
        now = time.monotonic()
        if canary.is_lost(now):
            self._open()
            self.resync()
        if canary.due <= now:
            canary.beat(self._source, now)

    def _open(self) -> None:
        """A source of hints, a new one where there was one before."""
        self._source.stop()
        try:
            self._source = Inotify(self._drained) if IS_LINUX else Elsewhere(self._marked)
        except OSError:
            self._source = Source()  # no instance left; the next full look tries again
        for look in self._looks:
            look.use(self._source)
        if self._canary:
            self._canary.watch, self._canary.sent = 0, None

    def _tell(self) -> None:
        now, wall = time.monotonic(), time.time()
        for look in self._looks:
            for path, newest in look.found.items():
                self._settling.changed(path, now, wall - newest / 1e9)
            look.found.clear()
        everything = self._take_everything(now)
        paths = self._settling.take() if everything else self._settling.ripe(now)
        if everything or len(paths) > TOO_MANY:
            paths, everything = self._roots, True
        if paths and not self._stop:
            self._say(paths, everything=everything)

    def _take_everything(self, now: float) -> bool:
        """Not before all has been looked at, and not while it would only fail again."""
        with self._news:
            if not self._everything or self._full_look_due <= now or now < self._pause:
                return False
            self._everything = False
        return True

    def _say(self, paths: frozenset[str], *, everything: bool) -> None:
        try:
            self._changed(Change(frozenset(map(Path, paths)), everything))
        except Exception:  # noqa: BLE001 - whatever it was, the change is told once more
            now = time.monotonic()
            self._failures += 1
            self._settling.later(paths, now)
            self._pause = self._settling.due()
            with self._news:
                self._everything |= everything
