"""Checks of the archives: where they lie, what could take them, and when they were last read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from artifact_janitor.apply.archive.store import IN_ORDER, PART, Store
from artifact_janitor.archived import Kept, with_others
from artifact_janitor.checkup.check import Found, Place, ok, some, warning
from artifact_janitor.core.model import is_within
from artifact_janitor.core.policy import ARCHIVE
from artifact_janitor.errors import StepFailed
from artifact_janitor.mounts import mount_of
from artifact_janitor.observe import git
from artifact_janitor.units import DAY, format_duration, format_size
from artifact_janitor.workplace import store_of

STALE = 90 * DAY
"""After this time without being read in full an archive is told: disks forget."""


def store(place: Place) -> Iterator[Found]:
    """The archives, and the folder that they lie in."""
    if place.unreadable:
        yield warning("without the journal nobody can tell what is missing", "mend it first")
        return
    here = store_of(place.settings)
    there = with_others(place.settings, place.journal)
    every = [each for each in there if not each.is_others]
    doubts = [
        *_of_store(place, here, every),
        *_of_archives(place, every),
        *_half_written(place, here),
    ]
    yield from doubts
    if not every and not doubts:
        yield ok("there are none yet")
    elif not doubts:
        mount = mount_of(os.path.realpath(here.place))
        where = f"{here.place}, on {mount.type} ({mount.point})" if mount else f"{here.place}"
        size = format_size(sum(each.bytes for each in every))
        yield ok(f"{some(len(every), 'archive')}, {size}, in {where}")
    if others := len(there) - len(every):
        yield ok(f"{some(others, 'archive')} beside, not known to be from here: nothing takes them")


def _of_store(place: Place, here: Store, every: Sequence[Kept]) -> Iterator[Found]:
    text = place.settings.archive.store
    used = any(each.index and each.index.store == text for each in every)
    wanted = any(each.then == ARCHIVE for each in place.settings.policies)
    is_own = is_within(text, place.state.folder.name)
    try:
        if used:
            here.must_be_known()
        if used or (wanted and not is_own):
            with here.folder():
                pass
    except StepFailed as error:
        yield warning(error.message, error.hint, str(here.place))
    if (used or wanted) and _git_would_take(place, text):
        held = f", and {some(len(every), 'archive')} with it" if every else ""
        what = f"git clean -fdx would remove {text}{held}"
        hint = (
            '[archive] store = "/mnt/big/archives" in config.toml: a folder outside, which exists'
        )
        yield warning(what, hint, text)


def _git_would_take(place: Place, store: str) -> bool:
    """Whether the store lies in a repository that doesn't track it."""
    real = os.path.realpath(os.path.join(place.base, store))
    base = os.path.realpath(place.base)
    if not real.startswith(f"{base}/") or not git.in_repository(place.settings.workspace):
        return False
    try:
        return not any(is_within(each, store) for each in git.tracked(place.settings.workspace))
    except git.GitUnknown:
        return True


def _of_archives(place: Place, every: Sequence[Kept]) -> Iterator[Found]:
    if bad := [each for each in every if each.trouble]:
        what = f"can't be read: {some(len(bad), 'archive')}, {bad[0].unit or bad[0].name}"
        hint = f"janitor archives {bad[0].name}"
        yield warning(f"{what}: {bad[0].trouble}", hint, str(bad[0].store.place))
    if strange := [each for each in every if not each.index]:
        what = f"unknown to the journal: {some(len(strange), 'archive')}, {strange[0].name}"
        hint = f"janitor verify {strange[0].name}; janitor restore takes them all the same"
        yield warning(what, hint, str(strange[0].store.place))
    times = [(each.index.checked, each) for each in every if each.index and not each.trouble]
    if old := [(at, each) for at, each in times if place.now - at > STALE]:
        at, oldest = min(old, key=lambda pair: pair[0])
        ago = format_duration(place.now - at)
        what = f"not read for long: {some(len(old), 'archive')}, {oldest.name} for {ago}"
        yield warning(what, "janitor verify", str(oldest.store.place))


def _half_written(place: Place, here: Store) -> Iterator[Found]:
    """What nobody is writing any more. Of what the journal knows the next start takes care."""
    known = {each.name for each in place.journal.archives.all()} if place.journal else set()
    ends = tuple(suffix + PART for suffix in IN_ORDER)
    try:
        names = sorted(name for name in os.listdir(here.place) if name.endswith(ends))
    except OSError:
        return
    left = [each for each in names if not any(each == name + end for name in known for end in ends)]
    if left:
        what = f"half-written, and nobody's: {some(len(left), 'file')}, {left[0]}"
        hint = "remove them by hand, unless another project archives to this folder just now"
        yield warning(what, hint, str(here.place))
