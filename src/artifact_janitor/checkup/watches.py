"""Whether changes can be seen as they come: what watching needs, and what there is of it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from artifact_janitor.checkup import inotify
from artifact_janitor.checkup.check import Found, Place, ok, some, warning
from artifact_janitor.checkup.ground import is_remote
from artifact_janitor.config.folders import WATCHED
from artifact_janitor.daemon_file import NO_INSTANCE
from artifact_janitor.mounts import mount_of

_SPARE = 2
"""Times the folders that are there: there will be more of them."""
LATE = 60.0
"""Seconds; the daemon sends a canary every ten."""
_TROUBLES = {
    errno.ENOSPC: "no watch is left",
    errno.EMFILE: "no inotify instance is left",
    errno.ETIME: "an event was asked for, and none came",
}


def watches(place: Place) -> Iterator[Found]:
    """Without a watch a folder is looked at every few seconds: nothing is missed, it costs."""
    limits = inotify.limits()
    if limits is None:
        yield ok("this kernel has no inotify: folders are looked at every few seconds")
        return
    folders = sum(place.contents[each].folders for each in _roots(place) if each in place.contents)
    used = inotify.used(os.geteuid())
    told = place.daemon or {}
    if told.get("watch"):
        doubts = [*_polled(place, told["watch"], limits, used), *_lost(told)]
    else:
        doubts = [*_short(folders, limits, used), *_unseen(place)]
    yield from doubts
    if not doubts:
        free = max(limits.watches.value - used.watches, 0)
        yield ok(f"{some(folders, 'folder')} to watch, {free} watches free{_seen(place, told)}")


def _roots(place: Place) -> list[str]:
    """The folders that the daemon watches, as far as they are there."""
    named = [root for key in WATCHED for root in getattr(place.settings.folders, key)]
    return [each for each in named if os.path.isdir(os.path.join(place.base, each))]


def _seen(place: Place, told: Mapping[str, Any]) -> str:
    age = _canary(told)
    if age is not None:
        overflows = told.get("overflows", 0)
        more = f", {some(overflows, 'overflow')} made good" if overflows else ""
        return f"; the daemon saw its canary {age:.0f} s ago{more}"
    return ", and events come" if _roots(place) and not told.get("watch") else ""


def _canary(told: Mapping[str, Any]) -> float | None:
    age = (told.get("canary") or {}).get("age_s")
    return age if isinstance(age, (int, float)) else None


def _polled(
    place: Place, watched: Sequence[Mapping[str, Any]], limits: inotify.Limits, used: inotify.Used
) -> Iterator[Found]:
    """As the daemon says it; of filesystems of other hosts it is told with these."""
    own = [each for each in watched if not _is_silent(each["path"])]
    folders = sum(each["folders"] for each in own)
    for each in own:
        if each["mode"] != "polling":
            continue
        if NO_INSTANCE in each["why"]:
            hint = _raised(limits.instances, used.instances * 4)
        else:
            hint = _raised(limits.watches, _up(used.watches + folders * _SPARE))
        root = os.path.relpath(each["path"], place.base)
        yield warning(f"{root} is polled: {each['why']}", hint, root)


def _is_silent(path: str) -> bool:
    mount = mount_of(os.path.realpath(path))
    return bool(mount and is_remote(mount))


def _lost(told: Mapping[str, Any]) -> Iterator[Found]:
    """Everything that was written before the canary has been seen when that has been."""
    age = _canary(told)
    if age is not None and age > LATE:
        what = f"the daemon last saw its canary {age:.0f} s before it told of itself"
        yield warning(f"{what}: it is behind with what happens", "janitor status; see its log")


def _short(folders: int, limits: inotify.Limits, used: inotify.Used) -> Iterator[Found]:
    free = max(limits.watches.value - used.watches, 0)
    if folders > free:
        what = f"{some(folders, 'folder')} to watch, and {free} watches are free for this user"
        hint = _raised(limits.watches, _up(used.watches + folders * _SPARE))
        yield warning(f"{what}: what finds none is looked at every few seconds", hint)
    if used.instances >= limits.instances.value:
        what = f"all {limits.instances.value} inotify instances of this user are in use"
        yield warning(what, _raised(limits.instances, used.instances * 4))


def _up(count: int) -> int:
    """To the next power of two."""
    return 1 << (count - 1).bit_length()


def _raised(limit: inotify.Limit, least: int) -> str:
    line = f"{limit.name}={max(2 * limit.value, least, 1)}"
    return f"sysctl {line}; and for good: echo {line} > /etc/sysctl.d/60-{limit.name}.conf"


def _unseen(place: Place) -> Iterator[Found]:
    """Where no event comes, though the filesystem is this host's own."""
    for root in _roots(place):
        real = os.path.realpath(os.path.join(place.base, root))
        mount = mount_of(real)
        if mount and is_remote(mount):
            continue  # told with the filesystems
        if refused := inotify.round_trip(real):
            what = _TROUBLES.get(refused, os.strerror(refused))
            hint = "free some: end programs that watch files, or raise the limit with sysctl"
            yield warning(f"{root} can't be watched: {what}", hint, root)
