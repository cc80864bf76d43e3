"""A file of our own that we write to and wait to be told of.

Events come in the order in which things happened. So when the canary's comes, all that
happened before it was written has been seen.
"""

from __future__ import annotations

import os
from pathlib import Path

from artifact_janitor.watch.emitter import Source
from artifact_janitor.watch.kernel import FILE, Watched

EVERY = 10.0
"""Seconds."""
LOST_AFTER = 3 * EVERY


class Canary(Watched):
    """Times in seconds of a clock that only goes forward."""

    __slots__ = ("due", "losses", "path", "proven", "sent")

    def __init__(self, path: Path, now: float) -> None:
        super().__init__()
        self.path = path
        self.due = now
        self.sent: float | None = None
        self.losses = 0
        self.proven: float | None = None

    def beat(self, source: Source, now: float) -> None:
        """Write, unless the last one hasn't come back yet. Without its folder there is no
        canary: a workspace that is away must not be made anew."""
        self.due = now + EVERY
        if self.sent is not None:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            fd = os.open(self.path, flags, 0o600)
        except OSError:
            return
        try:
            _own(fd, self.path.parent)
            if source.arm(self, fd, FILE):
                self.sent = now
                os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        except OSError:
            self.sent = None  # a full disk: it says nothing, and the next may
        finally:
            os.close(fd)

    def came(self) -> None:
        """All up to when it was sent has been seen."""
        if self.sent is not None:
            self.proven, self.sent, self.losses = self.sent, None, 0

    def is_lost(self, now: float) -> bool:
        """It didn't come. After each loss we wait longer for the next: where it never comes,
        to set up all anew changes nothing."""
        lost = self.sent is not None and now > self.sent + LOST_AFTER * 2**self.losses
        self.losses += lost
        return lost

    def age(self, now: float) -> float | None:
        return None if self.proven is None else now - self.proven


def _own(fd: int, folder: Path) -> None:
    """What root makes here belongs to the owner of the folder."""
    owner = folder.stat()
    if os.geteuid() == 0 and os.fstat(fd).st_uid != owner.st_uid:
        os.fchown(fd, owner.st_uid, owner.st_gid)
