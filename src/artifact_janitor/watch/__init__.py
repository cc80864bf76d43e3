"""Hints: something below a root may have changed. Events are hints, state is the truth.

The kernel only says which folder to look at; what changed there is found by listing it
and comparing with how it looked before. Names and stats are read, no file is opened.
"""

from __future__ import annotations

from artifact_janitor.watch.told import Change, Counters, Root, WatchedRoot
from artifact_janitor.watch.watcher import Watcher

__all__ = ["Change", "Counters", "Root", "WatchedRoot", "Watcher"]
