"""``janitor gitignore check`` beside ``git status``, in a repository of 100,000 files."""

from __future__ import annotations
