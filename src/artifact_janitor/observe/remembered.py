"""What an earlier look saw, so that the next one need not read it all again (S11).

A folder that nothing came into and nothing left since then is taken as it was, which takes
one ``lstat`` instead of one for each file in it. Of what is remembered only one answer is
ever believed: that nothing would go. As soon as anything would, all of it is forgotten and
everything is read anew; see `looking.look`. So whatever a stale fact may claim, about its
own unit or about others, it can only keep.

Only what has been still for `SETTLED` is remembered, and no longer than `LASTS`: a file
that is written to in place changes no folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from artifact_janitor import __version__
from artifact_janitor.config import Settings
from artifact_janitor.core.model import ancestors
from artifact_janitor.errors import JournalError
from artifact_janitor.journal import Journal, open_journal
from artifact_janitor.journal.file import is_empty
from artifact_janitor.observe.tree import Folder
from artifact_janitor.observe.whole import FORM, Seen, Whole, as_text, from_text
from artifact_janitor.units import DAY

SETTLED = DAY
"""How long nothing in a unit may have been written before it is remembered."""
LASTS = 7 * DAY
"""How long it is remembered."""


class Memory:
    """What is remembered of each outermost unit, and what this look adds to it."""

    def __init__(self, now: int, form: str, known: dict[str, str] | None = None) -> None:
        self.now = now
        self.form = form
        self.known = known or {}
        self.is_blank = not known
        around = {path.rpartition("/")[0] for path in self.known}
        self._above = around.union(*map(ancestors, around))
        self._kept: set[str] = set()
        self._learnt: dict[str, str] = {}

    @property
    def was_used(self) -> bool:
        return bool(self._kept)

    def recalled(self, path: str) -> bool:
        """Whether this look took the unit as it was, and did not read it."""
        return path in self._kept

    def has_below(self, path: str) -> bool:
        """Whether units are remembered below a folder: then it is none itself."""
        return not self.is_blank and path in self._above

    def recall(self, folder: Folder, base: Path) -> Whole | None:
        """The unit that this listed folder was, if all folders in it are still the same."""
        path = folder.path
        text = None if self.is_blank else self.known.get(path)
        try:
            whole = from_text(text) if text else None
            if whole is None or not _is_as_it_was(whole, folder, base):
                return None
        except (ValueError, TypeError, LookupError, AttributeError):
            return None  # damaged: as good as forgotten
        self._kept.add(path)
        return whole

    def learn(self, whole: Whole, text: str = "") -> None:
        """Remember what was just read, if it has settled."""
        age = self.now - whole.newest
        if whole.folders and not whole.troubled and age > SETTLED:
            self._learnt[whole.path] = text or as_text(whole)

    def blank(self) -> Memory:
        """The same, but nothing of it is recalled."""
        other = Memory(self.now, self.form, self.known)
        other.is_blank = True
        return other

    def without(self, paths: Iterable[str]) -> Memory:
        """The same, but for some units, which a person asks about."""
        gone = {*paths}
        kept = {path: text for path, text in self.known.items() if path not in gone}
        return Memory(self.now, self.form, kept)

    def save(self, journal_file: Path) -> None:
        """Write down what is new, and forget what isn't there any more. A look makes no journal.

        A journal that can't be written to only costs the next look its time.
        """
        new = {path: text for path, text in self._learnt.items() if self.known.get(path) != text}
        gone = self.known.keys() - self._kept - self._learnt.keys()
        if not (new or gone) or is_empty(journal_file):
            return
        try:
            journal = open_journal(journal_file, create=True)
            if journal is not None:
                with closing(journal):
                    journal.remember(self.form, new, gone, self.now - LASTS, self.now)
        except JournalError:
            return


def memory_of(settings: Settings, journal: Journal | None, now: int) -> Memory:
    """What the journal remembers of this workspace; nothing where that is of another form."""
    form = _form(settings)
    try:
        known = journal.remembered(form, now - LASTS, now) if journal else {}
    except JournalError:
        known = {}
    return Memory(now, form, known)


def _form(settings: Settings) -> str:
    """What the facts depend on besides the disk: our version, the folders, the metrics that
    policies ask for, who is looking."""
    places = [*settings.folders.roots.items()]
    asking = any(each.keep_best for each in settings.policies)
    metrics = repr(settings.policies) if asking else ""
    return json.dumps([__version__, FORM, places, metrics, os.geteuid()])


def _is_as_it_was(whole: Whole, top: Folder, base: Path) -> bool:
    """Whether nothing came into any of its folders, or left it, since then."""
    start = f"{base}/"
    try:
        if whole.folders[0] != Seen(top.path, top.entry.ino, top.entry.ctime) or top.trouble:
            return False
        for path, ino, ctime in whole.folders[1:]:
            status = os.lstat(start + path)
            if status.st_ctime_ns != ctime or status.st_ino != ino:
                return False
    except OSError:
        return False
    return True
